//! docs/mapping-language.md says what the program does: its tables are made from the program's own, and its examples
//! are run.

use std::fmt::Write;
use std::path::Path;
use std::sync::Arc;

use rulegate::config::check::check;
use rulegate::config::files::Memory;
use rulegate::config::load::load;
use rulegate::config::schema;
use rulegate::engine::{build, names};
use rulegate::language::directives::{Directive, Example, GROUPS};
use rulegate::language::matchers::{MATCHERS, STATES};
use rulegate::language::words::{self, Word};
use rulegate::language::{Compiler, Env, Framing, Scope, StreamMachine, StreamProgram, Template, Val};
use rulegate::proof::rule_tests::prove;
use rulegate::text::diagnostic::{Diagnostics, Sources};
use rulegate::text::json::Doc;
use rulegate::text::yaml::{self, Node};
use serde_json::{Value, json};

use crate::map::map;
use crate::support::{Block, Document, Folder, lay_out, tutorial};

fn page() -> Document {
    Document::open("docs/mapping-language.md")
}

// ------------------------------------------------------------------------------------------------ tables

/// A template that is longer has its input and output on a line of their own.
const WIDTH: usize = 72;

/// A cell of a table: a bar would end it.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

fn table(head: [&str; 2], rows: impl IntoIterator<Item = (String, String)>) -> String {
    let mut out = format!("| {} | {} |\n| --- | --- |\n", head[0], head[1]);
    for (left, right) in rows {
        writeln!(out, "| {} | {} |", cell(&left), cell(&right)).unwrap();
    }
    out
}

fn word_table(words: &[Word]) -> String {
    table(["word", "meaning"], words.iter().map(|word| (format!("`{}`", word.name), word.doc.to_owned())))
}

fn matchers() -> String {
    let values = |values: &[&str]| {
        let values: Vec<_> = values.iter().map(|value| format!("`{value}`")).collect();
        values.join(" ")
    };
    let mut out = String::from(
        "| word | meaning | for example | holds for | not for |\n| --- | --- | --- | --- | --- |\n",
    );
    for entry in MATCHERS {
        let cells = [
            format!("`{}`", entry.name),
            entry.doc.to_owned(),
            format!("`{}`", entry.example),
            values(entry.holds),
            values(entry.fails),
        ];
        writeln!(out, "| {} |", cells.map(|text| cell(&text)).join(" | ")).unwrap();
    }
    out
}

fn directive(directive: &Directive, out: &mut String) {
    write!(out, "\n**`{}`**", directive.name).unwrap();
    for name in directive.needs {
        write!(out, " `{name}`").unwrap();
    }
    for name in directive.takes {
        write!(out, " [`{name}`]").unwrap();
    }
    writeln!(out, ": {}.", directive.doc).unwrap();
    if directive.examples.is_empty() {
        return;
    }
    let length = |example: &Example| example.template.chars().count();
    let short = directive.examples.iter().map(length).filter(|length| *length <= WIDTH).max().unwrap_or(0);
    out.push_str("\n```yaml\n");
    for example in directive.examples {
        let output = example.output.unwrap_or("nothing");
        let gives = format!("# {} → {output}", example.input);
        if length(example) <= WIDTH {
            writeln!(out, "{:short$}   {gives}", example.template).unwrap();
        } else {
            writeln!(out, "{}\n    {gives}", example.template).unwrap();
        }
    }
    out.push_str("```\n");
}

fn directives() -> String {
    let mut out = String::new();
    for (title, group) in GROUPS {
        writeln!(out, "\n### {title}").unwrap();
        group.iter().for_each(|entry| directive(entry, &mut out));
    }
    format!("{}\n", out.trim_start())
}

fn name_list(names: &[names::Name]) -> String {
    names.iter().map(|name| format!("`${}`", name.text())).collect::<Vec<_>>().join(" ")
}

fn places(rows: &[(&str, names::Names)], code: bool) -> String {
    let shown = |place: &str| {
        let parts = place.split(", ").map(|part| format!("`{part}`")).collect::<Vec<_>>();
        if code { parts.join(", ") } else { place.to_owned() }
    };
    table(["where", "names"], rows.iter().map(|(place, names)| (shown(place), name_list(names))))
}

/// The keys of a record, from the schema that editors read.
fn keys(record: &str) -> String {
    let documents = schema::documents();
    let mapping = documents.iter().find(|it| it.file == "mapping.schema.json").unwrap();
    let properties = mapping.schema["$defs"][record]["properties"].as_object().unwrap();
    let doc =
        |value: &Value| value["description"].as_str().unwrap_or_default().trim_end_matches('.').to_owned();
    table(["key", "meaning"], properties.iter().map(|(key, value)| (format!("`{key}`"), doc(value))))
}

#[test]
fn the_tables_are_the_programs_own() {
    let page = page();
    let names = names::Name::ALL.iter().map(|name| (format!("`${}`", name.text()), name.doc().to_owned()));
    let states = STATES.iter().map(|(name, _, doc)| (format!("`{name}`"), (*doc).to_owned()));
    let made = [
        ("conditions", word_table(words::CONDITIONS)),
        ("matchers", matchers()),
        ("states", table(["state", "holds for"], states)),
        ("directives", directives()),
        ("edits", word_table(words::EDITS)),
        ("program", word_table(words::PROGRAM)),
        ("steps", word_table(words::STEPS)),
        ("blocks", word_table(words::BLOCKS)),
        ("stream-names", word_table(words::STREAM_NAMES)),
        ("names", table(["name", "stands for"], names)),
        ("parts", places(names::PARTS, true)),
        ("places", places(names::PLACES, false)),
        ("mapping-keys", keys("Mapping")),
        ("test-keys", keys("MappingTest")),
    ];
    page.expect(made.map(|(name, text)| (page.part(name), format!("\n{text}\n"))).into());
}

#[test]
fn names_have_values_where_the_page_says() {
    let folder = Folder::new();
    tutorial().blocks().iter().for_each(|block| lay_out(block, &folder));
    // One part of a mapping gives the names that have a value there; any other name is a mistake in it.
    let shown = |names: names::Names| {
        let shown = names.iter().map(|name| {
            let name = format!("${}", name.text());
            (format!("${name}"), json!({ "$if": { name: { "is": "present" } }, "$then": true }))
        });
        Value::Object(shown.collect())
    };
    for (part, names) in names::PARTS {
        let (input, data) = match part.split(',').next().unwrap() {
            "request" => ("--request", r#"{"model":"m"}"#),
            "response" => ("--response", r#"{"words":""}"#),
            "error" => ("--error", r#"{"oops":"no"}"#),
            _ => ("--stream", "event: piece\ndata: {}\n\n"),
        };
        let run = |names: names::Names| {
            let mut mapping = json!({
                "mapping": { "from": "anthropic.messages", "to": "acme.talk" },
                "request": {}, "response": {}, "error": {},
                "stream": { "event": { "emit": {}, "end": true } },
            });
            match input {
                "--stream" => mapping["stream"]["event"]["emit"] = shown(names),
                _ => mapping[&input[2..]] = shown(names),
            }
            folder.write("names.yaml", &mapping.to_string());
            map(&folder, &format!("--mapping names.yaml {input} -"), data)
        };
        let (code, out, err) = run(names);
        assert_eq!(code, 0, "{err}");
        let body = &out[out.find('{').unwrap()..];
        let seen: Value = serde_json::from_str(body.trim_end()).unwrap();
        let seen: Vec<&str> = seen.as_object().unwrap().keys().map(String::as_str).collect();
        let told: Vec<String> = names.iter().map(|name| format!("${}", name.text())).collect();
        assert_eq!(seen, told, "{part}");
        let (code, _, err) = run(names::MAPPING);
        assert_eq!(code, 1, "{part}");
        for name in names::MAPPING {
            let is_mistake = err.contains(&format!("`${}` has no value", name.text()));
            assert_eq!(is_mistake, !names.contains(name), "{part}: {}\n{err}", name.text());
        }
    }
}

// ---------------------------------------------------------------------------------------------- examples

/// The comments of an example as (mark, text): `$ =` is the input, `→` the output, `<-` and `->` are events.
fn marks(block: &Block) -> Vec<(&'static str, &str)> {
    let mark = |line| {
        ["$ = ", "→ ", "<- ", "-> "].into_iter().find_map(|mark| Some((mark, str::strip_prefix(line, mark)?)))
    };
    block.text.lines().filter_map(|line| mark(line.strip_prefix("# ")?)).collect()
}

/// An example's YAML and a place for its mistakes.
struct Trial {
    node: Node,
    sources: Sources,
    found: Diagnostics,
    scope: Scope,
}

impl Trial {
    fn new(block: &Block) -> Trial {
        let mut sources = Sources::new();
        let file = sources.add(format!("line {}", block.line), block.text.as_str());
        let mut found = Diagnostics::new();
        let node = yaml::parse(file, &block.text).map_err(|error| found.push(error)).unwrap_or(Node {
            span: rulegate::text::diagnostic::Span::new(file, 0, 0),
            kind: yaml::Kind::Null,
        });
        Trial { node, sources, found, scope: Scope::new(&[""]) }
    }

    fn ready<T>(&self, compiled: Option<T>) -> T {
        assert!(self.found.is_empty(), "\n{}", self.found.render(&self.sources, false));
        compiled.expect("it compiles")
    }
}

fn written(template: &Template, env: &mut Env<'_>) -> String {
    let mut out = Vec::new();
    match template.write(env, &mut out) {
        Ok(true) => String::from_utf8(out).unwrap(),
        Ok(false) => "nothing".to_owned(),
        Err(fail) => format!("fails with {}: {}", fail.status, fail.message),
    }
}

/// Runs an example for each of its inputs.
fn over_inputs(block: &Block, run: impl Fn(&Doc, &mut Env<'_>) -> String, scope: &Scope) {
    let marks = marks(block);
    assert!(!marks.is_empty() && marks.len().is_multiple_of(2), "line {}: inputs and outputs", block.line);
    for pair in marks.chunks(2) {
        let [("$ = ", input), ("→ ", output)] = pair else { panic!("line {}: {pair:?}", block.line) };
        let doc = Doc::parse(input.as_bytes().to_vec()).unwrap();
        let mut env = Env::new(scope.len());
        env.set(0, Val::Json(doc.root()));
        assert_eq!(run(&doc, &mut env), *output, "line {}", block.line);
    }
}

fn template(block: &Block) {
    let mut example = Trial::new(block);
    let compiled = Compiler::new(&example.scope, &mut example.found).template(&example.node);
    let template = example.ready(compiled);
    over_inputs(block, |_, env| written(&template, env), &example.scope);
}

fn fragments(block: &Block) {
    let mut example = Trial::new(block);
    example.scope.fragments(example.node.get("fragments").unwrap(), &mut example.found);
    let node = example.node.get("template").unwrap();
    let compiled = Compiler::new(&example.scope, &mut example.found).template(node);
    let template = example.ready(compiled);
    over_inputs(block, |_, env| written(&template, env), &example.scope);
}

fn condition(block: &Block) {
    let mut example = Trial::new(block);
    let compiled = Compiler::new(&example.scope, &mut example.found).condition(&example.node);
    let condition = example.ready(compiled);
    over_inputs(block, |_, env| condition.test(env).to_string(), &example.scope);
}

fn patch(block: &Block) {
    let mut example = Trial::new(block);
    let compiled = Compiler::new(&example.scope, &mut example.found).patch(&example.node);
    let patch = example.ready(compiled);
    let run =
        |doc: &Doc, env: &mut Env<'_>| String::from_utf8(patch.apply(doc, env).unwrap().to_vec()).unwrap();
    over_inputs(block, run, &example.scope);
}

fn stream(block: &Block) {
    let mut example = Trial::new(block);
    let scope = std::mem::take(&mut example.scope);
    let compiled = StreamProgram::compile(&example.node, scope, Framing::default(), &mut example.found);
    let mut machine = StreamMachine::new(Arc::new(example.ready(compiled)));
    let mut happened = Vec::new();
    for (_, input) in marks(block).into_iter().filter(|(mark, _)| *mark == "<- ") {
        happened.push(format!("<- {input}"));
        match input {
            "[DONE]" => machine.done(&[]),
            "(end)" => machine.eof(&[]),
            data => machine.event(&[], None, data.as_bytes()),
        }
        let output = String::from_utf8(machine.take_output()).unwrap();
        happened
            .extend(output.lines().filter_map(|line| Some(format!("-> {}", line.strip_prefix("data: ")?))));
        if let Some(fail) = machine.failure() {
            happened.push(format!("-> (failed with {}: {})", fail.status, fail.message));
        }
    }
    let told: Vec<_> = marks(block).into_iter().map(|(mark, text)| format!("{mark}{text}")).collect();
    assert_eq!(happened, told, "line {}", block.line);
}

/// A whole mapping file: it checks, and its tests pass.
fn mapping(block: &Block) {
    let main = r#"
include: [ "builtin:protocols/*.yaml", mapping.yaml ]
providers: { p: { speaks: openai.chat, url: "http://127.0.0.1:1", key: none } }
routes: [ { path: /v1/messages, protocol: anthropic.messages } ]
"#;
    let files = Memory::new([("rules.yaml", main), ("mapping.yaml", block.text.as_str())]);
    let mut loaded = load(&files, Path::new("rules.yaml"), &|_| None);
    let mut tests = 0;
    if let Some(rules) = &loaded.rules {
        check(rules, &mut loaded.diagnostics);
        if let Some(engine) = build(rules, "", &mut loaded.diagnostics) {
            prove(rules, &Arc::new(engine), &mut loaded.diagnostics);
        }
        tests = rules.mappings.iter().map(|mapping| mapping.tests.len()).sum();
    }
    let found = loaded.diagnostics.render(&loaded.sources, false);
    assert!(loaded.diagnostics.is_empty() && tests > 1, "line {}\n{found}", block.line);
}

#[test]
fn every_example_gives_what_it_says() {
    let page = page();
    let made = page.part("directives");
    let mut count = 0;
    for block in page.blocks().iter().filter(|block| block.language() == "yaml") {
        // The examples of the directives are run where they stand.
        if made.contains(&block.range.start) {
            continue;
        }
        count += 1;
        match block.kind() {
            "" => template(block),
            "fragments" => fragments(block),
            "condition" => condition(block),
            "patch" => patch(block),
            "stream" => stream(block),
            "mapping" => mapping(block),
            kind => panic!("line {}: what is {kind}?", block.line),
        }
    }
    assert!(count > 10, "{count}");
}
