//! JSON Schemas of the files, for editors; made from the same declarations that read the files.

use serde_json::{Map, Value, json};

mod language;

use super::model::{Catalog, Mapping, Protocol, RulesFile};
use super::record::{FromNode, Schemas};

/// A schema and the name of its file in `schemas/`.
pub struct Document {
    /// The file's name.
    pub file: &'static str,
    /// The schema.
    pub schema: Value,
}

/// All schemas.
pub fn documents() -> Vec<Document> {
    vec![
        document::<RulesFile>("rules.schema.json", "rulegate: rules.yaml"),
        document::<Mapping>("mapping.schema.json", "rulegate: a mapping file"),
        document::<Protocol>("protocol.schema.json", "rulegate: a protocol file"),
        document::<Catalog>("catalog.schema.json", "rulegate: a catalogue file"),
    ]
}

fn document<T: FromNode>(file: &'static str, title: &str) -> Document {
    let mut schemas = Schemas::default();
    let root = T::schema(&mut schemas);
    let mut definitions = schemas.into_definitions();
    language::complete(&mut definitions);
    either_uses(&mut definitions);
    reachable(&root, &mut definitions);
    definitions.sort_keys();
    let mut schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": title,
    });
    if let (Value::Object(schema), Value::Object(root)) = (&mut schema, root) {
        schema.extend(root);
        schema.insert("$defs".into(), Value::Object(definitions));
    }
    Document { file, schema }
}

/// A provider that uses a catalogue file needs nothing else.
fn either_uses(definitions: &mut Map<String, Value>) {
    let Some(Value::Object(provider)) = definitions.get_mut("Provider") else { return };
    if let Some(required) = provider.remove("required") {
        provider.insert("anyOf".into(), json!([{ "required": ["uses"] }, { "required": required }]));
    }
}

/// Leaves out the definitions that nothing points to.
fn reachable(root: &Value, definitions: &mut Map<String, Value>) {
    let mut kept = Vec::new();
    let mut next = vec![root.clone()];
    while let Some(value) = next.pop() {
        match value {
            Value::Object(members) => {
                let named = members.get("$ref").and_then(Value::as_str);
                let named = named.and_then(|path| path.strip_prefix("#/$defs/"));
                if let Some(name) = named.filter(|name| !kept.iter().any(|known| known == name)) {
                    kept.push(name.to_string());
                    next.extend(definitions.get(name).cloned());
                }
                next.extend(members.into_iter().map(|(_, member)| member));
            }
            Value::Array(items) => next.extend(items),
            _ => {}
        }
    }
    definitions.retain(|name, _| kept.contains(name));
}

impl Document {
    /// The text of the file.
    pub fn text(&self) -> String {
        let mut text = serde_json::to_string_pretty(&self.schema).unwrap_or_default();
        text.push('\n');
        text
    }
}
