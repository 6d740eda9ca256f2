//! Stream programs over made-up events: blocks in order, calls assembled, ends that are not invented.

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;

use super::{Framing, StreamMachine, StreamProgram};
use crate::language::scope::Scope;
use crate::text::diagnostic::{Diagnostics, FileId, Sources};
use crate::text::json::Doc;
use crate::text::yaml;

const PROGRAM: &str = r#"
state: { finish: , usage: }
blocks:
  note:
    begin: { type: open, at: $block.index, kind: note }
    part: { type: part, at: $block.index, text: $part }
    end: [{ type: seal, at: $block.index }, { type: shut, at: $block.index }]
  text:
    begin: { type: open, at: $block.index, kind: text }
    part: { type: part, at: $block.index, text: $part }
    end: { type: shut, at: $block.index }
  call:
    keyed: true
    once: [id, name]
    ready: $block.name
    whole: { is: json_object }
    begin: { type: open, at: $block.index, kind: call, id: { $if: $block.twin, $then: '{$block.id}-{$block.index}', $else: { $first: [$block.id, made] } }, name: $block.name }
    part: { type: part, at: $block.index, text: $part }
    end: { type: shut, at: $block.index }
before: { emit: { type: hello } }
event:
  - when: $.error
    fail: { status: 529, type: busy, message: '{$.error.message}' }
  - add: { note: $.note }
  - add: { text: $.text }
  - for: $.calls
    as: call
    add: { call: $call.args, key: $call.at, id: $call.id, name: $call.name }
  - set: { finish: { $first: [$state.finish, $.finish] }, usage: { $first: [$.usage, $state.usage] } }
done:
  - when: { all: [{ $state.finish: { is: nothing } }, { $begun.text: 0 }, { $begun.call: 0 }] }
    fail: { status: 502, message: an empty stream }
    else: end
eof:
  when: $state.finish
  end: true
  else: { fail: { status: 502, message: cut off } }
end:
  - emit: { type: total, kinds: { $join: $blocks, $by: + }, finish: { $if: { $begun.call: { above: 0 } }, $then: calls, $else: $state.finish }, usage: $state.usage }
  - emit: { type: bye }
"#;

fn program() -> Arc<StreamProgram> {
    compile(PROGRAM).unwrap_or_else(|error| panic!("{error}"))
}

fn compile(text: &str) -> Result<Arc<StreamProgram>, String> {
    let mut sources = Sources::new();
    let file = sources.add("stream.yaml", text);
    assert_eq!(file, FileId(0));
    let node = yaml::parse(file, text).unwrap();
    let mut diags = Diagnostics::default();
    let framing = Framing { event: Some("type".into()), done: None, folds: false };
    let program = StreamProgram::compile(&node, Scope::new(&[""]), framing, &mut diags);
    match program {
        Some(program) if !diags.has_errors() => Ok(Arc::new(program)),
        _ => Err(diags.render(&sources, false)),
    }
}

/// Feeds events, the literal `DONE`, or `EOF`; gives the machine back.
fn feed(events: &[&str]) -> StreamMachine {
    let mut machine = StreamMachine::new(program());
    for event in events {
        match *event {
            "DONE" => machine.done(&[]),
            "EOF" => machine.eof(&[]),
            data => machine.event(&[], None, data.as_bytes()),
        }
    }
    machine
}

/// The events that left, as their data; each event's name must be its type.
fn left(machine: &mut StreamMachine) -> Vec<String> {
    let out = String::from_utf8(machine.take_output()).unwrap();
    let mut events = Vec::new();
    for event in out.split_terminator("\n\n") {
        let (name, data) = event.split_once('\n').unwrap();
        let data = data.strip_prefix("data: ").unwrap();
        let doc = Doc::parse(data.as_bytes().to_vec()).unwrap();
        assert_eq!(name.strip_prefix("event: ").unwrap(), doc.root().get("type").unwrap().str().unwrap());
        events.push(data.to_owned());
    }
    events
}

fn made(events: &[&str]) -> Vec<String> {
    left(&mut feed(events))
}

#[test]
fn kinds_take_turns_and_nothing_opens_for_empty_parts() {
    let events = made(&[
        r#"{"note":"","text":""}"#,
        r#"{"note":"a","text":"b"}"#,
        r#"{"text":"c","note":""}"#,
        r#"{"note":"d"}"#,
        r#"{"finish":"stop"}"#,
        "DONE",
    ]);
    assert_eq!(
        events,
        [
            r#"{"type":"hello"}"#,
            r#"{"type":"open","at":0,"kind":"note"}"#,
            r#"{"type":"part","at":0,"text":"a"}"#,
            r#"{"type":"seal","at":0}"#,
            r#"{"type":"shut","at":0}"#,
            r#"{"type":"open","at":1,"kind":"text"}"#,
            r#"{"type":"part","at":1,"text":"b"}"#,
            r#"{"type":"part","at":1,"text":"c"}"#,
            r#"{"type":"shut","at":1}"#,
            r#"{"type":"open","at":2,"kind":"note"}"#,
            r#"{"type":"part","at":2,"text":"d"}"#,
            r#"{"type":"seal","at":2}"#,
            r#"{"type":"shut","at":2}"#,
            r#"{"type":"total","kinds":"note+text","finish":"stop"}"#,
            r#"{"type":"bye"}"#,
        ]
    );
}

#[test]
fn names_of_a_handler_outlive_what_leaves_in_its_midst() {
    let program = compile(
        r#"
        blocks: { text: { begin: { $let: { a: 1, b: 2 }, $in: { type: open, at: $a } } } }
        before: { let: { c: 3 }, emit: { type: hello, c: $c } }
        event:
          - let: { kept: $.kept }
          - add: { text: $.text }
          - emit: { type: kept, kept: $kept }
        "#,
    );
    let mut machine = StreamMachine::new(program.unwrap_or_else(|error| panic!("{error}")));
    machine.event(&[], None, br#"{"text":"x","kept":"y"}"#);
    assert_eq!(
        left(&mut machine),
        [r#"{"type":"hello","c":3}"#, r#"{"type":"open","at":1}"#, r#"{"type":"kept","kept":"y"}"#]
    );
}

#[test]
fn nothing_is_committed_before_content_or_a_good_end() {
    let mut machine = feed(&[r#"{"usage":{"n":1}}"#, r#"{"calls":[{"at":0,"args":"{}"}]}"#]);
    assert!(!machine.committed());
    assert_eq!(left(&mut machine), [""; 0]);
    machine.event(&[], None, br#"{"calls":[{"at":0,"name":"f"}]}"#);
    assert!(machine.committed());
    let good = feed(&[r#"{"finish":"stop"}"#, "DONE"]);
    assert!(good.committed() && good.ended());
}

#[test]
fn failures_end_the_machine_and_no_end_is_invented() {
    for (events, status, message) in [
        (&[r#"{"text":"a"}"#, "EOF"][..], 502, "cut off"),
        (&["DONE"], 502, "an empty stream"),
        (&[r#"{"text":"a","error":{"message":"later"}}"#, r#"{"text":"b"}"#], 529, "later"),
        (&[r#"{"text":"#, "DONE"], 502, "an event of the stream is no JSON"),
        (
            &[
                r#"{"calls":[{"at":0,"id":"a","name":"f","args":"{}"},{"at":1,"id":"b","name":"g"},{"at":0,"args":"x"}]}"#,
            ],
            502,
            "went on after it was complete",
        ),
    ] {
        let mut machine = feed(events);
        let fail = machine.failure().cloned().unwrap();
        assert_eq!(fail.status, status, "{events:?}");
        assert!(fail.message.contains(message), "{events:?}: {}", fail.message);
        assert!(!machine.ended());
        assert!(!left(&mut machine).iter().any(|event| event.contains("bye")), "{events:?}");
    }
}

#[test]
fn input_kept_as_it_came_cannot_break_the_framing() {
    let events = made(&["{\"finish\":\"stop\",\"usage\":{\n\"n\":\r\n1}}", "DONE"]);
    assert_eq!(events[1], "{\"type\":\"total\",\"finish\":\"stop\",\"usage\":{ \"n\":  1}}");
}

#[test]
fn calls_with_missing_or_shared_keys_stay_apart() {
    for (calls, whole) in [
        // Every call at position 0, told apart by id and name.
        (
            r#"[{"at":0,"id":"a","name":"f","args":"{\"x\":1}"},{"at":0,"id":"b","name":"g"},{"at":0,"args":"{}"}]"#,
            [("a", "f", r#"{\"x\":1}"#), ("b", "g", "{}")],
        ),
        // No position at all.
        (
            r#"[{"id":"a","name":"f","args":"{"},{"args":"}"},{"id":"b","name":"g","args":"{}"},{"id":"b","args":" "}]"#,
            [("a", "f", "{}"), ("b", "g", "{} ")],
        ),
        // Empty names and ids in later fragments, a name that is repeated, an object for a text.
        (
            r#"[{"at":1,"id":"a","name":"f"},{"at":1,"id":"","name":"","args":"{}"},{"at":2,"id":"b","name":"g"},{"at":2,"name":"g","args":{"y":[1]}}]"#,
            [("a", "f", "{}"), ("b", "g", r#"{\"y\":[1]}"#)],
        ),
        // One id for two positions, or for two names: the second block is told that it has a twin.
        (
            r#"[{"at":0,"id":"a","name":"f","args":"{"},{"at":1,"id":"a","name":"f","args":"{"},{"at":0,"args":"}"},{"at":1,"args":"}"}]"#,
            [("a", "f", "{}"), ("a-1", "f", "{}")],
        ),
        (
            r#"[{"at":0,"id":"a","name":"f","args":"{}"},{"at":0,"id":"a","name":"g","args":"{"},{"at":0,"args":"}"}]"#,
            [("a", "f", "{}"), ("a-1", "g", "{}")],
        ),
        (
            r#"[{"id":"a","name":"f","args":"{}"},{"id":"a","name":"g","args":"{"},{"id":"a","args":"}"}]"#,
            [("a", "f", "{}"), ("a-1", "g", "{}")],
        ),
    ] {
        let events = made(&[&format!(r#"{{"calls":{calls},"finish":"stop"}}"#), "DONE"]).join("\n");
        for (at, (id, name, args)) in whole.iter().enumerate() {
            let open = format!(r#"{{"type":"open","at":{at},"kind":"call","id":"{id}","name":"{name}"}}"#);
            assert!(events.contains(&open), "{calls}: {events}");
            let parts: String = events
                .lines()
                .filter_map(|event| event.strip_prefix(&format!(r#"{{"type":"part","at":{at},"text":""#)))
                .map(|part| part.trim_end_matches("\"}"))
                .collect();
            assert_eq!(parts, *args, "{calls}");
        }
    }
}

#[test]
fn mistakes_in_a_program_are_told_with_their_place() {
    let error = compile(
        "state: { n: 0 }\nblocks: { text: { beginn: {} } }\nevent:\n  - set: { m: 1 }\n  - add: { txt: $.t }\n  - emit: { a: { $need: $.a, $message: x } }\n  - when: $state.o\n    ennd: true\n",
    )
    .err()
    .unwrap();
    for part in [
        "a block has no `beginn`",
        "did you mean `begin`?",
        "the state has no `m`",
        "`blocks` has no `txt`",
        "did you mean `text`?",
        "`$need` may fail, and a stream cannot",
        "a step has no `ennd`",
        "stream.yaml:4:",
    ] {
        assert!(error.contains(part), "{part} in\n{error}");
    }
}

proptest! {
    /// Fragments of parallel calls, in any interleaving that keeps each call's own order, come out as whole calls
    /// in the order in which the calls began, one open at a time.
    #[test]
    fn interleaved_calls_come_out_whole(
        lengths in prop::collection::vec(1usize..5, 1..6),
        order in prop::collection::vec(0usize..64, 0..40),
    ) {
        let argument = |call: usize, part: usize, parts: usize| {
            let start = if part == 0 { "{\\\"k\\\":\\\"" } else { "" };
            let end = if part + 1 == parts { "\\\"}" } else { "" };
            format!("{start}{call}.{part};{end}")
        };
        let mut sent = vec![0; lengths.len()];
        let mut arrival = Vec::new();
        let mut events = Vec::new();
        let mut picks = order.into_iter();
        loop {
            let unfinished: Vec<_> = (0..lengths.len()).filter(|call| sent[*call] < lengths[*call]).collect();
            if unfinished.is_empty() { break }
            let call = unfinished[picks.next().unwrap_or(0) % unfinished.len()];
            if sent[call] == 0 { arrival.push(call) }
            let head = if sent[call] == 0 { format!(r#""id":"i{call}","name":"n{call}","#) } else { String::new() };
            events.push(format!(
                r#"{{"calls":[{{"at":{call},{head}"args":"{}"}}]}}"#,
                argument(call, sent[call], lengths[call])
            ));
            sent[call] += 1;
        }
        events.push(r#"{"finish":"calls"}"#.into());
        events.push("DONE".into());
        let events: Vec<_> = events.iter().map(String::as_str).collect();
        let made = made(&events);
        let mut open = None;
        let mut opened = Vec::new();
        let mut texts: BTreeMap<i64, String> = BTreeMap::new();
        for event in &made {
            let doc = Doc::parse(event.as_bytes().to_vec()).unwrap();
            let at = doc.root().get("at").and_then(|at| at.i64());
            match doc.root().get("type").unwrap().str().unwrap().as_ref() {
                "open" => {
                    prop_assert_eq!(open.replace(at.unwrap()), None);
                    prop_assert_eq!(at.unwrap(), opened.len() as i64);
                    opened.push(doc.root().get("name").unwrap().str().unwrap().into_owned());
                }
                "part" => {
                    prop_assert_eq!(open, at);
                    let text = doc.root().get("text").unwrap().str().unwrap().into_owned();
                    texts.entry(at.unwrap()).or_default().push_str(&text);
                }
                "shut" => prop_assert_eq!(open.take(), at),
                _ => prop_assert_eq!(open, None),
            }
        }
        let expected: Vec<_> = arrival.iter().map(|call| format!("n{call}")).collect();
        prop_assert_eq!(opened, expected);
        for (at, call) in arrival.iter().enumerate() {
            let parts: String = (0..lengths[*call]).map(|part| argument(*call, part, lengths[*call])).collect();
            prop_assert_eq!(&texts[&(at as i64)], &parts.replace("\\\"", "\""));
        }
    }
}

/// Shapes that take minutes where the work for a block grows with the blocks before it.
#[test]
fn many_blocks_cost_no_more_each_than_few() {
    const MANY: usize = 20_000;
    let call = |at: usize| format!(r#"{{"at":{at},"id":"c{at}","name":"n","args":"{{}}"}}"#);
    let all: Vec<String> = (0..MANY).map(call).collect();
    let mut machine = StreamMachine::new(program());
    let whole = Doc::parse(format!(r#"{{"calls":[{}],"finish":"x"}}"#, all.join(","))).unwrap();
    machine.document(&[], None, &whole);
    machine.done(&[]);
    assert!(machine.ended(), "{:?}", machine.failure());
    let begun = String::from_utf8(machine.take_output()).unwrap().matches(r#""type":"open""#).count();
    assert_eq!(begun, MANY);

    // Each text closes what is open, and looks at none of the calls that are closed.
    let mut machine = StreamMachine::new(program());
    for at in 0..MANY {
        let event = format!(r#"{{"text":"t","calls":[{}]}}"#, call(at));
        machine.document(&[], None, &Doc::parse(event).unwrap());
    }
    assert!(machine.failure().is_none());

    // Calls that are never ready are not asked for each part of another one.
    let mut machine = StreamMachine::new(program());
    machine.document(&[], None, &Doc::parse(r#"{"calls":[{"at":"x","name":"n","args":"{"}]}"#).unwrap());
    for at in 0..MANY {
        let event =
            format!(r#"{{"calls":[{{"at":{at},"args":"{{}}"}},{{"at":"x","args":"\"k{at}\":{{}},"}}]}}"#);
        machine.document(&[], None, &Doc::parse(event).unwrap());
    }
    assert!(machine.failure().is_none());
}

#[test]
fn a_state_that_keeps_all_it_reads_fails_before_it_takes_the_square_of_it() {
    let program =
        compile("state: { all: '' }\nevent: { set: { all: '{$state.all}{$.x}' } }\neof: end\n").unwrap();
    let run = |count: usize| {
        let mut machine = StreamMachine::new(program.clone());
        let event = Doc::parse(format!(r#"{{"x":"{}"}}"#, "x".repeat(1000))).unwrap();
        (0..count).for_each(|_| machine.document(&[], None, &event));
        machine.failure().map(|fail| fail.message.clone())
    };
    assert_eq!(run(100), None);
    let why = run(1000);
    assert!(why.as_deref().is_some_and(|why| why.contains("keeps more and more")), "{why:?}");
}

#[test]
fn an_index_in_the_state_finds_by_key() {
    let program = compile(concat!(
        "state: { seen: null }\n",
        "event:\n",
        "  - when: { $.id: { in: $state.seen } }\n",
        "    emit: { type: again, id: $.id, first: { $first: [ { $find: $.id, $in: $state.seen } ] }, of: { $count: $state.seen } }\n",
        "  - index: { seen: { key: $.id, value: $.at } }\n",
        "eof: end\n",
    ))
    .unwrap();
    let mut machine = StreamMachine::new(program);
    for event in [
        r#"{"id":"a","at":1}"#,
        r#"{"at":2}"#,
        r#"{"id":1,"at":3}"#,
        r#"{"id":"a","at":4}"#,
        r#"{"id":1.0,"at":5}"#,
    ] {
        machine.document(&[], None, &Doc::parse(event.to_owned()).unwrap());
    }
    let said = String::from_utf8(machine.take_output()).unwrap();
    assert!(said.contains(r#"{"type":"again","id":"a","first":1,"of":2}"#), "{said}");
    assert!(said.contains(r#"{"type":"again","id":1.0,"first":3,"of":3}"#), "{said}");
}
