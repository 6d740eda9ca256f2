//! The second front door: clients of OpenAI chat completions in front of a provider of Anthropic messages. Requests
//! and whole answers, recorded and made up; the streams are in `second_door_streams`.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use serde_json::{Value, json};

use rulegate::engine::Engine;
use rulegate::engine::exchange::Progress;
use rulegate::engine::health::Health;
use rulegate::engine::plan::{Answer, AnswerBody, Attempt, Incoming, Outcome, Plan, Step};

use crate::recordings::{engine, recorded_files};

pub const NOW: i64 = 1_790_000_000_000;
/// How many conversations are made up.
const CONVERSATIONS: u64 = 3000;
/// All that an Anthropic request may hold here.
const KEYS: &[&str] = &[
    "model",
    "system",
    "messages",
    "max_tokens",
    "tools",
    "tool_choice",
    "thinking",
    "output_config",
    "temperature",
    "top_p",
    "stop_sequences",
    "metadata",
    "stream",
];

/// Takes a request up and gives its first attempt, or the answer that needs none.
pub fn attempt(engine: &Arc<Engine>, request: &Value) -> Result<(Plan, Health, Attempt), Answer> {
    let mut plan =
        Plan::begin(engine.clone(), incoming(Method::POST, "/v1/chat/completions", request.to_string()))?;
    let mut health = Health::new();
    match plan.next(&mut health, NOW) {
        Step::Send(attempt) => Ok((plan, health, *attempt)),
        Step::Answer(answer) => Err(answer),
        Step::Wait(_) => panic!("nothing to wait for"),
    }
}

fn incoming(method: Method, path: &str, body: String) -> Incoming {
    Incoming {
        id: "0123456789abcdefghijklmn".into(),
        method,
        path: path.into(),
        query: None,
        headers: HeaderMap::new(),
        body: Bytes::from(body),
        now: NOW,
        seed: 1,
    }
}

fn whole(answer: Answer) -> Value {
    let AnswerBody::Whole(body) = answer.body else { panic!("a whole answer") };
    serde_json::from_slice(&body).unwrap()
}

#[test]
fn the_list_of_models_has_the_shape_of_who_asks() {
    let engine = engine();
    let ask = |header: Option<&'static str>| {
        let mut incoming = incoming(Method::GET, "/v1/models", String::new());
        if let Some(version) = header {
            let name = HeaderName::from_static("anthropic-version");
            incoming.headers.insert(name, HeaderValue::from_static(version));
        }
        let mut plan = Plan::begin(engine.clone(), incoming).unwrap();
        let Step::Answer(answer) = plan.next(&mut Health::new(), NOW) else { panic!("an answer") };
        whole(answer)
    };
    let (theirs, ours) = (ask(Some("2023-06-01")), ask(None));
    assert_eq!((&theirs["has_more"], &theirs["data"][0]["type"]), (&json!(false), &json!("model")));
    assert_eq!((&ours["object"], &ours["data"][0]["object"]), (&json!("list"), &json!("model")));
    assert!(ours["data"][0]["created"].is_i64() && ours["data"][0]["owned_by"].is_string());
    assert_eq!(ours["data"].as_array().unwrap().len(), theirs["data"].as_array().unwrap().len());
}

fn is_id(id: &Value) -> bool {
    let id = id.as_str().unwrap();
    !id.is_empty() && id.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
}

/// Panics where a request breaks a rule that Anthropic insists on.
fn judge_request(made: &Value) {
    for (key, value) in made.as_object().unwrap() {
        assert!(KEYS.contains(&key.as_str()), "{key} is no member of the request");
        assert!(!value.is_null(), "{key} is null");
    }
    let most = made["max_tokens"].as_i64().unwrap();
    assert!(most > made["thinking"]["budget_tokens"].as_i64().unwrap_or(-1), "room beside the budget");
    for block in made["system"].as_array().into_iter().flatten() {
        judge_text(block);
    }
    let tools = made.get("tools").map(|tools| tools.as_array().unwrap());
    assert!(tools.is_none_or(|tools| !tools.is_empty()));
    assert!(tools.is_some() || made.get("tool_choice").is_none());
    for tool in tools.into_iter().flatten() {
        assert!(tool["name"].is_string() && tool["input_schema"]["type"] == "object", "{tool}");
    }
    let messages = made["messages"].as_array().unwrap();
    let mut calls: Vec<&Value> = Vec::new();
    for (at, message) in messages.iter().enumerate() {
        let is_user = at % 2 == 0;
        assert_eq!(message["role"], if is_user { "user" } else { "assistant" }, "the sides take turns");
        let blocks = message["content"].as_array().unwrap();
        assert!(!blocks.is_empty());
        let results: Vec<&Value> = blocks.iter().filter(|block| block["type"] == "tool_result").collect();
        let first = blocks.iter().take(results.len()).all(|block| block["type"] == "tool_result");
        assert!(first, "results come first: {message}");
        let mut answered: Vec<&Value> = results.iter().map(|result| &result["tool_use_id"]).collect();
        let mut open: Vec<&Value> = calls.iter().map(|call| &call["id"]).collect();
        answered.sort_by_key(|id| id.to_string());
        open.sort_by_key(|id| id.to_string());
        assert_eq!(answered, open, "one result for each call: {message}");
        calls = blocks.iter().filter(|block| block["type"] == "tool_use").collect();
        assert!(calls.is_empty() || !is_user);
        for call in &calls {
            assert!(is_id(&call["id"]) && call["input"].is_object() && call["name"].is_string(), "{call}");
        }
        for block in blocks {
            match block["type"].as_str().unwrap() {
                "text" => judge_text(block),
                "image" | "document" => assert!(block["source"]["type"].is_string()),
                "thinking" => assert!(!is_user && block["signature"].is_string()),
                "tool_use" | "tool_result" | "redacted_thinking" => {}
                kind => panic!("a block of type {kind}"),
            }
        }
    }
    assert!(calls.is_empty(), "calls at the end want their results");
    if let Some(last) = messages.last().filter(|last| last["role"] == "assistant") {
        let last = last["content"].as_array().unwrap().last().unwrap();
        let text = last["text"].as_str().unwrap_or_default();
        assert_eq!(text, text.trim_end());
    }
}

fn judge_text(block: &Value) {
    assert!(!block["text"].as_str().unwrap().trim().is_empty(), "{block}");
}

#[test]
fn recorded_requests_become_requests_that_anthropic_takes() {
    let engine = engine();
    let (mut count, mut refused) = (0, 0);
    for file in recorded_files(".request.json") {
        let request: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap_or_default();
        let theirs = file.to_string_lossy().contains("anthropic");
        if theirs || !request["messages"].is_array() {
            continue;
        }
        let mut request = request;
        for model in ["claude-opus-4-6", "claude-haiku-4-5"] {
            request["model"] = json!(model);
            println!("{}", file.display());
            match attempt(&engine, &request) {
                Ok((_, _, attempt)) => {
                    assert_eq!(attempt.request.url, "https://api.anthropic.com/v1/messages");
                    judge_request(&serde_json::from_slice(&attempt.request.body).unwrap());
                    count += 1;
                }
                Err(answer) => {
                    assert_eq!(answer.status, 400);
                    let said = whole(answer)["error"]["message"].as_str().unwrap().to_owned();
                    println!("refused: {said}");
                    refused += 1;
                }
            }
        }
    }
    println!("{count} requests, {refused} that cannot be put so");
}

/// Numbers that look random and are always the same (xorshift, Marsaglia 2003).
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Dice {
        Dice(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub fn below(&mut self, most: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % most
    }

    pub fn of<T: Clone>(&mut self, choices: &[T]) -> T {
        choices[usize::try_from(self.below(choices.len() as u64)).unwrap()].clone()
    }
}

/// A conversation as badly made as clients make them.
fn conversation(dice: &mut Dice) -> Value {
    let content = |dice: &mut Dice| {
        dice.of(&[
            json!("hello"),
            json!("  trailing \n"),
            json!(""),
            json!(" "),
            json!(null),
            json!([{ "type": "text", "text": "a" }, { "type": "text", "text": "" }]),
            json!([]),
            json!([{ "type": "image_url", "image_url": { "url": "https://example.com/a.png" } }, { "type": "text", "text": "b " }]),
        ])
    };
    let mut messages: Vec<Value> = Vec::new();
    let mut ids = vec![String::new(), "gone".to_owned()];
    for _ in 0..=dice.below(8) {
        let role = dice.of(&[
            "system",
            "user",
            "user",
            "assistant",
            "assistant",
            "calls",
            "tool",
            "tool",
            "function",
        ]);
        messages.push(match role {
            "calls" => {
                let calls: Vec<Value> = (0..=dice.below(2))
                    .map(|at| {
                        let arguments = dice.of(&["{}", "", "{\"a\":1}", "{\"cut"]);
                        let number = messages.len();
                        let id = dice.of(&[format!("call_{number}_{at}"), format!("f.{number}:{at}"), String::new()]);
                        ids.push(id.clone());
                        json!({ "id": id, "type": "function", "function": { "name": "f", "arguments": arguments } })
                    })
                    .collect();
                json!({ "role": "assistant", "content": content(dice), "tool_calls": calls })
            }
            "tool" => json!({ "role": "tool", "tool_call_id": dice.of(&ids), "content": content(dice) }),
            "function" => json!({ "role": "function", "name": "f", "content": "done" }),
            role => json!({ "role": role, "content": content(dice) }),
        });
    }
    let mut request =
        json!({ "model": dice.of(&["claude-opus-4-6", "claude-haiku-4-5"]), "messages": messages });
    if dice.below(2) == 0 {
        request["tools"] = json!([{ "type": "function", "function": { "name": "f" } }]);
        request["tool_choice"] = dice.of(&[json!("auto"), json!("required"), json!(null)]);
    }
    if dice.below(2) == 0 {
        request["reasoning_effort"] = dice.of(&[json!("low"), json!("high"), json!("none")]);
        request["max_tokens"] = dice.of(&[json!(1), json!(5000), json!(null)]);
    }
    request
}

#[test]
fn made_up_conversations_become_requests_that_anthropic_takes() {
    let engine = engine();
    for seed in 1..=CONVERSATIONS {
        let request = conversation(&mut Dice::new(seed));
        let _shown = Shown(format!("number {seed}: {request:#}"));
        let (_, _, attempt) = attempt(&engine, &request).unwrap_or_else(|answer| panic!("{answer:?}"));
        judge_request(&serde_json::from_slice(&attempt.request.body).unwrap());
    }
}

/// Says what a test was about when it fails.
struct Shown(String);

impl Drop for Shown {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("{}", self.0);
        }
    }
}

#[test]
fn recorded_answers_become_chat_completions() {
    let engine = engine();
    let mut count = 0;
    for file in recorded_files(".response.json") {
        let recorded: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap_or_default();
        if recorded["type"] != "message" {
            continue;
        }
        println!("{}", file.display());
        let request = json!({ "model": "claude-opus-4-6", "messages": [{ "role": "user", "content": "x" }] });
        let (mut plan, mut health, attempt) = attempt(&engine, &request).unwrap();
        let mut exchange = attempt.exchange;
        exchange.head(200, &HeaderMap::new());
        exchange.feed(recorded.to_string().as_bytes());
        let Progress::Done(outcome @ Outcome::Whole(_)) = exchange.eof() else { panic!("an answer") };
        plan.observe(outcome, &mut health, NOW);
        let Step::Answer(answer) = plan.next(&mut health, NOW) else { panic!("it is given to the client") };
        let made = whole(answer);

        assert_eq!((&made["object"], &made["created"]), (&json!("chat.completion"), &json!(NOW / 1000)));
        let choices = made["choices"].as_array().unwrap();
        assert_eq!(choices.len(), 1);
        let message = &choices[0]["message"];
        let blocks = recorded["content"].as_array().unwrap();
        let of = |kind: &str| blocks.iter().filter(|block| block["type"] == kind).collect::<Vec<_>>();
        let text: String = of("text").iter().map(|block| block["text"].as_str().unwrap()).collect();
        assert_eq!(message["content"].as_str().unwrap_or_default(), text);
        let thinking: String =
            of("thinking").iter().map(|block| block["thinking"].as_str().unwrap()).collect();
        assert_eq!(message["reasoning_content"].as_str().unwrap_or_default(), thinking);
        let calls = message["tool_calls"].as_array().cloned().unwrap_or_default();
        assert_eq!(calls.len(), of("tool_use").len());
        for (call, block) in calls.iter().zip(of("tool_use")) {
            assert_eq!((&call["id"], &call["function"]["name"]), (&block["id"], &block["name"]));
            let arguments = call["function"]["arguments"].as_str().unwrap();
            assert_eq!(serde_json::from_str::<Value>(arguments).unwrap(), block["input"]);
        }
        let finish = if calls.is_empty() { "stop" } else { "tool_calls" };
        assert_eq!(choices[0]["finish_reason"], finish);
        let number = |value: &Value| value.as_i64().unwrap_or(0);
        let (usage, theirs) = (&made["usage"], &recorded["usage"]);
        let prompt = ["input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens"];
        assert_eq!(
            number(&usage["prompt_tokens"]),
            prompt.iter().map(|name| number(&theirs[name])).sum::<i64>()
        );
        assert_eq!(number(&usage["completion_tokens"]), number(&theirs["output_tokens"]));
        count += 1;
    }
    println!("{count} answers");
}
