//! The name of a member that is looked for again and again.

use std::ops::Deref;

use super::parse::name_mark;
use super::traces::digest;

/// A member's name, with what tells most others apart from it at once: see [`Json::get_named`](super::Json::get_named).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    text: Box<str>,
    pub(super) mark: u32,
}

impl Name {
    /// A name as it is without escapes.
    pub fn new(text: &str) -> Name {
        Name { text: text.into(), mark: name_mark(digest(text.as_bytes())) }
    }
}

impl Deref for Name {
    type Target = str;

    fn deref(&self) -> &str {
        &self.text
    }
}
