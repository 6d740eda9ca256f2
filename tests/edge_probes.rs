//! Probes: a provider that is down is asked on its schedule, and comes back when it answers well.

use std::time::Duration;

use rulegate::edge::clock::Clock;
use serde_json::Value;

use crate::support::{Reply, Serving, Time, Upstream};

const REQUEST: &str = r#"{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"hi"}]}"#;
const MESSAGE: &str =
    r#"{"id":"msg_1","type":"message","role":"assistant","content":[{"type":"text","text":"x"}]}"#;

fn rules(first: &str, second: &str, health: &str) -> String {
    format!(
        "include: [ \"builtin:protocols/anthropic.messages.yaml\" ]
providers:
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

/// How often a test looks at the health page before it gives up.
const MOST_LOOKS: usize = 2_000;

/// 2025-11-23 10:00:30 UTC.
const HALF_PAST: i64 = 1_763_892_030_000;

/// A router at 30 seconds past ten, with all the time in the test's hands.
struct Scene {
    first: Upstream,
    second: Upstream,
    router: Serving,
    time: Time,
}

impl Scene {
    /// The first provider answers this status, the second answers well.
    async fn set(status: u16, health: &str) -> Scene {
        let time = Time::hold();
        let first = Upstream::always(Reply::json(status, "{}")).await;
        let second = Upstream::always(Reply::json(200, MESSAGE)).await;
        let rules = rules(&first.url(), &second.url(), health);
        let router = Serving::with(&rules, |options| {
            options.clock = Clock::timer(HALF_PAST);
            options.follow = false;
        });
        let router = router.await.unwrap_or_else(|error| panic!("{error}"));
        Scene { first, second, router, time }
    }

    async fn ask(&self) -> Option<String> {
        let answer = self.router.client().post("/v1/messages", REQUEST).await;
        answer.header("x-rulegate-provider").map(str::to_owned)
    }

    async fn details(&self) -> Value {
        self.router.client().get("/v1/health").await.json()["details"]["first"].clone()
    }

    async fn standing(&self) -> String {
        self.details().await["status"].as_str().unwrap_or_default().to_owned()
    }

    /// Lets time pass, and waits until the first provider has been asked so often and its answer judged.
    async fn until_asked(&self, seconds: u64, times: usize) {
        self.time.pass(Duration::from_secs(seconds)).await;
        self.first.request(times).await;
        let judged = |details: &Value| {
            details["attempts"] == times && details["last_probe"].as_str() >= Some(&self.now())
        };
        for _ in 0..MOST_LOOKS {
            if judged(&self.details().await) {
                return;
            }
        }
        panic!("the probe's answer was never judged: {}", self.details().await);
    }

    /// The latest moment at which a probe can have begun, a minute given, as the health page writes it.
    fn now(&self) -> String {
        let now = self.router.running.router().world().clock.now();
        rulegate::text::units::instant_text(now - 60_000)
    }
}

#[tokio::test(start_paused = true)]
async fn a_cool_down_ends_with_no_fewer_good_probes_than_the_rules_want() {
    let scene = Scene::set(429, "every: 10m, recovered_after: 2").await;
    assert_eq!(scene.ask().await.as_deref(), Some("second"));
    scene.first.afterwards(Reply::json(200, MESSAGE));
    scene.until_asked(600, 2).await;
    assert_eq!(scene.standing().await, "cooling", "once is not enough");
    scene.until_asked(600, 3).await;
    assert_eq!(scene.standing().await, "available");

    let scene = Scene::set(429, "every: 10m, recovered_when: { $.content: { is: absent } }").await;
    assert_eq!(scene.ask().await.as_deref(), Some("second"));
    scene.first.afterwards(Reply::json(200, MESSAGE));
    scene.until_asked(600, 2).await;
    assert_eq!(scene.standing().await, "cooling", "that is not the answer that the rules want");
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_is_down_is_asked_until_it_is_well_and_is_then_the_first_choice_again() {
    let scene = Scene::set(529, "every: 30m, recovered_after: 2").await;
    assert_eq!(scene.ask().await.as_deref(), Some("second"));
    assert_eq!(scene.standing().await, "down");
    scene.until_asked(30 * 60, 2).await;
    assert_eq!(scene.first.request(2).await.json()["model"], "small");
    assert_eq!(scene.standing().await, "down", "a probe that fails changes nothing");
    scene.first.afterwards(Reply::json(200, MESSAGE));
    scene.until_asked(30 * 60, 3).await;
    assert_eq!(scene.standing().await, "down", "once is not enough");
    scene.until_asked(30 * 60, 4).await;
    assert_eq!(scene.standing().await, "available");
    assert_eq!(scene.ask().await.as_deref(), Some("first"));
    for _ in 0..8 {
        scene.time.pass(Duration::from_secs(3600)).await;
        assert_eq!(scene.standing().await, "available");
    }
    assert_eq!(scene.first.count(), 5, "who is well is left alone");
    assert!(
        scene.second.received().iter().all(|sent| sent.json()["model"] != "small"),
        "nobody else is probed"
    );
}

#[tokio::test(start_paused = true)]
async fn a_cron_expression_says_when_and_a_good_answer_ends_a_cool_down_early() {
    let scene = Scene::set(429, "schedule: \"15 * * * *\", time_zone: Europe/Berlin").await;
    assert_eq!(scene.ask().await.as_deref(), Some("second"));
    scene.first.afterwards(Reply::json(200, MESSAGE));
    scene.time.pass(Duration::from_secs(14 * 60 + 20)).await;
    assert_eq!((scene.standing().await.as_str(), scene.first.count()), ("cooling", 1));
    scene.until_asked(20, 2).await;
    assert_eq!(scene.standing().await, "available");
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_gets_no_answer_gives_up_and_comes_again() {
    let scene = Scene::set(529, "every: 1m, timeout: 5s").await;
    assert_eq!(scene.ask().await.as_deref(), Some("second"));
    let never = crate::support::Gate::new();
    scene.first.afterwards(Reply::json(200, MESSAGE).after(&never));
    scene.time.pass(Duration::from_secs(60)).await;
    let probe = scene.first.request(2).await;
    scene.time.pass(Duration::from_secs(5)).await;
    probe.hung_up().await;
    scene.first.afterwards(Reply::json(200, MESSAGE));
    scene.until_asked(60, 3).await;
    assert_eq!(scene.standing().await, "available");
}

#[tokio::test(start_paused = true)]
async fn new_rules_bring_their_own_schedule() {
    let scene = Scene::set(529, "every: 8h").await;
    assert_eq!(scene.ask().await.as_deref(), Some("second"));
    scene.first.afterwards(Reply::json(200, MESSAGE));
    let often = rules(&scene.first.url(), &scene.second.url(), "every: 10s");
    scene.router.folder.replace("rules.yaml", &often);
    assert_eq!(scene.router.client().post("/-/reload", "").await.status, 200);
    scene.until_asked(10, 2).await;
    assert_eq!(scene.standing().await, "available");
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_is_set_ends_no_cool_down_and_stops_no_probe() {
    for by in [-86_400_000, 86_400_000] {
        let scene = Scene::set(429, "every: 20m").await;
        let world = scene.router.running.router().world().clone();
        assert_eq!(scene.ask().await.as_deref(), Some("second"));
        scene.time.pass(Duration::from_secs(600)).await;
        let before = world.clock.now();
        world.clock.set_by(by);
        scene.time.pass(Duration::from_secs(1)).await;
        world.keep_time();
        assert_eq!(world.clock.now(), before + by + 1_000);
        let until = rulegate::text::units::instant_text(before + by + 3_000_000);
        let details = scene.details().await;
        assert_eq!((&details["status"], &details["until"]), (&"cooling".into(), &until.into()));
        assert_eq!(scene.ask().await.as_deref(), Some("second"));
        // The probe notices it when it looks next, and begins anew from there.
        scene.first.afterwards(Reply::json(200, MESSAGE));
        scene.time.pass(Duration::from_secs(31)).await;
        scene.ask().await;
        scene.until_asked(20 * 60, 2).await;
        assert_eq!(scene.standing().await, "available");
    }
}
