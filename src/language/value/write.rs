//! Values as JSON text, and how much of it there is.

use std::sync::Arc;

use super::{Num, Type, Val, header};
use crate::text::json::{self, Json, JsonKind};

impl Val<'_> {
    /// Writes the value as JSON. Nothing and null write nothing and give `false`.
    pub fn write(&self, out: &mut Vec<u8>) -> bool {
        match self {
            Val::Nothing => false,
            Val::Json(node) => write_node(*node, out),
            Val::Own(doc, index) => write_node(doc.node(*index), out),
            Val::Made(made) => {
                out.extend_from_slice(made.bytes());
                true
            }
            Val::Str(text) => {
                json::write_str(out, text);
                true
            }
            Val::Kept(text) => {
                json::write_str(out, text);
                true
            }
            Val::Num(number) => write_num(*number, out),
            Val::Bool(value) => {
                out.extend_from_slice(if *value { b"true" } else { b"false" });
                true
            }
            Val::List(items) | Val::Items(items) => write_list(items, out),
            Val::Table(table) => write_list(table.values(), out),
            Val::Headers(map) => {
                out.push(b'{');
                for (count, name) in map.keys().enumerate() {
                    if count > 0 {
                        out.push(b',');
                    }
                    json::write_str(out, name.as_str());
                    out.push(b':');
                    json::write_str(out, &header(map, name.as_str()).unwrap_or_default());
                }
                out.push(b'}');
                true
            }
        }
    }

    /// Like [`Val::write`], but a null that stands in the input is written.
    pub fn write_any(&self, out: &mut Vec<u8>) -> bool {
        if self.kind() == Type::Null {
            out.extend_from_slice(b"null");
            return true;
        }
        self.write(out)
    }

    /// How many bytes keeping it takes, more or less.
    pub(in crate::language) fn text_len(&self) -> usize {
        match self {
            Val::Str(text) => text.len(),
            Val::Kept(text) => text.len(),
            Val::Json(node) => node.bytes().len(),
            Val::Own(doc, index) => doc.node(*index).bytes().len(),
            Val::Made(made) => made.bytes().len(),
            Val::List(items) | Val::Items(items) => items.iter().map(Val::text_len).sum(),
            Val::Nothing | Val::Num(_) | Val::Bool(_) | Val::Table(_) | Val::Headers(_) => 8,
        }
    }

    /// Whether keeping it in the place of the other copies nothing, since it is the same in memory.
    pub(in crate::language) fn is_same(&self, other: &Val<'_>) -> bool {
        match (self, other) {
            (Val::Own(one, _), Val::Own(other, _)) => Arc::ptr_eq(one, other),
            (Val::Made(one), Val::Made(other)) => Arc::ptr_eq(one, other),
            (Val::Kept(one), Val::Kept(other)) => Arc::ptr_eq(one, other),
            _ => false,
        }
    }
}

fn write_node(node: Json<'_>, out: &mut Vec<u8>) -> bool {
    if node.kind() == JsonKind::Null {
        return false;
    }
    out.extend_from_slice(node.bytes());
    true
}

fn write_list(items: &[Val<'_>], out: &mut Vec<u8>) -> bool {
    out.push(b'[');
    let start = out.len();
    for item in items {
        let mark = out.len();
        if mark > start {
            out.push(b',');
        }
        if !item.write_any(out) {
            out.truncate(mark);
        }
    }
    out.push(b']');
    true
}

fn write_num(number: Num, out: &mut Vec<u8>) -> bool {
    use std::io::Write;
    match number {
        // Places of blocks and the like.
        Num::Int(n @ 0..=9) => {
            out.push(b'0' + n as u8);
            true
        }
        Num::Int(n) => write!(out, "{n}").is_ok(),
        Num::Float(n) if n.is_finite() => write!(out, "{n}").is_ok(),
        Num::Float(_) => false,
    }
}
