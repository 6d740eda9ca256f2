//! Whether a text fits a pattern of `match()` or `search()`. What such patterns mostly ask, how a text begins, needs no
//! regular expression.

use regex::Regex;
use regex_syntax::Parser;
use regex_syntax::hir::{Hir, HirKind, Look};

/// A compiled pattern.
#[derive(Clone, Debug)]
pub(super) enum Fits {
    /// What begins so.
    Beginning(String),
    /// What fits the expression.
    Regex(Regex),
}

impl Fits {
    /// Compiles an expression, which has its anchors in it.
    pub(super) fn parse(text: &str) -> Result<Fits, regex::Error> {
        match Parser::new().parse(text).ok().as_ref().and_then(beginning) {
            Some(beginning) => Ok(Fits::Beginning(beginning)),
            None => Regex::new(text).map(Fits::Regex),
        }
    }

    /// Whether it fits.
    pub(super) fn fits(&self, text: &str) -> bool {
        match self {
            Fits::Beginning(beginning) => text.starts_with(beginning.as_str()),
            Fits::Regex(regex) => regex.is_match(text),
        }
    }
}

/// The text with which all begins that the expression fits, if that is all that is asked.
fn beginning(parsed: &Hir) -> Option<String> {
    let HirKind::Concat(parts) = parsed.kind() else {
        return None;
    };
    match parts.iter().map(Hir::kind).collect::<Vec<_>>().as_slice() {
        [HirKind::Look(Look::Start), HirKind::Literal(literal)] => String::from_utf8(literal.0.to_vec()).ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::Fits;

    #[test]
    fn how_a_text_begins_is_asked_without_an_expression() {
        for (pattern, is_plain) in [
            ("^rulegate[.]", true),
            (r"^a\.b", true),
            ("^(?:ab)c", true),
            ("rulegate", false),
            ("^ab$", false),
            ("(?i)^ab", false),
            ("(?m)^ab", false),
            ("^ab|c", false),
            ("^", false),
            ("^[ab]", false),
        ] {
            let fits = Fits::parse(pattern).unwrap();
            assert_eq!(matches!(fits, Fits::Beginning(_)), is_plain, "{pattern}: {fits:?}");
            let regex = regex::Regex::new(pattern).unwrap();
            for text in
                ["rulegate.v1", "rulegate", " rulegate.", "a.bc", "axb", "abc", "ab", "c\nab", "ABC", ""]
            {
                assert_eq!(fits.fits(text), regex.is_match(text), "{pattern} {text:?}");
            }
        }
    }
}
