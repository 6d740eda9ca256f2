//! `rulegate map`: what it prints, and what it says of mistakes. The mapping is the tutorial's.

use std::io::Write;
use std::process::{Output, Stdio};

use serde_json::{Value, json};

use crate::support::{Folder, lay_out, program, tutorial};

/// The tutorial's files, and the command in front of all arguments.
fn folder() -> Folder {
    let folder = Folder::new();
    tutorial().blocks().iter().for_each(|block| lay_out(block, &folder));
    folder
}

/// Runs `rulegate map`: exit code, standard output, standard error.
pub fn map(folder: &Folder, arguments: &str, input: &str) -> (i32, String, String) {
    let mut command = program(folder.path());
    command.arg("map").args(arguments.split_whitespace());
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // A program that refuses its arguments does not read on.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let Output { status, stdout, stderr } = child.wait_with_output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    (status.code().unwrap_or(-1), text(stdout), text(stderr))
}

fn json_of(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

#[test]
fn a_request_is_shown_as_the_provider_gets_it() {
    let folder = folder();
    let (code, out, err) = map(&folder, "--mapping acme.mapping.yaml --request ask.json", "");
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    let body = json_of(&out);
    assert_eq!((&body["engine"], &body["said"][0]["by"]), (&json!("big-model"), &json!("sign")));
    assert!(out.contains("\n  \"engine\": "), "for people to read\n{out}");
    // A provider of the rules has its own name of the model.
    let input = r#"{"model":"m","messages":[],"stream":true}"#;
    let (code, out, err) =
        map(&folder, "-m acme.mapping.yaml -r rules.yaml -p acme --request - --steps", input);
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    for line in [
        "PUT https://talk.acme.example/talk",
        "   x-acme-edition: 7",
        "   x-acme-pass: ***",
        "  \"live\": true,",
    ] {
        assert!(out.lines().any(|shown| shown == line), "no {line}\n{out}");
    }
    assert!(out.contains("$provider = {\"name\":\"acme\",\"model\":\"roadrunner-2\"}"), "{out}");
}

#[test]
fn an_answer_is_shown_as_the_client_gets_it() {
    let folder = folder();
    let (code, out, _) =
        map(&folder, "--mapping acme.mapping.yaml --response answer.json --request ask.json", "");
    let body = json_of(&out);
    assert_eq!(
        (code, &body["model"], &body["stop_reason"]),
        (0, &json!("big-model"), &json!("max_tokens")),
        "{out}"
    );
    // A 200 that is no answer is a failure, and the client is told in its own words.
    let (code, out, err) = map(&folder, "--mapping acme.mapping.yaml --response error.json", "");
    assert_eq!(code, 1, "{out}");
    assert!(err.contains("this is no answer: malformed: no such bird"), "{err}");
    assert!(out.starts_with("status 502\n") && out.contains("acme says: no such bird"), "{out}");
}

#[test]
fn an_error_is_shown_with_its_status() {
    let (code, out, err) =
        map(&folder(), "--mapping acme.mapping.yaml --error - --status 429", r#"{"oops":"too fast"}"#);
    assert_eq!((code, err.as_str()), (0, ""));
    let (status, body) = out.split_once('\n').unwrap();
    assert_eq!(status, "status 429");
    assert_eq!(json_of(body)["error"]["message"], "acme says: too fast");
}

#[test]
fn a_stream_is_shown_as_bytes_or_step_by_step() {
    let folder = folder();
    let (code, out, err) = map(&folder, "--mapping acme.mapping.yaml --stream answer.sse", "");
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    assert!(out.starts_with("event: message_start\ndata: {"), "{out}");
    assert!(out.ends_with("event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"), "{out}");
    let (code, out, _) = map(&folder, "--mapping acme.mapping.yaml --stream answer.sse --steps", "");
    let names = |line: &str| line.split_whitespace().take(2).collect::<Vec<_>>().join(" ");
    let happened: Vec<String> = out.lines().skip(3).map(names).collect();
    let expected = [
        "1 <-",
        "-> message_start",
        "-> content_block_start",
        "-> content_block_delta",
        "(the answer",
        "2 <-",
        "-> content_block_delta",
        "3 <-",
        "-> content_block_stop",
        "-> message_delta",
        "-> message_stop",
        "$state.over =",
    ];
    assert_eq!((code, happened), (0, expected.map(str::to_owned).to_vec()), "{out}");
}

#[test]
fn a_stream_without_its_end_gets_none() {
    let folder = folder();
    let cut = "data: {\"w\":\"Beep\"}\n\ndata: {\"w\":\"be";
    let (code, out, err) = map(&folder, "--mapping acme.mapping.yaml --stream -", cut);
    assert_eq!(code, 1, "{out}");
    assert!(err.contains("the stream failed: cut_off"), "{err}");
    assert!(out.contains("event: error\n") && !out.contains("message_stop"), "{out}");
    // Before any content the client is answered with an error in one piece.
    let (code, out, err) =
        map(&folder, "--mapping acme.mapping.yaml --stream -", "data: {\"oops\":\"no\"}\n\n");
    assert_eq!(code, 1, "{out}");
    assert!(err.contains("failed before any content: in_stream"), "{err}");
    assert!(out.starts_with("status 502\n"), "{out}");
    // What was held back then is none of the client's; the steps show it.
    let held = "data: {\"w\":\"\"}\n\ndata: {\"oops\":\"no\"}\n\n";
    let (_, out, _) = map(&folder, "--mapping acme.mapping.yaml --stream -", held);
    assert!(out.starts_with("status 502\n"), "{out}");
    // One whole answer is taken for a stream.
    let (code, out, _) = map(&folder, "--mapping acme.mapping.yaml --stream answer.json", "");
    assert!(code == 0 && out.contains("\"stop_reason\":\"max_tokens\""), "{out}");
    // But not by a mapping that does not know of them: no empty answer is made up.
    let unaware = folder.read("acme.mapping.yaml").replace("any: [ $.over, $.words ]", "any: [ $.over ]");
    folder.write("unaware.yaml", &unaware.replace("$first: [ $.w, $.words ]", "$first: [ $.w ]"));
    let (code, out, err) = map(&folder, "--mapping unaware.yaml --stream answer.json", "");
    assert!(code == 1 && err.contains("finds nothing in a whole answer"), "{out}{err}");
}

#[test]
fn a_request_that_the_mapping_refuses_is_answered() {
    let folder = folder();
    let strict = folder
        .read("acme.mapping.yaml")
        .replace("most: $.max_tokens", "most: { $need: $.max_tokens, $message: how much may it say? }");
    folder.write("strict.yaml", &strict);
    // It takes the place of the rules' own mapping of these two protocols.
    let (code, out, err) =
        map(&folder, "--mapping strict.yaml --request -", r#"{"model":"m","messages":[]}"#);
    assert_eq!(code, 1, "{err}");
    assert!(out.starts_with("status 400\n") && out.contains("how much may it say?"), "{out}");
}

#[test]
fn mistakes_are_told_with_their_place() {
    let folder = folder();
    let broken = folder.read("acme.mapping.yaml").replace("$turn.role", "$trun.role");
    folder.write("broken.yaml", &broken);
    folder.write("lost.yaml", "mapping: { from: anthropic.messages, to: acme.tolk }\nrequest: $\n");
    let table = [
        ("--mapping broken.yaml --request ask.json", 1, "broken.yaml:13:"),
        ("--mapping broken.yaml --request ask.json", 1, "did you mean `$turn`?"),
        ("--mapping lost.yaml --request ask.json", 1, "did you mean `acme.talk`?"),
        ("--mapping acme.mapping.yaml --request -", 2, "-:2:6: "),
        ("--mapping acme.mapping.yaml --request none.json", 2, "none.json: "),
        ("--mapping none.yaml --request ask.json", 2, "none.yaml: "),
        ("--mapping rules.yaml --request ask.json", 2, "rules.yaml is no mapping"),
        ("--mapping acme.mapping.yaml --request ask.json --provider akme", 2, "did you mean acme?"),
        ("--mapping acme.mapping.yaml --request ask.json --provider spare", 2, "does not speak acme.talk"),
        ("--mapping acme.mapping.yaml", 2, "--request"),
        ("--mapping acme.mapping.yaml --stream a --error b", 2, "cannot be used with"),
    ];
    for (arguments, exit, said) in table {
        let (code, out, err) = map(&folder, arguments, "{\n \"a\" 1 }");
        assert!(code == exit && err.contains(said), "{arguments}: {code}\n{out}\n{err}");
    }
}

#[test]
fn steps_say_what_the_provider_does_not_get() {
    let folder = Folder::new();
    let arguments = "-m builtin:mappings/anthropic.messages--openai.chat.yaml --request - --steps";
    let losses = |more: &str| {
        let input =
            format!(r#"{{"model":"m","max_tokens":5,{more}"messages":[{{"role":"user","content":"Hi"}}]}}"#);
        let (code, out, err) = map(&folder, arguments, &input);
        assert_eq!((code, err.as_str()), (0, ""), "{out}");
        out.lines().find_map(|line| line.strip_prefix("   losses = ").map(str::to_owned))
    };
    assert_eq!(losses(r#""top_k":5,"container":"c","#).as_deref(), Some("container, top_k"));
    assert_eq!(losses("").as_deref(), Some("(nothing)"));
}

#[test]
fn the_shipped_mapping_is_at_hand_everywhere() {
    let folder = Folder::new();
    let input = r#"{"model":"m","max_tokens":5,"messages":[{"role":"user","content":"Hi"}]}"#;
    let arguments = "--mapping builtin:mappings/anthropic.messages--openai.chat.yaml --request -";
    let (code, out, err) = map(&folder, arguments, input);
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    assert_eq!(json_of(&out)["messages"][0]["content"], "Hi");
    // The folder's own mapping for the same protocols does not take its place.
    let text = include_str!("../rules/mappings/anthropic.messages--openai.chat.yaml");
    folder.write("mappings/own.yaml", text);
    folder.write("rules.yaml", "include: ['builtin:protocols/*.yaml', mappings/own.yaml]\n");
    let (code, out, err) = map(&folder, arguments, input);
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    // Without the request that went before some mappings have too little.
    let arguments = "--mapping builtin:mappings/openai.chat--anthropic.messages.yaml --response -";
    let (code, _, err) = map(&folder, arguments, "{}");
    assert!(code == 1 && err.contains("with --request FILE"), "{err}");
}

#[test]
fn a_mapping_that_is_not_there_says_which_ones_are() {
    let folder = folder();
    let meant = "did you mean `builtin:mappings/anthropic.messages--openai.chat.yaml`?";
    for (given, said) in [
        ("anthropic.messages--openai.chat", meant),
        ("mappings/anthropic.messages--openai.chat.yaml", meant),
        ("builtin:mappings/anthropic.message--openai.chat.yaml", meant),
        ("nothing.yaml", "the program itself has builtin:mappings/anthropic.messages--openai.chat.yaml and "),
    ] {
        let (code, out, err) = map(&folder, &format!("--mapping {given} --request ask.json"), "");
        assert_eq!((code, out.as_str()), (2, ""), "{err}");
        assert!(err.starts_with(&format!("rulegate map: {given}: ")) && err.contains(said), "{err}");
    }
}
