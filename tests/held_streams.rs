//! What a stream that is not the client's yet is waited for: its first content, and from there on only its next piece,
//! whatever holds it back.

use std::path::Path;
use std::sync::Arc;

use http::{HeaderMap, Method};
use rulegate::config::files::Memory;
use rulegate::config::load::load;
use rulegate::engine::exchange::{Awaits, Exchange, Progress};
use rulegate::engine::failure::Phase;
use rulegate::engine::health::Health;
use rulegate::engine::plan::{Incoming, Plan, Step};
use serde_json::{Value, json};

const NOW: i64 = 1_755_800_000_000;

/// The exchange of a request for a stream, whose provider speaks this protocol.
fn exchange(path: &str, speaks: &str) -> Exchange {
    let rules = format!(
        r#"include: [ "builtin:protocols/*.yaml", "builtin:mappings/*.yaml" ]
providers: {{ only: {{ speaks: {speaks}, url: "https://only.example", key: k }} }}
routes:
  - {{ path: /v1/messages, protocol: anthropic.messages }}
  - {{ path: /v1/chat/completions, protocol: openai.chat }}
failover: [ {{ name: notice, when: {{ answer_text: "You.ve hit your limit" }}, do: next }} ]
"#
    );
    let mut loaded = load(&Memory::new([("rules.yaml", rules.as_str())]), Path::new("rules.yaml"), &|_| None);
    let rules = loaded.rules.take().unwrap();
    let engine = rulegate::engine::build(&rules, "", &mut loaded.diagnostics);
    assert!(!loaded.diagnostics.has_errors(), "{}", loaded.diagnostics.render(&loaded.sources, false));
    let engine = Arc::new(engine.unwrap());
    let mut health = Health::new();
    health.adopt(&engine);
    let body = json!({ "model": "m", "max_tokens": 9, "stream": true, "messages": [{ "role": "user", "content": "hi" }] });
    let incoming = Incoming {
        id: "id".to_owned(),
        method: Method::POST,
        path: path.to_owned(),
        query: None,
        headers: HeaderMap::new(),
        body: body.to_string().into(),
        now: NOW,
        seed: 1,
    };
    let Ok(mut plan) = Plan::begin(engine, incoming) else { panic!("the request is refused") };
    match plan.next(&mut health, NOW) {
        Step::Send(attempt) => attempt.exchange,
        _ => panic!("nobody is asked"),
    }
}

fn event(data: &Value) -> String {
    format!("data: {data}\n\n")
}

/// The head of a stream without content, and first contents, of which the first may begin a notice.
fn stream(speaks: &str) -> (Vec<Value>, Vec<Value>) {
    let chunk = |delta: Value| json!({ "id": "c", "choices": [{ "index": 0, "delta": delta, "finish_reason": null }] });
    let part = |delta: Value| json!({ "type": "content_block_delta", "index": 0, "delta": delta });
    let call =
        json!({ "index": 0, "id": "t", "type": "function", "function": { "name": "f", "arguments": "" } });
    match speaks {
        "openai.chat" => (
            vec![chunk(json!({ "role": "assistant", "content": "" }))],
            vec![
                chunk(json!({ "content": "You" })),
                chunk(json!({ "reasoning_content": "Hm" })),
                chunk(json!({ "reasoning": "Hm" })),
                chunk(json!({ "tool_calls": [call] })),
            ],
        ),
        _ => (
            vec![
                json!({ "type": "message_start", "message": { "id": "m", "type": "message", "role": "assistant",
                    "model": "m", "content": [], "usage": { "input_tokens": 1, "output_tokens": 1 } } }),
                json!({ "type": "ping" }),
            ],
            vec![
                part(json!({ "type": "text_delta", "text": "You" })),
                part(json!({ "type": "thinking_delta", "thinking": "Hm" })),
                json!({ "type": "content_block_start", "index": 0,
                    "content_block": { "type": "tool_use", "id": "t", "name": "f", "input": {} } }),
            ],
        ),
    }
}

#[test]
fn a_stream_that_is_held_back_with_content_is_no_longer_waited_for_content() {
    for path in ["/v1/messages", "/v1/chat/completions"] {
        for speaks in ["anthropic.messages", "openai.chat"] {
            let (head, contents) = stream(speaks);
            for (place, content) in contents.iter().enumerate() {
                let shown = format!("{path}, {speaks}: {content}");
                let mut exchange = exchange(path, speaks);
                assert_eq!(exchange.awaits(), Awaits::FirstByte);
                exchange.head(200, &HeaderMap::new());
                for event_ in &head {
                    assert!(matches!(exchange.feed(event(event_).as_bytes()), Progress::More), "{shown}");
                    assert_eq!(
                        (exchange.awaits(), exchange.phase()),
                        (Awaits::Content, Phase::Content),
                        "{shown}"
                    );
                }
                let progress = exchange.feed(event(content).as_bytes());
                assert_eq!(exchange.awaits(), Awaits::More, "{shown}");
                if place == 0 {
                    // Words that may begin a notice: for the rules it has not begun, since another can still be asked.
                    assert!(matches!(progress, Progress::More), "{shown}");
                    assert!(matches!(exchange.feed(b": keep-alive\n\n"), Progress::More), "{shown}");
                    assert_eq!(
                        (exchange.awaits(), exchange.phase()),
                        (Awaits::More, Phase::Content),
                        "{shown}"
                    );
                    assert!(matches!(exchange.release(), Progress::Commit), "{shown}");
                }
                assert_eq!(exchange.awaits(), Awaits::More, "{shown}");
            }
        }
    }
}

#[test]
fn a_stream_that_is_held_back_without_content_is_not_given_to_the_client() {
    for path in ["/v1/messages", "/v1/chat/completions"] {
        for speaks in ["anthropic.messages", "openai.chat"] {
            let mut exchange = exchange(path, speaks);
            exchange.head(200, &HeaderMap::new());
            for event_ in &stream(speaks).0 {
                exchange.feed(event(event_).as_bytes());
                assert!(matches!(exchange.release(), Progress::More), "{path}, {speaks}");
            }
            assert_eq!(exchange.awaits(), Awaits::Content, "{path}, {speaks}");
        }
    }
}
