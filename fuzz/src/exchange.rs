//! One attempt's answer, fed with bytes: the same for the client however the network cuts them, no made-up end, and
//! never much more than what came in.

use std::path::Path;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method};
use rulegate::config::files::Memory;
use rulegate::config::load::load;
use rulegate::engine::exchange::Progress;
use rulegate::engine::failure::{Failure, FailureKind};
use rulegate::engine::health::Health;
use rulegate::engine::plan::{AnswerBody, Incoming, Outcome, Plan, Step};
use rulegate::engine::{Engine, build};
use rulegate::text::json::Doc;

use super::pieces;

/// The moment of all requests.
pub const NOW: i64 = 1_790_000_000_000;

const RULES: &str = r#"
include: [ "builtin:protocols/*.yaml", "builtin:mappings/*.yaml" ]
providers:
  anthropic: { speaks: anthropic.messages, url: "http://a.test", key: k }
  openai: { speaks: openai.chat, url: "http://b.test", key: k }
routes:
  - { path: /0, protocol: anthropic.messages, providers: [ anthropic ] }
  - { path: /1, protocol: anthropic.messages, providers: [ openai ] }
  - { path: /2, protocol: openai.chat, providers: [ anthropic ] }
  - { path: /3, protocol: openai.chat, providers: [ openai ] }
"#;

/// By how much an answer may grow on its way, for each byte that came in and in all.
const GROWTH: (usize, usize) = (64, 64 << 10);

/// What the client got.
#[derive(Debug, PartialEq)]
struct Got {
    status: u16,
    /// Whether the answer began before the provider's had ended.
    streamed: bool,
    body: Vec<u8>,
}

/// Four digits say what is asked for and how the provider's answer begins and ends; the rest are its bytes.
///
/// The first digit is the route (client and provider by protocol), the second asks for a stream when it is odd, the
/// third chooses the status (200, 200, 200, 429, 500), the fourth ends with a reset when it is odd.
pub fn run(data: &[u8]) {
    let Some((&[route, stream, status, end], answer)) = data.split_first_chunk::<4>() else { return };
    let answer = answer.strip_prefix(b"\n").unwrap_or(answer);
    let route = route & 3;
    let stream = stream & 1 == 1;
    let status = [200, 200, 200, 429, 500][usize::from(status) % 5];
    let reset = end & 1 == 1;
    let whole = one(route, stream, status, reset, &[answer]);
    let cut = one(route, stream, status, reset, &pieces(answer));
    assert!(
        whole.status == cut.status && whole.body == cut.body,
        "cut into pieces it becomes another answer\nwhole: {}\ncut:   {}",
        shown(&whole),
        shown(&cut)
    );
    assert!(whole.body.len() <= answer.len() * GROWTH.0 + GROWTH.1, "{} bytes", whole.body.len());
    let native = route == 0 || route == 3;
    if !whole.streamed && (!native || whole.status != 200) {
        // A half of a surrogate comes through as the provider sent it.
        let body = Doc::parse(whole.body.clone());
        assert!(stream && whole.status == 200 || body.is_ok(), "not JSON: {}", shown(&whole));
    }
    if !stream || whole.status != 200 {
        return;
    }
    let text = String::from_utf8_lossy(&whole.body);
    if !native {
        for line in text.lines().filter_map(|line| line.strip_prefix("data: ")) {
            assert!(line == "[DONE]" || Doc::from_string(line.to_owned()).is_ok(), "no JSON: {line}");
        }
    }
    // A whole answer and an escaped name may be an end that is hard to see from here.
    let said = String::from_utf8_lossy(answer);
    let may_end = ["stop", "finish", "[DONE]", "\\u"].iter().any(|sign| said.contains(sign));
    if !may_end && !said.trim_start_matches('\u{feff}').trim_start().starts_with('{') {
        let ends = ["event: message_stop", "data: [DONE]"].iter().any(|sign| text.contains(sign));
        assert!(!ends, "a made-up end: {text}");
    }
}

/// The rules of all requests.
pub fn engine() -> Arc<Engine> {
    let files = Memory::new([("rules.yaml", RULES)]);
    let mut loaded = load(&files, Path::new("rules.yaml"), &|_| None);
    let engine = loaded.rules.as_ref().and_then(|rules| build(rules, "fuzz", &mut loaded.diagnostics));
    assert!(!loaded.diagnostics.has_errors(), "{}", loaded.diagnostics.render(&loaded.sources, false));
    Arc::new(engine.expect("rules without errors are built"))
}

/// One request whose only provider answers with these pieces.
fn one(route: u8, stream: bool, status: u16, reset: bool, pieces: &[&[u8]]) -> Got {
    static ENGINE: OnceLock<Arc<Engine>> = OnceLock::new();
    let engine = ENGINE.get_or_init(engine).clone();
    let ask = serde_json::json!({ "model": "m", "max_tokens": 9, "stream": stream,
        "messages": [{ "role": "user", "content": "hi" }] });
    let incoming = Incoming {
        id: "0123456789abcdefghijklmn".into(),
        method: Method::POST,
        path: format!("/{route}"),
        query: None,
        headers: HeaderMap::new(),
        body: Bytes::from(ask.to_string()),
        now: NOW,
        seed: 1,
    };
    let mut plan = Plan::begin(engine, incoming).expect("a plain request is taken up");
    let mut health = Health::new();
    let Step::Send(attempt) = plan.next(&mut health, NOW) else { panic!("a request is sent first") };
    let mut exchange = Box::new(attempt.exchange);
    let mut headers = HeaderMap::new();
    let kind = if stream { "text/event-stream" } else { "application/json" };
    headers.insert("content-type", HeaderValue::from_static(kind));
    let mut progress = exchange.head(status, &headers);
    let mut pieces = pieces.iter();
    let mut ended = false;
    let mut got = Got { status: 0, streamed: false, body: Vec::new() };
    loop {
        match progress {
            Progress::More => {}
            Progress::Commit => {
                plan.observe(Outcome::Streaming(exchange), &mut health, NOW);
                let Step::Answer(answer) = plan.next(&mut health, NOW) else { panic!("no answer") };
                (got.status, got.streamed) = (answer.status.as_u16(), true);
                let AnswerBody::Stream(back) = answer.body else { panic!("a stream becomes a whole") };
                exchange = back;
            }
            Progress::Done(outcome) => {
                plan.observe(outcome, &mut health, NOW);
                let Step::Answer(answer) = plan.next(&mut health, NOW) else { panic!("asked again") };
                let AnswerBody::Whole(body) = answer.body else { panic!("a whole becomes a stream") };
                return Got { status: answer.status.as_u16(), streamed: false, body: body.to_vec() };
            }
        }
        if got.streamed {
            got.body.extend(exchange.take_output());
            if exchange.finished() {
                return got;
            }
        }
        assert!(!ended, "the answer comes to no end");
        progress = match pieces.next() {
            Some(piece) => exchange.feed(piece),
            None => {
                ended = true;
                if reset { exchange.broke(Failure::new(FailureKind::Reset, "")) } else { exchange.eof() }
            }
        };
    }
}

fn shown(got: &Got) -> String {
    format!("{} {} {:?}", got.status, got.streamed, String::from_utf8_lossy(&got.body))
}
