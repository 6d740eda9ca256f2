//! What went wrong in a YAML file, and what was probably meant: YAML's traps are known, so say them.

use super::Key;
use crate::text::diagnostic::{Diagnostic, FileId, Span};

const SYNTAX: &str = "yaml-syntax";

/// The kinds of syntax error that have an answer of their own.
pub(super) enum Trouble {
    Tab,
    Deep,
    OpenQuote,
    OpenBracket,
    Escape,
    Colon,
    Directive,
    Indentation,
    Star,
    Other(String),
}

/// A syntax error at byte `at`.
pub(super) fn syntax(file: FileId, text: &str, at: usize, trouble: Trouble) -> Diagnostic {
    let here = Here::at(text, at);
    let found = |message: &str| Diagnostic::error(SYNTAX, message).at(Span::new(file, at, here.end));
    match trouble {
        Trouble::Tab => found("a tab where YAML allows only spaces")
            .label("a tab")
            .help("indent with spaces; most editors can be told to write them for the tab key"),
        Trouble::Deep => found("values stand too deep in one another").label("one level too many"),
        Trouble::OpenQuote => found("this quote is never closed")
            .help("inside '...' a single quote is written twice: 'it''s'; inside \"...\" a double quote is written \\\""),
        Trouble::OpenBracket => found("a `[` or `{` is never closed"),
        Trouble::Escape => found("an unknown escape in a double-quoted text")
            .help("patterns are easiest in single quotes, where a backslash is a backslash: '\\d+'"),
        Trouble::Directive => found("a line may not begin with `%`").help("put the text in quotes"),
        Trouble::Indentation => found("this line is indented neither like the one before nor like those around it")
            .label("wrong indentation"),
        Trouble::Star => star(found("a text that begins with `*` or `&` needs quotes")),
        Trouble::Colon => match here.trap() {
            Some(trap) => trap.explain(file),
            None => found("a second `: ` on one line, or a key at the wrong depth")
                .label("not a place for a mapping")
                .help("put a text that contains `: ` in quotes, or check the indentation"),
        },
        Trouble::Other(message) => match here.trap() {
            Some(trap) => trap.explain(file),
            None => found(&message),
        },
    }
}

fn star(diagnostic: Diagnostic) -> Diagnostic {
    diagnostic.help("write \"*\": YAML takes an unquoted `*name` for an alias and `&name` for an anchor")
}

/// The place of a syntax error and the line around it.
struct Here<'t> {
    text: &'t str,
    at: usize,
    /// The end of the character at the place.
    end: usize,
    line_start: usize,
    line_end: usize,
}

/// An unquoted text that YAML reads as something else.
enum Trap<'t> {
    /// `{$.a}` that should have been in quotes.
    Hole { text: &'t str, start: usize },
    /// `$.a[0]` between brackets.
    Path { text: &'t str, start: usize },
}

impl<'t> Here<'t> {
    fn at(text: &'t str, at: usize) -> Here<'t> {
        let mut at = at.min(text.len());
        while !text.is_char_boundary(at) {
            at -= 1;
        }
        let (before, after) = text.split_at_checked(at).unwrap_or((text, ""));
        let line_start = before.rfind('\n').map_or(0, |found| found + 1);
        let line_end = after.find('\n').map_or(text.len(), |length| at + length);
        let width = after.chars().next().filter(|sign| *sign != '\n').map_or(0, char::len_utf8);
        Here { text, at, end: at + width, line_start, line_end }
    }

    /// The trap that the line up to this place fell into.
    fn trap(&self) -> Option<Trap<'t>> {
        self.path_with_bracket().or_else(|| self.bare_hole())
    }

    /// An unquoted path with a `[`, inside `[ ]` or `{ }`: the parser stops right at or after that `[`.
    fn path_with_bracket(&self) -> Option<Trap<'t>> {
        let line = self.text.get(self.line_start..self.line_end)?;
        let near = self.at - self.line_start;
        let mut from = 0;
        while let Some(found) = line.get(from..)?.find('$') {
            let start = from + found;
            let token = path_token(line.get(start..)?);
            from = start + token.len().max(1);
            let before = line.get(..start)?.chars().next_back();
            let free = before.is_none_or(|sign| matches!(sign, ' ' | '[' | '{' | ',' | ':'));
            if free && token.contains('[') && (start..=from).contains(&near) {
                return Some(Trap::Path { text: token, start: self.line_start + start });
            }
        }
        None
    }

    /// An unquoted text with holes: `{$.a}/{$.b}`, `{$.a} and more`.
    fn bare_hole(&self) -> Option<Trap<'t>> {
        let line = self.text.get(self.line_start..self.line_end)?;
        let start = line.find("{$")?;
        let before = line.get(..start)?.trim_end();
        if self.line_start + start > self.at
            || !(before.is_empty() || before.ends_with([':', '-', ',', '[', '{']))
        {
            return None;
        }
        let text = line.get(start..)?;
        let text = text.find(" #").and_then(|end| text.get(..end)).unwrap_or(text).trim_end();
        Some(Trap::Hole { text, start: self.line_start + start })
    }
}

impl Trap<'_> {
    fn explain(self, file: FileId) -> Diagnostic {
        match self {
            Trap::Path { text, start } => Diagnostic::error(
                "yaml-path-needs-quotes",
                "a path with `[` inside `[ ]` or `{ }` needs quotes",
            )
            .at(Span::new(file, start, start + text.len()))
            .label("YAML ends the text at this path's first `[`")
            .help(format!("write {}", quoted(text))),
            Trap::Hole { text, start } => {
                Diagnostic::error("yaml-text-needs-quotes", "a text that begins with `{` needs quotes")
                    .at(Span::new(file, start, start + text.len()))
                    .label("YAML reads this `{` as the beginning of a mapping")
                    .help(format!("write {}", quoted(text)))
            }
        }
    }
}

/// As much of `text` as is one path: brackets are followed to their end.
fn path_token(text: &str) -> &str {
    let mut depth = 0usize;
    let mut quote = None;
    for (at, sign) in text.char_indices() {
        match (quote, sign) {
            (Some(open), _) if open == sign => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"') if depth > 0 => quote = Some(sign),
            (None, '[' | '(') => depth += 1,
            (None, ']' | ')') if depth > 0 => depth -= 1,
            (None, ' ' | ',' | ']' | '}' | ':' | '"' | '\'') if depth == 0 => {
                return text.get(..at).unwrap_or(text);
            }
            _ => {}
        }
    }
    text.trim_end()
}

/// `text` as it can stand in YAML.
fn quoted(text: &str) -> String {
    if text.contains('"') || text.contains('\\') {
        format!("'{}'", text.replace('\'', "''"))
    } else {
        format!("\"{text}\"")
    }
}

/// Whether a key between `{ }` was written without a colon after it, as in `{$.id}`.
pub(super) fn has_no_colon(text: &str, key: &Key) -> bool {
    let after = text.get(key.span.end as usize..).unwrap_or("");
    !after.trim_start().starts_with(':')
}

pub(super) fn key_without_value(key: &Key) -> Diagnostic {
    let name = &key.text;
    if name.starts_with('$') {
        return Diagnostic::error("yaml-text-needs-quotes", "a text that begins with `{` needs quotes")
            .at(key.span)
            .label("YAML reads this as a mapping with this key and no value")
            .help(format!("write \"{{{name}}}\" for a text, or {name} for the value itself"));
    }
    Diagnostic::error(SYNTAX, format!("the key `{name}` has no value")).at(key.span).help(format!(
        "write `{name}: null` if it has none, `[{name}]` for a list, or put the text in quotes"
    ))
}

pub(super) fn duplicate_key(key: &Key, first: &Key) -> Diagnostic {
    Diagnostic::error("yaml-duplicate-key", format!("the key `{}` stands twice in one mapping", key.text))
        .at(key.span)
        .label("again here")
        .note(first.span, "first here")
}

pub(super) fn empty_key(span: Span) -> Diagnostic {
    Diagnostic::error(SYNTAX, "a key is missing before this colon").at(span)
}

pub(super) fn complex_key(span: Span) -> Diagnostic {
    Diagnostic::error(SYNTAX, "a key must be a word or a text in quotes")
        .at(span)
        .help("a text that begins with `{`, `[` or `*` needs quotes")
}

pub(super) fn second_document(span: Span) -> Diagnostic {
    Diagnostic::error(SYNTAX, "a file holds one document").at(span).label("a second one begins here")
}

pub(super) fn unknown_alias(span: Span, name: &str) -> Diagnostic {
    star(Diagnostic::error("yaml-unknown-alias", format!("no anchor `&{name}` stands before this")).at(span))
}

pub(super) fn alias_in_itself(span: Span) -> Diagnostic {
    Diagnostic::error(SYNTAX, "an alias inside the value that it stands for").at(span)
}

pub(super) fn too_many_copies(span: Span, most: usize) -> Diagnostic {
    Diagnostic::error(SYNTAX, format!("aliases make more than {most} values of this file")).at(span)
}

pub(super) fn merge_of_no_mapping(key: &Key, found: &str) -> Diagnostic {
    Diagnostic::error(SYNTAX, format!("`<<` merges mappings, and this is {found}")).at(key.span)
}

pub(super) fn unknown_tag(span: Span, tag: &str) -> Diagnostic {
    Diagnostic::error("yaml-unknown-tag", format!("the tag `{tag}` means nothing here"))
        .at(span)
        .help("a text that begins with `!` needs quotes")
}

pub(super) fn wrong_tag(span: Span, tag: &str, value: &str) -> Diagnostic {
    Diagnostic::error("yaml-unknown-tag", format!("`{value}` is not what its tag `{tag}` says")).at(span)
}
