//! Which moment comes first, in time that only the tests move.

use super::*;
use tokio::time::{advance, timeout};

fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn timers(hold: Option<Duration>) -> Timers {
    let limits = Timeouts {
        connect: s(1),
        first_byte: s(10),
        first_content: s(20),
        idle: s(5),
        whole: s(40),
        total: s(60),
    };
    Timers::begin(limits, Awaits::FirstByte, hold)
}

/// Of an attempt that asks for a whole answer.
fn whole() -> Timers {
    Timers::begin(timers(None).limits, Awaits::Whole, None)
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
    t.read(Awaits::Content, None);
    assert_eq!(next(&mut t).await, at("idle_timeout", 5));
    let mut t = timers(None);
    t.read(Awaits::More, None);
    assert_eq!(next(&mut t).await, at("idle_timeout", 5));
}

#[tokio::test(start_paused = true)]
async fn signs_of_life_without_content_do_not_help_for_ever() {
    let mut t = timers(None);
    for _ in 0..6 {
        t.read(Awaits::Content, None);
        advance(s(3)).await;
    }
    t.read(Awaits::Content, None);
    assert_eq!(next(&mut t).await, at("first_content_timeout", 2));
}

#[tokio::test(start_paused = true)]
async fn the_whole_is_limited_too() {
    let mut t = timers(None);
    for _ in 0..14 {
        t.read(Awaits::More, None);
        advance(s(4)).await;
    }
    t.read(Awaits::More, None);
    assert_eq!(next(&mut t).await, at("total_timeout", 4));
}

#[tokio::test(start_paused = true)]
async fn a_whole_answer_has_a_time_of_its_own_until_it_is_complete() {
    let mut t = whole();
    assert_eq!(next(&mut t).await, at("whole_timeout", 40));
    // The head at once, and white space for as long as it takes.
    let mut t = whole();
    t.head(Awaits::Whole);
    for _ in 0..3 {
        advance(s(12)).await;
        t.read(Awaits::Whole, None);
    }
    assert_eq!(next(&mut t).await, at("whole_timeout", 4));
    // Neither longer than the attempt nor, where both are over at once, in its name.
    let limits = Timeouts { whole: s(60), ..whole().limits };
    assert_eq!(next(&mut Timers::begin(limits, Awaits::Whole, None)).await, at("whole_timeout", 60));
    let limits = Timeouts { total: s(30), ..limits };
    assert_eq!(next(&mut Timers::begin(limits, Awaits::Whole, None)).await, at("total_timeout", 30));
}

#[tokio::test(start_paused = true)]
async fn what_is_no_whole_answer_after_all_has_the_time_of_a_stream() {
    let mut t = whole();
    advance(s(30)).await;
    t.head(Awaits::Content);
    assert_eq!(next(&mut t).await, at("idle_timeout", 5));
    let mut t = whole();
    t.head(Awaits::Whole);
    for _ in 0..12 {
        advance(s(4)).await;
        t.read(Awaits::More, None);
    }
    assert_eq!(next(&mut t).await, at("idle_timeout", 5));
    // The head alone changes nothing for a stream.
    let mut t = timers(None);
    advance(s(8)).await;
    t.head(Awaits::Content);
    assert_eq!(next(&mut t).await, at("first_byte_timeout", 2));
}

#[tokio::test(start_paused = true)]
async fn content_that_is_held_back_leaves_only_the_silence_limited() {
    let mut t = timers(None);
    t.read(Awaits::Content, None);
    for _ in 0..10 {
        advance(s(4)).await;
        t.read(Awaits::More, None);
    }
    assert_eq!(next(&mut t).await, at("idle_timeout", 5));
}

/// b.2.7: what the router sends by itself says nothing of the provider.
#[tokio::test(start_paused = true)]
async fn own_pings_are_no_life_of_the_provider() {
    let mut t = timers(None);
    t.read(Awaits::More, None);
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
        t.read(Awaits::More, None);
        t.gave(s(2));
        advance(s(1)).await;
    }
    assert_eq!(next(&mut t).await, at("Ping", 1));
}

#[tokio::test(start_paused = true)]
async fn the_gate_counts_from_the_first_content_and_opens_once() {
    let mut t = timers(Some(s(3)));
    t.read(Awaits::Content, None);
    assert_eq!(next(&mut t).await, at("idle_timeout", 5), "without content there is nothing to let through");
    let mut t = timers(Some(s(3)));
    advance(s(4)).await;
    t.read(Awaits::Content, None);
    advance(s(4)).await;
    t.read(Awaits::More, None);
    advance(s(2)).await;
    t.read(Awaits::More, None);
    assert_eq!(next(&mut t).await, at("Gate", 1));
    assert_eq!(next(&mut t).await, at("idle_timeout", 4));
    let mut t = timers(Some(s(3)));
    t.read(Awaits::More, None);
    t.released();
    assert_eq!(next(&mut t).await, at("idle_timeout", 5));
}

/// b.2.5: the grace timer.
#[tokio::test(start_paused = true)]
async fn silence_is_looked_at_once_and_again_after_the_next_read() {
    let mut t = timers(None);
    t.read(Awaits::More, Some(s(2)));
    assert_eq!(next(&mut t).await, at("Quiet", 2));
    t.read(Awaits::More, Some(s(2)));
    assert_eq!(next(&mut t).await, at("Quiet", 2));
    assert_eq!(next(&mut t).await, at("idle_timeout", 3));
}
