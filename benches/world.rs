//! What the benches share: the shipped rules in compiled form, requests, events and errors of real shape.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use rulegate::config::builtin;
use rulegate::config::check::check;
use rulegate::config::files::{Disk, Memory};
use rulegate::config::load::{self, Loaded};
use rulegate::engine::exchange::{Exchange, Progress};
use rulegate::engine::health::Health;
use rulegate::engine::mapping::{self, Mapping};
use rulegate::engine::names::View;
use rulegate::engine::plan::{Answer, AnswerBody, Attempt, Incoming, Outcome, Plan, Step};
use rulegate::engine::{self, Engine};
use rulegate::text::json::Doc;
use serde_json::{Value, json};

/// When everything happens.
pub const NOW: i64 = 1_767_225_600_000;

/// One event of text in a provider's stream of another protocol, as such providers send it.
pub const CHUNK: &str = "data: {\"id\":\"0f9a1c7e-5b1d-4a38-9d3a-6c1c7f0e2b11\",\"object\":\"chat.completion.chunk\",\"created\":1767225600,\"model\":\"deepseek-v4-pro\",\"system_fingerprint\":\"fp_a1b2c3d4e5\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\" umbrella\"},\"logprobs\":null,\"finish_reason\":null}],\"usage\":null}\n\n";
/// One event of text in a stream of the client's own protocol.
pub const DELTA: &str = "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\" umbrella\"}}\n\n";
/// What comes before it.
const START: &str = "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_01\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"claude-sonnet-4-6\",\"content\":[],\"stop_reason\":null,\"stop_sequence\":null,\"usage\":{\"input_tokens\":25,\"output_tokens\":1}}}\n\nevent: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n";

/// An error that no rule but the last knows.
pub const TOO_LONG: &str = r#"{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 210000 tokens > 200000 maximum"},"request_id":"req_011CSHoEeqs5C35K2UUqR7Fy"}"#;
/// An error that the headers explain.
pub const LIMITED: &str = r#"{"type":"error","error":{"type":"rate_limit_error","message":"This request would exceed your account's rate limit. Please try again later."},"request_id":"req_011CSHoEeqs5C35K2UUqR7Fy"}"#;
/// The headers that explain it.
pub const WINDOW: [(&str, &str); 5] = [
    ("anthropic-ratelimit-unified-status", "rejected"),
    ("anthropic-ratelimit-unified-5h-status", "rejected"),
    ("anthropic-ratelimit-unified-5h-reset", "1767232800"),
    ("anthropic-ratelimit-unified-7d-status", "allowed"),
    ("retry-after", "7200"),
];
/// An error that its text explains.
pub const USAGE_LIMIT: &str = "Claude AI usage limit reached|1767232800";

/// The model that clients ask for.
pub const MODEL: &str = "claude-sonnet-4-6";

/// The shipped rules, compiled.
pub struct World {
    pub engine: Arc<Engine>,
}

impl World {
    /// With a key for each provider: the first, which speaks the clients' protocol, is asked.
    pub fn shipped() -> World {
        World::with(|name| name.ends_with("_API_KEY"))
    }

    /// With one key: the second provider, which speaks another protocol, is asked.
    pub fn translating() -> World {
        World::with(|name| name == "DEEPSEEK_API_KEY")
    }

    /// With the keys that have these names.
    pub fn with(has_key: fn(&str) -> bool) -> World {
        // As a router has it a moment after its start.
        let Loaded { rules, hash, mut diagnostics, .. } = load_with(has_key);
        let rules = rules.expect("the shipped rules are read");
        let engine = engine::build(&rules, &hash, &mut diagnostics)
            .and_then(|first| engine::build_for_providers(&rules, &first));
        let engine = engine.expect("the shipped rules compile");
        World { engine: Arc::new(engine) }
    }

    /// A request as a client's library sends it.
    pub fn incoming(&self, body: Bytes) -> Incoming {
        self.incoming_at("/v1/messages", body)
    }

    /// The same at another path.
    pub fn incoming_at(&self, path: &str, body: Bytes) -> Incoming {
        Incoming {
            id: "bench0bench0bench0bench0".to_owned(),
            method: Method::POST,
            path: path.to_owned(),
            query: None,
            headers: headers(&[
                ("accept", "application/json"),
                ("anthropic-version", "2023-06-01"),
                ("content-type", "application/json"),
                ("user-agent", "Anthropic/Python 0.84.0"),
                ("x-api-key", "the-callers-key"),
                ("x-stainless-lang", "python"),
                ("x-stainless-os", "Linux"),
                ("x-stainless-retry-count", "0"),
            ]),
            body,
            now: NOW,
            seed: 1,
        }
    }

    /// Takes a request up to where it is sent.
    pub fn attempt(&self, incoming: Incoming) -> Attempt {
        match self.begun(incoming).1 {
            Step::Send(attempt) => *attempt,
            other => panic!("nothing is sent: {other:?}"),
        }
    }

    /// The mapping that this body goes through, and what it sees beside the body.
    pub fn mapper(&self, body: Bytes) -> Mapper {
        let attempt = self.attempt(self.incoming(body));
        let job = attempt.exchange.job();
        let mapping = job.mapping.clone().expect("another protocol");
        Mapper { mapping, provider: job.provider_doc.clone(), headers: self.incoming(Bytes::new()).headers }
    }

    fn begun(&self, incoming: Incoming) -> (Plan, Step) {
        let mut plan = Plan::begin(self.engine.clone(), incoming).expect("a plan");
        let step = plan.next(&mut Health::new(), NOW);
        (plan, step)
    }

    /// A stream whose client has begun to read.
    pub fn stream(&self, event: &str) -> Exchange {
        let mut health = Health::new();
        let (mut plan, step) = self.begun(self.incoming(small_request(true)));
        let Step::Send(attempt) = step else { panic!("nothing is sent: {step:?}") };
        let mut exchange = attempt.exchange;
        let first = if event == DELTA { START } else { "" };
        let _ = exchange.head(200, &headers(&[("content-type", "text/event-stream")]));
        let progress = exchange.feed(format!("{first}{event}").as_bytes());
        assert!(matches!(progress, Progress::Commit), "{progress:?}");
        plan.observe(Outcome::Streaming(Box::new(exchange)), &mut health, NOW);
        match plan.next(&mut health, NOW) {
            Step::Answer(Answer { body: AnswerBody::Stream(mut stream), .. }) => {
                let _ = stream.take_output();
                *stream
            }
            other => panic!("no stream: {other:?}"),
        }
    }
}

/// A mapping by itself.
pub struct Mapper {
    mapping: Arc<Mapping>,
    provider: Doc,
    headers: HeaderMap,
}

impl Mapper {
    /// From the client's bytes to the provider's.
    pub fn map(&self, body: Bytes) -> Vec<u8> {
        let doc = Doc::parse(body).expect("JSON");
        let view = View {
            doc: Some(&doc),
            request: Some(&doc),
            provider: Some(&self.provider),
            header: Some(&self.headers),
            model: Some(MODEL),
            now: Some(NOW),
            id: Some("bench0bench0bench0bench0"),
            ..View::default()
        };
        let (mut env, _kept) = self.mapping.prepare(&view);
        let template = self.mapping.request.as_ref().expect("a request template");
        mapping::body(template, &mut env).expect("a body")
    }
}

/// Reads the rules inside the program.
pub fn load() -> Loaded {
    load_with(|name| name.ends_with("_API_KEY"))
}

fn load_with(has_key: fn(&str) -> bool) -> Loaded {
    load::load(&Disk, builtin::MAIN.as_ref(), &|name| has_key(name).then(|| "a-key".to_owned()))
}

/// An engine with so many failover rules of the usual kinds: by status and text, by text, by a type, by a header.
pub fn of_rules(count: usize) -> Engine {
    let rule = |at: usize| {
        let status = 400 + at * 7 % 200;
        let when = match at % 4 {
            0 => format!("{{ status: {status}, text: '(?i)quota of plan {at} is used up' }}"),
            1 => format!("{{ $.error.type: kind_{at} }}"),
            2 => format!("{{ status: {status}, header: {{ x-window-{}: rejected }} }}", at % 50),
            _ => format!("{{ text: 'limit {at} reached\\|(?<until>\\d{{10}})' }}"),
        };
        format!("  - {{ name: r{at}, when: {when}, do: next }}\n")
    };
    let rules: String = (0..count).map(rule).collect();
    let text = format!(
        "include: [ protocols/*.yaml ]\nproviders: {{ one: {{ speaks: anthropic.messages, url: \"http://one.test\", key: none }} }}\nroutes: [ {{ path: /v1/messages, protocol: anthropic.messages }} ]\nfailover:\n{rules}"
    );
    let files = Memory::new([("rules.yaml", text.as_str())]);
    let loaded = load::load(&files, "rules.yaml".as_ref(), &|_| None);
    let said = loaded.diagnostics.render(&loaded.sources, false);
    build(loaded).unwrap_or_else(|| panic!("{said}"))
}

/// An answer that the rule at this place, one of those by text, judges.
pub fn refused_by(at: usize) -> Bytes {
    assert!(at % 4 == 3 || at == 9, "rule {at} does not look at the text");
    if at == 9 {
        return r#"{"type":"error","error":{"type":"kind_9","message":"This request would exceed your account's rate limit. Please try again later."}}"#.into();
    }
    format!(r#"{{"type":"error","error":{{"type":"rate_limit_error","message":"limit {at} reached|1767232800, please try again later."}}}}"#).into()
}

/// Checks and compiles them.
pub fn build(loaded: Loaded) -> Option<Engine> {
    let Loaded { rules, mut diagnostics, hash, .. } = loaded;
    let rules = rules?;
    check(&rules, &mut diagnostics);
    engine::build(&rules, &hash, &mut diagnostics)
}

pub fn headers(fields: &[(&'static str, &'static str)]) -> HeaderMap {
    let field = |(name, value): &(&'static str, &'static str)| {
        (HeaderName::from_static(name), HeaderValue::from_static(value))
    };
    fields.iter().map(field).collect()
}

/// A turn of a conversation with one tool, about 1 KB.
pub fn small_request(stream: bool) -> Bytes {
    let request = json!({
        "model": MODEL, "max_tokens": 1024, "temperature": 0.7, "stream": stream,
        "system": [{ "type": "text", "text": "You are a terse assistant that answers in one sentence and never apologises." }],
        "messages": [
            { "role": "user", "content": "What is the weather in Paris?" },
            { "role": "assistant", "content": [
                { "type": "text", "text": "Let me look." },
                { "type": "tool_use", "id": "toolu_01A09q90qw90lq917835lq9", "name": "get_weather",
                  "input": { "city": "Paris", "unit": "celsius" } } ] },
            { "role": "user", "content": [
                { "type": "tool_result", "tool_use_id": "toolu_01A09q90qw90lq917835lq9",
                  "content": [{ "type": "text", "text": "18 degrees, light rain" }] },
                { "type": "text", "text": "And should I take an umbrella?" } ] }
        ],
        "tools": [ tool("get_weather") ],
        "tool_choice": { "type": "auto" }
    });
    request.to_string().into()
}

/// A coding assistant's request: a long system text, 40 tools, a history of 90 messages with tool calls; about 100 KB.
pub fn large_request() -> Bytes {
    history(30)
}

/// The same late in the day: about 2 MB.
pub fn huge_request() -> Bytes {
    history(850)
}

/// A thousand tool calls in one turn, and their results in the next.
pub fn many_calls() -> Bytes {
    let id = |call: usize| format!("toolu_01A09q90qw90lq9178{call:05}");
    let calls: Vec<Value> = (0..1000)
        .map(|call| json!({ "type": "tool_use", "id": id(call), "name": "tool_7", "input": { "path": "src/main.rs" } }))
        .collect();
    let results: Vec<Value> = (0..1000)
        .map(|call| json!({ "type": "tool_result", "tool_use_id": id(call), "content": "fn main() {}" }))
        .collect();
    let request = json!({
        "model": MODEL, "max_tokens": 1024,
        "messages": [
            { "role": "user", "content": "Read them all." },
            { "role": "assistant", "content": calls },
            { "role": "user", "content": results } ],
        "tools": [ tool("tool_7") ]
    });
    request.to_string().into()
}

fn history(turns: usize) -> Bytes {
    let paragraph =
        "Read the file before you change it, keep to the style that is there, and say what you did. ";
    let output = "    let found = items.iter().filter(|item| item.name == \"x\").count();\n";
    let mut messages = Vec::new();
    for turn in 0..turns {
        let id = format!("toolu_01A09q90qw90lq9178{turn:05}");
        messages.push(json!({ "role": "user", "content": format!("Step {turn}: {}", paragraph.repeat(4)) }));
        messages.push(json!({ "role": "assistant", "content": [
            { "type": "thinking", "thinking": paragraph.repeat(3), "signature": "rulegate.v1.deepseek" },
            { "type": "text", "text": "I will look at it." },
            { "type": "tool_use", "id": id, "name": "tool_7", "input": { "path": format!("src/part_{turn}.rs"), "limit": 200 } } ] }));
        messages.push(json!({ "role": "user", "content": [
            { "type": "tool_result", "tool_use_id": id, "content": [{ "type": "text", "text": output.repeat(20) }] } ] }));
    }
    let tools: Vec<Value> = (0..40).map(|number| tool(&format!("tool_{number}"))).collect();
    let request = json!({
        "model": MODEL, "max_tokens": 32000, "stream": true, "thinking": { "type": "adaptive" },
        "system": [
            { "type": "text", "text": "x-anthropic-billing-header: cc_version=2.1; cch=0a1b2;" },
            { "type": "text", "text": paragraph.repeat(100), "cache_control": { "type": "ephemeral" } } ],
        "messages": messages, "tools": tools, "metadata": { "user_id": "user_0123456789" }
    });
    request.to_string().into()
}

fn tool(name: &str) -> Value {
    json!({ "name": name, "description": "Gives the weather of a city as it is now, in the unit that is asked for.",
        "input_schema": { "$schema": "http://json-schema.org/draft-07/schema#", "type": "object",
            "properties": {
                "city": { "type": "string", "description": "The name of the city" },
                "unit": { "type": "string", "enum": ["celsius", "fahrenheit"] } },
            "required": ["city"], "additionalProperties": false } })
}

/// How many bytes of memory the process has (Linux; 0 elsewhere).
pub fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<usize>().ok());
    kilobytes.unwrap_or_default() * 1024
}
