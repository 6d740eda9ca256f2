//! A YAML document as a tree in which every key and value knows its place.

use super::shared::Shared;
use crate::text::diagnostic::Span;
use crate::text::json::write_str;

/// A value of a YAML document.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// Where it stands. What came through an alias stands where it was written, not where it was used.
    pub span: Span,
    /// What it is.
    pub kind: Kind,
}

/// What a [`Node`] is.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    /// `null`, `~`, or nothing at all.
    Null,
    /// `true` or `false`, and no other word.
    Bool(bool),
    /// A number, as it was written when JSON can read it so: `1.50` stays `1.50`.
    Number(String),
    /// A text, quoted or not.
    String(String),
    /// A list.
    List(Shared<Node>),
    /// A mapping, in the order of the file, without duplicate keys.
    Map(Shared<(Key, Node)>),
}

/// A key of a mapping. `404:` and `"404":` are the same key.
#[derive(Clone, Debug, PartialEq)]
pub struct Key {
    /// The key.
    pub text: String,
    /// Where it stands.
    pub span: Span,
}

impl Node {
    /// The text, if this is one.
    pub fn as_str(&self) -> Option<&str> {
        match &self.kind {
            Kind::String(text) => Some(text),
            _ => None,
        }
    }

    /// The entries, if this is a mapping.
    pub fn as_map(&self) -> Option<&[(Key, Node)]> {
        match &self.kind {
            Kind::Map(entries) => Some(entries),
            _ => None,
        }
    }

    /// The items, if this is a list.
    pub fn as_list(&self) -> Option<&[Node]> {
        match &self.kind {
            Kind::List(items) => Some(items),
            _ => None,
        }
    }

    /// The value of a key, if this is a mapping that has it.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entry(key).map(|(_, value)| value)
    }

    /// A key itself, for its place.
    pub fn key(&self, key: &str) -> Option<&Key> {
        self.entry(key).map(|(key, _)| key)
    }

    fn entry(&self, key: &str) -> Option<&(Key, Node)> {
        self.as_map()?.iter().find(|(at, _)| at.text == key)
    }

    /// Whether this is `null`.
    pub fn is_null(&self) -> bool {
        self.kind == Kind::Null
    }

    /// What this is, in words that fit after "expected …, found".
    pub fn type_name(&self) -> &'static str {
        match self.kind {
            Kind::Null => "null",
            Kind::Bool(_) => "true or false",
            Kind::Number(_) => "a number",
            Kind::String(_) => "a string",
            Kind::List(_) => "a list",
            Kind::Map(_) => "a mapping",
        }
    }

    /// Writes the value as compact JSON, keys in order, numbers as they were written.
    pub fn to_json_bytes(&self, out: &mut Vec<u8>) {
        match &self.kind {
            Kind::Null => out.extend_from_slice(b"null"),
            Kind::Bool(true) => out.extend_from_slice(b"true"),
            Kind::Bool(false) => out.extend_from_slice(b"false"),
            Kind::Number(text) => out.extend_from_slice(text.as_bytes()),
            Kind::String(text) => write_str(out, text),
            Kind::List(items) => {
                out.push(b'[');
                for (at, item) in items.iter().enumerate() {
                    if at > 0 {
                        out.push(b',');
                    }
                    item.to_json_bytes(out);
                }
                out.push(b']');
            }
            Kind::Map(entries) => {
                out.push(b'{');
                for (at, (key, value)) in entries.iter().enumerate() {
                    if at > 0 {
                        out.push(b',');
                    }
                    write_str(out, &key.text);
                    out.push(b':');
                    value.to_json_bytes(out);
                }
                out.push(b'}');
            }
        }
    }
}
