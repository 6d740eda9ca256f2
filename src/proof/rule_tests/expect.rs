//! What a test of the rules expects, held against what happened.

use http::HeaderMap;

use super::Wrong;
use super::compare::{self, cut, wanted};
use super::rehearsal::Seen;
use crate::config::model::{Expect, ExpectFacts, ExpectProvider, Table};
use crate::engine::Ms;
use crate::language::{Compiler, Env, Scope, Val};
use crate::text::diagnostic::{Diagnostics, Span};
use crate::text::json::Doc;
use crate::text::units;
use crate::text::yaml::{Key, Kind, Node};

/// The words that begin a condition beside paths.
const WORDS: [&str; 3] = ["any", "all", "not"];

/// Adds all that is otherwise than expected.
pub fn check(expect: &Expect, seen: &Seen, wrong: &mut Vec<Wrong>) {
    facts(&expect.facts, seen, wrong);
    for (name, expected) in expect.providers.iter() {
        provider(name, expected, seen, wrong);
    }
}

fn facts(expect: &ExpectFacts, seen: &Seen, wrong: &mut Vec<Wrong>) {
    let none = || "none".to_owned();
    if let Some(provider) = &expect.provider
        && seen.provider.as_deref() != Some(provider.value.as_str())
    {
        let got = seen.provider.clone().unwrap_or_else(none);
        let message = format!("expected the answer of {}, got that of {got}", provider.value);
        wrong.push(Wrong::new(provider.span, message));
    }
    if let Some(rule) = &expect.rule
        && seen.rule.as_deref() != Some(rule.value.as_str())
    {
        let got = seen.rule.clone().unwrap_or_else(none);
        wrong.push(Wrong::new(rule.span, format!("expected rule {} to decide last, got {got}", rule.value)));
    }
    for rule in expect.fired.iter().filter(|rule| !seen.fired.contains(&rule.value)) {
        let got = if seen.fired.is_empty() { none() } else { seen.fired.join(", ") };
        wrong.push(Wrong::new(rule.span, format!("expected rule {} to fire, got {got}", rule.value)));
    }
    if let Some(status) = &expect.status
        && !status.contains(seen.status)
    {
        wrong.push(Wrong::new(expect.span, format!("expected status {status}, got {}", seen.status)));
    }
    if let Some(attempts) = &expect.attempts {
        count("attempts", attempts.value, seen.asked.len(), attempts.span, wrong);
    }
    if let Some(asked) = &expect.asked {
        let names: Vec<&str> = asked.iter().map(|name| name.value.as_str()).collect();
        if names != seen.asked {
            let got = if seen.asked.is_empty() { none() } else { seen.asked.join(", ") };
            let at = asked.first().map_or(expect.span, |name| name.span);
            wrong.push(Wrong::new(at, format!("expected {} to be asked, got {got}", names.join(", "))));
        }
    }
    for text in expect.contains.iter().flat_map(|texts| texts.iter()) {
        if !seen.text().contains(&text.value) {
            let message = format!("the client's answer does not contain this; it is {}", cut(&seen.text()));
            wrong.push(Wrong::new(text.span, message));
        }
    }
    if let Some(expected) = &expect.body {
        body(expected, seen.document(), "$", wrong);
    }
    headers(&expect.headers, &seen.headers, wrong);
}

fn provider(name: &Key, expect: &ExpectProvider, seen: &Seen, wrong: &mut Vec<Wrong>) {
    if let Some(state) = &expect.state {
        let got = seen.health.standing(&name.text, seen.now).name();
        if got != state.value {
            let message = format!("expected {} to be {}, it is {got}", name.text, state.value);
            wrong.push(Wrong::new(state.span, message));
        }
    }
    cooling(name, expect, seen, wrong);
    if let Some(attempts) = &expect.attempts {
        let asked = seen.asked.iter().filter(|asked| **asked == name.text).count();
        count("attempts", attempts.value, asked, attempts.span, wrong);
    }
    if let Some(keys) = &expect.keys {
        let used = seen.keys.iter().filter(|(provider, _)| *provider == name.text).map(|(_, key)| key);
        let (used, wanted): (Vec<_>, Vec<_>) = (used.collect(), keys.iter().map(|key| &key.value).collect());
        if used != wanted {
            let at = keys.first().map_or(expect.span, |key| key.span);
            let list = |keys: &[&String]| keys.iter().map(|key| key.as_str()).collect::<Vec<_>>().join(", ");
            let message = format!("expected the keys [{}], got [{}]", list(&wanted), list(&used));
            wrong.push(Wrong::new(at, message));
        }
    }
    if expect.request.is_none() && expect.headers.is_empty() && expect.url.is_none() {
        return;
    }
    let Some(sent) = seen.sent.iter().rev().find(|sent| sent.provider == name.text) else {
        wrong.push(Wrong::new(name.span, format!("{} was not asked", name.text)));
        return;
    };
    if let Some(matcher) = &expect.url {
        let key = Key { text: "$".to_owned(), span: matcher.span };
        condition(&key, matcher, &Val::str(&sent.url), wrong);
    }
    if let Some(expected) = &expect.request {
        body(expected, Doc::parse(sent.body.clone()).ok(), "$", wrong);
    }
    headers(&expect.headers, &sent.headers, wrong);
}

fn cooling(name: &Key, expect: &ExpectProvider, seen: &Seen, wrong: &mut Vec<Wrong>) {
    let last = seen.cooled.iter().rev().find(|(cooled, ..)| *cooled == name.text);
    let whole = seen.health.pause(&name.text, seen.now).and_then(|pause| pause.until);
    // Where another key or model is left, what was put aside is a part of it.
    let until = whole.or(last.map(|(_, _, until)| *until).filter(|until| *until > seen.now));
    if let Some(node) = &expect.cooling_until {
        match instant(node, seen.began) {
            None => wrong.push(Wrong::new(node.span, "this is no instant")),
            Some(expected) if until == Some(expected) => {}
            Some(expected) => {
                let got = until.map_or("not cooling down".to_owned(), |until| {
                    format!("cooling down until {} ({})", seconds(until), apart(until - expected))
                });
                wrong.push(Wrong::new(node.span, format!("{} is {got}", name.text)));
            }
        }
    }
    if let Some(expected) = expect.cooling_for {
        let got = last.map(|(_, time, _)| *time);
        if got != Ms::try_from(expected.as_millis()).ok() {
            let got =
                got.map_or("not cooling down".to_owned(), |got| format!("cooling down for {}", seconds(got)));
            let message = format!("expected {} to cool down for {expected:?}, it is {got}", name.text);
            wrong.push(Wrong::new(expect.span, message));
        }
    }
}

fn count(what: &str, expected: u32, got: usize, at: Span, wrong: &mut Vec<Wrong>) {
    if usize::try_from(expected) != Ok(got) {
        wrong.push(Wrong::new(at, format!("expected {expected} {what}, got {got}")));
    }
}

/// A moment that a test names.
pub fn instant(node: &Node, now: Ms) -> Option<Ms> {
    match &node.kind {
        Kind::String(text) | Kind::Number(text) => units::instant_from(text, now),
        _ => None,
    }
}

/// Milliseconds as seconds.
fn seconds(time: Ms) -> String {
    match (time / 1000, time % 1000) {
        (whole, 0) => format!("{whole}s"),
        (whole, rest) => format!("{whole}.{rest:03}s"),
    }
}

fn apart(difference: Ms) -> String {
    let way = if difference < 0 { "earlier" } else { "later" };
    format!("{} {way} than expected", seconds(difference.abs()))
}

/// A body against conditions by path, or by value.
fn body(expected: &Node, got: Option<Doc>, path: &str, wrong: &mut Vec<Wrong>) {
    let Some(doc) = got else {
        wrong.push(Wrong::new(expected.span, "the body is no JSON"));
        return;
    };
    match expected.as_map() {
        Some(entries) if entries.iter().any(|(key, _)| is_condition(&key.text)) => {
            for (key, node) in entries {
                condition(key, node, &Val::Json(doc.root()), wrong);
            }
        }
        _ => compare::value(expected, doc.root(), path, wrong),
    }
}

fn is_condition(key: &str) -> bool {
    key.starts_with('$') || WORDS.contains(&key)
}

fn headers(expected: &Table<Node>, got: &HeaderMap, wrong: &mut Vec<Wrong>) {
    for (name, node) in expected.iter() {
        let key = Key { text: format!("$.{}", name.text.to_ascii_lowercase()), span: name.span };
        condition(&key, node, &Val::Headers(got), wrong);
    }
}

/// One entry of a condition over `$`.
fn condition(key: &Key, matcher: &Node, value: &Val<'_>, wrong: &mut Vec<Wrong>) {
    let scope = Scope::new(&[""]);
    let mut diags = Diagnostics::new();
    let node = Node { span: key.span, kind: Kind::Map(vec![(key.clone(), matcher.clone())].into()) };
    let compiled = Compiler::new(&scope, &mut diags).condition(&node);
    let mut env = Env::new(scope.len());
    env.set(0, value.clone());
    match compiled {
        Some(condition) if !diags.has_errors() => {
            if !condition.test(&env) {
                wrong.push(Wrong::new(key.span, unmet(key, matcher, &env)));
            }
        }
        _ => wrong.extend(diags.into_vec().into_iter().map(|found| {
            let at = found.span.unwrap_or(key.span);
            Wrong::new(at, found.message)
        })),
    }
}

fn unmet(key: &Key, matcher: &Node, env: &Env<'_>) -> String {
    if !key.text.starts_with('$') {
        return "this does not hold".to_owned();
    }
    let scope = Scope::new(&[""]);
    let mut ignored = Diagnostics::new();
    let source = Compiler::new(&scope, &mut ignored).source(&key.text, key.span);
    let mut out = Vec::new();
    let is_there = source.is_some_and(|source| source.value(env).write_any(&mut out));
    let got = if is_there { cut(&String::from_utf8_lossy(&out)) } else { "nothing".to_owned() };
    format!("expected {}, it is {got}", wanted(matcher))
}
