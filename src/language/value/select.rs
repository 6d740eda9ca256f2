//! What paths select in values.

use super::{Turns, Val, header};
use crate::text::json::{Doc, Json};
use crate::text::path::{Path, Segment};

impl<'a> Val<'a> {
    /// What `path` selects, seen from this value, which is also `$` inside the path's filters.
    pub fn select(&self, path: &Path) -> Val<'a> {
        if path.is_root_only() {
            return self.clone();
        }
        match self {
            Val::Json(node) => select_in(path, *node, Val::Json),
            Val::Own(doc, index) => {
                select_in(path, doc.node(*index), |node| Val::Own(doc.clone(), node.index()))
            }
            Val::Made(made) => Val::Own(made.doc().clone(), 0).select(path),
            Val::Headers(map) => match path.segments() {
                [Segment::Name(name)] => header(map, name).map_or(Val::Nothing, Val::Str),
                _ => Val::Nothing,
            },
            Val::List(_) | Val::Items(_) | Val::Table(_) => {
                // A list of selected nodes has no document of its own, so it is written out once.
                let mut out = Vec::new();
                self.write(&mut out);
                match Doc::parse(out) {
                    Ok(doc) => Val::own(doc).select(path),
                    Err(_) => Val::Nothing,
                }
            }
            _ => Val::Nothing,
        }
    }

    /// The first of what `path` selects: all that some ask for.
    pub fn select_first(&self, path: &Path) -> Val<'a> {
        match self {
            _ if path.is_single() => self.select(path),
            Val::Json(node) => path.first(*node, *node).map_or(Val::Nothing, Val::Json),
            Val::Own(doc, index) => {
                let node = doc.node(*index);
                let found = path.first(node, node);
                found.map_or(Val::Nothing, |found| Val::Own(doc.clone(), found.index()))
            }
            _ => match self.select(path) {
                Val::List(nodes) => nodes.first().cloned().unwrap_or_default(),
                value => value,
            },
        }
    }

    /// What `path` selects, for a loop.
    pub fn select_turns(&self, path: &Path) -> Turns<'a> {
        match self {
            Val::Json(node) if !path.is_single() => {
                let mut found = Vec::new();
                path.select(*node, *node, &mut found);
                Turns::nodes(found)
            }
            // One value alone needs no list around it.
            Val::List(values) | Val::Items(values) if path.is_root_only() && values.len() == 1 => {
                Turns::one(values.first().cloned().unwrap_or_default())
            }
            _ => self.select(path).turns(),
        }
    }
}

fn select_in<'a, 'd>(path: &Path, from: Json<'d>, wrap: impl Fn(Json<'d>) -> Val<'a>) -> Val<'a> {
    if path.is_single() {
        return path.walk(from).map_or(Val::Nothing, wrap);
    }
    let mut found = Vec::new();
    path.select(from, from, &mut found);
    if found.is_empty() { Val::Nothing } else { Val::List(found.into_iter().map(wrap).collect()) }
}
