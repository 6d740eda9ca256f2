//! New rules on a running router, however the file is saved; and broken ones, which change nothing.

use std::sync::Arc;

use serde_json::json;

use crate::support::{Answer, Gate, Reply, Serving, Upstream, within};

const REQUEST: &str = r#"{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"hi"}]}"#;
const MESSAGE: &str =
    r#"{"id":"msg_1","type":"message","role":"assistant","content":[{"type":"text","text":"x"}]}"#;

fn rules(name: &str, url: &str) -> String {
    format!(
        "providers:
  {name}: {{ speaks: anthropic.messages, url: {url}, key: k }}
routes:
  - {{ path: /v1/messages, protocol: anthropic.messages }}
"
    )
}

async fn upstream() -> Upstream {
    Upstream::always(Reply::json(200, MESSAGE)).await
}

async fn ask(router: &Serving) -> Answer {
    router.client().post("/v1/messages", REQUEST).await
}

/// A router that reads its rules again only when asked.
async fn patient(rules: &str) -> Serving {
    Serving::with(rules, |options| options.follow = false).await.unwrap_or_else(|error| panic!("{error}"))
}

async fn version(router: &Serving) -> String {
    router.client().get("/v1/health").await.json()["rules_version"].as_str().unwrap().to_owned()
}

/// Waits until the rules' version is no longer this one.
async fn moved_on(router: &Serving, from: &str) {
    let mut changes = router.running.router().changes();
    let moved = async {
        while version(router).await == from {
            changes.changed().await.unwrap();
        }
    };
    within("the rules change", moved).await;
}

#[tokio::test]
async fn the_next_request_follows_a_saved_file_however_it_was_saved() {
    let upstream = upstream().await;
    let router = Serving::start(&rules("one", &upstream.url())).await;
    assert_eq!(ask(&router).await.header("x-rulegate-provider"), Some("one"));
    let before = version(&router).await;
    router.folder.write("rules.yaml", &rules("two", &upstream.url()));
    moved_on(&router, &before).await;
    assert_eq!(ask(&router).await.header("x-rulegate-provider"), Some("two"));
    let before = version(&router).await;
    router.folder.replace("rules.yaml", &rules("three", &upstream.url()));
    moved_on(&router, &before).await;
    assert_eq!(ask(&router).await.header("x-rulegate-provider"), Some("three"));
}

#[tokio::test]
async fn an_included_file_is_followed_too() {
    let upstream = upstream().await;
    let folder_rules = |name: &str| {
        format!(
            "providers: {{ {name}: {{ speaks: anthropic.messages, url: {}, key: k }} }}\n",
            upstream.url()
        )
    };
    let main = "include: [ more/*.yaml, \"builtin:protocols/*.yaml\" ]\nroutes:\n  - { path: /v1/messages, protocol: anthropic.messages }\n";
    let folder = crate::support::Folder::new();
    folder.write("more/providers.yaml", &folder_rules("one"));
    let mut options = rulegate::edge::Options::new(folder.write("rules.yaml", main));
    options.listen = Some("127.0.0.1:0".to_owned());
    let running = rulegate::edge::serve(options).await.unwrap_or_else(|error| panic!("{error}"));
    let router = Serving { folder, running };
    assert_eq!(ask(&router).await.header("x-rulegate-provider"), Some("one"));
    let before = version(&router).await;
    router.folder.write("more/providers.yaml", &folder_rules("two"));
    moved_on(&router, &before).await;
    assert_eq!(ask(&router).await.header("x-rulegate-provider"), Some("two"));
}

#[tokio::test]
async fn a_broken_file_changes_nothing_and_says_where_it_is_wrong() {
    let upstream = upstream().await;
    let router = patient(&rules("one", &upstream.url())).await;
    let before = version(&router).await;
    router.folder.write("rules.yaml", &rules("one", &upstream.url()).replace("speaks:", "speeks:"));
    let answer = router.client().post("/-/reload", "").await;
    let page = answer.json();
    assert_eq!((answer.status, page["status"].as_str()), (422, Some("refused")), "{page:#}");
    let found = &page["diagnostics"][0];
    assert_eq!((found["line"].as_u64(), found["severity"].as_str()), (Some(2), Some("error")), "{page:#}");
    assert!(found["file"].as_str().unwrap().ends_with("rules.yaml"));
    assert!(found["source_line"].as_str().unwrap().contains("speeks"));
    assert_eq!(version(&router).await, before);
    assert_eq!(ask(&router).await.status, 200);
    let config = router.client().get("/-/config").await.json();
    assert_eq!(config["last_reload"]["ok"], false);

    router.folder.write("rules.yaml", &rules("one", &upstream.url()));
    let page = router.client().post("/-/reload", "").await.json();
    assert_eq!(page["status"], "unchanged", "{page:#}");
}

#[tokio::test]
async fn rules_that_fail_their_own_tests_are_refused() {
    let upstream = upstream().await;
    let proof: rulegate::edge::Proof = Arc::new(|rules, _, found| {
        if rules.providers.iter().any(|(name, _)| name.text == "two") {
            found.error("failed-test", rules.span, "there must not be a second one");
        }
    });
    let router = Serving::with(&rules("one", &upstream.url()), |options| {
        options.proof = Some(proof);
        options.follow = false;
    })
    .await;
    let router = router.unwrap_or_else(|error| panic!("{error}"));
    router.folder.write("rules.yaml", &rules("two", &upstream.url()));
    let page = router.client().post("/-/reload", "").await.json();
    assert_eq!(
        (page["status"].as_str(), page["diagnostics"][0]["code"].as_str()),
        (Some("refused"), Some("failed-test"))
    );
    assert_eq!(ask(&router).await.header("x-rulegate-provider"), Some("one"));
}

#[tokio::test]
async fn a_request_under_way_ends_by_the_rules_it_began_with() {
    let gate = Gate::new();
    let upstream = Upstream::always(Reply::json(200, MESSAGE).after(&gate)).await;
    let router = patient(&rules("one", &upstream.url())).await;
    let client = router.client();
    let asking = tokio::spawn(async move { client.post("/v1/messages", REQUEST).await });
    gate.reached().await;
    router.folder.write("rules.yaml", &rules("two", &upstream.url()));
    assert_eq!(router.client().post("/-/reload", "").await.json()["status"], "reloaded");
    gate.open();
    assert_eq!(asking.await.unwrap().header("x-rulegate-provider"), Some("one"));
    assert_eq!(ask(&router).await.header("x-rulegate-provider"), Some("two"));
}

#[tokio::test]
async fn a_choice_by_hand_and_a_cool_down_outlive_a_reload() {
    let first = Upstream::always(Reply::json(529, "{}")).await;
    let second = upstream().await;
    let text = |extra: &str| {
        format!(
            "providers:
  first: {{ speaks: anthropic.messages, url: {}, key: k }}
  second: {{ speaks: anthropic.messages, url: {}, key: k }}
routes:
  - {{ path: /v1/messages, protocol: anthropic.messages }}
failover:
  - {{ name: busy, when: {{ status: 5xx }}, do: next, cool_down: 1h }}
{extra}",
            first.url(),
            second.url()
        )
    };
    let router = patient(&text("")).await;
    assert_eq!(ask(&router).await.header("x-rulegate-provider"), Some("second"));
    router.client().post("/v1/switch-provider", json!({ "provider": "second" })).await;
    router.folder.write("rules.yaml", &text("models: [ a ]\n"));
    assert_eq!(router.client().post("/-/reload", "").await.json()["status"], "reloaded");
    let health = router.client().get("/v1/health").await.json();
    assert_eq!(
        (health["providers"]["first"].as_str(), health["manual"].as_str()),
        (Some("cooling"), Some("second"))
    );
}

#[tokio::test]
async fn rules_that_are_wrong_from_the_start_do_not_start() {
    let Err(error) = Serving::with("providers: [", |_| ()).await else { panic!("it started") };
    assert!(error.to_string().contains("rules.yaml:1:"), "{error}");
}
