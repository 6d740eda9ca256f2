//! Three providers that fail now and then, on real sockets, under the shipped rules.

use crate::support::rules::{ask, completion, message};
use crate::support::{Reply, Router, Settings, Upstream};

/// How many requests are sent, one after the other by each of the clients.
const REQUESTS: usize = 40;
const CLIENTS: usize = 4;

/// An upstream of which every fifth request, beginning with `first`, goes wrong.
async fn shaky(good: Reply, bad: impl Fn(usize) -> Reply, first: usize) -> Upstream {
    let upstream = Upstream::always(good.clone()).await;
    for number in 0..3 * REQUESTS * CLIENTS {
        upstream.then(if number % 5 == first { bad(number) } else { good.clone() });
    }
    upstream
}

#[tokio::test]
async fn three_providers_that_fail_a_fifth_of_the_time_answer_all_the_same() {
    let mixed = |number: usize| match number % 3 {
        0 => Reply::closed(),
        1 => Reply::reset_at_once(),
        _ => {
            Reply::status(200).header("content-type", "application/json").body("{").declared_length(99).cut()
        }
    };
    let claude = shaky(message("from claude"), mixed, 0).await;
    let deepseek = shaky(completion("from deepseek"), mixed, 1).await;
    let kimi = shaky(completion("from kimi"), mixed, 2).await;
    let settings = Settings::shipped()
        .env("CLAUDE_BASE_URL", claude.url())
        .env("DEEPSEEK_BASE_URL", deepseek.url())
        .env("KIMI_BASE_URL", kimi.url())
        .env("CLAUDE_API_KEY", "k")
        .env("DEEPSEEK_API_KEY", "k")
        .env("KIMI_API_KEY", "k");
    let router = Router::with(settings).await;
    let mut clients = tokio::task::JoinSet::new();
    for _ in 0..CLIENTS {
        let client = router.client();
        clients.spawn(async move {
            let mut failed = 0;
            for _ in 0..REQUESTS {
                failed += usize::from(client.post("/v1/messages", ask()).await.status != 200);
            }
            failed
        });
    }
    let failed: usize = clients.join_all().await.into_iter().sum();
    // By chance 1.3 of 160 would, and 1.5 times as many may; the rest is for the order in which they come.
    assert!(failed <= 6, "{failed} of {} requests failed\n{}", REQUESTS * CLIENTS, router.log());
    assert!(claude.count() > REQUESTS * CLIENTS / 2, "the first choice stays in use: {}", claude.count());
}
