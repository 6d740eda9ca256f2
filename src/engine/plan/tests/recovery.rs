//! Requests at the same time: trials after a cool down, and who is least busy.

use super::*;
use crate::engine::health::Health;
use crate::engine::plan::{Attempt, Outcome, Plan, Step, Whole};
use http::HeaderMap;

const TWO: &str = r#"
providers:
  one: { speaks: alpha.chat, url: "http://one.test", key: k1, priority: 1 }
  two: { speaks: alpha.chat, url: "http://two.test", key: k2, priority: 1 }
routes: [ { path: /alpha, protocol: alpha.chat } ]
failover:
  - { name: broken, when: { status: 5xx }, do: next, cool_down: 10s }
"#;

fn begin(world: &World) -> Plan {
    Plan::begin(world.engine.clone(), world.incoming("/alpha", ASK)).unwrap()
}

/// The provider that the plan asks next.
fn asks(world: &mut World, plan: &mut Plan) -> String {
    match plan.next(&mut world.health, world.now) {
        Step::Send(attempt) => name(world, &attempt),
        other => panic!("{other:?}"),
    }
}

/// The provider that one more request asks.
fn asks_next(world: &mut World) -> String {
    let mut plan = begin(world);
    asks(world, &mut plan)
}

fn name(world: &World, attempt: &Attempt) -> String {
    world.engine.providers[attempt.provider].name.clone()
}

fn whole(status: u16) -> Outcome {
    let (raw, body) = (HELLO.into(), HELLO.into());
    Outcome::Whole(Whole { status, headers: HeaderMap::new(), raw, body, usage: Default::default() })
}

fn broken() -> Outcome {
    Outcome::Failed(Failure { status: Some(500), ..Failure::new(FailureKind::Status, "") })
}

#[test]
fn after_a_cool_down_one_request_tries_and_the_others_go_on_to_the_next() {
    let mut world = World::new(engine(TWO));
    world.replies("one", [Reply::status(500, "")]).replies("two", [Reply::ok(HELLO)]);
    world.send(ASK);
    world.now += 10_000;
    let (mut first, mut second) = (begin(&world), begin(&world));
    assert_eq!(asks(&mut world, &mut first), "one");
    assert_eq!(asks(&mut world, &mut second), "two");
    // The client of the trial leaves: another request may try.
    first.observe(Outcome::ClientGone, &mut world.health, world.now);
    let mut third = begin(&world);
    assert_eq!(asks(&mut world, &mut third), "one");
    assert_eq!(asks_next(&mut world), "two");
    third.observe(whole(200), &mut world.health, world.now);
    assert!(third.events().iter().any(|event| matches!(event, Event::Recovered { .. })));
    for _ in 0..3 {
        assert_eq!(asks_next(&mut world), "one");
    }
}

#[test]
fn a_trial_that_is_lost_blocks_nobody_for_ever() {
    let mut world = World::new(engine(TWO));
    world.limited("two", 3_600_000);
    world.replies("one", [Reply::status(500, "")]);
    world.send(ASK);
    world.now += 10_000;
    let mut lost = begin(&world);
    assert_eq!(asks(&mut world, &mut lost), "one");
    // Nobody else is left, so it is asked although it is being tried.
    assert_eq!(asks_next(&mut world), "one");
    world.health.recovered("two", world.now);
    assert_eq!(asks_next(&mut world), "two");
    world.now += 600_000;
    assert_eq!(asks_next(&mut world), "one");
}

#[test]
fn a_trial_that_fails_begins_the_next_cool_down_and_no_trial_at_all_lets_everybody_in() {
    let mut world = World::new(engine(TWO));
    world.replies("one", [Reply::status(500, "")]).replies("two", [Reply::ok(HELLO)]);
    world.send(ASK);
    world.now += 10_000;
    let mut trial = begin(&world);
    assert_eq!(asks(&mut world, &mut trial), "one");
    trial.observe(broken(), &mut world.health, world.now);
    assert_eq!(world.health.free_at("one", world.now), Some(world.now + 10_000));
    assert_eq!(asks(&mut world, &mut trial), "two");

    let mut world = World::new(engine(&format!("{TWO}recovery: {{ trials: 0 }}\n")));
    world.replies("one", [Reply::status(500, "")]).replies("two", [Reply::ok(HELLO)]);
    world.send(ASK);
    world.now += 10_000;
    for _ in 0..3 {
        assert_eq!(asks_next(&mut world), "one");
    }
}

#[test]
fn a_choice_by_hand_ends_by_itself() {
    let mut world = World::new(engine(TWO));
    let engine = world.engine.clone();
    let until = Some(START + 7_200_000);
    assert_eq!(world.health.switch_until(&engine, "two", until, START), Ok(("two".to_owned(), None)));
    assert_eq!(asks_next(&mut world), "two");
    world.now += 7_199_999;
    assert_eq!(asks_next(&mut world), "two");
    world.now += 1;
    assert_eq!(asks_next(&mut world), "one");
    assert_eq!(world.health.chosen(world.now), None);
}

#[test]
fn the_least_busy_provider_is_asked_whether_its_requests_end_or_are_dropped() {
    let mut world = World::new(engine(&format!("{TWO}spread: {{ by: least_busy }}\n")));
    let (mut first, mut second, mut third) = (begin(&world), begin(&world), begin(&world));
    let at = asks(&mut world, &mut first);
    let other = asks(&mut world, &mut second);
    assert_ne!(at, other);
    assert_eq!((world.health.under_way("one"), world.health.under_way("two")), (1, 1));
    second.observe(Outcome::ClientGone, &mut world.health, world.now);
    assert_eq!(asks(&mut world, &mut third), other);
    first.observe(whole(200), &mut world.health, world.now);
    assert_eq!(asks_next(&mut world), at);
    third.release(&mut world.health);
    third.release(&mut world.health);
    assert_eq!(world.health.under_way(&other), 0);
}

const COUNTING: &str = r#"
providers:
  one: { speaks: alpha.chat, url: "http://one.test", keys: [ k1, k2 ] }
  two: { speaks: alpha.chat, url: "http://two.test", key: k3 }
routes: [ { path: /alpha, protocol: alpha.chat } ]
failover:
  - { name: limit, when: { status: 429 }, do: next, cool_down: { until: [ $header.retry-after ], else: 10s, after: { in_a_row: 2 } } }
  - { name: lost, when: { failure: closed }, do: next, cool_down: { for: 10s, after: { failures: 3, within: 30s } } }
  - { name: broken, when: { status: 5xx }, do: next, cool_down: { for: 10s, after: { share: 50%, of: 6 } } }
  - { name: of-key, when: { status: 402 }, do: next, cool_down: { for: 10s, scope: key, after: { in_a_row: 2 } } }
  - { name: mistake, when: { status: 400 }, do: return }
"#;

/// Lets `one` answer so, one request after the other, a second apart; who of these began a cool down.
fn cooled(world: &mut World, replies: &[Reply]) -> Vec<bool> {
    let mut all = Vec::new();
    for reply in replies {
        world.replies("one", [reply.clone()]).replies("two", [Reply::ok(HELLO)]);
        let before = world.events.len();
        world.send(ASK);
        let began = world.events[before..].iter().any(|event| matches!(event, Event::CoolDown { .. }));
        all.push(began);
        world.now += 1_000;
    }
    all
}

#[test]
fn a_guess_needs_as_many_failures_as_the_rule_says() {
    let lost = || Reply::Fails(FailureKind::Closed);
    let limit = || Reply::status(429, "");
    let (ok, bad) = (Reply::ok(HELLO), Reply::status(500, ""));
    let fresh = || World::new(engine(COUNTING));
    let all = |replies: &[Reply]| cooled(&mut fresh(), replies);
    // In a row: a good answer begins it anew, and so does one that is the caller's own mistake.
    assert_eq!(
        all(&[limit(), ok.clone(), limit(), Reply::status(400, ""), limit(), limit()]),
        [false, false, false, false, false, true]
    );
    // What the answer states counts at once.
    assert_eq!(all(&[limit().with("retry-after", 7)]), [true]);
    // Of a time: whatever goes well in between.
    assert_eq!(all(&[lost(), ok.clone(), lost(), ok.clone(), lost()]), [false, false, false, false, true]);
    // Three of the last six.
    let mixed = [
        bad.clone(),
        bad.clone(),
        ok.clone(),
        ok.clone(),
        ok.clone(),
        ok.clone(),
        bad.clone(),
        bad.clone(),
        bad.clone(),
    ];
    assert_eq!(all(&mixed), [false, false, false, false, false, false, false, false, true]);
    // Different rules count for themselves.
    assert_eq!(all(&[lost(), limit(), lost(), bad.clone()]), [false; 4]);
    // What is older than the rule says counts no more.
    let mut world = fresh();
    cooled(&mut world, &[lost(), lost()]);
    world.now += 30_000;
    assert_eq!(cooled(&mut world, &[lost(), lost(), lost()]), [false, false, true]);
}

#[test]
fn how_far_it_is_stands_in_the_log_the_record_the_health_page_and_the_state_file() {
    let mut world = World::new(engine(COUNTING));
    let lost = || Reply::Fails(FailureKind::Closed);
    cooled(&mut world, &[lost(), lost()]);
    let mut said =
        world.events.iter().filter(|event| matches!(event, Event::Counted { .. })).map(ToString::to_string);
    assert_eq!(
        said.next_back().as_deref(),
        Some("one: 2 of 3 failures within 30s: no cool-down yet (rule lost)")
    );
    let page = world.decisions[1].to_json();
    assert_eq!(page["attempts"][0]["evidence"], "2 of 3 failures within 30s");
    let evidence =
        |world: &World| world.health.snapshot(&world.engine, world.now)["details"]["one"]["evidence"].clone();
    let (count, seen) = (serde_json::json!(2), "2 of 3 failures within 30s");
    assert_eq!((&evidence(&world)[0]["failures"], &evidence(&world)[0]["seen"]), (&count, &seen.into()));
    // A restart forgets nothing of it.
    let state = world.health.to_state();
    world.health = Health::from_state(&state).unwrap();
    world.health.adopt(&world.engine.clone());
    assert_eq!(evidence(&world)[0]["failures"], 2);
    assert_eq!(cooled(&mut world, &[lost()]), [true]);
    assert_eq!(evidence(&world), serde_json::Value::Null);
    let from = world.decisions[2].to_json()["attempts"][0]["cool_down_from"].clone();
    assert_eq!(from, "3 of 3 failures within 30s; `for` says 10s");
}

#[test]
fn a_trial_that_fails_needs_no_second_failure_and_a_cleared_provider_begins_anew() {
    let lost = || Reply::Fails(FailureKind::Closed);
    let mut world = World::new(engine(COUNTING));
    assert_eq!(cooled(&mut world, &[lost(), lost(), lost()]), [false, false, true]);
    world.now += 10_000;
    assert_eq!(cooled(&mut world, &[lost()]), [true]);
    world.now += 10_000;
    assert_eq!(cooled(&mut world, &[Reply::ok(HELLO), lost(), lost()]), [false, false, false]);
    world.health.recovered("one", world.now);
    assert_eq!(cooled(&mut world, &[lost(), lost(), lost()]), [false, false, true]);
}

#[test]
fn failures_of_one_key_are_not_those_of_another() {
    let mut world = World::new(engine(COUNTING));
    let unpaid = || Reply::status(402, "");
    world
        .replies("one", [unpaid(), unpaid(), unpaid(), unpaid()])
        .replies("two", [Reply::ok(HELLO), Reply::ok(HELLO)]);
    world.send(ASK);
    assert_eq!(world.health.standing("one", world.now), Standing::Available);
    world.send(ASK);
    assert_eq!(world.health.standing("one", world.now), Standing::Cooling);
}
