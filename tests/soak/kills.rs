//! A process that is killed in the middle of everything, again and again: what it had written down is known again.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::watch;

use super::caller::{Door, Wish, call};
use super::measure::Tally;
use super::provider::{self, Fault, Faults};
use crate::second_door::Dice;
use crate::support::rules::{BASE, FAILOVER};
use crate::support::{Client, Folder, Reply, Router, Settings, Upstream};

/// How many clients keep the state changing.
const CLIENTS: u64 = 4;

fn rules(limited: &Upstream, shaky: &Upstream, spare: &Upstream) -> String {
    let failover = FAILOVER.replace("30s", "300ms").replace("10s", "200ms");
    format!(
        r#"{BASE}  - {{ path: /v1/chat/completions, protocol: openai.chat }}
access: {{ keys: [ {} ] }}
providers:
  limited: {{ speaks: anthropic.messages, url: "{}", key: k1 }}
  shaky: {{ speaks: anthropic.messages, url: "{}", key: k2 }}
  spare: {{ speaks: openai.chat, url: "{}", key: k3 }}
{failover}"#,
        super::mixed::KEY,
        limited.url(),
        shaky.url(),
        spare.url()
    )
}

/// What of the health page must be the same afterwards.
async fn known(client: &Client) -> Value {
    let page = client.get("/v1/health").await.json();
    let limited = &page["details"]["limited"];
    json!({ "until": limited["until"], "since": limited["since"], "rule": limited["rule"],
        "manual": page["manual"], "manual_until": page["manual_until"] })
}

/// Waits until the file holds this text.
async fn written(folder: &Folder, part: &str) -> bool {
    for _ in 0..100 {
        let text = std::fs::read_to_string(folder.file("rules.state.json")).unwrap_or_default();
        if text.contains(part) {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    false
}

/// Kills it so many times.
pub async fn run(kills: usize) {
    let limited = Upstream::always(
        Reply::json(
            429,
            json!({ "type": "error", "error": { "type": "rate_limit_error", "message": "slow down" } }),
        )
        .header("retry-after", 86_400),
    )
    .await;
    let shaky =
        provider::start(Faults(vec![(300, Fault::Status(500)), (200, Fault::Closed)]), 1, Duration::ZERO)
            .await;
    let spare = provider::start(Faults::default(), 2, Duration::from_millis(5)).await;
    let text = rules(&limited, &shaky, &spare);
    let mut folder = Folder::new();
    folder.write("rules.yaml", &text);
    let place = watch::channel::<Option<Client>>(None).0;
    let mut clients = tokio::task::JoinSet::new();
    for number in 0..CLIENTS {
        let mut place = place.subscribe();
        clients.spawn(async move {
            let mut kept = None;
            for request in 0.. {
                let Ok(client) = place.wait_for(Option::is_some).await.map(|client| client.clone()) else {
                    return;
                };
                let Some(client) = client else { return };
                let wish = Wish::stream(Door::Messages, 20);
                let _ = call(&client, &mut kept, &wish, &format!("c{number}r{request}")).await;
            }
        });
    }
    let mut tally = Tally::default();
    let mut dice = Dice::new(7);
    let mut before = Value::Null;
    for kill in 0..kills {
        let router = Router::inside(folder, Settings { log: "info", ..Settings::rules(&*text) }).await;
        let client = router.client().with("x-api-key", super::mixed::KEY);
        let after = known(&client).await;
        if kill > 0 && after != before {
            tally.breaks("something was forgotten", format!("{before} became {after}"));
        }
        // Something new to be remembered each time.
        client.post("/-/providers/limited/clear", "").await;
        client
            .post("/v1/switch-provider", json!({ "provider": "limited", "for": format!("{}h", kill + 2) }))
            .await;
        place.send_replace(Some(router.client()));
        while known(&client).await["until"].is_null() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        // Requests that were sent to it meanwhile move its time on, if by milliseconds.
        tokio::time::sleep(Duration::from_millis(500)).await;
        before = known(&client).await;
        let page = client.get("/v1/health").await.json();
        let rule = page["details"]["limited"]["rule"].as_str().unwrap_or_default().to_owned();
        if !written(&router.folder, &format!("\"{rule}\"")).await {
            tally.breaks("the state was not written within 5 s", kill);
        }
        // The state is looked at once a second: the kill comes at any time of that, also while it is written.
        tokio::time::sleep(Duration::from_millis(1100 + dice.below(1000))).await;
        place.send_replace(None);
        folder = router.killed();
        let names: Vec<String> = std::fs::read_dir(folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
            .collect();
        if names.iter().any(|name| name.contains("broken")) || names.len() > 4 {
            tally.breaks("files are left over", names.join(" "));
        }
        let state = std::fs::read_to_string(folder.file("rules.state.json")).unwrap_or_default();
        if serde_json::from_str::<Value>(&state).is_err() {
            tally.breaks("the state is half written", state);
        }
        tally.count("a kill -9");
    }
    place.send_replace(None);
    clients.shutdown().await;
    println!("\n{kills} times kill -9");
    tally.print();
    tally.hold();
}
