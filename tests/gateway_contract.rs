//! What Claude Code's documentation asks of a gateway ("Gateway protocol reference", autumn 2026), one test for each point,
//! with the shipped rules in front of a provider of the same protocol.

use serde_json::{Value, json};

use crate::support::rules::{BASE, ask, message, message_events, two};
use crate::support::{Client, Reply, Router, Settings, Upstream};

/// The router as it is shipped, with one provider: Claude.
async fn shipped(claude: &Upstream) -> Router {
    Router::with(
        Settings::shipped().env("CLAUDE_BASE_URL", claude.url()).env("CLAUDE_API_KEY", "key-of-claude"),
    )
    .await
}

/// The headers that must reach the provider as they are: known ones, and those of releases to come.
const FORWARDED: [(&str, &str); 12] = [
    ("anthropic-version", "2023-06-01"),
    ("anthropic-beta", "claude-code-20250219,context-management-2025-06-27,never-heard-of-2031-01-01"),
    ("anthropic-dangerous-direct-browser-access", "true"),
    ("anthropic-workspace-id", "wrkspc_01"),
    ("anthropic-never-heard-of", "a, b; c=\"d\""),
    ("user-agent", "claude-cli/2.1.223 (external, cli)"),
    ("x-app", "cli"),
    ("x-claude-code-session-id", "8a1c"),
    ("x-claude-code-agent-id", "reviewer@team"),
    ("x-claude-code-parent-agent-id", "main"),
    ("x-client-request-id", "9f0e"),
    ("x-stainless-retry-count", "0"),
];

fn claude_code(router: &Router) -> Client {
    let client = router.client().with("authorization", "Bearer any");
    FORWARDED.iter().fold(client, |client, (name, value)| client.with(name, value))
}

/// A body with fields that go with betas, fields that nobody knows yet, and spellings that a rewriting would change.
const BODY: &str = r#"{ "model":"claude-sonnet-5-5", "max_tokens" : 4096, "temperature":1.0,
  "system":[{"type":"text","text":"x-anthropic-billing-header: cc_version=2.1.223; cch=00000;"},{"type":"text","text":"Be brief.","cache_control":{"type":"ephemeral","ttl":"1h","scope":"global"}}],
  "thinking":{"type":"between_tools"}, "output_config":{"effort":"high"}, "fallbacks":"default",
  "context_management":{"edits":[{"type":"clear_tool_uses_20250919","keep":{"type":"tool_uses","value":3}}]},
  "tools":[{"name":"Read","input_schema":{"type":"object"},"eager_input_streaming":true,"defer_loading":true,"never_heard_of":1e2}],
  "metadata":{"user_id":"{\"session_id\":\"8a1c\"}"}, "never_heard_of":{"\u0061":[1.50,"caf\u00e9 / \/"]},
  "messages":[{"role":"user","content":[{"type":"text","text":"Hello?"},{"type":"never_heard_of","x":null}]}] }"#;

#[tokio::test]
async fn headers_and_fields_are_open_lists_and_travel_together() {
    let claude = Upstream::always(message("hello")).await;
    let router = shipped(&claude).await;
    let answer = claude_code(&router).send("POST", "/v1/messages?beta=true", BODY.as_bytes()).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let received = claude.only();
    assert_eq!(received.target, "/v1/messages?beta=true");
    assert_eq!(String::from_utf8_lossy(&received.body), BODY);
    for (name, value) in FORWARDED {
        let lines = received.headers.iter().filter(|(known, _)| known.eq_ignore_ascii_case(name));
        assert_eq!(lines.map(|(_, value)| value.as_str()).collect::<Vec<_>>(), [value], "{name}");
    }
    assert_eq!(
        (received.header("x-api-key"), received.header("authorization")),
        (Some("key-of-claude"), None)
    );
}

#[tokio::test]
async fn counting_tokens_gets_the_same_headers_and_body() {
    let claude = Upstream::always(Reply::json(200, json!({ "input_tokens": 21 }))).await;
    let router = shipped(&claude).await;
    let answer =
        claude_code(&router).send("POST", "/v1/messages/count_tokens?beta=true", BODY.as_bytes()).await;
    assert_eq!(answer.json(), json!({ "input_tokens": 21 }));
    let received = claude.only();
    assert_eq!(received.target, "/v1/messages/count_tokens?beta=true");
    assert_eq!(String::from_utf8_lossy(&received.body), BODY);
    for (name, value) in FORWARDED {
        assert_eq!(received.header(name), Some(value), "{name}");
    }
}

#[tokio::test]
async fn answers_come_back_byte_for_byte_with_the_providers_headers() {
    let claude = Upstream::start().await;
    let router = shipped(&claude).await;
    let whole = r#"{"type":"message", "id":"msg_1","never_heard_of":1.0,"content":[{"type":"text","text":"h\u0069"},{"type":"never_heard_of"}]}"#;
    claude.then(
        Reply::json(200, whole)
            .header("request-id", "req_of_claude")
            .header("anthropic-organization-id", "org_1")
            .header("anthropic-ratelimit-unified-status", "allowed"),
    );
    let answer = claude_code(&router).send("POST", "/v1/messages", BODY.as_bytes()).await;
    assert_eq!(answer.text(), whole);
    assert_eq!(answer.header("request-id"), Some("req_of_claude"));
    assert_eq!(answer.header("anthropic-organization-id"), Some("org_1"));
    assert_eq!(answer.header("anthropic-ratelimit-unified-status"), Some("allowed"));
    let unknown = "event: never_heard_of\ndata: {\"type\":\"never_heard_of\"}\n\n: ping\n\n";
    let stream = |reply: Reply, (name, data): (&str, Value)| reply.event(name, data);
    let (before, after) = {
        let mut events = message_events("hi");
        let after = events.split_off(3);
        (events, after)
    };
    let reply = before.into_iter().fold(Reply::stream(), stream).drip(unknown);
    claude.then(after.into_iter().fold(reply, stream));
    let mut body: Value = serde_json::from_str(BODY).unwrap();
    body["stream"] = json!(true);
    let answer = claude_code(&router).post("/v1/messages?beta=true", body).await;
    assert!(answer.text().contains(unknown), "{}", answer.text());
    assert!(answer.text().contains("event: message_stop\n"), "{}", answer.text());
}

#[tokio::test]
async fn errors_come_back_unmodified() {
    let claude = Upstream::start().await;
    let router = Router::start(format!(
        "{BASE}providers: {{ claude: {{ speaks: anthropic.messages, url: \"{}\", key: k }} }}\nfailover: [ {{ name: all, when: {{ status: [ 4xx, 5xx ] }}, do: return }} ]\n",
        claude.url()
    ))
    .await;
    for (status, kind) in [
        (400, "invalid_request_error"),
        (401, "authentication_error"),
        (403, "permission_error"),
        (404, "not_found_error"),
        (413, "request_too_large"),
        (422, "never_heard_of_error"),
        (429, "rate_limit_error"),
        (500, "api_error"),
        (504, "timeout_error"),
    ] {
        let body = format!(
            "{{\"type\":\"error\", \"error\":{{\"type\":\"{kind}\",\"message\":\"caf\\u00e9\",\"details\":null}},\"request_id\":\"req_1\"}}\n"
        );
        let headers = [
            ("request-id", "req_1"),
            ("retry-after", "17"),
            ("x-should-retry", "true"),
            ("anthropic-ratelimit-requests-remaining", "0"),
            ("anthropic-ratelimit-requests-reset", "2031-01-01T00:00:00Z"),
            ("anthropic-ratelimit-unified-reset", "1924992000"),
            ("x-ratelimit-remaining", "0"),
        ];
        let reply =
            headers.iter().fold(Reply::json(status, &body), |it, (name, value)| it.header(name, value));
        claude.afterwards(reply);
        let answer = claude_code(&router).send("POST", "/v1/messages", BODY.as_bytes()).await;
        assert_eq!((answer.status, answer.text()), (status, body), "{}", router.log());
        for (name, value) in headers {
            assert_eq!(answer.header(name), Some(value), "{name} of {status}");
        }
    }
}

#[tokio::test]
async fn the_shipped_rules_leave_a_last_error_as_it_is() {
    let claude = Upstream::start().await;
    let router = shipped(&claude).await;
    for (status, kind) in
        [(400, "invalid_request_error"), (413, "request_too_large"), (429, "rate_limit_error")]
    {
        let said =
            json!({ "type": "error", "error": { "type": kind, "message": "no" }, "request_id": "req_1" });
        claude.afterwards(Reply::json(status, &said).header("request-id", "req_1"));
        let answer = claude_code(&router).send("POST", "/v1/messages", BODY.as_bytes()).await;
        assert_eq!((answer.status, answer.json()), (status, said), "{}", router.log());
        assert_eq!(answer.header("request-id"), Some("req_1"));
    }
}

#[tokio::test]
async fn asking_whether_anybody_is_there_is_answered_and_leaves_no_trace() {
    let claude = Upstream::start().await;
    let router = shipped(&claude).await;
    for (method, path) in [("HEAD", "/"), ("GET", "/"), ("GET", "/api/hello"), ("HEAD", "/api/hello")] {
        let answer = claude_code(&router).send(method, path, b"").await;
        assert_eq!((answer.status, answer.body.is_empty()), (200, method == "HEAD"), "{method} {path}");
    }
    let wrong = claude_code(&router).post("/api/hello", "{}").await;
    assert_eq!((wrong.status, wrong.header("allow")), (405, Some("GET")));
    let log = router.logged(&["405", "/api/hello"]).await;
    let told = log.lines().filter(|line| line.contains("INFO") && line.contains("/api/hello"));
    assert_eq!(told.count(), 1, "only the wrong method: {log}");
    assert!(!log.contains("HEAD / "), "{log}");
    let decisions = router.client().get("/-/decisions").await.json();
    let paths: Vec<_> = decisions["decisions"].as_array().unwrap().iter().map(|it| &it["request"]).collect();
    assert_eq!(paths, ["POST /api/hello"], "{decisions}");
    assert_eq!(claude.count(), 0);
}

#[tokio::test]
async fn models_are_listed_with_right_page_marks_and_found_by_their_names() {
    let claude = Upstream::start().await;
    let router = shipped(&claude).await;
    let list = claude_code(&router).get("/v1/models?limit=1000").await.json();
    let names: Vec<&str> =
        list["data"].as_array().unwrap().iter().map(|it| it["id"].as_str().unwrap()).collect();
    assert!(names.iter().filter(|name| name.contains("claude")).count() > 2, "{list}");
    assert!(list["data"].as_array().unwrap().iter().all(|it| it["display_name"].is_string()), "{list}");
    assert_eq!(list["first_id"].as_str(), names.first().copied());
    assert_eq!((list["last_id"].as_str(), list["has_more"].as_bool()), (names.last().copied(), Some(false)));
    for name in &names {
        let one = claude_code(&router).get(&format!("/v1/models/{name}")).await.json();
        assert_eq!((one["type"].as_str(), one["id"].as_str()), (Some("model"), Some(*name)), "{one}");
        let other = router.client().get(&format!("/v1/models/{name}")).await.json();
        assert_eq!((other["object"].as_str(), other["id"].as_str()), (Some("model"), Some(*name)), "{other}");
    }
    let unknown = claude_code(&router).get("/v1/models/no%20such%2Fmodel").await;
    assert_eq!((unknown.status, unknown.json()["error"]["type"].as_str()), (404, Some("not_found_error")));
    assert_eq!(unknown.json()["error"]["message"], "model: no such/model");
    let unknown = router.client().get("/v1/models/gpt-none").await;
    assert_eq!(
        (unknown.status, unknown.json()["error"]["type"].as_str()),
        (404, Some("invalid_request_error"))
    );
    assert_eq!(unknown.json()["error"]["code"], "model_not_found");
    assert_eq!(router.client().get("/v1/models/a/b").await.status, 404);
    assert_eq!(claude.count(), 0);
}

#[tokio::test]
async fn no_model_is_an_empty_page_and_a_name_of_a_client_is_no_label_of_a_metric() {
    let (router, first) = (
        "routes:\n  - { path: /v1/messages, protocol: anthropic.messages }",
        Upstream::always(message("hello")).await,
    );
    let more = r#"
  - path: /v1/{kind}/{id}
    method: GET
    answer: { kind: $path.kind, id: $path.id, first: { $first: [ "$models[0]", null ] } }
    when: { $path.kind: { not: hidden } }"#;
    let rules = two(&first.url(), &first.url()).replace(router, &format!("{router}{more}"));
    let router = Router::start(rules).await;
    let answer = router.client().get("/v1/things/a%2Fb").await;
    assert_eq!(answer.json(), json!({ "kind": "things", "id": "a/b", "first": null }), "{}", router.log());
    assert_eq!(router.client().get("/v1/hidden/a").await.status, 404);
    assert_eq!(router.client().post("/v1/messages", ask()).await.status, 200);
    let metrics = router.client().get("/-/metrics").await.text();
    assert!(metrics.contains("\"/v1/{kind}/{id}\"") && !metrics.contains("things"), "{metrics}");
}
