//! Regular expressions: read and checked at once, compiled when they are first needed.

mod letters;

use std::fmt;
use std::sync::{Arc, OnceLock};

use regex::{Captures, Regex};
use regex_syntax::ParserBuilder;
use regex_syntax::hir::{Class, Hir, HirKind};

use letters::Letters;

/// Needles shorter than this, in bytes, are found everywhere and tell nothing.
const SHORTEST: usize = 3;
/// A pattern that has more parts than this is compiled at once, to see whether it is too large.
const LARGE: usize = 20_000;

/// A regular expression that is known to be sound. Clones share what has been compiled.
#[derive(Clone)]
pub struct Pattern(Arc<Inner>);

impl fmt::Debug for Pattern {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_tuple("Pattern").field(&self.0.text).finish()
    }
}

struct Inner {
    text: String,
    /// How many groups it has, and the names of those that have one.
    count: usize,
    groups: Vec<String>,
    needles: Vec<String>,
    letters: Option<Letters>,
    regex: OnceLock<Option<Regex>>,
}

impl Pattern {
    /// Reads a pattern. The error is one sentence.
    pub fn parse(text: &str) -> Result<Pattern, String> {
        let light = read_lightly(text).filter(|parsed| weight(parsed, true) <= LARGE);
        let regex = OnceLock::new();
        let parsed = match light {
            Some(parsed) => parsed,
            None => {
                let parsed = read(text)?;
                if weight(&parsed, false) > LARGE {
                    let compiled = Regex::new(text).map_err(|error| in_a_sentence(&error))?;
                    let _ = regex.set(Some(compiled));
                }
                parsed
            }
        };
        let mut groups = Vec::new();
        group_names(&parsed, &mut groups);
        let needles = told(known(&parsed));
        let count = parsed.properties().explicit_captures_len();
        let letters = Letters::of(&parsed);
        Ok(Pattern(Arc::new(Inner { text: text.to_owned(), count, groups, needles, letters, regex })))
    }

    /// As it is written.
    pub fn as_str(&self) -> &str {
        &self.0.text
    }

    /// The names of its groups.
    pub fn groups(&self) -> &[String] {
        &self.0.groups
    }

    /// How many groups it has, with a name or without; the whole match is not one of them.
    pub fn group_count(&self) -> usize {
        self.0.count
    }

    /// Texts in small letters: where the pattern matches, one of them stands, whatever the case of its letters
    /// from A to Z. Empty if nothing of the kind is known. Letters outside of ASCII that are the same as one of
    /// these when case is left aside are not thought of; see [`is_odd`].
    pub fn needles(&self) -> &[String] {
        &self.0.needles
    }

    /// The characters of the shortest text that it may match; less where that is not known.
    pub fn shortest(&self) -> usize {
        read(&self.0.text).map_or(0, |parsed| shortest(&parsed))
    }

    /// Whether it matches somewhere.
    pub fn is_match(&self, text: &str) -> bool {
        let told = self.0.letters.as_ref().and_then(|letters| letters.fit(text));
        told.unwrap_or_else(|| self.regex().is_some_and(|regex| regex.is_match(text)))
    }

    /// What its groups have where it first matches.
    pub fn captures<'t>(&self, text: &'t str) -> Option<Captures<'t>> {
        self.regex()?.captures(text)
    }

    /// The compiled form; `None` only if memory's limit is hit after all.
    pub fn regex(&self) -> Option<&Regex> {
        self.0.regex.get_or_init(|| Regex::new(&self.0.text).ok()).as_ref()
    }
}

/// The pattern's parts.
fn read(text: &str) -> Result<Hir, String> {
    regex_syntax::parse(text).map_err(|error| in_a_sentence(&error))
}

/// The same without looking up what Unicode says of letters and their cases, which is most of the work and of no use
/// until it is compiled: only what a class stands for is not so then. `None` where that is not all, or if it is wrong.
fn read_lightly(text: &str) -> Option<Hir> {
    // These ask for single characters, or for bytes, by what they are.
    let is_special = |sign: &str| sign.starts_with(['x', 'u', 'U', 'p', 'P']);
    let flags = |group: &str| group.find(|c: char| !c.is_ascii_alphabetic() && c != '-').unwrap_or(0);
    let chooses = |group: &str| group.get(..flags(group)).is_some_and(|flags| flags.contains('u'));
    if !text.is_ascii() || text.split('\\').skip(1).any(is_special) || text.split("(?").skip(1).any(chooses) {
        return None;
    }
    ParserBuilder::new().unicode(false).utf8(false).build().parse(text).ok()
}

/// Whether the text has one of the two letters that count as a `k` and an `s` when case is left aside.
pub fn is_odd(text: &str) -> bool {
    !text.is_ascii() && text.contains(['\u{212A}', '\u{17F}'])
}

/// What is known of all texts that a pattern matches, in small letters.
enum Known {
    /// They are this.
    Exactly(String),
    /// Each has one of these in it.
    OneOf(Vec<String>),
    /// Nothing.
    Nothing,
}

/// What of it is worth looking for.
fn told(known: Known) -> Vec<String> {
    let needles = match known {
        Known::Exactly(text) => vec![text],
        Known::OneOf(texts) => texts,
        Known::Nothing => Vec::new(),
    };
    if needles.iter().all(|text| text.len() >= SHORTEST) { needles } else { Vec::new() }
}

/// It recurs as deep as the pattern, which its parser bounds.
fn known(pattern: &Hir) -> Known {
    match pattern.kind() {
        HirKind::Empty | HirKind::Look(_) => Known::Exactly(String::new()),
        HirKind::Literal(literal) => match std::str::from_utf8(&literal.0) {
            Ok(text) => Known::Exactly(text.to_ascii_lowercase()),
            Err(_) => Known::Nothing,
        },
        HirKind::Class(class) => {
            one_letter(class).map_or(Known::Nothing, |letter| Known::Exactly(letter.into()))
        }
        HirKind::Capture(group) => known(&group.sub),
        HirKind::Repetition(repeated) if repeated.min == 0 => Known::Nothing,
        HirKind::Repetition(repeated) => match known(&repeated.sub) {
            Known::Exactly(text) if !text.is_empty() => Known::OneOf(vec![text]),
            Known::OneOf(texts) => Known::OneOf(texts),
            _ => Known::Nothing,
        },
        HirKind::Concat(parts) => in_a_row(parts),
        HirKind::Alternation(parts) => {
            let mut all = Vec::new();
            for part in parts {
                match known(part) {
                    Known::Exactly(text) if !text.is_empty() => all.push(text),
                    Known::OneOf(texts) => all.extend(texts),
                    _ => return Known::Nothing,
                }
            }
            Known::OneOf(all)
        }
    }
}

/// Of parts that follow one another: all, if each is known exactly, else the part that tells most.
fn in_a_row(parts: &[Hir]) -> Known {
    let mut best: Option<Vec<String>> = None;
    let mut offer = |texts: Vec<String>| {
        let worth = |texts: &[String]| {
            (texts.iter().map(String::len).min().unwrap_or(0), std::cmp::Reverse(texts.len()))
        };
        if best.as_ref().is_none_or(|best| worth(&texts) > worth(best)) {
            best = Some(texts);
        }
    };
    let mut run = String::new();
    let mut is_exact = true;
    for part in parts {
        match known(part) {
            Known::Exactly(text) => run.push_str(&text),
            other => {
                is_exact = false;
                offer(vec![std::mem::take(&mut run)]);
                if let Known::OneOf(texts) = other {
                    offer(texts);
                }
            }
        }
    }
    if is_exact {
        return Known::Exactly(run);
    }
    offer(vec![run]);
    best.filter(|texts| texts.iter().all(|text| !text.is_empty())).map_or(Known::Nothing, Known::OneOf)
}

/// The letter that a class stands for, if it stands for one letter, large or small.
fn one_letter(class: &Class) -> Option<char> {
    let mut letters = match class {
        Class::Unicode(class) => first_four(class.iter().flat_map(|range| range.start()..=range.end())),
        Class::Bytes(class) if class.is_ascii() => {
            first_four(class.iter().flat_map(|range| range.start()..=range.end()).map(char::from))
        }
        Class::Bytes(_) => return None,
    };
    letters.dedup();
    if let [letter] = letters[..] { Some(letter) } else { None }
}

/// More than any letter has forms.
fn first_four(letters: impl Iterator<Item = char>) -> Vec<char> {
    letters.take(4).map(small).collect()
}

fn small(letter: char) -> char {
    match letter {
        '\u{212A}' => 'k',
        '\u{17F}' => 's',
        other => other.to_ascii_lowercase(),
    }
}

/// How much there is to compile, roughly: states. Of a pattern that was read lightly, rather too much: any class of it may
/// be one of Unicode's, of which those for digits and for letters are the longest.
fn weight(pattern: &Hir, read_lightly: bool) -> usize {
    let sum =
        |parts: &[Hir]| parts.iter().map(|part| weight(part, read_lightly)).fold(1, usize::saturating_add);
    match pattern.kind() {
        HirKind::Empty | HirKind::Look(_) => 1,
        HirKind::Literal(literal) => literal.0.len(),
        HirKind::Class(class) => {
            let ranges = match class {
                Class::Unicode(class) => class.ranges().len(),
                Class::Bytes(class) => class.ranges().len(),
            };
            match ranges {
                _ if !read_lightly => ranges.saturating_mul(4),
                _ if one_letter(class).is_some() => 16,
                ..3 => 400,
                _ => 4000,
            }
        }
        HirKind::Capture(group) => weight(&group.sub, read_lightly).saturating_add(2),
        HirKind::Repetition(repeated) => {
            let times = repeated.max.unwrap_or(repeated.min).max(1);
            weight(&repeated.sub, read_lightly).saturating_mul(times as usize)
        }
        HirKind::Concat(parts) | HirKind::Alternation(parts) => sum(parts),
    }
}

fn shortest(pattern: &Hir) -> usize {
    match pattern.kind() {
        HirKind::Empty | HirKind::Look(_) => 0,
        HirKind::Literal(literal) => std::str::from_utf8(&literal.0).map_or(0, |text| text.chars().count()),
        HirKind::Class(_) => 1,
        HirKind::Repetition(repeated) => shortest(&repeated.sub).saturating_mul(repeated.min as usize),
        HirKind::Capture(group) => shortest(&group.sub),
        HirKind::Concat(parts) => parts.iter().map(shortest).fold(0, usize::saturating_add),
        HirKind::Alternation(parts) => parts.iter().map(shortest).min().unwrap_or_default(),
    }
}

fn group_names(pattern: &Hir, names: &mut Vec<String>) {
    match pattern.kind() {
        HirKind::Capture(group) => {
            names.extend(group.name.as_ref().map(|name| name.to_string()));
            group_names(&group.sub, names);
        }
        HirKind::Repetition(repeated) => group_names(&repeated.sub, names),
        HirKind::Concat(parts) | HirKind::Alternation(parts) => {
            parts.iter().for_each(|part| group_names(part, names));
        }
        HirKind::Empty | HirKind::Literal(_) | HirKind::Class(_) | HirKind::Look(_) => {}
    }
}

fn in_a_sentence(error: &dyn std::error::Error) -> String {
    last_sentence(&error.to_string()).to_owned()
}

/// What to write instead of what other programs know in patterns, by the sentence of an error.
pub fn way_out(error: &str) -> Option<&'static str> {
    if error.contains("look-around") {
        Some(
            "write what has to stand there into the pattern itself; for what must not stand there, write a condition with \
             `not`, or something above this one that takes it first",
        )
    } else if error.contains("backreferences") {
        Some("write each case out: `a a|b b` for `(a|b) \\1`")
    } else {
        None
    }
}

/// The one sentence in a regex error, which is otherwise a drawing of several lines.
pub fn last_sentence(text: &str) -> &str {
    text.lines().last().unwrap_or(text).trim_start_matches("error: ").trim()
}

#[cfg(test)]
mod tests;
