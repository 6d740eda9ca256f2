//! What is wrong with a file, said to a person: many findings at once, each with its place, its reason and a way out.

use serde_json::{Value, json};

mod names;
mod render;
mod sources;

pub use names::did_you_mean;
pub use sources::{FileId, Sources, Span};

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

    /// The finding on one line, for a log: place, message, and the line of the file that it is about.
    pub fn one_line(&self, sources: &Sources) -> String {
        let message = sources.clean(&self.message);
        let Some(span) = self.span else { return message };
        let (line, column) = sources.line_col(span);
        let text = sources.line(span).trim();
        let text = if text.is_empty() { String::new() } else { format!(": {text}") };
        format!("{}:{line}:{column}: {message}{text}", sources.name(span.file))
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

    /// Takes in the findings of a later look at the same files, but for those at a place where an error has
    /// been told already: they would tell the same mistake again.
    pub fn append_news(&mut self, later: Diagnostics) {
        let told: Vec<Span> = self
            .found
            .iter()
            .filter(|found| found.severity == Severity::Error)
            .filter_map(|found| found.span)
            .collect();
        let news = |found: &Diagnostic| found.span.is_none_or(|span| !told.contains(&span));
        self.found.extend(later.found.into_iter().filter(news));
    }

    /// Puts the findings in the order of files and places, those without a place first, and keeps each once:
    /// what several use is looked at several times.
    pub fn sort(&mut self) {
        self.found.sort_by_key(|found| found.span.map(|span| (span.file, span.start)));
        let same = |one: &Diagnostic, other: &Diagnostic| {
            one.code == other.code
                && one.span.is_some()
                && one.span == other.span
                && one.message == other.message
        };
        self.found.dedup_by(|one, other| same(one, other));
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
