//! Texts between braces that YAML takes apart, and doubled braces.

use super::{Here, quoted};
use crate::text::diagnostic::{Diagnostic, FileId, Span};

/// An unquoted text with `: ` as a value between braces.
pub(super) fn second_colon(file: FileId, here: &Here<'_>) -> Option<Diagnostic> {
    let before = here.text.get(here.line_start..here.at)?;
    let (entry, value) = before.rsplit_once(": ")?;
    let value = value.trim_start();
    let start = here.at - value.len();
    let rest = here.text.get(start..here.line_end)?;
    let length =
        value.len() + rest.get(value.len()..)?.find([',', '}', ']']).unwrap_or(rest.len() - value.len());
    let text = rest.get(..length)?.trim_end();
    if value.is_empty() || value.contains([',', '{', '[', ']', '}', '"', '\'']) {
        return None;
    }
    let found = Diagnostic::error("yaml-text-needs-quotes", "a text with `: ` inside `{ }` needs quotes")
        .at(Span::new(file, start, start + text.len()))
        .label("YAML takes this for a key and its value");
    let name = entry.rsplit([' ', '{', ',', '"']).next()?;
    // What may be a secret is not repeated.
    let is_shown = !["key", "secret", "proxy", "value"].iter().any(|word| name.contains(word));
    Some(found.help(if is_shown { format!("write {}", quoted(text)) } else { "put it in quotes".to_owned() }))
}

/// `{{NAME}}`, which templates of other programs have for a variable; `second` is the second brace.
pub(in crate::text::yaml) fn doubled_braces(text: &str, second: Span, in_flow: bool) -> Option<Diagnostic> {
    let start = (second.start as usize).checked_sub(1)?;
    let rest = text.get(start..)?.lines().next()?;
    let inner = rest.strip_prefix("{{")?;
    let length = inner.find("}}")? + 4;
    let inner = inner.get(..length - 4)?;
    let name = inner.trim().rsplit(['.', '$', ' ']).next()?;
    let is_name = !name.is_empty() && name.chars().all(|sign| sign.is_ascii_alphanumeric() || sign == '_');
    let name = if is_name { name } else { "NAME" };
    let variable = if in_flow { format!("\"${{{name}}}\"") } else { format!("${{{name}}}") };
    let found = Diagnostic::error("yaml-syntax", "`{{...}}` is not how a variable is written here");
    let found = found.at(Span::new(second.file, start, start + length)).label("YAML reads two mappings");
    Some(found.help(format!("write {variable}; a text that begins with `{{` needs quotes")))
}

/// A path with brackets around byte `at` that stands without quotes between brackets.
pub(in crate::text::yaml) fn path_around(file: FileId, text: &str, at: usize) -> Option<Diagnostic> {
    Here::at(text, at).trap().map(|trap| trap.explain(file))
}
