//! Recorded requests and whole answers through the shipped mapping: what leaves is what the other protocol allows.
//!
//! Like `recordings`, skipped where `RULEGATE_RECORDINGS` is not set.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Method};
use serde_json::{Value, json};

use rulegate::engine::Engine;
use rulegate::engine::exchange::Progress;
use rulegate::engine::health::Health;
use rulegate::engine::plan::{Answer, AnswerBody, Attempt, Incoming, Outcome, Plan, Step};

use crate::recordings::{engine, recorded_files};

const NOW: i64 = 1_790_000_000_000;
/// All that a chat completion request may hold here.
const KEYS: &[&str] = &[
    "model",
    "messages",
    "tools",
    "tool_choice",
    "parallel_tool_calls",
    "max_tokens",
    "max_completion_tokens",
    "temperature",
    "top_p",
    "stop",
    "thinking",
    "reasoning_effort",
    "response_format",
    "stream",
    "stream_options",
];

/// A recorded body; null for what is no JSON, such as a web page.
fn parsed(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap_or_default()
}

/// Begins a plan for this request and gives its first attempt.
fn attempt(engine: &Arc<Engine>, request: &Value) -> Result<(Plan, Health, Attempt), Answer> {
    let incoming = Incoming {
        id: "0123456789abcdefghijklmn".into(),
        method: Method::POST,
        path: "/v1/messages".into(),
        query: None,
        headers: HeaderMap::new(),
        body: Bytes::from(request.to_string()),
        now: NOW,
        seed: 1,
    };
    let mut plan = Plan::begin(engine.clone(), incoming)?;
    let mut health = Health::new();
    match plan.next(&mut health, NOW) {
        Step::Send(attempt) => Ok((plan, health, *attempt)),
        Step::Answer(answer) => Err(answer),
        Step::Wait(_) => panic!("nothing to wait for"),
    }
}

/// Panics where a request breaks a rule of chat completions that servers insist on.
fn judge_request(made: &Value) {
    for key in made.as_object().unwrap().keys() {
        assert!(KEYS.contains(&key.as_str()), "{key} is no member of the request");
    }
    let tools = made["tools"].as_array();
    assert!(tools.is_none_or(|tools| !tools.is_empty()), "an empty list of tools");
    for tool in tools.into_iter().flatten() {
        let function = &tool["function"];
        let name = function["name"].as_str().unwrap();
        assert!(tool["type"] == "function" && !name.is_empty() && name.len() <= 64, "{tool}");
        assert!(function["parameters"]["type"] == "object", "{tool}");
        assert!(function["parameters"].get("properties").is_some(), "{tool}");
    }
    for with_tools in ["tool_choice", "parallel_tool_calls"] {
        assert!(tools.is_some() || made.get(with_tools).is_none(), "{with_tools} without tools");
    }
    assert!(made["stream"] == true || made.get("stream_options").is_none());
    let mut open: BTreeSet<&str> = BTreeSet::new();
    let mut answering = false;
    for message in made["messages"].as_array().unwrap() {
        let content = &message["content"];
        match message["role"].as_str().unwrap() {
            "tool" => {
                assert!(answering, "a result stands right behind the calls: {message}");
                assert!(open.remove(message["tool_call_id"].as_str().unwrap()), "a call for {message}");
                assert!(content.is_string(), "{message}");
                continue;
            }
            "assistant" => {
                let calls = message["tool_calls"].as_array();
                assert!(content.is_string() || calls.is_some(), "{message}");
                let calls = calls.into_iter().flatten();
                open = calls.clone().map(|call| call["id"].as_str().unwrap()).collect();
                for call in calls {
                    let arguments = call["function"]["arguments"].as_str().unwrap();
                    assert!(serde_json::from_str::<Value>(arguments).unwrap().is_object(), "{call}");
                }
                answering = true;
            }
            "user" | "system" => {
                assert!(content.is_string() || content.as_array().is_some_and(|parts| !parts.is_empty()));
                for part in content.as_array().into_iter().flatten() {
                    assert!(
                        ["text", "image_url", "file"].contains(&part["type"].as_str().unwrap()),
                        "{part}"
                    );
                }
                answering = false;
            }
            role => panic!("a message of role {role}"),
        }
    }
}

#[test]
fn recorded_requests_become_requests_of_the_other_protocol() {
    let engine = engine();
    let mut count = 0;
    for file in recorded_files(".request.json") {
        let mut request = parsed(&file);
        let is_ours = file.to_string_lossy().contains("anthropic");
        if !is_ours || request["messages"].is_null() || request["max_tokens"].is_null() {
            continue;
        }
        for model in ["deepseek-v4-pro", "kimi-k2.5"] {
            request["model"] = json!(model);
            let attempt = match attempt(&engine, &request) {
                Ok((_, _, attempt)) => attempt,
                // A web search is for a provider that can search.
                Err(answer) if answer.status == 501 => {
                    let tools = request["tools"].as_array().unwrap();
                    let is_search =
                        |tool: &Value| tool["type"].as_str().is_some_and(|kind| kind.starts_with("web_"));
                    assert!(tools.iter().all(is_search), "{}", file.display());
                    continue;
                }
                Err(answer) => panic!("{}: {answer:?}", file.display()),
            };
            let made: Value = serde_json::from_slice(&attempt.request.body).unwrap();
            println!("{}", file.display());
            judge_request(&made);
            assert!(!made.to_string().contains("cache_control"));
            count += 1;
        }
    }
    println!("{count} requests");
}

#[test]
fn recorded_answers_become_answers_of_the_clients_protocol() {
    let engine = engine();
    let mut count = 0;
    for file in recorded_files(".response.json") {
        let recorded = parsed(&file);
        let choice = &recorded["choices"][0];
        if choice["message"].is_null() {
            continue;
        }
        println!("{}", file.display());
        let request = json!({ "model": "kimi-k2.5", "max_tokens": 9, "messages": [] });
        let (mut plan, mut health, attempt) = attempt(&engine, &request).unwrap();
        let mut exchange = attempt.exchange;
        exchange.head(200, &HeaderMap::new());
        exchange.feed(recorded.to_string().as_bytes());
        let Progress::Done(outcome @ Outcome::Whole(_)) = exchange.eof() else { panic!("an answer") };
        plan.observe(outcome, &mut health, NOW);
        let Step::Answer(answer) = plan.next(&mut health, NOW) else { panic!("it is given to the client") };
        let AnswerBody::Whole(body) = answer.body else { panic!("whole") };
        let made: Value = serde_json::from_slice(&body).unwrap();

        assert_eq!(
            (&made["type"], &made["role"], &made["model"]),
            (&json!("message"), &json!("assistant"), &json!("kimi-k2.5"))
        );
        let blocks = made["content"].as_array().unwrap();
        let of = |kind: &str| blocks.iter().filter(|block| block["type"] == kind).collect::<Vec<_>>();
        let text: String = of("text").iter().map(|block| block["text"].as_str().unwrap()).collect();
        let content = &choice["message"]["content"];
        let parts = content.as_array().into_iter().flatten().filter(|part| part["type"] == "text");
        let parts: String = parts.map(|part| part["text"].as_str().unwrap()).collect();
        assert_eq!(text, content.as_str().unwrap_or(&parts));
        assert!(of("text").iter().all(|block| block["text"] != ""));
        let calls = choice["message"]["tool_calls"].as_array().cloned().unwrap_or_default();
        assert_eq!(of("tool_use").len(), calls.len());
        for (block, call) in of("tool_use").iter().zip(&calls) {
            assert_eq!(block["name"], call["function"]["name"]);
            let id = block["id"].as_str().unwrap();
            assert!(
                !id.is_empty() && id.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-'),
                "{id}"
            );
            let arguments: Value =
                serde_json::from_str(call["function"]["arguments"].as_str().unwrap_or("{}")).unwrap();
            assert_eq!(block["input"], arguments);
        }
        let reason = made["stop_reason"].as_str().unwrap();
        let cut = choice["finish_reason"] == "length";
        assert_eq!(reason == "tool_use", !calls.is_empty() && !cut, "{reason}");
        assert!(made.get("stop_sequence").is_some());
        let usage = &made["usage"];
        let total = |name: &str| usage[name].as_i64().unwrap();
        let prompt =
            total("input_tokens") + total("cache_read_input_tokens") + total("cache_creation_input_tokens");
        let details = &recorded["usage"]["prompt_tokens_details"];
        let cached = ["cached_tokens", "cache_write_tokens"].map(|name| details[name].as_i64().unwrap_or(0));
        // Where a provider counts the cache twice, nothing is left over, and not less than that.
        let counted = recorded["usage"]["prompt_tokens"].as_i64().unwrap_or(0);
        assert_eq!(prompt, counted.max(cached.iter().sum()));
        assert!(total("output_tokens") >= recorded["usage"]["completion_tokens"].as_i64().unwrap_or(0));
        count += 1;
    }
    println!("{count} answers");
}
