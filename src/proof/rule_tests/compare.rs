//! Compares JSON with what the rules expect: by value, and saying where the two part.

use super::Wrong;
use crate::text::json::{Doc, Json, JsonKind};
use crate::text::yaml::{Kind, Node};

/// Stands for any value.
const ANY: &str = "$any";
/// How many characters of a value are shown.
const SHOWN: usize = 120;

/// Adds what is different. `path` says where `got` stands, for people. Objects may have their keys in any order,
/// but no others than expected; numbers are compared by size; `$any` is anything that is there.
pub fn value(expected: &Node, got: Json<'_>, path: &str, wrong: &mut Vec<Wrong>) {
    match &expected.kind {
        Kind::String(text) if text == ANY => {}
        Kind::Map(entries) if got.kind() == JsonKind::Object => {
            for (key, node) in entries {
                let path = format!("{path}.{}", key.text);
                match got.get(&key.text) {
                    Some(member) => value(node, member, &path, wrong),
                    None => {
                        wrong.push(Wrong::new(key.span, format!("expected {path}, which is not there")));
                    }
                }
            }
            for (key, member) in got.entries() {
                if expected.get(&key).is_none() {
                    let message = format!("{path}.{key} is not expected, and is {}", shown(member));
                    wrong.push(Wrong::new(crate::config::record::head_span(expected), message));
                }
            }
        }
        Kind::List(items) if got.kind() == JsonKind::Array => list(expected, items, got, path, wrong),
        _ if is_same(expected, got) => {}
        _ => {
            let message = format!("expected {path} to be {}, it is {}", wanted(expected), shown(got));
            wrong.push(Wrong::new(expected.span, message));
        }
    }
}

fn list(expected: &Node, items: &[Node], got: Json<'_>, path: &str, wrong: &mut Vec<Wrong>) {
    for (at, (node, item)) in items.iter().zip(got.items()).enumerate() {
        value(node, item, &format!("{path}[{at}]"), wrong);
    }
    if let Some(missing) = items.get(got.len()) {
        let message = format!("expected {} items in {path}, there are {}", items.len(), got.len());
        wrong.push(Wrong::new(missing.span, message));
    } else if let Some(more) = got.items().nth(items.len()) {
        let message =
            format!("expected {} items in {path}, there are {}: {}", items.len(), got.len(), shown(more));
        wrong.push(Wrong::new(items.last().unwrap_or(expected).span, message));
    }
}

fn is_same(expected: &Node, got: Json<'_>) -> bool {
    match &expected.kind {
        Kind::Null => got.is_null(),
        Kind::Bool(value) => got.bool() == Some(*value),
        Kind::String(text) => got.is_str(text),
        Kind::Number(raw) => Doc::parse(raw.clone().into_bytes()).is_ok_and(|doc| doc.root() == got),
        Kind::List(_) | Kind::Map(_) => false,
    }
}

/// The expected value as people read it.
pub fn wanted(node: &Node) -> String {
    let mut out = Vec::new();
    node.to_json_bytes(&mut out);
    cut(&String::from_utf8_lossy(&out))
}

/// A value as people read it: JSON, and not too much of it.
pub fn shown(value: Json<'_>) -> String {
    cut(value.raw())
}

/// The beginning of a text.
pub fn cut(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        Some((at, _)) => format!("{}…", text.get(..at).unwrap_or_default()),
        None => text.to_owned(),
    }
}
