//! What a document must have if a path is to select anything in it.

use super::filter::{Comparison, Filter, Operand, Test};
use super::{Query, Segment, Selector};
use crate::text::json::{JsonKind, Traces};

/// The names and strings without which these segments select nothing.
pub(super) fn of(segments: &[Segment]) -> Traces {
    let mut needs = Traces::default();
    for segment in segments {
        match segment {
            Segment::Name(name) => needs.need_name(name),
            Segment::Index(_) => {}
            Segment::Children(selectors) | Segment::Descendants(selectors) => match selectors.as_slice() {
                [Selector::Name(name)] => needs.need_name(name),
                [Selector::Filter(Filter(filter))] => test(filter, &mut needs),
                // Of several selectors any one may pick something.
                _ => {}
            },
        }
    }
    needs
}

fn test(test: &Test, needs: &mut Traces) {
    match test {
        Test::All(tests) => tests.iter().for_each(|test| self::test(test, needs)),
        Test::Exists(query) => self::query(query, needs),
        Test::Compare(Comparison::Equal, Operand::Single(single), Operand::Literal(literal))
        | Test::Compare(Comparison::Equal, Operand::Literal(literal), Operand::Single(single)) => {
            query(single, needs);
            let text = literal.root();
            if let Some(text) = text.str().filter(|_| text.kind() == JsonKind::String && !single.from_root) {
                needs.need_text(&text);
            }
        }
        // No pattern fits what is not there.
        Test::Pattern(Operand::Single(single), _) => query(single, needs),
        Test::Any(_) | Test::Not(_) | Test::Compare(..) | Test::Pattern(..) => {}
    }
}

/// What a filter asks of the root is of another document, perhaps.
fn query(query: &Query, needs: &mut Traces) {
    if !query.from_root {
        needs.join(&of(&query.segments));
    }
}
