//! Thousands of reloads, each fourth of broken rules, while streams flow: none is lost, none is cut.

use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use super::caller::{Door, Wish, call};
use super::measure::{Tally, descriptors, resident};
use super::provider::{self, Faults};
use crate::support::rules::BASE;
use crate::support::{Router, Settings, Upstream};

fn rules(upstream: &Upstream, version: usize) -> String {
    let url = upstream.url();
    format!(
        "{BASE}  - {{ path: /v1/chat/completions, protocol: openai.chat }}
access: {{ keys: [ {} ] }}
providers: {{ number-{version}: {{ speaks: anthropic.messages, url: \"{url}\", key: k }} }}\n",
        super::mixed::KEY
    )
}

/// So many reloads under so many streams.
pub async fn run(reloads: usize, streams: u64) {
    let upstream = provider::start(Faults::default(), 1, Duration::from_millis(5)).await;
    let settings = Settings { log: "info", ..Settings::rules(rules(&upstream, 0)) };
    let router = Router::with(settings).await;
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let mut clients = JoinSet::new();
    for number in 0..streams {
        let (client, stopped) = (router.client(), stopped.clone());
        clients.spawn(async move {
            let door = if number % 2 == 0 { Door::Messages } else { Door::Chat };
            let (mut tally, mut kept) = (Tally::default(), None);
            for request in 0.. {
                if *stopped.borrow() {
                    break;
                }
                let tag = format!("c{number}r{request}");
                tally.ended(call(&client, &mut kept, &Wish::stream(door, 30), &tag).await);
            }
            tally
        });
    }
    let client = router.client().with("x-api-key", super::mixed::KEY);
    let (mut all, begin) = (Tally::default(), Instant::now());
    let before = (resident(router.id()).unwrap_or(0), descriptors(router.id()).unwrap_or(0));
    for version in 1..=reloads {
        let broken = version % 4 == 0;
        let text = rules(&upstream, version);
        let text = if broken { text.replace("providers:", "providesr:") } else { text };
        router.folder.write("rules.yaml", &text);
        let status = client.post("/-/reload", "").await.json()["status"].clone();
        // The watcher may have been quicker.
        let fits = if broken { status == "refused" } else { status == "reloaded" || status == "unchanged" };
        if !fits {
            all.breaks("a reload did not say what it was", &status);
        }
    }
    let took = begin.elapsed();
    let after = (resident(router.id()).unwrap_or(0), descriptors(router.id()).unwrap_or(0));
    stop.send(true).unwrap();
    for tally in clients.join_all().await {
        all.add(tally);
    }
    println!("\n{reloads} reloads in {:.0} s under {streams} streams", took.as_secs_f64());
    all.print();
    println!(
        "memory: {} KiB before, {} KiB after; descriptors {} and {}",
        before.0, after.0, before.1, after.1
    );
    all.hold();
}
