//! The tokens that answers tell: of whole answers and of streams, passed on and translated, through either door.

use serde_json::{Value, json};

use crate::support::rules::{FAILOVER, ask, ask_stream, message_stream, piece};
use crate::support::{Reply, Serving, Upstream, within};

fn rules(url: &str, speaks: &str) -> String {
    format!(
        r#"providers:
  one: {{ speaks: {speaks}, url: "{url}", key: k }}
  two: {{ speaks: {speaks}, url: "{url}", key: k, account: other }}
routes:
  - {{ path: /v1/messages, protocol: anthropic.messages }}
  - {{ path: /v1/chat/completions, protocol: openai.chat }}
{FAILOVER}"#
    )
}

/// The record of the latest request, once it is complete.
async fn latest(router: &Serving, is_stream: bool) -> Value {
    within("the decision is complete", async {
        loop {
            let mut page = router.client().get("/-/decisions?last=1").await.json();
            let latest = page["decisions"][0].take();
            if latest.is_object() && (!is_stream || latest["stream"].is_object()) {
                return latest;
            }
            tokio::task::yield_now().await;
        }
    })
    .await
}

/// A whole message with these counts.
fn message(usage: Value) -> Reply {
    let content = json!([{ "type": "text", "text": r#"{"usage":{"input_tokens":999}}"# }]);
    Reply::json(
        200,
        json!({ "id": "m", "type": "message", "role": "assistant", "model": "x", "content": content,
        "stop_reason": "end_turn", "stop_sequence": null, "usage": usage }),
    )
}

/// A whole completion with these counts.
fn completion(usage: Value) -> Reply {
    Reply::json(
        200,
        json!({ "id": "c", "object": "chat.completion", "created": 1, "model": "x", "usage": usage,
        "choices": [{ "index": 0, "message": { "role": "assistant", "content": "Hi" }, "finish_reason": "stop" }] }),
    )
}

/// A streamed completion, with `usage: null` in each chunk but the last one.
fn completion_stream(usage: Value) -> Reply {
    let mut words =
        piece(json!({ "role": "assistant", "content": r#"{"usage":{"prompt_tokens":999}}"# }), None);
    words["usage"] = Value::Null;
    let end = json!({ "id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "second-model",
        "choices": [], "usage": usage });
    Reply::stream().data(words).data(piece(json!({}), Some("stop"))).data(end).data("[DONE]")
}

#[tokio::test]
async fn tokens_are_told_by_whole_answers_and_streams_passed_on_and_translated() {
    let (anthropic, openai) = ("anthropic.messages", "openai.chat");
    let claude = || json!({ "input_tokens": 7, "cache_read_input_tokens": 30, "cache_creation_input_tokens": 4, "output_tokens": 5 });
    let gpt = || {
        json!({ "prompt_tokens": 41, "completion_tokens": 5, "total_tokens": 46,
        "prompt_tokens_details": { "cached_tokens": 30 }, "completion_tokens_details": { "reasoning_tokens": 2 } })
    };
    let all =
        |partial| json!({ "input": 7, "cache_read": 30, "cache_write": 4, "output": 5, "partial": partial });
    let gpts = json!({ "input": 11, "cache_read": 30, "output": 5, "reasoning": 2, "partial": false });
    let stream = |partial| json!({ "input": 3, "output": if partial { 1 } else { 5 }, "partial": partial });
    let odd = json!({ "prompt_tokens": 5, "completion_tokens": null, "total_tokens": 12, "prompt_cache_hit_tokens": 9 });
    let chunked = gpts.clone();
    let (whole, streamed) = (ask(), ask_stream());
    let table: Vec<(&str, &str, &Value, Reply, Value)> = vec![
        ("whole, passed on", anthropic, &whole, message(claude()), all(false)),
        ("whole, passed on", openai, &whole, completion(gpt()), gpts.clone()),
        ("whole, to the other door", anthropic, &whole, message(claude()), all(false)),
        (
            "numbers that do not fit",
            openai,
            &whole,
            completion(odd),
            json!({ "input": 0, "cache_read": 9, "output": 7, "partial": false }),
        ),
        ("nothing is said", anthropic, &whole, message(Value::Null), Value::Null),
        (
            "no numbers",
            anthropic,
            &whole,
            message(json!({ "input_tokens": "7", "output_tokens": -1.5 })),
            Value::Null,
        ),
        (
            "a stream",
            anthropic,
            &streamed,
            message_stream("{\"usage\":{\"input_tokens\":999}}", 6),
            stream(false),
        ),
        ("a stream", openai, &streamed, completion_stream(gpt()), chunked),
        ("a stream that breaks off", anthropic, &streamed, message_stream("cut", 3).cut(), stream(true)),
        (
            "a stream that breaks off",
            openai,
            &streamed,
            Reply::stream().data(piece(json!({ "content": "a" }), None)).cut(),
            Value::Null,
        ),
        ("whole where a stream was asked for", anthropic, &streamed, message(claude()), all(false)),
        ("whole where a stream was asked for", openai, &streamed, completion(gpt()), gpts),
        ("a stream where none was asked for", anthropic, &whole, message_stream("x", 6), stream(false)),
    ];
    for (what, speaks, ask, reply, expected) in table {
        for door in ["/v1/messages", "/v1/chat/completions"] {
            let one = Upstream::always(reply.clone()).await;
            let router = Serving::start(&rules(&one.url(), speaks)).await;
            router.client().post(door, ask).await;
            let told = latest(&router, ask["stream"] == true).await;
            assert_eq!(told["usage"], expected, "{what}: {speaks} for {door}: {told:#}");
        }
    }
}

#[tokio::test]
async fn a_protocol_that_is_like_another_one_tells_its_tokens_too() {
    let answer = json!({ "object": "list", "data": [{ "embedding": [0.5] }], "usage": { "prompt_tokens": 8, "total_tokens": 8 } });
    let one = Upstream::always(Reply::json(200, answer)).await;
    let rules = format!(
        "providers:\n  one: {{ speaks: openai.embeddings, url: \"{}\", key: k }}\nroutes:\n  - {{ path: /v1/embeddings, protocol: openai.embeddings }}\n",
        one.url()
    );
    let router = Serving::start(&rules.replace("key: k", "key: k, models: { m: m }")).await;
    router.client().post("/v1/embeddings", json!({ "model": "m", "input": "Hi" })).await;
    let told = latest(&router, false).await;
    assert_eq!(told["usage"], json!({ "input": 8, "output": 0, "partial": false }), "{told:#}");
}

#[tokio::test]
async fn tokens_are_counted_for_each_provider_and_model() {
    let one = Upstream::always(message_stream("Hi", 6)).await;
    let router = Serving::start(&rules(&one.url(), "anthropic.messages")).await;
    for _ in 0..2 {
        router.client().post("/v1/messages", ask_stream()).await;
        latest(&router, true).await;
    }
    let page = within("both are counted", async {
        loop {
            let page = router.client().get("/-/metrics").await.text();
            if page.contains(r#"rulegate_tokens_total{provider="one",model="big-model",kind="output"} 10"#) {
                return page;
            }
            tokio::task::yield_now().await;
        }
    });
    let page = page.await;
    assert!(
        page.contains(r#"rulegate_tokens_total{provider="one",model="big-model",kind="input"} 6"#),
        "{page}"
    );
    assert!(!page.contains("kind=\"cache_read\""), "{page}");
}
