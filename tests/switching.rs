//! Choosing a provider by hand, and seeing who is well.

use serde_json::json;

use crate::support::rules::{BASE, FAILOVER, ask, completion, message, two};
use crate::support::{Gate, Reply, Router, Upstream, program, refusing};

async fn answering() -> (Upstream, Upstream, Router) {
    let first = Upstream::always(message("from first")).await;
    let second = Upstream::always(completion("from second")).await;
    let router = Router::start(two(&first.url(), &second.url())).await;
    (first, second, router)
}

async fn who_answers(router: &Router) -> String {
    let answer = router.client().post("/v1/messages", ask()).await;
    answer.json()["content"][0]["text"].as_str().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn a_provider_that_is_chosen_answers_until_the_choice_is_given_back() {
    let (_first, _second, router) = answering().await;
    assert_eq!(who_answers(&router).await, "from first");
    let switched = router.client().post("/v1/switch-provider", json!({ "provider": "second" })).await;
    assert_eq!(switched.status, 200, "{}", switched.text());
    assert_eq!(router.client().get("/v1/health").await.json()["current_provider"], "second");
    assert_eq!(who_answers(&router).await, "from second");
    let given_back = router.client().post("/v1/switch-provider", json!({ "provider": "auto" })).await;
    assert_eq!(given_back.status, 200);
    assert_eq!(who_answers(&router).await, "from first");
    assert_eq!(router.client().get("/v1/health").await.json()["current_provider"], "first");
}

#[tokio::test]
async fn a_provider_that_cools_down_is_usable_at_once_when_chosen() {
    let first = Upstream::always(message("from first")).await;
    first.then(Reply::json(429, "{}").header("retry-after", 3600));
    let second = Upstream::always(completion("from second")).await;
    let router = Router::start(two(&first.url(), &second.url())).await;
    assert_eq!(who_answers(&router).await, "from second");
    assert_eq!(who_answers(&router).await, "from second");
    router.client().post("/v1/switch-provider", json!({ "provider": "first" })).await;
    assert_eq!(router.client().get("/v1/health").await.json()["providers"]["first"], "available");
    assert_eq!(who_answers(&router).await, "from first");
}

#[tokio::test]
async fn a_switch_says_that_it_ends_a_cool_down_and_when_nothing_changes() {
    let first = Upstream::always(message("from first")).await;
    first.then(Reply::json(429, "{}").header("retry-after", 3600));
    let second = Upstream::always(completion("from second")).await;
    let router = Router::start(two(&first.url(), &second.url())).await;
    assert_eq!(who_answers(&router).await, "from second");
    let switch = async |name: &str| {
        router.client().post("/v1/switch-provider", json!({ "provider": name })).await.json()
    };
    let page = switch("first").await;
    assert_eq!(
        (&page["previous_provider"], &page["ended"]["rule"]),
        (&json!("second"), &json!("limited")),
        "{page}"
    );
    router.logged(&["switched from second to first: by hand; it no longer cools down by rule limited"]).await;
    let page = switch("first").await;
    assert_eq!((&page["previous_provider"], &page["ended"]), (&json!("first"), &json!(null)), "{page}");
    router.logged(&["first stays the first choice: by hand"]).await;
    switch("auto").await;
    router.logged(&["first stays the first choice: the choice is the rules' again"]).await;
    assert_eq!(router.times_logged("from first to first"), 0, "{}", router.log());
}

#[tokio::test]
async fn who_names_no_provider_is_told_the_names() {
    let (_first, _second, router) = answering().await;
    for (command, more) in [("switch", ", auto (the rules choose)"), ("clear", "")] {
        let said = program(router.folder.path()).args([command, "--url", &router.url()]).output().unwrap();
        let told = String::from_utf8_lossy(&said.stderr).into_owned();
        assert_eq!(said.status.code(), Some(2), "{told}");
        assert!(told.contains(&format!("There are first (unknown), second (unknown){more}")), "{told}");
    }
}

#[tokio::test]
async fn health_and_status_say_that_the_rules_in_the_files_are_refused() {
    let (_first, _second, router) = answering().await;
    let health = async || router.client().get("/v1/health").await.json();
    let before = health().await;
    assert!(before["rules_since"].is_string() && before["rules_refused"].is_null(), "{before}");
    let good = router.folder.read("rules.yaml");
    router.folder.write("rules.yaml", &good.replacen("providers:", "provdiers:", 1));
    for _ in 0..2 {
        assert_eq!(router.client().post("/-/reload", "").await.status, 422);
    }
    let page = health().await;
    let error = page["rules_refused"]["error"].as_str().unwrap_or_default();
    assert!(error.starts_with("rules.yaml:") && error.contains("provdiers"), "{page}");
    assert_eq!(page["rules_since"], before["rules_since"]);
    let status = |more: &[&str]| {
        let out =
            program(router.folder.path()).arg("status").args(more).args(["--url", &router.url()]).output();
        String::from_utf8(out.unwrap().stdout).unwrap()
    };
    assert!(status(&[]).contains("the rules in the files are refused since"), "{}", status(&[]));
    assert!(status(&["--json"]).contains("rules_refused"), "{}", status(&["--json"]));
    router.folder.write("rules.yaml", &good);
    router.client().post("/-/reload", "").await;
    assert!(health().await["rules_refused"].is_null());
}

#[tokio::test]
async fn the_others_stay_backups_of_the_chosen_one() {
    let first = Upstream::always(message("from first")).await;
    let second = Upstream::always(Reply::json(500, "{}")).await;
    let router = Router::start(two(&first.url(), &second.url())).await;
    router.client().post("/v1/switch-provider", json!({ "provider": "second" })).await;
    assert_eq!(who_answers(&router).await, "from first");
    assert_eq!(second.count(), 1);
}

#[tokio::test]
async fn an_unknown_name_is_told_the_known_ones() {
    let (_first, _second, router) = answering().await;
    let answer = router.client().post("/v1/switch-provider", json!({ "provider": "third" })).await;
    assert_eq!(answer.status, 404);
    assert!(answer.text().contains("first") && answer.text().contains("second"), "{}", answer.text());
    for bad in ["", "{", "[]", "{}", r#"{"provider":7}"#] {
        assert_eq!(router.client().post("/v1/switch-provider", bad).await.status, 400, "{bad}");
    }
    assert_eq!(router.client().get("/v1/switch-provider").await.status, 405);
}

#[tokio::test]
async fn a_switch_is_one_line_in_the_log() {
    let (_first, _second, router) = answering().await;
    router.client().post("/v1/switch-provider", json!({ "provider": "second" })).await;
    router.logged(&["second", "switch"]).await;
}

#[tokio::test]
async fn health_tells_who_is_well_and_who_was_never_asked() {
    let (_first, _second, router) = answering().await;
    let before = router.client().get("/v1/health").await.json();
    assert_eq!(before["providers"], json!({ "first": "unknown", "second": "unknown" }), "{before}");
    who_answers(&router).await;
    let after = router.client().get("/v1/health").await.json();
    assert_eq!(after["providers"], json!({ "first": "available", "second": "unknown" }), "{after}");
    assert!(after["status"].is_string() && after["current_provider"] == "first", "{after}");
}

#[tokio::test]
async fn health_answers_at_once_whatever_the_providers_do() {
    let first = Upstream::always(message("late").after(&Gate::new())).await;
    let router = Router::start(two(&first.url(), &first.url())).await;
    let client = router.client();
    let waiting = tokio::spawn(async move { client.post("/v1/messages", ask()).await });
    first.request(1).await;
    assert_eq!(router.client().get("/v1/health").await.status, 200);
    waiting.abort();
}

#[tokio::test]
async fn a_probe_brings_a_provider_back() {
    let first = Upstream::always(message("from first")).await;
    first.then(Reply::json(500, "{}"));
    let second = Upstream::always(completion("from second")).await;
    let probe = "health:\n  - { provider: first, every: 1s, when_down_only: true, recovered_after: 1, request: { model: m, max_tokens: 1, messages: [ { role: user, content: ping } ] } }\n";
    let rules = two(&first.url(), &second.url()).replace("cool_down: 30s", "cool_down: 1h");
    let router = Router::start(format!("{rules}{probe}")).await;
    assert_eq!(who_answers(&router).await, "from second");
    let ping = first.request(2).await;
    assert_eq!(ping.json()["messages"][0]["content"], "ping");
    router.logged(&["INFO", "first", "well again"]).await;
    assert_eq!(who_answers(&router).await, "from first");
}

#[tokio::test]
async fn without_any_key_the_router_runs_and_says_what_to_set() {
    let (address, _port) = refusing();
    let rules = format!(
        "{BASE}\nproviders:\n  first: {{ speaks: anthropic.messages, url: \"{address}\", key: \"${{FIRST_KEY}}\" }}\n{FAILOVER}"
    );
    let router = Router::start(rules).await;
    assert_eq!(router.client().get("/v1/health").await.status, 200);
    let answer = router.client().post("/v1/messages", ask()).await;
    assert!(
        answer.status >= 400 && answer.text().contains("FIRST_KEY"),
        "{} {}",
        answer.status,
        answer.text()
    );
    assert_eq!(answer.json()["type"], "error");
    router.logged(&["FIRST_KEY"]).await;
}
