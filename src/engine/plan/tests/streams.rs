//! Streams: when they begin, what fails over, what passes through, how they end.

use super::*;

const ASK: &str = r#"{"model":"m","ask":"why?","stream":true}"#;
const HELLO: &str = r#"{"kind":"hello"}"#;
const WORD: &str = r#"{"kind":"word", "text":"a\nb"}"#;
const BYE: &str = r#"{"kind":"bye"}"#;
const TROUBLE: &str = r#"{"kind":"trouble","trouble":{"kind":"busy","text":"no more"}}"#;

/// The world with everything but `provider` down, its streams cut into pieces of `piece` bytes.
fn only(provider: &str, piece: usize) -> World {
    let mut world = world(RULES);
    for name in ["one", "two", "three"].iter().filter(|name| **name != provider) {
        world.limited(name, 3_600_000);
    }
    world.piece = piece;
    world
}

#[test]
fn a_stream_of_the_same_protocol_passes_through_byte_by_byte() {
    let stream =
        format!(": hi\r\n\r\nretry: 5\n{}", alpha_stream(&[HELLO, WORD, r#"{"kind":"ping"}"#, WORD, BYE]));
    for piece in [1, 2, 3, 7, 64, 10_000] {
        let mut world = only("one", piece);
        world.replies("one", [Reply::Stream(stream.clone())]);
        let seen = world.send(ASK);
        assert_eq!((seen.status, seen.body.as_str()), (200, stream.as_str()), "in pieces of {piece}");
        assert_eq!(seen.header("content-type"), "text/event-stream");
        assert_eq!(world.asked[0].1.headers["accept"], "text/event-stream");
    }
}

#[test]
fn an_error_before_content_fails_over_and_one_after_it_is_told_in_the_stream() {
    for piece in [1, 5, 10_000] {
        let mut world = world(RULES);
        world.piece = piece;
        let early = format!(": wait\n\n{}", alpha_stream(&[HELLO, TROUBLE]));
        world.replies(
            "one",
            [Reply::Stream(early.clone()), Reply::Stream(early.clone()), Reply::Stream(early)],
        );
        world.replies("two", [Reply::Stream(alpha_stream(&[HELLO, WORD, TROUBLE]))]);
        let seen = world.send(ASK);
        // Its type says busy, which is 529: the rule for that status fires.
        assert_eq!(world.asked(), ["one", "one", "one", "two"]);
        assert_eq!((seen.status, seen.rule.as_deref()), (200, Some("busy")));
        assert_eq!(seen.body, alpha_stream(&[HELLO, WORD, TROUBLE]));
        assert_eq!(world.health.standing("two", world.now), Standing::Cooling, "the rules saw that as well");
    }
}

#[test]
fn a_stream_that_breaks_after_content_gets_an_error_and_never_an_end() {
    let whole = alpha_stream(&[HELLO, WORD]);
    let partial = format!("{whole}event: word\ndata: {{\"kind\":\"wo");
    for (reply, why) in [
        (Reply::Stream(partial.clone()), "one's answer ended before it was complete"),
        (Reply::Cut(partial.clone(), FailureKind::Reset), "the connection to one broke"),
        (Reply::Cut(whole.clone(), FailureKind::IdleTimeout), "one fell silent in the middle of its answer"),
    ] {
        let mut world = only("one", 4);
        world.replies("one", [reply]);
        let error = format!(r#"{{"kind":"trouble","trouble":{{"kind":"broken","text":"{why}"}}}}"#);
        assert_eq!(world.send(ASK).body, format!("{whole}{}", alpha_stream(&[&error])));
    }
}

#[test]
fn an_untidy_end_after_the_good_one_is_no_failure() {
    let stream = alpha_stream(&[HELLO, WORD, BYE]);
    let unfinished = stream.trim_end().to_owned();
    let mut world = only("one", 10_000);
    world.replies("one", [Reply::Cut(stream.clone(), FailureKind::Reset), Reply::Stream(unfinished)]);
    assert_eq!(world.send(ASK).body, stream);
    assert_eq!(world.send(ASK).body, stream);
    assert_eq!(world.health.standing("one", world.now), Standing::Available);
}

#[test]
fn streams_without_content_are_failures() {
    let table: [(String, &str); 5] = [
        (String::new(), "empty"),
        (": keep-alive\n\n: keep-alive\n\n".to_owned(), "empty"),
        (alpha_stream(&[HELLO]), "cut_off"),
        ("data: {\"kind\":\n\n".to_owned(), "malformed"),
        (r#"{"answer":"whole"}"#.to_owned(), "malformed"),
    ];
    for (stream, kind) in table {
        let mut world = only("one", 3);
        world.replies("one", [Reply::Stream(stream.clone())]);
        assert_eq!(world.send(ASK).status, 502);
        let known = world.health.provider("one").and_then(|known| known.last_error.clone());
        assert_eq!(known.map(|error| error.kind), Some(kind), "{stream:?}");
    }
}

fn beta(lines: &[&str]) -> String {
    lines.iter().map(|line| format!("data: {line}\n\n")).collect()
}

#[test]
fn a_stream_of_another_protocol_is_translated() {
    let translated = alpha_stream(&[
        r#"{"kind":"hello","about":"why?"}"#,
        r#"{"kind":"word","text":"be"}"#,
        r#"{"kind":"word","text":"cause"}"#,
        r#"{"kind":"bye"}"#,
    ]);
    let events = [r#"{"w":""}"#, r#"{"w":"be"}"#, r#"{"w":"cause"}"#, r#"{"fin":"stop"}"#];
    let with_end = beta(&[&events[..], &["[END]"]].concat());
    let replies = [
        Reply::Stream(with_end.clone()),
        Reply::Stream(format!(": patience\n\n{}", with_end.replace('\n', "\r\n"))),
        Reply::Stream(beta(&events)),
        Reply::Cut(beta(&events), FailureKind::Reset),
    ];
    for piece in [1, 3, 10_000] {
        for reply in replies.clone() {
            let mut world = only("three", piece);
            world.replies("three", [reply]);
            assert_eq!(world.send(ASK).body, translated);
        }
    }
}

#[test]
fn a_whole_answer_where_a_stream_was_asked_for_becomes_one() {
    let mut world = only("three", 10_000);
    world.replies("three", [Reply::ok(r#"{"said":"all of it"}"#)]);
    let seen = world.send(ASK);
    let all =
        [r#"{"kind":"hello","about":"why?"}"#, r#"{"kind":"word","text":"all of it"}"#, r#"{"kind":"bye"}"#];
    assert_eq!(
        (seen.body.as_str(), seen.header("content-type")),
        (alpha_stream(&all).as_str(), "text/event-stream")
    );
}

#[test]
fn a_translated_stream_fails_over_before_content_and_says_so_after() {
    let oops = r#"{"oops":{"kind":"hush","text":"enough"}}"#;
    let mut world = world(RULES);
    world.health.down("one", "test", None, START);
    let engine = world.engine.clone();
    world.health.switch(&engine, "three", START).unwrap();
    world.replies("three", [Reply::Stream(beta(&[r#"{"w":""}"#, oops])), Reply::Stream(beta(&["[END]"]))]);
    world.replies("two", [Reply::Stream(alpha_stream(&[WORD, BYE]))]);
    // An error of the provider that no rule knows goes back, with the status that its type stands for.
    let seen = world.send(ASK);
    assert_eq!(
        (seen.status, seen.body.as_str()),
        (429, r#"{"trouble":{"kind":"hush","text":"beta says enough"}}"#)
    );
    // Nothing at all is no answer.
    assert_eq!(world.send(ASK).body, alpha_stream(&[WORD, BYE]));
    world.replies("three", [Reply::Stream(beta(&[r#"{"w":"well"}"#, oops]))]);
    let seen = world.send(ASK);
    let told = [
        r#"{"kind":"hello","about":"why?"}"#,
        r#"{"kind":"word","text":"well"}"#,
        r#"{"kind":"trouble","trouble":{"kind":"slow_down","text":"enough"}}"#,
    ];
    assert_eq!(seen.body, alpha_stream(&told));
    world.replies("three", [Reply::Stream(beta(&[r#"{"w":"well"}"#]))]);
    let seen = world.send(ASK);
    assert!(seen.body.ends_with("\"text\":\"cut off\"}}\n\n") && !seen.body.contains("bye"), "{}", seen.body);
}

#[test]
fn what_is_held_back_is_bounded() {
    let mut rules = RULES.to_owned();
    rules.push_str("limits: { held: 1KiB }\n");
    let mut world = world(&rules);
    world.piece = 256;
    let hellos = [HELLO; 100];
    world.replies("one", [Reply::Stream(alpha_stream(&[&hellos[..], &[TROUBLE]].concat()))]);
    let seen = world.send(ASK);
    assert_eq!((seen.status, seen.provider.as_deref()), (200, Some("one")));
    assert!(seen.body.ends_with(&alpha_stream(&[TROUBLE])));
}

/// A world with little room for what is held back, in which this provider is asked first and then `two`.
fn narrow(provider: &str, piece: usize) -> World {
    let mut world = world(&format!("{RULES}limits: {{ held: 1KiB }}\n"));
    world.piece = piece;
    if provider != "one" {
        world.health.down("one", "test", None, START);
        let engine = world.engine.clone();
        world.health.switch(&engine, provider, START).unwrap();
    }
    world
}

/// One of these is passed on, the other translated.
const BOTH: [&str; 2] = ["one", "three"];

#[test]
fn a_head_that_is_junk_fails_over_the_same_passed_on_or_translated() {
    let much = |text: &str| text.repeat(4096 / text.len());
    let page = much("<p>We are sorry.</p>\n");
    let table = [
        ("a web page", format!("<html>\n{page}")),
        ("a web page behind a comment", format!(": hi\n\n{page}")),
        ("no text", much("\u{1}\u{2}\u{0}\u{7f}")),
        ("a line without an end", much("x")),
        ("data without an end", format!("data: {}", much("x"))),
        ("a name without an end", format!("event: {}", much("x"))),
        (
            "lines of JSON behind a name",
            format!("event: word\n{}", much("{\"kind\":\"word\",\"w\":\"x\"}\n")),
        ),
        ("names without data", much("event: word\n\n")),
        ("fields that mean nothing", much("word: x\n\n")),
        ("junk behind an event", format!("data: {{\"kind\":\"ping\"}}\n\n{}", much("word: x\n"))),
    ];
    for (what, junk) in table {
        for provider in BOTH {
            for piece in [7, 500, 10_000] {
                let mut world = narrow(provider, piece);
                // It never ends: who waits for that, waits for ever.
                world.replies(provider, [Reply::Open(junk.clone())]);
                world.replies("two", [Reply::Stream(alpha_stream(&[HELLO, WORD, BYE]))]);
                assert_eq!(world.send(ASK).body, alpha_stream(&[HELLO, WORD, BYE]), "{what}, {provider}");
                assert_eq!(world.asked(), [provider, "two"], "{what}");
                let known = world.health.provider(provider).and_then(|known| known.last_error.clone());
                assert_eq!(known.map(|error| error.kind), Some("malformed"), "{what}, {provider}");
            }
        }
    }
}

#[test]
fn what_is_no_junk_is_held_back_the_same_passed_on_or_translated() {
    let long = "x".repeat(4000);
    let comments = ": keep-alive\n\n".repeat(400);
    let strange = "event: strange\ndata: {\"kind\":\"strange\"}\n\n".repeat(10);
    let word = |text: &str| format!("data: {{\"kind\":\"word\",\"w\":\"{text}\",\"text\":\"{text}\"}}\n\n");
    let trouble = |text: &str| {
        let error = format!("{{\"kind\":\"quiet\",\"text\":\"{text}\"}}");
        format!("data: {{\"kind\":\"trouble\",\"trouble\":{error},\"oops\":{error}}}\n\n")
    };
    let end = "data: {\"kind\":\"bye\",\"fin\":true}\n\ndata: [END]\n\n";
    for head in [String::new(), comments.clone(), strange.clone(), format!("{comments}{strange}{comments}")] {
        for text in ["short", long.as_str()] {
            for provider in BOTH {
                for piece in [7, 500, 20_000] {
                    let mut world = narrow(provider, piece);
                    world.replies(provider, [Reply::Stream(format!("{head}{}{end}", word(text)))]);
                    let seen = world.send(ASK);
                    assert_eq!(seen.provider.as_deref(), Some(provider), "{head:.20} {text:.9} by {piece}");
                    assert!(
                        seen.body.contains(text) && !seen.body.contains("trouble"),
                        "{provider}: {}",
                        seen.body
                    );
                    assert!(
                        piece > 500 || seen.body.len() < 11_000,
                        "of comments a part is enough: {}",
                        seen.body.len()
                    );

                    // An error is another's turn, however much stood before it.
                    let mut world = narrow(provider, piece);
                    world.replies(provider, [Reply::Stream(format!("{head}{}", trouble(text)))]);
                    world.asked();
                    let seen = world.send(ASK);
                    assert_ne!(
                        seen.status, 200,
                        "{provider}, {head:.20} {text:.9} by {piece}: {}",
                        seen.body
                    );
                }
            }
        }
    }
}

#[test]
fn the_good_end_ends_the_answer_though_the_connection_stays_open() {
    // The end of the bytes never comes; the harness would complain about a stream without an end.
    for piece in [1, 9, 10_000] {
        let mut world = only("one", piece);
        let stream = alpha_stream(&[HELLO, WORD, BYE]);
        world.replies("one", [Reply::Open(stream.clone())]);
        if piece == 10_000 {
            // All in one piece: the first content is where the answer begins, and the rest is in it as well.
            world.replies("one", [Reply::Open(stream.clone())]);
            assert_eq!(world.send(ASK).body, stream);
        }
        assert_eq!(world.send(ASK).body, stream);
    }
}
