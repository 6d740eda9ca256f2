//! The texts that findings point into, and the places in them.

use std::fmt;
use std::sync::Arc;

/// A file's number in its [`Sources`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, PartialOrd, Ord)]
pub struct FileId(pub u32);

/// A piece of a file, as a half-open range of byte offsets.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub struct Span {
    /// The file the offsets count in.
    pub file: FileId,
    /// The first byte.
    pub start: u32,
    /// The byte after the last one.
    pub end: u32,
}

impl Span {
    /// The span of `start..end`; offsets beyond 4 GiB are cut down to that.
    pub fn new(file: FileId, start: usize, end: usize) -> Span {
        let narrow = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        Span { file, start: narrow(start), end: narrow(end.max(start)) }
    }

    /// The part of this span from byte `start` to byte `end`, both counted from this span's start.
    ///
    /// For what a string's own parser finds wrong inside it. The part never leaves the span.
    pub fn part(self, start: usize, end: usize) -> Span {
        let length = (self.end - self.start) as usize;
        let base = self.start as usize;
        Span::new(self.file, base + start.min(length), base + end.min(length))
    }
}

/// The texts that diagnostics point into.
#[derive(Clone, Default)]
pub struct Sources {
    files: Vec<(String, Arc<str>)>,
    /// Values that no rendering shows, longest first, and what it shows instead.
    hidden: Vec<(String, String)>,
}

/// A shorter value is no secret, and hiding it would garble other words.
const SHORTEST_HIDDEN: usize = 6;

impl Sources {
    /// An empty collection.
    pub fn new() -> Sources {
        Sources::default()
    }

    /// Takes in a text under the name shown to people.
    pub fn add(&mut self, name: impl Into<String>, text: impl Into<Arc<str>>) -> FileId {
        let id = FileId(u32::try_from(self.files.len()).unwrap_or(u32::MAX));
        self.files.push((name.into(), text.into()));
        id
    }

    /// The file's name; `?` for a number that was never given out.
    pub fn name(&self, file: FileId) -> &str {
        self.files.get(file.0 as usize).map_or("?", |(name, _)| name)
    }

    /// The file's text; empty for a number that was never given out.
    pub fn text(&self, file: FileId) -> &str {
        self.files.get(file.0 as usize).map_or("", |(_, text)| text)
    }

    /// From now on, findings show `instead` wherever `value` stands in their words. For what came from
    /// outside the files, such as a key. Values of less than six bytes are shown.
    pub fn hide(&mut self, value: &str, instead: &str) {
        let known = self.hidden.iter().any(|(hidden, _)| hidden == value);
        if value.len() >= SHORTEST_HIDDEN && !known {
            self.hidden.push((value.to_owned(), instead.to_owned()));
            self.hidden.sort_by_key(|(hidden, _)| std::cmp::Reverse(hidden.len()));
        }
    }

    /// From now on, the text under `span` reads as asterisks. For a secret that stands in the file itself.
    pub fn mask(&mut self, span: Span) {
        let secret = self.slice(span).to_owned();
        let stars: String = secret.bytes().map(|byte| if byte == b'\n' { '\n' } else { '*' }).collect();
        if let Some((_, text)) = self.files.get_mut(span.file.0 as usize) {
            let start = boundary(text, span.start);
            let mut masked = text.to_string();
            masked.replace_range(start..start + secret.len(), &stars);
            *text = masked.into();
        }
        self.hide(&secret, "***");
    }

    /// The words of a finding, without what is hidden.
    pub(super) fn clean(&self, words: &str) -> String {
        let hide = |text: String, (value, instead): &(String, String)| text.replace(value, instead);
        self.hidden.iter().fold(words.to_owned(), hide)
    }

    /// The text under `span`.
    pub fn slice(&self, span: Span) -> &str {
        let text = self.text(span.file);
        text.get(boundary(text, span.start)..boundary(text, span.end)).unwrap_or("")
    }

    /// Line and column where `span` begins, both from 1, the column in characters.
    pub fn line_col(&self, span: Span) -> (usize, usize) {
        let text = self.text(span.file);
        let before = text.get(..boundary(text, span.start)).unwrap_or("");
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let column = before.get(line_start..).unwrap_or("").chars().count();
        (before.matches('\n').count() + 1, column + 1)
    }

    /// The whole line on which `span` begins, without its line break.
    pub fn line(&self, span: Span) -> &str {
        let text = self.text(span.file);
        let at = boundary(text, span.start);
        let (before, after) = text.split_at_checked(at).unwrap_or((text, ""));
        let start = before.rfind('\n').map_or(0, |at| at + 1);
        let end = after.find('\n').map_or(text.len(), |length| at + length);
        text.get(start..end).unwrap_or("").trim_end_matches('\r')
    }
}

/// The nearest place at or before `at` where `text` may be cut.
pub(super) fn boundary(text: &str, at: u32) -> usize {
    let mut at = (at as usize).min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

impl fmt::Debug for Sources {
    /// The names only: texts and hidden values may be secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.files.iter().map(|(name, _)| name)).finish()
    }
}
