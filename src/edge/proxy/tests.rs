//! What a request does with what all requests share.

use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use http::HeaderMap;

use super::*;
use crate::engine::plan::{Event, Whole};
use crate::engine::testing;
use crate::engine::usage::Usage;

/// A request that has been sent, and waits for its answer.
fn waiting() -> Life {
    let rules =
        testing::world("failover: [ { name: no-more, when: { status: 200, $.answer: no more }, do: next } ]");
    let plan = Plan::begin(rules.engine.clone(), rules.incoming("/alpha", r#"{"model":"m"}"#)).ok().unwrap();
    let mut life = Life::new(Arc::new(World::default()), &rules.engine, "an-id".to_owned(), plan);
    assert!(matches!(life.next(), Step::Send(_)));
    life
}

fn fired(events: &[Event]) -> usize {
    events.iter().filter(|event| matches!(event, Event::Fired { rule, .. } if rule == "no-more")).count()
}

#[test]
fn rules_read_a_good_answer_while_others_have_the_health() {
    let mut life = waiting();
    let body = Bytes::from(format!(r#"{{"answer":"no more","filler":"{}"}}"#, "x".repeat(100_000)));
    let (headers, usage) = (HeaderMap::new(), Usage::default());
    let mut outcome = Outcome::Whole(Whole { status: 200, headers, raw: body.clone(), body, usage });
    let (sender, receiver) = channel();
    let world = life.world.clone();
    let held = world.stores.health();
    thread::spawn(move || {
        life.look_at(&mut outcome);
        sender.send((life, outcome)).ok().unwrap();
    });
    let read = receiver.recv_timeout(Duration::from_secs(60));
    let (mut life, outcome) = read.unwrap_or_else(|_| panic!("the rules wait for the health"));
    assert_eq!(fired(&life.plan.events()), 1, "the rules have read the answer");
    drop(held);
    // What is left to do with the health in hand is no more reading.
    life.with_health(|plan, health, now| plan.observe(outcome, health, now));
    assert_eq!(fired(&life.plan.events()), 0, "they do not read it again");
    assert!(matches!(life.next(), Step::Send(_)), "and what they said counts");
}
