//! What the log says of a night, as who reads it at three o'clock needs it: each thing once, why, and what follows.

use serde_json::{Value, json};

use crate::support::rules::{ask, completion, message, two};
use crate::support::{Reply, Router, Upstream, program};

fn failing() -> Reply {
    Reply::json(500, json!({ "type": "error", "error": { "type": "api_error", "message": "Out of order" } }))
}

/// Two providers, and what is put into their rules.
async fn router(first: &Upstream, second: &Upstream, more: &str) -> Router {
    Router::start(format!("{}\n{more}\n", two(&first.url(), &second.url()))).await
}

async fn after(router: &Router, rule: &str) -> Value {
    let page = router.client().get("/-/rules").await.json();
    let rules = page["rules"].as_array().unwrap();
    rules.iter().find(|it| it["rule"] == rule).unwrap()["after"].clone()
}

#[tokio::test]
async fn a_probe_that_fails_is_told_as_one_and_begins_no_cool_down() {
    let (first, second) = (Upstream::always(failing()).await, Upstream::always(completion("hi")).await);
    let probe = "health: [ { provider: first, every: 1s, when_down_only: true, request: { model: m, max_tokens: 1, messages: [] } } ]";
    let router = router(&first, &second, probe).await;
    router.client().post("/v1/messages", ask()).await;
    router.logged(&["WARN", "first is cooling down until", "(rule broken)"]).await;
    let why = "\"Out of order\" (api_error) (rule broken)";
    router.logged(&["INFO", "the probe of first failed, still cooling down until", why]).await;
    first.request(3).await;
    assert_eq!(router.times_logged("is cooling down"), 1, "{}", router.log());
    let counted = "rulegate_cool_downs_total{rule=\"broken\",provider=\"first\"} 1";
    let metrics = router.client().get("/-/metrics").await.text();
    assert!(metrics.lines().any(|line| line == counted), "{metrics}");
    let after = after(&router, "broken").await;
    assert_eq!((&after["answered"], &after["failed"]), (&json!(1), &json!(0)), "{after}");
    assert!(after["probe"].as_u64() > Some(0), "{after}");
    first.afterwards(message("well"));
    router.logged(&["INFO", "first is well again: a probe was answered"]).await;
}

#[tokio::test]
async fn the_end_of_a_choice_for_some_time_is_told_once() {
    let (first, second) = (Upstream::start().await, Upstream::start().await);
    let router = router(&first, &second, "").await;
    let switch = async |name: &str| {
        router.client().post("/v1/switch-provider", json!({ "provider": name, "for": "1s" })).await
    };
    assert_eq!(switch("second").await.status, 200);
    let over = "switched from second to first: the time by hand is over, the choice is the rules' again";
    router.logged(&["WARN", over]).await;
    assert_eq!(switch("first").await.status, 200);
    router.logged(&["WARN", "first stays the first choice: its time by hand is over"]).await;
    assert_eq!(router.times_logged(over), 1, "{}", router.log());
}

#[tokio::test]
async fn what_a_route_answers_itself_is_no_failure_of_the_next_provider() {
    let (first, second) = (Upstream::always(failing()).await, Upstream::always(failing()).await);
    let rules = two(&first.url(), &second.url()).replace(
        "protocol: anthropic.messages }",
        "protocol: anthropic.messages, otherwise: { made: here } }",
    );
    let router = Router::start(rules).await;
    let answer = router.client().post("/v1/messages", ask()).await;
    assert_eq!((answer.status, answer.json()), (200, json!({ "made": "here" })));
    let told = "no provider answered after 2 attempts, the route's `otherwise` does: first: status 500";
    router.logged(&["INFO", told, "\"Out of order\""]).await;
    let after = after(&router, "broken").await;
    assert_eq!((&after["failed"], &after["otherwise"]), (&json!(1), &json!(1)), "{after}");
    let status = program(router.folder.path()).args(["status", "--url", &router.url()]).output().unwrap();
    let status = String::from_utf8(status.stdout).unwrap();
    assert!(status.contains("1 the next failed too, 1 answered by the route itself"), "{status}");
    let id = answer.header("x-rulegate-request").unwrap();
    let record = router.client().get(&format!("/-/decisions/{id}")).await.json();
    assert_eq!((&record["otherwise"], &record["exhausted"]), (&json!(true), &json!(false)));
}

#[tokio::test]
async fn where_nobody_could_be_asked_no_attempt_is_spoken_of() {
    let rules = two("http://127.0.0.1:9", "http://127.0.0.1:9")
        .replace("key: first-key", "key: \"${FIRST_UNSET}\"")
        .replace("key: second-key", "key: \"${SECOND_UNSET}\"");
    let router = Router::start(rules).await;
    assert_eq!(router.client().post("/v1/messages", ask()).await.status, 503);
    router.logged(&["ERROR", "no provider could be asked, the client gets 503: no provider has a key"]).await;
    router.logged(&["INFO request", "status=503", "attempts=0"]).await;
    assert_eq!(router.times_logged("0 attempts") + router.times_logged("attempt 0"), 0, "{}", router.log());
}

#[tokio::test]
async fn a_second_try_says_what_went_wrong_with_the_first() {
    let (first, second) = (Upstream::always(message("well")).await, Upstream::start().await);
    first.then(Reply::json(529, json!({ "error": { "type": "overloaded_error", "message": "Busy" } })));
    let router = router(&first, &second, "").await;
    assert_eq!(router.client().post("/v1/messages", ask()).await.status, 200);
    router.logged(&["INFO", "asking first again: status 529: \"Busy\"", "(rule overloaded)"]).await;
}

#[tokio::test]
async fn requests_that_are_refused_have_the_same_one_line_as_others() {
    let (first, second) = (Upstream::start().await, Upstream::start().await);
    let router = router(&first, &second, "").await;
    router.client().post("/v1/v1/messages", ask()).await;
    let refused = "refused=\"there is no /v1/v1/messages here; did you mean /v1/messages?";
    router
        .logged(&[
            "INFO request",
            "status=404",
            "route=\"POST /v1/v1/messages\"",
            refused,
            "client=\"127.0.0.1\"",
        ])
        .await;
    router.client().post("/v1/messages", "no JSON").await;
    router.logged(&["INFO request", "status=400", "refused=\"the request's body is no JSON"]).await;
}
