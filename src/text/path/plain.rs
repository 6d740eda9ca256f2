//! Paths of names, positions, `[*]` and simple filters, as most are: read here, without the library, because rules are
//! full of them.

use super::filter::{Comparison, Filter, Literal, Operand, Test};
use super::lower::MAX_SEGMENTS;
use super::normal::name_length;
use super::{Query, Segment, Selector};
use crate::text::json::{Doc, Name, write_str};

/// Longer ones are the library's business, as are their mistakes.
const MAX_BYTES: usize = 400;
/// Digits of a position that surely fits.
const MAX_DIGITS: usize = 15;

const COMPARISONS: &[(&str, Comparison)] = &[
    ("==", Comparison::Equal),
    ("!=", Comparison::NotEqual),
    ("<=", Comparison::LessOrEqual),
    (">=", Comparison::GreaterOrEqual),
    ("<", Comparison::Less),
    (">", Comparison::Greater),
];

/// The root's name and the segments, if there is nothing else.
pub(super) fn parse(text: &str) -> Option<(String, Vec<Segment>)> {
    let after = text.strip_prefix('$').filter(|_| text.len() <= MAX_BYTES)?;
    let (root, rest) = after.split_at_checked(name_length(after))?;
    let mut reader = Reader { rest };
    let segments = reader.segments(true)?;
    reader.rest.is_empty().then(|| (root.to_owned(), segments))
}

struct Reader<'t> {
    rest: &'t str,
}

impl<'t> Reader<'t> {
    fn takes(&mut self, sign: &str) -> bool {
        let rest = self.rest.strip_prefix(sign);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn spaces(&mut self) {
        self.rest = self.rest.trim_start_matches(' ');
    }

    /// As many segments as there are. `several`: those that select more than one value are read too.
    fn segments(&mut self, several: bool) -> Option<Vec<Segment>> {
        let mut segments = Vec::new();
        loop {
            if self.takes(".") {
                let (name, rest) = self.rest.split_at_checked(name_length(self.rest))?;
                self.rest = rest;
                segments.push(Segment::Name((!name.is_empty()).then(|| Name::new(name))?));
            } else if several && self.takes("[*]") {
                segments.push(Segment::Children(vec![Selector::Wildcard]));
            } else if several && self.takes("[?") {
                let test = self.any()?;
                segments.push(Segment::Children(vec![Selector::Filter(Filter(test))]));
                if !self.takes("]") {
                    return None;
                }
            } else if self.takes("[") {
                let (position, rest) = self.rest.split_once(']')?;
                self.rest = rest;
                segments.push(Segment::Index(index(position)?));
            } else {
                return (segments.len() <= MAX_SEGMENTS).then_some(segments);
            }
        }
    }

    fn any(&mut self) -> Option<Test> {
        self.joined("||", Reader::all, Test::Any)
    }

    fn all(&mut self) -> Option<Test> {
        self.joined("&&", Reader::one, Test::All)
    }

    /// Tests with a sign between them, or one alone.
    fn joined(
        &mut self,
        sign: &str,
        part: fn(&mut Self) -> Option<Test>,
        join: fn(Vec<Test>) -> Test,
    ) -> Option<Test> {
        let mut tests = vec![part(self)?];
        while self.takes(sign) {
            tests.push(part(self)?);
        }
        if tests.len() == 1 { tests.pop() } else { Some(join(tests)) }
    }

    /// `@.a`, `!@.a`, or `@.a` compared with a literal, and the spaces around it.
    fn one(&mut self) -> Option<Test> {
        self.spaces();
        let not = self.takes("!");
        let query = self.takes("@").then(|| self.segments(false))?;
        let query = Query::new(false, query?);
        self.spaces();
        let comparison = COMPARISONS.iter().find(|(sign, _)| self.takes(sign));
        let test = match comparison {
            None if not => Test::Not(Box::new(Test::Exists(query))),
            None => Test::Exists(query),
            Some(_) if not => return None,
            Some((_, comparison)) => {
                self.spaces();
                Test::Compare(
                    *comparison,
                    Operand::Single(query),
                    Operand::Literal(Literal::new(self.literal()?)),
                )
            }
        };
        self.spaces();
        Some(test)
    }

    /// A text without escapes, a whole number, or one of the three words.
    fn literal(&mut self) -> Option<Doc> {
        let quote = self.rest.chars().next().filter(|c| matches!(c, '\'' | '"'));
        if let Some(quote) = quote {
            let (text, rest) = self.rest.get(1..)?.split_once(quote)?;
            self.rest = rest;
            let is_plain = text.bytes().all(|byte| matches!(byte, b' '..=b'~') && byte != b'\\');
            let mut out = Vec::new();
            write_str(&mut out, is_plain.then_some(text)?);
            return Doc::from_vec(out).ok();
        }
        let (word, rest) =
            self.rest.split_at_checked(self.rest.find([' ', ']', '&', '|']).unwrap_or(self.rest.len()))?;
        let known = matches!(word, "true" | "false" | "null") || index(word).is_some();
        self.rest = rest;
        Doc::from_string(known.then_some(word)?.to_owned()).ok()
    }
}

/// A position as RFC 9535 writes it: no leading zero, no plus, no `-0`.
fn index(text: &str) -> Option<i64> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let is_plain =
        !digits.is_empty() && digits.len() <= MAX_DIGITS && digits.bytes().all(|b| b.is_ascii_digit());
    let leads_with_zero = digits.starts_with('0') && text != "0";
    if is_plain && !leads_with_zero { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::super::{lower, normal};
    use super::parse;
    use proptest::prelude::*;
    use proptest::sample::select;

    /// Reads a path in both ways; whether it is a plain one.
    fn is_plain(text: &str) -> bool {
        let Some((root, segments)) = parse(text) else { return false };
        let normal = normal::normalise(text).unwrap_or_else(|found| panic!("{text}: {found}"));
        let library = lower::segments(&normal).unwrap_or_else(|found| panic!("{text}: {found}"));
        assert_eq!((root, format!("{segments:?}")), (normal.root, format!("{library:?}")), "{text}");
        true
    }

    #[test]
    fn what_is_read_here_the_library_reads_alike() {
        let read = [
            "$",
            "$a",
            "$.a",
            "$a.b-c._d",
            "$.a[0][-1].b",
            "$.é",
            "$x[10]",
            "$.a[*].b[*]",
            "$.a[?@.type == 'text'].b",
            "$a.b[?!@.a[0] || @.b-c=='x' && @.d != \"it's\"]",
            "$.a[? @ >= -1 ].b[?@.c<2&&@.d == null]",
        ];
        for text in read {
            assert!(is_plain(text), "{text}");
        }
        let others = [
            "",
            "a",
            "$.",
            "$..a",
            "$[01]",
            "$[-0]",
            "$['a']",
            "$.*",
            "$.a b",
            "$[0",
            "$[1:2]",
            "$.1",
            "$[?(@.a)]",
            "$[?@.a == 1.5]",
            "$[?@.a == 'b\\n']",
            "$[?@..a]",
            "$[?@.a[*]]",
            "$[?!@.a == 1]",
            "$[?length(@) > 1]",
            "$[?@.a == 'é']",
            "$[?$.a]",
            "$[?@.a == @.b]",
            "$[?1 == @.a]",
            "$[?@.a &&]",
            "$[?@.a",
        ];
        for text in others {
            assert!(parse(text).is_none(), "{text}");
        }
        let long = format!("${}", ".a".repeat(65));
        assert!(parse(&long).is_none() && is_plain(&long[..129]), "{long}");
    }

    const PARTS: &[&str] = &[
        ".a", ".b-c", "._d", "[0]", "[-1]", "[*]", "[?", "]", "@", "@.a", "@.b[1]", " ", "==", " != ", "<",
        ">=", " && ", "||", "!", "'x'", "\"y z\"", "'it\"s'", "1", "-2", "true", "null", "''", "(", ")", "$",
        ",", ":", ".", "*", "'",
    ];

    proptest! {
        #[test]
        fn whatever_is_read_here_the_library_reads_alike(parts in prop::collection::vec(select(PARTS), 0..10)) {
            is_plain(&format!("$x{}", parts.concat()));
            is_plain(&format!("$.a[?{}]", parts.concat()));
            is_plain(&format!("$.a[?@.a{}'x']", parts.concat()));
        }
    }
}
