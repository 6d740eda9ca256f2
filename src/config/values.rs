//! The values that records are made of: scalars, lists, tables, places, and units read from text.

use std::ops::Deref;

use serde_json::{Value, json};

use super::record::{FromNode, Schemas, wrong_type, wrong_type_but};
use crate::text::diagnostic::{Diagnostic, Diagnostics, Span, did_you_mean};
use crate::text::yaml::{Kind, Node};

mod table;
mod units;

pub use table::Table;
pub use units::{ByteSize, Pattern, Percent};

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

    fn written(&self) -> Option<Value> {
        self.value.written()
    }
}

/// A template, condition or patch: kept as it stands, compiled when the engine is built.
impl FromNode for Node {
    const KEEPS_NULL: bool = true;

    fn from_node(node: &Node, _: &mut Diagnostics) -> Option<Self> {
        Some(node.clone())
    }

    fn schema(schemas: &mut Schemas) -> Value {
        // The definition is made of the tables of the language, when all others are there.
        schemas.define("Template", |_| Value::Bool(true))
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
            let help = match node.as_map() {
                Some(_) => "write each item behind a dash: `- ...`; its name, if it has one, as `name: ...`",
                None => "write it as `[ ... ]`, or behind a dash on a line of its own",
            };
            wrong_type_but(node, "a list is wanted here", Some(help.to_owned()), diags);
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

/// Lets a schema accept `${NAME}` where a number or the like is wanted.
pub fn or_variable(schema: Value) -> Value {
    json!({ "anyOf": [schema, { "type": "string", "pattern": "\\$\\{" }] })
}

impl FromNode for String {
    fn from_node(node: &Node, diags: &mut Diagnostics) -> Option<Self> {
        match &node.kind {
            Kind::String(text) => Some(text.clone()),
            _ => {
                let is_taken_apart = node.as_map().is_some_and(|entries| entries.len() == 1);
                let help = is_taken_apart.then(|| "a text with `: ` in it needs quotes".to_owned());
                wrong_type_but(node, "a string is wanted here", help, diags);
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

    fn written(&self) -> Option<Value> {
        Some((*self).into())
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
                    let reason = match raw.parse::<i128>() {
                        Err(_) => "not a whole number",
                        Ok(number) if number < 0 && $least == 0 => "less than 0",
                        Ok(_) => "too large",
                    };
                    let diagnostic = Diagnostic::error("wrong-number", "a whole number is wanted here");
                    diags.push(diagnostic.at(node.span).label(reason));
                }
                parsed
            }

            fn schema(_: &mut Schemas) -> Value {
                or_variable(json!({ "type": "integer", "minimum": $least }))
            }

            fn written(&self) -> Option<Value> {
                Some((*self).into())
            }
        }
    )*};
}
whole_numbers!(u16: 0, u32: 0, u64: 0, i64: i64::MIN);

/// A reference to a name that does not exist, with what may have been meant.
pub fn unknown_name<'a>(
    what: &str,
    name: &Spanned<String>,
    known: impl IntoIterator<Item = &'a str>,
) -> Diagnostic {
    let mut known: Vec<&str> = known.into_iter().collect();
    let mut seen = std::collections::BTreeSet::new();
    known.retain(|name| seen.insert(*name));
    let diagnostic = Diagnostic::error("unknown-name", format!("there is no {what} `{}`", name.value))
        .at(name.span)
        .label(format!("no such {what}"));
    match did_you_mean(&name.value, known.iter().copied()) {
        Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
        None if known.is_empty() => diagnostic,
        None => diagnostic.help(format!("there are: {}", known.join(", "))),
    }
}
