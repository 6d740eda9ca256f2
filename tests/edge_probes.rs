//! Probes: a provider that is down is asked on its schedule, and comes back when it answers well. In virtual
//! time: the clock only moves while nothing else does, so that an hour is as short as a second.

use std::time::Duration;

use rulegate::edge::clock::Clock;
use tokio::time::sleep;

use crate::support::{Reply, Serving, Upstream};

const REQUEST: &str = r#"{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"hi"}]}"#;
const MESSAGE: &str =
    r#"{"id":"msg_1","type":"message","role":"assistant","content":[{"type":"text","text":"x"}]}"#;

fn rules(first: &str, second: &str, health: &str) -> String {
    format!(
        "providers:
  first: {{ speaks: anthropic.messages, url: {first}, key: k }}
  second: {{ speaks: anthropic.messages, url: {second}, key: k }}
routes:
  - {{ path: /v1/messages, protocol: anthropic.messages }}
failover:
  - {{ name: dead, when: {{ status: 5xx }}, do: next, down: until_probed }}
  - {{ name: busy, when: {{ status: 429 }}, do: next, cool_down: 1h }}
health:
  - {{ provider: first, when_down_only: true, request: {{ model: small, max_tokens: 1, messages: [] }}, {health} }}
"
    )
}

async fn ask(router: &Serving) -> Option<String> {
    let answer = router.client().post("/v1/messages", REQUEST).await;
    answer.header("x-rulegate-provider").map(str::to_owned)
}

async fn standing(router: &Serving, provider: &str) -> String {
    let page = router.client().get("/v1/health").await.json();
    page["providers"][provider].as_str().unwrap_or_default().to_owned()
}

/// 2025-11-23 10:00:30 UTC.
const HALF_PAST: i64 = 1_763_892_030_000;

async fn start(rules: &str) -> Serving {
    let router = Serving::with(rules, |options| {
        options.clock = Clock::timer(HALF_PAST);
        options.follow = false;
    });
    router.await.unwrap_or_else(|error| panic!("{error}"))
}

async fn seconds(seconds: u64) {
    sleep(Duration::from_secs(seconds)).await;
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_is_down_is_asked_until_it_is_well_and_is_then_the_first_choice_again() {
    let first = Upstream::always(Reply::json(529, "{}")).await;
    let second = Upstream::always(Reply::json(200, MESSAGE)).await;
    let router = start(&rules(&first.url(), &second.url(), "every: 30m, recovered_after: 2")).await;
    assert_eq!(ask(&router).await.as_deref(), Some("second"));
    assert_eq!(standing(&router, "first").await, "down");
    seconds(31 * 60).await;
    let probe = first.request(2).await;
    assert_eq!(probe.json()["model"], "small");
    assert_eq!(standing(&router, "first").await, "down", "a probe that fails changes nothing");
    first.afterwards(Reply::json(200, MESSAGE));
    seconds(30 * 60).await;
    assert_eq!(
        (first.count(), standing(&router, "first").await),
        (3, "down".to_owned()),
        "once is not enough"
    );
    seconds(30 * 60).await;
    assert_eq!((first.count(), standing(&router, "first").await), (4, "available".to_owned()));
    assert_eq!(ask(&router).await.as_deref(), Some("first"));
    seconds(8 * 3600).await;
    assert_eq!(first.count(), 5, "who is well is left alone");
    assert!(second.received().iter().all(|sent| sent.json()["model"] != "small"), "nobody else is probed");
}

#[tokio::test(start_paused = true)]
async fn a_cron_expression_says_when_and_a_good_answer_ends_a_cool_down_early() {
    let first = Upstream::always(Reply::json(429, "{}")).await;
    let second = Upstream::always(Reply::json(200, MESSAGE)).await;
    let health = "schedule: \"15 * * * *\", time_zone: Europe/Berlin";
    let router = start(&rules(&first.url(), &second.url(), health)).await;
    assert_eq!(ask(&router).await.as_deref(), Some("second"));
    first.afterwards(Reply::json(200, MESSAGE));
    seconds(14 * 60 + 20).await;
    assert_eq!((first.count(), standing(&router, "first").await), (1, "cooling".to_owned()));
    seconds(20).await;
    assert_eq!((first.count(), standing(&router, "first").await), (2, "available".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_gets_no_answer_gives_up_and_comes_again() {
    let first = Upstream::always(Reply::json(529, "{}")).await;
    let second = Upstream::always(Reply::json(200, MESSAGE)).await;
    let router = start(&rules(&first.url(), &second.url(), "every: 1m, timeout: 5s")).await;
    assert_eq!(ask(&router).await.as_deref(), Some("second"));
    let never = crate::support::Gate::new();
    first.afterwards(Reply::json(200, MESSAGE).after(&never));
    seconds(61).await;
    let probe = first.request(2).await;
    probe.hung_up().await;
    seconds(66).await;
    assert_eq!((first.count(), standing(&router, "first").await), (3, "down".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn new_rules_bring_their_own_schedule() {
    let first = Upstream::always(Reply::json(529, "{}")).await;
    let second = Upstream::always(Reply::json(200, MESSAGE)).await;
    let with = |every: &str| rules(&first.url(), &second.url(), every);
    let router = start(&with("every: 8h")).await;
    assert_eq!(ask(&router).await.as_deref(), Some("second"));
    first.afterwards(Reply::json(200, MESSAGE));
    router.folder.replace("rules.yaml", &with("every: 10s"));
    assert_eq!(router.client().post("/-/reload", "").await.status, 200);
    seconds(11).await;
    assert_eq!(standing(&router, "first").await, "available");
}
