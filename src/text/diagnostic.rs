//! What is wrong with a file, said to a person: many findings at once, each with its place, its reason and a way out.

use std::sync::Arc;

use serde_json::{Value, json};

mod names;
mod render;

pub use names::did_you_mean;

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
#[derive(Clone, Debug, Default)]
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
    fn clean(&self, words: &str) -> String {
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
fn boundary(text: &str, at: u32) -> usize {
    let mut at = (at as usize).min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// How bad a finding is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Severity {
    /// The file cannot be used.
    Error,
    /// The file can be used, and probably does not say what was meant.
    Warning,
}

impl Severity {
    /// The word people read.
    pub fn as_str(self) -> &'static str {
        match self {
            Severity::Error => "error",
            Severity::Warning => "warning",
        }
    }
}

/// One finding.
#[derive(Clone, PartialEq, Debug)]
#[must_use = "a diagnostic is said only when it is pushed to a sink or returned"]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// A stable name for this kind of finding, such as `unknown-key`.
    pub code: &'static str,
    /// What is wrong, in one sentence without a full stop.
    pub message: String,
    /// Where it is wrong.
    pub span: Option<Span>,
    /// A few words beside the marked place.
    pub label: String,
    /// Other places that explain this one.
    pub notes: Vec<(Span, String)>,
    /// Ways out.
    pub help: Vec<String>,
}

impl Diagnostic {
    /// A finding without which the file could be used.
    pub fn error(code: &'static str, message: impl Into<String>) -> Diagnostic {
        Diagnostic::new(Severity::Error, code, message.into())
    }

    /// A finding with which the file can still be used.
    pub fn warning(code: &'static str, message: impl Into<String>) -> Diagnostic {
        Diagnostic::new(Severity::Warning, code, message.into())
    }

    fn new(severity: Severity, code: &'static str, message: String) -> Diagnostic {
        Diagnostic {
            severity,
            code,
            message,
            span: None,
            label: String::new(),
            notes: Vec::new(),
            help: Vec::new(),
        }
    }

    /// Says where.
    pub fn at(mut self, span: Span) -> Diagnostic {
        self.span = Some(span);
        self
    }

    /// Puts a few words beside the marked place.
    pub fn label(mut self, label: impl Into<String>) -> Diagnostic {
        self.label = label.into();
        self
    }

    /// Marks another place that explains this one.
    pub fn note(mut self, span: Span, text: impl Into<String>) -> Diagnostic {
        self.notes.push((span, text.into()));
        self
    }

    /// Offers a way out.
    pub fn help(mut self, text: impl Into<String>) -> Diagnostic {
        self.help.push(text.into());
        self
    }

    fn to_json(&self, sources: &Sources) -> Value {
        let place = |span: Span| {
            let (line, column) = sources.line_col(span);
            (sources.name(span.file).to_owned(), line, column)
        };
        let notes: Vec<Value> = self
            .notes
            .iter()
            .map(|(span, message)| {
                let (file, line, column) = place(*span);
                json!({ "message": message, "file": file, "line": line, "column": column })
            })
            .collect();
        let found = self.span.map(place);
        json!({
            "severity": self.severity.as_str(),
            "code": self.code,
            "message": self.message,
            "file": found.as_ref().map(|(file, ..)| file),
            "line": found.as_ref().map(|(_, line, _)| line),
            "column": found.as_ref().map(|(.., column)| column),
            "label": self.label,
            "notes": notes,
            "help": self.help,
            "source_line": self.span.map(|span| sources.line(span)),
        })
    }
}

/// A finding just put into a sink, open for more words: the builder methods of [`Diagnostic`] again.
#[derive(Debug)]
pub struct Reported<'a>(Option<&'a mut Diagnostic>);

impl Reported<'_> {
    /// Puts a few words beside the marked place.
    pub fn label(mut self, label: impl Into<String>) -> Self {
        if let Some(found) = &mut self.0 {
            found.label = label.into();
        }
        self
    }

    /// Marks another place that explains this one.
    pub fn note(mut self, span: Span, text: impl Into<String>) -> Self {
        if let Some(found) = &mut self.0 {
            found.notes.push((span, text.into()));
        }
        self
    }

    /// Offers a way out.
    pub fn help(mut self, text: impl Into<String>) -> Self {
        if let Some(found) = &mut self.0 {
            found.help.push(text.into());
        }
        self
    }

    /// Offers the name that was probably meant, when there is one.
    pub fn did_you_mean<'n>(self, word: &str, names: impl IntoIterator<Item = &'n str>) -> Self {
        match did_you_mean(word, names) {
            Some(name) => self.help(format!("did you mean `{name}`?")),
            None => self,
        }
    }
}

/// Where findings are collected: checking goes on after the first.
#[derive(Clone, Debug, Default)]
pub struct Diagnostics {
    found: Vec<Diagnostic>,
}

impl Diagnostics {
    /// An empty sink.
    pub fn new() -> Diagnostics {
        Diagnostics::default()
    }

    /// Takes in a finding.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        self.found.push(diagnostic);
    }

    /// Takes in an error at `span`; the answer takes label, notes and help.
    pub fn error(&mut self, code: &'static str, span: Span, message: impl Into<String>) -> Reported<'_> {
        self.report(Diagnostic::error(code, message).at(span))
    }

    /// Takes in a warning at `span`; the answer takes label, notes and help.
    pub fn warning(&mut self, code: &'static str, span: Span, message: impl Into<String>) -> Reported<'_> {
        self.report(Diagnostic::warning(code, message).at(span))
    }

    fn report(&mut self, diagnostic: Diagnostic) -> Reported<'_> {
        self.found.push(diagnostic);
        Reported(self.found.last_mut())
    }

    /// Whether any finding forbids using the file.
    pub fn has_errors(&self) -> bool {
        self.found.iter().any(|found| found.severity == Severity::Error)
    }

    /// How many findings there are.
    pub fn len(&self) -> usize {
        self.found.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// The findings, in order.
    pub fn iter(&self) -> std::slice::Iter<'_, Diagnostic> {
        self.found.iter()
    }

    /// The findings themselves.
    pub fn into_vec(self) -> Vec<Diagnostic> {
        self.found
    }

    /// Takes in all findings of another sink.
    pub fn append(&mut self, other: Diagnostics) {
        self.found.extend(other.found);
    }

    /// Puts the findings in the order of files and places; those without a place come first.
    pub fn sort(&mut self) {
        self.found.sort_by_key(|found| found.span.map(|span| (span.file, span.start)));
    }

    /// The findings as people read them in a terminal: place, line, mark, reason, way out.
    pub fn render(&self, sources: &Sources, color: bool) -> String {
        render::render(&self.clean(sources), sources, color)
    }

    /// The findings as a JSON array, for machines.
    ///
    /// Each is `{severity, code, message, file, line, column, label, notes, help, source_line}`.
    pub fn to_json(&self, sources: &Sources) -> Value {
        self.clean(sources).iter().map(|found| found.to_json(sources)).collect()
    }

    /// The findings with nothing in their words that is to be hidden.
    fn clean(&self, sources: &Sources) -> Vec<Diagnostic> {
        let clean = |found: &Diagnostic| Diagnostic {
            message: sources.clean(&found.message),
            label: sources.clean(&found.label),
            notes: found.notes.iter().map(|(span, note)| (*span, sources.clean(note))).collect(),
            help: found.help.iter().map(|help| sources.clean(help)).collect(),
            ..found.clone()
        };
        self.found.iter().map(clean).collect()
    }
}

impl<'a> IntoIterator for &'a Diagnostics {
    type Item = &'a Diagnostic;
    type IntoIter = std::slice::Iter<'a, Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl Extend<Diagnostic> for Diagnostics {
    fn extend<T: IntoIterator<Item = Diagnostic>>(&mut self, found: T) {
        self.found.extend(found);
    }
}

#[cfg(test)]
mod tests;
