//! Regular expressions: read and checked at once, compiled when they are first needed.

use std::sync::{Arc, OnceLock};

use regex::Regex;
use regex_syntax::hir::{Class, Hir, HirKind};

/// Needles shorter than this, in bytes, are found everywhere and tell nothing.
const SHORTEST: usize = 3;
/// A pattern that has more parts than this is compiled at once, to see whether it is too large.
const LARGE: usize = 20_000;

/// A regular expression that is known to be sound. Clones share what has been compiled.
#[derive(Clone, Debug)]
pub struct Pattern(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    text: String,
    groups: Vec<String>,
    needles: Vec<String>,
    regex: OnceLock<Option<Regex>>,
}

impl Pattern {
    /// Reads a pattern. The error is one sentence.
    pub fn parse(text: &str) -> Result<Pattern, String> {
        let parsed = regex_syntax::Parser::new()
            .parse(text)
            .map_err(|error| last_sentence(&error.to_string()).to_owned())?;
        let regex = OnceLock::new();
        if weight(&parsed) > LARGE {
            let compiled = Regex::new(text).map_err(|error| last_sentence(&error.to_string()).to_owned())?;
            let _ = regex.set(Some(compiled));
        }
        let mut groups = Vec::new();
        group_names(&parsed, &mut groups);
        let needles = match known(&parsed) {
            Known::Exactly(text) => vec![text],
            Known::OneOf(texts) => texts,
            Known::Nothing => Vec::new(),
        };
        let needles = if needles.iter().all(|text| text.len() >= SHORTEST) { needles } else { Vec::new() };
        Ok(Pattern(Arc::new(Inner { text: text.to_owned(), groups, needles, regex })))
    }

    /// As it is written.
    pub fn as_str(&self) -> &str {
        &self.0.text
    }

    /// The names of its groups.
    pub fn groups(&self) -> &[String] {
        &self.0.groups
    }

    /// Texts in small letters: where the pattern matches, one of them stands, whatever the case of its letters
    /// from A to Z. Empty if nothing of the kind is known. Letters outside of ASCII that are the same as one of
    /// these when case is left aside are not thought of; see [`is_odd`].
    pub fn needles(&self) -> &[String] {
        &self.0.needles
    }

    /// Whether it matches somewhere.
    pub fn is_match(&self, text: &str) -> bool {
        self.regex().is_some_and(|regex| regex.is_match(text))
    }

    /// The compiled form; `None` only if memory's limit is hit after all.
    pub fn regex(&self) -> Option<&Regex> {
        self.0.regex.get_or_init(|| Regex::new(&self.0.text).ok()).as_ref()
    }
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
    let Class::Unicode(class) = class else {
        return None;
    };
    let mut letters = class.iter().flat_map(|range| range.start()..=range.end()).take(4);
    let first = letters.next().map(small)?;
    let more: Vec<char> = letters.map(small).collect();
    (more.len() < 3 && more.iter().all(|letter| *letter == first)).then_some(first)
}

fn small(letter: char) -> char {
    match letter {
        '\u{212A}' => 'k',
        '\u{17F}' => 's',
        other => other.to_ascii_lowercase(),
    }
}

/// How much there is to compile, roughly: states.
fn weight(pattern: &Hir) -> usize {
    match pattern.kind() {
        HirKind::Empty | HirKind::Look(_) => 1,
        HirKind::Literal(literal) => literal.0.len(),
        HirKind::Class(Class::Unicode(class)) => class.ranges().len().saturating_mul(4),
        HirKind::Class(Class::Bytes(class)) => class.ranges().len(),
        HirKind::Capture(group) => weight(&group.sub).saturating_add(2),
        HirKind::Repetition(repeated) => {
            let times = repeated.max.unwrap_or(repeated.min).max(1);
            weight(&repeated.sub).saturating_mul(times as usize)
        }
        HirKind::Concat(parts) | HirKind::Alternation(parts) => {
            parts.iter().map(weight).fold(1, usize::saturating_add)
        }
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

/// The one sentence in a regex error, which is otherwise a drawing of several lines.
pub fn last_sentence(text: &str) -> &str {
    text.lines().last().unwrap_or(text).trim_start_matches("error: ").trim()
}

#[cfg(test)]
mod tests {
    use super::{Pattern, is_odd};
    use proptest::prelude::*;

    #[test]
    fn needles_stand_in_whatever_matches() {
        let table: [(&str, &[&str]); 14] = [
            (r"(?i)usage limit reached\|(?<reset>\d{10})", &["usage limit reached|"]),
            ("(?i)hit your limit|our limit", &["hit your limit", "our limit"]),
            (r"You.?ve hit (your|the) limit", &["ve hit "]),
            ("abc(def)+", &["abc"]),
            ("(abcdef)+x", &["abcdef"]),
            ("(?i)KISS", &["kiss"]),
            (r"\bslow down\b", &["slow down"]),
            ("a+", &[]),
            ("", &[]),
            ("ab?c*", &[]),
            ("(limit)?", &[]),
            ("limit|", &[]),
            ("[abc]limits", &["limits"]),
            ("(?i)größe", &[]),
        ];
        for (text, needles) in table {
            assert_eq!(Pattern::parse(text).unwrap().needles(), needles, "{text}");
        }
    }

    #[test]
    fn what_is_no_pattern_and_what_is_too_large_is_told_in_one_sentence() {
        for (text, part) in
            [("a(b", "unclosed group"), (r"\w{5000}{100}", "size limit"), (r"a\", "incomplete escape")]
        {
            let said = Pattern::parse(text).unwrap_err();
            assert!(said.contains(part) && !said.contains('\n'), "{text}: {said}");
        }
        assert_eq!(Pattern::parse("(?<a>x)((?<b>y)|z)*").unwrap().groups(), ["a", "b"]);
    }

    proptest! {
        #[test]
        fn no_match_is_without_its_needle(
            parts in proptest::collection::vec("(\\(\\?i:)?(ab|Ks|limit|\\.|\\\\d|x\\?|[a-c]{3}|\\(red\\|blue\\)|é|\\[kK\\])", 1..6),
            text in "[abcKskKs\u{212A}\u{17F}ſlimtredblux 1é.]{0,24}",
        ) {
            let open = parts.iter().filter(|part| part.starts_with("(?i:")).count();
            let pattern = format!("{}{}", parts.concat(), ")".repeat(open));
            if let Ok(pattern) = Pattern::parse(&pattern)
                && pattern.is_match(&text) && !is_odd(&text) && !pattern.needles().is_empty()
            {
                let small = text.to_ascii_lowercase();
                prop_assert!(pattern.needles().iter().any(|needle| small.contains(needle.as_str())));
            }
        }
    }
}
