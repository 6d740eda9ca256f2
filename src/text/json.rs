//! JSON as bytes: one pass makes a tape of byte ranges, nothing is copied, and the text of every value is kept.

mod canonical;
mod compact;
mod cut;
mod iterate;
mod name;
mod number;
mod parse;
mod strings;
#[cfg(test)]
mod tests;
mod traces;
mod value;
mod watch;

use std::borrow::Cow;
use std::fmt;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use bytestring::ByteString;

pub use compact::write_compact;
pub use cut::Cuts;
pub use iterate::{Children, Entries, Items, RawEntries};
pub use name::Name;
pub use number::compare as compare_numbers;
use parse::Node;
pub use parse::{MAX_DEPTH, MOST_VALUES};
pub use strings::{write_content, write_str};
pub use traces::Traces;
pub use value::{Json, JsonKind};
pub use watch::ObjectWatch;

/// The longest text, in bytes, the memory of whose tape is kept for the next one.
const SPARE: usize = 16 << 10;
/// The longest text, in bytes, whose tape is kept in any case: laying it again takes longer than its memory is worth.
const LARGE: usize = 128 << 10;

/// A checked JSON document: its text and the tape over it. A clone shares both.
#[derive(Clone)]
pub struct Doc {
    inner: Arc<Inner>,
}

struct Inner {
    /// Shared with whoever gave it, and with whom it is given to.
    text: ByteString,
    /// Laid when somebody looks, where it was let go.
    nodes: OnceLock<Vec<Node>>,
    traces: Traces,
}

impl Doc {
    /// Checks `bytes` against RFC 8259 (UTF-8, at most [`MAX_DEPTH`] levels and [`MOST_VALUES`] values, nothing after the value; a byte
    /// order mark in front is skipped) and keeps them. Nothing is copied.
    ///
    /// An escaped lone surrogate is accepted, since providers send halves of emoji; it reads as U+FFFD.
    pub fn parse(bytes: impl Into<Bytes>) -> Result<Doc, JsonError> {
        let bytes = bytes.into();
        let text = ByteString::try_from(bytes.clone()).map_err(|error| no_text(&bytes, error))?;
        Doc::read(text)
    }

    /// Returns whether bytes are a document, without making one.
    pub fn is_one(bytes: &[u8]) -> bool {
        str::from_utf8(bytes).is_ok_and(|text| serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok())
    }

    /// [`Doc::parse`] for a buffer that is ours, as a template's output is.
    pub fn from_vec(bytes: Vec<u8>) -> Result<Doc, JsonError> {
        let text = String::from_utf8(bytes).map_err(|error| no_text(error.as_bytes(), error.utf8_error()))?;
        Doc::read(text.into())
    }

    /// [`Doc::parse`] of a copy, with the tape in the memory of that of a document that is done with. Where somebody
    /// still holds that one, or it was large, it gets memory of its own.
    pub fn parse_over(old: Option<Doc>, bytes: &[u8]) -> Result<Doc, JsonError> {
        let text = ByteString::try_from(bytes.to_vec()).map_err(|error| no_text(bytes, error))?;
        let Some(mut doc) = old.filter(|old| old.text().len() <= SPARE) else {
            return Doc::read(text);
        };
        match Arc::get_mut(&mut doc.inner) {
            None => Doc::read(text),
            Some(inner) => {
                let (nodes, traces) = parse::tape(&text, inner.nodes.take().unwrap_or_default())?;
                *inner = Inner { text, nodes: nodes.into(), traces };
                Ok(doc)
            }
        }
    }

    /// [`Doc::parse`] for text that is known to be UTF-8.
    pub fn from_string(text: String) -> Result<Doc, JsonError> {
        Doc::read(text.into())
    }

    fn read(text: ByteString) -> Result<Doc, JsonError> {
        let (nodes, traces) = parse::tape(&text, Vec::new())?;
        Ok(Doc { inner: Arc::new(Inner { text, nodes: nodes.into(), traces }) })
    }

    /// The document that is the one string `s`.
    pub fn of_str(s: &str) -> Doc {
        let mut out = Vec::with_capacity(s.len() + 2);
        write_str(&mut out, s);
        // What `write_str` writes always parses; null stands in, so that this cannot fail.
        Doc::from_vec(out).unwrap_or_else(|_| Doc::null())
    }

    /// The document that is the list of these strings.
    pub fn of_strs(list: &[&str]) -> Doc {
        let mut out = vec![b'['];
        for s in list {
            if out.len() > 1 {
                out.push(b',');
            }
            write_str(&mut out, s);
        }
        out.push(b']');
        Doc::from_vec(out).unwrap_or_else(|_| Doc::null())
    }

    /// The document `null`.
    pub fn null() -> Doc {
        let (text, nodes, traces) = (ByteString::from_static("null"), Vec::new().into(), Traces::default());
        Doc { inner: Arc::new(Inner { text, nodes, traces }) }
    }

    /// The same document with `s` in the place of the string at tape index `idx`; nothing is checked again. Where
    /// no string stands, or a member's name, it is the same document altogether.
    pub fn with_str(&self, idx: u32, s: &str) -> Doc {
        let old = self.tape(idx);
        let (from, to) = (old.start as usize, old.end as usize);
        let (Some(before), Some(after)) = (self.text().get(..from), self.text().get(to..)) else {
            return self.clone();
        };
        if old.kind != JsonKind::String || old.is_name() {
            return self.clone();
        }
        let mut text = Vec::with_capacity(before.len() + s.len() + after.len() + 2);
        text.extend_from_slice(before.as_bytes());
        write_str(&mut text, s);
        let end = text.len();
        let raw = text.get(from + 1..end - 1).unwrap_or_default();
        let mut traces = *self.traces();
        traces.saw_text(raw, true);
        let escaped = u32::from(raw.contains(&b'\\'));
        text.extend_from_slice(after.as_bytes());
        let moved = |at: u32| if at >= old.end { at - old.end + end as u32 } else { at };
        let shifted = |node: &Node| Node { start: moved(node.start), end: moved(node.end), ..*node };
        let mut nodes: Vec<Node> = self.nodes().iter().map(shifted).collect();
        if let Some(node) = nodes.get_mut(idx as usize) {
            node.len = escaped;
        }
        match String::from_utf8(text) {
            Ok(text) => Doc { inner: Arc::new(Inner { text: text.into(), nodes: nodes.into(), traces }) },
            Err(_) => self.clone(),
        }
    }

    /// The same document without its tape, which is laid again when somebody looks. For a long text that is kept while
    /// hardly anybody does: its tape may take ten times as much memory.
    pub fn let_go(&self) -> Doc {
        if self.text().len() <= LARGE {
            return self.clone();
        }
        let (text, traces) = (self.inner.text.clone(), self.inner.traces);
        Doc { inner: Arc::new(Inner { text, nodes: OnceLock::new(), traces }) }
    }

    /// How much memory its tape takes now, in bytes.
    pub fn tape_size(&self) -> usize {
        self.inner.nodes.get().map_or(0, |nodes| size_of_val(nodes.as_slice()))
    }

    /// The whole value.
    #[inline]
    pub fn root(&self) -> Json<'_> {
        self.node(0)
    }

    /// The value at tape index `idx`, as [`Json::index`] gave it. An index from elsewhere reads as null.
    #[inline]
    pub fn node(&self, idx: u32) -> Json<'_> {
        // A foreign index is held just behind the tape, where counting on from it cannot overflow.
        Json::new(self, idx.min(self.nodes().len() as u32))
    }

    /// The text as it was given, byte order mark included.
    pub fn text(&self) -> &str {
        &self.inner.text
    }

    /// The text as shared bytes, without a copy.
    pub fn bytes(&self) -> Bytes {
        self.inner.text.as_bytes().clone()
    }

    #[inline]
    fn nodes(&self) -> &[Node] {
        // A text that was read once can be read again.
        let read = || parse::tape(&self.inner.text, Vec::new()).map(|read| read.0).unwrap_or_default();
        self.inner.nodes.get_or_init(read)
    }

    fn traces(&self) -> &Traces {
        &self.inner.traces
    }

    #[inline]
    fn tape(&self, idx: u32) -> Node {
        self.nodes().get(idx as usize).copied().unwrap_or(Node::NULL)
    }
}

/// Bytes that are no UTF-8.
fn no_text(bytes: &[u8], error: std::str::Utf8Error) -> JsonError {
    JsonError::new(bytes, error.valid_up_to(), "this is not UTF-8")
}

impl fmt::Debug for Doc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

impl PartialEq for Doc {
    fn eq(&self, other: &Doc) -> bool {
        self.root() == other.root()
    }
}

/// Why and where a text is not JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JsonError {
    /// Byte offset of the first byte that does not fit.
    pub offset: usize,
    /// What is wrong, without the place.
    pub message: &'static str,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
}

impl JsonError {
    /// Returns whether nothing was wrong with the text up to its [`MOST_VALUES`]th value, and there are more.
    pub fn is_too_many(&self) -> bool {
        self.message == parse::TOO_MANY
    }

    fn new(bytes: &[u8], offset: usize, message: &'static str) -> JsonError {
        let before = bytes.get(..offset).unwrap_or(bytes);
        let line_start = memchr::memrchr(b'\n', before).map_or(0, |newline| newline + 1);
        let line = memchr::memchr_iter(b'\n', before).count() + 1;
        let column =
            String::from_utf8_lossy(before.get(line_start..).unwrap_or_default()).chars().count() + 1;
        JsonError { offset, message, line, column }
    }
}

impl fmt::Display for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let JsonError { offset, message, line, column } = self;
        write!(f, "{message} at byte {offset} (line {line}, column {column})")
    }
}

impl std::error::Error for JsonError {}

/// Whether `s` is one whole JSON object and nothing else, as a tool's arguments must be before they may end.
pub fn is_complete_object(s: &str) -> bool {
    let trimmed = s.trim_matches([' ', '\t', '\r', '\n']);
    trimmed.starts_with('{') && trimmed.ends_with('}') && parse::tape(trimmed, Vec::new()).is_ok()
}

/// A string's content, given its text between the quotes: borrowed when there is nothing to decode.
fn content(inner: &str, escaped: bool) -> Cow<'_, str> {
    if escaped { Cow::Owned(strings::unescape(inner)) } else { Cow::Borrowed(inner) }
}
