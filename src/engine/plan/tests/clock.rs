//! The machine's clock is set: what lasts for some time lasts as long as it would have, and what the calendar says holds.

use super::*;
use crate::engine::plan::{Outcome, Plan, Step};

const DAY: Ms = 86_400_000;

/// Sets the clock.
fn step(world: &mut World, by: Ms) {
    world.health.move_lengths(by);
    world.now += by;
}

#[test]
fn a_cool_down_that_an_answer_gives_a_length_keeps_it_and_one_that_ends_at_a_moment_ends_then() {
    let reset = START / 1000 + 3 * 3600;
    let limit = |text: &str| Reply::status(429, &format!("limit reached|{text}"));
    for by in [DAY, -DAY] {
        let mut world = world(RULES);
        world.replies("one", [limit(&reset.to_string())]);
        // The body's time is long over, so the header is what counts.
        world.replies("two", [limit("1000000000").with("retry-after", 600)]);
        // More than the rule allows: that is a length again.
        let far = START / 1000 + 90 * 86_400;
        world.replies(
            "three",
            [Reply::status(429, &format!(r#"{{"oops":{{"text":"limit reached|{far}"}}}}"#))],
        );
        world.send(ASK);
        assert_eq!(world.asked(), ["one", "two", "three"]);
        let began = world.now;
        step(&mut world, by);
        let free_at = |name: &str| world.health.free_at(name, world.now);
        assert_eq!(free_at("one"), (by < 0).then_some(reset * 1000));
        assert_eq!(free_at("two"), Some(began + by + 600_000));
        assert_eq!(free_at("three"), Some(began + by + 8 * DAY));
    }
}

#[test]
fn a_request_that_waits_for_its_retry_waits_no_longer_and_its_deadline_is_no_nearer() {
    let rules = r#"
providers: { one: { speaks: alpha.chat, url: "http://one.test", key: k } }
routes: [ { path: /alpha, protocol: alpha.chat, deadline: 20s } ]
failover: [ { name: busy, when: { status: 503 }, do: { retry: 1, backoff: 8s, then: next } } ]
"#;
    for by in [DAY, -DAY] {
        let mut world = World::new(engine(rules));
        let mut plan = Plan::begin(world.engine.clone(), world.incoming("/alpha", ASK)).unwrap();
        let Step::Send(_) = plan.next(&mut world.health, world.now) else { panic!("nobody is asked") };
        world.now += 1_000;
        let busy = Failure { status: Some(503), ..Failure::new(FailureKind::Status, "") };
        plan.observe(Outcome::Failed(busy), &mut world.health, world.now);
        let Step::Wait(until) = plan.next(&mut world.health, world.now) else { panic!("it does not wait") };
        step(&mut world, by);
        plan.move_times(by);
        let Step::Wait(moved) = plan.next(&mut world.health, world.now) else { panic!("it does not wait") };
        assert_eq!(moved, until + by);
        world.now = moved;
        let Step::Send(attempt) = plan.next(&mut world.health, world.now) else { panic!("nobody is asked") };
        let left = 20_000 - (moved - START - by);
        assert_eq!(attempt.request.timeouts.total.as_millis(), u128::try_from(left).unwrap());
        plan.release(&mut world.health);
        assert_eq!(world.health.under_way("one"), 0);
    }
}
