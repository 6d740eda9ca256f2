//! Several keys of one provider, seen from outside: which is sent, what is told of them, and what never is.

use crate::support::Settings;
use crate::support::rules::{BASE, FAILOVER, ask, completion, message};
use crate::support::{Reply, Router, Upstream};
use serde_json::json;

/// A provider with three keys, the second not set, and another provider.
fn rules(first: &str, second: &str) -> String {
    format!(
        r#"{BASE}
secrets: [ tokens.txt ]
providers:
  first:
    speaks: anthropic.messages
    url: "{first}"
    keys: [ "${{PRIVATE_KEY}}", "${{FORGOTTEN_KEY}}", {{ name: work, key: "${{WORK_KEY}}" }} ]
  second: {{ speaks: openai.chat, url: "{second}", key: second-key, models: {{ "*": second-model }} }}
{}"#,
        FAILOVER.replace(
            "cool_down: { until: [ $header.retry-after ], else: 30s }",
            "cool_down: { until: [ $header.retry-after ], else: 30s, scope: key }"
        )
    )
}

async fn router(first: &Upstream, second: &Upstream) -> Router {
    let folder = crate::support::Folder::new();
    let rules = rules(&first.url(), &second.url());
    folder.write("rules.yaml", &rules);
    folder.write("tokens.txt", "WORK_KEY=sk-work-secret\n");
    Router::inside(folder, Settings::rules(rules).env("PRIVATE_KEY", "sk-private-secret")).await
}

#[tokio::test]
async fn the_next_key_answers_and_keys_are_told_by_their_names() {
    let first = Upstream::always(message("from first")).await;
    first.then(
        Reply::json(429, r#"{"error":{"message":"no more for sk-private-secret and sk-work-secret"}}"#)
            .header("retry-after", 3600),
    );
    let second = Upstream::always(completion("from second")).await;
    let router = router(&first, &second).await;

    let answer = router.client().post("/v1/messages", ask()).await;
    assert_eq!((answer.status, answer.header("x-rulegate-attempts")), (200, Some("2")));
    assert_eq!(answer.header("x-rulegate-provider"), Some("first"));
    let sent: Vec<String> = first
        .received()
        .iter()
        .map(|request| request.header("x-api-key").unwrap_or_default().to_owned())
        .collect();
    assert_eq!(sent, ["sk-private-secret", "sk-work-secret"]);
    assert_eq!(second.count(), 0);

    let health = router.client().get("/v1/health").await;
    let detail = &health.json()["details"]["first"];
    assert_eq!(
        (&health.json()["providers"]["first"], &detail["status"]),
        (&json!("available"), &json!("available"))
    );
    assert_eq!(detail["paused"].as_array().map(Vec::len), Some(1), "{detail}");
    assert_eq!(
        (&detail["paused"][0]["key"], &detail["paused"][0]["rule"]),
        (&json!("key1"), &json!("limited"))
    );
    assert!(detail["paused"][0]["until"].is_string(), "{detail}");

    first.then(Reply::json(429, "{}").header("retry-after", 7200));
    let answer = router.client().post("/v1/messages", ask()).await;
    assert_eq!(answer.header("x-rulegate-provider"), Some("second"));
    let health_after = router.client().get("/v1/health").await;
    assert_eq!(health_after.json()["providers"]["first"], "cooling");
    assert_eq!(
        health_after.json()["details"]["first"]["until"],
        detail["paused"][0]["until"],
        "the key that is free first"
    );

    router.logged(&["first (key key1)", "first (key work)"]).await;
    assert_eq!(router.times_logged("FORGOTTEN_KEY"), 1, "{}", router.log());
    let config = router.client().get("/-/config").await.text();
    assert!(config.contains(r#""work":"[secret]""#) && config.contains("FORGOTTEN_KEY"), "{config}");
    for said in [router.log(), health.text(), health_after.text(), config] {
        assert!(!said.contains("sk-private-secret") && !said.contains("sk-work-secret"), "{said}");
    }
}
