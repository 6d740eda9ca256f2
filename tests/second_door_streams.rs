//! Streams of Anthropic messages for clients of OpenAI chat completions: recorded ones and made-up ones leave as
//! chunks that are well formed, no character is lost or added, and no end is made up.

use std::collections::BTreeMap;
use std::sync::Arc;

use http::{HeaderMap, HeaderValue};
use serde_json::{Value, json};

use rulegate::engine::Engine;
use rulegate::engine::exchange::Progress;
use rulegate::engine::plan::{AnswerBody, Outcome, Step};

use crate::recordings::{engine, recorded_files};
use crate::second_door::{Dice, NOW, attempt};

/// How many streams are made up.
const STREAMS: u64 = 400;

/// What was said: thinking, text, and the client's tool calls with their arguments.
#[derive(Debug, Default, PartialEq)]
struct Said {
    thinking: String,
    text: String,
    calls: Vec<(String, String, String)>,
    finish: Option<String>,
    /// Tokens: prompt, completion.
    usage: Option<(i64, i64)>,
}

/// The JSON of each `data:` line. Simple on purpose: it is the judge of the real reader.
fn data(text: &str) -> Vec<&str> {
    text.lines().filter_map(|line| line.strip_prefix("data:")).map(str::trim).collect()
}

/// What a stream of messages says.
fn sent(text: &str) -> Said {
    let mut said = Said::default();
    let mut calls: BTreeMap<i64, usize> = BTreeMap::new();
    let mut usage: BTreeMap<String, i64> = BTreeMap::new();
    for event in data(text) {
        let event: Value = serde_json::from_str(event).unwrap();
        let (block, delta) = (&event["content_block"], &event["delta"]);
        let index = event["index"].as_i64().unwrap_or(-1);
        match (event["type"].as_str().unwrap(), block["type"].as_str(), delta["type"].as_str()) {
            ("content_block_start", Some("text"), _) => said.text += block["text"].as_str().unwrap(),
            ("content_block_start", Some("tool_use"), _) => {
                calls.insert(index, said.calls.len());
                let of = |name: &str| block[name].as_str().unwrap().to_owned();
                let input =
                    if block["input"] == json!({}) { String::new() } else { block["input"].to_string() };
                said.calls.push((of("id"), of("name"), input));
            }
            ("content_block_delta", _, Some("text_delta")) => said.text += delta["text"].as_str().unwrap(),
            ("content_block_delta", _, Some("thinking_delta")) => {
                said.thinking += delta["thinking"].as_str().unwrap();
            }
            ("content_block_delta", _, Some("input_json_delta")) => {
                if let Some(at) = calls.get(&index) {
                    said.calls[*at].2 += delta["partial_json"].as_str().unwrap();
                }
            }
            _ => {}
        }
        for counts in [&event["message"]["usage"], &event["usage"]] {
            for (name, count) in counts.as_object().into_iter().flatten() {
                usage.extend(count.as_i64().map(|count| (name.clone(), count)));
            }
        }
        if let Some(reason) = delta["stop_reason"].as_str() {
            said.finish = Some(reason.to_owned());
        }
    }
    for (_, _, arguments) in said.calls.iter_mut().filter(|(_, _, arguments)| arguments.is_empty()) {
        arguments.push_str("{}");
    }
    let is_called = !said.calls.is_empty();
    said.finish = said.finish.map(|reason| {
        let stop = if is_called { "tool_calls" } else { "stop" };
        let cut = ["max_tokens", "model_context_window_exceeded"].contains(&reason.as_str());
        let reason = if cut {
            "length"
        } else if reason == "refusal" {
            "content_filter"
        } else {
            stop
        };
        reason.to_owned()
    });
    let count = |name: &str| usage.get(name).copied().unwrap_or(0);
    let prompt =
        count("input_tokens") + count("cache_read_input_tokens") + count("cache_creation_input_tokens");
    said.usage = Some((prompt, count("output_tokens")));
    said
}

/// Reads what a client got, and whether it is complete; panics where it breaks the grammar of chat completions.
fn read(text: &str) -> (Said, bool) {
    let mut said = Said::default();
    let all = data(text);
    let (mut done, mut failed) = (false, false);
    for (at, line) in all.iter().enumerate() {
        assert!(!done && !failed, "nothing follows the end: {line}");
        if *line == "[DONE]" {
            assert!(said.finish.is_some() && said.usage.is_some(), "a finish and the usage before the end");
            done = true;
            continue;
        }
        let chunk: Value = serde_json::from_str(line).unwrap();
        if !chunk["error"].is_null() {
            assert!(chunk["error"]["message"].is_string() && chunk["error"]["type"].is_string(), "{line}");
            failed = true;
            continue;
        }
        assert_eq!(chunk["object"], "chat.completion.chunk", "{line}");
        assert!(chunk["id"].as_str().unwrap().starts_with("chatcmpl-"), "{line}");
        assert_eq!(chunk["created"], NOW / 1000, "{line}");
        assert_eq!(chunk["model"], "claude-opus-4-6", "{line}");
        let choices = chunk["choices"].as_array().unwrap();
        let Some(choice) = choices.first() else {
            assert!(
                said.finish.is_some() && said.usage.is_none(),
                "usage comes once, after the finish: {line}"
            );
            let count = |name: &str| chunk["usage"][name].as_i64().unwrap();
            assert_eq!(count("total_tokens"), count("prompt_tokens") + count("completion_tokens"));
            said.usage = Some((count("prompt_tokens"), count("completion_tokens")));
            continue;
        };
        assert!(choices.len() == 1 && choice["index"] == 0, "{line}");
        assert_eq!(said.finish, None, "no choice after the finish: {line}");
        let delta = choice["delta"].as_object().unwrap();
        assert_eq!(at == 0, delta.contains_key("role"), "the role comes first, once: {line}");
        let known = ["role", "content", "reasoning_content", "tool_calls", "refusal"];
        assert!(delta.keys().all(|key| known.contains(&key.as_str())), "{line}");
        said.text += choice["delta"]["content"].as_str().unwrap_or_default();
        said.thinking += choice["delta"]["reasoning_content"].as_str().unwrap_or_default();
        for call in choice["delta"]["tool_calls"].as_array().into_iter().flatten() {
            let at = usize::try_from(call["index"].as_i64().unwrap()).unwrap();
            let function = &call["function"];
            if let Some(id) = call["id"].as_str() {
                assert_eq!(at, said.calls.len(), "numbers without gaps: {line}");
                assert_eq!(call["type"], "function", "{line}");
                said.calls.push((
                    id.to_owned(),
                    function["name"].as_str().unwrap().to_owned(),
                    String::new(),
                ));
            }
            said.calls[at].2 += function["arguments"].as_str().unwrap();
        }
        said.finish = choice["finish_reason"].as_str().map(str::to_owned);
        assert_eq!(said.finish.is_some(), delta.is_empty(), "the finish stands alone: {line}");
    }
    assert!(done || failed, "a stream ends with [DONE] or an error");
    (said, done)
}

/// What the client gets when the provider's bytes arrive in pieces of `size`; `None` if it failed before any
/// content, so that another provider would be asked.
fn through(engine: &Arc<Engine>, bytes: &[u8], size: usize) -> Option<String> {
    let request = json!({
        "model": "claude-opus-4-6",
        "messages": [{ "role": "user", "content": "x" }],
        "stream": true,
        "stream_options": { "include_usage": true },
    });
    let (mut plan, mut health, attempt) = attempt(engine, &request).unwrap();
    let mut exchange = Box::new(attempt.exchange);
    let mut headers = HeaderMap::new();
    headers.insert("content-type", HeaderValue::from_static("text/event-stream"));
    exchange.head(200, &headers);
    let mut out = Vec::new();
    for piece in bytes.chunks(size).map(Some).chain([None]) {
        let progress = match piece {
            Some(piece) => exchange.feed(piece),
            None => exchange.eof(),
        };
        match progress {
            Progress::More => {}
            Progress::Commit => {
                plan.observe(Outcome::Streaming(exchange), &mut health, NOW);
                exchange = match plan.next(&mut health, NOW) {
                    Step::Answer(answer) => match answer.body {
                        AnswerBody::Stream(exchange) => exchange,
                        AnswerBody::Whole(body) => panic!("a stream becomes a stream, not {body:?}"),
                    },
                    step => panic!("what has begun is answered, not {step:?}"),
                };
            }
            Progress::Done(Outcome::Failed(_)) => return None,
            Progress::Done(outcome) => panic!("{outcome:?}"),
        }
        out.extend(exchange.take_output());
        if exchange.finished() {
            return Some(String::from_utf8(out).unwrap());
        }
    }
    panic!("the answer is not complete");
}

/// All that is promised of a good stream, and of the same stream cut off.
fn judge(engine: &Arc<Engine>, text: &str, shown: &str) {
    let want = sent(text);
    for size in [usize::MAX, 1000, 7] {
        let out = through(engine, text.as_bytes(), size).unwrap_or_else(|| panic!("{shown} fails"));
        assert_eq!(read(&out), (Said { ..sent(text) }, true), "{shown} in pieces of {size}");
    }
    let last = text.find("\"stop_reason\":\"").unwrap();
    for part in 1..8 {
        let mut cut = last * part / 8;
        while !text.is_char_boundary(cut) {
            cut -= 1;
        }
        if let Some(out) = through(engine, &text.as_bytes()[..cut], 500) {
            let (said, complete) = read(&out);
            assert!(!complete && said.finish.is_none(), "{shown} cut at {cut}");
            assert!(
                want.text.starts_with(&said.text) && want.thinking.starts_with(&said.thinking),
                "{shown}"
            );
        }
    }
}

#[test]
fn recorded_streams_become_chunks() {
    let engine = engine();
    let mut count = 0;
    for file in recorded_files(".sse") {
        let text = std::fs::read_to_string(&file).unwrap();
        if text.contains("\"message_start\"") {
            judge(&engine, &text, &file.display().to_string());
            count += 1;
        }
    }
    println!("{count} streams");
}

/// A stream as Anthropic writes them, with blocks of all kinds in any order.
fn made_up(dice: &mut Dice) -> String {
    let mut events = vec![json!({ "type": "message_start", "message": {
        "id": "msg_1", "type": "message", "role": "assistant", "content": [], "stop_reason": null,
        "usage": { "input_tokens": dice.below(50), "cache_read_input_tokens": dice.below(9), "output_tokens": 1 },
    }})];
    if dice.below(9) == 0 {
        events.push(events[0].clone());
    }
    let mut called = false;
    for index in 0..dice.below(6) {
        let kind =
            dice.of(&["text", "text", "thinking", "tool_use", "tool_use", "server_tool_use", "brand_new"]);
        let (block, delta) = match kind {
            "text" => (json!({ "type": kind, "text": dice.of(&["", "é"]) }), ("text_delta", "text")),
            "thinking" => (json!({ "type": kind, "thinking": "" }), ("thinking_delta", "thinking")),
            "tool_use" => {
                called = true;
                let block = json!({ "type": kind, "id": format!("toolu_{index}"), "name": "f", "input": {} });
                (block, ("input_json_delta", "partial_json"))
            }
            "server_tool_use" => {
                let block =
                    json!({ "type": kind, "id": format!("srvtoolu_{index}"), "name": "s", "input": {} });
                (block, ("input_json_delta", "partial_json"))
            }
            _ => (json!({ "type": kind, "content": "x" }), ("brand_new_delta", "content")),
        };
        events.push(json!({ "type": "content_block_start", "index": index, "content_block": block }));
        for _ in 0..dice.below(4) {
            let part = dice.of(&["", "a", "{\"x\":\"y\"}", "\n\u{1F600} "]);
            events.push(json!({ "type": "content_block_delta", "index": index, "delta": { "type": delta.0, (delta.1): part } }));
            if dice.below(6) == 0 {
                events.push(json!({ "type": "ping" }));
            }
        }
        if dice.below(9) > 0 {
            events.push(json!({ "type": "content_block_stop", "index": index }));
        }
    }
    let reason = dice.of(&["end_turn", "stop_sequence", "max_tokens", "refusal", "pause_turn"]);
    let reason = if called && dice.below(3) > 0 { "tool_use" } else { reason };
    events.push(json!({ "type": "message_delta", "delta": { "stop_reason": reason }, "usage": { "output_tokens": dice.below(90) } }));
    if dice.below(9) > 0 {
        events.push(json!({ "type": "message_stop" }));
    }
    let framed = |event: &Value| format!("event: {}\ndata: {event}\n\n", event["type"].as_str().unwrap());
    events.iter().map(framed).collect()
}

#[test]
fn made_up_streams_become_chunks() {
    let engine = engine();
    for seed in 1..=STREAMS {
        judge(&engine, &made_up(&mut Dice::new(seed)), &format!("number {seed}"));
    }
}

/// Bug 53 and its sisters: what breaks after content began is told in the client's words, and nothing follows it.
#[test]
fn a_stream_that_breaks_is_told_in_the_clients_words() {
    let engine = engine();
    let start = json!({ "type": "message_start", "message": { "id": "msg_1" } });
    let text = json!({ "type": "content_block_delta", "index": 0, "delta": { "type": "text_delta", "text": "Hel" } });
    let other = json!({ "type": "message_start", "message": { "id": "msg_2" } });
    let error = |kind: &str| json!({ "type": "error", "error": { "type": kind, "message": "told" } });
    let broken = [
        (vec![&start, &text], "server_error", json!(null)),
        (vec![&start, &text, &other], "server_error", json!(null)),
        (vec![&start, &text, &error("overloaded_error")], "server_error", json!("overloaded")),
        (vec![&start, &text, &error("rate_limit_error")], "rate_limit_error", json!("rate_limit_exceeded")),
    ]
    .map(|(events, kind, code)| {
        let framed = events.iter().map(|event| format!("data: {event}\n\n")).collect::<String>();
        (framed, kind, code)
    });
    for (sent, kind, code) in broken {
        let out = through(&engine, sent.as_bytes(), 50).unwrap();
        let (said, complete) = read(&out);
        assert!(!complete && said.text == "Hel" && said.finish.is_none(), "{out}");
        let last: Value = serde_json::from_str(data(&out).last().unwrap()).unwrap();
        assert_eq!((&last["error"]["type"], &last["error"]["code"]), (&json!(kind), &code), "{out}");
    }
    let early = format!("data: {start}\n\ndata: {}\n\n", error("overloaded_error"));
    assert_eq!(through(&engine, early.as_bytes(), 50), None, "before content the next provider is asked");
}
