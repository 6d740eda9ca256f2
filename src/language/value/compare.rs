//! Values beside one another: equality, order, and what stands in a list.

use std::cmp::Ordering;

use super::{Num, Type, Val};
use crate::text::json::JsonKind;

impl Val<'_> {
    /// Whether it is this text, or several values of which one is.
    pub(in crate::language) fn is_text(&self, text: &str) -> bool {
        match self {
            Val::Json(node) => node.is_str(text),
            Val::Own(doc, index) => doc.node(*index).is_str(text),
            Val::Str(own) => **own == *text,
            Val::Kept(own) => **own == *text,
            Val::List(values) => values.iter().any(|value| value.is_text(text)),
            Val::Nothing
            | Val::Made(_)
            | Val::Items(_)
            | Val::Table(_)
            | Val::Num(_)
            | Val::Bool(_)
            | Val::Headers(_) => false,
        }
    }

    /// Equality by value: numbers by size, objects whatever the order of their keys. Nothing equals nothing.
    pub fn equals(&self, other: &Val<'_>) -> bool {
        match (self, other) {
            (Val::List(_), _) => {}
            // The usual question: is this member of the input that word of the rules?
            (value, Val::Str(text)) => return value.is_text(text),
            (Val::Json(one), Val::Json(two)) if one.kind() == JsonKind::String => return one == two,
            _ => {}
        }
        let (a, b) = (self.kind(), other.kind());
        if a != b {
            return false;
        }
        match a {
            Type::Nothing | Type::Null => true,
            Type::Bool => self.as_bool() == other.as_bool(),
            Type::String => self.as_str() == other.as_str(),
            Type::Number => self.compare(other) == Some(Ordering::Equal),
            Type::List | Type::Object => match (self.json(), other.json()) {
                (Some(left), Some(right)) => left == right,
                _ => match (self.clone().into_owned().json(), other.clone().into_owned().json()) {
                    (Some(left), Some(right)) => left == right,
                    _ => false,
                },
            },
        }
    }

    /// Whether one of the items of this list (or this one value itself) equals another value; of values by key,
    /// whether one has it for its key.
    pub fn has_item(&self, other: &Val<'_>) -> bool {
        match self {
            Val::Nothing => false,
            Val::List(items) | Val::Items(items) => items.iter().any(|item| item.equals(other)),
            Val::Made(made) if made.kind() == Type::List => made.has_item(other),
            Val::Table(table) => table.has(other),
            Val::Json(node) if node.kind() == JsonKind::Array => {
                node.items().any(|item| Val::Json(item).equals(other))
            }
            Val::Own(doc, index) if doc.node(*index).kind() == JsonKind::Array => {
                doc.node(*index).items().any(|item| Val::Json(item).equals(other))
            }
            one => !one.is_nothing() && one.equals(other),
        }
    }

    /// The order of two numbers, or of two strings; `None` for anything else.
    pub fn compare(&self, other: &Val<'_>) -> Option<Ordering> {
        match (self.as_num(), other.as_num()) {
            (Some(Num::Int(a)), Some(Num::Int(b))) => Some(a.cmp(&b)),
            (Some(a), Some(b)) => a.f64().partial_cmp(&b.f64()),
            _ => Some(self.as_str()?.cmp(&other.as_str()?)),
        }
    }
}
