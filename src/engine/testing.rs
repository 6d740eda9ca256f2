//! A small world for tests: two made-up protocols, a mapping between them, providers that answer by script, and
//! time that passes only when somebody waits.

use super::decision::{Decision, Keeping};
use super::exchange::{Exchange, Progress};
use super::failure::{Failure, FailureKind};
use super::health::{Aside, Health, Wanted};
use super::plan::{Answer, AnswerBody, Event, Incoming, OutRequest, Outcome, Plan, Step};
use super::{Engine, Ms, build};
use crate::config::files::Memory;
use crate::config::load::load;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use std::collections::{HashMap, VecDeque};
use std::path::Path;
use std::sync::Arc;

/// When every test begins, in epoch milliseconds.
pub const START: Ms = 1_700_000_000_000;

const ALPHA: &str = r#"
protocol: alpha.chat
send: { path: /alpha }
query: forward
auth: { header: x-api-key, value: "{$key}" }
headers: { x-alpha-version: { $first: [ $header.x-alpha-version, "1" ] } }
forward: [ x-alpha-*, user-agent ]
return: [ x-alpha-*, retry-after ]
model: $.model
messages: $.messages
streaming: $.stream
stream:
  framing: sse
  event: kind
  content: { $.kind: word }
  end: { $.kind: bye }
  error: { $.kind: trouble }
  failed: { kind: trouble, trouble: { kind: $error.type, text: $error.message } }
  text: $.text
continue:
  when: { $state.bound: { is: nothing } }
  request: [ { set: { $.said: $said } } ]
  stream:
    state: { bound: null, gone: null }
    event:
      - { when: { $.kind: tool }, set: { bound: true } }
      - { when: { not: { all: [ $state.gone, { $.kind: hello } ] } }, emit: $ }
    eof: { set: { gone: true } }
whole: { $.answer: { is: present } }
error: { type: $.trouble.kind, message: { $first: [ $.trouble.text, $.detail ] } }
errors: { trouble: { kind: $error.type, text: $error.message } }
error_headers: { x-alpha-final: { $if: $error.exhausted, $then: "yes" } }
error_types: { 400: bad, 429: slow_down, 529: busy, 5xx: broken, default: other }
"#;

const BETA: &str = r#"
protocol: beta.talk
send: { path: /v1/beta }
auth: { header: authorization, value: "Bearer {$key}" }
model: $.engine
streaming: $.flow
stream:
  framing: sse
  done: "[END]"
  content: { $.w: { is: something } }
  error: $.oops
whole: { $.said: { is: present } }
error: { type: $.oops.kind, code: $.oops.code, message: $.oops.text }
errors: { oops: { kind: $error.type, text: $error.message } }
error_types: { 429: hush, default: broken }
"#;

const MAPPING: &str = r#"
mapping: { from: alpha.chat, to: beta.talk }
parameters: { tone: { default: plain } }
keep: { asked: $.ask }
losses: { mood: { $.mood: { is: present } }, colour: $.colour }
request: { engine: $provider.model, q: $.ask, said: $.said, tone: $provider.tone, flow: $.stream, need: { $if: $.forbidden, $then: { $fail: { status: 400, type: bad, message: beta cannot do that } } } }
response: { answer: $.said, about: $keep.asked }
error: { status: { $if: { $error.code: busy }, $then: 529, $else: $status }, body: { trouble: { kind: { $first: [ $error.type, unknown ] }, text: "beta says {$error.message}" } } }
stream:
  state: { finish: null }
  blocks:
    word: { part: { kind: word, text: $part } }
  before: { emit: { kind: hello, about: $keep.asked } }
  event:
    - add: { word: { $first: [ $.w, $.said ] } }
    - set: { finish: { $first: [ $state.finish, $.fin, $.said ] } }
  done: { when: { any: [ $state.finish, $blocks ] }, end: true, else: { fail: { status: 502, message: nothing was said } } }
  eof: { when: $state.finish, end: true, else: { fail: { status: 502, message: cut off } } }
  end: { emit: { kind: bye } }
"#;

/// What a provider does with one request.
#[derive(Clone)]
pub enum Reply {
    /// Status, headers, body.
    Whole(u16, Vec<(&'static str, String)>, String),
    /// A stream of status 200 that ends in good order.
    Stream(String),
    /// A stream whose connection stays open after it.
    Open(String),
    /// A stream that breaks off.
    Cut(String, FailureKind),
    /// No answer.
    Fails(FailureKind),
}

impl Reply {
    pub fn ok(body: &str) -> Reply {
        Reply::Whole(200, Vec::new(), body.to_owned())
    }

    pub fn status(status: u16, body: &str) -> Reply {
        Reply::Whole(status, Vec::new(), body.to_owned())
    }

    pub fn with(self, name: &'static str, value: impl ToString) -> Reply {
        match self {
            Reply::Whole(status, mut headers, body) => {
                headers.push((name, value.to_string()));
                Reply::Whole(status, headers, body)
            }
            other => other,
        }
    }
}

/// What the client saw.
#[derive(Debug)]
pub struct Seen {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: String,
    pub provider: Option<String>,
    pub rule: Option<String>,
}

impl Seen {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

/// Providers by script, and all that was asked of them.
pub struct World {
    pub engine: Arc<Engine>,
    pub health: Health,
    pub now: Ms,
    pub asked: Vec<(String, OutRequest)>,
    pub waits: Vec<Ms>,
    pub events: Vec<Event>,
    /// Whether the plans trace.
    pub traces: bool,
    /// The record of each request.
    pub decisions: Vec<Decision>,
    /// Streams arrive in pieces of so many bytes.
    pub piece: usize,
    pub headers: Vec<(&'static str, &'static str)>,
    replies: HashMap<String, VecDeque<Reply>>,
}

/// Compiles rules written for these protocols; what is wrong is a panic.
pub fn engine(rules: &str) -> Arc<Engine> {
    let (engine, said) = compiled(rules);
    assert!(said.is_empty(), "{said}");
    engine
}

/// The same, with what is strange about the rules.
pub fn compiled(rules: &str) -> (Arc<Engine>, String) {
    let rules = format!("include: [ protocols/*.yaml, mappings/*.yaml ]\n{rules}");
    let files = Memory::new([
        ("rules.yaml", rules.as_str()),
        ("protocols/alpha.yaml", ALPHA),
        ("protocols/beta.yaml", BETA),
        ("mappings/alpha-beta.yaml", MAPPING),
    ]);
    let mut loaded = load(&files, Path::new("rules.yaml"), &|_| None);
    let built = loaded.rules.take().and_then(|rules| build(&rules, &loaded.hash, &mut loaded.diagnostics));
    let said = loaded.diagnostics.render(&loaded.sources, false);
    assert!(!loaded.diagnostics.has_errors(), "{said}");
    (Arc::new(built.unwrap()), said)
}

/// Three providers, of which the last speaks the other protocol, and these further rules.
pub fn world(rules: &str) -> World {
    let common = r#"
providers:
  one: { speaks: alpha.chat, url: "http://one.test", key: key-one }
  two: { speaks: alpha.chat, url: "http://two.test/", key: key-two, models: { "big-*": huge } }
  three: { speaks: beta.talk, url: "http://three.test/v1", key: key-three, models: { "*": parrot }, with: { tone: loud } }
routes:
  - { path: /alpha, protocol: alpha.chat }
"#;
    World::new(engine(&format!("{common}{rules}")))
}

impl World {
    pub fn new(engine: Arc<Engine>) -> World {
        let mut health = Health::new();
        health.adopt(&engine);
        World {
            engine,
            health,
            now: START,
            asked: Vec::new(),
            waits: Vec::new(),
            events: Vec::new(),
            traces: true,
            decisions: Vec::new(),
            piece: usize::MAX,
            headers: Vec::new(),
            replies: HashMap::new(),
        }
    }

    /// What a provider answers to its next requests, one after the other.
    pub fn replies(&mut self, provider: &str, replies: impl IntoIterator<Item = Reply>) -> &mut World {
        self.replies.entry(provider.to_owned()).or_default().extend(replies);
        self
    }

    /// A provider that has said itself that it is of no use for so long, in milliseconds.
    pub fn limited(&mut self, provider: &str, time: Ms) {
        let until = self.now + time;
        let wanted = Wanted {
            until,
            rule: "test",
            meaning: None,
            trials: 0,
            is_guess: false,
            is_stated: true,
            is_moment: false,
        };
        self.health.put_aside(Aside::provider(provider), wanted, self.now);
    }

    /// The names of those that were asked since the last call.
    pub fn asked(&mut self) -> Vec<String> {
        self.asked.drain(..).map(|(name, _)| name).collect()
    }

    pub fn incoming(&self, path: &str, body: &str) -> Incoming {
        let mut headers = HeaderMap::new();
        for (name, value) in &self.headers {
            headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        Incoming {
            id: "abcdefghijklmnopqrstuvwx".to_owned(),
            method: Method::POST,
            path: path.to_owned(),
            query: None,
            headers,
            body: Bytes::copy_from_slice(body.as_bytes()),
            now: self.now,
            seed: 7,
        }
    }

    /// One request to `/alpha`, to its end.
    pub fn send(&mut self, body: &str) -> Seen {
        let incoming = self.incoming("/alpha", body);
        match Plan::begin(self.engine.clone(), incoming) {
            Ok(plan) => self.run(plan),
            Err(mut answer) => {
                let AnswerBody::Whole(body) =
                    std::mem::replace(&mut answer.body, AnswerBody::Whole(Bytes::new()))
                else {
                    panic!("a stream without a plan")
                };
                Seen::of(answer, &body)
            }
        }
    }

    pub fn run(&mut self, mut plan: Plan) -> Seen {
        if self.traces {
            plan.trace();
        }
        let mut decision =
            plan.record(Keeping { keep: 1, at_most: usize::MAX, prompts: false, errors: true });
        let mut stream: Option<VecDeque<Piece>> = None;
        // The answer whose stream broke off, and what the client has read of it.
        let mut broken: Option<(Seen, Box<Exchange>)> = None;
        for _ in 0..1000 {
            let step = plan.next(&mut self.health, self.now);
            self.note(&mut plan, &mut decision);
            match step {
                Step::Wait(until) => {
                    assert!(until > self.now);
                    self.waits.push(until - self.now);
                    self.now = until;
                }
                Step::Send(attempt) => {
                    let name = self.engine.providers[attempt.provider].name.clone();
                    let reply = self.replies.get_mut(&name).and_then(VecDeque::pop_front);
                    let reply = reply.unwrap_or_else(|| panic!("{name} was not expected to be asked"));
                    self.asked.push((name, attempt.request));
                    let mut pieces = pieces(reply, self.piece);
                    let mut exchange = attempt.exchange;
                    let outcome = loop {
                        let piece = pieces.pop_front().expect("the attempt came to no end");
                        match piece.give(&mut exchange) {
                            Progress::More => {}
                            Progress::Done(outcome) => break outcome,
                            Progress::Commit => {
                                stream = Some(pieces);
                                break Outcome::Streaming(Box::new(exchange));
                            }
                        }
                    };
                    plan.observe(outcome, &mut self.health, self.now);
                    self.note(&mut plan, &mut decision);
                }
                Step::Answer(mut answer) => {
                    if broken.is_none() {
                        decision.given(&answer, self.now);
                    }
                    let body = std::mem::replace(&mut answer.body, AnswerBody::Whole(Bytes::new()));
                    let (mut seen, exchange) = match (broken.take(), body) {
                        (None, AnswerBody::Whole(body)) => (Seen::of(answer, &body), None),
                        (None, AnswerBody::Stream(exchange)) => (Seen::of(answer, b""), Some(exchange)),
                        (Some((seen, _)), AnswerBody::Stream(exchange)) => (seen, Some(exchange)),
                        (Some((seen, mut exchange)), AnswerBody::Whole(_)) => {
                            exchange.give_up();
                            (seen, Some(exchange))
                        }
                    };
                    if let Some(mut exchange) = exchange {
                        read(&mut exchange, stream.take().unwrap_or_default(), &mut seen.body);
                        if exchange.cut().is_some() {
                            let goes_on = plan.broke_off(&exchange, &mut self.health, self.now);
                            self.note(&mut plan, &mut decision);
                            if goes_on {
                                broken = Some((seen, exchange));
                                continue;
                            }
                            exchange.give_up();
                            read(&mut exchange, VecDeque::new(), &mut seen.body);
                        }
                        plan.ended(&exchange, &mut self.health, self.now);
                    }
                    self.note(&mut plan, &mut decision);
                    self.decisions.push(decision);
                    return seen;
                }
            }
        }
        panic!("the plan came to no end");
    }

    fn note(&mut self, plan: &mut Plan, decision: &mut Decision) {
        let events = plan.events();
        events.iter().for_each(|event| decision.note(event, self.now));
        self.events.extend(events);
    }
}

/// What a stream's client reads, to the end or to where it breaks off.
fn read(exchange: &mut Exchange, mut pieces: VecDeque<Piece>, body: &mut String) {
    loop {
        body.push_str(std::str::from_utf8(&exchange.take_output()).unwrap());
        if exchange.finished() || exchange.cut().is_some() {
            return;
        }
        let piece = pieces.pop_front().expect("the stream came to no end");
        assert!(matches!(piece.give(exchange), Progress::More));
    }
}

impl Seen {
    fn of(answer: Answer, body: &[u8]) -> Seen {
        Seen {
            status: answer.status.as_u16(),
            headers: answer.headers,
            body: String::from_utf8(body.to_vec()).unwrap(),
            provider: answer.provider,
            rule: answer.rule,
        }
    }
}

/// A part of what comes over the wire.
pub enum Piece {
    Head(u16, HeaderMap),
    Bytes(Vec<u8>),
    Eof,
    Silence,
    Broken(FailureKind),
}

impl Piece {
    pub fn give(self, exchange: &mut super::exchange::Exchange) -> Progress {
        match self {
            Piece::Head(status, headers) => exchange.head(status, &headers),
            Piece::Bytes(bytes) => exchange.feed(&bytes),
            Piece::Eof => exchange.eof(),
            Piece::Silence => panic!("the answer is still waited for"),
            Piece::Broken(kind) => exchange.broke(Failure::new(kind, "")),
        }
    }
}

/// A reply, in the order in which it comes over the wire.
pub fn pieces(reply: Reply, size: usize) -> VecDeque<Piece> {
    let mut pieces = VecDeque::new();
    let (status, headers, body, end) = match reply {
        Reply::Whole(status, headers, body) => (status, headers, body, Piece::Eof),
        Reply::Stream(body) => (200, Vec::new(), body, Piece::Eof),
        Reply::Open(body) => (200, Vec::new(), body, Piece::Silence),
        Reply::Cut(body, kind) => (200, Vec::new(), body, Piece::Broken(kind)),
        Reply::Fails(kind) => return VecDeque::from([Piece::Broken(kind)]),
    };
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.append(HeaderName::from_static(name), HeaderValue::from_str(&value).unwrap());
    }
    pieces.push_back(Piece::Head(status, map));
    let chunks = body.as_bytes().chunks(size.min(body.len()).max(1));
    pieces.extend(chunks.map(|chunk| Piece::Bytes(chunk.to_vec())));
    pieces.push_back(end);
    pieces
}

/// Events as a provider of the first protocol frames them.
pub fn alpha_stream(events: &[&str]) -> String {
    let name = |data: &str| {
        serde_json::from_str::<serde_json::Value>(data).unwrap()["kind"].as_str().map(str::to_owned)
    };
    events.iter().map(|data| format!("event: {}\ndata: {data}\n\n", name(data).unwrap())).collect()
}
