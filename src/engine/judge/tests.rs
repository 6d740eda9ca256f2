//! Cool down arithmetic and verdicts, as tables.

mod index;

use crate::engine::Engine;
use crate::engine::health::Health;
use crate::engine::plan::Event;
use crate::engine::testing::{Reply, START, World, engine};
use std::sync::Arc;

fn rules(failover: &str) -> Arc<Engine> {
    engine(&format!(
        r#"
providers: {{ one: {{ speaks: alpha.chat, url: "http://one.test", key: k }} }}
routes: [ {{ path: /alpha, protocol: alpha.chat }} ]
failover: {failover}
"#
    ))
}

/// For how long, in milliseconds, the answer parks the provider; `None`: not at all.
fn parked(cool_down: &str, reply: Reply) -> Option<i64> {
    let failover = format!(
        "[ {{ name: r, when: {{ any: [ {{ text: '(?<at>\\d+)!(?<unit>[a-z]*)' }}, true ] }}, do: next, cool_down: {cool_down} }} ]"
    );
    let mut world = World::new(rules(&failover));
    world.replies("one", [reply]);
    world.send("{}");
    world.health.free_at("one", START).map(|until| until - START)
}

#[test]
fn ends_of_cool_downs_are_read_from_wherever_an_answer_has_them() {
    let hour = 3_600_000;
    let at = (START + hour) / 1000;
    let bare = || Reply::status(429, "{}");
    let body = |text: &str| Reply::status(429, text);
    let table: Vec<(&str, Reply, Option<i64>)> = vec![
        ("10s", bare(), Some(10_000)),
        ("{ for: 10s }", bare(), Some(10_000)),
        ("{ until: [ $header.retry-after ], else: 1m }", bare(), Some(60_000)),
        ("{ until: [ $header.retry-after ] }", bare(), None),
        ("{ until: [ $header.retry-after ] }", bare().with("retry-after", 7999), Some(7_999_000)),
        (
            "{ until: [ $header.retry-after ] }",
            bare().with("retry-after", "Tue, 14 Nov 2023 23:13:20 GMT"),
            Some(hour),
        ),
        ("{ until: [ $header.retry-after ], else: 1m }", bare().with("retry-after", "0.5abc"), Some(60_000)),
        ("{ until: [ $header.retry-after-ms ] }", bare().with("retry-after-ms", 1500), Some(1500)),
        ("{ until: [ $header.x-reset ] }", bare().with("x-reset", at), Some(hour)),
        ("{ until: [ $header.x-reset ] }", bare().with("x-reset", at * 1000), Some(hour)),
        ("{ until: [ $header.x-reset ] }", bare().with("x-reset", "1m30.5s"), Some(90_500)),
        ("{ until: [ $header.x-reset ] }", bare().with("x-reset", "2023-11-14T23:13:20Z"), Some(hour)),
        ("{ until: [ $.resetAfterMs ] }", body(r#"{"resetAfterMs":1500}"#), Some(1500)),
        ("{ until: [ $header.x-reset ], else: 1m }", bare().with("x-reset", "-5"), Some(60_000)),
        ("{ until: [ $header.x-reset ], else: 1m }", bare().with("x-reset", "1e3"), Some(60_000)),
        // As people write it.
        ("{ until: [ $header.x-reset ] }", bare().with("x-reset", "2 hours and 30 minutes"), Some(9_000_000)),
        ("{ until: [ $header.x-reset ] }", bare().with("x-reset", "11:13pm (UTC)"), Some(hour - 20_000)),
        (
            "{ until: [ $header.x-reset ], zone: Europe/Paris }",
            bare().with("x-reset", "12:13am"),
            Some(hour - 20_000),
        ),
        (
            r#"{ until: [ { $capture: 'resets (.+)$', $from: $.text, $group: 1 } ], else: 1h }"#,
            body(r#"{"text":"You've hit your limit · resets Nov 15, 1am (Europe/Paris)"}"#),
            Some(6_400_000),
        ),
        // Moments in the past are no moments.
        ("{ until: [ $header.x-reset ], else: 1m }", bare().with("x-reset", at - 7200), Some(60_000)),
        // The latest counts; bounds hold for all.
        ("{ until: [ $header.a, $header.b ] }", bare().with("a", 5).with("b", 9), Some(9_000)),
        (
            "{ until: [ $header.a, $header.b ], of_several: first }",
            bare().with("a", 5).with("b", 9),
            Some(5_000),
        ),
        (
            "{ until: [ $header.a, $header.b ], of_several: first }",
            bare().with("a", 0).with("b", 9),
            Some(9_000),
        ),
        (
            "{ until: [ $header.a, $header.b ], of_several: first }",
            bare().with("a", "x").with("b", 9),
            Some(9_000),
        ),
        ("{ until: [ $header.a ], for: 20s }", bare().with("a", 5), Some(20_000)),
        ("{ until: [ $header.a ], at_least: 20s }", bare().with("a", 5), Some(20_000)),
        ("{ until: [ $header.a ], at_most: 8d }", bare().with("a", 99_999_999), Some(8 * 24 * hour)),
        ("{ else: 1m, at_most: 30s }", bare(), Some(30_000)),
        // Bodies and captures.
        (
            "{ until: [ $.error.resets_at ] }",
            body(&format!(r#"{{"error":{{"resets_at":{at}}}}}"#)),
            Some(hour),
        ),
        ("{ until: [ \"$.d[*].delay\" ] }", body(r#"{"d":[{"x":1},{"delay":"34.4s"}]}"#), Some(34_400)),
        ("{ until: [ $match.at ] }", body(&format!("limit {at}!")), Some(hour)),
        ("{ until: [ \"{$match.at}{$match.unit}\" ] }", body("in 12!m"), Some(720_000)),
    ];
    for (cool_down, reply, expected) in table {
        let said = match &reply {
            Reply::Whole(_, headers, body) => format!("{cool_down} {headers:?} {body}"),
            _ => String::new(),
        };
        assert_eq!(parked(cool_down, reply), expected, "{said}");
    }
}

#[test]
fn windows_that_are_not_used_up_do_not_count() {
    let rejected = |window: &str| {
        format!("{{ $if: {{ $header.x-{window}-status: rejected }}, $then: $header.x-{window}-reset }}")
    };
    let cool_down = format!("{{ until: [ {}, {} ], else: 1h, at_most: 8d }}", rejected("5h"), rejected("7d"));
    for (five, week, expected) in [
        ("rejected", "allowed", 60_000),
        ("allowed", "rejected", 90_000),
        ("rejected", "rejected", 90_000),
        ("allowed", "allowed", 3_600_000),
    ] {
        let reply = Reply::status(429, "{}").with("x-5h-status", five).with("x-7d-status", week);
        let reply = reply.with("x-5h-reset", START / 1000 + 60).with("x-7d-reset", START / 1000 + 90);
        assert_eq!(parked(&cool_down, reply), Some(expected), "{five} {week}");
    }
}

#[test]
fn chance_makes_a_pause_longer_within_its_bounds() {
    let until = |cool_down: &str| parked(cool_down, Reply::status(429, "{}")).unwrap();
    let jittered = until("{ for: 10s, jitter: 5s }");
    assert!((10_001..15_000).contains(&jittered), "{jittered}");
    assert_eq!(until("{ for: 10s, jitter: 5s, at_most: 10s }"), 10_000);
}

#[test]
fn a_broad_rule_never_shortens_what_a_special_one_has_set() {
    let failover = r#"[ { name: week, when: { header: { x-week: full } }, do: next, cool_down: 7d },
        { name: broad, when: { status: 429 }, do: next, cool_down: 10m } ]"#;
    let mut world = World::new(rules(failover));
    world.replies("one", [Reply::status(429, "").with("x-week", "full"), Reply::status(429, "")]);
    world.send("{}");
    world.send("{}");
    assert_eq!(world.health.pause("one", START).map(|pause| pause.rule.as_str()), Some("week"));
    assert_eq!(world.health.free_at("one", START), Some(START + 7 * 24 * 3_600_000));
}

#[test]
fn every_rule_can_say_why_it_did_not_fire() {
    let failover = r#"[
        { name: a, when: { status: 5xx }, do: next },
        { name: b, when: { status: 429, text: 'never.*said' }, do: next },
        { name: c, when: { failure: [ dns, tls ] }, do: next },
        { name: d, when: { model: "small-*", provider: one }, do: next },
        { name: e, when: { header: { x-week: { is: present } } }, do: next },
        { name: f, when: { $.trouble.kind: other }, do: next },
        { name: g, when: { not: { status: 429 } }, do: next },
        { name: h, when: { any: [ { attempt: { above: 3 } }, { status: [ 401, 403 ] } ] }, do: next },
        { name: i, when: { status: 400-499, text: a+ }, do: return },
        { name: j, do: next } ]"#;
    let mut world = World::new(rules(failover));
    world.replies("one", [Reply::status(429, r#"{"trouble":{"kind":"slow_down","text":"haaa"}}"#)]);
    let seen = world.send(r#"{"model":"big-1"}"#);
    assert_eq!(seen.rule.as_deref(), Some("i"));
    let said: Vec<String> = world
        .events
        .iter()
        .filter_map(|event| match event {
            Event::Verdict { rule, matched, why, .. } => Some(format!("{rule} {matched}: {why}")),
            _ => None,
        })
        .collect();
    let expected = [
        "a false: status 429 is not 5xx",
        "b false: the text \"haaa\" does not match /never.*said/",
        "c false: failure status is not dns or tls",
        "d false: model big-1 is not small-*",
        "e false: there is no header x-week",
        "f false: $.trouble.kind is \"slow_down\", which does not fit",
        "g false: status 429 is 429, which `not` rules out",
        "h false: status 429 is not 401, 403, and attempt is 1, which does not fit",
        "i true: status 429 is 4xx, and the text matches /a+/",
    ];
    assert_eq!(said, expected);
}

#[test]
fn text_is_looked_for_with_the_escapes_of_json_undone() {
    let failover =
        r#"[ { name: r, when: { text: "You've hit your limit · resets" }, do: next, cool_down: 1m } ]"#;
    let mut world = World::new(rules(failover));
    world.replies("one", [Reply::status(429, r#"{"trouble":{"text":"You\u2019ve hit"},"x":1}"#)]);
    world.replies(
        "one",
        [Reply::status(429, r#"{"trouble":{"text":"You\u0027ve hit your limit \u00b7 resets 8pm"}}"#)],
    );
    assert_eq!(world.send("{}").rule, None);
    assert_eq!(world.send("{}").rule.as_deref(), Some("r"));
    assert!(!Health::clone(&world.health).is_usable("one", START));
}

#[test]
fn a_good_answer_may_speak_of_errors() {
    let failover = r#"[
        { name: busy, when: { any: [ { status: 503 }, { text: engine is busy } ] }, do: next, cool_down: 1m },
        { name: blank, when: { any: [ { status: 503 }, { status: 200, text: '"answer":""' } ] }, do: next } ]"#;
    let mut world = World::new(rules(failover));
    world.replies("one", [Reply::ok(r#"{"answer":"it says that the engine is busy"}"#)]);
    let seen = world.send("{}");
    assert_eq!((seen.status, seen.rule), (200, None));
    world.replies("one", [Reply::ok(r#"{"answer":""}"#)]);
    assert_eq!(world.send("{}").rule.as_deref(), Some("blank"));
    world.replies("one", [Reply::status(400, "the engine is busy")]);
    assert_eq!(world.send("{}").rule.as_deref(), Some("busy"));
}

#[test]
fn a_rule_in_shadow_tells_what_it_would_have_done() {
    let failover = r#"[
        { name: trial, when: { text: busy }, do: return, cool_down: 1m, shadow: true },
        { name: quiet, when: { status: 503 }, do: next, down: until_probed, shadow: true, log: debug },
        { name: real, when: { status: 503 }, do: next, cool_down: 10s, log: error } ]"#;
    let mut world = World::new(rules(failover));
    world.replies("one", [Reply::status(503, "busy")]);
    assert_eq!(world.send("{}").rule.as_deref(), Some("real"));
    assert_eq!(world.health.free_at("one", START), Some(START + 10_000));
    let said: Vec<String> = world
        .events
        .iter()
        .filter(|event| matches!(event, Event::Fired { .. }))
        .map(|event| format!("{:?}: {event}", event.level()))
        .collect();
    let expected = [
        "Info: rule trial (in shadow) would do for one: return, and let one cool down until 2023-11-14T22:14:20Z",
        "Debug: rule quiet (in shadow) would do for one: next, and let one cool down until a probe finds it well",
        "Error: rule real fires for one: next",
    ];
    assert_eq!(said, expected);
}

#[test]
fn a_rule_may_make_the_provider_that_answers_the_first_choice() {
    let failover = r#"[ { name: gone, when: { status: 403 }, do: next, switch: true }, { name: busy, when: { status: 503 }, do: next } ]"#;
    let mut world = crate::engine::testing::world(&format!("failover: {failover}"));
    world.replies("one", [Reply::status(503, ""), Reply::status(403, "")]);
    world.replies("two", [Reply::ok(r#"{"answer":1}"#), Reply::status(503, "")]);
    world.replies("three", [Reply::ok(r#"{"said":"x"}"#)]);
    world.send("{}");
    assert_eq!(world.health.chosen(world.now), None);
    // Who failed too is not switched to.
    world.send("{}");
    assert_eq!(world.asked(), ["one", "two", "one", "two", "three"]);
    assert_eq!(world.health.chosen(world.now).map(|it| it.provider.as_str()), Some("three"));
    let told: Vec<String> =
        world.events.iter().filter(|it| it.name() == "switched").map(Event::to_string).collect();
    assert_eq!(told, ["three goes first from now on (rule gone)"]);
    world.replies("three", [Reply::ok(r#"{"said":"x"}"#)]);
    world.send("{}");
    assert_eq!(world.asked(), ["three"]);
}
