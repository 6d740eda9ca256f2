//! Records of whole requests, in virtual time.

use super::*;
use crate::engine::failure::FailureKind;
use crate::engine::testing::{Reply, START, alpha_stream, world};

const RULES: &str = r#"
failover:
  - { name: limit, when: { text: limit reached }, do: next, cool_down: 1h }
  - { name: busy, when: { status: 529 }, do: { retry: 1, backoff: 1s, then: next } }
  - { name: mends, when: { status: 400, text: cursed }, do: { repair: drop-extra, then: retry } }
  - { name: gone, when: { failure: [ connect, cut_off ] }, do: next }
  - { name: mistake, when: { status: 400 }, do: return }
repairs:
  drop-extra: { patch: [ { remove: [ $.extra ] } ] }
"#;
const ASK: &str = r#"{"model":"big-1","ask":"why?"}"#;
const HELLO: &str = r#"{"answer":"hello"}"#;

#[test]
fn a_request_that_fails_nowhere_leaves_a_short_record() {
    let mut world = world(RULES);
    world.replies("one", [Reply::ok(HELLO)]);
    world.send(ASK);
    let record = &world.decisions[0];
    let order: Vec<&str> = record.candidates.iter().map(|it| it.provider.as_str()).collect();
    assert_eq!(order, ["one", "two", "three"]);
    assert!(record.candidates.iter().all(|it| it.passed_over.is_empty()));
    assert_eq!((record.model.as_str(), record.protocol.as_deref()), ("big-1", Some("alpha.chat")));
    let [attempt] = record.attempts.as_slice() else { panic!("{record:#?}") };
    assert_eq!((attempt.number, attempt.failure, attempt.status), (1, None, Some(200)));
    assert!(attempt.said.iter().all(|verdict| !verdict.fired) && attempt.action.is_none());
    let given = record.answer.as_ref().unwrap();
    assert_eq!((given.status, given.provider.as_deref(), given.attempts), (200, Some("one"), 1));
    assert!(!record.failed() && record.has_provider("one") && !record.has_provider("two"));
}

#[test]
fn every_step_of_a_bad_day_is_told() {
    let mut world = world(RULES);
    let busy = || Reply::status(529, "{}");
    world.replies("one", [Reply::status(429, "limit reached")]);
    world.replies("two", [busy(), busy()]).replies("three", [Reply::ok(r#"{"said":"hello"}"#)]);
    world.send(ASK);
    let record = &world.decisions[0];
    let told: Vec<_> =
        record.attempts.iter().map(|it| (it.provider.as_str(), it.rule.as_deref(), it.action)).collect();
    assert_eq!(
        told,
        [
            ("one", Some("limit"), Some("next")),
            ("two", Some("busy"), Some("retry")),
            ("two", Some("busy"), Some("next")),
            ("three", None, None),
        ]
    );
    let [first, second, third, last] = record.attempts.as_slice() else { panic!("{record:#?}") };
    let limit = CoolDown {
        begins: true,
        provider: "one".into(),
        key: None,
        model: None,
        until: Some(START + 3_600_000),
        rule: "limit".to_owned(),
    };
    assert_eq!(first.cool_downs, [limit]);
    assert_eq!(first.cool_down_from.as_deref(), Some("`for` says 1h"));
    assert_eq!((first.failure, first.status, first.phase), (Some("status"), Some(429), Some(Phase::Content)));
    assert_eq!(first.said.len(), 1, "the rules after the one that fires say nothing");
    let said: Vec<_> = second.said.iter().map(|it| (it.rule.as_str(), it.fired, it.why.as_str())).collect();
    assert_eq!(
        said,
        [
            ("limit", false, "the text \"{}\" does not match /limit reached/"),
            ("busy", true, "status 529 is 529"),
        ]
    );
    assert!(second.again_at.is_some_and(|at| at == third.began && at > START), "{second:?}");
    assert_eq!(last.model.as_deref(), Some("parrot"));
    assert!(record.failed() && record.has_rule("busy") && !record.has_rule("gone"));
    world.replies("two", [Reply::ok(HELLO)]);
    world.send(ASK);
    let again = &world.decisions[1];
    let one = PassedOver { reason: "cooling down by rule limit".to_owned(), until: Some(START + 3_600_000) };
    assert_eq!(again.candidates[0].passed_over, [one]);
    assert!(!again.failed());
    assert_eq!(again.to_json()["candidates"][0]["why_not"][0]["until"], "2023-11-14T23:13:20Z");
}

#[test]
fn a_repair_and_what_comes_back_are_told() {
    let mut world = world(RULES);
    world.replies("one", [Reply::status(400, "cursed"), Reply::status(400, "no")]);
    world.send(r#"{"model":"m","ask":"why?","extra":1}"#);
    let record = &world.decisions[0];
    let [first, second] = record.attempts.as_slice() else { panic!("{record:#?}") };
    assert_eq!((first.action, first.repair.as_deref()), (Some("repair"), Some("drop-extra")));
    assert_eq!((second.action, second.rule.as_deref()), (Some("return"), Some("mistake")));
    assert_eq!(record.answer.as_ref().map(|answer| answer.status), Some(400));
    assert!(!record.exhausted);
}

#[test]
fn a_stream_that_breaks_after_its_content_is_told_with_its_rule() {
    let mut world = world(RULES);
    let begun = alpha_stream(&[r#"{"kind":"word","text":"a"}"#]);
    world.replies("one", [Reply::Cut(begun, FailureKind::CutOff)]);
    world.send(r#"{"model":"m","ask":"why?","stream":true}"#);
    let record = &world.decisions[0];
    let end = record.stream.as_ref().unwrap();
    assert_eq!((end.how, record.streaming, record.failed()), ("broken", true, true));
    let [attempt] = record.attempts.as_slice() else { panic!("{record:#?}") };
    assert_eq!((attempt.failure, attempt.rule.as_deref()), (None, Some("gone")));
    assert_eq!(attempt.action, Some("too_late"));
    assert!(attempt.said.iter().any(|verdict| verdict.rule == "gone" && verdict.fired));
}

#[test]
fn who_is_left_out_by_the_route_is_told_without_cost_per_request() {
    let mut world = world("");
    world.replies("one", [Reply::ok(HELLO)]);
    world.send(ASK);
    assert!(world.decisions[0].left_out.is_empty());
    let rules = r#"
providers:
  one: { speaks: alpha.chat, url: "http://one.test", key: key-one }
  other: { speaks: alpha.chat, url: "http://other.test", key: k }
  back: { speaks: beta.talk, url: "http://back.test", key: k }
routes:
  - { path: /alpha, protocol: alpha.chat, providers: [ one ] }
  - { path: /beta, protocol: beta.talk }
"#;
    let engine = crate::engine::testing::engine(rules);
    let reasons =
        |route: usize| engine.routes[route].left_out.iter().map(|it| it.1.as_str()).collect::<Vec<_>>();
    assert_eq!(reasons(0), ["the route does not name it", "the route does not name it"]);
    assert_eq!(reasons(1).len(), 2);
    assert!(reasons(1)[0].contains("no mapping"));
}

#[test]
fn a_record_stays_small_whatever_is_said() {
    let mut rules = String::from("failover:\n");
    for count in 0..200 {
        let text = format!("never {}", "é".repeat(1000));
        rules += &format!("  - {{ name: rule-{count}, when: {{ text: \"{text} {count}\" }}, do: next }}\n");
    }
    let mut world = world(&format!("{rules}  - {{ name: last, when: {{ status: 500 }}, do: next }}\n"));
    world.traces = false;
    world.replies("one", [Reply::status(500, "{}")]).replies("two", [Reply::ok(HELLO)]);
    world.send(ASK);
    let record = &mut world.decisions[0];
    let attempt = &record.attempts[0];
    assert_eq!((attempt.said.len(), attempt.unsaid), (64, 201 - 64));
    assert_eq!(attempt.said.last().map(|it| (it.rule.as_str(), it.fired)), Some(("last", true)));
    assert!(record.attempts[1].said.is_empty(), "nothing is written of what goes well");
    assert!(record.size() < 64 * 1024, "{}", record.size());
    record.keep_prompt(&vec![b'x'; 1 << 20].into());
    assert_eq!(record.prompt.as_ref().map(Bytes::len), Some(LONGEST_PROMPT));
}
