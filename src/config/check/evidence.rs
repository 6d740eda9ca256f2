//! How much has to go wrong before a cool down begins: `after`.

use std::time::Duration;

use crate::config::model::{After, CoolDown};
use crate::text::diagnostic::{Diagnostic, Diagnostics, Span};

/// How many failures and attempts can be counted: each is remembered.
const MOST: u32 = 1000;

/// The ways to say it, for whoever has said something else.
const EXAMPLES: &str = "write `{ in_a_row: 3 }`, `{ failures: 3, within: 30s }` or `{ share: 50%, of: 20 }`";

pub fn check(cool_down: &CoolDown, diags: &mut Diagnostics) {
    let Some(after) = &cool_down.after else { return };
    let mut wrong = |at: Span, message: String, label: &str, help: &str| {
        diags.push(Diagnostic::error("bad-after", message).at(at).label(label).help(help));
    };
    let After { in_a_row, failures, share, of, within, .. } = after;
    let said = [in_a_row.is_some(), failures.is_some(), share.is_some()];
    match said.into_iter().filter(|said| *said).count() {
        0 => wrong(after.span, "`after` does not say how many failures".to_owned(), "how many?", EXAMPLES),
        1 => {}
        _ => wrong(
            after.span,
            "`after` has one of `in_a_row`, `failures` and `share`".to_owned(),
            "this one has several",
            EXAMPLES,
        ),
    }
    for (name, number) in [("in_a_row", in_a_row), ("failures", failures), ("of", of)] {
        let Some(number) = number else { continue };
        if number.value > MOST {
            let help = format!("write a number up to {MOST}");
            wrong(number.span, format!("`{name}` is more than can be counted"), "too many", &help);
        }
        if number.value < 2 {
            let message = format!("`{name}` is 2 or more");
            wrong(number.span, message, "too few", "leave `after` out: then one failure is enough");
        }
    }
    if let (Some(of), Some(_)) = (of, in_a_row) {
        let help = "leave `of` out, or write `failures` instead of `in_a_row`";
        wrong(of.span, "failures in a row are not counted among others".to_owned(), "without meaning", help);
    }
    if let (Some(of), Some(failures)) = (of, failures)
        && failures.value > of.value
    {
        let message = format!("there are never {} failures in {} attempts", failures.value, of.value);
        wrong(of.span, message, "too few", "write a larger `of`, or fewer `failures`");
    }
    if let (Some(failures), None, None) = (failures, of, within) {
        let help = "write `in_a_row: 3` for failures without a good answer in between, or add `within: 30s`";
        wrong(failures.span, "`failures` needs `within` or `of`".to_owned(), "in which time?", help);
    }
    if let (Some(share), None) = (share, of) {
        let message = "`share` needs `of`: of how many attempts".to_owned();
        wrong(share.span, message, "a share of what?", "write for example `{ share: 50%, of: 20 }`");
    }
    if let Some(within) = within.as_ref().filter(|within| within.value == Duration::ZERO) {
        wrong(within.span, "nothing happens within no time".to_owned(), "no time", "write for example `30s`");
    }
    if cool_down.fixed.is_none() && cool_down.otherwise.is_none() && !cool_down.until.is_empty() {
        let diagnostic = Diagnostic::warning("unused", "this `after` is never asked").at(after.span);
        let label = "a time that the answer says counts at once";
        diags.push(diagnostic.label(label).help("leave it out, or add `else` for answers that say no time"));
    }
}
