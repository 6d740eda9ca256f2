//! Recorded streams of many providers through the shipped mapping: the blocks that leave are well formed, and no
//! character of what the provider said is lost or added, however the network cuts the bytes.
//!
//! The recordings are not part of the project: `RULEGATE_RECORDINGS` says where they are.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method};
use serde_json::{Value, json};

use rulegate::engine::Engine;
use rulegate::engine::exchange::Progress;
use rulegate::engine::health::Health;
use rulegate::engine::plan::{AnswerBody, Incoming, Outcome, Plan, Step};

const NOW: i64 = 1_790_000_000_000;

/// What was said: thinking, text, and the arguments of each tool call.
#[derive(Debug, Default, PartialEq)]
pub struct Said {
    pub thinking: String,
    pub text: String,
    pub calls: Vec<(String, String)>,
}

pub fn engine() -> Arc<Engine> {
    crate::rules::engine(&Path::new(env!("CARGO_MANIFEST_DIR")).join("rules/rules.yaml"))
}

/// The recorded files with this ending, or a plain word that there are none.
pub fn recorded_files(ending: &str) -> Vec<PathBuf> {
    fn walk(folder: &Path, ending: &str, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, ending, found);
            } else if path.to_string_lossy().ends_with(ending) {
                found.push(path);
            }
        }
    }
    let mut found = Vec::new();
    match std::env::var_os("RULEGATE_RECORDINGS") {
        Some(folder) => walk(Path::new(&folder), ending, &mut found),
        None => println!("SKIPPED: RULEGATE_RECORDINGS does not say where recorded traffic is"),
    }
    found.sort();
    found
}

/// The events of a stream as name and data. Simple on purpose: it is the judge of the real reader.
fn events(text: &str) -> Vec<(String, String)> {
    let field = |block: &str, name: &str| {
        let value = block.lines().find_map(|line| line.strip_prefix(name))?;
        Some(value.strip_prefix(' ').unwrap_or(value).to_owned())
    };
    let blocks = text.split("\n\n");
    blocks
        .filter_map(|block| Some((field(block, "event:").unwrap_or_default(), field(block, "data:")?)))
        .collect()
}

/// What a recording says, up to its end or its first error.
fn recorded(text: &str) -> (Said, bool) {
    let mut said = Said::default();
    let mut calls: BTreeMap<i64, usize> = BTreeMap::new();
    for (_, data) in events(text) {
        let Ok(chunk) = serde_json::from_str::<Value>(&data) else { continue };
        if !chunk["error"].is_null() {
            return (said, true);
        }
        let delta = &chunk["choices"][0]["delta"];
        let thought = ["reasoning_content", "reasoning"].iter().find_map(|name| delta[*name].as_str());
        said.thinking += thought
            .filter(|text| !text.is_empty())
            .map(str::to_owned)
            .unwrap_or_else(|| {
                let details = delta["reasoning_details"].as_array().into_iter().flatten();
                details.filter_map(|detail| detail["text"].as_str().or(detail["summary"].as_str())).collect()
            })
            .as_str();
        said.text += delta["content"].as_str().unwrap_or_default();
        for call in delta["tool_calls"].as_array().into_iter().flatten() {
            let at = *calls.entry(call["index"].as_i64().unwrap()).or_insert_with(|| {
                said.calls.push(Default::default());
                said.calls.len() - 1
            });
            let (name, arguments) = &mut said.calls[at];
            if name.is_empty() {
                *name = call["function"]["name"].as_str().unwrap_or_default().to_owned();
            }
            *arguments += call["function"]["arguments"].as_str().unwrap_or_default();
        }
    }
    (said, false)
}

/// Reads what a client got; panics where it breaks the grammar of the client's protocol.
pub fn read(text: &str) -> (Said, bool) {
    let mut said = Said::default();
    let (mut open, mut next) = (None, 0);
    let (mut stopped, mut failed, mut delta_seen) = (false, false, false);
    let all = events(text);
    for (at, (name, data)) in all.iter().enumerate() {
        let event: Value = serde_json::from_str(data).unwrap();
        let kind = event["type"].as_str().unwrap();
        assert_eq!(kind, name, "an event's name is its type");
        assert!(!stopped && !failed, "nothing follows the end: {data}");
        assert_eq!(at == 0, kind == "message_start", "message_start comes first, once: {data}");
        match kind {
            "message_start" => {
                assert!(event["message"]["usage"]["input_tokens"].is_number(), "{data}");
                assert!(event["message"]["id"].as_str().unwrap().starts_with("msg_"), "{data}");
            }
            "content_block_start" => {
                assert_eq!(open, None, "one block at a time: {data}");
                assert_eq!(event["index"], next, "numbers without gaps: {data}");
                let block = &event["content_block"];
                open = Some((next, block["type"].as_str().unwrap().to_owned()));
                next += 1;
                if block["type"] == "tool_use" {
                    assert!(
                        !block["id"].as_str().unwrap().is_empty() && block["input"] == json!({}),
                        "{data}"
                    );
                    said.calls.push((block["name"].as_str().unwrap().to_owned(), String::new()));
                }
            }
            "content_block_delta" => {
                let (index, block) = open.as_ref().expect("a delta stands in a block");
                assert_eq!(event["index"], *index, "{data}");
                let delta = &event["delta"];
                let text =
                    |member: &str| delta[member].as_str().unwrap_or_else(|| panic!("{data}")).to_owned();
                match (delta["type"].as_str().unwrap(), block.as_str()) {
                    ("text_delta", "text") => said.text += &text("text"),
                    ("thinking_delta", "thinking") => said.thinking += &text("thinking"),
                    ("signature_delta", "thinking") => assert!(text("signature").starts_with("rulegate.v1.")),
                    ("input_json_delta", "tool_use") => {
                        said.calls.last_mut().unwrap().1 += &text("partial_json");
                    }
                    (delta, block) => panic!("a {delta} in a {block}"),
                }
            }
            "content_block_stop" => {
                let (index, _) = open.take().expect("a block is open");
                assert_eq!(event["index"], index, "{data}");
            }
            "message_delta" => {
                assert_eq!(open, None, "all blocks are closed: {data}");
                assert!(event["delta"]["stop_reason"].is_string(), "{data}");
                assert!(event["delta"].get("stop_sequence").is_some(), "{data}");
                assert!(event["usage"]["output_tokens"].is_number(), "{data}");
                delta_seen = true;
            }
            "message_stop" => {
                assert!(delta_seen);
                stopped = true;
            }
            "error" => {
                assert!(
                    event["error"]["type"].is_string() && event["error"]["message"].is_string(),
                    "{data}"
                );
                failed = true;
            }
            "ping" => {}
            kind => panic!("an event of type {kind}"),
        }
    }
    assert!(stopped || failed, "a stream ends with message_stop or an error");
    (said, failed)
}

/// What the client gets when the provider's bytes arrive in pieces of `size`; `None` if an error came before any
/// content, so that another provider would be asked.
pub fn through(engine: &Arc<Engine>, bytes: &[u8], size: usize) -> Option<String> {
    let request = json!({ "model": "deepseek-v4-pro", "max_tokens": 9, "stream": true, "messages": [] });
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
    let mut plan = Plan::begin(engine.clone(), incoming).unwrap();
    let mut health = Health::new();
    let Step::Send(attempt) = plan.next(&mut health, NOW) else { panic!("a request is sent first") };
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

#[test]
fn recorded_streams_keep_their_grammar_and_every_character() {
    let engine = engine();
    let (mut whole, mut broken, mut moved) = (0, 0, 0);
    for file in recorded_files(".sse") {
        let bytes = std::fs::read(&file).unwrap();
        let text = String::from_utf8_lossy(&bytes);
        if !text.contains("chat.completion.chunk") {
            continue;
        }
        let (want, breaks) = recorded(&text);
        for size in [usize::MAX, 1024, 7, 1] {
            let shown = format!("{} in pieces of {size}", file.display());
            match through(&engine, &bytes, size) {
                Some(out) => {
                    let (have, failed) = read(&out);
                    assert_eq!((&have, failed), (&want, breaks), "{shown}");
                }
                None => assert!(breaks, "{shown}"),
            }
        }
        match through(&engine, &bytes, 1) {
            Some(_) if breaks => broken += 1,
            Some(_) => whole += 1,
            None => moved += 1,
        }
    }
    println!("{whole} whole streams, {broken} that break after their content began, {moved} before");
}

/// The same promise for streams cut anywhere: an end is never made up.
#[test]
fn a_cut_recording_never_looks_complete() {
    let engine = engine();
    for file in recorded_files(".sse") {
        let text = std::fs::read_to_string(&file).unwrap();
        if !text.contains("chat.completion.chunk") {
            continue;
        }
        let finish = text.find("\"finish_reason\":\"").unwrap_or(text.len());
        for part in 1..20 {
            let mut cut = finish * part / 20;
            while !text.is_char_boundary(cut) {
                cut -= 1;
            }
            if let Some(out) = through(&engine, &text.as_bytes()[..cut], 4096) {
                let (_, failed) = read(&out);
                assert!(failed, "{} cut at {cut}", file.display());
            }
        }
    }
}
