//! From the library's syntax tree to our segments; the only place that names the JSONPath crate.

use jsonpath_rust::parser::errors::JsonPathError;
use jsonpath_rust::parser::model::{self as tree, FnArg, TestFunction};
use jsonpath_rust::parser::parse_json_path;

use super::filter::{Comparison, Filter, Literal, Operand, Test};
use super::fits::Fits;
use super::normal::Normal;
use super::{PathError, Query, Segment, Selector};
use crate::text::json::{Doc, Name, write_str};

/// One recursion of the walk per segment that selects several.
pub(super) const MAX_SEGMENTS: usize = 64;

/// What the library takes and we do not. Its tree has no places, so the word that is at fault is looked for.
struct Refusal {
    about: &'static str,
    message: String,
    help: Option<&'static str>,
}

type Lowered<T> = Result<T, Refusal>;

fn refuse<T>(
    about: &'static str,
    message: impl Into<String>,
    help: impl Into<Option<&'static str>>,
) -> Lowered<T> {
    Err(Refusal { about, message: message.into(), help: help.into() })
}

pub(super) fn segments(normal: &Normal) -> Result<Vec<Segment>, PathError> {
    let query = parse_json_path(&normal.text).map_err(|why| explain(normal, &why))?;
    lower_segments(&query.segments).map_err(|refusal| PathError {
        offset: normal.text.find(refusal.about).map_or(0, |at| normal.original(at)),
        message: refusal.message,
        help: refusal.help.map(str::to_owned),
    })
}

/// The library's own words are about its grammar; ours are the place and what usually is the matter there.
fn explain(normal: &Normal, why: &JsonPathError) -> PathError {
    let offset = match why {
        JsonPathError::PestError(error) => column(&error.to_string()).map_or(0, |column| {
            let byte = normal.text.char_indices().nth(column).map_or(normal.text.len(), |(byte, _)| byte);
            normal.original(byte)
        }),
        _ => 0,
    };
    let wide = |name: &str| normal.text.contains(&format!("{name}("));
    let help = if normal.text.contains('=') && !normal.text.contains("==") && !normal.text.contains("!=") {
        Some("equality is `==`")
    } else if normal.text.contains("=~") || normal.text.contains('/') {
        Some("a regular expression is `match(@.name, 'whole')` or `search(@.name, 'part')`")
    } else if wide("match") || wide("search") {
        Some("match() and search() are tests of their own: `[?match(@.a, 'x')]`")
    } else if normal.text.contains('?') {
        Some(
            "a filter compares single values, as in `[?@.type == 'text']`; several go through count() or value()",
        )
    } else {
        Some("inside brackets: `['name']`, a number, `*`, `1:3` or `?@.name == 'x'`")
    };
    PathError { offset, message: "this is not a path from here on".to_owned(), help: help.map(str::to_owned) }
}

/// The column (from 0, in characters) in the library's rendering of an error, which begins ` --> 1:9`.
fn column(rendered: &str) -> Option<usize> {
    let place = rendered.split("--> ").nth(1)?;
    let (_, after) = place.split_once(':')?;
    let digits = after.find(|c: char| !c.is_ascii_digit()).unwrap_or(after.len());
    after.get(..digits)?.parse::<usize>().ok()?.checked_sub(1)
}

fn lower_segments(from: &[tree::Segment]) -> Lowered<Vec<Segment>> {
    if from.len() > MAX_SEGMENTS {
        return refuse("$", format!("a path may have {MAX_SEGMENTS} segments"), None);
    }
    from.iter().map(lower_segment).collect()
}

fn lower_segment(from: &tree::Segment) -> Lowered<Segment> {
    Ok(match from {
        tree::Segment::Selector(tree::Selector::Name(name)) => Segment::Name(Name::new(name)),
        tree::Segment::Selector(tree::Selector::Index(index)) => Segment::Index(*index),
        tree::Segment::Descendant(inner) => Segment::Descendants(lower_selectors(inner)?),
        other => Segment::Children(lower_selectors(other)?),
    })
}

fn lower_selectors(from: &tree::Segment) -> Lowered<Vec<Selector>> {
    match from {
        tree::Segment::Selector(selector) => Ok(vec![lower_selector(selector)?]),
        tree::Segment::Selectors(selectors) => selectors.iter().map(lower_selector).collect(),
        tree::Segment::Descendant(_) => refuse("..", "`..` cannot follow `..`", None),
    }
}

fn lower_selector(from: &tree::Selector) -> Lowered<Selector> {
    Ok(match from {
        tree::Selector::Name(name) => Selector::Name(Name::new(name)),
        tree::Selector::Index(index) => Selector::Index(*index),
        tree::Selector::Wildcard => Selector::Wildcard,
        tree::Selector::Slice(start, end, step) => {
            Selector::Slice { start: *start, end: *end, step: step.unwrap_or(1) }
        }
        tree::Selector::Filter(filter) => Selector::Filter(Filter(lower_filter(filter)?)),
    })
}

fn lower_filter(from: &tree::Filter) -> Lowered<Test> {
    Ok(match from {
        tree::Filter::Or(parts) => Test::Any(parts.iter().map(lower_filter).collect::<Lowered<_>>()?),
        tree::Filter::And(parts) => Test::All(parts.iter().map(lower_filter).collect::<Lowered<_>>()?),
        tree::Filter::Atom(tree::FilterAtom::Filter { expr, not }) => negate(*not, lower_filter(expr)?),
        tree::Filter::Atom(tree::FilterAtom::Test { expr, not }) => negate(*not, lower_test(expr)?),
        tree::Filter::Atom(tree::FilterAtom::Comparison(comparison)) => lower_comparison(comparison)?,
    })
}

fn negate(not: bool, test: Test) -> Test {
    if not { Test::Not(Box::new(test)) } else { test }
}

fn lower_test(from: &tree::Test) -> Lowered<Test> {
    let tree::Test::Function(function) = from else { return Ok(Test::Exists(lower_query(from)?)) };
    match &**function {
        TestFunction::Match(text, pattern) => lower_pattern(text, pattern, true),
        TestFunction::Search(text, pattern) => lower_pattern(text, pattern, false),
        TestFunction::Custom(name, _) => unknown_function(name),
        TestFunction::Length(_) => bare_value("length("),
        TestFunction::Count(_) => bare_value("count("),
        TestFunction::Value(_) => bare_value("value("),
    }
}

fn bare_value(function: &'static str) -> Lowered<Test> {
    let help = "as in `[?length(@.a) > 0]`; whether something is there at all is `[?@.a]`";
    refuse(function, "length(), count() and value() give a value to compare", help)
}

/// The normaliser has refused these already.
fn unknown_function<T>(name: &str) -> Lowered<T> {
    let help = "there are length, count, value, match and search";
    refuse("$", format!("there is no function `{name}`"), help)
}

fn lower_query(from: &tree::Test) -> Lowered<Query> {
    match from {
        tree::Test::RelQuery(segments) => Ok(Query::new(false, lower_segments(segments)?)),
        tree::Test::AbsQuery(query) => Ok(Query::new(true, lower_segments(&query.segments)?)),
        tree::Test::Function(_) => refuse("(", "a path was expected here, not a function", None),
    }
}

fn lower_comparison(from: &tree::Comparison) -> Lowered<Test> {
    let comparison = match from {
        tree::Comparison::Eq(..) => Comparison::Equal,
        tree::Comparison::Ne(..) => Comparison::NotEqual,
        tree::Comparison::Gt(..) => Comparison::Greater,
        tree::Comparison::Gte(..) => Comparison::GreaterOrEqual,
        tree::Comparison::Lt(..) => Comparison::Less,
        tree::Comparison::Lte(..) => Comparison::LessOrEqual,
    };
    let (left, right) = from.vals();
    Ok(Test::Compare(comparison, lower_comparable(left)?, lower_comparable(right)?))
}

fn lower_comparable(from: &tree::Comparable) -> Lowered<Operand> {
    match from {
        tree::Comparable::Literal(literal) => lower_literal(literal),
        tree::Comparable::Function(function) => lower_function(function),
        tree::Comparable::SingularQuery(query) => {
            let (from_root, segments) = match query {
                tree::SingularQuery::Current(segments) => (false, segments),
                tree::SingularQuery::Root(segments) => (true, segments),
            };
            let segments = segments.iter().map(|segment| match segment {
                tree::SingularQuerySegment::Index(index) => Segment::Index(*index),
                tree::SingularQuerySegment::Name(name) => Segment::Name(Name::new(name)),
            });
            Ok(Operand::Single(Query::new(from_root, segments.collect())))
        }
    }
}

fn lower_function(from: &TestFunction) -> Lowered<Operand> {
    match from {
        TestFunction::Length(of) => Ok(Operand::Length(Box::new(lower_value(of, "length(")?))),
        TestFunction::Count(FnArg::Test(query)) => Ok(Operand::Count(lower_query(query)?)),
        TestFunction::Value(FnArg::Test(query)) => Ok(Operand::Value(lower_query(query)?)),
        TestFunction::Count(_) => refuse("count(", "count() takes a path", None),
        TestFunction::Value(_) => refuse("value(", "value() takes a path", None),
        TestFunction::Match(..) => refuse("match(", "match() is true or false and cannot be a value", None),
        TestFunction::Search(..) => {
            refuse("search(", "search() is true or false and cannot be a value", None)
        }
        TestFunction::Custom(name, _) => unknown_function(name),
    }
}

/// A function's argument that must be one value.
fn lower_value(from: &FnArg, of: &'static str) -> Lowered<Operand> {
    match from {
        FnArg::Literal(literal) => lower_literal(literal),
        FnArg::Test(test) => match &**test {
            tree::Test::Function(function) => lower_function(function),
            query => {
                let query = lower_query(query)?;
                if query.single {
                    return Ok(Operand::Single(query));
                }
                refuse(of, "a function got a path that may select several values", "count() counts them")
            }
        },
        FnArg::Filter(_) => refuse(of, "a function takes a path or a literal, not a condition", None),
    }
}

fn lower_literal(from: &tree::Literal) -> Lowered<Operand> {
    let text = match from {
        tree::Literal::Int(number) => number.to_string(),
        tree::Literal::Float(number) => number.to_string(),
        tree::Literal::Bool(bool) => bool.to_string(),
        tree::Literal::Null => "null".to_owned(),
        tree::Literal::String(string) => {
            let mut out = Vec::new();
            write_str(&mut out, string);
            return Ok(Operand::Literal(Literal::new(Doc::from_vec(out).unwrap_or_else(|_| Doc::null()))));
        }
    };
    match Doc::from_string(text) {
        Ok(doc) => Ok(Operand::Literal(Literal::new(doc))),
        Err(_) => refuse("$", "a number in this path is too large", None),
    }
}

/// Only written patterns: compiling one that came with a request would let its sender choose our work.
fn lower_pattern(text: &FnArg, pattern: &FnArg, whole: bool) -> Lowered<Test> {
    let function = if whole { "match(" } else { "search(" };
    let FnArg::Literal(tree::Literal::String(pattern)) = pattern else {
        return refuse(function, "the pattern of match() and search() must be a quoted text", None);
    };
    match Fits::parse(&translate(pattern, whole)) {
        Ok(fits) => Ok(Test::Pattern(lower_value(text, function)?, fits)),
        Err(why) => {
            refuse(function, format!("the pattern `{pattern}` is not a regular expression: {why}"), None)
        }
    }
}

/// From RFC 9485 to what the regex library reads: a dot stops at either line break, and `match` is anchored.
fn translate(pattern: &str, whole: bool) -> String {
    let (mut out, mut class, mut escaped) = (String::new(), false, false);
    for c in pattern.chars() {
        if c == '.' && !class && !escaped {
            out.push_str(r"[^\n\r]");
            continue;
        }
        class = if escaped { class } else { c == '[' || class && c != ']' };
        escaped = c == '\\' && !escaped;
        out.push(c);
    }
    if whole { format!("^(?:{out})$") } else { out }
}
