//! A stream that breaks off and is gone on with by the next provider: on real sockets, and at every place where it can be cut.
//! What is possible and what is not is told by the tests in tests/rules/continue.yaml.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Method};
use rulegate::engine::Engine;
use rulegate::engine::exchange::{Exchange, Progress};
use rulegate::engine::failure::{Failure, FailureKind};
use rulegate::engine::health::Health;
use rulegate::engine::plan::{AnswerBody, Incoming, Outcome, Plan, Step};
use serde_json::{Value, json};

use crate::recordings::read;
use crate::support::rules::{ask_stream, completion_stream, hurried, message_events, piece, told, two};
use crate::support::{Gate, Reply, Router, Upstream};

/// The rules of [`two`], with `continue` and this at the route.
fn resuming(first: &str, second: &str, more: &str) -> String {
    let route = format!("protocol: anthropic.messages, continue: true{more} }}");
    two(first, second).replace("protocol: anthropic.messages }", &route)
}

/// A stream in the client's protocol that has come this far into a text.
fn begun(text: &str) -> Reply {
    let events = message_events(text);
    events.iter().take(3).fold(Reply::stream(), |reply, (name, data)| reply.event(name, data))
}

#[tokio::test]
async fn the_next_provider_goes_on_whatever_cut_the_first_off() {
    let error = json!({ "type": "error", "error": { "type": "overloaded_error", "message": "Overloaded" } });
    let table = [
        (begun("one ").reset(), "hung-up", &[][..]),
        (begun("one ").cut(), "hung-up", &[]),
        (begun("one "), "no-answer", &[]),
        (begun("one ").event("error", error), "overloaded", &[]),
        (begun("one ").stall(&Gate::new()), "silent", &["idle"]),
    ];
    for (reply, rule, timers) in table {
        let first = Upstream::always(reply).await;
        let second = Upstream::always(completion_stream(&["two", " three"])).await;
        let rules = hurried(&resuming(&first.url(), &second.url(), ""), timers);
        let router = Router::start(rules).await;
        let answer = router.client().post("/v1/messages", ask_stream()).await;
        let events = answer.events();
        assert_eq!(told(&events), ("one two three".to_owned(), true), "{}\n{}", answer.text(), router.log());
        assert_eq!(answer.text().matches("event: message_start").count(), 1, "{}", answer.text());
        assert_eq!((first.count(), second.count(), answer.complete), (1, 1, true));
        let sent = second.only().json();
        assert_eq!(sent["messages"][1], json!({ "role": "assistant", "content": "one" }), "{sent}");
        router.logged(&["WARN", "second resumes the stream of first after 3 characters", rule]).await;
        let client = router.client();
        let page = client.get("/-/decisions?last=1").await.json();
        let record = &page["decisions"][0];
        let actions = [&record["attempts"][0]["action"], &record["attempts"][0]["rule"]];
        assert_eq!(actions, [&json!("continue"), &json!(rule)], "{record}");
        assert_eq!(record["failed"], true, "{record}");
        assert_eq!(record["attempts"][1]["provider"], "second", "{record}");
        assert_eq!(record["stream"]["ended"], "complete", "{record}");
        let metrics = client.get("/-/metrics").await.text();
        for line in [
            format!(r#"rulegate_streams_resumed_total{{rule="{rule}",from="first",to="second"}} 1"#),
            r#"rulegate_attempts_total{provider="second",outcome="answered",status="200"} 1"#.to_owned(),
            r#"rulegate_streams_total{provider="second",end="complete"} 1"#.to_owned(),
        ] {
            assert!(metrics.contains(&line), "{line}\n{metrics}");
        }
    }
}

#[tokio::test]
async fn a_tool_call_that_is_cut_off_is_told_as_an_error() {
    let call = json!({ "type": "content_block_start", "index": 1,
        "content_block": { "type": "tool_use", "id": "toolu_1", "name": "look", "input": {} } });
    let stop = json!({ "type": "content_block_stop", "index": 0 });
    let reply = begun("one").event("content_block_stop", stop).event("content_block_start", call).reset();
    let first = Upstream::always(reply).await;
    let second = Upstream::always(completion_stream(&["never"])).await;
    let router = Router::start(resuming(&first.url(), &second.url(), "")).await;
    let answer = router.client().post("/v1/messages", ask_stream()).await;
    assert_eq!(answer.events().last().unwrap().0, "error", "{}", answer.text());
    assert_eq!(second.count(), 0);
}

#[tokio::test]
async fn when_nobody_can_go_on_the_client_is_told_what_broke_its_stream() {
    let first = Upstream::always(begun("one").reset()).await;
    let second = Upstream::always(Reply::json(400, json!({ "error": { "message": "no" } }))).await;
    let router = Router::start(resuming(&first.url(), &second.url(), "")).await;
    let answer = router.client().post("/v1/messages", ask_stream()).await;
    let events = answer.events();
    assert_eq!((told(&events), second.count()), (("one".to_owned(), false), 1), "{}", answer.text());
    let (name, data) = events.last().unwrap();
    assert!(name == "error" && data.contains("connection"), "{}", answer.text());
    router.logged(&["WARN", "no provider resumes the stream of first"]).await;
    let page = router.client().get("/-/decisions?last=1").await.json();
    assert_eq!(page["decisions"][0]["stream"]["ended"], "broken", "{page}");
}

#[tokio::test]
async fn while_somebody_is_sought_the_client_hears_signs_of_life_and_its_leaving_ends_the_search() {
    let first = Upstream::always(begun("one").reset()).await;
    let gate = Gate::new();
    let stalls = Reply::stream().stall(&gate).data(piece(json!({ "content": " two" }), Some("stop")));
    let second = Upstream::always(stalls.data("[DONE]")).await;
    let rules = resuming(&first.url(), &second.url(), ", keep_alive: { every: 50ms }");
    let router = Router::start(rules).await;
    let mut stream = router.client().stream("/v1/messages", ask_stream()).await;
    gate.reached().await;
    let so_far = stream.until("event: ping\n").await;
    assert!(so_far.contains("one"), "{so_far}");
    drop(stream);
    second.only().hung_up().await;
}

/// Plays a stream to its end, or to where it is cut off.
fn stream(exchange: &mut Exchange, pieces: &mut dyn Iterator<Item = Piece>, out: &mut Vec<u8>) {
    loop {
        out.extend(exchange.take_output());
        if exchange.finished() || exchange.cut().is_some() {
            return;
        }
        drop(pieces.next().unwrap().give(exchange));
    }
}

enum Piece {
    Bytes(Vec<u8>),
    Eof,
    Reset,
}

impl Piece {
    fn give(self, exchange: &mut Exchange) -> Progress {
        match self {
            Piece::Bytes(bytes) => exchange.feed(&bytes),
            Piece::Eof => exchange.eof(),
            Piece::Reset => exchange.broke(Failure::new(FailureKind::Reset, "")),
        }
    }
}

/// What a client reads, and how many providers were asked. Each answers what comes next, in pieces of `size`, and the first
/// is cut off after its text.
fn play(engine: &Arc<Engine>, ask: &Value, path: &str, answers: &[&str], size: usize) -> (String, usize) {
    let incoming = Incoming {
        id: "0123456789abcdefghijklmn".into(),
        method: Method::POST,
        path: path.into(),
        query: None,
        headers: HeaderMap::new(),
        body: Bytes::from(ask.to_string()),
        now: 0,
        seed: 1,
    };
    let mut plan = Plan::begin(engine.clone(), incoming).unwrap();
    let (mut health, mut out, mut asked) = (Health::new(), Vec::new(), 0);
    let mut broken: Option<Box<Exchange>> = None;
    let mut rest: Box<dyn Iterator<Item = Piece>> = Box::new(std::iter::empty());
    loop {
        match plan.next(&mut health, 0) {
            Step::Wait(_) => panic!("nobody waits here"),
            Step::Send(attempt) => {
                let text = answers.get(asked).expect("nobody is asked twice").as_bytes().to_vec();
                asked += 1;
                let end = if asked < answers.len() { Piece::Reset } else { Piece::Eof };
                let chunks: Vec<_> = text.chunks(size).map(|bytes| Piece::Bytes(bytes.to_vec())).collect();
                rest = Box::new(chunks.into_iter().chain([end]));
                let mut exchange = attempt.exchange;
                exchange.head(200, &HeaderMap::new());
                let outcome = loop {
                    match rest.next().unwrap().give(&mut exchange) {
                        Progress::More => {}
                        Progress::Commit => break Outcome::Streaming(Box::new(exchange)),
                        Progress::Done(outcome) => break outcome,
                    }
                };
                plan.observe(outcome, &mut health, 0);
            }
            Step::Answer(answer) => {
                let mut exchange = match (answer.body, broken.take()) {
                    (AnswerBody::Stream(exchange), _) => exchange,
                    (_, Some(mut broken)) => {
                        broken.give_up();
                        broken
                    }
                    (AnswerBody::Whole(body), None) => {
                        return (String::from_utf8(body.to_vec()).unwrap(), asked);
                    }
                };
                stream(&mut exchange, &mut rest, &mut out);
                if exchange.cut().is_some() {
                    if plan.broke_off(&exchange, &mut health, 0) {
                        broken = Some(exchange);
                        continue;
                    }
                    exchange.give_up();
                    stream(&mut exchange, &mut std::iter::empty(), &mut out);
                }
                return (String::from_utf8(out).unwrap(), asked);
            }
        }
    }
}

/// A stream that thinks, speaks and calls a tool, in Anthropic's words; and what of it is text.
fn anthropic_stream() -> (String, String) {
    let words = ["Let me ", "look \n\n", "in ", "the", " book.  "];
    let mut events = vec![
        json!({ "type": "message_start", "message": { "id": "msg_1", "usage": { "input_tokens": 3, "output_tokens": 1 } } }),
        json!({ "type": "content_block_start", "index": 0, "content_block": { "type": "thinking", "thinking": "", "signature": "" } }),
        json!({ "type": "content_block_delta", "index": 0, "delta": { "type": "thinking_delta", "thinking": "hm" } }),
        json!({ "type": "content_block_delta", "index": 0, "delta": { "type": "signature_delta", "signature": "rulegate.v1.x" } }),
        json!({ "type": "content_block_stop", "index": 0 }),
        json!({ "type": "content_block_start", "index": 1, "content_block": { "type": "text", "text": "" } }),
    ];
    events.extend(words.map(|word| {
        json!({ "type": "content_block_delta", "index": 1, "delta": { "type": "text_delta", "text": word } })
    }));
    events.extend([
        json!({ "type": "content_block_stop", "index": 1 }),
        json!({ "type": "content_block_start", "index": 2, "content_block": { "type": "tool_use", "id": "t", "name": "n", "input": {} } }),
        json!({ "type": "content_block_delta", "index": 2, "delta": { "type": "input_json_delta", "partial_json": "{}" } }),
        json!({ "type": "content_block_stop", "index": 2 }),
        json!({ "type": "message_delta", "delta": { "stop_reason": "tool_use", "stop_sequence": null }, "usage": { "output_tokens": 9 } }),
        json!({ "type": "message_stop" }),
    ]);
    let framed =
        events.iter().map(|event| format!("event: {}\ndata: {event}\n\n", event["type"].as_str().unwrap()));
    (framed.collect(), words.concat())
}

fn chat_stream(words: &[&str]) -> String {
    let mut chunks: Vec<Value> = words.iter().map(|word| piece(json!({ "content": word }), None)).collect();
    chunks.insert(0, piece(json!({ "role": "assistant", "content": "" }), None));
    chunks.push(piece(json!({}), Some("stop")));
    chunks.iter().map(|chunk| format!("data: {chunk}\n\n")).chain(["data: [DONE]\n\n".to_owned()]).collect()
}

#[test]
fn wherever_a_stream_is_cut_off_the_client_reads_one_message_or_an_error() {
    let engine =
        crate::rules::engine(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/rules/continue.yaml"));
    let ask = json!({ "model": "m", "max_tokens": 99, "stream": true, "messages": [{ "role": "user", "content": "x" }] });
    let (whole, text) = anthropic_stream();
    let rest = chat_stream(&["and", " so on."]);
    let call = whole.find("tool_use").unwrap();
    let complete = whole.find("event: message_stop").unwrap();
    let first_word = whole.find("Let me ").unwrap();
    let (mut went_on, mut told) = (0, 0);
    for cut in 0..whole.len() {
        for size in [usize::MAX, 7] {
            let (out, asked) = play(&engine, &ask, "/v1/messages", &[&whole[..cut], &rest], size);
            let (said, failed) = read(&out);
            if asked == 1 {
                // Without the finish that must be an error, and there must be a reason.
                assert_eq!(failed, cut < complete, "cut at {cut}: {out}");
                assert!(!failed || cut >= call || said.text.is_empty(), "cut at {cut}: {out}");
                told += 1;
                continue;
            }
            assert!(!failed && said.calls.is_empty(), "cut at {cut}: {out}");
            if cut < first_word {
                assert_eq!(said.text, "and so on.");
            } else {
                // Nothing is lost or said twice; only the white space at the seam may be either's.
                let (before, after) = said.text.split_at(said.text.len() - "and so on.".len());
                assert!(text.starts_with(before) && after == "and so on.", "cut at {cut}: {out}");
                went_on += 1;
            }
        }
    }
    assert!(went_on > 500 && told > 500, "{went_on} {told}");
}

#[test]
fn wherever_a_chat_is_cut_off_the_client_reads_one_answer() {
    let engine =
        crate::rules::engine(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/rules/continue.yaml"));
    let ask = json!({ "model": "prefill", "stream": true, "messages": [{ "role": "user", "content": "x" }] });
    let words = ["One ", "two \n", "three"];
    let whole = chat_stream(&words);
    let rest = chat_stream(&[" four", " five "]).replace("chatcmpl-1", "chatcmpl-2");
    for cut in 0..whole.find("\"stop\"").unwrap() {
        let (out, asked) = play(&engine, &ask, "/v1/chat/completions", &[&whole[..cut], &rest], 11);
        let lines = out.lines().filter_map(|line| line.strip_prefix("data: "));
        let chunks: Vec<&str> = lines.collect();
        assert_eq!((asked, chunks.last()), (2, Some(&"[DONE]")), "cut at {cut}: {out}");
        let chunks: Vec<Value> =
            chunks[..chunks.len() - 1].iter().map(|chunk| serde_json::from_str(chunk).unwrap()).collect();
        let text: String =
            chunks.iter().filter_map(|chunk| chunk["choices"][0]["delta"]["content"].as_str()).collect();
        assert!(text.ends_with(" four five "), "cut at {cut}: {out}");
        assert!(words.concat().starts_with(&text[..text.len() - " four five ".len()]), "cut at {cut}: {out}");
        let roles = chunks.iter().filter(|chunk| chunk["choices"][0]["delta"]["role"].is_string()).count();
        assert_eq!(roles, 1, "cut at {cut}: {out}");
        assert!(chunks.iter().all(|chunk| chunk["id"] == chunks[0]["id"]), "cut at {cut}: {out}");
    }
}
