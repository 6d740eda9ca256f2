//! The conditions of failover rules and routes: facts by name, and paths with matchers.

use super::Judged;
use crate::config::model::{Bounds, Count, Phase};
use crate::engine::exchange::sniff::{Sniffed, significant, sniff};
use crate::engine::failure::FailureKind;
use crate::language::Condition;
use crate::text::units::{Glob, Hours, StatusSet};
use std::sync::Arc;

/// Which text a pattern looks at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Where {
    /// The whole text, or the error's message in it with the escapes of JSON undone.
    Text,
    /// The error's message.
    Message,
    /// The words of a short answer.
    Answer,
}

impl Where {
    /// All of them; the place of each is its number.
    pub const ALL: [Where; 3] = [Where::Text, Where::Message, Where::Answer];

    pub(super) fn name(self) -> &'static str {
        match self {
            Where::Text => "text",
            Where::Message => "message",
            Where::Answer => "words of the answer",
        }
    }
}

/// A condition over facts.
#[derive(Clone)]
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
    /// One of these patterns (places in [`super::texts::Texts`]) matches a text.
    Text(Where, Vec<u32>),
    /// The body is really one of these; nothing at all is [`Sniffed::Unsure`].
    Body(Vec<Sniffed>),
    /// The attempt had come as far as one of these.
    Phase(Vec<Phase>),
    /// The client had begun to read the answer, or not.
    Committed(bool),
    /// The route's name or path fits one of these.
    Route(Vec<Glob>),
    /// The name of the key fits one of these.
    Key(Vec<Glob>),
    /// What went wrong is one of these.
    Failure(Vec<FailureKind>),
    /// The client's model fits one of these.
    Model(Vec<Glob>),
    /// The provider is one of these.
    Provider(Vec<String>),
    /// The mapping dropped one of these from the request.
    Dropped(Vec<Glob>),
    /// A number of the request is one of these.
    Count(Count, Arc<Bounds>),
    /// It is one of these times.
    Hours(Arc<Hours>),
    /// A condition of the mapping language, and how it is written.
    Path(Arc<Condition>, String),
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
            Test::Status(set) => {
                [facts.status, facts.came].iter().flatten().any(|status| set.contains(*status))
            }
            Test::Text(scope, patterns) => patterns.iter().any(|pattern| judged.matches(*scope, *pattern)),
            Test::Failure(kinds) => facts.failure.is_some_and(|kind| kinds.contains(&kind)),
            Test::Body(kinds) => kinds.contains(&kind_of(facts.body)),
            Test::Phase(phases) => phases.contains(&facts.stage()),
            Test::Committed(wanted) => facts.committed == *wanted,
            Test::Route(globs) => {
                let fits = |name: &str| globs.iter().any(|glob| glob.matches(name));
                fits(facts.route.path) || facts.route.name.is_some_and(fits)
            }
            Test::Key(globs) => globs.iter().any(|glob| glob.matches(facts.key)),
            Test::Model(globs) => globs.iter().any(|glob| glob.matches(facts.model)),
            Test::Provider(names) => names.iter().any(|name| name == facts.provider),
            Test::Dropped(globs) => {
                facts.dropped.iter().any(|name| globs.iter().any(|glob| glob.matches(name)))
            }
            Test::Count(count, bounds) => facts.count(*count).is_some_and(|it| bounds.set.contains(it)),
            Test::Hours(hours) => hours.hold(facts.now),
            Test::Path(condition, _) => condition.test(judged.env()),
        }
    }

    /// The condition as it judges good answers: those of its branches that name a good status. `None` if there
    /// are none. (What only looks at texts or fields means errors: an answer may speak of anything.)
    pub fn for_good(&self) -> Option<Test> {
        match self {
            Test::Status(set) if !set.and(StatusSet::range(200, 299)).is_empty() => Some(self.clone()),
            Test::Text(Where::Answer, _) => Some(self.clone()),
            Test::Any(parts) => {
                let parts: Vec<Test> = parts.iter().filter_map(Test::for_good).collect();
                (!parts.is_empty()).then_some(Test::Any(parts))
            }
            Test::All(parts) => {
                let good: Vec<Option<Test>> = parts.iter().map(Test::for_good).collect();
                let names = good.iter().any(Option::is_some);
                let parts =
                    good.into_iter().zip(parts).map(|(good, part)| good.unwrap_or_else(|| part.clone()));
                names.then(|| Test::All(parts.collect()))
            }
            Test::Not(part) if part.has(&|test| matches!(test, Test::Status(_))) => Some(self.clone()),
            _ => None,
        }
    }

    /// The same condition, with what is cheap to find out in front.
    pub fn cheapest_first(self) -> Test {
        let sorted = |parts: Vec<Test>| {
            let mut parts: Vec<Test> = parts.into_iter().map(Test::cheapest_first).collect();
            parts.sort_by_key(Test::cost);
            parts
        };
        match self {
            Test::All(parts) => Test::All(sorted(parts)),
            Test::Any(parts) => Test::Any(sorted(parts)),
            Test::Not(part) => Test::Not(Box::new(part.cheapest_first())),
            test => test,
        }
    }

    /// How long it takes, roughly: facts, then names, then paths, then regular expressions.
    fn cost(&self) -> u32 {
        match self {
            Test::Is(_) | Test::Status(_) | Test::Failure(_) | Test::Phase(_) | Test::Committed(_) => 0,
            Test::Provider(_) | Test::Model(_) | Test::Dropped(_) | Test::Route(_) | Test::Key(_) => 1,
            Test::Body(_) | Test::Hours(_) | Test::Count(Count::Size, _) => 1,
            Test::Path(..) | Test::Count(Count::Messages, _) => 2,
            Test::Text(..) => 3,
            Test::Count(Count::Tokens, _) => 4,
            Test::All(parts) | Test::Any(parts) => parts.iter().map(Test::cost).max().unwrap_or(0),
            Test::Not(part) => part.cost(),
        }
    }

    /// The patterns that it looks for, with where.
    pub fn patterns(&self, found: &mut Vec<(Where, u32)>) {
        match self {
            Test::Text(scope, places) => found.extend(places.iter().map(|at| (*scope, *at))),
            Test::All(parts) | Test::Any(parts) => parts.iter().for_each(|part| part.patterns(found)),
            _ => {}
        }
    }

    /// Whether it holds only where a short answer's words match a pattern.
    pub fn needs_answer(&self) -> bool {
        match self {
            Test::Text(Where::Answer, _) => true,
            Test::All(parts) => parts.iter().any(Test::needs_answer),
            Test::Any(parts) => !parts.is_empty() && parts.iter().all(Test::needs_answer),
            _ => false,
        }
    }

    /// Does the condition name anywhere what is dropped?
    pub fn names_dropped(&self) -> bool {
        self.has(&|test| matches!(test, Test::Dropped(_)))
    }

    /// Is there such a test in it?
    pub fn has(&self, wanted: &dyn Fn(&Test) -> bool) -> bool {
        match self {
            Test::All(parts) | Test::Any(parts) => parts.iter().any(|part| part.has(wanted)),
            Test::Not(part) => part.has(wanted),
            test => wanted(test),
        }
    }
}

/// What a body really is; nothing at all is [`Sniffed::Unsure`].
pub(super) fn kind_of(body: &[u8]) -> Sniffed {
    match sniff(body) {
        Sniffed::Unsure if !significant(body).is_empty() => Sniffed::Other,
        kind => kind,
    }
}
