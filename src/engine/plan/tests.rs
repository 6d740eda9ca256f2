//! Whole requests through the plan, with providers by script and in virtual time.

use super::*;
use crate::engine::failure::FailureKind;
use crate::engine::health::Standing;
use crate::engine::testing::{Reply, START, Seen, World, alpha_stream, engine, world};

mod clock;
mod counts;
mod errors;
mod generator;
mod recovery;
mod shaky;
mod streams;

const RULES: &str = r#"
failover:
  - name: limit
    when: { text: 'limit reached\|(?<reset>\d{10})' }
    do: next
    cool_down: { until: [ $match.reset, $header.retry-after ], else: 1h, at_most: 8d }
  - name: broken-part
    when: { status: 400, text: cursed }
    do: { repair: drop-extra, then: retry }
  - name: busy
    when: { status: [ 503, 529 ] }
    do: { retry: 2, backoff: 500ms, then: next }
    cool_down: 10s
  - name: unreachable
    when: { failure: [ connect, dns, tls, closed, first_byte_timeout, idle_timeout ] }
    do: next
    cool_down: 30s
  - name: callers-mistake
    when: { status: [ 400, 404, 413, 422 ] }
    do: return
repairs:
  drop-extra: { patch: [ { remove: [ $.extra ] } ] }
"#;

const ASK: &str = r#"{ "model":"big-1",  "ask": "why?", "n": 1.0 }"#;
const HELLO: &str = r#"{"answer":"hello",  "extra":1.0}"#;

#[test]
fn same_protocol_passes_every_byte_and_no_credential() {
    let mut world = world(RULES);
    world.headers = vec![
        ("x-api-key", "mine"),
        ("authorization", "Bearer mine"),
        ("x-alpha-beta", "b1"),
        ("cookie", "c"),
    ];
    world.replies("one", [Reply::ok(HELLO).with("x-alpha-id", 7).with("server", "secret")]);
    let seen = world.send(ASK);
    assert_eq!((seen.status, seen.body.as_str(), seen.header("x-alpha-id")), (200, HELLO, "7"));
    assert_eq!((seen.header("x-rulegate-provider"), seen.header("x-rulegate-attempts")), ("one", "1"));
    assert_eq!((seen.header("server"), seen.header("content-type")), ("", "application/json"));
    let (_, request) = &world.asked[0];
    assert_eq!((request.url.as_str(), request.body.as_ref()), ("http://one.test/alpha", ASK.as_bytes()));
    assert_eq!(request.headers["x-api-key"], "key-one");
    assert_eq!(request.headers["x-alpha-beta"], "b1");
    assert_eq!(request.headers["x-alpha-version"], "1");
    assert!(!request.headers.contains_key("authorization") && !request.headers.contains_key("cookie"));
}

#[test]
fn the_models_name_is_the_only_thing_that_changes() {
    let mut world = world(RULES);
    world.health.cool_down("one", START + 1000, "test", START);
    world.replies("two", [Reply::ok(HELLO)]);
    world.send(ASK);
    assert_eq!(world.asked[0].1.body, r#"{ "model":"huge",  "ask": "why?", "n": 1.0 }"#);
}

#[test]
fn a_limit_moves_the_request_on_and_parks_the_provider_until_the_stated_hour() {
    let mut world = world(RULES);
    let reset = START / 1000 + 3 * 3600;
    world.replies("one", [Reply::status(429, &format!("usage limit reached|{reset}"))]);
    world.replies("two", [Reply::Fails(FailureKind::Connect)]);
    world.replies("three", [Reply::ok(r#"{"said":"hello"}"#), Reply::ok(r#"{"said":"again"}"#)]);
    let seen = world.send(ASK);
    assert_eq!((seen.status, seen.body.as_str()), (200, r#"{"answer":"hello","about":"why?"}"#));
    assert_eq!((seen.provider.as_deref(), seen.rule.as_deref()), (Some("three"), Some("unreachable")));
    assert_eq!(seen.header("x-rulegate-attempts"), "3");
    let (_, request) = &world.asked[2];
    assert_eq!(request.url, "http://three.test/v1/beta");
    assert_eq!(request.body, r#"{"engine":"parrot","q":"why?","tone":"loud"}"#);
    assert_eq!(request.headers["authorization"], "Bearer key-three");
    assert_eq!(world.health.free_at("one", world.now), Some(reset * 1000));
    assert_eq!(world.health.free_at("two", world.now), Some(START + 30_000));
    assert_eq!(world.send(ASK).provider.as_deref(), Some("three"));
    assert_eq!(world.asked(), ["one", "two", "three", "three"]);
    let lines: Vec<String> = world.events.iter().map(ToString::to_string).collect();
    assert!(
        lines.iter().any(|line| line.starts_with("one -> two: ") && line.ends_with("(rule limit)")),
        "{lines:#?}"
    );
}

#[test]
fn retries_wait_longer_each_time_and_then_the_next_is_asked() {
    let mut world = world(RULES);
    let busy = || Reply::status(529, r#"{"trouble":{"kind":"busy","text":"later"}}"#);
    world.replies("one", [busy(), busy(), busy()]).replies("two", [Reply::ok(HELLO)]);
    let seen = world.send(ASK);
    assert_eq!((seen.provider.as_deref(), seen.rule.as_deref()), (Some("two"), Some("busy")));
    assert_eq!(world.asked(), ["one", "one", "one", "two"]);
    assert!(
        (500..=625).contains(&world.waits[0]) && (1000..=1250).contains(&world.waits[1]),
        "{:?}",
        world.waits
    );
    assert_eq!(world.health.free_at("one", world.now), Some(world.now + 10_000));
}

#[test]
fn a_retry_keeps_to_what_the_provider_asks_for_unless_that_is_long() {
    for (asked_for, attempts) in [("3", 2), ("60", 1)] {
        let mut world = world(RULES);
        world.replies("one", [Reply::status(503, "{}").with("retry-after", asked_for), Reply::ok(HELLO)]);
        world.replies("two", [Reply::ok(HELLO)]);
        world.send(ASK);
        assert_eq!(world.asked.iter().filter(|(name, _)| name == "one").count(), attempts);
        assert_eq!(world.waits, if attempts == 2 { vec![3000] } else { vec![] });
    }
}

#[test]
fn a_repair_is_made_once_and_then_the_following_rules_decide() {
    let cursed = || Reply::status(400, r#"{"trouble":{"kind":"bad","text":"a cursed part"}}"#);
    let ask = r#"{"model":"m","extra":[1], "ask":"x"}"#;
    let mut world = world(RULES);
    world.replies("one", [cursed(), Reply::ok(HELLO)]);
    assert_eq!(world.send(ask).status, 200);
    assert_eq!(world.asked[1].1.body, r#"{"model":"m","ask":"x"}"#);
    world.asked();
    world.replies("one", [cursed(), cursed()]);
    let seen = world.send(ask);
    assert_eq!((seen.status, seen.rule.as_deref()), (400, Some("callers-mistake")));
    assert_eq!(world.asked(), ["one", "one"]);
    // Nothing to repair: the rule does not fire at all.
    world.replies("one", [cursed()]);
    assert_eq!(world.send(ASK).rule.as_deref(), Some("callers-mistake"));
}

#[test]
fn when_all_are_cooling_down_those_by_a_guess_are_asked_and_the_answer_names_who_was() {
    let mut world = world(RULES);
    let reset = START / 1000 + 3600;
    world.replies(
        "one",
        [Reply::status(
            429,
            &format!(r#"{{"trouble":{{"kind":"slow_down","text":"limit reached|{reset}"}}}}"#),
        )],
    );
    world.replies("two", [Reply::Fails(FailureKind::Dns)]);
    world.replies("three", [Reply::Fails(FailureKind::Tls)]);
    let seen = world.send(ASK);
    assert_eq!(world.asked(), ["one", "two", "three"]);
    assert_first_error(&seen, reset, 30);
    // All three are cooling. The answer of one said for how long; that the others are out of order is a guess.
    world.now += 5_000;
    world.replies("two", [Reply::Fails(FailureKind::Dns)]).replies("three", [Reply::Fails(FailureKind::Tls)]);
    let seen = world.send(ASK);
    assert_eq!(world.asked(), ["two", "three"]);
    assert_eq!((seen.status, seen.header("x-rulegate-provider")), (502, "two"));
    assert_eq!((seen.header("x-rulegate-attempts"), seen.header("x-rulegate-rule")), ("2", "unreachable"));
    assert_eq!(seen.header("retry-after"), "30");
    let record = world.decisions.last().unwrap();
    assert_eq!(record.answer.as_ref().unwrap().provider.as_deref(), Some("two"));
    assert!(
        record.candidates[0].passed_over[0].reason.contains("rule limit, for as long as the answer stated")
    );
    let told = world.events.iter().rev().find(|event| matches!(event, Event::NoAnswer { .. })).unwrap();
    assert!(
        told.to_string().contains(": two: dns") && told.to_string().contains("one was not asked: "),
        "{told}"
    );
    // This time one of them answers: the guess was wrong.
    world.now += 1_000;
    world.replies("two", [Reply::ok(HELLO)]);
    assert_eq!(world.send(ASK).status, 200);
    assert_eq!(world.health.standing("two", world.now), Standing::Available);
}

#[test]
fn of_those_that_cool_down_by_a_guess_the_one_free_soonest_is_asked_first() {
    let mut world = world(RULES);
    for (name, time) in [("one", 30_000), ("two", 20_000), ("three", 10_000)] {
        world.health.cool_down(name, START + time, "test", START);
        world.replies(name, [Reply::Fails(FailureKind::Reset)]);
    }
    let seen = world.send(ASK);
    assert_eq!(world.asked(), ["three", "two", "one"]);
    assert_eq!((seen.header("x-rulegate-provider"), seen.header("x-rulegate-attempts")), ("one", "3"));
    // What one says who was asked before the cool down began is no sign that it is over.
    let mut early = Plan::begin(world.engine.clone(), world.incoming("/alpha", ASK)).unwrap();
    world.health.recovered("one", world.now);
    let Step::Send(attempt) = early.next(&mut world.health, world.now) else { panic!("nobody is asked") };
    world.now += 1;
    world.health.cool_down("one", world.now + 30_000, "test", world.now);
    let (raw, body) = (HELLO.into(), HELLO.into());
    let whole =
        super::Whole { status: 200, headers: attempt.request.headers, raw, body, usage: Default::default() };
    early.observe(Outcome::Whole(whole), &mut world.health, world.now);
    assert_eq!(world.health.standing("one", world.now), Standing::Cooling);
}

#[test]
fn when_all_answers_stated_a_time_one_is_asked_all_the_same() {
    let mut world = world(RULES);
    let until = |minutes: i64| START / 1000 + 60 * minutes;
    for (name, minutes) in [("one", 50), ("two", 10), ("three", 20)] {
        world.replies(name, [Reply::status(429, &format!("limit reached|{}", until(minutes)))]);
    }
    assert_eq!(world.send(ASK).header("x-rulegate-provider"), "one");
    assert_eq!(world.asked(), ["one", "two", "three"]);
    world.replies("two", [Reply::status(429, &format!("limit reached|{}", until(10)))]);
    let seen = world.send(ASK);
    assert_eq!(world.asked(), ["two"], "the one that is free soonest, and nobody else");
    assert_eq!((seen.status, seen.header("x-rulegate-provider")), (429, "two"));
    // One good answer is no sign that the time that another one stated is over.
    world.replies("two", [Reply::ok(HELLO), Reply::ok(HELLO)]);
    assert_eq!((world.send(ASK).status, world.send(ASK).status), (200, 200));
    assert_eq!(world.health.free_at("two", world.now), Some(until(10) * 1000));
}

fn assert_first_error(seen: &Seen, reset: i64, retry_after: i64) {
    assert_eq!(seen.status, 429);
    assert_eq!(seen.body, format!(r#"{{"trouble":{{"kind":"slow_down","text":"limit reached|{reset}"}}}}"#));
    assert_eq!(seen.header("retry-after"), retry_after.to_string());
    assert_eq!((seen.header("x-alpha-final"), seen.header("x-rulegate-provider")), ("yes", "one"));
}

#[test]
fn without_a_rule_what_is_no_answer_moves_on_and_what_is_one_goes_back() {
    let table: [(Reply, &str); 9] = [
        (Reply::Fails(FailureKind::Reset), "two"),
        (Reply::Fails(FailureKind::FirstByteTimeout), "two"),
        (Reply::ok(""), "two"),
        (Reply::ok("<html><title>Sorry</title></html>"), "two"),
        (Reply::ok(r#"{"answer":"cut"#), "two"),
        (Reply::ok(r#"{"trouble":{"kind":"busy","text":"in disguise"}}"#), "two"),
        (Reply::Stream(alpha_stream(&[r#"{"kind":"word","text":"unasked"}"#])), "two"),
        (Reply::status(500, "oh"), "one"),
        (Reply::status(429, "slow"), "one"),
    ];
    for (reply, provider) in table {
        let mut world = world("");
        world.replies("one", [reply]).replies("two", [Reply::ok(HELLO)]);
        assert_eq!(world.send(ASK).provider.as_deref(), Some(provider));
    }
}

#[test]
fn a_providers_own_rules_come_first_and_rules_without_a_status_see_no_good_answer() {
    let mut world = World::new(engine(
        r#"
providers:
  one: { speaks: alpha.chat, url: "http://one.test", key: k, failover: [ { name: own, when: { status: 418 }, do: next } ] }
  two: { speaks: alpha.chat, url: "http://two.test", key: k }
routes: [ { path: /alpha, protocol: alpha.chat } ]
failover:
  - { name: all-teapots, when: { status: 418 }, do: return }
  - { name: notice, when: { status: 2xx, text: "limit of today" }, do: next, cool_down: 1m }
  - { name: any-text, when: { text: hello }, do: return, cool_down: 1h }
"#,
    ));
    world
        .replies("one", [Reply::status(418, "short and stout"), Reply::ok(r#"{"answer":"limit of today"}"#)]);
    world.replies("two", [Reply::ok(HELLO), Reply::ok(HELLO)]);
    assert_eq!(world.send(ASK).rule.as_deref(), Some("own"));
    let seen = world.send(ASK);
    assert_eq!((seen.provider.as_deref(), seen.rule.as_deref()), (Some("two"), Some("notice")));
    assert_eq!(world.health.standing("one", world.now), Standing::Cooling);
    assert_eq!(world.health.standing("two", world.now), Standing::Available);
}

#[test]
fn an_answer_that_a_rule_refuses_is_told_as_that() {
    let mut world = World::new(engine(
        r#"
providers:
  one: { speaks: alpha.chat, url: "http://one.test", key: k }
routes: [ { path: /alpha, protocol: alpha.chat } ]
failover: [ { name: notice, when: { status: 2xx, text: "limit of today" }, do: next, cool_down: 1m } ]
"#,
    ));
    world.replies("one", [Reply::ok(r#"{"answer":"limit of today"}"#)]);
    world.send(ASK);
    let told: Vec<String> = world.events.iter().map(ToString::to_string).collect();
    assert!(told.iter().any(|line| line.contains("refused by a rule (status 200)")), "{told:?}");
    assert!(!told.iter().any(|line| line.contains("malformed")), "{told:?}");
}

#[test]
fn the_last_answer_states_the_soonest_time_that_is_known() {
    let mut world = World::new(engine(
        r#"
providers:
  one: { speaks: alpha.chat, url: "http://one.test", key: k }
  two: { speaks: alpha.chat, url: "http://two.test", key: k }
  three: { speaks: alpha.chat, url: "http://three.test", key: k }
routes: [ { path: /alpha, protocol: alpha.chat } ]
failover:
  - { name: limited, when: { status: 429 }, do: next, cool_down: { until: [ $header.retry-after ], else: 1m } }
  - { name: broken, when: { status: 500 }, do: next }
"#,
    ));
    let limited = |seconds: &str| Reply::status(429, "slow").with("retry-after", seconds);
    world.replies("one", [Reply::status(500, "oh")]);
    world.replies("two", [limited("600")]);
    world.replies("three", [limited("90")]);
    let seen = world.send(ASK);
    assert_eq!((seen.status, seen.header("retry-after")), (500, "90"));
}

#[test]
fn what_the_mapping_refuses_is_told_in_its_words() {
    let mut world = world(RULES);
    for name in ["one", "two"] {
        world.health.down(name, "test", None, START);
    }
    let seen = world.send(r#"{"ask":"x","forbidden":true}"#);
    assert_eq!(seen.status, 400);
    assert_eq!(seen.body, r#"{"trouble":{"kind":"bad","text":"beta cannot do that"}}"#);
    assert!(world.asked().is_empty());
}

#[test]
fn a_limit_of_a_key_parks_all_that_use_it_at_the_same_place() {
    let rules = r#"
providers:
  one: { speaks: alpha.chat, url: "http://same.test/a", key: shared }
  two: { speaks: alpha.chat, url: "http://same.test/b", key: shared }
  three: { speaks: alpha.chat, url: "http://same.test/b", key: own }
  four: { speaks: alpha.chat, url: "http://other.test", key: shared }
routes: [ { path: /alpha, protocol: alpha.chat } ]
failover: [ { name: limit, when: { status: 429 }, do: next, cool_down: { for: 1h, scope: key } } ]
"#;
    let mut world = World::new(engine(rules));
    world.replies("one", [Reply::status(429, "")]).replies("three", [Reply::ok(HELLO)]);
    world.send(ASK);
    assert_eq!(world.asked(), ["one", "three"]);
    let usable = ["one", "two", "three", "four"].map(|name| world.health.is_usable(name, world.now));
    assert_eq!(usable, [false, false, true, true]);
}
