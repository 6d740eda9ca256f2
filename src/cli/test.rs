//! `rulegate test`: runs the tests that stand in rules and mappings.

use std::path::Path;

use super::examine::{examine, named_or_usual, several};
use super::style::Style;
use super::{FilesArguments, Outcome};
use crate::proof::rule_tests;

/// Tests each file by itself.
pub(super) fn test(arguments: &FilesArguments) -> Outcome {
    let files = named_or_usual(&arguments.files);
    files.iter().map(|path| test_one(path)).max().unwrap_or(Outcome::Well)
}

fn test_one(path: &Path) -> Outcome {
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
        examined.report(Style::stderr());
        let (errors, _) = examined.counts();
        say!("{} {shown}: {}, so its tests cannot run", style.bad("wrong"), several(errors, "error"));
        return Outcome::Wrong;
    };
    let report = rule_tests::run(&engine, &rules);
    let count = several(report.total(), "test");
    if report.is_good() {
        say!("{} {shown}: {count}", style.good("ok"));
        return Outcome::Well;
    }
    // What is only a warning was no reason to ask for tests.
    examined.diagnostics = Default::default();
    report.tell(&mut examined.diagnostics);
    examined.report(Style::stderr());
    say!("{} {shown}: {} of {count} failed", style.bad("failed"), report.failed.len());
    Outcome::Wrong
}
