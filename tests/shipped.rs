//! The rules as they are shipped, in front of three providers that do what the real ones are known to do.

use serde_json::{Value, json};

use crate::support::rules::{ask, ask_stream, completion, completion_stream, message, piece, told};
use crate::support::{Folder, Reply, Router, Settings, Upstream};

struct Shipped {
    claude: Upstream,
    deepseek: Upstream,
    kimi: Upstream,
    router: Router,
}

/// The shipped rules with a key for each provider; two of the keys come from `tokens.txt`.
async fn shipped() -> Shipped {
    let (claude, deepseek, kimi) =
        (Upstream::start().await, Upstream::start().await, Upstream::start().await);
    let folder = Folder::new();
    folder.write("tokens.txt", "# my keys\n\nclaude_api_key=key-of-claude\nkimi_api_key = key-of-kimi\n");
    let settings = Settings::shipped()
        .env("CLAUDE_BASE_URL", claude.url())
        .env("DEEPSEEK_BASE_URL", deepseek.url())
        .env("KIMI_BASE_URL", kimi.url())
        .env("DEEPSEEK_API_KEY", "key-of-deepseek");
    let router = Router::inside(folder, settings).await;
    Shipped { claude, deepseek, kimi, router }
}

fn with_model(mut ask: Value, model: &str) -> Value {
    ask["model"] = json!(model);
    ask
}

#[tokio::test]
async fn a_usage_limit_moves_on_and_the_page_says_until_when() {
    let shipped = shipped().await;
    let until = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs() + 3600;
    let message = format!("Claude AI usage limit reached|{until}");
    let limit = json!({ "type": "error", "error": { "type": "rate_limit_error", "message": message } });
    shipped.claude.afterwards(Reply::json(429, limit));
    shipped.deepseek.afterwards(completion("from deepseek"));
    let answer = shipped.router.client().post("/v1/messages", with_model(ask(), "claude-opus-4-6")).await;
    assert_eq!(
        answer.json()["content"][0]["text"],
        "from deepseek",
        "{}\n{}",
        answer.text(),
        shipped.router.log()
    );
    assert_eq!(shipped.claude.only().header("x-api-key"), Some("key-of-claude"));
    let request = shipped.deepseek.only();
    assert_eq!(request.header("authorization"), Some("Bearer key-of-deepseek"));
    assert_eq!(request.json()["model"], "deepseek-v4-pro");
    let health = shipped.router.client().get("/v1/health").await.json();
    assert_eq!(
        health["providers"],
        json!({ "claude_pro": "cooling", "deepseek": "available", "kimi": "unknown" })
    );
    assert_eq!(health["current_provider"], "deepseek");
    let shown = rulegate::text::units::instant_text(i64::try_from(until).unwrap() * 1000);
    assert_eq!(health["details"]["claude_pro"]["until"], json!(shown), "{health}");
}

#[tokio::test]
async fn the_third_answers_when_two_cannot() {
    let shipped = shipped().await;
    shipped.claude.afterwards(Reply::json(401, json!({ "type": "error", "error": { "type": "authentication_error", "message": "invalid x-api-key" } })));
    shipped.deepseek.afterwards(Reply::json(
        402,
        json!({ "error": { "message": "Insufficient Balance", "type": "unknown_error" } }),
    ));
    shipped.kimi.afterwards(completion_stream(&["from ", "kimi"]));
    let answer = shipped.router.client().post("/v1/messages", ask_stream()).await;
    assert_eq!(
        told(&answer.events()),
        ("from kimi".to_owned(), true),
        "{}\n{}",
        answer.text(),
        shipped.router.log()
    );
    assert_eq!(shipped.kimi.only().header("authorization"), Some("Bearer key-of-kimi"));
}

#[tokio::test]
async fn a_tool_is_called_and_its_result_given_back() {
    let shipped = shipped().await;
    shipped.claude.afterwards(Reply::json(500, "{}"));
    let call = |delta: Value| piece(json!({ "tool_calls": [delta] }), None);
    let reply = Reply::stream()
        .data(piece(json!({ "role": "assistant", "content": null, "reasoning_content": "I should look." }), None))
        .data(call(json!({ "index": 0, "id": "call_a", "type": "function", "function": { "name": "weather", "arguments": "" } })))
        .data(call(json!({ "index": 0, "function": { "arguments": "{\"city\":" } })))
        .data(call(json!({ "index": 1, "id": "call_b", "type": "function", "function": { "name": "weather", "arguments": "{\"city\":\"Oslo\"}" } })))
        .data(call(json!({ "index": 0, "function": { "arguments": "\"Paris\"}" } })))
        .data(piece(json!({}), Some("tool_calls")))
        .data("[DONE]");
    shipped.deepseek.afterwards(reply);
    let mut asked = ask_stream();
    asked["tools"] = json!([{ "name": "weather", "input_schema": { "type": "object", "properties": { "city": { "type": "string" } } } }]);
    let answer = shipped.router.client().post("/v1/messages", &asked).await;
    let blocks: Vec<Value> = (answer.events().iter())
        .map(|(_, data)| serde_json::from_str::<Value>(data).unwrap())
        .filter(|event| event["type"] == "content_block_start")
        .map(|event| event["content_block"].clone())
        .collect();
    let kinds: Vec<_> = blocks.iter().map(|block| block["type"].as_str().unwrap_or_default()).collect();
    assert_eq!(kinds, ["thinking", "tool_use", "tool_use"], "{}", answer.text());

    shipped.deepseek.afterwards(completion("Rain."));
    let used: Vec<Value> = ["Paris", "Oslo"]
        .iter()
        .zip(&blocks[1..])
        .map(|(city, block)| json!({ "type": "tool_use", "id": block["id"], "name": "weather", "input": { "city": city } }))
        .collect();
    let results: Vec<Value> = blocks[1..]
        .iter()
        .map(|block| json!({ "type": "tool_result", "tool_use_id": block["id"], "content": "rain" }))
        .collect();
    asked["stream"] = json!(false);
    let turns = asked["messages"].as_array_mut().unwrap();
    turns.push(json!({ "role": "assistant", "content": used }));
    turns.push(json!({ "role": "user", "content": results }));
    let answer = shipped.router.client().post("/v1/messages", &asked).await;
    assert_eq!(answer.json()["content"][0]["text"], "Rain.", "{}", answer.text());
    let sent = shipped.deepseek.request(2).await.json();
    let roles: Vec<_> =
        sent["messages"].as_array().unwrap().iter().map(|turn| turn["role"].clone()).collect();
    assert_eq!(roles, ["user", "assistant", "tool", "tool"], "{sent}");
    let calls = &sent["messages"][1]["tool_calls"];
    assert_eq!(calls[0]["id"], sent["messages"][2]["tool_call_id"]);
    assert_eq!(calls[1]["id"], sent["messages"][3]["tool_call_id"]);
    assert_eq!(calls[0]["function"]["arguments"], "{\"city\":\"Paris\"}");
}

#[tokio::test]
async fn tokens_are_counted_by_who_can_and_estimated_otherwise() {
    let shipped = shipped().await;
    shipped.claude.then(Reply::json(200, json!({ "input_tokens": 42 })));
    let body = json!({ "model": "claude-sonnet-4-6", "messages": [{ "role": "user", "content": "How many tokens is this sentence?" }] });
    let counted = shipped.router.client().post("/v1/messages/count_tokens", &body).await;
    assert_eq!((counted.status, counted.json()), (200, json!({ "input_tokens": 42 })));
    assert_eq!(shipped.claude.only().target, "/v1/messages/count_tokens");
    shipped.claude.afterwards(Reply::json(500, "{}"));
    let estimated = shipped.router.client().post("/v1/messages/count_tokens", &body).await;
    let tokens = estimated.json()["input_tokens"].as_u64().unwrap_or_default();
    assert!(estimated.status == 200 && (4..40).contains(&tokens), "{}", estimated.text());
}

#[tokio::test]
async fn models_are_those_of_the_rules() {
    let shipped = shipped().await;
    let models =
        shipped.router.client().with("anthropic-version", "2023-06-01").get("/v1/models").await.json();
    let names: Vec<_> =
        models["data"].as_array().unwrap().iter().filter_map(|model| model["id"].as_str()).collect();
    assert!(names.iter().any(|name| name.starts_with("claude-")), "{names:?}");
    assert_eq!(models["has_more"], false);
}

#[tokio::test]
async fn a_provider_without_a_key_is_skipped_and_said_once() {
    let deepseek = Upstream::always(completion("from deepseek")).await;
    let settings = Settings::shipped().env("DEEPSEEK_BASE_URL", deepseek.url()).env("DEEPSEEK_API_KEY", "k");
    let router = Router::with(settings).await;
    let answer = router.client().post("/v1/messages", ask()).await;
    assert_eq!((answer.status, deepseek.count()), (200, 1), "{}", answer.text());
    router.client().post("/v1/messages", ask()).await;
    assert_eq!(router.times_logged("CLAUDE_API_KEY is not set"), 1, "{}", router.log());
}

#[tokio::test]
async fn a_key_in_the_environment_is_asked_of_clients() {
    let claude = Upstream::always(message("hello")).await;
    let settings = Settings::shipped()
        .env("CLAUDE_BASE_URL", claude.url())
        .env("CLAUDE_API_KEY", "k")
        .env("RULEGATE_KEY", "the-clients-key");
    let router = Router::with(settings).await;
    assert_eq!(router.client().post("/v1/messages", ask()).await.status, 401);
    assert_eq!(router.client().get("/v1/health").await.status, 200, "a health check needs no key");
    let answer = router.client().with("x-api-key", "the-clients-key").post("/v1/messages", ask()).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
}

#[tokio::test]
async fn a_refused_key_of_the_router_is_no_login_of_the_clients() {
    let shipped = shipped().await;
    let quotes = |key: &str| {
        let message = format!("Incorrect API key provided: {key}");
        Reply::json(
            401,
            json!({ "type": "error", "error": { "type": "authentication_error", "message": message } }),
        )
    };
    shipped.claude.afterwards(quotes("key-of-claude"));
    shipped.deepseek.afterwards(quotes("key-of-deepseek"));
    shipped.kimi.afterwards(quotes("key-of-kimi"));
    for asked in [ask(), ask_stream()] {
        let answer = shipped.router.client().post("/v1/messages", asked).await;
        assert_eq!(
            (answer.status, answer.header("x-should-retry")),
            (502, Some("false")),
            "{}",
            answer.text()
        );
        let error = answer.json()["error"].clone();
        let said = error["message"].as_str().unwrap_or_default();
        // The one that is asked first; later one of those that cool down.
        let (provider, variable) =
            [("claude_pro", "CLAUDE_API_KEY"), ("deepseek", "DEEPSEEK_API_KEY"), ("kimi", "KIMI_API_KEY")]
                .into_iter()
                .find(|(provider, _)| said.starts_with(provider))
                .unwrap_or_default();
        assert!(
            said.contains(&format!("{provider} refuses this router's key for it ({variable})")),
            "{said}"
        );
        assert!(!answer.text().contains("key-of-"), "{}", answer.text());
        assert_eq!(error["type"], "api_error");
    }
}
