//! Three providers that fail at random, with the shipped rules: how many requests fail, beside what chance would do.

use std::time::{Duration, Instant};

use super::caller::{Door, End, Wish, call};
use super::measure::Tally;
use super::provider::{self, Fault, Faults};
use crate::support::{Router, Settings};

/// By how much more requests may fail than with three independent tries.
const GOAL: f64 = 1.5;

/// Each kind of trouble with so many requests.
pub async fn run(requests: usize) {
    let kinds = [
        ("2 % of connections closed", 20, Fault::Closed),
        ("20 % of connections closed", 200, Fault::Closed),
        ("20 % HTTP 500", 200, Fault::Status(500)),
    ];
    let mut above = Vec::new();
    for (name, share, fault) in kinds {
        let mut providers = Vec::new();
        for seed in 1..4 {
            providers.push(provider::start(Faults(vec![(share, fault)]), seed, Duration::ZERO).await);
        }
        let settings = Settings { log: "info", ..Settings::shipped() }
            .env("RULEGATE_KEY", super::mixed::KEY)
            .env("CLAUDE_API_KEY", "k1")
            .env("CLAUDE_BASE_URL", providers[0].url())
            .env("DEEPSEEK_API_KEY", "k2")
            .env("DEEPSEEK_BASE_URL", providers[1].url())
            .env("KIMI_API_KEY", "k3")
            .env("KIMI_BASE_URL", providers[2].url());
        let router = Router::with(settings).await;
        let (client, mut tally, mut kept) = (router.client(), Tally::default(), None);
        let begin = Instant::now();
        let mut failed = 0;
        for request in 0..requests {
            let mut wish = Wish::stream(Door::Messages, 5);
            wish.stream = request % 2 == 0;
            match call(&client, &mut kept, &wish, &format!("r{request}")).await {
                End::Good => tally.count("as they should"),
                end => {
                    failed += 1;
                    tally.count(&format!("{end:?}"));
                }
            }
        }
        let chance = (share as f64 / 1000.0).powi(3);
        let had = failed as f64 / requests as f64;
        println!(
            "\n{name}: {:.2} % failed, {:.4} % by chance ({:.0} s)",
            had * 100.0,
            chance * 100.0,
            begin.elapsed().as_secs_f64()
        );
        tally.print();
        // Where chance lets less than one request fail, one may.
        if had > GOAL * chance + 1.0 / requests as f64 {
            above.push(name);
        }
    }
    assert!(above.is_empty(), "more requests failed than three tries explain: {above:?}");
}
