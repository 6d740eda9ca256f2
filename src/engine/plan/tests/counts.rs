//! What rules ask of a request itself costs nothing where no rule asks, and little where one does.

use super::*;
use crate::engine::plan::Plan;

const TO_ONE: &str = r#"
providers: { one: { speaks: alpha.chat, url: "http://one.test", key: k } }
"#;

/// The route that takes a request, and whether its tokens were estimated on the way.
fn taken(routes: &str, body: &str) -> (Option<String>, bool) {
    let world = World::new(engine(&format!("{TO_ONE}{routes}")));
    let plan = Plan::begin(world.engine.clone(), world.incoming("/alpha", body)).unwrap();
    (plan.route().and_then(|route| route.name.clone()), plan.counts.has_estimated())
}

#[test]
fn tokens_are_estimated_only_where_a_rule_asks_for_them() {
    let plain =
        "routes: [ { path: /alpha, protocol: alpha.chat, when: { size: { above: 5 }, messages: 0 } } ]";
    assert_eq!(taken(plain, ASK), (None, false));
    let asking = "routes: [ { path: /alpha, protocol: alpha.chat, name: wordy, when: { tokens: { above: 20 } } }, \
                  { path: /alpha, protocol: alpha.chat, name: other } ]";
    assert_eq!(taken(asking, ASK), (Some("other".to_owned()), true));
    let long = format!(r#"{{"model":"big-1","ask":"{}"}}"#, "why ".repeat(40));
    assert_eq!(taken(asking, &long), (Some("wordy".to_owned()), true));
    // What costs less is asked first, wherever it stands.
    let other_model = "routes: [ { path: /alpha, protocol: alpha.chat, when: { tokens: { above: 20 }, model: small-* } }, \
                       { path: /alpha, protocol: alpha.chat, name: other } ]";
    assert_eq!(taken(other_model, ASK), (Some("other".to_owned()), false));
}

#[test]
fn messages_are_counted_where_the_protocol_says() {
    let routes = |wanted: &str| {
        format!(
            "routes: [ {{ path: /alpha, protocol: alpha.chat, name: fits, when: {{ messages: {wanted} }} }}, \
             {{ path: /alpha, protocol: alpha.chat }} ]"
        )
    };
    let fits = |wanted: &str, body: &str| taken(&routes(wanted), body).0.is_some();
    assert!(fits("3", r#"{"messages":[1,2,3]}"#) && !fits("{ above: 3 }", r#"{"messages":[1,2,3]}"#));
    assert!(fits("1", r#"{"messages":"one text"}"#) && fits("0", r#"{"messages":{"no":"list"}}"#));
    assert!(fits("{ any: [ 0, { at_least: 9 } ] }", "{}") && !fits("{ not: 0 }", "{}"));
}

#[test]
fn a_query_of_ones_own_meets_the_clients() {
    let rules = r#"
providers:
  one: { speaks: alpha.chat, url: "http://one.test", key: k-1, query: { api-version: "2024-10-21", beta: null, key: "{$key}" } }
routes: [ { path: /alpha, protocol: alpha.chat } ]
"#;
    let mut world = World::new(engine(rules));
    world.replies("one", [Reply::ok(HELLO)]);
    let mut incoming = world.incoming("/alpha", ASK);
    incoming.query = Some("beta=true&api-version=1&x=y%20z".to_owned());
    let plan = Plan::begin(world.engine.clone(), incoming).unwrap();
    assert_eq!(world.run(plan).status, 200);
    let request = &world.asked[0].1;
    assert_eq!(request.url, "http://one.test/alpha?x=y%20z&api-version=2024-10-21&key=k-1");
    assert!(!format!("{request:?}").contains("k-1"));
}

#[test]
fn a_refusal_is_bounded_and_shows_no_key_and_its_record_says_who_refused() {
    let rules = r#"
providers:
  one: { speaks: alpha.chat, url: "http://one.test", key: key-of-number-one }
  two: { speaks: alpha.chat, url: "http://two.test", key: key-of-number-two }
routes: [ { path: /alpha, protocol: alpha.chat } ]
failover:
  - { name: own-words, when: { status: 451, text: '(?<all>.+)' }, do: { refuse: { status: 418, message: "{$match.all}" } } }
"#;
    let mut world = World::new(engine(rules));
    world.replies("one", [Reply::status(451, &format!("key-of-number-two {}", "x".repeat(5000)))]);
    let seen = world.send(ASK);
    assert_eq!((seen.status, seen.rule.as_deref(), seen.provider), (418, Some("own-words"), None));
    assert!(seen.body.contains("\"kind\":\"other\"") && !seen.body.contains("key-of"), "{}", seen.body);
    assert!((1000..1200).contains(&seen.body.len()), "{}", seen.body.len());
    let decision = world.decisions.pop().unwrap();
    assert!(decision.refused.unwrap().starts_with("refused by the rule own-words: "));
    assert_eq!((decision.attempts[0].action, decision.exhausted), (Some("refuse"), false));

    let refusing = "routes: [ { path: /alpha, protocol: alpha.chat, name: closed, refuse: { status: 403, message: not here } } ]";
    let mut world = World::new(engine(&format!("{TO_ONE}{refusing}")));
    let seen = world.send(ASK);
    assert_eq!((seen.status, world.asked().len()), (403, 0));
    let decision = world.decisions.pop().unwrap();
    assert_eq!(decision.route.as_deref(), Some("closed"));
    assert_eq!(decision.refused.as_deref(), Some("refused by the route closed: not here"));
    assert_eq!(decision.answer.map(|answer| answer.status), Some(403));
}

#[test]
fn rules_say_what_they_saw_of_numbers_and_times() {
    let rules = r#"
failover:
  - { name: big, when: { size: { above: 1KiB } }, do: return }
  - { name: night, when: { time: "23:00-06:00", days: mon-fri, zone: UTC+1 }, do: next }
"#;
    let mut world = world(rules);
    world.traces = true;
    world.replies("one", [Reply::status(500, "no")]);
    world.replies("two", [Reply::ok(HELLO)]);
    world.send(ASK);
    let lines: Vec<String> = world.events.iter().map(ToString::to_string).collect();
    let said = |text: &str| assert!(lines.iter().any(|line| line.ends_with(text)), "{text} in {lines:#?}");
    said(&format!("the request has {} bytes, which is not above 1KiB", ASK.len()));
    // START is 2023-11-14T22:13:20Z, a Tuesday.
    said("it is tue 23:13 in UTC+1, which is 23:00-06:00 of mon, tue, wed, thu, fri");
}
