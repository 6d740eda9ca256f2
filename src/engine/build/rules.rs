//! Compiles failover rules and the conditions of routes.

use super::{Build, Repairs};
use crate::config::changes::mark;
use crate::config::model::{self, Fact};
use crate::engine::actions::Do;
use crate::engine::build::compile;
use crate::engine::exchange::sniff::Sniffed;
use crate::engine::failure::FailureKind;
use crate::engine::judge::Rule;
use crate::engine::judge::cooling::{After, Cooling, Counted, Source};
use crate::engine::judge::when::{Test, Where};
use crate::engine::names::{COOLING, EXHAUSTED, FAILOVER, REFUSING};
use crate::engine::plan::Level;
use crate::language::scope::Scope;
use crate::text::diagnostic::{Diagnostic, Span};
use crate::text::pattern::Pattern;
use crate::text::yaml::{Key, Kind, Node};
use std::sync::Arc;

impl Build<'_> {
    /// Compiles failover rules. A repair is looked for in one of `repairs` after the other.
    pub(super) fn failover(&mut self, rules: &[model::FailoverRule], repairs: &[&Repairs]) -> Vec<Arc<Rule>> {
        let scope = self.scope(FAILOVER);
        let cooling = self.scope(COOLING);
        let refusing = self.scope(REFUSING);
        let ending = self.scope(EXHAUSTED);
        let made = rules
            .iter()
            .filter_map(|rule| self.rule(rule, [&scope, &cooling, &refusing, &ending], repairs))
            .map(Arc::new)
            .collect();
        scope.finish(self.diags);
        cooling.finish(self.diags);
        refusing.finish(self.diags);
        ending.finish(self.diags);
        made
    }

    fn rule(
        &mut self,
        from: &model::FailoverRule,
        [scope, cooling, refusing, ending]: [&Scope; 4],
        repairs: &[&Repairs],
    ) -> Option<Rule> {
        let when = match &from.when {
            Some(when) => self.when(when, scope).map(Test::cheapest_first),
            None => Some(Test::Is(true)),
        };
        let action = self.action(&from.action, repairs, refusing);
        let cooling = from.cool_down.as_ref().map(|it| self.cooling(it, cooling));
        let exhausted = from.exhausted.as_ref().and_then(|it| self.kept_refusal(it, ending));
        let when = when?;
        if when.gate(None).is_shut() && !when.has(&|test| matches!(test, Test::Is(false))) {
            let message = format!("the condition of the rule `{}` never holds", from.name.value);
            let diagnostic =
                Diagnostic::warning("contradiction", message).at(from.name.span).label("never fires");
            self.diags.push(diagnostic.help("its parts exclude one another: where there is no connection there is no status, and an answer has one status"));
        }
        Some(Rule {
            name: from.name.value.clone(),
            at: from.name.span,
            meaning: mark(&(&from.when, &from.cool_down, &from.down)),
            good: when.for_good(),
            sees_losses: when.names_dropped(),
            when,
            action: action?,
            cooling,
            down: from.down.is_some(),
            switch: from.switch,
            log: from.log.map(level),
            last: from.last,
            shadow: from.shadow,
            exhausted,
        })
    }

    fn action(&mut self, from: &model::Action, repairs: &[&Repairs], refusing: &Scope) -> Option<Do> {
        let then = |then: model::Then| match then {
            model::Then::Next => Do::Next,
            model::Then::Return => Do::Return,
        };
        Some(match from {
            model::Action::Next => Do::Next,
            model::Action::Return => Do::Return,
            model::Action::Retry(retry) => Do::Retry {
                times: retry.times.value,
                backoff: retry.backoff,
                at_most: retry.at_most,
                then: Box::new(then(retry.then)),
            },
            model::Action::Wait(wait) => Do::Wait {
                at_most: wait.wait.at_most,
                times: wait.wait.times,
                then: Box::new(then(wait.then)),
            },
            model::Action::Refuse(action) => Do::Refuse(self.kept_refusal(&action.refuse, refusing)?),
            model::Action::Repair(repair) => {
                let name = &repair.name;
                let found =
                    repairs.iter().flat_map(|table| table.iter()).find(|(known, _)| *known == name.value);
                let Some((_, place)) = found else {
                    let message = format!("there is no repair `{}`", name.value);
                    self.diags.error("unknown-repair", name.span, message);
                    return None;
                };
                Do::Repair { patch: (*place)?, otherwise: repair.otherwise.map(|it| Box::new(then(it))) }
            }
        })
    }

    fn cooling(&mut self, from: &model::CoolDown, scope: &Scope) -> Cooling {
        let mut until = Vec::new();
        for source in from.until.iter() {
            let value = compile::template(source, scope, self.diags);
            until.extend(value.map(|value| Source::new(source.as_str(), looks_at(source), value)));
        }
        Cooling {
            until,
            first: from.of_several == model::WhichMoment::First,
            zone: from.zone.as_ref().map(|zone| zone.value.clone()),
            jitter: from.jitter,
            fixed: from.fixed,
            otherwise: from.otherwise,
            at_least: from.at_least,
            at_most: from.at_most,
            scope: from.scope.unwrap_or(model::CoolDownScope::Provider),
            grow: from.grow.as_ref().map_or(1, |grow| grow.value),
            after: from.after.as_ref().and_then(after),
            trials: from.trials,
        }
    }

    /// A condition, with all its parts; `None` if one of them is of no use.
    pub(super) fn when(&mut self, from: &model::When, scope: &Scope) -> Option<Test> {
        let parts: Vec<Option<Test>> = from.facts.iter().map(|fact| self.fact(fact, scope)).collect();
        let mut parts = parts.into_iter().collect::<Option<Vec<_>>>()?;
        if parts.len() == 1 { parts.pop() } else { Some(Test::All(parts)) }
    }

    fn whens(&mut self, from: &[model::When], scope: &Scope) -> Option<Vec<Test>> {
        let parts: Vec<Option<Test>> = from.iter().map(|when| self.when(when, scope)).collect();
        parts.into_iter().collect()
    }

    fn fact(&mut self, fact: &Fact, scope: &Scope) -> Option<Test> {
        Some(match fact {
            Fact::Constant(value) => Test::Is(*value),
            Fact::Any(parts) => Test::Any(self.whens(parts, scope)?),
            Fact::All(parts) => Test::All(self.whens(parts, scope)?),
            Fact::Not(part) => Test::Not(Box::new(self.when(part, scope)?)),
            Fact::Status(sets) => Test::Status(*sets),
            Fact::Text(patterns) => Test::Text(Where::Text, self.patterns(patterns)),
            Fact::Message(patterns) => Test::Text(Where::Message, self.patterns(patterns)),
            Fact::AnswerText(patterns) => {
                // Where it begins: what an answer speaks of later is its own affair.
                let begins = patterns
                    .iter()
                    .filter_map(|it| Pattern::parse(&format!("^(?:{})", it.pattern.as_str())).ok());
                Test::Text(Where::Answer, begins.map(|pattern| self.texts.add(&pattern)).collect())
            }
            Fact::Body(kinds) => Test::Body(kinds.iter().map(|kind| sniffed(*kind)).collect()),
            Fact::Phase(phases) => Test::Phase(phases.to_vec()),
            Fact::Committed(wanted) => Test::Committed(*wanted),
            Fact::Route(globs) => Test::Route(globs.to_vec()),
            Fact::Key(globs) => Test::Key(globs.to_vec()),
            Fact::Failure(kinds) => Test::Failure(
                kinds.iter().filter_map(|kind| FailureKind::from_name(kind.value.word())).collect(),
            ),
            Fact::Header(table) => {
                let mut parts = Vec::new();
                for (name, matcher) in table.iter() {
                    let path = format!("$header.{}", name.text.to_ascii_lowercase());
                    parts.push(self.matched(&path, name.span, matcher, scope)?);
                }
                Test::All(parts)
            }
            Fact::Model(globs) => Test::Model(globs.to_vec()),
            Fact::Provider(names) => Test::Provider(names.iter().map(|name| name.value.clone()).collect()),
            Fact::Dropped(globs) => Test::Dropped(globs.to_vec()),
            Fact::Count(count, bounds) => Test::Count(*count, Arc::new(bounds.clone())),
            Fact::Hours(hours) => Test::Hours(Arc::new(hours.clone())),
            Fact::Attempt(matcher) => self.matched("$attempt", matcher.span, matcher, scope)?,
            Fact::Path(node) => {
                let written = match &node.kind {
                    Kind::Map(entries) => {
                        entries.first().map_or_else(String::new, |(key, _)| key.text.clone())
                    }
                    _ => node.as_str().unwrap_or_default().to_owned(),
                };
                Test::Path(Arc::new(compile::condition(node, scope, self.diags)?), written)
            }
        })
    }

    fn patterns(&mut self, patterns: &[model::Pattern]) -> Vec<u32> {
        patterns.iter().map(|pattern| self.texts.add(&pattern.pattern)).collect()
    }

    /// A fact that is a path with a matcher in disguise.
    fn matched(&mut self, path: &str, span: Span, matcher: &Node, scope: &Scope) -> Option<Test> {
        let key = Key { text: path.to_owned(), span };
        let node = Node { span, kind: Kind::Map(vec![(key, matcher.clone())].into()) };
        let written = path.trim_start_matches('$').replacen('.', " ", 1);
        Some(Test::Path(Arc::new(compile::condition(&node, scope, self.diags)?), written))
    }
}

/// The path that a template looks at first, if it is one with a choice or a pattern about it.
fn looks_at(template: &Node) -> Option<&str> {
    let entries = template.as_map()?;
    let inner = |name: &str| entries.iter().find(|(key, _)| key.text == name).and_then(|(_, it)| it.as_str());
    inner("$then").or_else(|| inner("$from"))
}

fn level(from: model::LogLevel) -> Level {
    match from {
        model::LogLevel::Debug => Level::Debug,
        model::LogLevel::Info => Level::Info,
        model::LogLevel::Warn => Level::Warn,
        model::LogLevel::Error => Level::Error,
    }
}

fn sniffed(kind: model::BodyKind) -> Sniffed {
    match kind {
        model::BodyKind::Json => Sniffed::Json,
        model::BodyKind::Events => Sniffed::Events,
        model::BodyKind::Html => Sniffed::Html,
        model::BodyKind::Text => Sniffed::Other,
        model::BodyKind::Empty => Sniffed::Unsure,
    }
}

/// How much has to go wrong first. `None` where that is not said as it has to be, which is reported elsewhere.
fn after(from: &model::After) -> Option<After> {
    let within = from.within.as_ref().map(|within| within.value);
    let of = from.of.as_ref().map(|of| of.value);
    let share = |share: u32| Some(of?.saturating_mul(share).div_ceil(100).max(1));
    let (needed, counted) = match (&from.in_a_row, &from.failures, &from.share) {
        (Some(needed), None, None) => (needed.value, Counted::InARow),
        (None, Some(needed), None) => (needed.value, of.map_or(Counted::All, Counted::OfLatest)),
        (None, None, Some(percent)) => (share(percent.value.0)?, Counted::OfLatest(of?)),
        _ => return None,
    };
    Some(After { needed, counted, within })
}
