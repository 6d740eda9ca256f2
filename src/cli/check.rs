//! `rulegate check`: says all that is wrong with rules, without running them.

use serde_json::{Value, json};

use super::examine::{Examined, examine, named_or_usual, several};
use super::style::Style;
use super::{CheckArguments, Outcome};

/// Checks each file by itself.
pub(super) fn check(arguments: &CheckArguments) -> Outcome {
    let mut outcome = Outcome::Well;
    let mut page: Vec<Value> = Vec::new();
    for path in named_or_usual(&arguments.files) {
        let shown = path.display().to_string();
        let mut examined = match examine(&path) {
            Ok(examined) => examined,
            Err(error) => {
                complain!("rulegate check: {shown}: {error}");
                outcome = Outcome::Unusable;
                continue;
            }
        };
        let (errors, warnings) = examined.counts();
        let is_good = examined.ready.is_some() && !(arguments.deny_warnings && warnings > 0);
        if !is_good {
            outcome = outcome.max(Outcome::Wrong);
        }
        if arguments.json {
            examined.diagnostics.sort();
            let found = examined.diagnostics.to_json(&examined.sources);
            page.push(json!({ "file": shown, "ok": is_good, "errors": errors, "warnings": warnings, "diagnostics": found }));
        } else {
            tell(&mut examined, &shown, is_good);
        }
    }
    if arguments.json {
        say!("{:#}", Value::Array(page));
    }
    outcome
}

/// All that is wrong to the standard error, and how much it is to the standard output.
fn tell(examined: &mut Examined, shown: &str, is_good: bool) {
    let style = Style::stdout();
    examined.report(Style::stderr());
    let (errors, warnings) = examined.counts();
    let found = [(errors, "error"), (warnings, "warning")].into_iter().filter(|(count, _)| *count > 0);
    let said = found.map(|(count, thing)| several(count, thing)).collect::<Vec<_>>().join(", ");
    match (is_good, said.is_empty()) {
        (true, true) => say!("{} {shown}", style.good("ok")),
        (true, false) => say!("{} {shown} ({said})", style.good("ok")),
        (false, _) => say!("{} {shown}: {said}", style.bad("wrong")),
    }
}
