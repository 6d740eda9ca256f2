//! Rules files that are right, and rules files that are wrong, with exactly what is said about them.
//!
//! `UPDATE_EXPECT=1 cargo test corpus` writes what is said now; the difference is for a person to judge.

use std::fs;
use std::path::{Path, PathBuf};

use jsonschema::Validator;
use rulegate::config::check::check;
use rulegate::config::files::{Disk, Memory};
use rulegate::config::load::load;
use rulegate::config::schema;
use rulegate::engine;
use rulegate::text::diagnostic::{Diagnostics, FileId};
use rulegate::text::yaml::{self, Kind, Node};
use serde_json::Value;

/// The value of every variable that is set in these tests; it must never be seen.
const SECRET: &str = "sk-not-to-be-shown";

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn updating() -> bool {
    std::env::var_os("UPDATE_EXPECT").is_some()
}

/// The `.yaml` files right in a folder, sorted, relative to the root of the project.
fn rules_in(folder: &str) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = fs::read_dir(root().join(folder))
        .unwrap()
        .map(|entry| Path::new(folder).join(entry.unwrap().file_name()))
        .filter(|path| path.extension().is_some_and(|ending| ending == "yaml"))
        .collect();
    found.sort();
    assert!(!found.is_empty(), "{folder} is empty");
    found
}

/// All that is said about a file. The tests run in the root of the project, so that paths are short.
fn said(path: &Path) -> (String, Diagnostics) {
    let env = |name: &str| name.starts_with("SOME_").then(|| SECRET.to_string());
    let loaded = load(&Disk, path, &env);
    let mut diagnostics = loaded.diagnostics;
    if let Some(rules) = &loaded.rules {
        check(rules, &mut diagnostics);
        engine::build(rules, &loaded.hash, &mut diagnostics);
    }
    diagnostics.sort();
    let text = diagnostics.render(&loaded.sources, false);
    for shown in [&text, &diagnostics.to_json(&loaded.sources).to_string()] {
        assert!(!shown.contains(SECRET) && !shown.contains("sk-do-not-show"), "{shown}");
    }
    (text, diagnostics)
}

#[test]
fn the_good_corpus_is_found_good() {
    for path in rules_in("tests/good") {
        assert_eq!(said(&path).0, "", "{}", path.display());
    }
}

#[test]
fn the_bad_corpus_is_told_exactly_what_is_wrong() {
    let mut wrong = Vec::new();
    for path in rules_in("tests/bad") {
        let expected = root().join(path.with_extension("txt"));
        let (text, diagnostics) = said(&path);
        assert!(!diagnostics.is_empty(), "nothing is said about {}", path.display());
        if updating() {
            fs::write(&expected, &text).unwrap();
        } else if fs::read_to_string(&expected).unwrap_or_default() != text {
            wrong.push(format!("{} is told:\n{text}", path.display()));
        }
    }
    assert!(wrong.is_empty(), "{}\nUPDATE_EXPECT=1 writes this down", wrong.join("\n"));
}

#[test]
fn six_mistakes_give_six_findings_each_with_its_place() {
    let (text, diagnostics) = said(Path::new("tests/bad/six-mistakes.yaml"));
    assert_eq!(diagnostics.len(), 6, "{text}");
    assert!(diagnostics.iter().all(|found| found.span.is_some()));
    assert!(text.matches("did you mean").count() >= 5, "{text}");
}

#[test]
fn what_the_project_ships_is_found_good() {
    let mut paths = vec![PathBuf::from("rules/rules.yaml")];
    paths.extend(
        fs::read_dir(root().join("examples"))
            .unwrap()
            .map(|entry| Path::new("examples").join(entry.unwrap().file_name()).join("rules.yaml"))
            .filter(|path| root().join(path).exists()),
    );
    paths.extend(rules_in("tests/rules"));
    paths.extend(rules_in("rules/catalog"));
    for path in paths {
        let (text, diagnostics) = said(&path);
        let worse = diagnostics.iter().any(|found| found.code != "no-key");
        assert!(!worse, "{}:\n{text}", path.display());
    }
}

#[test]
fn the_schemas_are_current() {
    for document in schema::documents() {
        let path = root().join("schemas").join(document.file);
        if updating() {
            fs::create_dir_all(root().join("schemas")).unwrap();
            fs::write(&path, document.text()).unwrap();
        }
        let written = fs::read_to_string(&path).unwrap_or_default();
        assert!(written == document.text(), "{} is old; UPDATE_EXPECT=1 renews it", path.display());
    }
}

/// All trees that differ from `node` in one place, where `other` stands instead.
fn damaged(node: &Node, other: &Kind) -> Vec<Node> {
    let mut all = vec![Node { span: node.span, kind: other.clone() }];
    match &node.kind {
        Kind::List(items) => {
            for (place, item) in items.iter().enumerate() {
                all.extend(damaged(item, other).into_iter().map(|item| {
                    let mut items = items.clone();
                    items[place] = item;
                    Node { span: node.span, kind: Kind::List(items) }
                }));
            }
        }
        Kind::Map(entries) => {
            for (place, (_, value)) in entries.iter().enumerate() {
                all.extend(damaged(value, other).into_iter().map(|value| {
                    let mut entries = entries.clone();
                    entries[place].1 = value;
                    Node { span: node.span, kind: Kind::Map(entries) }
                }));
            }
        }
        _ => {}
    }
    all
}

#[test]
fn no_damage_leads_to_anything_but_findings() {
    let text = fs::read_to_string(root().join("tests/good/all.yaml")).unwrap();
    let whole = yaml::parse(FileId(0), &text).unwrap();
    let part = |name: &str| fs::read(root().join("tests/good/parts").join(name)).unwrap();
    let mut files = Memory::default();
    for name in ["chat.yaml", "talk.yaml", "chat--talk.yaml"] {
        files.0.insert(Path::new("parts").join(name), part(name));
    }
    let others =
        [Kind::Null, Kind::String("${X}".into()), Kind::Map(vec![].into()), Kind::Number("-1.5".into())];
    // Every fifth, which visits each place with one of the four.
    for damaged in others.iter().flat_map(|other| damaged(&whole, other)).step_by(5) {
        let mut bytes = Vec::new();
        damaged.to_json_bytes(&mut bytes);
        files.0.insert("rules.yaml".into(), bytes.clone());
        let loaded =
            load(&files, Path::new("rules.yaml"), &|name| name.starts_with("SOME_").then(|| SECRET.into()));
        let mut diagnostics = loaded.diagnostics;
        let Some(rules) = &loaded.rules else { continue };
        check(rules, &mut diagnostics);
        let built = engine::build(rules, &loaded.hash, &mut diagnostics);
        let shown = diagnostics.render(&loaded.sources, false);
        assert!(
            built.is_some() || diagnostics.has_errors(),
            "nothing was said: {}",
            String::from_utf8_lossy(&bytes)
        );
        assert!(!shown.contains(SECRET), "{shown}");
    }
}

fn validator(file: &str) -> Validator {
    let document = schema::documents().into_iter().find(|document| document.file == file).unwrap();
    jsonschema::draft202012::meta::validate(&document.schema).unwrap();
    jsonschema::validator_for(&document.schema).unwrap()
}

fn json(path: &Path) -> Value {
    let text = fs::read_to_string(root().join(path)).unwrap();
    let mut bytes = Vec::new();
    yaml::parse(FileId(0), &text).unwrap().to_json_bytes(&mut bytes);
    serde_json::from_slice(&bytes).unwrap()
}

#[test]
fn the_schemas_accept_what_is_right() {
    let mut all = vec![(PathBuf::from("rules/rules.yaml"), "rules.schema.json")];
    all.extend(rules_in("tests/good").into_iter().map(|path| (path, "rules.schema.json")));
    all.extend(rules_in("rules/protocols").into_iter().map(|path| (path, "protocol.schema.json")));
    all.extend(rules_in("rules/catalog").into_iter().map(|path| (path, "catalog.schema.json")));
    all.extend(rules_in("tests/good/catalog").into_iter().map(|path| (path, "catalog.schema.json")));
    all.extend(rules_in("rules/mappings").into_iter().map(|path| (path, "mapping.schema.json")));
    for (path, schema) in all {
        if let Err(error) = validator(schema).validate(&json(&path)) {
            panic!("{} at {}: {error}", path.display(), error.instance_path());
        }
    }
}

#[test]
fn the_schemas_refuse_what_has_the_wrong_shape() {
    let rules = validator("rules.schema.json");
    for name in ["unknown-keys", "missing-keys", "wrong-types", "facts", "not-a-mapping"] {
        assert!(!rules.is_valid(&json(Path::new(&format!("tests/bad/{name}.yaml")))), "{name}");
    }
    let directive = serde_json::json!({ "routes": [{ "path": "/a", "answer": { "$if": 1, "$than": 2 } }] });
    assert!(!rules.is_valid(&directive));
    let mapping = validator("mapping.schema.json");
    for (stream, right) in [
        (serde_json::json!({ "event": { "when": "$.a", "emit": "$" }, "done": "end" }), true),
        (serde_json::json!({ "event": { "when": { "$.a": { "iz": "null" } } } }), false),
        (serde_json::json!({ "evnt": [] }), false),
        (serde_json::json!({ "event": [{ "emitt": "$" }] }), false),
    ] {
        let file = serde_json::json!({ "mapping": { "from": "a", "to": "b" }, "stream": stream });
        assert_eq!(mapping.is_valid(&file), right, "{file}");
    }
}
