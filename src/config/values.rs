//! The values that records are made of: scalars, lists, tables, places, and units read from text.

use std::ops::Deref;
use std::time::Duration;

use regex::Regex;
use serde_json::{Value, json};

use super::record::{FromNode, Schemas, wrong_type};
use crate::text::diagnostic::{Diagnostic, Diagnostics, Span, did_you_mean};
use crate::text::units::{self, Glob, StatusSet};
use crate::text::yaml::{Key, Kind, Node};

/// A value and the place where it stands in the file.
#[derive(Clone, Debug, PartialEq)]
pub struct Spanned<T> {
    /// The value.
    pub value: T,
    /// Where it stands.
    pub span: Span,
}

impl<T> Deref for Spanned<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T: FromNode> FromNode for Spanned<T> {
    fn from_node(node: &Node, diags: &mut Diagnostics) -> Option<Self> {
        T::from_node(node, diags).map(|value| Spanned { value, span: node.span })
    }

    fn absent(at: Span) -> Option<Self> {
        T::absent(at).map(|value| Spanned { value, span: at })
    }

    fn schema(schemas: &mut Schemas) -> Value {
        T::schema(schemas)
    }
}

/// A template, condition or patch: kept as it stands, compiled when the engine is built.
impl FromNode for Node {
    const KEEPS_NULL: bool = true;

    fn from_node(node: &Node, _: &mut Diagnostics) -> Option<Self> {
        Some(node.clone())
    }

    fn schema(schemas: &mut Schemas) -> Value {
        schemas.define(
            "Template",
            |_| json!({ "description": "A value of the mapping language: YAML with holes and directives." }),
        )
    }
}

impl<T: FromNode> FromNode for Option<T> {
    const KEEPS_NULL: bool = T::KEEPS_NULL;

    fn from_node(node: &Node, diags: &mut Diagnostics) -> Option<Self> {
        T::from_node(node, diags).map(Some)
    }

    fn absent(_: Span) -> Option<Self> {
        Some(None)
    }

    fn schema(schemas: &mut Schemas) -> Value {
        T::schema(schemas)
    }
}

/// A list. Items that are wrong are reported and left out.
impl<T: FromNode> FromNode for Vec<T> {
    fn from_node(node: &Node, diags: &mut Diagnostics) -> Option<Self> {
        let Some(items) = node.as_list() else {
            wrong_type(node, "a list is wanted here", diags);
            return None;
        };
        Some(items.iter().filter_map(|item| T::from_node(item, diags)).collect())
    }

    fn absent(_: Span) -> Option<Self> {
        Some(Vec::new())
    }

    fn schema(schemas: &mut Schemas) -> Value {
        json!({ "type": "array", "items": T::schema(schemas) })
    }
}

/// One value, or a list of them: `speaks: x` and `speaks: [x, y]`.
#[derive(Clone, Debug)]
pub struct Several<T>(pub Vec<T>);

impl<T> Deref for Several<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.0
    }
}

impl<T: FromNode> FromNode for Several<T> {
    fn from_node(node: &Node, diags: &mut Diagnostics) -> Option<Self> {
        match node.as_list() {
            Some(_) => Vec::from_node(node, diags).map(Several),
            None => T::from_node(node, diags).map(|value| Several(vec![value])),
        }
    }

    fn schema(schemas: &mut Schemas) -> Value {
        let one = T::schema(schemas);
        json!({ "anyOf": [one, { "type": "array", "items": one }] })
    }
}

/// A mapping from names that the author chooses, in the order of the file.
#[derive(Clone, Debug)]
pub struct Table<T> {
    entries: Vec<(Key, T)>,
    /// Names whose value is wrong (and reported): nobody should call them unknown as well.
    broken: Vec<Key>,
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Table { entries: Vec::new(), broken: Vec::new() }
    }
}

impl<T> Table<T> {
    /// The value of `name`.
    pub fn get(&self, name: &str) -> Option<&T> {
        self.iter().find(|(key, _)| key.text == name).map(|(_, value)| value)
    }

    /// The name as it stands in the file, with its place.
    pub fn key(&self, name: &str) -> Option<&Key> {
        self.names().find(|key| key.text == name)
    }

    /// Names and values, in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&Key, &T)> {
        self.entries.iter().map(|(key, value)| (key, value))
    }

    /// All names, also those whose value is wrong.
    pub fn names(&self) -> impl Iterator<Item = &Key> {
        self.entries.iter().map(|(key, _)| key).chain(&self.broken)
    }

    /// How many values there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Adds a value at the end.
    pub fn push(&mut self, key: Key, value: T) {
        self.entries.push((key, value));
    }

    /// Puts the entries in the order that `rank` gives; equal ranks keep the order of the file.
    pub fn sort_by_rank<R: Ord>(&mut self, rank: impl Fn(&T) -> R) {
        self.entries.sort_by_key(|(_, value)| rank(value));
    }

    /// Adds the entries of another file; a name that is there already is an error.
    pub fn append(&mut self, other: Table<T>, what: &str, diags: &mut Diagnostics) {
        for (key, value) in other.entries {
            if let Some(first) = self.key(&key.text) {
                let message = format!("{what} `{}` is defined twice", key.text);
                let diagnostic = Diagnostic::error("defined-twice", message);
                diags.push(diagnostic.at(key.span).label("again here").note(first.span, "first here"));
            } else {
                self.entries.push((key, value));
            }
        }
        self.broken.extend(other.broken);
    }
}

impl<T: FromNode> FromNode for Table<T> {
    fn from_node(node: &Node, diags: &mut Diagnostics) -> Option<Self> {
        let Some(entries) = node.as_map() else {
            wrong_type(node, "a mapping is wanted here", diags);
            return None;
        };
        let mut table = Table::default();
        for (key, value) in entries {
            match T::from_node(value, diags) {
                Some(value) => table.entries.push((key.clone(), value)),
                None => table.broken.push(key.clone()),
            }
        }
        Some(table)
    }

    fn absent(_: Span) -> Option<Self> {
        Some(Table::default())
    }

    fn schema(schemas: &mut Schemas) -> Value {
        json!({ "type": "object", "additionalProperties": T::schema(schemas) })
    }
}

/// Lets a schema accept `${NAME}` where a number or the like is wanted.
pub fn or_variable(schema: Value) -> Value {
    json!({ "anyOf": [schema, { "type": "string", "pattern": "\\$\\{" }] })
}

impl FromNode for String {
    fn from_node(node: &Node, diags: &mut Diagnostics) -> Option<Self> {
        match &node.kind {
            Kind::String(text) => Some(text.clone()),
            _ => {
                wrong_type(node, "a string is wanted here", diags);
                None
            }
        }
    }

    fn schema(_: &mut Schemas) -> Value {
        json!({ "type": "string" })
    }
}

impl FromNode for bool {
    fn from_node(node: &Node, diags: &mut Diagnostics) -> Option<Self> {
        if let Kind::Bool(value) = node.kind {
            return Some(value);
        }
        let mut diagnostic = Diagnostic::error("wrong-type", "`true` or `false` is wanted here")
            .at(node.span)
            .label(format!("this is {}", node.type_name()));
        // People write `yes`; in YAML 1.2 that is a string.
        match node.as_str().map(str::to_ascii_lowercase).as_deref() {
            Some("yes" | "on" | "y") => diagnostic = diagnostic.help("write `true`"),
            Some("no" | "off" | "n") => diagnostic = diagnostic.help("write `false`"),
            _ => {}
        }
        diags.push(diagnostic);
        None
    }

    fn schema(_: &mut Schemas) -> Value {
        or_variable(json!({ "type": "boolean" }))
    }
}

/// Whole numbers, all in the same way.
macro_rules! whole_numbers {
    ($($ty:ty: $least:expr),*) => {$(
        impl FromNode for $ty {
            fn from_node(node: &Node, diags: &mut Diagnostics) -> Option<Self> {
                let Kind::Number(raw) = &node.kind else {
                    wrong_type(node, "a whole number is wanted here", diags);
                    return None;
                };
                let parsed = raw.parse::<$ty>().ok();
                if parsed.is_none() {
                    let message = format!("a whole number from {} to {} is wanted here", <$ty>::MIN, <$ty>::MAX);
                    diags.push(Diagnostic::error("wrong-number", message).at(node.span).label("not one"));
                }
                parsed
            }

            fn schema(_: &mut Schemas) -> Value {
                or_variable(json!({ "type": "integer", "minimum": $least }))
            }
        }
    )*};
}
whole_numbers!(u16: 0, u32: 0, u64: 0, i64: i64::MIN);

/// The text of a scalar that a unit is read from: `30s`, but also a bare `0`.
fn scalar_text<'n>(node: &'n Node, wanted: &str, diags: &mut Diagnostics) -> Option<&'n str> {
    match &node.kind {
        Kind::String(text) => Some(text),
        Kind::Number(raw) => Some(raw),
        _ => {
            wrong_type(node, wanted, diags);
            None
        }
    }
}

/// Reads a scalar by `parse`, whose error is a sentence for the reader.
fn parsed<T>(
    node: &Node,
    wanted: &str,
    code: &'static str,
    example: &str,
    parse: impl FnOnce(&str) -> Result<T, String>,
    diags: &mut Diagnostics,
) -> Option<T> {
    let text = scalar_text(node, wanted, diags)?;
    match parse(text) {
        Ok(value) => Some(value),
        Err(reason) => {
            diags.push(Diagnostic::error(code, wanted).at(node.span).label(reason).help(example));
            None
        }
    }
}

/// `500ms`, `30s`, `1h`, `1m30s`, `0`.
impl FromNode for Duration {
    fn from_node(node: &Node, diags: &mut Diagnostics) -> Option<Self> {
        let example = "write for example 500ms, 30s, 10m, 1h or 1m30s";
        parsed(node, "a duration is wanted here", "bad-duration", example, units::duration, diags)
    }

    fn schema(_: &mut Schemas) -> Value {
        json!({ "type": ["string", "integer"], "examples": ["500ms", "30s", "10m", "1h"] })
    }
}

/// A size in bytes: `1024`, `64KB`, `32MiB`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ByteSize(pub u64);

impl FromNode for ByteSize {
    fn from_node(node: &Node, diags: &mut Diagnostics) -> Option<Self> {
        let example = "write for example 64KiB or 32MiB";
        let read = |text: &str| units::byte_size(text).map(ByteSize);
        parsed(node, "a size in bytes is wanted here", "bad-size", example, read, diags)
    }

    fn schema(_: &mut Schemas) -> Value {
        json!({ "type": ["string", "integer"], "examples": ["64KiB", "32MiB"] })
    }
}

/// `429`, `5xx`, `"500-599"`, or a list of such.
impl FromNode for StatusSet {
    fn from_node(node: &Node, diags: &mut Diagnostics) -> Option<Self> {
        if node.as_list().is_some() {
            let all: Vec<StatusSet> = Vec::from_node(node, diags)?;
            return all.into_iter().reduce(StatusSet::or);
        }
        let example = "write a status such as 429, a class such as 5xx or a range such as 500-504";
        parsed(node, "a status is wanted here", "bad-status", example, StatusSet::parse, diags)
    }

    fn schema(_: &mut Schemas) -> Value {
        let one = json!({ "type": ["integer", "string"], "examples": [429, "5xx", "500-504"] });
        json!({ "anyOf": [one, { "type": "array", "items": one }] })
    }
}

/// A name with `*` and `?`, or a regex between slashes.
impl FromNode for Glob {
    fn from_node(node: &Node, diags: &mut Diagnostics) -> Option<Self> {
        let example = "write a name, a pattern such as \"name-*\", or a regex between slashes";
        parsed(node, "a name or a pattern is wanted here", "bad-pattern", example, Glob::parse, diags)
    }

    fn schema(_: &mut Schemas) -> Value {
        json!({ "type": "string" })
    }
}

/// A regular expression over text.
#[derive(Clone, Debug)]
pub struct Pattern {
    /// Compiled.
    pub regex: Regex,
    /// Where it stands.
    pub span: Span,
}

impl FromNode for Pattern {
    fn from_node(node: &Node, diags: &mut Diagnostics) -> Option<Self> {
        let Some(text) = node.as_str() else {
            wrong_type(node, "a regular expression is wanted here", diags);
            return None;
        };
        match Regex::new(text) {
            Ok(regex) => Some(Pattern { regex, span: node.span }),
            Err(error) => {
                let diagnostic = Diagnostic::error("bad-regex", "this is not a regular expression");
                diags.push(diagnostic.at(node.span).label(regex_reason(&error)));
                None
            }
        }
    }

    fn schema(_: &mut Schemas) -> Value {
        json!({ "type": "string", "format": "regex" })
    }
}

/// The one sentence in a regex error, which is otherwise a drawing of several lines.
pub fn regex_reason(error: &regex::Error) -> String {
    let text = error.to_string();
    text.lines().last().unwrap_or(&text).trim_start_matches("error: ").trim().to_string()
}

/// A reference to a name that does not exist, with what may have been meant.
pub fn unknown_name<'a>(
    what: &str,
    name: &Spanned<String>,
    known: impl IntoIterator<Item = &'a str>,
) -> Diagnostic {
    let known: Vec<&str> = known.into_iter().collect();
    let diagnostic = Diagnostic::error("unknown-name", format!("there is no {what} `{}`", name.value))
        .at(name.span)
        .label(format!("no such {what}"));
    match did_you_mean(&name.value, known.iter().copied()) {
        Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
        None if known.is_empty() => diagnostic,
        None => diagnostic.help(format!("there are: {}", known.join(", "))),
    }
}
