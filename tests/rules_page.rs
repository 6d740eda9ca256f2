//! docs/rules.md names every word of rules.yaml: its tables are made from the declarations that the program reads by.

use std::collections::BTreeSet;
use std::fmt::Write;

use rulegate::config::schema;
use rulegate::engine::failure::FailureKind;
use rulegate::engine::names;
use serde_json::Value;

use crate::support::Document;

/// Definitions that belong to the mapping language, which has a page of its own.
const ELSEWHERE: [&str; 5] = ["Condition", "Edit", "Matcher", "Patch", "Template"];

fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

/// What may be written for a key, in a few words.
fn kind(schema: &Value) -> String {
    let list = |items: &Value| items.as_array().into_iter().flatten().map(kind).collect::<Vec<_>>();
    if let Some(name) = schema["$ref"].as_str() {
        let name = name.rsplit('/').next().unwrap_or_default();
        return match name {
            "Template" => "value".to_owned(),
            "Condition" => "condition".to_owned(),
            "Patch" => "patch".to_owned(),
            name => format!("[{name}](#{})", name.to_lowercase()),
        };
    }
    if let Some(words) = schema["enum"].as_array() {
        return words
            .iter()
            .map(|word| format!("`{}`", word.as_str().unwrap_or_default()))
            .collect::<Vec<_>>()
            .join(", ");
    }
    if let Some(word) = schema["const"].as_str() {
        return format!("`{word}`");
    }
    if schema["anyOf"].is_array() {
        let mut kinds = list(&schema["anyOf"]);
        kinds.dedup();
        return kinds.join(" or ");
    }
    match &schema["type"] {
        Value::String(name) if name == "array" => format!("list of {}", kind(&schema["items"])),
        Value::String(name) if name == "object" => {
            format!("by name: {}", kind(&schema["additionalProperties"]))
        }
        Value::String(name) if name == "boolean" => "`true` or `false`".to_owned(),
        Value::String(name) => name.replace("string", "text").replace("integer", "number"),
        Value::Array(_) => "length, size or number".to_owned(),
        _ => "value".to_owned(),
    }
}

fn table(name: &str, definition: &Value) -> String {
    let mut out = format!("\n<a id=\"{}\"></a>\n", name.to_lowercase());
    let required: Vec<&str> =
        definition["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    writeln!(
        out,
        "\n{}\n\n| key | | |\n| --- | --- | --- |",
        definition["description"].as_str().unwrap_or_default()
    )
    .unwrap();
    let properties = match &definition["properties"] {
        Value::Object(properties) => properties,
        _ => definition["anyOf"]
            .as_array()
            .and_then(|all| all.iter().find_map(|it| it["properties"].as_object()))
            .unwrap(),
    };
    for (key, property) in properties {
        let doc = property["description"].as_str().unwrap_or_default();
        let needed = if required.contains(&key.as_str()) { " Needed." } else { "" };
        let default = match &property["default"] {
            Value::Null => String::new(),
            Value::String(text) => format!(" Default `{text}`."),
            value => format!(" Default `{value}`."),
        };
        writeln!(out, "| `{key}` | {} | {}{needed}{default} |", cell(&kind(property)), cell(doc)).unwrap();
    }
    out.push('\n');
    out
}

fn failures() -> String {
    let mut out = "\n| `failure:` | what happened | if no rule fires |\n| --- | --- | --- |\n".to_owned();
    for kind in FailureKind::ALL {
        let usual = if kind.is_next_by_default() { "next" } else { "return" };
        writeln!(out, "| `{}` | {} | {usual} |", kind.name(), kind.doc()).unwrap();
    }
    out.push('\n');
    out
}

fn seen() -> String {
    let mut out = "\n| place | `$` and |\n| --- | --- |\n".to_owned();
    for (place, names) in names::PLACES.iter().filter(|(place, _)| !place.contains("a protocol")) {
        let names: Vec<String> = names
            .iter()
            .map(|name| name.text())
            .filter(|name| !name.is_empty())
            .map(|name| format!("`${name}`"))
            .collect();
        writeln!(out, "| {place} | {} |", names.join(" ")).unwrap();
    }
    out.push('\n');
    out
}

#[test]
fn the_page_of_rules_names_every_word() {
    let documents = schema::documents();
    let schema = &documents.iter().find(|document| document.file == "rules.schema.json").unwrap().schema;
    let definitions = schema["$defs"].as_object().unwrap();
    let page = Document::open("docs/rules.md");
    let mut parts = vec![(page.part("failures"), failures()), (page.part("names"), seen())];
    let mut missing = BTreeSet::new();
    for (name, definition) in definitions.iter().filter(|(name, _)| !ELSEWHERE.contains(&name.as_str())) {
        if page.text.contains(&format!("<!-- begin {name} -->")) {
            parts.push((page.part(name), table(name, definition)));
        } else {
            missing.insert(name);
        }
    }
    assert!(missing.is_empty(), "docs/rules.md has no part for {missing:?}");
    page.expect(parts);
}
