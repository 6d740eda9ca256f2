//! What went wrong in a YAML file, and what was probably meant: YAML's traps are known, so say them.

mod braces;

pub(super) use braces::{doubled_braces, path_around};

use super::slips;
use crate::text::diagnostic::{Diagnostic, FileId, Span};

const SYNTAX: &str = "yaml-syntax";

/// The kinds of syntax error that have an answer of their own.
pub(super) enum Trouble {
    Tab,
    Deep,
    OpenQuote,
    AfterQuote,
    Escape,
    OpenBracket,
    StrayBracket,
    WrongBracket(char),
    /// Neither a comma nor this bracket.
    Separator(char),
    Colon,
    Key,
    Item,
    Dash,
    Sign(char),
    Star,
    Indentation,
    Other(String),
}

/// A syntax error at byte `at`.
pub(super) fn syntax(file: FileId, text: &str, at: usize, trouble: &Trouble) -> Diagnostic {
    let here = Here::at(text, at);
    match trouble {
        Trouble::Separator(_) | Trouble::Colon | Trouble::Key | Trouble::Star | Trouble::Other(_) => {
            match here.trap() {
                Some(trap) => trap.explain(file),
                None if matches!(trouble, Trouble::Separator('}')) && here.sign() == Some(':') => {
                    braces::second_colon(file, &here).unwrap_or_else(|| plain_syntax(file, &here, trouble))
                }
                None => plain_syntax(file, &here, trouble),
            }
        }
        Trouble::Tab => plain_syntax(file, &here.tab(), trouble),
        _ => plain_syntax(file, &here, trouble),
    }
}

fn plain_syntax(file: FileId, here: &Here<'_>, trouble: &Trouble) -> Diagnostic {
    let found = |message: &str| Diagnostic::error(SYNTAX, message).at(Span::new(file, here.at, here.end));
    match trouble {
        Trouble::Tab => found("a tab where YAML allows only spaces")
            .label("a tab")
            .help("indent with spaces; most editors can be told to write them for the tab key"),
        Trouble::Deep => found("values stand too deep in one another").label("one level too many"),
        Trouble::OpenQuote => found("this quote is never closed").help(QUOTES),
        Trouble::AfterQuote => found("text after the closing quote").help(QUOTES),
        Trouble::Escape => found("an unknown escape in a double-quoted text")
            .help("patterns are easiest in single quotes, where a backslash is a backslash: '\\d+'"),
        Trouble::OpenBracket if here.sign() == Some(',') => found("a value is missing before this comma"),
        Trouble::OpenBracket => found("this bracket is never closed"),
        Trouble::StrayBracket => {
            found("this bracket closes nothing").help("a text that begins with it needs quotes")
        }
        Trouble::WrongBracket(close) => found(&format!("this bracket is closed by `{close}`")),
        Trouble::Separator(close) => found(&format!("expected `,` or `{close}`"))
            .help("a text with `,`, `[`, `]`, `{` or `}` inside brackets needs quotes"),
        Trouble::Colon if here.begins_line_with_key() => found("this key cannot stand here")
            .label("the key before this colon")
            .help("check the indentation, and that the key above it ends with a colon and a space"),
        Trouble::Colon => found("a second `: ` on one line")
            .label("not a place for a mapping")
            .help("put a text that contains `: ` in quotes, or begin the inner mapping on a line of its own"),
        Trouble::Key => found("expected a key here, as on the lines above")
            .help("check the indentation: it must be that of an earlier line"),
        Trouble::Item => found("expected another item, `- ...`, as on the lines above")
            .help("check the indentation; a mapping and a list cannot stand side by side"),
        Trouble::Dash => found("a list cannot begin here")
            .help("begin it on a line of its own below the key, or write it as [ ... ]"),
        Trouble::Sign(sign) => {
            found(&format!("a text cannot begin with {sign}")).help("put the text in quotes")
        }
        Trouble::Star => found(STAR_ALONE).help(STAR),
        Trouble::Indentation => found("the indentation of this line is wrong")
            .help("it must be that of an earlier line, or deeper than the line above"),
        Trouble::Other(message) => found(message),
    }
}

/// Shows the open bracket around a syntax error, if it is on an earlier line: it may be the one forgotten.
pub(super) fn in_bracket(text: &str, found: Diagnostic, bracket: Option<Span>) -> Diagnostic {
    let (Some(bracket), Some(span)) = (bracket, found.span) else { return found };
    let between = text.get(bracket.start as usize..span.start as usize);
    if between.is_some_and(|between| between.contains('\n')) {
        return found.note(bracket, "this bracket is still open");
    }
    found
}

const QUOTES: &str =
    "inside '...' a single quote is written twice: 'it''s'; inside \"...\" a double quote is written \\\"";
const STAR_ALONE: &str = "a text that begins with `*` or `&` needs quotes";
const STAR: &str = "YAML takes an unquoted `*name` for an alias and `&name` for an anchor";

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
    /// `${NAME}` between brackets.
    Variable { text: &'t str, start: usize },
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

    /// The character at the place.
    fn sign(&self) -> Option<char> {
        self.text.get(self.at..)?.chars().next()
    }

    /// The tab that this is about: parsers stop before it, at it or after it.
    fn tab(self) -> Here<'t> {
        let before =
            self.text.get(..self.at).filter(|before| before.ends_with('\t')).map(|before| before.len() - 1);
        let after = || self.text.get(self.at..)?.find('\t').map(|found| self.at + found);
        match before.or_else(after) {
            Some(at) => Here::at(self.text, at),
            None => self,
        }
    }

    /// Whether only a key stands before this colon, and no other colon.
    fn begins_line_with_key(&self) -> bool {
        let before = self.text.get(self.line_start..self.at).unwrap_or("");
        !before.contains(": ") && !before.trim_end().ends_with(':')
    }

    /// The trap that the line up to this place fell into.
    fn trap(&self) -> Option<Trap<'t>> {
        self.bracket_in_word().or_else(|| self.bare_hole())
    }

    /// An unquoted path with a `[`, or `${NAME}`, inside `[ ]` or `{ }`: the parser stops in it.
    fn bracket_in_word(&self) -> Option<Trap<'t>> {
        let line = self.text.get(self.line_start..self.line_end)?;
        let near = self.at - self.line_start;
        let mut from = 0;
        while let Some(found) = line.get(from..)?.find('$') {
            let start = from + found;
            let text = word(line.get(start..)?);
            from = start + text.len().max(1);
            let before = line.get(..start)?.chars().next_back();
            let free = before.is_none_or(|sign| matches!(sign, ' ' | '[' | '{' | ',' | ':'));
            if !free || !(start..=from).contains(&near) {
                continue;
            }
            let start = self.line_start + start;
            if text.starts_with("${") {
                return Some(Trap::Variable { text, start });
            }
            if text.contains('[') {
                return Some(Trap::Path { text, start });
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
            Trap::Variable { text, start } => {
                Diagnostic::error("yaml-text-needs-quotes", "`${...}` inside `[ ]` or `{ }` needs quotes")
                    .at(Span::new(file, start, start + text.len()))
                    .label("YAML reads this `{` as the beginning of a mapping")
                    .help(format!("write {}", quoted(text)))
            }
            Trap::Hole { text, start } => {
                Diagnostic::error("yaml-text-needs-quotes", "a text that begins with `{` needs quotes")
                    .at(Span::new(file, start, start + text.len()))
                    .label("YAML reads this `{` as the beginning of a mapping")
                    .help(format!("write {}", quoted(text)))
            }
        }
    }
}

/// As much of `text` as is one word: brackets are followed to their end.
fn word(text: &str) -> &str {
    let mut depth = 0usize;
    let mut quote = None;
    for (at, sign) in text.char_indices() {
        match (quote, sign) {
            (Some(open), _) if open == sign => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"') if depth > 0 => quote = Some(sign),
            (None, '[' | '(' | '{') => depth += 1,
            (None, ']' | ')' | '}') if depth > 0 => depth -= 1,
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
pub(super) fn has_no_colon(text: &str, key: Span) -> bool {
    let after = text.get(key.end as usize..).unwrap_or("");
    !after.trim_start().starts_with(':')
}

pub(super) fn key_without_value(text: &str, name: &str, span: Span) -> Diagnostic {
    if text.get(span.end as usize..).is_some_and(|after| after.starts_with('[')) {
        let path = word(text.get(span.start as usize..).and_then(|rest| rest.lines().next()).unwrap_or(name));
        if path.contains(']') {
            return Trap::Path { text: path, start: span.start as usize }.explain(span.file);
        }
    }
    if let Some(key) = slips::glued_name(name) {
        return match name.find('：') {
            Some(at) if at == key.len() => slips::other_sign(span.file, span.start as usize + at, '：'),
            _ => slips::missing_space(span, key),
        };
    }
    if name.starts_with('$') {
        return Diagnostic::error("yaml-text-needs-quotes", "a text that begins with `{` needs quotes")
            .at(span)
            .label("YAML reads this as a mapping with this key and no value")
            .help(format!("write \"{{{name}}}\" for a text, or {name} for the value itself"));
    }
    let found = Diagnostic::error(SYNTAX, format!("the key `{name}` has no value")).at(span);
    found.help(format!(
        "write `{name}: null` if it has none, `[{name}]` for a list, or put the text in quotes"
    ))
}

pub(super) fn duplicate_key(name: &str, again: Span, first: Span) -> Diagnostic {
    Diagnostic::error("yaml-duplicate-key", format!("the key `{name}` stands twice in one mapping"))
        .at(again)
        .label("again here")
        .note(first, "first here")
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
    let name = name.trim_end_matches(':');
    if name.is_empty() {
        return Diagnostic::error(SYNTAX, STAR_ALONE).at(span).help(STAR);
    }
    Diagnostic::error("yaml-unknown-alias", format!("no anchor `&{name}` stands before this"))
        .at(span)
        .help(format!("for a text, write \"*{name}\": {STAR}"))
}

pub(super) fn alias_in_itself(span: Span) -> Diagnostic {
    Diagnostic::error(SYNTAX, "an alias inside the value that it stands for").at(span)
}

pub(super) fn too_many_copies(span: Span, most: usize) -> Diagnostic {
    Diagnostic::error(SYNTAX, format!("aliases make more than {most} values of this file")).at(span)
}

pub(super) fn merge_of_no_mapping(key: Span, found: &str) -> Diagnostic {
    Diagnostic::error(SYNTAX, format!("`<<` merges mappings, and this is {found}")).at(key)
}

pub(super) fn unknown_tag(span: Span, tag: &str) -> Diagnostic {
    Diagnostic::error("yaml-unknown-tag", format!("the tag `{tag}` means nothing here"))
        .at(span)
        .help("a text that begins with `!` needs quotes")
}

pub(super) fn wrong_tag(span: Span, tag: &str, value: &str) -> Diagnostic {
    Diagnostic::error("yaml-unknown-tag", format!("`{value}` is not what its tag `{tag}` says")).at(span)
}
