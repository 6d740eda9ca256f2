//! Explanations for people, and for programs.

use std::fmt::Write;

use serde_json::{Value, json};

use crate::cli::style::Style;
use crate::proof::explain::{Explained, Next, Order, Question};
use crate::text::diagnostic::{Sources, Span};
use crate::text::units::instant_text;

/// What the rules would do.
pub(super) fn explained(
    question: &Question,
    explained: &Explained,
    all: bool,
    sources: &Sources,
    style: Style,
) -> String {
    let mut out = String::new();
    let page = explained.decision.to_json();
    let model = style.faint(&format!("(model {})", text(&page["model"])));
    let _ = writeln!(out, "{} on {} {model}", style.strong(&question.provider), text(&page["request"]));
    routes(&mut out, &page, style);
    let attempt = &page["attempts"][0];
    let _ = writeln!(out, "  {}", outcome(attempt, style));
    rules(&mut out, attempt, all, &explained.places, sources, style);
    done(&mut out, attempt, style);
    let next = match &explained.next {
        Next::Asks { provider, at } => {
            let wait = at.saturating_sub(question.at);
            let after = if wait > 0 { format!(" after {}", span_of_time(wait)) } else { String::new() };
            format!("{} is asked{after}", style.strong(provider))
        }
        Next::Answers { good: true, .. } => "the client gets this answer".to_owned(),
        Next::Answers { status, good: false } => format!("the client gets status {status}"),
    };
    let _ = writeln!(out, "  {next}");
    if let Some(how) = page["stream"]["ended"].as_str() {
        let why = page["stream"]["reason"].as_str().map(|why| format!(": {why}")).unwrap_or_default();
        let _ = writeln!(out, "  its stream is {how}{why}");
    }
    out
}

/// The same for programs.
pub(super) fn explained_json(explained: &Explained, sources: &Sources) -> Value {
    let mut page = explained.decision.to_json();
    let mut attempt = page["attempts"][0].take();
    for (verdict, at) in attempt["rules"].as_array_mut().into_iter().flatten().zip(&explained.places) {
        verdict["at"] = json!(place(*at, sources));
    }
    let next = match &explained.next {
        Next::Asks { provider, at } => json!({ "asks": provider, "at": instant_text(*at) }),
        Next::Answers { status, .. } => json!({ "answers": status }),
    };
    json!({
        "request": page["request"],
        "model": page["model"],
        "route": page["route"],
        "routes_passed_over": page["routes_passed_over"],
        "attempt": attempt,
        "stream": page["stream"],
        "next": next,
    })
}

/// The order of the rules.
pub(super) fn order(all: &[Order], sources: &Sources, style: Style) -> String {
    let mut out = String::new();
    for order in all {
        let paths = style.faint(&format!("on {}", order.paths.join(", ")));
        let _ = writeln!(out, "{} {paths}", style.strong(&order.provider));
        let width = order.rules.iter().map(|rule| rule.rule.chars().count()).max().unwrap_or_default();
        for (count, rule) in order.rules.iter().enumerate() {
            let at = style.faint(&place(rule.at, sources));
            let (name, whose, does) = (&rule.rule, rule.whose, &rule.does);
            let _ = writeln!(out, "  {:>3}  {name:width$}  {whose:<11}  {does}  {at}", count + 1);
        }
        let _ =
            writeln!(out, "       if none fires: next for what is no answer at all, return for the rest\n");
    }
    out
}

/// The same for programs.
pub(super) fn order_json(all: &[Order], sources: &Sources) -> Value {
    let orders = all.iter().map(|order| {
        let rules = order.rules.iter().map(|rule| {
            let at = place(rule.at, sources);
            json!({ "rule": rule.rule, "whose": rule.whose, "does": rule.does, "at": at })
        });
        json!({ "provider": order.provider, "paths": order.paths, "rules": rules.collect::<Vec<_>>() })
    });
    Value::Array(orders.collect())
}

/// Records of decisions, a line each: when, what for `explain` is its name, what was asked, what failed, what the client got.
pub(super) fn list(page: &Value, style: Style) -> String {
    let decisions = list_of(&page["decisions"]);
    if decisions.is_empty() {
        return "nothing has failed as far as records are kept\n".to_owned();
    }
    let mut out = String::new();
    for decision in decisions {
        let failed = list_of(&decision["attempts"])
            .iter()
            .filter(|attempt| attempt["outcome"].as_str().is_some_and(|outcome| outcome != "answered"));
        let failed: Vec<String> =
            failed.map(|it| format!("{}: {}", text(&it["provider"]), text(&it["what"]))).collect();
        let refused = decision["refused"].as_str().map(str::to_owned);
        let what = refused.unwrap_or_else(|| failed.join("; "));
        let got = match (decision["answer"]["status"].as_u64(), decision["answer"]["provider"].as_str()) {
            (Some(status), Some(provider)) => format!("{status} from {provider}"),
            (Some(status), None) => status.to_string(),
            (None, _) => "no answer".to_owned(),
        };
        let (at, id, request) = (text(&decision["at"]), text(&decision["id"]), text(&decision["request"]));
        let _ = writeln!(out, "{} {} {request} -> {got}", style.faint(at), style.strong(id));
        if !what.is_empty() {
            let _ = writeln!(out, "  {what}");
        }
    }
    out
}

/// A record of a decision.
pub(super) fn record(page: &Value, all: bool, style: Style) -> String {
    let mut out = String::new();
    let _ =
        writeln!(out, "{} {} {}", style.strong(text(&page["id"])), text(&page["at"]), text(&page["request"]));
    let kind = if page["streaming"] == true { "streaming" } else { "whole" };
    let model = text(&page["model"]);
    let model = if model.is_empty() { String::new() } else { format!("model {model}, ") };
    let said = format!("  {model}{kind}, rules {}", text(&page["rules_version"]));
    let _ = writeln!(out, "{}", style.faint(&said));
    routes(&mut out, page, style);
    for candidate in list_of(&page["candidates"]) {
        for why in list_of(&candidate["why_not"]) {
            let until = why["until"].as_str().map(|until| format!(" until {until}")).unwrap_or_default();
            let name = text(&candidate["provider"]);
            let _ = writeln!(out, "  {name} was passed over: {}{until}", text(&why["reason"]));
        }
    }
    for attempt in list_of(&page["attempts"]) {
        let name = style.strong(text(&attempt["provider"]));
        let key = attempt["key"].as_str().map(|key| format!(" (key {key})")).unwrap_or_default();
        let model = attempt["model"].as_str().map(|model| format!(" for {model}")).unwrap_or_default();
        let took = attempt["took_ms"].as_i64().map(|took| format!(", took {}", span_of_time(took)));
        let when = span_of_time(attempt["after_ms"].as_i64().unwrap_or_default());
        let when = style.faint(&format!("(after {when}{})", took.unwrap_or_default()));
        // Where the request could not even be written for the provider, nothing was sent.
        let number = attempt["number"].as_u64().filter(|number| *number > 0);
        let number = number.map_or_else(|| "not asked:".to_owned(), |number| number.to_string());
        let _ = writeln!(out, "{number} {name}{key}{model} {when}");
        let _ = writeln!(out, "  {}", outcome(attempt, style));
        rules(&mut out, attempt, all, &[], &Sources::default(), style);
        done(&mut out, attempt, style);
    }
    let answer = &page["answer"];
    if let Some(status) = answer["status"].as_u64() {
        let who = answer["provider"].as_str().unwrap_or("the router");
        let status = status.to_string();
        let shown = if status.starts_with('2') { style.good(&status) } else { style.bad(&status) };
        let after = span_of_time(answer["after_ms"].as_i64().unwrap_or_default());
        let _ = writeln!(out, "the client got {shown} from {who} after {after}");
    } else {
        let _ = writeln!(out, "the client left before it got an answer");
    }
    if let Some(how) = page["stream"]["ended"].as_str() {
        let why = page["stream"]["reason"].as_str().map(|why| format!(": {why}")).unwrap_or_default();
        let _ = writeln!(out, "its stream was {}{why}", how.replace('_', " "));
    }
    if let Some(usage) = page["usage"].as_object() {
        let counts = usage.iter().filter(|(_, count)| count.is_u64());
        let counts: Vec<String> =
            counts.map(|(name, count)| format!("{} {count}", name.replace('_', " "))).collect();
        let partial = if usage.get("partial") == Some(&Value::Bool(true)) { ", so far" } else { "" };
        let _ = writeln!(out, "tokens: {}{partial}", counts.join(", "));
    }
    out
}

/// Which route took the request, if it has a name, and why those above it did not.
fn routes(out: &mut String, page: &Value, style: Style) {
    for passed in list_of(&page["routes_passed_over"]) {
        let (route, why) = (text(&passed["route"]), text(&passed["why"]));
        let _ = writeln!(out, "  route {route} does not apply: {}", style.faint(why));
    }
    if let Some(route) = page["route"].as_str() {
        let _ = writeln!(out, "  route {} applies", style.strong(route));
    }
}

/// What came of an attempt, in one line.
fn outcome(attempt: &Value, style: Style) -> String {
    let what = text(&attempt["what"]);
    match attempt["outcome"].as_str() {
        None => "is under way".to_owned(),
        Some("answered") => {
            let how =
                what.strip_prefix("answers ").map_or_else(|| format!(": {what}"), |how| format!(" {how}"));
            format!("{}{how}", style.good("answered"))
        }
        Some(failure) => {
            let phase = attempt["phase"].as_str().map(|phase| format!(", phase {phase}")).unwrap_or_default();
            format!("{}: {what} {}", style.bad("failed"), style.faint(&format!("(failure {failure}{phase})")))
        }
    }
}

/// What each rule said; those that do not apply together, if there are many and not `all` are wanted one by one.
fn rules(out: &mut String, attempt: &Value, all: bool, places: &[Span], sources: &Sources, style: Style) {
    /// As many are shown with their reasons, or by their names.
    const FEW: usize = 3;
    const NAMED: usize = 6;
    let said = list_of(&attempt["rules"]);
    let unsaid = attempt["rules_left_out"].as_u64().unwrap_or_default();
    let passed: Vec<&str> = said
        .iter()
        .filter(|verdict| verdict["fired"] != true)
        .map(|verdict| text(&verdict["rule"]))
        .collect();
    let is_folded = !all && passed.len() > FEW;
    if is_folded {
        let count = passed.len() as u64 + unsaid;
        let more = match count.saturating_sub(NAMED as u64) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let names = passed.iter().take(NAMED).copied().collect::<Vec<_>>().join(", ");
        let line = format!("{count} rules do not apply: {names}{more} (--all says why)");
        let _ = writeln!(out, "    {}", style.faint(&line));
    } else if unsaid > 0 {
        let _ = writeln!(out, "    {}", style.faint(&format!("{unsaid} rules before these do not fire")));
    }
    let shown = |verdict: &Value| !is_folded || verdict["fired"] == true;
    let names =
        said.iter().filter(|verdict| shown(verdict)).map(|verdict| text(&verdict["rule"]).chars().count());
    let width = names.max().unwrap_or_default();
    for (count, verdict) in said.iter().enumerate().filter(|(_, verdict)| shown(verdict)) {
        let (name, why) = (text(&verdict["rule"]), text(&verdict["why"]));
        let at = places.get(count).map(|at| style.faint(&format!("  {}", place(*at, sources))));
        let at = at.unwrap_or_default();
        let name = format!("{name:width$}");
        let _ = if verdict["fired"] == true {
            writeln!(out, "    {} {}  {why}{at}", style.good("fires "), style.strong(&name))
        } else {
            writeln!(out, "    {} {name}  {}{at}", style.faint("passes"), style.faint(why))
        };
    }
    for shadow in list_of(&attempt["shadow"]) {
        let (name, would) = (text(&shadow["rule"]), text(&shadow["would"]));
        let _ =
            writeln!(out, "    {}", style.faint(&format!("{name} is only tried out; it would do {would}")));
    }
    if said.iter().all(|verdict| verdict["fired"] != true) && attempt["action"].is_string() {
        let _ = writeln!(out, "    no rule fires, so what is usual is done");
    }
}

/// What was done about it.
fn done(out: &mut String, attempt: &Value, style: Style) {
    if let Some(action) = attempt["action"].as_str() {
        let repair = attempt["repair"].as_str().map(|repair| format!(" {repair}")).unwrap_or_default();
        let rule = attempt["rule"].as_str().map(|rule| format!(" (rule {rule})")).unwrap_or_default();
        let _ = writeln!(out, "  {} {}{repair}{rule}", style.strong("->"), style.strong(action));
    }
    for cool_down in list_of(&attempt["cool_downs"]) {
        let until = cool_down["until"].as_str().unwrap_or("a probe finds it well");
        let key = cool_down["key"].as_str().map(|key| format!(" (key {key})")).unwrap_or_default();
        let model = cool_down["model"].as_str().map(|model| format!(" for {model}")).unwrap_or_default();
        let name = text(&cool_down["provider"]);
        let still = if cool_down["begins"] == false { "still " } else { "" };
        let _ = writeln!(out, "  {name}{key}{model} is {still}cooling down until {until}");
    }
    if let Some(left_out) = attempt["events_left_out"].as_object() {
        let count = |name: &str| left_out.get(name).and_then(Value::as_u64).unwrap_or_default();
        let (unreadable, empty) = (count("unreadable"), count("empty"));
        let all = unreadable.saturating_add(empty);
        let _ = writeln!(
            out,
            "  events left out of its stream: {all} ({unreadable} unreadable, {empty} without data)"
        );
    }
    if let Some(evidence) = attempt["evidence"].as_str() {
        let _ = writeln!(out, "  {evidence}: no cool-down yet");
    }
    if let Some(from) = attempt["cool_down_from"].as_str() {
        let _ = writeln!(out, "    {}", style.faint(from));
    }
}

/// `file:line`.
fn place(at: Span, sources: &Sources) -> String {
    format!("{}:{}", sources.name(at.file), sources.line_col(at).0)
}

/// Milliseconds as people say them.
fn span_of_time(millis: i64) -> String {
    match millis {
        ..1_000 => format!("{millis} ms"),
        1_000..60_000 => format!("{:.1} s", millis as f64 / 1_000.0),
        60_000..3_600_000 => format!("{:.1} min", millis as f64 / 60_000.0),
        _ => format!("{:.1} h", millis as f64 / 3_600_000.0),
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn list_of(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_said_in_their_unit() {
        let said = [0, 999, 1_500, 90_000, 5_400_000].map(span_of_time);
        assert_eq!(said, ["0 ms", "999 ms", "1.5 s", "1.5 min", "1.5 h"]);
    }
}
