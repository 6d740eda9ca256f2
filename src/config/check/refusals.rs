//! Answers in words of the rules' own: a status that is an error's, and words.

use crate::config::model::{Action, Refusal, Rules};
use crate::config::record::wrong_type;
use crate::text::diagnostic::{Diagnostic, Diagnostics};

pub fn check(rules: &Rules, diags: &mut Diagnostics) {
    for route in &rules.routes {
        for refusal in route.refuse.iter().chain(&route.exhausted) {
            one(refusal, diags);
        }
    }
    for rule in super::failover::all(rules) {
        if let Action::Refuse(action) = &rule.action {
            one(&action.refuse, diags);
        }
    }
}

fn one(refusal: &Refusal, diags: &mut Diagnostics) {
    let status = &refusal.status;
    if !(400..600).contains(&status.value) {
        let diagnostic = Diagnostic::error("bad-status", format!("{} is no error's status", status.value));
        let diagnostic = diagnostic.at(status.span).label("from 400 to 599");
        diags.push(diagnostic.help("for an answer that is no error write `answer` in a route"));
    }
    match refusal.message.as_str() {
        None => wrong_type(&refusal.message, "`message` is a text", diags),
        Some(text) if text.trim().is_empty() => {
            let diagnostic = Diagnostic::error("no-message", "this `message` says nothing");
            diags.push(diagnostic.at(refusal.message.span).label("why is it refused?"));
        }
        Some(_) => {}
    }
    if let Some(kind) = refusal.kind.as_ref().filter(|kind| kind.trim().is_empty()) {
        let diagnostic = Diagnostic::error("bad-name", "this `type` says nothing").at(kind.span);
        diags.push(diagnostic.label("empty").help("leave it out for the protocol's own"));
    }
    if let Some(time) = refusal.retry_after.as_ref().filter(|time| time.value.as_secs() == 0) {
        let diagnostic = Diagnostic::error("bad-time", "`retry_after` is a second or more").at(time.span);
        diags.push(diagnostic.label("write 30s, 5m").help("leave it out to say nothing of it"));
    }
}
