//! Filters: what stands behind `?`, decided for one value at a time.

use std::cmp::Ordering;
use std::ops::ControlFlow;

use super::Query;
use super::fits::Fits;
use crate::text::json::{Doc, Json, JsonKind};

/// A condition on a value, as in `[?@.type == 'text']`.
#[derive(Clone, Debug)]
pub struct Filter(pub(super) Test);

#[derive(Clone, Debug)]
pub(super) enum Test {
    Any(Vec<Test>),
    All(Vec<Test>),
    Not(Box<Test>),
    Exists(Query),
    Compare(Comparison, Operand, Operand),
    /// `match()` has its anchors in the pattern.
    Pattern(Operand, Fits),
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// What can be compared.
#[derive(Clone, Debug)]
pub(super) enum Operand {
    Literal(Literal),
    /// A query of names and indexes.
    Single(Query),
    Length(Box<Operand>),
    Count(Query),
    /// The only value of a query, nothing when there are several.
    Value(Query),
}

/// A document of one scalar, so that comparing is always comparing two JSON values.
#[derive(Clone, Debug)]
pub(super) struct Literal {
    doc: Doc,
    /// Its content, if it is a string: nearly all are.
    string: Option<Box<str>>,
}

impl Literal {
    pub(super) fn new(doc: Doc) -> Literal {
        let string = doc.root().str().map(|text| Box::from(&*text));
        Literal { doc, string }
    }

    pub(super) fn root(&self) -> Json<'_> {
        self.doc.root()
    }

    /// As JSON.
    pub(super) fn text(&self) -> &str {
        self.doc.text()
    }

    #[inline]
    fn is(&self, found: Json<'_>) -> bool {
        match &self.string {
            Some(text) => found.is_str(text),
            None => found == self.root(),
        }
    }
}

#[derive(Clone, Copy)]
enum Value<'a> {
    Nothing,
    Json(Json<'a>),
    Count(i64),
}

impl Filter {
    /// Whether it holds for `at`, which `@` means; `$` means `root`.
    pub fn holds(&self, at: Json<'_>, root: Json<'_>) -> bool {
        self.0.holds(at, root)
    }
}

impl Test {
    fn holds(&self, at: Json<'_>, root: Json<'_>) -> bool {
        match self {
            Test::Any(tests) => tests.iter().any(|test| test.holds(at, root)),
            Test::All(tests) => tests.iter().all(|test| test.holds(at, root)),
            Test::Not(test) => !test.holds(at, root),
            Test::Exists(query) => query.first(at, root).is_some(),
            // What filters are mostly about: whether something is this.
            Test::Compare(Comparison::Equal, Operand::Single(query), Operand::Literal(literal)) => {
                query.first(at, root).is_some_and(|found| literal.is(found))
            }
            Test::Compare(comparison, left, right) => {
                comparison.holds(left.value(at, root), right.value(at, root))
            }
            Test::Pattern(operand, pattern) => match operand.value(at, root) {
                Value::Json(json) => json.str().is_some_and(|text| pattern.fits(&text)),
                Value::Nothing | Value::Count(_) => false,
            },
        }
    }
}

impl Operand {
    fn value<'a>(&'a self, at: Json<'a>, root: Json<'a>) -> Value<'a> {
        match self {
            Operand::Literal(literal) => Value::Json(literal.root()),
            Operand::Single(query) => query.first(at, root).map_or(Value::Nothing, Value::Json),
            Operand::Length(of) => length(of.value(at, root)),
            Operand::Count(query) => {
                let mut count = 0;
                let _ = query.visit(at, root, &mut |_| {
                    count += 1;
                    ControlFlow::Continue(())
                });
                Value::Count(count)
            }
            Operand::Value(query) => {
                let (mut only, mut count) = (Value::Nothing, 0);
                let _ = query.visit(at, root, &mut |found| {
                    count += 1;
                    only = Value::Json(found);
                    if count > 1 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
                });
                if count == 1 { only } else { Value::Nothing }
            }
        }
    }
}

fn length(of: Value<'_>) -> Value<'_> {
    let Value::Json(json) = of else { return Value::Nothing };
    match json.kind() {
        JsonKind::String => Value::Count(json.str().map_or(0, |text| text.chars().count() as i64)),
        JsonKind::Array | JsonKind::Object => Value::Count(json.len() as i64),
        JsonKind::Null | JsonKind::Bool | JsonKind::Number => Value::Nothing,
    }
}

impl Comparison {
    /// Whether it holds between two values.
    pub(super) fn between(self, left: Json<'_>, right: Json<'_>) -> bool {
        self.holds(Value::Json(left), Value::Json(right))
    }

    fn holds(self, left: Value<'_>, right: Value<'_>) -> bool {
        match self {
            Comparison::Equal => equal(left, right),
            Comparison::NotEqual => !equal(left, right),
            Comparison::Less => order(left, right) == Some(Ordering::Less),
            Comparison::Greater => order(left, right) == Some(Ordering::Greater),
            Comparison::LessOrEqual => Comparison::Less.holds(left, right) || equal(left, right),
            Comparison::GreaterOrEqual => Comparison::Greater.holds(left, right) || equal(left, right),
        }
    }
}

fn equal(left: Value<'_>, right: Value<'_>) -> bool {
    match (left, right) {
        (Value::Nothing, Value::Nothing) => true,
        (Value::Json(a), Value::Json(b)) => a == b,
        (Value::Count(a), Value::Count(b)) => a == b,
        (Value::Count(count), Value::Json(json)) | (Value::Json(json), Value::Count(count)) => {
            json.i64() == Some(count)
        }
        (Value::Nothing, _) | (_, Value::Nothing) => false,
    }
}

/// Only numbers and strings have an order, and only among themselves.
fn order(left: Value<'_>, right: Value<'_>) -> Option<Ordering> {
    match (left, right) {
        (Value::Json(a), Value::Json(b)) => match (a.kind(), b.kind()) {
            (JsonKind::Number, JsonKind::Number) => a.compare_numbers(b),
            (JsonKind::String, JsonKind::String) => Some(a.str()?.cmp(&b.str()?)),
            _ => None,
        },
        (Value::Count(a), Value::Count(b)) => Some(a.cmp(&b)),
        (Value::Count(count), Value::Json(json)) => order_count(json, count).map(Ordering::reverse),
        (Value::Json(json), Value::Count(count)) => order_count(json, count),
        (Value::Nothing, _) | (_, Value::Nothing) => None,
    }
}

fn order_count(json: Json<'_>, count: i64) -> Option<Ordering> {
    let number = json.kind() == JsonKind::Number;
    number.then(|| crate::text::json::compare_numbers(json.raw(), &count.to_string()))
}
