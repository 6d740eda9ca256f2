//! Hours of bad days, and the figures of docs/reliability.md again: ignored unless asked for, since they take long.
//!
//! `just soak 10m` runs the mixed traffic for ten minutes; `just figures` the three others. `RULEGATE_PROGRAM` names
//! another program than the one that was built with the tests.

mod caller;
mod kills;
mod measure;
mod mixed;
mod provider;
mod reloads;
mod shaky;

use std::time::Duration;

/// A number from the environment.
fn number(name: &str, otherwise: usize) -> usize {
    std::env::var(name).map_or(otherwise, |text| text.parse().unwrap_or_else(|_| panic!("{name}={text}")))
}

/// How long the mixed traffic lasts: `RULEGATE_SOAK`, such as `90s`, `10m` or `8h`.
fn duration() -> Duration {
    let text = std::env::var("RULEGATE_SOAK").unwrap_or_else(|_| "1m".to_owned());
    rulegate::text::units::duration(&text).unwrap_or_else(|_| panic!("RULEGATE_SOAK={text} is no duration"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes as long as RULEGATE_SOAK says"]
async fn mixed_traffic() {
    mixed::run(duration()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes minutes"]
async fn ten_thousand_reloads_under_32_streams_lose_nothing() {
    reloads::run(number("RULEGATE_RELOADS", 10_000), 32).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes minutes"]
async fn killing_it_a_hundred_times_loses_nothing() {
    kills::run(number("RULEGATE_KILLS", 100)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes minutes"]
async fn shaky_providers_fail_hardly_more_often_than_chance() {
    shaky::run(number("RULEGATE_REQUESTS", 2000)).await;
}
