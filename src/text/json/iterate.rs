//! Going through arrays and objects, value by value along the tape.

use std::borrow::Cow;

use super::{Doc, Json};

/// Items of an array: see [`Json::items`].
#[derive(Clone)]
pub struct Items<'a> {
    pub(super) doc: &'a Doc,
    pub(super) at: u32,
    pub(super) end: u32,
}

impl<'a> Iterator for Items<'a> {
    type Item = Json<'a>;

    #[inline]
    fn next(&mut self) -> Option<Json<'a>> {
        if self.at >= self.end {
            return None;
        }
        let item = Json::new(self.doc, self.at);
        self.at = item.node().next;
        Some(item)
    }
}

/// Children of an array or object: see [`Json::children`].
#[derive(Clone)]
pub struct Children<'a> {
    pub(super) doc: &'a Doc,
    pub(super) at: u32,
    pub(super) end: u32,
    /// Entries before each value: an object's key, or none.
    pub(super) stride: u32,
}

impl<'a> Iterator for Children<'a> {
    type Item = Json<'a>;

    #[inline]
    fn next(&mut self) -> Option<Json<'a>> {
        if self.at >= self.end {
            return None;
        }
        let child = Json::new(self.doc, self.at + self.stride);
        self.at = child.node().next;
        Some(child)
    }
}

/// Entries of an object: see [`Json::entries_raw`].
#[derive(Clone)]
pub struct RawEntries<'a> {
    pub(super) doc: &'a Doc,
    pub(super) at: u32,
    pub(super) end: u32,
}

impl<'a> Iterator for RawEntries<'a> {
    type Item = (Json<'a>, Json<'a>);

    #[inline]
    fn next(&mut self) -> Option<(Json<'a>, Json<'a>)> {
        if self.at >= self.end {
            return None;
        }
        let (key, value) = (Json::new(self.doc, self.at), Json::new(self.doc, self.at + 1));
        self.at = value.node().next;
        Some((key, value))
    }
}

/// Entries of an object: see [`Json::entries`].
#[derive(Clone)]
pub struct Entries<'a>(pub(super) RawEntries<'a>);

impl<'a> Iterator for Entries<'a> {
    type Item = (Cow<'a, str>, Json<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next().map(|(key, value)| (key.str().unwrap_or_default(), value))
    }
}
