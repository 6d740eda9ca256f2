//! `rulegate test`: runs the tests that stand in rules and mappings.

use std::path::Path;

use serde_json::{Value, json};

use super::examine::{examine, named_or_usual, several};
use super::style::Style;
use super::{Outcome, TestArguments};
use crate::config::model::Rules;
use crate::proof::rule_tests::{self, Report};
use crate::text::diagnostic::Sources;

/// Tests each file by itself.
pub(super) fn test(arguments: &TestArguments) -> Outcome {
    let files = named_or_usual(&arguments.files);
    let mut page = Vec::new();
    let outcome = files.iter().map(|path| test_one(arguments, path, &mut page)).max();
    if arguments.json {
        say!("{:#}", Value::Array(page));
    }
    outcome.unwrap_or(Outcome::Well)
}

fn test_one(arguments: &TestArguments, path: &Path, page: &mut Vec<Value>) -> Outcome {
    let style = Style::stdout();
    let shown = path.display();
    let mut examined = match examine(path) {
        Ok(examined) => examined,
        Err(error) => {
            complain!("rulegate test: {shown}: {error}");
            return Outcome::Unusable;
        }
    };
    let Some((rules, engine)) = examined.ready.take() else {
        if arguments.json {
            examined.diagnostics.sort();
            let wrong = examined.diagnostics.to_json(&examined.sources);
            page.push(json!({ "file": shown.to_string(), "passed": 0, "failed": wrong }));
            return Outcome::Wrong;
        }
        examined.report(Style::stderr());
        let (errors, _) = examined.counts();
        say!("{} {shown}: {}, so its tests cannot run", style.bad("wrong"), several(errors, "error"));
        return Outcome::Wrong;
    };
    let filter = arguments.filter.as_deref().unwrap_or_default().to_lowercase();
    let report = rule_tests::run_wanted(&engine, &rules, &|name| name.to_lowercase().contains(&filter));
    if report.known.is_empty() && arguments.filter.is_some() {
        complain!("rulegate test: {shown}: no test has {filter:?} in its name; --list shows all");
        return Outcome::Unusable;
    }
    if arguments.list {
        list(&report, &rules, &examined.sources, style);
        return Outcome::Well;
    }
    // What is only a warning was no reason to ask for tests.
    examined.diagnostics = Default::default();
    report.tell(&mut examined.diagnostics);
    if arguments.json {
        let failed = examined.diagnostics.to_json(&examined.sources);
        page.push(json!({ "file": shown.to_string(), "passed": report.passed, "failed": failed }));
    } else if report.is_good() {
        say!("{} {shown}: {}", style.good("ok"), counted(&report, &rules));
    } else {
        examined.report(Style::stderr());
        let (failed, count) = (report.failed.len(), several(report.total(), "test"));
        say!("{} {shown}: {failed} of {count} failed", style.bad("failed"));
    }
    if report.is_good() { Outcome::Well } else { Outcome::Wrong }
}

/// How many tests there were: those of the user's own files apart from those inside the program.
fn counted(report: &Report, rules: &Rules) -> String {
    let built_in = report.known.iter().filter(|(_, span)| rules.is_shipped(*span)).count();
    match (report.known.len() - built_in, built_in) {
        (own, 0) => several(own, "test"),
        (0, built_in) => format!("{}, all built in", several(built_in, "test")),
        (own, built_in) => format!("{} of yours, {built_in} built in", several(own, "test")),
    }
}

/// The tests by name, each with where it stands.
fn list(report: &Report, rules: &Rules, sources: &Sources, style: Style) {
    for (name, span) in &report.known {
        let (line, column) = sources.line_col(*span);
        let place = format!("{}:{line}:{column}", sources.name(span.file));
        let mark = if rules.is_shipped(*span) { " (built in)" } else { "" };
        say!("{name}  {}", style.faint(&format!("{place}{mark}")));
    }
}
