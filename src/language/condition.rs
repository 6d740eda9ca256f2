//! Conditions: the same words in templates, streams, routes and failover rules.

use std::sync::Arc;

use super::compile::Compiler;
use super::matchers::{self, Matcher};
use super::scope::Env;
use super::template::Source;
use super::value::Val;
use super::words::{self, CONDITIONS};
use crate::text::yaml::{Key, Kind, Node};

/// A compiled condition. Testing it cannot fail.
pub enum Condition {
    /// Always, or never.
    Is(bool),
    /// The path selects something: not nothing, null, `false` or empty.
    Something(Source),
    /// The matcher holds for what the path selects.
    Match(Source, Matcher),
    /// Every part holds.
    All(Vec<Condition>),
    /// Some part holds.
    Any(Vec<Condition>),
    /// The part does not hold.
    Not(Box<Condition>),
    /// A fact that only the caller knows how to test, such as a status set.
    Fact(Box<dyn Test>),
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
            Condition::Match(source, matcher) if !source.is_plural() => Some((source, matcher.texts()?)),
            _ => None,
        }
    }

    /// Whether the condition holds.
    pub fn test(&self, env: &Env<'_>) -> bool {
        match self {
            Condition::Is(value) => *value,
            // Of several nodes only whether there is one.
            Condition::Something(source) if source.is_plural() => !matches!(source.first(env), Val::Nothing),
            Condition::Something(source) => source.value(env).is_something(),
            Condition::Match(source, matcher @ Matcher::Is(_)) if source.is_plural() => {
                let found = match source.first(env) {
                    Val::Nothing => Val::Nothing,
                    node => Val::List(Arc::new([node])),
                };
                matcher.test(&found, env)
            }
            Condition::Match(source, matcher) => matcher.test(&source.value(env), env),
            Condition::All(parts) => parts.iter().all(|part| part.test(env)),
            Condition::Any(parts) => parts.iter().any(|part| part.test(env)),
            Condition::Not(part) => !part.test(env),
            Condition::Fact(fact) => fact.test(env),
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
                self.source(text, node.span).map(Condition::Something)
            }
            Kind::Map(entries) if !entries.is_empty() => {
                let mut parts: Vec<_> = entries
                    .iter()
                    .map(|(key, value)| self.condition_entry(key, value, facts))
                    .collect::<Vec<_>>()
                    .into_iter()
                    .collect::<Option<_>>()?;
                if parts.len() == 1 { parts.pop() } else { Some(Condition::All(parts)) }
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
            "any" => self.condition_list(value, facts).map(Condition::Any),
            "all" => self.condition_list(value, facts).map(Condition::All),
            "not" => self.condition_with(value, facts).map(|part| Condition::Not(Box::new(part))),
            path if path.starts_with('$') => {
                let source = self.source(path, key.span);
                let matcher = matchers::compile(self, value);
                Some(Condition::Match(source?, matcher?))
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
