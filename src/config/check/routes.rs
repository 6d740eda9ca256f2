//! Routes: who answers which path, and whether anybody can.

use super::names::{url_path, uses};
use super::providers::{known, known_protocol, understands};
use crate::config::model::{Fact, Provider, Route, Rules, Spread, SpreadBy, When};
use crate::config::values::{Spanned, unknown_name};
use crate::text::diagnostic::{Diagnostic, Diagnostics};
use crate::text::units::PathHoles;

/// Paths that the router answers itself.
const RESERVED: &[&str] = &["/v1/health", "/v1/switch-provider"];

pub fn check(rules: &Rules, diags: &mut Diagnostics) {
    if let Some(it) = &rules.spread {
        spread(it, diags);
    }
    unshared(rules, diags);
    if rules.routes.is_empty() && !rules.incomplete {
        let diagnostic = Diagnostic::error("no-routes", "there are no routes, so no request is answered");
        diags.push(diagnostic.at(rules.span).help("write `routes:` with a path and its protocol"));
    }
    for (place, route) in rules.routes.iter().enumerate() {
        path(route, diags);
        if let Some(it) = &route.spread {
            spread(it, diags);
        }
        who(rules, route, diags);
        if let Some(when) = &route.when {
            facts(when, diags);
        }
        times(rules, route, diags);
        held_by_nothing(rules, route, diags);
        let before = rules.routes.get(..place).unwrap_or_default();
        let first = before.iter().find(|first| {
            let always = first.when.as_ref().is_none_or(When::is_always);
            always && first.path.value == route.path.value && first.method == route.method
        });
        if let Some(first) = first.filter(|it| !rules.is_laid_over(it.path.span, route.path.span)) {
            let message = format!("this route of `{}` is never taken", route.path.value);
            let diagnostic =
                Diagnostic::warning("unreachable", message).at(route.path.span).label("never taken");
            diags.push(
                diagnostic.note(first.path.span, "this one takes every request").help("write it above"),
            );
        }
    }
    no_time_left(rules, diags);
    if !rules.incomplete {
        unasked(rules, diags);
    }
}

/// `sticky` needs to know by what; the others have no use for it.
fn spread(spread: &Spread, diags: &mut Diagnostics) {
    match (spread.by, &spread.on) {
        (SpreadBy::Sticky, None) => {
            let diagnostic = Diagnostic::error("bad-spread", "`sticky` needs `on`").at(spread.span);
            diags.push(diagnostic.label("by what?").help("write for example `on: $.metadata.user_id`"));
        }
        (SpreadBy::Weighted | SpreadBy::LeastBusy, Some(on)) => {
            let diagnostic = Diagnostic::error("bad-spread", "only `sticky` has a use for `on`").at(on.span);
            diags.push(diagnostic.label("not looked at"));
        }
        _ => {}
    }
}

/// A spread over providers that all have a priority of their own, or none.
fn unshared(rules: &Rules, diags: &mut Diagnostics) {
    let spreads = rules.routes.iter().filter_map(|route| route.spread.as_ref()).chain(&rules.spread);
    let priorities: Vec<i64> = rules.providers.iter().filter_map(|(_, it)| it.priority).collect();
    let is_shared = priorities.iter().any(|one| priorities.iter().filter(|it| *it == one).count() > 1);
    for spread in spreads.filter(|_| !is_shared && !rules.incomplete) {
        let message = "no two providers have the same `priority`, so there is nothing to spread";
        let diagnostic = Diagnostic::warning("unused", message).at(spread.span).label("does nothing");
        diags.push(diagnostic.help("give the providers among which to spread the same `priority`"));
    }
}

fn path(route: &Route, diags: &mut Diagnostics) {
    url_path(&route.path, diags);
    if RESERVED.contains(&route.path.as_str()) || route.path.starts_with("/-/") {
        let message = format!("`{}` is answered by the router itself", route.path.value);
        diags.push(Diagnostic::error("reserved-path", message).at(route.path.span).label("taken"));
    }
    let holes = match PathHoles::parse(&route.path) {
        Ok(holes) => holes,
        Err(reason) => {
            let message = format!("`{}` is not a path", route.path.value);
            diags.push(Diagnostic::error("bad-path", message).at(route.path.span).label(reason));
            return;
        }
    };
    let names: Vec<&str> = holes.iter().flat_map(PathHoles::names).collect();
    let mut used = Vec::new();
    let refused = route.refuse.as_ref().map(|refuse| &refuse.message);
    let made = [route.answer.as_ref(), route.otherwise.as_ref(), refused];
    made.into_iter().flatten().for_each(|node| uses(node, "$path.", &mut used));
    for (name, node) in used.iter().filter(|(name, _)| !names.contains(&name.as_str())) {
        let name = Spanned { value: name.clone(), span: node.span };
        diags.push(unknown_name("hole in the path", &name, names.iter().copied()));
    }
    if route.quiet && route.answer.is_none() {
        let message = "`quiet` has no effect: it is for requests that get this route's `answer`";
        let diagnostic = Diagnostic::warning("unused", message).at(route.path.span);
        diags.push(diagnostic.label("this route has none").help("take `quiet` out"));
    }
}

fn who(rules: &Rules, route: &Route, diags: &mut Diagnostics) {
    if let Some(listed) = &route.providers {
        for name in listed {
            known(rules, name, diags);
        }
        super::twice("the provider", listed.iter().map(|it| (it.value.as_str(), it.span)), diags);
        if listed.is_empty() {
            let diagnostic =
                Diagnostic::error("no-providers", "this route has no providers").at(route.path.span);
            diags.push(diagnostic.label("nobody answers").help("leave `providers` out to ask all that can"));
        }
    }
    two_answers(route, diags);
    let Some(protocol) = &route.protocol else {
        if route.answer.is_none() && route.refuse.is_none() {
            let diagnostic = Diagnostic::error("missing-key", "a route needs `protocol`, or an `answer`");
            diags.push(diagnostic.at(route.path.span).label("what is spoken here?"));
        }
        return;
    };
    let asks_nobody = route.answer.is_some() || route.refuse.is_some();
    if !known_protocol(rules, protocol, diags) || asks_nobody || rules.incomplete {
        return;
    }
    let Some(listed) = &route.providers else {
        let anybody = rules.providers.iter().any(|(_, provider)| understands(rules, provider, protocol));
        if !anybody && route.otherwise.is_none() && !route.optional && !rules.providers.is_empty() {
            let message = format!("no provider speaks `{}`, and no mapping leads to one", protocol.value);
            let diagnostic =
                Diagnostic::error("no-mapping", message).at(protocol.span).label("nobody answers");
            diags.push(diagnostic.help(
                "add a mapping, say what to answer with `otherwise`, or that this is no mistake: `optional: true`",
            ));
        }
        return;
    };
    for name in listed {
        let Some(provider) = rules.providers.get(name) else { continue };
        if !understands(rules, provider, protocol) {
            let message = format!("`{}` cannot answer `{}`", name.value, protocol.value);
            let spoken =
                provider.speaks.iter().map(|it| format!("`{}`", it.value)).collect::<Vec<_>>().join(", ");
            let mut diagnostic =
                Diagnostic::error("no-mapping", message).at(name.span).label("cannot be asked");
            if let Some(first) = provider.speaks.first() {
                diagnostic = diagnostic.note(first.span, format!("it speaks {spoken}"));
            }
            diags.push(diagnostic.help("there is no mapping between the two: write one, and include it"));
        }
    }
}

/// More than one way to an answer.
fn two_answers(route: &Route, diags: &mut Diagnostics) {
    if let Some(refuse) = &route.refuse {
        let others = [
            ("`providers`", route.providers.is_some()),
            ("an `answer`", route.answer.is_some()),
            ("`otherwise`", route.otherwise.is_some()),
            ("`exhausted`", route.exhausted.is_some()),
        ];
        for (other, _) in others.iter().filter(|(_, is_there)| *is_there) {
            let message = format!("a route that refuses has no use for {other}");
            let diagnostic = Diagnostic::error("two-answers", message).at(refuse.span);
            diags.push(diagnostic.label("this is all that happens here"));
        }
    } else if route.answer.is_some() && route.providers.is_some() {
        let diagnostic = Diagnostic::error("two-answers", "a route has an `answer` or `providers`, not both");
        diags.push(diagnostic.at(route.path.span).label("this one has both"));
    } else if let (Some(exhausted), true) = (&route.exhausted, route.otherwise.is_some()) {
        let diagnostic = Diagnostic::error("two-answers", "a route has `otherwise` or `exhausted`, not both");
        diags.push(diagnostic.at(exhausted.span).label("`otherwise` would be the answer"));
    }
}

/// Times of 0, and signs of life that the protocol does not have.
fn times(rules: &Rules, route: &Route, diags: &mut Diagnostics) {
    let gate = route.gate.as_ref().and_then(|gate| Some(("for", gate.time.as_ref()?)));
    let deadline = route.deadline.as_ref().map(|time| ("deadline", time));
    let every = route.keep_alive.as_ref().map(|it| ("every", &it.every));
    for (name, time) in [gate, deadline, every].into_iter().flatten() {
        if time.value.is_zero() {
            let message = format!("`{name}` of no time at all");
            diags.push(Diagnostic::error("bad-time", message).at(time.span).label("write 10s, 15m"));
        }
    }
    let protocol = route.protocol.as_ref().and_then(|name| rules.protocol(name));
    if let (true, Some(name), Some(protocol)) = (route.resumes, &route.protocol, protocol)
        && protocol.resumes.is_none()
    {
        let message = format!("`{}` does not say how a stream is resumed", name.value);
        let diagnostic = Diagnostic::error("no-continue", message).at(name.span);
        let diagnostic = diagnostic.label("needs `continue` in the protocol's file");
        diags.push(diagnostic.note(protocol.protocol.span, "here").help("or leave `continue: true` out"));
    }
    if let (Some(keep_alive), Some(protocol)) = (&route.keep_alive, protocol)
        && protocol.stream.as_ref().is_none_or(|stream| stream.ping.is_none())
    {
        let message = format!("`{}` has no sign of life to send", protocol.protocol.value);
        let diagnostic = Diagnostic::error("no-ping", message).at(keep_alive.every.span);
        diags.push(
            diagnostic.label("nothing would be sent").help("say what it looks like: `ping` under `stream`"),
        );
    }
}

/// A time for holding content back where no rule does that.
fn held_by_nothing(rules: &Rules, route: &Route, diags: &mut Diagnostics) {
    let Some(time) = route.gate.as_ref().and_then(|gate| gate.time.as_ref()) else { return };
    let mut holds = false;
    let conditions = super::failover::all(rules).filter_map(|rule| rule.when.as_ref());
    conditions.for_each(|when| when.visit(&mut |fact| holds |= matches!(fact, Fact::AnswerText(_))));
    if !holds && !time.value.is_zero() && !rules.incomplete {
        let message = "`for` has no effect: no rule with `answer_text` holds content back";
        let diagnostic = Diagnostic::warning("unused", message).at(time.span).label("does nothing");
        diags
            .push(diagnostic.help("for a client that is to hear sooner, write `keep_alive: { every: 15s }`"));
    }
}

/// Deadlines that one whole answer may use up alone, so that nobody else is asked when it never comes.
fn no_time_left(rules: &Rules, diags: &mut Diagnostics) {
    let mut told = Vec::new();
    for route in &rules.routes {
        let deadline = route.deadline.as_ref().or(rules.timeouts.deadline.as_ref());
        let (Some(deadline), Some(protocol)) = (deadline, &route.protocol) else { continue };
        let listed = route.providers.as_ref();
        let is_asked = |name: &str| listed.is_none_or(|listed| listed.iter().any(|it| it.value == name));
        let asked = rules.providers.iter().filter(|(name, _)| is_asked(&name.text));
        let asked: Vec<_> = asked.filter(|(_, provider)| understands(rules, provider, protocol)).collect();
        let whole = |provider: &Provider| {
            let own = provider.timeouts.as_ref().map(|own| own.or(&rules.timeouts));
            own.as_ref().unwrap_or(&rules.timeouts).whole()
        };
        let slow = asked.iter().find(|(_, provider)| whole(provider) >= deadline.value);
        let Some((name, _)) = slow.filter(|_| asked.len() > 1 && !deadline.value.is_zero()) else { continue };
        if told.contains(&deadline.span) {
            continue;
        }
        told.push(deadline.span);
        let message = format!("a whole answer of `{}` may take as long as the request", name.text);
        let diagnostic = Diagnostic::warning("no-time-left", message).at(deadline.span);
        let diagnostic = diagnostic.label("no time is left to ask another provider");
        diags.push(
            diagnostic
                .help("write a shorter `whole` under `timeouts` (10m unless said), or a longer deadline"),
        );
    }
}

/// A route is chosen before anybody is asked: it knows the request and nothing else.
fn facts(when: &When, diags: &mut Diagnostics) {
    when.visit(&mut |fact| {
        let name = match fact {
            Fact::Status(_) => "status",
            Fact::Text(_) => "text",
            Fact::Message(_) => "message",
            Fact::AnswerText(_) => "answer_text",
            Fact::Body(_) => "body",
            Fact::Failure(_) => "failure",
            Fact::Phase(_) => "phase",
            Fact::Committed(_) => "committed",
            Fact::Provider(_) => "provider",
            Fact::Route(_) => "route",
            Fact::Key(_) => "key",
            Fact::Attempt(_) => "attempt",
            Fact::Dropped(_) => "dropped",
            Fact::Constant(_)
            | Fact::Any(_)
            | Fact::All(_)
            | Fact::Not(_)
            | Fact::Header(_)
            | Fact::Model(_)
            | Fact::Count(..)
            | Fact::Hours(_)
            | Fact::Path(_) => return,
        };
        let message = format!("a route cannot look at `{name}`");
        let diagnostic = Diagnostic::error("wrong-fact", message).at(when.span).label("in this condition");
        diags.push(
            diagnostic.help("it is chosen before anybody is asked; it can look at model, header, size, tokens, messages, time, days and paths"),
        );
    });
}

/// Providers that no route leads to.
fn unasked(rules: &Rules, diags: &mut Diagnostics) {
    if rules.routes.is_empty() {
        return;
    }
    for (name, provider) in rules.providers.iter() {
        let asked = rules.routes.iter().any(|route| {
            let listed = route.providers.as_ref();
            let there = route.refuse.is_none()
                && listed.is_none_or(|listed| listed.iter().any(|it| it.value == name.text));
            there && route.protocol.as_ref().is_some_and(|it| understands(rules, provider, it))
        });
        let known = provider.speaks.iter().all(|it| rules.protocol(it).is_some());
        if !asked && known && !provider.speaks.is_empty() {
            let message = format!("no route leads to the provider `{}`", name.text);
            diags.push(Diagnostic::warning("never-asked", message).at(name.span).label("never asked"));
        }
    }
}
