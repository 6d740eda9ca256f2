//! Tests beside the rules: the names they use.

use super::failover;
use super::providers::{self, known};
use crate::config::model::{
    ANYBODY, Expect, Given, MOST_TIMES, MappingTest, RuleTest, Rules, Several, Table,
};
use crate::config::values::{Spanned, unknown_name};
use crate::text::diagnostic::{Diagnostic, Diagnostics, did_you_mean};
use crate::text::units::PathHoles;
use crate::text::yaml::Key;

/// What a provider can be found to be.
const STATES: &[&str] = &["available", "unknown", "cooling", "down"];

/// `said` is what was found while the rules were read.
pub fn check(rules: &Rules, said: &Diagnostics, diags: &mut Diagnostics) {
    names(rules, diags);
    for mapping in &rules.mappings {
        let names = mapping.tests.iter().map(|test| (test.name.value.as_str(), test.name.span));
        super::twice("the test", names, diags);
        for (place, test) in mapping.tests.iter().enumerate() {
            let parts = [&test.request, &test.response, &test.error, &test.stream];
            let next = mapping.tests.get(place + 1);
            if parts.iter().all(|part| part.is_none()) && !is_misspelt(test, next, said) {
                let message = "a test of a mapping has one of `request`, `response`, `error` and `stream`";
                let diagnostic = Diagnostic::error("bad-test", message).at(test.name.span);
                diags.push(diagnostic.label("this one has none"));
            }
        }
    }
}

/// Has the test a key that is none? Then that may be the one that it seems to lack.
fn is_misspelt(test: &MappingTest, next: Option<&MappingTest>, said: &Diagnostics) -> bool {
    let end = next.map_or(u32::MAX, |next| next.span.start);
    said.iter().filter(|found| found.code == "unknown-key").any(|found| {
        found.span.is_some_and(|at| at.file == test.span.file && (test.span.start..end).contains(&at.start))
    })
}

/// The tests of the rules themselves.
pub fn names(rules: &Rules, diags: &mut Diagnostics) {
    super::twice(
        "the test",
        rules.tests.iter().map(|test| (test.name.value.as_str(), test.name.span)),
        diags,
    );
    for test in &rules.tests {
        one(rules, test, diags);
    }
}

/// Whether a path is that of a route, which may have holes.
fn is_at(route: &str, path: &str) -> bool {
    PathHoles::parse(route).ok().flatten().map_or(route == path, |holes| holes.fits(path))
}

fn one(rules: &Rules, test: &RuleTest, diags: &mut Diagnostics) {
    if let Some(path) = &test.path
        && !rules.incomplete
        && !rules.routes.iter().any(|route| is_at(&route.path, path))
    {
        diags.push(unknown_name("route", path, rules.routes.iter().map(|route| route.path.value.as_str())));
    }
    outcome(rules, &test.given, &test.expect, diags);
    for step in &test.then {
        outcome(rules, &step.given, &step.expect, diags);
    }
    for times in test.times.iter().chain(test.then.iter().filter_map(|step| step.times.as_ref())) {
        if !(1..=MOST_TIMES).contains(&times.value) {
            let message = format!("a request is sent 1 to {MOST_TIMES} times");
            let diagnostic = Diagnostic::error("bad-test", message).at(times.span);
            diags.push(diagnostic.label(if times.value == 0 { "never sent" } else { "too often" }));
        }
    }
}

/// What providers answer to one request, and what should come of it.
fn outcome(rules: &Rules, table: &Table<Several<Given>>, expect: &Expect, diags: &mut Diagnostics) {
    for (name, answers) in table.iter() {
        if name.text != ANYBODY {
            known(rules, &at(name), diags);
        }
        answers.iter().for_each(|answer| given(answer, diags));
    }
    let facts = &expect.facts;
    for name in facts.provider.iter().chain(facts.asked.iter().flatten()) {
        known(rules, name, diags);
    }
    let names = || failover::all(rules).map(|known| known.name.value.as_str());
    for rule in facts.rule.iter().chain(facts.fired.iter()).filter(|_| !rules.incomplete) {
        if !names().any(|known| known == rule.value) {
            diags.push(unknown_name("rule", rule, names()));
        }
    }
    for (name, expected) in expect.providers.iter() {
        expected_name(rules, name, diags);
        if let Some(state) = &expected.state
            && !STATES.contains(&state.as_str())
        {
            diags.push(unknown_name("state", state, STATES.iter().copied()));
        }
        let provider = rules.providers.get(&name.text);
        let of_provider = provider.map(|it| it.keys.iter().enumerate()).into_iter().flatten();
        let keys: Vec<String> = of_provider.map(|(place, key)| key.name(place)).collect();
        for key in expected.keys.iter().flatten().filter(|key| !keys.contains(&key.value)) {
            diags.push(unknown_name("key", key, keys.iter().map(String::as_str)));
        }
    }
}

/// A key of `expect` that is none of its own is a provider's name, or a slip of either.
fn expected_name(rules: &Rules, name: &Key, diags: &mut Diagnostics) {
    if rules.incomplete || providers::names(rules).any(|known| known == name.text) {
        return;
    }
    let known = providers::names(rules).chain(crate::config::model::ExpectFacts::KEYS.iter().copied());
    let message = format!("`expect` has no key `{}`, and there is no such provider", name.text);
    let diagnostic = Diagnostic::error("unknown-key", message).at(name.span).label("unknown");
    diags.push(match did_you_mean(&name.text, known) {
        Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
        None => diagnostic,
    });
}

fn given(answer: &Given, diags: &mut Diagnostics) {
    let bodies = [answer.body.is_some(), answer.file.is_some(), answer.stream.is_some()];
    if bodies.iter().filter(|there| **there).count() > 1 {
        let message = "an answer has one of `body`, `file` and `stream`";
        let diagnostic = Diagnostic::error("bad-test", message).at(answer.span);
        diags.push(diagnostic.label("this one has more"));
    }
    if let Some(status) = &answer.status
        && !(100..=599).contains(&status.value)
    {
        let diagnostic = Diagnostic::error("bad-status", "a status is from 100 to 599").at(status.span);
        diags.push(diagnostic.label("no status"));
    }
}

fn at(key: &Key) -> Spanned<String> {
    Spanned { value: key.text.clone(), span: key.span }
}
