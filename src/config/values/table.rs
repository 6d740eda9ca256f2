//! Mappings from names that the author chooses.

use serde_json::{Value, json};

use crate::config::record::{FromNode, Schemas, wrong_type_but};
use crate::text::diagnostic::{Diagnostic, Diagnostics, Span};
use crate::text::yaml::{Key, Node};

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

    /// Names and values that may be changed, in order.
    pub fn iter_mut(&mut self) -> impl ExactSizeIterator<Item = (&Key, &mut T)> {
        self.entries.iter_mut().map(|(key, value)| (&*key, value))
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
            let list = node.as_list().unwrap_or_default();
            let named = list.first().and_then(|item| match item.as_map() {
                Some([(key, _)]) => Some(key.text.as_str()),
                _ => item.get("name").and_then(Node::as_str),
            });
            let name = named.unwrap_or("NAME");
            let help = match list {
                [] => None,
                _ => Some(format!("write each under its name and without a dash: `{name}: ...`")),
            };
            wrong_type_but(node, "a mapping is wanted here", help, diags);
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
