//! A value inside a document: what it is, what it holds, and whether it equals another.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;
use std::ops::Range;

use super::iterate::{Children, Entries, Items, RawEntries};
use super::parse::{Node, name_mark};
use super::strings::same;
use super::traces::digest;
use super::{Doc, Name, content, number};

/// What a JSON value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum JsonKind {
    Null,
    Bool,
    Number,
    String,
    Array,
    Object,
}

/// One value of a [`Doc`]. `==` compares by value: numbers by what they mean, objects whatever their order.
#[derive(Clone, Copy)]
pub struct Json<'a> {
    doc: &'a Doc,
    idx: u32,
}

impl<'a> Json<'a> {
    #[inline]
    pub(super) fn new(doc: &'a Doc, idx: u32) -> Json<'a> {
        Json { doc, idx }
    }

    #[inline]
    pub(super) fn node(self) -> Node {
        self.doc.tape(self.idx)
    }

    /// What the value is.
    #[inline]
    pub fn kind(self) -> JsonKind {
        self.node().kind
    }

    /// The value's place on the tape, for [`Doc::node`].
    pub fn index(self) -> u32 {
        self.idx
    }

    /// The document it stands in.
    pub fn doc(self) -> &'a Doc {
        self.doc
    }

    /// The value's bytes in [`Doc::text`], a string's quotes included.
    pub fn range(self) -> Range<usize> {
        let node = self.node();
        node.start as usize..node.end as usize
    }

    /// The value's text as it was written.
    pub fn raw(self) -> &'a str {
        match self.doc.text().get(self.range()) {
            Some("") | None => "null",
            Some(text) => text,
        }
    }

    /// [`Json::raw`] as bytes.
    pub fn bytes(self) -> &'a [u8] {
        match self.doc.text().as_bytes().get(self.range()) {
            Some([]) | None => b"null",
            Some(text) => text,
        }
    }

    /// Whether this is null.
    pub fn is_null(self) -> bool {
        self.kind() == JsonKind::Null
    }

    /// A string's content, borrowed when it has no escapes; nothing for any other kind.
    pub fn str(self) -> Option<Cow<'a, str>> {
        let node = self.node();
        (node.kind == JsonKind::String).then(|| content(self.inner(node), node.is_escaped()))
    }

    /// A string's text between its quotes, escapes not decoded; nothing for any other kind.
    pub fn str_raw(self) -> Option<&'a str> {
        let node = self.node();
        (node.kind == JsonKind::String).then(|| self.inner(node))
    }

    /// Whether this is a string whose content is `s`. Decodes nothing unless there are escapes.
    pub fn is_str(self, s: &str) -> bool {
        let node = self.node();
        node.kind == JsonKind::String && self.content_is(node, s)
    }

    /// [`Json::is_str`], where that hardly ever happens and nothing else should have to make room for it.
    #[cold]
    #[inline(never)]
    fn is_escaped_str(self, s: &str) -> bool {
        self.is_str(s)
    }

    /// Whether this, a member's name, is that one.
    pub fn is_name(self, name: &Name) -> bool {
        let node = self.node();
        (node.len == name.mark || node.is_escaped()) && self.is_str(name)
    }

    fn content_is(self, node: Node, s: &str) -> bool {
        // Every escape is longer than what it stands for.
        let room = (node.end - node.start) as usize;
        if !node.is_escaped() {
            let content = node.start as usize + 1..node.end as usize - 1;
            room == s.len() + 2
                && self.doc.text().as_bytes().get(content).is_some_and(|text| same(text, s.as_bytes()))
        } else {
            room > s.len() + 2 && content(self.inner(node), true) == s
        }
    }

    #[inline]
    fn inner(self, node: Node) -> &'a str {
        self.doc.text().get(node.start as usize + 1..node.end as usize - 1).unwrap_or("")
    }

    #[inline]
    fn inner_bytes(self, node: Node) -> &'a [u8] {
        let text = self.doc.text().as_bytes();
        text.get(node.start as usize + 1..node.end as usize - 1).unwrap_or_default()
    }

    /// True or false; nothing for any other kind.
    pub fn bool(self) -> Option<bool> {
        (self.kind() == JsonKind::Bool).then(|| self.raw() == "true")
    }

    /// The number as an integer, if its value is one that fits (`2`, `2.0` and `20e-1` all are).
    pub fn i64(self) -> Option<i64> {
        if self.kind() == JsonKind::Number { number::as_i64(self.raw()) } else { None }
    }

    /// The number as the nearest `f64`, infinite if it is too large for one.
    pub fn f64(self) -> Option<f64> {
        if self.kind() == JsonKind::Number { self.raw().parse().ok() } else { None }
    }

    /// Items of an array, entries of an object, 0 for the rest. Costs nothing.
    pub fn len(self) -> usize {
        let node = self.node();
        match node.kind {
            JsonKind::Array | JsonKind::Object => node.len as usize,
            _ => 0,
        }
    }

    /// Whether [`Json::len`] is 0.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// The value of `key` in an object. When a key stands twice, the first counts.
    pub fn get(self, key: &str) -> Option<Json<'a>> {
        self.find(key, name_mark(digest(key.as_bytes())))
    }

    /// The same for a name that is looked for often.
    #[inline]
    pub fn get_named(self, name: &Name) -> Option<Json<'a>> {
        self.find(name, name.mark)
    }

    #[inline(always)]
    fn find(self, key: &str, mark: u32) -> Option<Json<'a>> {
        let node = self.node();
        if node.kind != JsonKind::Object {
            return None;
        }
        // This is where mappings spend their time: a loop over the tape, and for most keys no look at the text.
        let (nodes, text) = (self.doc.nodes(), self.doc.text().as_bytes());
        let mut at = self.idx + 1;
        while at < node.next {
            let [name, value] = nodes.get(at as usize..at as usize + 2)? else { return None };
            let is_it = match name.is_escaped() {
                true => Json::new(self.doc, at).is_escaped_str(key),
                false => {
                    name.len == mark
                        && text
                            .get(name.start as usize + 1..name.end as usize - 1)
                            .is_some_and(|name| same(name, key.as_bytes()))
                }
            };
            if is_it {
                return Some(Json::new(self.doc, at + 1));
            }
            at = value.next;
        }
        None
    }

    /// The item at `position` of an array; -1 is the last one.
    pub fn at(self, position: i64) -> Option<Json<'a>> {
        let node = self.node();
        if node.kind != JsonKind::Array {
            return None;
        }
        let position = if position < 0 { position.checked_add(i64::from(node.len))? } else { position };
        if position >= i64::from(node.len) {
            return None;
        }
        self.items().nth(usize::try_from(position).ok()?)
    }

    /// The items of an array; none for any other kind.
    pub fn items(self) -> Items<'a> {
        let node = self.node();
        let end = if node.kind == JsonKind::Array { node.next } else { self.idx };
        Items { doc: self.doc, at: self.idx + 1, end }
    }

    /// The entries of an object, keys decoded; none for any other kind.
    pub fn entries(self) -> Entries<'a> {
        Entries(self.entries_raw())
    }

    /// The entries of an object, keys as values with their own text and range; none for any other kind.
    pub fn entries_raw(self) -> RawEntries<'a> {
        let node = self.node();
        let end = if node.kind == JsonKind::Object { node.next } else { self.idx };
        RawEntries { doc: self.doc, at: self.idx + 1, end }
    }

    /// The items of an array or the values of an object; none for a scalar.
    #[inline]
    pub fn children(self) -> Children<'a> {
        let node = self.node();
        let (end, stride) = match node.kind {
            JsonKind::Array => (node.next, 0),
            JsonKind::Object => (node.next, 1),
            _ => (self.idx, 0),
        };
        Children { doc: self.doc, at: self.idx + 1, end, stride }
    }

    /// The arrays and objects of this subtree, itself included, parents first: one run over the tape.
    pub fn containers(self) -> impl Iterator<Item = Json<'a>> {
        (self.idx..self.node().next)
            .map(move |idx| Json::new(self.doc, idx))
            .filter(|json| matches!(json.kind(), JsonKind::Array | JsonKind::Object))
    }

    /// How two numbers compare, exactly; nothing when either is no number.
    pub fn compare_numbers(self, other: Json<'_>) -> Option<Ordering> {
        let numbers = self.kind() == JsonKind::Number && other.kind() == JsonKind::Number;
        numbers.then(|| number::compare(self.raw(), other.raw()))
    }
}

impl PartialEq for Json<'_> {
    /// Depth is bounded by the parser, so the recursion is too.
    fn eq(&self, other: &Json<'_>) -> bool {
        let (one, two) = (self.node(), other.node());
        if one.kind != two.kind {
            return false;
        }
        match one.kind {
            JsonKind::Null => true,
            JsonKind::Bool => self.raw() == other.raw(),
            JsonKind::Number => {
                self.raw() == other.raw() || number::compare(self.raw(), other.raw()) == Ordering::Equal
            }
            JsonKind::String => same_string(*self, *other),
            JsonKind::Array => one.len == two.len && self.items().eq(other.items()),
            JsonKind::Object => one.len == two.len && same_object(*self, *other),
        }
    }
}

#[inline]
fn same_string(a: Json<'_>, b: Json<'_>) -> bool {
    let (one, other) = (a.node(), b.node());
    if !one.is_escaped() && !other.is_escaped() {
        return one.end - one.start == other.end - other.start
            && same(a.inner_bytes(one), b.inner_bytes(other));
    }
    a.str() == b.str()
}

fn same_object(a: Json<'_>, b: Json<'_>) -> bool {
    if a.entries_raw().zip(b.entries_raw()).all(|(x, y)| same_string(x.0, y.0)) {
        return a.entries_raw().zip(b.entries_raw()).all(|(x, y)| x.1 == y.1);
    }
    // Sorted, not searched: a body with a hundred thousand keys must not cost their square.
    let sorted = |of: Json<'_>| {
        let mut entries: Vec<_> =
            of.entries().map(|(key, value)| (key.into_owned(), value.index())).collect();
        entries.sort();
        entries
    };
    sorted(a)
        .iter()
        .zip(&sorted(b))
        .all(|((key_a, x), (key_b, y))| key_a == key_b && a.doc.node(*x) == b.doc.node(*y))
}

impl fmt::Debug for Json<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.raw())
    }
}
