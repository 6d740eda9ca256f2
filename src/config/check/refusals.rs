//! Answers in words of the rules' own: a status that is an error's, and words.

use crate::config::model::{Action, LONGEST_MESSAGE, LONGEST_TYPE, Refusal, Rules};
use crate::config::record::wrong_type;
use crate::text::diagnostic::{Diagnostic, Diagnostics};
use crate::text::visible::is_hidden;

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
        let Some(refusal) = &rule.exhausted else { continue };
        one(refusal, diags);
        if matches!(rule.action, Action::Return | Action::Refuse(_)) {
            let message = "a rule that answers the client at once has no use for `exhausted`";
            let diagnostic = Diagnostic::error("two-answers", message).at(refusal.span);
            diags.push(
                diagnostic.label("never given").help("write `do: next`, so that others are asked before"),
            );
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
        Some(text) => {
            let length = text.chars().count();
            if length > LONGEST_MESSAGE {
                let message = format!("this `message` has {length} characters");
                let diagnostic = Diagnostic::error("long-message", message).at(refusal.message.span);
                let diagnostic = diagnostic.label(format!("a client is told {LONGEST_MESSAGE} at most"));
                diags.push(diagnostic.help("say why it is refused, and link to what is longer"));
            }
        }
    }
    if let Some(kind) = &refusal.kind {
        let wrong = if kind.trim().is_empty() {
            Some(("this `type` says nothing", "empty"))
        } else if kind.contains(is_hidden) || kind.chars().count() > LONGEST_TYPE {
            Some(("this `type` is no word", "one line of at most 100 characters, without hidden signs"))
        } else {
            None
        };
        if let Some((message, label)) = wrong {
            let diagnostic = Diagnostic::error("bad-name", message).at(kind.span).label(label);
            diags.push(
                diagnostic
                    .help("write for example `not_allowed_error`, or leave it out for the protocol's own"),
            );
        }
    }
    if let Some(time) = refusal.retry_after.as_ref().filter(|time| time.value.as_secs() == 0) {
        let diagnostic = Diagnostic::error("bad-time", "`retry_after` is a second or more").at(time.span);
        diags.push(diagnostic.label("write 30s, 5m").help("leave it out to say nothing of it"));
    }
}
