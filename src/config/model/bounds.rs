//! Numbers as conditions want them: `{ above: 1MiB }`, `{ at_least: 2, below: 10 }`, `[ 1, 2 ]`.

use serde_json::{Value, json};

use crate::config::record::{Schemas, wrong_type};
use crate::text::diagnostic::{Diagnostic, Diagnostics, Span, did_you_mean};
use crate::text::units::{NumberSet, byte_size};
use crate::text::yaml::{Kind, Node};

/// Whole numbers that a condition holds for.
#[derive(Clone, Debug)]
pub struct Bounds {
    /// Where they stand.
    pub span: Span,
    /// The numbers.
    pub set: NumberSet,
    /// The same in words: `above 1MiB`.
    pub written: String,
}

/// What can be asked of a number, with what it means.
const MATCHERS: [(&str, &str); 7] = [
    ("above", "Greater than this."),
    ("below", "Less than this."),
    ("at_least", "Not less than this."),
    ("at_most", "Not greater than this."),
    ("not", "None of these: a number, a list, or a mapping like this one."),
    ("any", "One of these."),
    ("all", "All of these."),
];

impl Bounds {
    /// Reads them; `what` is what they are of, for messages. Sizes have units.
    pub fn read(node: &Node, what: &str, is_size: bool, diags: &mut Diagnostics) -> Option<Bounds> {
        let reader = Reader { what, is_size };
        let (set, written) = reader.read(node, diags)?;
        if set.is_empty() {
            let diagnostic = Diagnostic::warning("never-holds", format!("no `{what}` is {written}"));
            diags.push(diagnostic.at(node.span).label("never holds"));
        } else if is_size && node.as_map().is_none() && node.as_list().is_none() {
            let message = format!("this holds for requests of exactly {written} only");
            let diagnostic = Diagnostic::warning("exact-size", message).at(node.span).label("to the byte");
            diags.push(
                diagnostic
                    .help(format!("write `{what}: {{ above: {written} }}` or `{{ at_most: {written} }}`")),
            );
        }
        Some(Bounds { span: node.span, set, written })
    }
}

struct Reader<'w> {
    what: &'w str,
    is_size: bool,
}

impl Reader<'_> {
    fn read(&self, node: &Node, diags: &mut Diagnostics) -> Option<(NumberSet, String)> {
        match &node.kind {
            Kind::Map(entries) => {
                let parts: Vec<_> = entries
                    .iter()
                    .map(|(key, value)| self.matcher(&key.text, key.span, value, diags))
                    .collect();
                let parts = parts.into_iter().collect::<Option<Vec<_>>>()?;
                Some(joined(parts, NumberSet::all(), NumberSet::and, " and "))
            }
            Kind::List(_) => {
                Some(joined(self.list(node, diags)?, NumberSet::default(), NumberSet::or, " or "))
            }
            _ => self.number(node, diags).map(|(number, written)| (NumberSet::only(number), written)),
        }
    }

    fn list(&self, node: &Node, diags: &mut Diagnostics) -> Option<Vec<(NumberSet, String)>> {
        let Some(items) = node.as_list() else {
            wrong_type(node, "a list is wanted here", diags);
            return None;
        };
        let items: Vec<_> = items.iter().map(|item| self.read(item, diags)).collect();
        items.into_iter().collect()
    }

    fn matcher(
        &self,
        name: &str,
        at: Span,
        value: &Node,
        diags: &mut Diagnostics,
    ) -> Option<(NumberSet, String)> {
        let compared = |set: fn(u64) -> NumberSet, diags: &mut Diagnostics| {
            let (number, written) = self.number(value, diags)?;
            Some((set(number), format!("{} {written}", name.replace('_', " "))))
        };
        match name {
            "above" => compared(NumberSet::above, diags),
            "below" => compared(NumberSet::below, diags),
            "at_least" => compared(|least| NumberSet::below(least).not(), diags),
            "at_most" => compared(|most| NumberSet::above(most).not(), diags),
            "not" => self.read(value, diags).map(|(set, written)| (set.not(), format!("not {written}"))),
            "any" => Some(joined(self.list(value, diags)?, NumberSet::default(), NumberSet::or, " or ")),
            "all" => Some(joined(self.list(value, diags)?, NumberSet::all(), NumberSet::and, " and ")),
            _ => {
                let names = MATCHERS.map(|(name, _)| name);
                let message = format!("a number has no matcher `{name}`");
                let diagnostic =
                    Diagnostic::error("unknown-matcher", message).at(at).label("unknown matcher");
                diags.push(match did_you_mean(name, names) {
                    Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
                    None => diagnostic.help(format!("the matchers of a number are {}", names.join(", "))),
                });
                None
            }
        }
    }

    /// One number, and how it is written.
    fn number(&self, node: &Node, diags: &mut Diagnostics) -> Option<(u64, String)> {
        let wanted = match self.is_size {
            true => "a size in bytes is wanted here",
            false => "a whole number is wanted here",
        };
        let (Kind::String(text) | Kind::Number(text)) = &node.kind else {
            wrong_type(node, wanted, diags);
            return None;
        };
        let read = match self.is_size {
            true => byte_size(text),
            false => text.parse().map_err(|_| "not a whole number".to_owned()),
        };
        match read {
            Ok(number) => Some((number, text.clone())),
            Err(reason) => {
                let (code, example) = match self.is_size {
                    true => ("bad-size", "{ above: 1MiB }"),
                    false => ("bad-number", "{ above: 100000 }"),
                };
                let help = format!("write for example `{}: {example}`", self.what);
                diags.push(Diagnostic::error(code, wanted).at(node.span).label(reason).help(help));
                None
            }
        }
    }
}

/// Several as one.
fn joined(
    parts: Vec<(NumberSet, String)>,
    first: NumberSet,
    join: fn(NumberSet, NumberSet) -> NumberSet,
    word: &str,
) -> (NumberSet, String) {
    let written: Vec<&str> = parts.iter().map(|(_, written)| written.as_str()).collect();
    let written = if written.is_empty() { "one of none".to_owned() } else { written.join(word) };
    (parts.into_iter().map(|(set, _)| set).fold(first, join), written)
}

/// The schema of bounds.
pub fn schema(schemas: &mut Schemas) -> Value {
    let scalar = json!({ "type": ["integer", "string"] });
    let bounds = schemas.define("Bounds", |_| {
        let mut properties = serde_json::Map::new();
        for (name, doc) in MATCHERS {
            let mut schema = match name {
                "any" | "all" => json!({ "type": "array", "items": {} }),
                "not" => json!({}),
                _ => scalar.clone(),
            };
            if let Value::Object(members) = &mut schema {
                members.insert("description".into(), doc.into());
            }
            properties.insert(name.to_owned(), schema);
        }
        json!({ "type": "object", "description": "What a number is compared with; all of it must hold.",
                "properties": properties, "additionalProperties": false })
    });
    json!({ "anyOf": [scalar, bounds, { "type": "array", "items": { "anyOf": [scalar, bounds] } }] })
}
