//! Runs the `tests:` of rules and mappings through the real engine: simulated providers, virtual time, fixed ids.
//!
//! `given` says what a simulated provider does, `rehearsal` takes one request through a plan, `mapping` takes one
//! document through a mapping, `expect` and `compare` say what came otherwise than expected.

mod accounts;
mod compare;
mod expect;
mod given;
mod mapping;
mod rehearsal;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use crate::config::model::{Catalog, Rules};
use crate::engine::{Engine, Ms, build};
use crate::text::diagnostic::{Diagnostic, Diagnostics, Span};

/// When a test takes place that does not say so: 2026-01-01T00:00:00Z.
const NOW: Ms = 1_767_225_600_000;
/// The id of every request in a test.
const ID: &str = "0test0test0test0test0000";
/// More than this many differences say no more than the first ones do.
const MOST_WRONG: usize = 6;

/// What came of the tests.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// How many tests passed.
    pub passed: usize,
    /// The tests that there are and were wanted, in the order of the rules: where each name stands.
    pub known: Vec<(String, Span)>,
    /// Those that did not, in the order of the rules.
    pub failed: Vec<Failure>,
}

/// A test that failed.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The test's name.
    pub name: String,
    /// Where its name stands.
    pub at: Span,
    /// What came otherwise than expected; never empty.
    pub wrong: Vec<Wrong>,
    /// What happened, one line for each decision.
    pub trail: Vec<String>,
}

/// One thing that came otherwise than expected.
#[derive(Clone, PartialEq, Debug)]
pub struct Wrong {
    /// Where the rules expect it.
    pub at: Span,
    /// What was expected and what came.
    pub message: String,
}

impl Wrong {
    fn new(at: Span, message: impl Into<String>) -> Wrong {
        Wrong { at, message: message.into() }
    }
}

/// Runs all tests of the rules, of their mappings and of the catalogue files in use. `engine` must have been built from `rules`. Providers
/// without a key take part all the same, and no key's value is ever used.
pub fn run(engine: &Arc<Engine>, rules: &Rules) -> Report {
    run_some(engine, rules, false, &|_| true)
}

/// The same for those tests whose name is `wanted`.
pub fn run_wanted(engine: &Arc<Engine>, rules: &Rules, wanted: &dyn Fn(&str) -> bool) -> Report {
    run_some(engine, rules, false, wanted)
}

fn run_some(
    engine: &Arc<Engine>,
    rules: &Rules,
    without_shipped: bool,
    wanted: &dyn Fn(&str) -> bool,
) -> Report {
    let mut report = Report::default();
    for mapping in rules.mappings.iter().filter(|it| !(without_shipped && rules.is_shipped_mapping(it))) {
        for test in mapping.tests.iter().filter(|test| wanted(&test.name.value)) {
            report.add(&test.name, mapping::run(engine, mapping, test));
        }
    }
    let proven = without_shipped && rules.is_shipped_main();
    if !proven && !rules.tests.is_empty() {
        let apart = accounts::apart(engine, rules);
        let (rules, engine) = apart.as_ref().map_or((rules, engine), |(rules, engine)| (rules, engine));
        for test in rules.tests.iter().filter(|test| wanted(&test.name.value)) {
            report.add(&test.name, rehearsal::run(engine, rules, test));
        }
    }
    for catalog in rules.catalog.iter().filter(|it| !(without_shipped && rules.is_shipped_catalog(it))) {
        if !catalog.tests.is_empty() {
            report.add_catalog(catalog, rules, wanted);
        }
    }
    report
}

/// What one test found wrong, and what happened in it.
#[derive(Default)]
struct Findings {
    wrong: Vec<Wrong>,
    trail: Vec<String>,
}

impl Report {
    fn add(&mut self, name: &crate::config::model::Spanned<String>, found: Findings) {
        self.known.push((name.value.clone(), name.span));
        if found.wrong.is_empty() {
            self.passed += 1;
        } else {
            let Findings { wrong, trail } = found;
            self.failed.push(Failure { name: name.value.clone(), at: name.span, wrong, trail });
        }
    }

    /// Runs the tests of a catalogue file: by itself, whatever the rules that use it add.
    fn add_catalog(&mut self, catalog: &Catalog, rules: &Rules, wanted: &dyn Fn(&str) -> bool) {
        let mut diags = Diagnostics::new();
        let alone = catalog.alone(rules, false, &mut diags);
        let built = alone.as_ref().and_then(|alone| build(alone, "", &mut diags));
        if let (Some(alone), Some(engine)) = (&alone, built.map(Arc::new)) {
            for test in alone.tests.iter().filter(|test| wanted(&test.name.value)) {
                self.add(&test.name, rehearsal::run(&engine, alone, test));
            }
            return;
        }
        let reason = diags.iter().map(|found| found.message.as_str()).next().unwrap_or_default();
        let wrong =
            vec![Wrong::new(catalog.catalog.span, format!("this file is no good by itself: {reason}"))];
        self.add(&catalog.catalog, Findings { wrong, trail: Vec::new() });
    }

    /// Did all pass?
    pub fn is_good(&self) -> bool {
        self.failed.is_empty()
    }

    /// How many tests there were.
    pub fn total(&self) -> usize {
        self.passed + self.failed.len()
    }

    /// The failures as errors with their places, for people and for programs.
    pub fn tell(&self, diags: &mut Diagnostics) {
        self.failed.iter().for_each(|failure| diags.push(failure.diagnostic()));
    }
}

impl Failure {
    /// The failure as an error that points at what was expected.
    pub fn diagnostic(&self) -> Diagnostic {
        let mut found = Diagnostic::error("test-failed", format!("the test \"{}\" fails", self.name));
        let mut shown = self.wrong.iter();
        if let Some(first) = shown.next() {
            found = found.at(first.at).label(first.message.clone());
        }
        for (count, wrong) in shown.enumerate() {
            if count + 1 == MOST_WRONG {
                found = found.help(format!("and {} more", self.wrong.len() - MOST_WRONG));
                break;
            }
            found = found.note(wrong.at, wrong.message.clone());
        }
        if self.trail.is_empty() {
            found
        } else {
            found.help(format!("what happened:\n{}", self.trail.join("\n")))
        }
    }
}

/// Runs the tests and reports those that fail, as whoever loads rules wants it. Files that are word for word as they
/// are inside the program were tested when it was made, so theirs are left out.
pub fn prove(rules: &Rules, engine: &Arc<Engine>, diags: &mut Diagnostics) {
    run_some(engine, rules, true, &|_| true).tell(diags);
}
