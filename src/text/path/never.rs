//! Paths that can select nothing, whatever the document: found out when they are compiled, since a typing slip
//! would otherwise show as a value that is silently missing.

use super::filter::{Comparison, Filter, Literal, Operand, Test};
use super::{Path, Query, Segment, Selector};
use crate::text::json::JsonKind;

impl Path {
    /// Why the path selects nothing in any document, if that is so. What depends on the document is not asked.
    pub fn never(&self) -> Option<String> {
        segments(&self.query.segments)
    }
}

fn segments(segments: &[Segment]) -> Option<String> {
    segments.iter().find_map(|segment| match segment {
        Segment::Name(_) | Segment::Index(_) => None,
        Segment::Children(selectors) | Segment::Descendants(selectors) => {
            // One selector that can pick something is enough.
            let reasons: Option<Vec<_>> = selectors.iter().map(selector).collect();
            reasons.and_then(|reasons| reasons.into_iter().next())
        }
    })
}

fn selector(selector: &Selector) -> Option<String> {
    match selector {
        Selector::Name(_) | Selector::Index(_) | Selector::Wildcard => None,
        Selector::Slice { step: 0, .. } => Some("a slice with a step of 0 picks nothing".to_owned()),
        Selector::Slice { start, end: Some(end), step } => {
            // Positions of unlike sign depend on the length.
            let start = start.unwrap_or(if *step > 0 { 0 } else { -1 });
            let alike = (start < 0) == (*end < 0);
            let empty = if *step > 0 { start >= *end } else { start <= *end };
            (alike && empty).then(|| format!("no position lies between {start} and {end} in its direction"))
        }
        Selector::Slice { .. } => None,
        Selector::Filter(Filter(test)) => self::test(test),
    }
}

fn test(test: &Test) -> Option<String> {
    match test {
        Test::Any(tests) => {
            let reasons: Option<Vec<_>> = tests.iter().map(self::test).collect();
            reasons.and_then(|reasons| reasons.into_iter().next())
        }
        Test::All(tests) => tests.iter().find_map(self::test).or_else(|| contradiction(tests)),
        Test::Not(_) => None,
        Test::Exists(query) => segments(&query.segments),
        Test::Compare(comparison, left, right) => compare(*comparison, left, right),
        Test::Pattern(Operand::Literal(text), _) if text.root().kind() != JsonKind::String => {
            Some(format!("{} is no text for a pattern to match", text.text()))
        }
        Test::Pattern(..) => None,
    }
}

fn compare(comparison: Comparison, left: &Operand, right: &Operand) -> Option<String> {
    use Comparison::{Equal, Greater, Less, NotEqual};
    if let (Operand::Literal(left), Operand::Literal(right)) = (left, right) {
        let holds = comparison.between(left.root(), right.root());
        return (!holds).then(|| format!("{} and {} never compare so", left.text(), right.text()));
    }
    let (counted, literal) = match (left, right) {
        (counted, Operand::Literal(literal)) | (Operand::Literal(literal), counted) => (counted, literal),
        _ => return None,
    };
    let kind = literal.root().kind();
    let counts = matches!(counted, Operand::Length(_) | Operand::Count(_));
    if counts && kind != JsonKind::Number && !matches!(comparison, NotEqual) {
        return Some(format!("a count is a number, and {} is none", literal.text()));
    }
    if matches!(comparison, Less | Greater) && !matches!(kind, JsonKind::Number | JsonKind::String) {
        return Some(format!("only numbers and texts have an order, {} has none", literal.text()));
    }
    let negative = literal.root().i64().is_some_and(|number| number < 0);
    (counts && negative && matches!(comparison, Equal)).then(|| "a count is never below 0".to_owned())
}

/// The same place equal to two different constants.
fn contradiction(tests: &[Test]) -> Option<String> {
    let mut seen: Vec<(&Query, &Literal)> = Vec::new();
    for test in tests {
        let (query, literal) = match test {
            Test::Compare(Comparison::Equal, Operand::Single(query), Operand::Literal(literal))
            | Test::Compare(Comparison::Equal, Operand::Literal(literal), Operand::Single(query)) => {
                (query, literal)
            }
            _ => continue,
        };
        let other = seen.iter().find(|(known, other)| known.is(query) && other.root() != literal.root());
        if let Some((_, other)) = other {
            return Some(format!("one value cannot be both {} and {}", other.text(), literal.text()));
        }
        seen.push((query, literal));
    }
    None
}

impl Query {
    /// Is it the same query, of names and indexes only?
    fn is(&self, other: &Query) -> bool {
        let same = |(one, other): (&Segment, &Segment)| match (one, other) {
            (Segment::Name(one), Segment::Name(other)) => one == other,
            (Segment::Index(one), Segment::Index(other)) => one == other,
            _ => false,
        };
        self.from_root == other.from_root
            && self.segments.len() == other.segments.len()
            && self.segments.iter().zip(&other.segments).all(same)
    }
}

#[cfg(test)]
mod tests {
    use crate::text::path::parse;

    #[test]
    fn what_can_never_match_says_why() {
        for (path, why) in [
            ("$.a[::0]", "step of 0"),
            ("$.a[3:1]", "between 3 and 1"),
            ("$.a[-1:-3]", "between -1 and -3"),
            ("$.a[1:2:-1]", "between 1 and 2"),
            ("$.a[?1 == 2]", "never compare"),
            ("$.a[?'x' < 1]", "never compare"),
            ("$.a[?@.b < true]", "have an order"),
            ("$.a[?length(@.b) == 'x']", "a count is a number"),
            ("$.a[?count(@.*) == -1]", "never below 0"),
            ("$.a[?@.t == 'x' && @.t == 'y'].b", "both \"x\" and \"y\""),
            ("$.a[?@.b[::0]]", "step of 0"),
            ("$..[?@.t == 1 && @.t == 2]", "both 1 and 2"),
            ("$.a[?(@.t == 1 && @.t == 2) || @.b < null]", "both 1 and 2"),
        ] {
            let found = parse(path).map(|path| path.never());
            assert!(matches!(&found, Ok(Some(said)) if said.contains(why)), "{path}: {found:?}");
        }
    }

    #[test]
    fn what_some_document_satisfies_is_left_alone() {
        for path in [
            "$",
            "$.a[0]",
            "$.a[1:3]",
            "$.a[-3:-1]",
            "$.a[2:-1]",
            "$.a[3:1:-1]",
            "$.a[::-1]",
            "$.a[:3]",
            "$.a[-1:]",
            "$.a[?1 == 1]",
            "$.a[?@.b < 'x']",
            "$.a[?@.t == 'x' || @.t == 'y']",
            "$.a[?@.t == 'x' && @.u == 'y']",
            "$.a[?@.t == 1 && @.t == 1.0]",
            "$.a[?!(@.t == 1)]",
            "$.a[?length(@.b) > 2]",
            "$.a[::0, 1]",
            "$.a[?@.b != true]",
        ] {
            assert_eq!(parse(path).map(|path| path.never()), Ok(None), "{path}");
        }
    }
}
