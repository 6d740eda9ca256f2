//! Made-up streams with parallel tool calls, their fragments in every order that providers were seen to use, through the
//! shipped mapping: each call comes out whole, and no stream that was cut looks complete.

use std::sync::Arc;

use rulegate::engine::Engine;
use serde_json::{Value, json};

use crate::recordings::{Said, engine, read, through};
use crate::second_door::Dice;

/// As many as the promise says.
const STREAMS: u64 = 20_000;
/// They are independent of each other, so that two cores can share them.
const HALVES: u64 = 2;

/// One call as the provider will say it: its id, its name, and its arguments in fragments.
struct Call {
    id: String,
    name: String,
    fragments: Vec<String>,
    /// How many pieces have been sent: the head is one.
    sent: usize,
    /// The head comes after some of the arguments.
    late_name: bool,
    /// Every fragment says id and name again.
    repeats: bool,
}

impl Call {
    fn made_up(dice: &mut Dice, number: usize) -> Call {
        let text =
            dice.of(&["", "x", "\u{e9}\u{1F600}", "quote \" and \\", "a longer argument, in several pieces"]);
        let arguments = json!({ "n": number, "text": text, "list": [1, { "deep": [] }] }).to_string();
        let mut fragments = Vec::new();
        let mut rest = arguments.as_str();
        while !rest.is_empty() {
            let mut end = usize::try_from(dice.below(24)).unwrap().min(rest.len());
            while !rest.is_char_boundary(end) {
                end += 1;
            }
            fragments.push(rest[..end].to_owned());
            rest = &rest[end..];
        }
        // What says nothing at all does not begin a call yet.
        let late_name = dice.below(5) == 0 && fragments.first().is_some_and(|text| !text.is_empty());
        Call {
            id: format!("call_{number}"),
            name: format!("tool_{number}"),
            fragments,
            sent: 0,
            late_name,
            repeats: dice.below(5) == 0,
        }
    }

    fn is_done(&self) -> bool {
        self.sent > self.fragments.len()
    }

    /// Its next piece, as an entry of `delta.tool_calls`.
    fn next(&mut self, index: usize) -> Value {
        let head_at = usize::from(self.late_name).min(self.fragments.len());
        let mut function = json!({});
        let mut entry = json!({ "index": index });
        // The pieces are the fragments, with the head as one more of them at its place.
        let fragment = match self.sent {
            at if at == head_at => None,
            at if at < head_at => self.fragments.get(at),
            at => self.fragments.get(at - 1),
        };
        if self.sent == head_at || (self.repeats && self.sent > head_at) {
            entry["id"] = json!(self.id);
            entry["type"] = json!("function");
            function["name"] = json!(self.name);
        }
        function["arguments"] = json!(fragment.map_or("", String::as_str));
        entry["function"] = function;
        self.sent += 1;
        entry
    }
}

/// A stream of chunks, and what it says. Calls are numbered in the order in which they are first spoken of.
fn made_up(dice: &mut Dice) -> (String, Said) {
    let mut said = Said::default();
    let mut chunks = vec![json!({ "role": "assistant", "content": "" })];
    for _ in 0..dice.below(3) {
        let text = dice.of(&["Let me look", ". ", "\u{e9}", "\n\n"]);
        if dice.below(2) == 0 && said.text.is_empty() {
            said.thinking += text;
            chunks.push(json!({ "reasoning_content": text }));
        } else {
            said.text += text;
            chunks.push(json!({ "content": text }));
        }
    }
    let mut calls: Vec<Call> =
        (0..1 + usize::try_from(dice.below(5)).unwrap()).map(|n| Call::made_up(dice, n)).collect();
    // Some providers send call after call, others all at once, some several fragments in one chunk.
    let turns = dice.below(3);
    let mut begun = 0;
    while calls.iter().any(|call| !call.is_done()) {
        let mut entries = Vec::new();
        for _ in 0..1 + if turns == 2 { dice.below(3) } else { 0 } {
            let open: Vec<usize> = (0..begun).filter(|at| !calls[*at].is_done()).collect();
            let may_begin = begun < calls.len() && (turns > 0 || open.is_empty());
            let at = match open.is_empty() || (may_begin && dice.below(3) == 0) {
                true if may_begin => {
                    begun += 1;
                    begun - 1
                }
                _ if open.is_empty() => break,
                _ => dice.of(&open),
            };
            entries.push(calls[at].next(at));
        }
        chunks.push(json!({ "tool_calls": entries }));
    }
    said.calls = calls.iter().map(|call| (call.name.clone(), call.fragments.concat())).collect();
    let choice = |delta: &Value, finish: Value| {
        let chunk = json!({
            "id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m",
            "choices": [{ "index": 0, "delta": delta, "finish_reason": finish }],
        });
        format!("data: {chunk}\n\n")
    };
    let mut text: String = chunks.iter().map(|delta| choice(delta, Value::Null)).collect();
    text += &choice(&json!({}), json!("tool_calls"));
    text += "data: [DONE]\n\n";
    (text, said)
}

fn check(engine: &Arc<Engine>, seed: u64) {
    let mut dice = Dice::new(seed);
    let (text, want) = made_up(&mut dice);
    let size = dice.of(&[usize::MAX, usize::MAX, usize::MAX, usize::MAX, 97, 5]);
    let out =
        through(engine, text.as_bytes(), size).unwrap_or_else(|| panic!("number {seed} failed:\n{text}"));
    let (have, failed) = read(&out);
    assert!(!failed && have == want, "number {seed}: {have:?}\nwanted {want:?}\nfrom\n{text}");

    if !seed.is_multiple_of(4) {
        return;
    }
    let finish = text.find("\"finish_reason\":\"").unwrap();
    let cut = usize::try_from(dice.below(finish as u64)).unwrap();
    if let Some(out) = through(engine, &text.as_bytes()[..cut], usize::MAX) {
        let (_, failed) = read(&out);
        assert!(failed, "number {seed} cut at {cut} looks complete:\n{text}");
    }
}

#[test]
fn twenty_thousand_interleavings_of_tool_calls_come_out_right() {
    let engine = engine();
    std::thread::scope(|scope| {
        for half in 0..HALVES {
            let engine = &engine;
            scope.spawn(move || {
                (1..=STREAMS).filter(|seed| seed % HALVES == half).for_each(|seed| check(engine, seed))
            });
        }
    });
}
