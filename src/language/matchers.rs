//! The table of matchers: what can be asked of a value.

use std::cmp::Ordering;

use super::compile::Compiler;
use super::scope::Env;
use super::template::Source;
use super::value::{Num, Type, Val};
use crate::text::json;
use crate::text::pattern::{self, Pattern};
use crate::text::yaml::{Kind, Node};

/// One entry of the table.
pub struct Entry {
    /// The word, as in `{ matches: ... }`.
    pub name: &'static str,
    /// What it asks, in one line.
    pub doc: &'static str,
    /// A matcher of this kind, as YAML.
    pub example: &'static str,
    /// JSON values for which the example holds.
    pub holds: &'static [&'static str],
    /// JSON values for which it does not.
    pub fails: &'static [&'static str],
    compile: fn(&mut Compiler<'_>, &Node) -> Option<Matcher>,
}

/// A compiled matcher.
pub enum Matcher {
    /// Equal to a constant.
    Equals(Val<'static>),
    /// Equal to what a path selects.
    Same(Source),
    /// The type or state is one of these.
    Is(Vec<State>),
    /// A regular expression finds something in the text.
    Matches(Pattern),
    /// The string begins so.
    StartsWith(String),
    /// The string ends so.
    EndsWith(String),
    /// The string has this part, or the list this item.
    Contains(Val<'static>),
    /// Ordered so beside a number or string.
    Compared(&'static [Ordering], Operand),
    /// A text that is a number ordered so beside a number, as the values of headers are.
    Number(&'static [Ordering], Num),
    /// The length of a string (characters), list or object.
    Length(Box<Matcher>),
    /// One of the items that a path selects.
    In(Source),
    /// Not so.
    Not(Box<Matcher>),
    /// One of these.
    Any(Vec<Matcher>),
    /// All of these.
    All(Vec<Matcher>),
}

/// What a comparison compares with.
pub enum Operand {
    /// A constant.
    Constant(Val<'static>),
    /// What a path selects.
    Selected(Source),
}

/// A state that `is` can name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// There is a node, be it null.
    Present,
    /// There is no node.
    Absent,
    /// Neither empty nor false.
    Something,
    /// No node, or null.
    Nothing,
    /// Nothing, `""`, `[]` or `{}`.
    Empty,
    /// A string that holds one complete JSON object.
    JsonObject,
    /// A JSON type.
    Of(Type),
}

/// The states that `is` can name, with what they mean.
pub const STATES: &[(&str, State, &str)] = &[
    ("present", State::Present, "there is a value, be it null"),
    ("absent", State::Absent, "there is no value, not even null"),
    ("something", State::Something, "neither nothing, nor `false`, nor empty"),
    ("nothing", State::Nothing, "no value, or null"),
    ("empty", State::Empty, "nothing, `\"\"`, `[]` or `{}`"),
    ("json_object", State::JsonObject, "a string that holds one complete JSON object"),
    ("null", State::Of(Type::Null), "null"),
    ("string", State::Of(Type::String), "a string"),
    ("number", State::Of(Type::Number), "a number"),
    ("bool", State::Of(Type::Bool), "`true` or `false`"),
    ("list", State::Of(Type::List), "a list"),
    ("object", State::Of(Type::Object), "an object"),
];

/// All matchers.
pub const MATCHERS: &[Entry] = &[
    Entry {
        name: "is",
        doc: "the value's type or state: present, absent, something, nothing, empty, null, string, number, bool, list, object, json_object; or a list of them",
        example: "{ is: [string, number] }",
        holds: &["\"a\"", "1"],
        fails: &["null", "[]"],
        compile: |c, node| states(c, node).map(Matcher::Is),
    },
    Entry {
        name: "matches",
        doc: "a regular expression finds something in the string",
        example: "{ matches: '^ab+' }",
        holds: &["\"abbc\""],
        fails: &["\"cab\"", "1"],
        compile: |c, node| regex(c, node).map(Matcher::Matches),
    },
    Entry {
        name: "starts_with",
        doc: "the string begins so",
        example: "{ starts_with: ab }",
        holds: &["\"abc\""],
        fails: &["\"cab\""],
        compile: |c, node| string(c, node).map(Matcher::StartsWith),
    },
    Entry {
        name: "ends_with",
        doc: "the string ends so",
        example: "{ ends_with: bc }",
        holds: &["\"abc\""],
        fails: &["\"bca\""],
        compile: |c, node| string(c, node).map(Matcher::EndsWith),
    },
    Entry {
        name: "contains",
        doc: "the string has this part, or the list has this item",
        example: "{ contains: b }",
        holds: &["\"abc\"", "[\"a\",\"b\"]"],
        fails: &["\"ac\"", "[\"abc\"]"],
        compile: |c, node| Some(Matcher::Contains(c.constant(node))),
    },
    Entry {
        name: "above",
        doc: "greater than a number (or later than a string)",
        example: "{ above: 3 }",
        holds: &["3.5"],
        fails: &["3", "\"4\""],
        compile: |c, node| operand(c, node).map(|than| Matcher::Compared(&[Ordering::Greater], than)),
    },
    Entry {
        name: "below",
        doc: "less than a number (or earlier than a string)",
        example: "{ below: 3 }",
        holds: &["-1"],
        fails: &["3", "null"],
        compile: |c, node| operand(c, node).map(|than| Matcher::Compared(&[Ordering::Less], than)),
    },
    Entry {
        name: "at_least",
        doc: "not less than a number",
        example: "{ at_least: 3 }",
        holds: &["3", "4"],
        fails: &["2.9"],
        compile: |c, node| {
            operand(c, node).map(|than| Matcher::Compared(&[Ordering::Greater, Ordering::Equal], than))
        },
    },
    Entry {
        name: "at_most",
        doc: "not greater than a number",
        example: "{ at_most: 3 }",
        holds: &["3", "0"],
        fails: &["3.1"],
        compile: |c, node| {
            operand(c, node).map(|than| Matcher::Compared(&[Ordering::Less, Ordering::Equal], than))
        },
    },
    Entry {
        name: "length",
        doc: "a matcher for the length: characters of a string, items of a list, members of an object",
        example: "{ length: { at_most: 2 } }",
        holds: &["\"ab\"", "[1]"],
        fails: &["\"abc\"", "7"],
        compile: |c, node| compile(c, node).map(|inner| Matcher::Length(Box::new(inner))),
    },
    Entry {
        name: "in",
        doc: "one of the items of the list that a path selects",
        example: "{ in: $.allowed }",
        holds: &[],
        fails: &["\"x\""],
        compile: |c, node| match node.as_str() {
            Some(text) if text.starts_with('$') => c.source(text, node.span).map(Matcher::In),
            _ => {
                c.error("bad-matcher", node.span, "`in` takes a path; for fixed values write them as a list");
                None
            }
        },
    },
    Entry {
        name: "not",
        doc: "the matcher does not hold",
        example: "{ not: a }",
        holds: &["\"b\"", "null"],
        fails: &["\"a\""],
        compile: |c, node| compile(c, node).map(|inner| Matcher::Not(Box::new(inner))),
    },
    Entry {
        name: "any",
        doc: "one of the matchers holds",
        example: "{ any: [a, { above: 5 }] }",
        holds: &["\"a\"", "6"],
        fails: &["5"],
        compile: |c, node| list(c, node).map(Matcher::Any),
    },
    Entry {
        name: "all",
        doc: "all of the matchers hold",
        example: "{ all: [{ above: 1 }, { below: 5 }] }",
        holds: &["3"],
        fails: &["5"],
        compile: |c, node| list(c, node).map(Matcher::All),
    },
];

/// Compiles a matcher: a scalar is "equals", a list "one of", a mapping names matchers that must all hold.
pub fn compile(c: &mut Compiler<'_>, node: &Node) -> Option<Matcher> {
    match &node.kind {
        Kind::String(text) if text.starts_with('$') && !text.starts_with("$$") => {
            c.source(text, node.span).map(Matcher::Same)
        }
        Kind::String(text) if text.starts_with("$$") => {
            Some(Matcher::Equals(Val::Str(text[1..].to_owned().into())))
        }
        Kind::Null => Some(Matcher::Is(vec![State::Of(Type::Null)])),
        Kind::List(_) => list(c, node).map(Matcher::Any),
        Kind::Map(entries) => {
            let parts: Vec<_> = entries
                .iter()
                .map(|(key, value)| match MATCHERS.iter().find(|entry| entry.name == key.text) {
                    Some(entry) => (entry.compile)(c, value),
                    None => {
                        let names: Vec<_> = MATCHERS.iter().map(|entry| entry.name).collect();
                        c.error("unknown-matcher", key.span, format!("there is no matcher `{}`", key.text))
                            .did_you_mean(&key.text, names.iter().copied())
                            .help(format!("the matchers are {}", names.join(", ")));
                        None
                    }
                })
                .collect();
            let mut parts = parts.into_iter().collect::<Option<Vec<_>>>()?;
            if parts.len() == 1 { parts.pop() } else { Some(Matcher::All(parts)) }
        }
        _ => Some(Matcher::Equals(number_once(c.constant(node)))),
    }
}

fn list(c: &mut Compiler<'_>, node: &Node) -> Option<Vec<Matcher>> {
    let Kind::List(items) = &node.kind else {
        c.error("bad-matcher", node.span, format!("this takes a list of matchers, not {}", node.type_name()));
        return None;
    };
    let items: Vec<_> = items.iter().map(|item| compile(c, item)).collect();
    items.into_iter().collect()
}

fn states(c: &mut Compiler<'_>, node: &Node) -> Option<Vec<State>> {
    let names: Vec<&Node> = match &node.kind {
        Kind::List(items) => items.iter().collect(),
        _ => vec![node],
    };
    let mut found = Vec::new();
    let mut sound = true;
    for name in names {
        // A bare `null` in YAML is null itself, and means the word here.
        let text = if name.kind == Kind::Null { Some("null") } else { name.as_str() };
        match text.and_then(|text| STATES.iter().find(|(word, ..)| *word == text)) {
            Some((_, state, _)) => found.push(*state),
            None => {
                sound = false;
                let words: Vec<_> = STATES.iter().map(|(word, ..)| *word).collect();
                c.error("unknown-state", name.span, "`is` does not know this")
                    .did_you_mean(text.unwrap_or_default(), words.iter().copied())
                    .help(format!("it knows {}", words.join(", ")));
            }
        }
    }
    sound.then_some(found)
}

/// Reads a regular expression, reporting where it is wrong.
pub fn regex(c: &mut Compiler<'_>, node: &Node) -> Option<Pattern> {
    let text = string(c, node)?;
    match c.scope.parts.pattern(&text) {
        Ok(pattern) => Some(pattern),
        Err(why) => {
            let way_out = pattern::way_out(&why);
            c.error("bad-regex", node.span, format!("this is no regular expression: {why}")).help(
                way_out.unwrap_or(
                    "the syntax is that of the Rust crate `regex`: no look-around, no back-references",
                ),
            );
            None
        }
    }
}

/// A string, or a number as it is written.
pub fn string(c: &mut Compiler<'_>, node: &Node) -> Option<String> {
    match &node.kind {
        Kind::String(text) => Some(text.clone()),
        Kind::Number(text) => Some(text.clone()),
        _ => {
            c.error("bad-string", node.span, format!("this must be a string, not {}", node.type_name()));
            None
        }
    }
}

/// A number of the rules, read once and not for each question.
fn number_once(constant: Val<'static>) -> Val<'static> {
    constant.as_num().map_or(constant, Val::Num)
}

fn operand(c: &mut Compiler<'_>, node: &Node) -> Option<Operand> {
    match &node.kind {
        Kind::String(text) if text.starts_with('$') => c.source(text, node.span).map(Operand::Selected),
        Kind::String(_) | Kind::Number(_) => Some(Operand::Constant(number_once(c.constant(node)))),
        _ => {
            c.error(
                "bad-matcher",
                node.span,
                format!("a comparison takes a number, not {}", node.type_name()),
            );
            None
        }
    }
}

impl Matcher {
    /// The same of a header's value: what is compared with a number there is a text.
    pub(super) fn of_header(self) -> Matcher {
        let all = |parts: Vec<Matcher>| parts.into_iter().map(Matcher::of_header).collect();
        match self {
            Matcher::Equals(Val::Num(number)) => Matcher::Number(&[Ordering::Equal], number),
            Matcher::Compared(orders, Operand::Constant(Val::Num(number))) => Matcher::Number(orders, number),
            Matcher::Any(parts) => Matcher::Any(all(parts)),
            Matcher::All(parts) => Matcher::All(all(parts)),
            Matcher::Not(inner) => Matcher::Not(Box::new(inner.of_header())),
            other => other,
        }
    }

    /// The texts one of which it wants, if that is all.
    pub fn texts(&self) -> Option<Vec<&str>> {
        match self {
            Matcher::Equals(Val::Str(text)) => Some(vec![text]),
            Matcher::Any(parts) => {
                let parts: Option<Vec<Vec<&str>>> = parts.iter().map(Matcher::texts).collect();
                Some(parts?.concat())
            }
            _ => None,
        }
    }

    /// Whether it is one text, or anything but one.
    pub(super) fn is_text(&self) -> bool {
        match self {
            Matcher::Equals(value) => matches!(value, Val::Str(_)),
            Matcher::Not(inner) => inner.is_text(),
            _ => false,
        }
    }

    /// Whether it asks for a string that holds one complete object, and for nothing else.
    pub(super) fn asks_for_an_object(&self) -> bool {
        matches!(self, Matcher::Is(states) if matches!(states.as_slice(), [State::JsonObject]))
    }

    /// Whether it looks at nothing but the value.
    pub(super) fn is_constant(&self) -> bool {
        match self {
            Matcher::Same(source) | Matcher::In(source) | Matcher::Compared(_, Operand::Selected(source)) => {
                matches!(source, Source::Known(_))
            }
            Matcher::Length(inner) | Matcher::Not(inner) => inner.is_constant(),
            Matcher::Any(parts) | Matcher::All(parts) => parts.iter().all(Matcher::is_constant),
            _ => true,
        }
    }

    /// Whether it may hold for nothing.
    pub(super) fn may_fit_nothing(&self) -> bool {
        match self {
            Matcher::All(parts) => parts.iter().all(Matcher::may_fit_nothing),
            Matcher::Any(parts) => parts.iter().any(Matcher::may_fit_nothing),
            // A list has no item that is nothing.
            Matcher::In(_) => true,
            _ => !self.is_constant() || self.test(&Val::Nothing, &Env::new(0)),
        }
    }

    /// Whether it holds. Of several selected nodes one is enough, except for what asks after presence.
    pub fn test(&self, value: &Val<'_>, env: &Env<'_>) -> bool {
        match (self, value) {
            (Matcher::Is(_) | Matcher::Length(_) | Matcher::Contains(_), _) => self.one(value, env),
            (Matcher::Not(inner), _) => !inner.test(value, env),
            (Matcher::Any(parts), _) => parts.iter().any(|part| part.test(value, env)),
            (Matcher::All(parts), _) => parts.iter().all(|part| part.test(value, env)),
            (_, Val::List(nodes)) => nodes.iter().any(|node| self.one(node, env)),
            _ => self.one(value, env),
        }
    }

    fn one(&self, value: &Val<'_>, env: &Env<'_>) -> bool {
        match self {
            Matcher::Equals(constant) => value.equals(constant),
            Matcher::Same(source) => source.look(env, |other| !other.is_nothing() && value.equals(other)),
            Matcher::Is(states) => states.iter().any(|state| state.holds(value)),
            Matcher::Matches(regex) => value.as_str().is_some_and(|text| regex.is_match(&text)),
            Matcher::StartsWith(start) => value.as_str().is_some_and(|text| text.starts_with(start)),
            Matcher::EndsWith(end) => value.as_str().is_some_and(|text| text.ends_with(end)),
            Matcher::Contains(part) => match value.as_str() {
                Some(text) => part.to_text().is_some_and(|part| text.contains(&*part)),
                None => value.kind() == Type::List && value.has_item(part),
            },
            Matcher::Compared(orders, Operand::Constant(other)) => {
                value.compare(other).is_some_and(|order| orders.contains(&order))
            }
            Matcher::Compared(orders, Operand::Selected(source)) => {
                source.look(env, |other| value.compare(other)).is_some_and(|order| orders.contains(&order))
            }
            Matcher::Number(orders, number) => {
                let read = value.as_str().and_then(|text| {
                    let text = text.trim();
                    let float = || text.parse().ok().filter(|float: &f64| float.is_finite()).map(Num::Float);
                    text.parse().ok().map(Num::Int).or_else(float)
                });
                let order = read.and_then(|read| Val::Num(read).compare(&Val::Num(*number)));
                order.is_some_and(|order| orders.contains(&order))
            }
            Matcher::Length(inner) => value
                .length()
                .and_then(|length| i64::try_from(length).ok())
                .is_some_and(|length| inner.test(&Val::Num(super::value::Num::Int(length)), env)),
            Matcher::In(source) => source.look(env, |list| list.has_item(value)),
            Matcher::Not(inner) => !inner.test(value, env),
            Matcher::Any(parts) => parts.iter().any(|part| part.test(value, env)),
            Matcher::All(parts) => parts.iter().all(|part| part.test(value, env)),
        }
    }
}

impl State {
    /// Whether a value is in it.
    #[inline]
    pub(super) fn holds(self, value: &Val<'_>) -> bool {
        match self {
            State::Present => value.kind() != Type::Nothing,
            State::Absent => value.kind() == Type::Nothing,
            State::Something => value.is_something(),
            State::Nothing => value.is_nothing(),
            State::Empty => value.is_empty(),
            State::JsonObject => value.as_str().is_some_and(|text| json::is_complete_object(&text)),
            State::Of(kind) => value.kind() == kind,
        }
    }
}
