//! The mapping language as JSON Schema, made from the language's own tables of words.

use serde_json::{Map, Value, json};

use crate::language::directives;
use crate::language::matchers::{MATCHERS, STATES};
use crate::language::words::{BARE_STEPS, BLOCKS, CONDITIONS, EDITS, PROGRAM, STEPS, Word};

/// Where something more particular than a template stands: definition, key, and what it is.
const PLACES: &[(&str, &str, &str)] = &[
    ("Mapping", "stream", "Program"),
    ("Protocol", "whole", "Condition"),
    ("StreamShape", "content", "Condition"),
    ("StreamShape", "end", "Condition"),
    ("StreamShape", "error", "Condition"),
    ("Resumption", "when", "Condition"),
    ("Resumption", "request", "Patch"),
    ("Resumption", "stream", "Program"),
    ("Probe", "recovered_when", "Condition"),
    ("Provider", "patch", "Patch"),
    ("ProviderPart", "patch", "Patch"),
    ("RepairParts", "patch", "Patch"),
];

fn to(name: &str) -> Value {
    json!({ "$ref": format!("#/$defs/{name}") })
}

/// Puts the language's definitions beside those of the files, and points to them.
pub fn complete(definitions: &mut Map<String, Value>) {
    for (definition, key, shape) in PLACES {
        if let Some(property) =
            definitions.get_mut(*definition).and_then(|it| it.pointer_mut(&format!("/properties/{key}")))
        {
            point(property, to(shape));
        }
    }
    if let Some(facts) = definitions.get_mut("When").and_then(|it| it.pointer_mut("/anyOf/2")) {
        if let Some(paths) = facts.pointer_mut("/patternProperties") {
            *paths = json!({ "^\\$": to("Matcher") });
        }
        for (name, shape) in
            [("header", json!({ "additionalProperties": to("Matcher") })), ("attempt", to("Matcher"))]
        {
            if let Some(fact) = facts.pointer_mut(&format!("/properties/{name}")) {
                point(fact, shape);
            }
        }
    }
    for (name, make) in [
        ("Template", template as fn() -> Value),
        ("Condition", condition),
        ("Matcher", matcher),
        ("Patch", patch),
        ("Program", program),
    ] {
        definitions.insert(name.to_string(), make());
    }
    let words = |table, special: &[(&str, Value)]| object(table, special);
    definitions.insert("Edit".into(), words(EDITS, &[("when", to("Condition")), ("patch", to("Patch"))]));
    let steps = [
        ("when", to("Condition")),
        ("else", to("Steps")),
        ("steps", to("Steps")),
        ("as", json!({ "type": "string" })),
        ("add", json!({ "type": "object" })),
        ("let", json!({ "type": "object" })),
        ("set", json!({ "type": "object" })),
    ];
    definitions.insert("Step".into(), words(STEPS, &steps));
    let one = json!({ "anyOf": [{ "enum": BARE_STEPS }, to("Step")] });
    let several = json!({ "type": "array", "items": one });
    definitions.insert("Steps".into(), json!({ "anyOf": [{ "enum": BARE_STEPS }, to("Step"), several] }));
    let block =
        [("ready", to("Condition")), ("whole", to("Matcher")), ("keyed", json!({ "type": "boolean" }))];
    definitions.insert("Block".into(), words(BLOCKS, &block));
}

/// Replaces what a property points to; what is said about it stays.
fn point(property: &mut Value, shape: Value) {
    let description = property.get("description").cloned();
    *property = shape;
    if let (Value::Object(members), Some(description)) = (property, description) {
        members.insert("description".into(), description);
    }
}

/// A mapping that has the words of a table and no others; what is not `special` is a template.
fn object(table: &[Word], special: &[(&str, Value)]) -> Value {
    let mut properties = Map::new();
    for word in table {
        let shape = special.iter().find(|(name, _)| *name == word.name);
        let mut shape = shape.map_or_else(|| to("Template"), |(_, shape)| shape.clone());
        if let Value::Object(members) = &mut shape {
            members.insert("description".into(), Value::from(word.doc));
        }
        properties.insert(word.name.to_string(), shape);
    }
    json!({ "type": "object", "properties": properties, "additionalProperties": false })
}

/// What editors can know of templates: the directives, with their companions. All else is open, since plain
/// JSON may stand wherever a template may.
fn template() -> Value {
    let (mut properties, mut dependent) = (Map::new(), Map::new());
    for directive in directives::all() {
        for companion in directive.needs.iter().chain(directive.takes) {
            properties.entry(*companion).or_insert_with(|| to("Template"));
        }
    }
    for directive in directives::all() {
        let described = json!({ "description": directive.doc, "$ref": "#/$defs/Template" });
        properties.insert(directive.name.to_string(), described);
        let companions = directive.needs.iter().chain(directive.takes);
        let names: Vec<&str> = std::iter::once(&directive.name).chain(companions).copied().collect();
        let rule = json!({ "required": directive.needs, "propertyNames": { "enum": names } });
        dependent.insert(directive.name.to_string(), rule);
    }
    json!({
        "description": "A value of the mapping language: YAML with holes and directives.",
        "properties": properties,
        "dependentSchemas": dependent,
        "additionalProperties": to("Template"),
        "items": to("Template"),
    })
}

fn condition() -> Value {
    let several = json!({ "type": "array", "items": to("Condition") });
    let special = [("any", several.clone()), ("all", several), ("not", to("Condition"))];
    let mut mapping = object(CONDITIONS, &special);
    if let Value::Object(members) = &mut mapping {
        members.insert("patternProperties".into(), json!({ "^\\$": to("Matcher") }));
    }
    json!({
        "description": "A condition: a path that must be something, or paths with matchers; all must hold.",
        "anyOf": [{ "type": "boolean" }, { "type": "string", "pattern": "^\\$" }, mapping],
    })
}

fn matcher() -> Value {
    let states: Vec<Value> =
        STATES.iter().map(|(name, _, doc)| json!({ "const": name, "description": doc })).collect();
    let state = json!({ "anyOf": states });
    let mut properties = Map::new();
    for entry in MATCHERS {
        let mut shape = match entry.name {
            "is" => json!({ "anyOf": [state, { "type": "array", "items": state }] }),
            "not" | "length" => to("Matcher"),
            "any" | "all" => json!({ "type": "array", "items": to("Matcher") }),
            _ => json!({}),
        };
        if let Value::Object(members) = &mut shape {
            members.insert("description".into(), Value::from(entry.doc));
        }
        properties.insert(entry.name.to_string(), shape);
    }
    json!({
        "description": "What a value must be: a scalar it equals, a list of such, or matchers that all hold.",
        "anyOf": [
            { "type": ["string", "number", "boolean", "null"] },
            { "type": "array" },
            { "type": "object", "properties": properties, "additionalProperties": false },
        ],
    })
}

fn patch() -> Value {
    let edits = json!({ "type": "array", "items": to("Edit") });
    json!({
        "description": "Edits at paths of a document; every other byte stays.",
        "anyOf": [edits, { "type": "object", "properties": { "patch": edits }, "required": ["patch"], "additionalProperties": false }],
    })
}

fn program() -> Value {
    let steps: Vec<(&str, Value)> = PROGRAM
        .iter()
        .map(|word| {
            let shape = match word.name {
                "state" => json!({ "type": "object" }),
                "blocks" => json!({ "type": "object", "additionalProperties": to("Block") }),
                _ => to("Steps"),
            };
            (word.name, shape)
        })
        .collect();
    object(PROGRAM, &steps)
}
