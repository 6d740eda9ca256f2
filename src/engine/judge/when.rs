//! The conditions of failover rules and routes: facts by name, and paths with matchers.

use super::{Facts, Judged};
use crate::engine::failure::FailureKind;
use crate::language::Condition;
use crate::text::units::{Glob, StatusSet};
use regex::{Regex, RegexSet, SetMatches};
use serde_json::{Map, Value};

/// A condition over facts.
pub enum Test {
    /// Always, or never.
    Is(bool),
    /// Every part holds.
    All(Vec<Test>),
    /// Some part holds.
    Any(Vec<Test>),
    /// The part does not hold.
    Not(Box<Test>),
    /// The status is in one of these.
    Status(StatusSet),
    /// One of these patterns (places in [`Texts`]) matches the text.
    Text(Vec<usize>),
    /// What went wrong is one of these.
    Failure(Vec<FailureKind>),
    /// The client's model fits one of these.
    Model(Vec<Glob>),
    /// The provider is one of these.
    Provider(Vec<String>),
    /// The mapping dropped one of these from the request.
    Dropped(Vec<Glob>),
    /// A condition of the mapping language, and how it is written.
    Path(Condition, String),
}

impl Test {
    /// Whether the condition holds.
    pub fn holds(&self, judged: &Judged<'_>) -> bool {
        let facts = judged.facts;
        match self {
            Test::Is(value) => *value,
            Test::All(parts) => parts.iter().all(|part| part.holds(judged)),
            Test::Any(parts) => parts.iter().any(|part| part.holds(judged)),
            Test::Not(part) => !part.holds(judged),
            Test::Status(set) => facts.status.is_some_and(|status| set.contains(status)),
            Test::Text(patterns) => patterns.iter().any(|pattern| judged.matches(*pattern)),
            Test::Failure(kinds) => facts.failure.is_some_and(|kind| kinds.contains(&kind)),
            Test::Model(globs) => globs.iter().any(|glob| glob.matches(facts.model)),
            Test::Provider(names) => names.iter().any(|name| name == facts.provider),
            Test::Dropped(globs) => {
                facts.dropped.iter().any(|name| globs.iter().any(|glob| glob.matches(name)))
            }
            Test::Path(condition, _) => condition.test(judged.env()),
        }
    }

    /// Does the condition name a status anywhere?
    pub fn names_status(&self) -> bool {
        self.has(&|test| matches!(test, Test::Status(_)))
    }

    /// Does the condition name anywhere what is dropped?
    pub fn names_dropped(&self) -> bool {
        self.has(&|test| matches!(test, Test::Dropped(_)))
    }

    /// Is there such a test in it?
    fn has(&self, wanted: &dyn Fn(&Test) -> bool) -> bool {
        match self {
            Test::All(parts) | Test::Any(parts) => parts.iter().any(|part| part.has(wanted)),
            Test::Not(part) => part.has(wanted),
            test => wanted(test),
        }
    }

    /// Why it holds or not, for people.
    pub fn why(&self, judged: &Judged<'_>) -> String {
        let holds = self.holds(judged);
        match self {
            Test::Is(value) => format!("it is always {value}"),
            Test::All(parts) if parts.is_empty() => "it asks for nothing".to_owned(),
            Test::All(parts) if holds => joined(parts, judged, ", and "),
            Test::All(parts) => parts
                .iter()
                .find(|part| !part.holds(judged))
                .map_or_else(String::new, |part| part.why(judged)),
            Test::Any(parts) if holds => {
                parts.iter().find(|part| part.holds(judged)).map_or_else(String::new, |part| part.why(judged))
            }
            Test::Any(parts) => joined(parts, judged, ", and "),
            Test::Not(part) => part.why(judged),
            fact => fact.why_fact(judged.facts, judged, holds),
        }
    }

    fn why_fact(&self, facts: &Facts<'_>, judged: &Judged<'_>, holds: bool) -> String {
        let is = if holds { "is" } else { "is not" };
        match self {
            Test::Status(set) => match facts.status {
                Some(status) => format!("status {status} {is} {set}"),
                None => format!("there is no status, so it is not {set}"),
            },
            Test::Text(patterns) => {
                let texts: Vec<&str> = patterns.iter().filter_map(|at| judged.texts.pattern(*at)).collect();
                let verb = if holds { "matches" } else { "does not match" };
                format!("the text {verb} /{}/", texts.join("/ or /"))
            }
            Test::Failure(kinds) => {
                let names: Vec<&str> = kinds.iter().map(|kind| kind.name()).collect();
                let failure = facts.failure.map_or("nothing failed", FailureKind::name);
                format!("failure {failure} {is} {}", names.join(" or "))
            }
            Test::Model(globs) => format!("model {} {is} {}", facts.model, listed(globs)),
            Test::Provider(names) => format!("provider {} {is} {}", facts.provider, names.join(" or ")),
            Test::Dropped(globs) if facts.dropped.is_empty() => {
                format!("nothing was dropped, so not {}", listed(globs))
            }
            Test::Dropped(globs) => format!("dropped {} {is} {}", facts.dropped.join(", "), listed(globs)),
            Test::Path(_, written) => format!("{written} {}", if holds { "holds" } else { "does not hold" }),
            _ => String::new(),
        }
    }
}

fn joined(parts: &[Test], judged: &Judged<'_>, with: &str) -> String {
    let all: Vec<String> = parts.iter().map(|part| part.why(judged)).collect();
    all.join(with)
}

fn listed(globs: &[Glob]) -> String {
    let all: Vec<&str> = globs.iter().map(Glob::as_str).collect();
    all.join(" or ")
}

/// All patterns of all rules. One pass over a text tells which of them match.
#[derive(Default)]
pub struct Texts {
    patterns: Vec<Regex>,
    set: Option<RegexSet>,
}

impl Texts {
    /// Adds a pattern, or finds it if it is there, and gives its place.
    pub fn add(&mut self, pattern: &Regex) -> usize {
        let known = self.patterns.iter().position(|known| known.as_str() == pattern.as_str());
        known.unwrap_or_else(|| {
            self.patterns.push(pattern.clone());
            self.patterns.len() - 1
        })
    }

    /// Builds the set. Without it (too many or too large patterns) each is tried by itself.
    pub fn seal(&mut self) {
        if self.patterns.len() > 1 {
            self.set = RegexSet::new(self.patterns.iter().map(Regex::as_str)).ok();
        }
    }

    /// How a pattern is written.
    pub fn pattern(&self, at: usize) -> Option<&str> {
        self.patterns.get(at).map(Regex::as_str)
    }

    pub(super) fn search(&self, text: &str) -> Option<SetMatches> {
        self.set.as_ref().map(|set| set.matches(text))
    }

    pub(super) fn found(&self, matches: Option<&SetMatches>, at: usize, text: &str) -> bool {
        match matches {
            Some(matches) => matches.matched(at),
            None => self.patterns.get(at).is_some_and(|pattern| pattern.is_match(text)),
        }
    }

    /// The named groups of the first pattern of `test` that matches, as a JSON object.
    pub fn captures(&self, test: &Test, facts: &Facts<'_>) -> Option<Value> {
        let mut patterns = Vec::new();
        collect(test, &mut patterns);
        let text = facts.text();
        let mut groups = Map::new();
        for pattern in patterns.iter().filter_map(|at| self.patterns.get(*at)) {
            let found = pattern.captures(&text).or_else(|| pattern.captures(facts.message()?));
            let Some(found) = found else {
                continue;
            };
            for name in pattern.capture_names().flatten() {
                if let Some(group) = found.name(name) {
                    groups.entry(name).or_insert_with(|| Value::from(group.as_str()));
                }
            }
        }
        (!groups.is_empty()).then_some(Value::Object(groups))
    }
}

/// The patterns that a condition looks for.
fn collect(test: &Test, patterns: &mut Vec<usize>) {
    match test {
        Test::Text(places) => patterns.extend(places),
        Test::All(parts) | Test::Any(parts) => parts.iter().for_each(|part| collect(part, patterns)),
        _ => {}
    }
}
