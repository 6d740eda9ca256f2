//! Requests at the same time: trials after a cool down, and who is least busy.

use super::*;
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
    Outcome::Whole(Whole { status, headers: HeaderMap::new(), raw, body })
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
    world.health.cool_down("two", START + 3_600_000, "long", START);
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
    assert_eq!(world.health.switch_until(&engine, "two", until, START), Ok("two".to_owned()));
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
