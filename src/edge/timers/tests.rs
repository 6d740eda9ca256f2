//! Which moment comes first, in time that only the tests move.

use super::*;
use tokio::time::{advance, timeout};

fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn timers(hold: Option<Duration>) -> Timers {
    let limits =
        Timeouts { connect: s(1), first_byte: s(10), first_content: s(20), idle: s(5), total: s(60) };
    Timers::begin(limits, hold)
}

/// What comes next, and how many seconds from now.
async fn next(timers: &mut Timers) -> (String, u64) {
    let before = Instant::now();
    let alarm = timeout(s(100), timers.alarm()).await.unwrap();
    let name = match alarm {
        Alarm::Failed(failure) => failure.kind.name().to_owned(),
        other => format!("{other:?}"),
    };
    (name, before.elapsed().as_secs())
}

fn at(name: &str, seconds: u64) -> (String, u64) {
    (name.to_owned(), seconds)
}

#[tokio::test(start_paused = true)]
async fn the_phase_says_which_limit_counts() {
    let mut t = timers(None);
    assert_eq!(next(&mut t).await, at("first_byte_timeout", 10));
    let mut t = timers(None);
    t.read(Phase::Content, None);
    assert_eq!(next(&mut t).await, at("idle_timeout", 5));
    let mut t = timers(None);
    t.read(Phase::Idle, None);
    assert_eq!(next(&mut t).await, at("idle_timeout", 5));
}

#[tokio::test(start_paused = true)]
async fn signs_of_life_without_content_do_not_help_for_ever() {
    let mut t = timers(None);
    for _ in 0..6 {
        t.read(Phase::Content, None);
        advance(s(3)).await;
    }
    t.read(Phase::Content, None);
    assert_eq!(next(&mut t).await, at("first_content_timeout", 2));
}

#[tokio::test(start_paused = true)]
async fn the_whole_is_limited_too() {
    let mut t = timers(None);
    for _ in 0..14 {
        t.read(Phase::Idle, None);
        advance(s(4)).await;
    }
    t.read(Phase::Idle, None);
    assert_eq!(next(&mut t).await, at("total_timeout", 4));
}

/// b.2.7: what the router sends by itself says nothing of the provider.
#[tokio::test(start_paused = true)]
async fn own_pings_are_no_life_of_the_provider() {
    let mut t = timers(None);
    t.read(Phase::Idle, None);
    t.gave(s(2));
    assert_eq!(next(&mut t).await, at("Ping", 2));
    t.gave(s(2));
    assert_eq!(next(&mut t).await, at("Ping", 2));
    assert_eq!(next(&mut t).await, at("idle_timeout", 1));
}

#[tokio::test(start_paused = true)]
async fn pings_wait_for_silence() {
    let mut t = timers(None);
    for _ in 0..5 {
        t.read(Phase::Idle, None);
        t.gave(s(2));
        advance(s(1)).await;
    }
    assert_eq!(next(&mut t).await, at("Ping", 1));
}

#[tokio::test(start_paused = true)]
async fn the_gate_counts_from_the_first_byte_and_opens_once() {
    let mut t = timers(Some(s(3)));
    advance(s(4)).await;
    t.read(Phase::Content, None);
    advance(s(2)).await;
    t.read(Phase::Content, None);
    assert_eq!(next(&mut t).await, at("Gate", 1));
    assert_eq!(next(&mut t).await, at("idle_timeout", 4));
    let mut t = timers(Some(s(3)));
    t.read(Phase::Idle, None);
    t.released();
    assert_eq!(next(&mut t).await, at("idle_timeout", 5));
}

/// b.2.5: the grace timer.
#[tokio::test(start_paused = true)]
async fn silence_is_looked_at_once_and_again_after_the_next_read() {
    let mut t = timers(None);
    t.read(Phase::Idle, Some(s(2)));
    assert_eq!(next(&mut t).await, at("Quiet", 2));
    t.read(Phase::Idle, Some(s(2)));
    assert_eq!(next(&mut t).await, at("Quiet", 2));
    assert_eq!(next(&mut t).await, at("idle_timeout", 3));
}
