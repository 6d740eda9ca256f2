//! Rules, requests and answers that the end-to-end tests share.

use serde_json::{Value, json};

use super::{Gate, Reply};

/// The shipped protocols and mappings, and timeouts that no busy machine runs into.
pub const BASE: &str = r#"
include: [ "builtin:protocols/*.yaml", "builtin:mappings/*.yaml" ]
timeouts: { connect: 1m, first_byte: 1m, idle: 1m, whole: 1m, total: 10m }
routes:
  - { path: /v1/messages, protocol: anthropic.messages }
"#;

/// Failover rules for what can go wrong, one name for each kind.
pub const FAILOVER: &str = r#"
failover:
  - name: usage-limit
    when: { text: 'usage limit reached\|(?<reset>\d{10})' }
    do: next
    cool_down: { until: [ $match.reset ], else: 1h }
  - name: overloaded
    when: { any: [ { status: 529 }, { $.error.type: overloaded_error } ] }
    do: { retry: 1, backoff: 1ms, then: next }
    cool_down: 10s
  - name: limited
    when: { status: 429 }
    do: next
    cool_down: { until: [ $header.retry-after ], else: 30s }
  - name: broken
    when: { status: 5xx }
    do: next
    cool_down: 30s
  - name: no-connection
    when: { failure: [ connect, connect_timeout, dns, tls ] }
    do: next
    cool_down: 30s
  - name: hung-up
    when: { failure: [ closed, reset ] }
    do: next
    cool_down: 30s
  - name: silent
    when: { failure: [ first_byte_timeout, first_content_timeout, whole_timeout, idle_timeout, total_timeout ] }
    do: next
    cool_down: 30s
  - name: no-answer
    when: { failure: [ empty, malformed, cut_off, in_stream ] }
    do: next
    cool_down: 30s
  - name: mistake
    when: { status: 4xx }
    do: return
"#;

/// Two providers: `first` speaks the client's protocol, `second` another one.
pub fn two(first: &str, second: &str) -> String {
    format!(
        r#"{BASE}
providers:
  first: {{ speaks: anthropic.messages, url: "{first}", key: first-key }}
  second: {{ speaks: openai.chat, url: "{second}", key: second-key, models: {{ "*": second-model }} }}
{FAILOVER}"#
    )
}

/// The same rules, but for these things nobody waits long for `first`: `first_byte`, `idle`, or both.
pub fn hurried(rules: &str, timers: &[&str]) -> String {
    let timers: Vec<String> = timers.iter().map(|timer| format!("{timer}: 400ms")).collect();
    rules.replace("key: first-key", &format!("key: first-key, timeouts: {{ {} }}", timers.join(", ")))
}

/// A client's question.
pub fn ask() -> Value {
    json!({ "model": "big-model", "max_tokens": 64, "messages": [{ "role": "user", "content": "Hello?" }] })
}

/// The same, as a stream.
pub fn ask_stream() -> Value {
    let mut ask = ask();
    ask["stream"] = json!(true);
    ask
}

/// A whole answer in the client's protocol.
pub fn message(text: &str) -> Reply {
    Reply::json(
        200,
        json!({
            "id": "msg_01", "type": "message", "role": "assistant", "model": "big-model",
            "content": [{ "type": "text", "text": text }],
            "stop_reason": "end_turn", "stop_sequence": null,
            "usage": { "input_tokens": 3, "output_tokens": 5 }
        }),
    )
}

/// A whole answer in the other protocol.
pub fn completion(text: &str) -> Reply {
    Reply::json(
        200,
        json!({
            "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "second-model",
            "choices": [{ "index": 0, "message": { "role": "assistant", "content": text }, "finish_reason": "stop" }],
            "usage": { "prompt_tokens": 3, "completion_tokens": 5, "total_tokens": 8 }
        }),
    )
}

/// The events of a stream in the client's protocol, as (name, data): the first two are no content yet.
pub fn message_events(text: &str) -> Vec<(&'static str, Value)> {
    vec![
        (
            "message_start",
            json!({ "type": "message_start", "message": { "id": "msg_01", "type": "message", "role": "assistant",
                "model": "big-model", "content": [], "stop_reason": null, "stop_sequence": null,
                "usage": { "input_tokens": 3, "output_tokens": 1 } } }),
        ),
        (
            "content_block_start",
            json!({ "type": "content_block_start", "index": 0, "content_block": { "type": "text", "text": "" } }),
        ),
        (
            "content_block_delta",
            json!({ "type": "content_block_delta", "index": 0, "delta": { "type": "text_delta", "text": text } }),
        ),
        ("content_block_stop", json!({ "type": "content_block_stop", "index": 0 })),
        (
            "message_delta",
            json!({ "type": "message_delta", "delta": { "stop_reason": "end_turn", "stop_sequence": null },
                "usage": { "output_tokens": 5 } }),
        ),
        ("message_stop", json!({ "type": "message_stop" })),
    ]
}

/// A stream in the client's protocol, up to and without the event of this place.
pub fn message_stream(text: &str, upto: usize) -> Reply {
    message_events(text)
        .iter()
        .take(upto)
        .fold(Reply::stream(), |reply, (name, data)| reply.event(name, data))
}

/// A stream in the client's protocol whose content is sent at once, and whose end waits for the gate.
pub fn held_before_its_end(text: &str, gate: &Gate) -> Reply {
    message_stream(text, 3).stall(gate).event("message_stop", json!({ "type": "message_stop" }))
}

/// One piece of a stream in the other protocol.
pub fn piece(delta: Value, finish: Option<&str>) -> Value {
    json!({ "id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "second-model",
        "choices": [{ "index": 0, "delta": delta, "finish_reason": finish }] })
}

/// A whole stream in the other protocol, one piece for each text.
pub fn completion_stream(texts: &[&str]) -> Reply {
    let start = Reply::stream().data(piece(json!({ "role": "assistant", "content": "" }), None));
    let told = texts.iter().fold(start, |reply, text| reply.data(piece(json!({ "content": text }), None)));
    told.data(piece(json!({}), Some("stop"))).data("[DONE]")
}

/// The text that a client reads from the events of a stream, and whether it came to its good end.
pub fn told(events: &[(String, String)]) -> (String, bool) {
    let mut text = String::new();
    for (_, data) in events {
        let data: Value = serde_json::from_str(data).expect("an event's data is JSON");
        text.push_str(data["delta"]["text"].as_str().unwrap_or_default());
    }
    (text, events.last().is_some_and(|(name, _)| name == "message_stop"))
}
