//! What a loop runs over, one value after the other, without a list in between where none is needed.

use std::sync::Arc;
use std::vec::IntoIter;

use super::{Type, Val};
use crate::text::json::{Items, Json, JsonKind};

/// The values that a loop runs over: an array's items, several selected nodes, or one value itself.
pub struct Turns<'a>(Kind<'a>);

enum Kind<'a> {
    None,
    One(Val<'a>),
    Items(Items<'a>),
    Nodes(IntoIter<Json<'a>>),
    Values(IntoIter<Val<'a>>),
    Shared(Arc<[Val<'a>]>, usize),
}

impl<'a> Turns<'a> {
    /// Over nodes that a path selected.
    pub(super) fn nodes(nodes: Vec<Json<'a>>) -> Turns<'a> {
        Turns(Kind::Nodes(nodes.into_iter()))
    }

    /// Over one value.
    pub(super) fn one(value: Val<'a>) -> Turns<'a> {
        Turns(Kind::One(value))
    }

    /// Over values that stand one by one already.
    pub(in crate::language) fn values(values: Vec<Val<'a>>) -> Turns<'a> {
        Turns(Kind::Values(values.into_iter()))
    }
}

impl<'a> Val<'a> {
    /// The values that a loop over this one runs over.
    pub fn turns(self) -> Turns<'a> {
        Turns(match self {
            Val::Nothing => Kind::None,
            Val::List(items) | Val::Items(items) => Kind::Shared(items, 0),
            Val::Table(table) => Kind::Shared(table.values().into(), 0),
            Val::Json(node) if node.kind() == JsonKind::Array => Kind::Items(node.items()),
            Val::Made(made) if made.kind() == Type::List => return Val::Own(made.doc().clone(), 0).turns(),
            Val::Own(doc, index) if doc.node(index).kind() == JsonKind::Array => {
                let items = doc.node(index).items();
                let values: Vec<_> = items.map(|node| Val::Own(doc.clone(), node.index())).collect();
                Kind::Values(values.into_iter())
            }
            value if value.kind() == Type::Null => Kind::None,
            value => Kind::One(value),
        })
    }

    /// The same value as one item of a list: several nodes are a list themselves.
    pub(in crate::language) fn one(self) -> Val<'a> {
        match self {
            Val::List(_) | Val::Headers(_) => self.into_owned(),
            Val::Table(table) => Val::Items(table.values().into()),
            value => value,
        }
    }

    /// The same as a list.
    pub fn items(&self) -> Vec<Val<'a>> {
        self.clone().turns().collect()
    }
}

impl<'a> Iterator for Turns<'a> {
    type Item = Val<'a>;

    fn next(&mut self) -> Option<Val<'a>> {
        match &mut self.0 {
            Kind::None => None,
            Kind::One(_) => match std::mem::replace(&mut self.0, Kind::None) {
                Kind::One(value) => Some(value),
                _ => None,
            },
            Kind::Items(items) => items.next().map(Val::Json),
            Kind::Nodes(nodes) => nodes.next().map(Val::Json),
            Kind::Values(values) => values.next(),
            Kind::Shared(values, at) => {
                let value = values.get(*at).cloned();
                *at += 1;
                value
            }
        }
    }
}
