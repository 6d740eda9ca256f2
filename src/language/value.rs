//! Values while a template runs: nodes of the input, nodes of what was just produced, and scalars.

mod compare;
mod key;
mod made;
mod select;
mod table;
mod turns;
mod write;

use std::borrow::Cow;
use std::mem;
use std::sync::Arc;

use http::HeaderMap;

use crate::text::json::{Doc, Json, JsonKind};

pub use key::LookupKey;
pub use made::{Made, SHORT, made};
pub use table::Table;
pub use turns::Turns;

/// A number that a template computed. Numbers that are only passed on stay text.
#[derive(Clone, Copy, Debug)]
pub enum Num {
    /// A whole number.
    Int(i64),
    /// Anything else; never written when it is not finite.
    Float(f64),
}

impl Num {
    /// The number as a float.
    pub fn f64(self) -> f64 {
        match self {
            Num::Int(n) => n as f64,
            Num::Float(n) => n,
        }
    }
}

/// What a hole, a variable or a directive gives. Cheap to clone: text is borrowed or shared.
#[derive(Clone, Default)]
pub enum Val<'a> {
    /// No node was selected, or nothing was produced.
    #[default]
    Nothing,
    /// A node of a document that outlives the evaluation.
    Json(Json<'a>),
    /// A node of a document that a template produced.
    Own(Arc<Doc>, u32),
    /// A list or an object that a template produced, not looked into so far.
    Made(Arc<Made>),
    /// A string.
    Str(Cow<'a, str>),
    /// A string that is kept, and looked at many times.
    Kept(Arc<str>),
    /// A computed number.
    Num(Num),
    /// A computed truth value.
    Bool(bool),
    /// Several values: what a path with wildcards or filters selects.
    List(Arc<[Val<'a>]>),
    /// One list, which a template made, of values that stand elsewhere.
    Items(Arc<[Val<'a>]>),
    /// Values by key.
    Table(Arc<Table<'a>>),
    /// The headers of a request or an answer; `.name` selects one, whatever its case.
    Headers(&'a HeaderMap),
}

/// The type of a value, as the `is` matcher names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// Absent altogether.
    Nothing,
    /// JSON `null`.
    Null,
    /// `true` or `false`.
    Bool,
    /// A number.
    Number,
    /// A string.
    String,
    /// An array, or several selected nodes.
    List,
    /// An object.
    Object,
}

impl<'a> Val<'a> {
    /// A whole document as a value that owns it.
    pub fn own(doc: Doc) -> Val<'static> {
        Val::Own(Arc::new(doc), 0)
    }

    /// A borrowed string.
    pub fn str(text: &'a str) -> Val<'a> {
        Val::Str(Cow::Borrowed(text))
    }

    /// The node behind this value, where there is one.
    pub fn json(&self) -> Option<Json<'_>> {
        match self {
            Val::Json(node) => Some(*node),
            Val::Own(doc, index) => Some(doc.node(*index)),
            Val::Made(made) => Some(made.doc().root()),
            _ => None,
        }
    }

    /// The document that a template produced, and where in it this value stands.
    pub(super) fn document(&self) -> Option<(Arc<Doc>, u32)> {
        match self {
            Val::Own(doc, index) => Some((doc.clone(), *index)),
            Val::Made(made) => Some((made.doc().clone(), 0)),
            Val::Items(_) => self.clone().into_owned().document(),
            Val::Table(table) => Val::Items(table.values().into()).document(),
            _ => None,
        }
    }

    /// The type of this value.
    pub fn kind(&self) -> Type {
        match self {
            Val::Json(node) => type_of(*node),
            Val::Own(doc, index) => type_of(doc.node(*index)),
            Val::Made(made) => made.kind(),
            Val::Str(_) | Val::Kept(_) => Type::String,
            Val::Num(_) => Type::Number,
            Val::Bool(_) => Type::Bool,
            Val::List(_) | Val::Items(_) | Val::Table(_) => Type::List,
            Val::Headers(_) => Type::Object,
            Val::Nothing => Type::Nothing,
        }
    }

    /// Whether there is nothing to write: no node, or null.
    pub fn is_nothing(&self) -> bool {
        matches!(self.kind(), Type::Nothing | Type::Null)
    }

    /// Whether the value is empty: nothing, null, `""`, `[]` or `{}`.
    pub fn is_empty(&self) -> bool {
        match self {
            Val::Nothing => true,
            Val::Json(node) => is_empty_node(*node),
            Val::Own(doc, index) => is_empty_node(doc.node(*index)),
            Val::Made(made) => made.is_empty(),
            Val::Str(text) => text.is_empty(),
            Val::Kept(text) => text.is_empty(),
            Val::List(items) | Val::Items(items) => items.is_empty(),
            Val::Table(table) => table.values().is_empty(),
            Val::Headers(map) => map.is_empty(),
            _ => false,
        }
    }

    /// Whether a condition that is just this value holds: it is neither empty nor `false`. Zero is something.
    pub fn is_something(&self) -> bool {
        !self.is_empty() && self.as_bool() != Some(false)
    }

    /// The truth value, if it is one.
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Val::Bool(value) => Some(*value),
            Val::Made(_) => None,
            _ => self.json().and_then(|node| node.bool()),
        }
    }

    /// The string, without quotes and escapes, if it is one.
    pub fn as_str(&self) -> Option<Cow<'_, str>> {
        match self {
            Val::Str(text) => Some(Cow::Borrowed(text)),
            Val::Kept(text) => Some(Cow::Borrowed(text)),
            Val::Made(_) => None,
            _ => self.json().and_then(|node| node.str()),
        }
    }

    /// The number, if it is one.
    pub fn as_num(&self) -> Option<Num> {
        match self {
            Val::Num(number) => Some(*number),
            Val::Made(_) => None,
            _ => {
                let node = self.json()?;
                match node.i64() {
                    Some(n) => Some(Num::Int(n)),
                    None => node.f64().map(Num::Float),
                }
            }
        }
    }

    /// A scalar as text, the way a text with holes shows it: strings bare, numbers and truth values as JSON
    /// writes them, objects and lists as JSON. Nothing and null give `None`.
    pub fn to_text(&self) -> Option<Cow<'_, str>> {
        match self {
            Val::Nothing => None,
            Val::Str(text) => Some(Cow::Borrowed(text)),
            Val::Kept(text) => Some(Cow::Borrowed(text)),
            Val::Made(made) => Some(String::from_utf8_lossy(made.bytes())),
            Val::Json(_) | Val::Own(..) => {
                let node = self.json()?;
                match node.kind() {
                    JsonKind::Null => None,
                    JsonKind::String => node.str(),
                    _ => Some(Cow::Borrowed(node.raw())),
                }
            }
            _ => {
                let mut out = Vec::new();
                self.write(&mut out).then(|| Cow::Owned(String::from_utf8(out).unwrap_or_default()))
            }
        }
    }

    /// The same as a string; what has no text is nothing. A string stays as it is.
    pub fn into_text(self) -> Val<'a> {
        if self.kind() == Type::String {
            return self;
        }
        self.to_text().map_or(Val::Nothing, |text| Val::Str(text.into_owned().into()))
    }

    /// How long it is: characters of a string, items of a list, members of an object; else `None`.
    pub fn length(&self) -> Option<usize> {
        match self.kind() {
            Type::String => self.as_str().map(|text| text.chars().count()),
            Type::List | Type::Object => match self {
                Val::List(items) | Val::Items(items) => Some(items.len()),
                Val::Headers(map) => Some(map.keys_len()),
                Val::Table(table) => Some(table.values().len()),
                _ => self.json().map(|node| node.len()),
            },
            _ => None,
        }
    }

    /// Lets the value go, and gives nothing in its place.
    #[inline]
    pub(super) fn end(self) -> Val<'static> {
        match self {
            // These own nothing: there is nothing to do for them.
            Val::Nothing | Val::Json(_) | Val::Num(_) | Val::Bool(_) | Val::Headers(_) => mem::forget(self),
            owner => drop(owner),
        }
        Val::Nothing
    }

    /// The same value, owning all its text, so that it can be kept between events.
    pub fn into_owned(self) -> Val<'static> {
        match self {
            Val::Nothing => Val::Nothing,
            Val::Own(doc, index) => Val::Own(doc, index),
            Val::Made(made) => Val::Made(made),
            Val::Str(text) => Val::Kept(Arc::from(text)),
            Val::Kept(text) => Val::Kept(text),
            Val::Num(number) => Val::Num(number),
            Val::Bool(value) => Val::Bool(value),
            Val::Table(table) => Val::Table(Arc::new(table.owned())),
            Val::Json(node) => match node.kind() {
                JsonKind::Bool => Val::Bool(node.bool().unwrap_or(false)),
                JsonKind::String => Val::Kept(Arc::from(node.str().unwrap_or_default())),
                _ => parse_produced(node.raw().as_bytes().to_vec()),
            },
            other => {
                let mut out = Vec::new();
                other.write(&mut out);
                parse_produced(out)
            }
        }
    }
}

/// A produced document as a value; bytes that are no JSON give nothing.
pub fn parse_produced(bytes: Vec<u8>) -> Val<'static> {
    Doc::from_vec(bytes).map_or(Val::Nothing, Val::own)
}

fn type_of(node: Json<'_>) -> Type {
    match node.kind() {
        JsonKind::Null => Type::Null,
        JsonKind::Bool => Type::Bool,
        JsonKind::Number => Type::Number,
        JsonKind::String => Type::String,
        JsonKind::Array => Type::List,
        JsonKind::Object => Type::Object,
    }
}

fn is_empty_node(node: Json<'_>) -> bool {
    match node.kind() {
        JsonKind::Null => true,
        JsonKind::String => node.range().len() == 2,
        JsonKind::Array | JsonKind::Object => node.is_empty(),
        JsonKind::Bool | JsonKind::Number => false,
    }
}

/// One header's value; several fields of one name are joined by a comma (RFC 9110, section 5.2).
fn header<'a>(map: &'a HeaderMap, name: &str) -> Option<Cow<'a, str>> {
    let mut values = map.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes()));
    let mut all = values.next()?;
    for next in values {
        all.to_mut().push_str(", ");
        all.to_mut().push_str(&next);
    }
    Some(all)
}
