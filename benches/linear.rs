//! Twice as much may cost twice as much, and no more: for everything that a client or a provider can make long.
//!
//! Each shape is made in doubling sizes; the row shows the time for each and how often the one before goes into it. A ratio
//! above 2.3 is marked, and the run fails. `cargo bench --bench linear -- calls` runs the shapes with `calls` in their name.

#![allow(clippy::expect_used, clippy::panic, dead_code, missing_docs)] // a bench that cannot begin should say so

mod world;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use bytes::Bytes;
use rulegate::engine::exchange::Progress;
use rulegate::engine::plan::Outcome;
use serde_json::{Value, json};
use world::{MODEL, World, headers, small_request};

/// As the program has it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// What a doubling may cost, with room for caches that overflow.
const MOST: f64 = 2.3;
const DOUBLINGS: u32 = 3;
const TRIES: usize = 3;

const ANTHROPIC: &str = "/v1/messages";
const OPENAI: &str = "/v1/chat/completions";

/// The four ways through the router: who asks, and whom.
struct Worlds {
    /// Anthropic's protocol is translated to OpenAI's.
    down: World,
    /// OpenAI's to Anthropic's.
    up: World,
    /// Anthropic's is passed on.
    same: World,
}

type Run = Box<dyn Fn()>;
/// A shape: its name, its first size, and what makes the work of a size.
struct Shape(&'static str, usize, fn(&'static Worlds, usize) -> Run);

fn main() -> ExitCode {
    let filter = std::env::args().skip(1).find(|argument| !argument.starts_with('-')).unwrap_or_default();
    let worlds: &'static Worlds = Box::leak(Box::new(Worlds {
        down: World::translating(),
        up: World::with(|name| name == "CLAUDE_API_KEY"),
        same: World::shipped(),
    }));
    let mut over = 0;
    for Shape(name, first, make) in shapes().into_iter().filter(|shape| shape.0.contains(&filter)) {
        let times: Vec<Duration> = (0..=DOUBLINGS)
            .map(|doubling| {
                let run = make(worlds, first << doubling);
                let once = || {
                    let begin = Instant::now();
                    run();
                    begin.elapsed()
                };
                (0..TRIES).map(|_| once()).min().unwrap_or_default()
            })
            .collect();
        let ratios: Vec<f64> =
            times.windows(2).map(|pair| pair[1].as_secs_f64() / pair[0].as_secs_f64()).collect();
        // Over all doublings: one may be unlucky.
        let mean = ratios.iter().product::<f64>().powf(1.0 / f64::from(DOUBLINGS));
        let mark = if mean > MOST { "  <- more than linear" } else { "" };
        over += usize::from(mean > MOST);
        let shown = |ratio: &f64| format!("{ratio:.2}");
        println!(
            "linear/{name:<52} {first:>7} to {:>8}: {:>9.2?} to {:>9.2?}  ratios {}  mean {mean:.2}{mark}",
            first << DOUBLINGS,
            times.first().copied().unwrap_or_default(),
            times.last().copied().unwrap_or_default(),
            ratios.iter().map(shown).collect::<Vec<_>>().join(" "),
        );
    }
    if over == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn shapes() -> Vec<Shape> {
    vec![
        // What a client sends.
        Shape("request, messages, translated down", 2000, |w, n| sends(&w.down, ANTHROPIC, messages(n))),
        Shape("request, calls and results, translated down", 1000, |w, n| {
            sends(&w.down, ANTHROPIC, calls_and_results(n))
        }),
        Shape("request, turns with calls, translated down", 500, |w, n| sends(&w.down, ANTHROPIC, turns(n))),
        Shape("request, tools, translated down", 500, |w, n| sends(&w.down, ANTHROPIC, tools(n, "tool"))),
        Shape("request, blocks, translated down", 4000, |w, n| sends(&w.down, ANTHROPIC, blocks(n))),
        Shape("request, properties of a schema, translated down", 4000, |w, n| {
            sends(&w.down, ANTHROPIC, properties(n))
        }),
        Shape("request, stop sequences, translated down", 8000, |w, n| {
            sends(&w.down, ANTHROPIC, with("stop_sequences", json!(words(n))))
        }),
        Shape("request, messages, translated up", 2000, |w, n| sends(&w.up, OPENAI, openai_messages(n))),
        Shape("request, calls and results, translated up", 500, |w, n| sends(&w.up, OPENAI, openai_calls(n))),
        Shape("request, calls of one id, translated up", 500, |w, n| {
            sends(&w.up, OPENAI, openai_same_calls(n))
        }),
        Shape("request, allowed tools, translated up", 500, |w, n| sends(&w.up, OPENAI, openai_allowed(n))),
        Shape("request, messages, passed on", 8000, |w, n| sends(&w.same, ANTHROPIC, messages(n))),
        Shape("request, keys, translated down", 8000, |w, n| {
            sends(
                &w.down,
                ANTHROPIC,
                with("metadata", words(n).into_iter().map(|word| (word, 1)).collect::<Value>()),
            )
        }),
        Shape("request, numbers, translated down", 50_000, |w, n| {
            sends(&w.down, ANTHROPIC, with("metadata", json!({ "n": vec![1; n] })))
        }),
        Shape("request, a number's digits, translated down", 200_000, |w, n| {
            sends_text(&w.down, ANTHROPIC, request_text(&format!(r#""temperature":{}"#, "9".repeat(n))))
        }),
        Shape("request, white space in front", 1 << 20, |w, n| {
            sends_text(&w.down, ANTHROPIC, format!("{}{}", " ".repeat(n), text(&small())))
        }),
        Shape("request, white space in the middle", 1 << 20, |w, n| {
            sends_text(&w.down, ANTHROPIC, request_text(&format!(r#""top_p":{}1"#, "\n".repeat(n))))
        }),
        Shape("request, white space behind", 1 << 20, |w, n| {
            sends_text(&w.down, ANTHROPIC, format!("{}{}", text(&small()), "\t".repeat(n)))
        }),
        Shape("request, escapes, translated down", 100_000, |w, n| {
            sends_text(&w.down, ANTHROPIC, request_text(&format!(r#""system":"{}""#, "\\u00e9".repeat(n))))
        }),
        Shape("request, lists in lists, translated down", 1000, |w, n| {
            let nested = format!("{}{}", "[".repeat(100), "]".repeat(100));
            let all = vec![nested; n].join(",");
            sends_text(&w.down, ANTHROPIC, request_text(&format!(r#""metadata":{{"n":[{all}]}}"#)))
        }),
        // A whole answer.
        Shape("answer, calls, translated up", 1000, |w, n| {
            whole(&w.down, ANTHROPIC, false, openai_answer(n, false))
        }),
        Shape("answer, calls of one id, translated up", 1000, |w, n| {
            whole(&w.down, ANTHROPIC, false, openai_answer(n, true))
        }),
        Shape("answer, calls of long names, translated up", 500, |w, n| {
            let request = tools(n, &"long ".repeat(14));
            let answer = json!({ "id": "x", "choices": [ { "index": 0, "finish_reason": "tool_calls", "message": { "role": "assistant",
                "tool_calls": (0..n).map(|at| json!({ "id": format!("c{at}"), "type": "function", "function": { "name": "abc", "arguments": "{}" } })).collect::<Vec<_>>() } } ] });
            answers(&w.down, ANTHROPIC, request, vec![Bytes::from(answer.to_string())])
        }),
        Shape("answer, calls, translated down", 1000, |w, n| {
            whole(&w.up, OPENAI, false, anthropic_answer(n))
        }),
        Shape("answer, white space in front, by the byte", 1 << 17, |w, n| {
            let mut chunks = vec![Bytes::from_static(b" "); n];
            chunks.push(Bytes::from(text(&openai_answer(1, false))));
            answers(&w.down, ANTHROPIC, json_of(&small_request(false)), chunks)
        }),
        Shape("answer, white space in front, by the kilobyte", 1 << 12, |w, n| {
            let mut chunks = vec![Bytes::from(vec![b'\n'; 1024]); n];
            chunks.push(Bytes::from(text(&openai_answer(1, false))));
            answers(&w.down, ANTHROPIC, json_of(&small_request(false)), chunks)
        }),
        Shape("answer, by the byte", 1 << 16, |w, n| {
            let answer = text(&openai_text(n));
            let chunks = answer.bytes().map(|byte| Bytes::from(vec![byte])).collect();
            answers(&w.down, ANTHROPIC, json_of(&small_request(false)), chunks)
        }),
        // A whole answer where a stream was asked for.
        Shape("unfolded, calls, translated up", 2000, |w, n| {
            whole(&w.down, ANTHROPIC, true, openai_answer(n, false))
        }),
        Shape("unfolded, calls without name, translated up", 2000, |w, n| {
            whole(
                &w.down,
                ANTHROPIC,
                true,
                json_of_text(&text(&openai_answer(n, false)).replace("get_weather", "")),
            )
        }),
        Shape("unfolded, calls, translated down", 2000, |w, n| {
            whole(&w.up, OPENAI, true, anthropic_answer(n))
        }),
        Shape("unfolded, blocks, passed on", 4000, |w, n| {
            whole(&w.same, ANTHROPIC, true, anthropic_answer(n))
        }),
        // A stream.
        Shape("stream, calls, translated up", 1000, |w, n| {
            streams(&w.down, ANTHROPIC, true, openai_call_events(n))
        }),
        Shape("stream, calls of one id, translated up", 1000, |w, n| {
            let events = openai_call_events(n)
                .into_iter()
                .map(|event| event.replace("\"id\":\"c", "\"id\":\"c\",\"was\":\""))
                .collect();
            streams(&w.down, ANTHROPIC, true, events)
        }),
        Shape("stream, calls without name, translated up", 1000, |w, n| {
            let events =
                openai_call_events(n).into_iter().map(|event| event.replace("get_weather", "")).collect();
            streams(&w.down, ANTHROPIC, true, events)
        }),
        Shape("stream, calls and text in turn, translated up", 1000, |w, n| {
            let calls = openai_call_events(n);
            let text = |at: usize| openai_event(json!({ "content": format!("word {at}") }));
            let events = calls.into_iter().enumerate().flat_map(|(at, call)| [call, text(at)]).collect();
            streams(&w.down, ANTHROPIC, true, events)
        }),
        Shape("stream, parts of one call beside another, up", 2000, |w, n| {
            let part = |at: usize, text: &str| {
                openai_event(
                    json!({ "tool_calls": [ { "index": at, "function": { "name": "get_weather", "arguments": text } } ] }),
                )
            };
            let mut events = vec![part(0, "{"), part(1, "{}")];
            events.extend((0..n).map(|at| part(0, &format!("\"k{at}\":{{}},"))));
            streams(&w.down, ANTHROPIC, true, events)
        }),
        Shape("stream, text, translated up", 4000, |w, n| {
            let events = (0..n).map(|at| openai_event(json!({ "content": format!(" word{at}") }))).collect();
            streams(&w.down, ANTHROPIC, true, events)
        }),
        Shape("stream, text by the byte, translated up", 200, |w, n| {
            let events: String =
                (0..n).map(|at| openai_event(json!({ "content": format!(" word{at}") }))).collect();
            let chunks = events.bytes().map(|byte| Bytes::from(vec![byte])).collect();
            answers(&w.down, ANTHROPIC, json_of(&small_request(true)), chunks)
        }),
        Shape("stream, white space as text, translated up", 4000, |w, n| {
            let events = (0..n).map(|_| openai_event(json!({ "content": " " }))).collect();
            streams(&w.down, ANTHROPIC, true, events)
        }),
        Shape("stream, comments, translated up", 20_000, |w, n| {
            streams(&w.down, ANTHROPIC, true, vec![": ping\n\n".to_owned(); n])
        }),
        Shape("stream, a long line by the byte, translated up", 1 << 16, |w, n| {
            let event = openai_event(json!({ "content": "x".repeat(n) }));
            let chunks = event.bytes().map(|byte| Bytes::from(vec![byte])).collect();
            answers(&w.down, ANTHROPIC, json_of(&small_request(true)), chunks)
        }),
        Shape("stream, a long event by the byte, passed on", 1 << 16, |w, n| {
            let event = format!("data: {}\n\n", json!({ "type": "ping", "x": "x".repeat(n) }));
            let bytes = event.bytes().map(|byte| char::from(byte).to_string());
            streams(&w.same, ANTHROPIC, true, bytes.chain(anthropic_text_events(1)).collect())
        }),
        Shape("stream, text, passed on", 4000, |w, n| {
            streams(&w.same, ANTHROPIC, true, anthropic_text_events(n))
        }),
        Shape("stream, white space as text, passed on", 4000, |w, n| {
            let events =
                anthropic_text_events(n).into_iter().map(|event| event.replace("word", " ")).collect();
            streams(&w.same, ANTHROPIC, true, events)
        }),
        Shape("stream, calls, translated down", 1000, |w, n| {
            streams(&w.up, OPENAI, true, anthropic_call_events(n, 1))
        }),
        Shape("stream, parts of calls in turn, translated down", 1000, |w, n| {
            let events = anthropic_call_events(n, 1);
            let (starts, rest): (Vec<_>, Vec<_>) =
                events.into_iter().partition(|event| event.contains("_start"));
            streams(&w.up, OPENAI, true, starts.into_iter().chain(rest).collect())
        }),
        // A stream where a whole answer was asked for.
        Shape("folded, calls, translated up", 1000, |w, n| {
            streams(&w.down, ANTHROPIC, false, openai_call_events(n))
        }),
        Shape("folded, choices, translated up", 500, |w, n| {
            let events = (0..n)
                .map(|at| {
                    format!(
                        "data: {}\n\n",
                        json!({ "id": "x", "choices": [ { "index": at, "delta": { "content": "hi" } } ] })
                    )
                })
                .collect();
            streams(&w.down, ANTHROPIC, false, events)
        }),
        Shape("folded, calls and what belongs to them", 500, |w, n| {
            let events = (0..n).map(|at| {
                openai_event(json!({ "tool_calls": [ { "index": at, "id": format!("c{at}"), "extra_content": { "x": at },
                    "function": { "name": "get_weather", "arguments": "{}" } } ] }))
            });
            streams(&w.down, ANTHROPIC, false, events.collect())
        }),
        Shape("folded, calls, translated down", 1000, |w, n| {
            streams(&w.up, OPENAI, false, anthropic_call_events(n, 1))
        }),
        Shape("folded, text, passed on", 4000, |w, n| {
            streams(&w.same, ANTHROPIC, false, anthropic_text_events(n))
        }),
        Shape("folded, citations, passed on", 500, |w, n| {
            let events = anthropic_text_events(n).into_iter().map(|event| {
                event.replace(
                    "\"text_delta\",\"text\":\"word\"",
                    "\"citations_delta\",\"citation\":{\"a\":\"b\"}",
                )
            });
            streams(&w.same, ANTHROPIC, false, events.collect())
        }),
        // An error.
        Shape("error, a long text", 1 << 18, |w, n| {
            let body = json!({ "error": { "type": "x", "message": "limit reached ".repeat(n / 14) } });
            refused(&w.down, Bytes::from(body.to_string()))
        }),
    ]
}

// ---------------------------------------------------------------- work

/// A request up to where it would be sent.
fn sends(world: &'static World, path: &'static str, body: Value) -> Run {
    sends_text(world, path, text(&body))
}

fn sends_text(world: &'static World, path: &'static str, body: String) -> Run {
    let body = Bytes::from(body);
    Box::new(move || drop(world.attempt(world.incoming_at(path, body.clone()))))
}

/// An answer in one piece.
fn whole(world: &'static World, path: &'static str, stream: bool, answer: Value) -> Run {
    answers(world, path, asking(path, stream), vec![Bytes::from(answer.to_string())])
}

/// A small request in the words of the path's protocol.
fn asking(path: &str, stream: bool) -> Value {
    match path {
        OPENAI => {
            json!({ "model": MODEL, "stream": stream, "messages": [ { "role": "user", "content": "hi" } ] })
        }
        _ => json_of(&small_request(stream)),
    }
}

/// An answer of events, each in a read of its own.
fn streams(world: &'static World, path: &'static str, stream: bool, events: Vec<String>) -> Run {
    let end = if path == OPENAI || events.iter().any(|event| event.contains("content_block")) {
        "data: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{\"output_tokens\":1}}\n\ndata: {\"type\":\"message_stop\"}\n\n"
    } else {
        "data: {\"id\":\"x\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n"
    };
    let chunks = events.into_iter().chain([end.to_owned()]).map(Bytes::from).collect();
    answers(world, path, asking(path, stream), chunks)
}

/// A request's answer in these pieces, as the router reads it.
fn answers(world: &'static World, path: &'static str, request: Value, chunks: Vec<Bytes>) -> Run {
    let request = Bytes::from(request.to_string());
    Box::new(move || {
        let mut exchange = world.attempt(world.incoming_at(path, request.clone())).exchange;
        let _ = exchange.head(200, &headers(&[]));
        for chunk in &chunks {
            if over(&exchange.feed(chunk)) {
                return;
            }
            drop(exchange.take_output());
        }
        check(&exchange.eof());
        drop(exchange.take_output());
    })
}

/// An error that all rules are asked about.
fn refused(world: &'static World, body: Bytes) -> Run {
    Box::new(move || {
        let mut exchange = world.attempt(world.incoming(small_request(false))).exchange;
        let _ = exchange.head(400, &headers(&[]));
        let _ = exchange.feed(&body);
        drop(exchange.eof());
    })
}

fn over(progress: &Progress) -> bool {
    check(progress);
    matches!(progress, Progress::Done(_))
}

/// A shape that fails measures nothing.
fn check(progress: &Progress) {
    if let Progress::Done(Outcome::Failed(failure)) = progress {
        let small = ["white space", "cut off", "keeps more", "without an answer"];
        assert!(small.iter().any(|word| failure.message.contains(word)), "{failure:?}");
    }
}

// ---------------------------------------------------------------- shapes

fn text(value: &Value) -> String {
    value.to_string()
}

fn json_of(body: &Bytes) -> Value {
    serde_json::from_slice(body).expect("JSON")
}

fn json_of_text(body: &str) -> Value {
    serde_json::from_str(body).expect("JSON")
}

fn small() -> Value {
    json!({ "model": MODEL, "max_tokens": 9, "messages": [ { "role": "user", "content": "Hello" } ] })
}

fn with(name: &str, value: Value) -> Value {
    let mut request = small();
    request[name] = value;
    request
}

/// A request that has this member besides.
fn request_text(member: &str) -> String {
    format!(
        r#"{{"model":"{MODEL}","max_tokens":9,{member},"messages":[{{"role":"user","content":"Hello"}}]}}"#
    )
}

fn words(count: usize) -> Vec<String> {
    (0..count).map(|at| format!("word{at}")).collect()
}

fn messages(count: usize) -> Value {
    let role = |at: usize| if at.is_multiple_of(2) { "user" } else { "assistant" };
    with(
        "messages",
        (0..count).map(|at| json!({ "role": role(at), "content": format!("message {at}") })).collect(),
    )
}

fn blocks(count: usize) -> Value {
    let blocks: Vec<_> =
        (0..count).map(|at| json!({ "type": "text", "text": format!("block {at}") })).collect();
    with("messages", json!([ { "role": "user", "content": blocks } ]))
}

fn call(at: usize) -> Value {
    json!({ "type": "tool_use", "id": format!("toolu_{at}"), "name": "get_weather", "input": { "city": "Paris" } })
}

fn result(at: usize) -> Value {
    json!({ "type": "tool_result", "tool_use_id": format!("toolu_{at}"), "content": "18" })
}

fn calls_and_results(count: usize) -> Value {
    let (calls, results): (Vec<_>, Vec<_>) = (0..count).map(|at| (call(at), result(at))).unzip();
    with(
        "messages",
        json!([ { "role": "user", "content": "Hi" }, { "role": "assistant", "content": calls }, { "role": "user", "content": results } ]),
    )
}

fn turns(count: usize) -> Value {
    let turn = |at| {
        [
            json!({ "role": "assistant", "content": [ call(at) ] }),
            json!({ "role": "user", "content": [ result(at) ] }),
        ]
    };
    let first = json!({ "role": "user", "content": "Hi" });
    with("messages", std::iter::once(first).chain((0..count).flat_map(turn)).collect())
}

fn tools(count: usize, name: &str) -> Value {
    let tool = |at: usize| json!({ "name": format!("{name}{at}"), "input_schema": { "type": "object", "properties": { "a": { "type": "string" } } } });
    with("tools", (0..count).map(tool).collect())
}

fn properties(count: usize) -> Value {
    let properties: Value =
        words(count).into_iter().map(|word| (word, json!({ "type": "string", "required": null }))).collect();
    with("tools", json!([ { "name": "t", "input_schema": { "type": "object", "properties": properties } } ]))
}

fn openai_messages(count: usize) -> Value {
    messages(count)
}

fn openai_call(at: usize, id: &str) -> Value {
    json!({ "id": id, "type": "function", "function": { "name": "get_weather", "arguments": format!("{{\"at\":{at}}}") } })
}

fn openai_calls(count: usize) -> Value {
    let calls: Vec<_> = (0..count).map(|at| openai_call(at, &format!("c{at}"))).collect();
    let results =
        (0..count).map(|at| json!({ "role": "tool", "tool_call_id": format!("c{at}"), "content": "18" }));
    let first = [
        json!({ "role": "user", "content": "Hi" }),
        json!({ "role": "assistant", "content": null, "tool_calls": calls }),
    ];
    with("messages", first.into_iter().chain(results).collect())
}

fn openai_same_calls(count: usize) -> Value {
    json_of_text(
        &text(&openai_calls(count))
            .replace("\"tool_call_id\":\"c", "\"tool_call_id\":\"c\",\"was\":\"")
            .replace("\"id\":\"c", "\"id\":\"c\",\"was\":\""),
    )
}

fn openai_allowed(count: usize) -> Value {
    let tool = |at: usize| json!({ "type": "function", "function": { "name": format!("tool{at}"), "parameters": { "type": "object" } } });
    let mut request = with("tools", (0..count).map(tool).collect());
    request["tool_choice"] = json!({ "type": "allowed_tools", "allowed_tools": { "mode": "auto", "tools": (0..count).map(tool).collect::<Vec<_>>() } });
    request
}

fn openai_answer(calls: usize, one_id: bool) -> Value {
    let id = |at: usize| if one_id { "c".to_owned() } else { format!("c{at}") };
    let calls: Vec<_> = (0..calls).map(|at| openai_call(at, &id(at))).collect();
    json!({ "id": "x", "object": "chat.completion", "choices": [ { "index": 0, "finish_reason": "tool_calls",
        "message": { "role": "assistant", "content": null, "tool_calls": calls } } ], "usage": { "prompt_tokens": 1, "completion_tokens": 1 } })
}

fn openai_text(length: usize) -> Value {
    json!({ "id": "x", "object": "chat.completion", "choices": [ { "index": 0, "finish_reason": "stop",
        "message": { "role": "assistant", "content": "x".repeat(length) } } ] })
}

fn anthropic_answer(calls: usize) -> Value {
    json!({ "id": "msg_1", "type": "message", "role": "assistant", "model": MODEL, "stop_reason": "tool_use",
        "content": (0..calls).map(call).collect::<Vec<_>>(), "usage": { "input_tokens": 1, "output_tokens": 1 } })
}

fn openai_event(delta: Value) -> String {
    format!("data: {}\n\n", json!({ "id": "x", "choices": [ { "index": 0, "delta": delta } ] }))
}

fn openai_call_events(count: usize) -> Vec<String> {
    let event = |at: usize| {
        openai_event(
            json!({ "tool_calls": [ { "index": at, "id": format!("c{at}"), "function": { "name": "get_weather", "arguments": "{}" } } ] }),
        )
    };
    (0..count).map(event).collect()
}

fn anthropic_event(data: &Value) -> String {
    format!("event: {}\ndata: {data}\n\n", data["type"].as_str().unwrap_or_default())
}

fn anthropic_start() -> String {
    anthropic_event(
        &json!({ "type": "message_start", "message": { "id": "msg_1", "type": "message", "role": "assistant",
        "model": MODEL, "content": [], "usage": { "input_tokens": 1, "output_tokens": 1 } } }),
    )
}

fn anthropic_text_events(count: usize) -> Vec<String> {
    let block =
        json!({ "type": "content_block_start", "index": 0, "content_block": { "type": "text", "text": "" } });
    let delta = json!({ "type": "content_block_delta", "index": 0, "delta": { "type": "text_delta", "text": "word" } });
    let mut events = vec![anthropic_start(), anthropic_event(&block)];
    events.extend((0..count).map(|_| anthropic_event(&delta)));
    events.push(anthropic_event(&json!({ "type": "content_block_stop", "index": 0 })));
    events
}

fn anthropic_call_events(count: usize, parts: usize) -> Vec<String> {
    let mut events = vec![anthropic_start()];
    for at in 0..count {
        let block =
            json!({ "type": "tool_use", "id": format!("toolu_{at}"), "name": "get_weather", "input": {} });
        events.push(anthropic_event(
            &json!({ "type": "content_block_start", "index": at, "content_block": block }),
        ));
        let delta = json!({ "type": "content_block_delta", "index": at, "delta": { "type": "input_json_delta", "partial_json": "{}" } });
        events.extend((0..parts).map(|_| anthropic_event(&delta)));
        events.push(anthropic_event(&json!({ "type": "content_block_stop", "index": at })));
    }
    events
}
