//! The shipped rules and the examples, as ops people get them: each says what it is, and its tests pass.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rulegate::config::check::check;
use rulegate::config::files::Disk;
use rulegate::config::load::{Loaded, load, load_to_run};
use rulegate::config::model::Rules;
use rulegate::engine::failure::FailureKind;
use rulegate::engine::{Engine, build};
use rulegate::proof::rule_tests;
use rulegate::text::diagnostic::Sources;

use crate::support::Folder;

/// The shipped rules, further tests of them, the catalogue, and every example.
pub fn files() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = vec![root.join("rules/rules.yaml")];
    files.extend(yaml_in("tests/rules"));
    files.extend(catalog());
    files.push(root.join("tests/good/uses.yaml"));
    files.extend(examples().iter().map(|folder| folder.join("rules.yaml")));
    files
}

/// What is known of providers.
fn catalog() -> Vec<PathBuf> {
    yaml_in("rules/catalog")
}

fn yaml_in(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut found: Vec<PathBuf> =
        entries.filter(|path| path.extension().is_some_and(|it| it == "yaml")).collect();
    found.sort();
    found
}

/// The examples that are rules; others show where the router runs.
fn examples() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let mut found: Vec<PathBuf> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    found.retain(|folder| folder.join("rules.yaml").exists());
    found.sort();
    assert!(found.len() >= 4);
    found
}

/// Some key for each variable for one.
fn some_key(name: &str) -> Option<String> {
    name.ends_with("_KEY").then(|| format!("some-key-{name}"))
}

/// A file's rules, compiled, with some key in each variable for one; panics with all that is wrong with it.
pub fn compiled(file: &Path) -> (Arc<Engine>, Rules, Sources) {
    built(file, load(&Disk, file, &some_key))
}

/// The same without the tests of files that are as inside the program.
pub fn compiled_to_run(file: &Path) -> (Arc<Engine>, Rules, Sources) {
    built(file, load_to_run(&Disk, file, &some_key, &Default::default()))
}

fn built(file: &Path, mut loaded: Loaded) -> (Arc<Engine>, Rules, Sources) {
    let mut engine = None;
    if let Some(rules) = &loaded.rules {
        check(rules, &mut loaded.diagnostics);
        engine = build(rules, &loaded.hash, &mut loaded.diagnostics);
    }
    match (engine, loaded.rules) {
        (Some(engine), Some(rules)) if loaded.diagnostics.is_empty() => {
            (Arc::new(engine), rules, loaded.sources)
        }
        _ => panic!("{}\n{}", file.display(), loaded.diagnostics.render(&loaded.sources, false)),
    }
}

/// The engine of a file.
pub fn engine(file: &Path) -> Arc<Engine> {
    compiled(file).0
}

#[test]
fn the_tests_beside_the_rules_pass() {
    let mut failed = String::new();
    for file in files() {
        let (engine, rules, sources) = compiled(&file);
        let report = rule_tests::run(&engine, &rules);
        assert!(report.total() > 0, "{} has no tests", file.display());
        let mut told = rulegate::text::diagnostic::Diagnostics::new();
        report.tell(&mut told);
        failed += &told.render(&sources, false);
    }
    assert!(failed.is_empty(), "\n{failed}");
}

/// A rule that no test reaches may be misspelt without anyone noticing.
#[test]
fn every_shipped_failover_rule_has_a_test() {
    let files: Vec<Rules> = yaml_in("tests/rules").iter().map(|file| compiled(file).1).collect();
    let steps = || files.iter().flat_map(|rules| &rules.tests).flat_map(|test| test.steps());
    let expected: Vec<String> = steps()
        .map(|(_, step)| step.expect.facts)
        .flat_map(|facts| facts.rule.into_iter().chain(facts.fired.0))
        .map(|rule| rule.value)
        .collect();
    let tested = |name: &str| expected.iter().any(|rule| rule == name);
    let names = files.iter().flat_map(|rules| &rules.failover).map(|rule| rule.name.value.as_str());
    let untested: Vec<&str> = names.filter(|name| !tested(name)).collect();
    assert_eq!(untested, Vec::<&str>::new());
}

/// What comes without a status of its own: each kind is simulated somewhere, against the shipped rules.
#[test]
fn every_kind_of_failure_has_an_example() {
    let files: Vec<Rules> = yaml_in("tests/rules").iter().map(|file| compiled(file).1).collect();
    let steps = files.iter().flat_map(|rules| &rules.tests).flat_map(|test| test.steps());
    let given: Vec<String> = steps
        .flat_map(|(_, step)| {
            step.given.iter().flat_map(|(_, answers)| answers.0.clone()).collect::<Vec<_>>()
        })
        .filter_map(|given| given.failure.map(|kind| kind.value.word().to_owned()))
        .collect();
    // These are made by what a provider says, or by the router itself.
    let said = [FailureKind::Mapping, FailureKind::Lossy, FailureKind::InStream, FailureKind::Status];
    let missing: Vec<&str> = FailureKind::ALL
        .iter()
        .filter(|kind| !said.contains(kind))
        .map(|kind| kind.name())
        .filter(|name| !given.iter().any(|given| given == name))
        .collect();
    assert_eq!(missing, Vec::<&str>::new());
}

#[test]
fn every_file_of_the_catalogue_shows_that_each_of_its_rules_fires() {
    for file in catalog() {
        let (_, rules, _) = compiled(&file);
        let name = file.file_stem().unwrap().to_str().unwrap();
        let provider = rules.providers.get(name).expect("the file and its provider have the same name");
        let tests = rules.tests.iter().chain(rules.catalog.iter().flat_map(|used| &used.tests));
        let tested: Vec<&str> = tests
            .filter_map(|test| test.expect.facts.rule.as_ref())
            .map(|rule| rule.value.as_str())
            .collect();
        for rule in &provider.failover {
            assert!(
                tested.contains(&rule.name.value.as_str()),
                "{name}: nothing shows `{}`",
                rule.name.value
            );
        }
    }
}

/// What a user writes of a provider that the catalogue knows: two lines, and a route.
#[test]
fn every_file_of_the_catalogue_can_be_used_in_two_lines() {
    for file in catalog() {
        let name = file.file_stem().unwrap().to_str().unwrap();
        let folder = Folder::new();
        let rules = format!(
            "include: [ protocols/*.yaml, mappings/*.yaml ]\n\
             providers:\n  own:\n    uses: catalog/{name}\n    key: ${{SOME_KEY}}\n\
             routes: [ {{ path: /v1/messages, protocol: anthropic.messages }} ]\n"
        );
        let (engine, mut rules, _) = compiled(&folder.write("rules.yaml", &rules));
        let provider = rules.providers.get("own").expect("the provider is there");
        assert!(!provider.url.value.is_empty() && !provider.speaks.is_empty(), "{name}");
        // Those of the mappings are the same for all, and run elsewhere.
        rules.mappings.iter_mut().for_each(|mapping| mapping.tests.clear());
        let report = rule_tests::run(&engine, &rules);
        assert!(report.total() > 0 && report.is_good(), "{name}");
    }
}

/// The rules that people read at night name what they use, and nothing else is read.
#[test]
fn only_the_catalogue_files_that_are_used_are_read() {
    let (_, rules, _) = compiled(&Path::new(env!("CARGO_MANIFEST_DIR")).join("rules/rules.yaml"));
    let names: Vec<&str> = rules.catalog.iter().map(|file| file.catalog.value.as_str()).collect();
    assert_eq!(names, ["claude", "deepseek", "kimi"]);
}

#[test]
fn every_example_says_what_it_is() {
    for folder in examples() {
        let readme = std::fs::read_to_string(folder.join("README.md")).unwrap();
        assert!(readme.starts_with("# ") && readme.contains("rulegate run"), "{}", folder.display());
    }
}
