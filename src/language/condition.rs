//! Conditions: the same words in templates, streams, routes and failover rules.

use std::sync::Arc;

use super::compile::Compiler;
use super::matchers::{self, Matcher, State};
use super::scope::Env;
use super::template::Source;
use super::value::Val;
use super::words::{self, CONDITIONS};
use crate::text::json::Traces;
use crate::text::yaml::{Key, Kind, Node};

/// A compiled condition. Testing it cannot fail.
pub enum Condition {
    /// Always, or never.
    Is(bool),
    /// The path selects something: not nothing, null, `false` or empty.
    Something(Source),
    /// The path, which selects one value, selects this text.
    Text(Box<IsText>),
    /// What the path, which selects one value, selects is in this state.
    State(Source, State),
    /// The matcher holds for what the path selects.
    Match(Source, Box<Matcher>),
    /// The same, where the matcher is known not to hold for nothing, and the path selects one value.
    MatchSome(Source, Box<Matcher>),
    /// Every part holds.
    All(Vec<Condition>),
    /// Some part holds.
    Any(Vec<Condition>),
    /// The part does not hold.
    Not(Box<Condition>),
    /// A fact that only the caller knows how to test, such as a status set.
    Fact(Box<dyn Test>),
}

/// That a path, which selects one value, selects this text.
pub struct IsText {
    pub(super) source: Source,
    text: Box<str>,
    /// What a document must have for that.
    pub(super) needs: Traces,
}

impl IsText {
    fn new(source: Source, text: Box<str>) -> Box<IsText> {
        let mut needs = source.needs();
        // What a name stands for may be a member's name, which leaves no trace as a text.
        if !source.is_bare() {
            needs.need_text(&text);
        }
        Box::new(IsText { source, text, needs })
    }

    fn test(&self, env: &Env<'_>) -> bool {
        self.source.is_text(env, &self.text, &self.needs)
    }
}

/// A test that a caller of the language brings along.
pub trait Test: Send + Sync {
    /// Whether it holds.
    fn test(&self, env: &Env<'_>) -> bool;
}

/// Words beside paths that a caller allows in conditions: `status`, `model` and the like.
pub trait Facts {
    /// All such words, for suggestions.
    fn words(&self) -> Vec<&'static str>;

    /// Compiles `word: value`. `None` where the mistake has been reported.
    fn compile(&self, word: &Key, value: &Node, compiler: &mut Compiler<'_>) -> Option<Condition>;
}

/// The facts of templates and streams: none.
pub struct NoFacts;

impl Facts for NoFacts {
    fn words(&self) -> Vec<&'static str> {
        Vec::new()
    }

    fn compile(&self, _: &Key, _: &Node, _: &mut Compiler<'_>) -> Option<Condition> {
        None
    }
}

impl Condition {
    /// The path and the texts one of which has to stand there, if that is all that is asked: for those who look
    /// rules up by what an outcome says.
    pub fn texts(&self) -> Option<(&Source, Vec<&str>)> {
        match self {
            Condition::Text(is) => Some((&is.source, vec![&is.text])),
            Condition::Match(source, matcher) | Condition::MatchSome(source, matcher)
                if !source.is_plural() =>
            {
                Some((source, matcher.texts()?))
            }
            _ => None,
        }
    }

    /// What it looks at, if that is one path.
    pub fn seen<'a>(&self, env: &Env<'a>) -> Option<Val<'a>> {
        match self {
            Condition::Something(source)
            | Condition::State(source, _)
            | Condition::Match(source, _)
            | Condition::MatchSome(source, _) => Some(source.value(env)),
            Condition::Text(is) => Some(is.source.value(env)),
            Condition::Not(part) => part.seen(env),
            Condition::All(parts) | Condition::Any(parts) => parts.iter().find_map(|part| part.seen(env)),
            _ => None,
        }
    }

    /// Whether the condition holds.
    pub fn test(&self, env: &Env<'_>) -> bool {
        match self {
            Condition::Is(value) => *value,
            // Of several nodes only whether there is one.
            Condition::Something(source) if source.is_plural() => !matches!(source.first(env), Val::Nothing),
            Condition::Something(source) => source.look(env, |value| value.is_something()),
            Condition::Text(is) => is.test(env),
            Condition::State(source, state) => source.look(env, |value| state.holds(value)),
            Condition::Match(source, matcher)
                if source.is_plural() && matches!(**matcher, Matcher::Is(_)) =>
            {
                let found = match source.first(env) {
                    Val::Nothing => Val::Nothing,
                    node => Val::List(Arc::new([node])),
                };
                matcher.test(&found, env)
            }
            Condition::Match(source, matcher) => source.look(env, |value| matcher.test(value, env)),
            Condition::MatchSome(source, matcher) => {
                source.look(env, |value| !matches!(value, Val::Nothing) && matcher.test(value, env))
            }
            Condition::All(parts) => parts.iter().all(|part| part.test(env)),
            Condition::Any(parts) => parts.iter().any(|part| part.test(env)),
            Condition::Not(part) => !part.test(env),
            Condition::Fact(fact) => fact.test(env),
        }
    }
}

/// Conditions that are decided already are left out of those that are joined.
impl Condition {
    fn something(source: Source) -> Condition {
        match source {
            Source::Known(value) => Condition::Is(value.is_something()),
            source => Condition::Something(source),
        }
    }

    fn matching(source: Source, matcher: Matcher) -> Condition {
        // What is asked most of all has conditions of its own.
        match (source, matcher) {
            (source @ Source::Slot(..), Matcher::Equals(Val::Str(text))) if !source.is_plural() => {
                Condition::Text(IsText::new(source, text.into()))
            }
            (source @ Source::Slot(..), Matcher::Not(inner)) if !source.is_plural() && inner.is_text() => {
                Condition::matching(source, *inner).not()
            }
            (source @ Source::Slot(..), Matcher::Is(states)) if !source.is_plural() => {
                match states.as_slice() {
                    [state] => Condition::State(source, *state),
                    _ => Condition::matching_any(source, Matcher::Is(states)),
                }
            }
            (source, matcher) => Condition::matching_any(source, matcher),
        }
    }

    fn matching_any(source: Source, matcher: Matcher) -> Condition {
        match &source {
            Source::Known(value) if matcher.is_constant() => Condition::Is(matcher.test(value, &Env::new(0))),
            _ if source.is_plural() || matcher.may_fit_nothing() => {
                Condition::Match(source, Box::new(matcher))
            }
            _ => Condition::MatchSome(source, Box::new(matcher)),
        }
    }

    fn not(self) -> Condition {
        match self {
            Condition::Is(value) => Condition::Is(!value),
            part => Condition::Not(Box::new(part)),
        }
    }

    /// `verdict`: the value that one part alone decides with: false for all, true for any.
    fn joined(mut parts: Vec<Condition>, verdict: bool) -> Condition {
        if parts.iter().any(|part| matches!(part, Condition::Is(value) if *value == verdict)) {
            return Condition::Is(verdict);
        }
        parts.retain(|part| !matches!(part, Condition::Is(_)));
        match (parts.len(), verdict) {
            (0, _) => Condition::Is(!verdict),
            (1, _) => parts.swap_remove(0),
            (_, false) => Condition::All(parts),
            (_, true) => Condition::Any(parts),
        }
    }
}

impl Compiler<'_> {
    /// Compiles a condition that may use paths only.
    pub fn condition(&mut self, node: &Node) -> Option<Condition> {
        self.condition_with(node, &NoFacts)
    }

    /// Compiles a condition that may use the words of `facts` beside paths.
    pub fn condition_with(&mut self, node: &Node, facts: &dyn Facts) -> Option<Condition> {
        match &node.kind {
            Kind::Bool(value) => Some(Condition::Is(*value)),
            Kind::String(text) if text.starts_with('$') => {
                self.source(text, node.span).map(Condition::something)
            }
            Kind::Map(entries) if !entries.is_empty() => {
                let parts: Vec<_> =
                    entries.iter().map(|(key, value)| self.condition_entry(key, value, facts)).collect();
                let parts: Option<Vec<_>> = parts.into_iter().collect();
                Some(Condition::joined(parts?, false))
            }
            _ => {
                let what = node.type_name();
                self.error("bad-condition", node.span, format!("a condition cannot be {what}"))
                    .help("write a path such as `$.stream`, or `{ $.role: user }`, `{ any: [...] }`, `{ all: [...] }`, `{ not: ... }`");
                None
            }
        }
    }

    fn condition_entry(&mut self, key: &Key, value: &Node, facts: &dyn Facts) -> Option<Condition> {
        match key.text.as_str() {
            "any" => self.condition_list(value, facts).map(|parts| Condition::joined(parts, true)),
            "all" => self.condition_list(value, facts).map(|parts| Condition::joined(parts, false)),
            "not" => self.condition_with(value, facts).map(Condition::not),
            path if path.starts_with('$') => {
                let source = self.source(path, key.span);
                let matcher = matchers::compile(self, value);
                let is_header = path.starts_with("$header.") || path.starts_with("$header[");
                let matcher = if is_header { matcher.map(Matcher::of_header) } else { matcher };
                Some(Condition::matching(source?, matcher?))
            }
            word if facts.words().contains(&word) => facts.compile(key, value, self),
            word => {
                let mut known = facts.words();
                known.extend(words::names(CONDITIONS));
                self.error("unknown-condition", key.span, format!("a condition knows no `{word}`"))
                    .did_you_mean(word, known.iter().copied())
                    .help(format!("a path begins with `$`; the words are {}", known.join(", ")));
                None
            }
        }
    }

    fn condition_list(&mut self, node: &Node, facts: &dyn Facts) -> Option<Vec<Condition>> {
        let Kind::List(parts) = &node.kind else {
            self.error(
                "bad-condition",
                node.span,
                format!("`any` and `all` take a list, not {}", node.type_name()),
            );
            return None;
        };
        let parts: Vec<_> = parts.iter().map(|part| self.condition_with(part, facts)).collect();
        parts.into_iter().collect()
    }
}
