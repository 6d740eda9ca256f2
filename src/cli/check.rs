//! `rulegate check`: says all that is wrong with rules, without running them.

use super::examine::{examine, named_or_usual, several};
use super::style::Style;
use super::{FilesArguments, Outcome};

/// Checks each file by itself.
pub(super) fn check(arguments: &FilesArguments) -> Outcome {
    let style = Style::stdout();
    let mut outcome = Outcome::Well;
    for path in named_or_usual(&arguments.files) {
        let shown = path.display();
        match examine(&path) {
            Err(error) => {
                complain!("rulegate check: {shown}: {error}");
                outcome = Outcome::Unusable;
            }
            Ok(mut examined) => {
                examined.report(Style::stderr());
                let (errors, warnings) = examined.counts();
                let found = [(errors, "error"), (warnings, "warning")];
                let said: Vec<_> = found
                    .iter()
                    .filter(|(count, _)| *count > 0)
                    .map(|(count, thing)| several(*count, thing))
                    .collect();
                match (examined.ready.is_some(), said.is_empty()) {
                    (true, true) => say!("{} {shown}", style.good("ok")),
                    (true, false) => say!("{} {shown} ({})", style.good("ok"), said.join(", ")),
                    (false, _) => {
                        say!("{} {shown}: {}", style.bad("wrong"), said.join(", "));
                        outcome = outcome.max(Outcome::Wrong);
                    }
                }
            }
        }
    }
    outcome
}
