//! A path's text made ready for the library: the root's name taken off, and every dotted name put in brackets.
//!
//! The library takes `[?@.id in ['1']]` for a member named `id in`, and knows no dash in a dotted name. Names
//! in brackets leave it no room for either.

use super::PathError;

/// Brackets and parentheses that may stand inside one another.
const MAX_NESTING: usize = 32;
/// Function calls inside one another: the library's time grows exponentially with them.
const MAX_CALLS: usize = 4;
const MAX_BYTES: usize = 4096;

/// A path's text as the library shall read it, and where its parts come from.
pub(super) struct Normal {
    pub root: String,
    pub text: String,
    /// (offset in `text`, offset in the original), ascending: a place lies as far behind one as behind the other.
    places: Vec<(usize, usize)>,
}

impl Normal {
    /// The offset in the path as written.
    pub fn original(&self, offset: usize) -> usize {
        let before = self.places.partition_point(|(normal, _)| *normal <= offset);
        let (normal, original) =
            before.checked_sub(1).and_then(|i| self.places.get(i)).copied().unwrap_or_default();
        original + offset.saturating_sub(normal)
    }
}

pub(super) fn error(offset: usize, message: impl Into<String>) -> PathError {
    PathError { offset, message: message.into(), help: None }
}

pub(super) fn error_help(offset: usize, message: impl Into<String>, help: impl Into<String>) -> PathError {
    PathError { offset, message: message.into(), help: Some(help.into()) }
}

fn begins_name(c: char) -> bool {
    c.is_ascii_alphabetic() || c == '_' || !c.is_ascii()
}

fn continues_name(c: char) -> bool {
    begins_name(c) || c.is_ascii_digit() || c == '-'
}

/// How many bytes of `text` are a name.
pub(super) fn name_length(text: &str) -> usize {
    match text.chars().next() {
        Some(first) if begins_name(first) => text.find(|c| !continues_name(c)).unwrap_or(text.len()),
        _ => 0,
    }
}

pub(super) fn normalise(text: &str) -> Result<Normal, PathError> {
    let Some(after) = text.strip_prefix('$') else {
        return Err(error_help(0, "a path begins with `$`", "`$.name` or `$root.name`"));
    };
    if text.len() > MAX_BYTES {
        return Err(error(MAX_BYTES, format!("a path may have {MAX_BYTES} bytes")));
    }
    let root = after.get(..name_length(after)).unwrap_or_default().to_owned();
    let at = 1 + root.len();
    let mut scan = Scan { text, at, out: "$".to_owned(), places: vec![(0, 0)], open: Vec::new() };
    scan.run()?;
    Ok(Normal { root, text: scan.out, places: scan.places })
}

struct Scan<'a> {
    text: &'a str,
    at: usize,
    out: String,
    places: Vec<(usize, usize)>,
    /// Where brackets and parentheses opened: which, and whether a function call's.
    open: Vec<(usize, char, bool)>,
}

impl Scan<'_> {
    fn run(&mut self) -> Result<(), PathError> {
        while let Some(c) = self.rest().chars().next() {
            match c {
                '\'' | '"' => self.quoted(c)?,
                '.' => self.dot()?,
                '[' | '(' => self.opens(c)?,
                ']' | ')' => self.closes(c)?,
                '$' => self.dollar()?,
                ' ' | '\t' | '\n' | '\r' => self.space()?,
                _ if begins_name(c) => self.word()?,
                _ if self.open.is_empty() => return Err(self.stray()),
                _ => self.copy(c.len_utf8()),
            }
        }
        match self.open.last() {
            Some((at, bracket, _)) => Err(error(*at, format!("this `{bracket}` is never closed"))),
            None => Ok(()),
        }
    }

    fn rest(&self) -> &str {
        self.text.get(self.at..).unwrap_or_default()
    }

    /// Copies `bytes` bytes as they are.
    fn copy(&mut self, bytes: usize) {
        let part = self.rest().get(..bytes).unwrap_or_default().to_owned();
        self.put(&part, bytes);
    }

    /// Writes `out` for the next `bytes` bytes.
    fn put(&mut self, out: &str, bytes: usize) {
        self.places.push((self.out.len(), self.at));
        self.out.push_str(out);
        self.at += bytes;
    }

    fn quoted(&mut self, quote: char) -> Result<(), PathError> {
        if self.open.is_empty() {
            return Err(self.stray());
        }
        let mut escaped = false;
        for (i, c) in self.rest().char_indices().skip(1) {
            match c {
                _ if escaped => escaped = false,
                '\\' => escaped = true,
                c if c == quote => {
                    self.copy(i + 1);
                    return Ok(());
                }
                c if c.is_ascii_control() => {
                    return Err(error(self.at + i, "a line break or control character inside quotes"));
                }
                _ => {}
            }
        }
        Err(error(self.at, format!("this {quote} is never closed")))
    }

    fn dot(&mut self) -> Result<(), PathError> {
        let rest = self.rest();
        let dots = if rest.starts_with("..") { 2 } else { 1 };
        let after = rest.get(dots..).unwrap_or_default();
        let next = after.chars().next();
        let name = name_length(after);
        if name > 0 {
            let name = after.get(..name).unwrap_or_default();
            let bracketed = format!("{}['{name}']", if dots == 2 { ".." } else { "" });
            let bytes = dots + name.len();
            self.put(&bracketed, bytes);
            return Ok(());
        }
        match next {
            Some('*') => self.copy(dots + 1),
            Some('[') if dots == 2 => self.copy(dots),
            // The dot of a number in a filter.
            Some('0'..='9')
                if dots == 1 && self.out.ends_with(|c: char| c.is_ascii_digit()) && !self.open.is_empty() =>
            {
                self.copy(1);
            }
            Some('[') => {
                return Err(error_help(
                    self.at,
                    "a dot before `[`",
                    "write the bracket alone, without the dot",
                ));
            }
            Some('0'..='9') => {
                let help = "an item is `[0]`, a member named so is `['0']`";
                return Err(error_help(self.at + dots, "a name after a dot cannot begin with a digit", help));
            }
            _ => {
                let help = "write a name, `*`, or `['any name']` without the dot";
                return Err(error_help(self.at + dots, "a name must follow the dot", help));
            }
        }
        Ok(())
    }

    fn opens(&mut self, bracket: char) -> Result<(), PathError> {
        let call = bracket == '(' && self.out.ends_with(|c: char| c.is_ascii_alphabetic() || c == '_');
        if bracket == '(' && self.open.is_empty() {
            return Err(self.stray());
        }
        let calls = self.open.iter().filter(|(_, _, call)| *call).count() + usize::from(call);
        if self.open.len() >= MAX_NESTING || calls > MAX_CALLS {
            return Err(error(self.at, "too deeply nested"));
        }
        self.open.push((self.at, bracket, call));
        self.copy(1);
        Ok(())
    }

    fn closes(&mut self, bracket: char) -> Result<(), PathError> {
        let opening = if bracket == ']' { '[' } else { '(' };
        match self.open.pop() {
            Some((_, open, _)) if open == opening => self.copy(1),
            _ => return Err(error(self.at, format!("this `{bracket}` closes nothing"))),
        }
        Ok(())
    }

    fn dollar(&mut self) -> Result<(), PathError> {
        if self.open.is_empty() {
            return Err(self.stray());
        }
        let name = name_length(self.rest().get(1..).unwrap_or_default());
        if name > 0 {
            let help = "`$` alone is the document; bring other values in with a condition instead";
            return Err(error_help(self.at, "inside a filter only `$` and `@` can be named", help));
        }
        self.copy(1);
        Ok(())
    }

    fn space(&mut self) -> Result<(), PathError> {
        let rest = self.rest();
        let space = rest.find(|c| !matches!(c, ' ' | '\t' | '\n' | '\r')).unwrap_or(rest.len());
        let next = rest.get(space..).and_then(|after| after.chars().next());
        if self.open.is_empty() && !matches!(next, Some('.' | '[')) {
            return Err(self.stray());
        }
        self.put(" ", space);
        Ok(())
    }

    /// A bare word in a filter: a function or a literal, or a mistake that the library would not explain.
    fn word(&mut self) -> Result<(), PathError> {
        if self.open.is_empty() {
            return Err(self.stray());
        }
        let rest = self.rest();
        let length = name_length(rest);
        let (word, after) = rest.split_at_checked(length).unwrap_or_default();
        match word {
            "true" | "false" | "null" => {}
            "length" | "count" | "value" | "match" | "search" if after.starts_with('(') => {}
            // The exponent of a number.
            "e" | "E" | "e-" | "E-" if self.out.ends_with(|c: char| c.is_ascii_digit()) => {}
            _ if self.out.ends_with(|c: char| c.is_ascii_digit()) && exponent(word) => {}
            "and" | "or" | "not" | "AND" | "OR" | "NOT" => {
                return Err(error_help(
                    self.at,
                    format!("`{word}` is no operator"),
                    "`&&`, `||` and `!` are",
                ));
            }
            "in" | "nin" | "contains" if !after.starts_with('(') => {
                let help = "compare with `==`, and join with `||`; or use a condition beside the path";
                return Err(error_help(self.at, format!("`{word}` is no operator"), help));
            }
            _ if after.starts_with('(') => {
                let help = "there are length, count, value, match and search";
                return Err(error_help(self.at, format!("there is no function `{word}`"), help));
            }
            _ => {
                let help = format!(
                    "a member's name or a text is quoted: `'{word}'`; a member of the value is `@.{word}`"
                );
                return Err(error_help(self.at, format!("`{word}` means nothing here"), help));
            }
        }
        self.copy(length);
        Ok(())
    }

    fn stray(&self) -> PathError {
        let help =
            "a path inside a text stands in braces: `{$.name}`; a name with other characters is `['so']`";
        error_help(self.at, "only `.` or `[` can follow here", help)
    }
}

fn exponent(word: &str) -> bool {
    let digits = word.strip_prefix(['e', 'E']).map(|rest| rest.strip_prefix('-').unwrap_or(rest));
    digits.is_some_and(|digits| digits.chars().all(|c| c.is_ascii_digit()))
}
