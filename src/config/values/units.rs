//! Values read from a text by a notation of their own: durations, sizes, statuses, patterns.

use std::time::Duration;

use serde_json::{Value, json};

use crate::config::record::{FromNode, Schemas, wrong_type};
use crate::text::diagnostic::{Diagnostic, Diagnostics, Span};
use crate::text::pattern::{self, last_sentence, way_out};
use crate::text::units::{self, Glob, StatusSet};
use crate::text::yaml::{Kind, Node};

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
            diags.push(
                Diagnostic::error(code, wanted)
                    .at(node.span)
                    .label(last_sentence(&reason))
                    .help(way_out(&reason).unwrap_or(example)),
            );
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

    fn written(&self) -> Option<Value> {
        Some(units::duration_text(*self).into())
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

    fn written(&self) -> Option<Value> {
        let units = [(30, "GiB"), (20, "MiB"), (10, "KiB")];
        let whole = units.into_iter().find(|(bits, _)| self.0 > 0 && self.0.is_multiple_of(1 << bits));
        Some(whole.map_or_else(|| self.0.into(), |(bits, unit)| format!("{}{unit}", self.0 >> bits).into()))
    }
}

/// A share: `50%`, from 1 to 100.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Percent(pub u32);

impl FromNode for Percent {
    fn from_node(node: &Node, diags: &mut Diagnostics) -> Option<Self> {
        let read = |text: &str| {
            let number = text.strip_suffix('%').and_then(|number| number.trim().parse().ok());
            let share = number.filter(|number| (1..=100).contains(number)).map(Percent);
            share.ok_or_else(|| "not a share".to_owned())
        };
        parsed(node, "a share is wanted here", "bad-share", "write for example 50%", read, diags)
    }

    fn schema(_: &mut Schemas) -> Value {
        json!({ "type": "string", "pattern": "^([1-9][0-9]?|100) ?%$", "examples": ["50%"] })
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
    /// The pattern itself.
    pub pattern: pattern::Pattern,
    /// Where it stands.
    pub span: Span,
}

impl FromNode for Pattern {
    fn from_node(node: &Node, diags: &mut Diagnostics) -> Option<Self> {
        let Some(text) = node.as_str() else {
            wrong_type(node, "a regular expression is wanted here", diags);
            return None;
        };
        match pattern::Pattern::parse(text) {
            Ok(pattern) => Some(Pattern { pattern, span: node.span }),
            Err(error) => {
                let diagnostic = Diagnostic::error("bad-regex", "this is not a regular expression");
                let help = way_out(&error);
                let diagnostic = diagnostic.at(node.span).label(error);
                diags.push(match help {
                    Some(help) => diagnostic.help(help),
                    None => diagnostic,
                });
                None
            }
        }
    }

    fn schema(_: &mut Schemas) -> Value {
        json!({ "type": "string", "format": "regex" })
    }
}
