//! How long a client waits, on real sockets: the gate, signs of life, ends that do not come, deadlines. What only time
//! decides is in the tests beside the rules and the timers; here is that it reaches the wire.

use serde_json::json;

use crate::support::rules::{
    ask, ask_stream, completion_stream, held_before_its_end, hurried, message_stream, piece, told, two,
};
use crate::support::{Folder, Gate, Reply, Router, Settings, Upstream, refusing};

/// All events of a stream of the client's protocol.
const ALL: usize = 6;
/// Up to and with the first content.
const CONTENT: usize = 3;

/// The rules of [`two`], with this at the route.
fn at_route(first: &str, second: &str, more: &str) -> String {
    two(first, second)
        .replace("protocol: anthropic.messages }", &format!("protocol: anthropic.messages, {more} }}"))
}

fn error_events(events: &[(String, String)]) -> Vec<String> {
    events.iter().filter(|(name, _)| name == "error").map(|(_, data)| data.clone()).collect()
}

/// Streams that have begun in all but content, in either protocol.
fn without_content(gate: &Gate) -> [(&'static str, Reply); 2] {
    let role = piece(json!({ "role": "assistant", "content": "" }), None);
    [
        ("speaks: anthropic.messages", message_stream("", 2).stall(gate)),
        ("speaks: openai.chat", Reply::stream().data(&role).stall(gate)),
    ]
}

#[tokio::test]
async fn a_stream_without_content_is_the_next_providers_whatever_the_gates_time() {
    for (speaks, reply) in without_content(&Gate::new()) {
        let first = Upstream::always(reply).await;
        let second = Upstream::always(completion_stream(&["from second"])).await;
        let rules = at_route(&first.url(), &second.url(), "gate: { for: 20ms }")
            .replace("first: { speaks: anthropic.messages", &format!("first: {{ {speaks}"));
        let router = Router::start(hurried(&rules, &["first_byte", "idle"])).await;
        let answer = router.client().post("/v1/messages", ask_stream()).await;
        assert_eq!(told(&answer.events()), ("from second".to_owned(), true), "{speaks}: {}", answer.text());
        assert_eq!(answer.header("x-rulegate-provider"), Some("second"), "{speaks}");
        first.only().hung_up().await;
    }
}

#[tokio::test]
async fn what_may_be_a_limit_notice_is_given_when_its_time_is_over() {
    let notice = "\n  - { name: notice, when: { answer_text: \"You.ve hit your limit\" }, do: next }\n";
    let words = json!({ "type": "content_block_delta", "index": 0, "delta": { "type": "text_delta", "text": " hit" } });
    for native in [true, false] {
        let gate = Gate::new();
        let reply = match native {
            true => message_stream("You've", CONTENT).stall(&gate).event("content_block_delta", &words),
            false => Reply::stream()
                .data(piece(json!({ "content": "You've" }), None))
                .stall(&gate)
                .data(piece(json!({ "content": " hit" }), Some("stop"))),
        };
        let reply = match native {
            true => reply.event("message_stop", json!({ "type": "message_stop" })),
            false => reply.data("[DONE]"),
        };
        let first = Upstream::always(reply).await;
        let (address, _port) = refusing();
        let speaks = if native { "speaks: anthropic.messages" } else { "speaks: openai.chat" };
        let rules = at_route(&first.url(), &address, "gate: { for: 50ms }")
            .replace("first: { speaks: anthropic.messages", &format!("first: {{ {speaks}"))
            .replace("\nfailover:\n", &format!("\nfailover:{notice}"));
        let router = Router::start(rules).await;
        let mut stream = router.client().stream("/v1/messages", ask_stream()).await;
        let so_far = stream.until("You've").await;
        assert!(!so_far.contains(" hit"), "{so_far}");
        gate.open();
        let answer = stream.finish().await;
        assert_eq!(told(&answer.events()), ("You've hit".to_owned(), true), "{}", answer.text());
    }
}

#[tokio::test]
async fn a_client_hears_of_a_silent_stream() {
    let gate = Gate::new();
    let first = Upstream::always(held_before_its_end("early", &gate)).await;
    let (address, _port) = refusing();
    let router = Router::start(at_route(&first.url(), &address, "keep_alive: { every: 50ms }")).await;
    let mut stream = router.client().stream("/v1/messages", ask_stream()).await;
    stream.until("early").await;
    stream.until("event: ping\ndata: {\"type\":\"ping\"}\n\n").await;
    gate.open();
    assert!(told(&stream.finish().await.events()).1);
}

#[tokio::test]
async fn signs_of_life_are_the_routers_and_not_the_providers() {
    let first = Upstream::always(message_stream("early", CONTENT).stall(&Gate::new())).await;
    let (address, _port) = refusing();
    let rules =
        at_route(&first.url(), &address, "keep_alive: { every: 20ms }").replace("idle: 1m", "idle: 300ms");
    let router = Router::start(rules).await;
    let answer = router.client().post("/v1/messages", ask_stream()).await;
    let text = answer.text();
    assert!(text.contains("event: ping") && answer.complete, "{text}");
    assert!(error_events(&answer.events())[0].contains("fell silent"), "{text}");
    first.only().hung_up().await;
}

#[tokio::test]
async fn a_client_that_waits_hears_before_anybody_has_answered() {
    let (one, other) = (Gate::new(), Gate::new());
    let first = Upstream::always(Reply::json(500, "{}").after(&one)).await;
    let second = Upstream::always(completion_stream(&["at ", "last"]).after(&other)).await;
    let router = Router::start(at_route(&first.url(), &second.url(), "keep_alive: { every: 50ms }")).await;
    let mut stream = router.client().stream("/v1/messages", ask_stream()).await;
    assert_eq!((stream.status, stream.header("content-type")), (200, Some("text/event-stream")));
    stream.until("event: ping").await;
    one.open();
    other.reached().await;
    other.open();
    let answer = stream.finish().await;
    let events: Vec<_> = answer.events().into_iter().filter(|(name, _)| name != "ping").collect();
    assert_eq!(events[0].0, "message_start");
    assert_eq!((told(&events), answer.complete), (("at last".to_owned(), true), true), "{}", answer.text());
}

#[tokio::test]
async fn a_failure_after_a_sign_of_life_is_told_in_the_stream() {
    let gate = Gate::new();
    let busy =
        json!({ "type": "error", "error": { "type": "invalid_request_error", "message": "no such thing" } });
    let first = Upstream::always(Reply::json(400, busy).after(&gate)).await;
    let (address, _port) = refusing();
    let router = Router::start(at_route(&first.url(), &address, "keep_alive: { every: 50ms }")).await;
    let mut stream = router.client().stream("/v1/messages", ask_stream()).await;
    stream.until("event: ping").await;
    gate.open();
    let answer = stream.finish().await;
    let errors = error_events(&answer.events());
    assert_eq!((answer.status, errors.len(), answer.complete), (200, 1, true), "{}", answer.text());
    assert!(
        errors[0].contains("invalid_request_error") && errors[0].contains("no such thing"),
        "{}",
        errors[0]
    );
}

#[tokio::test]
async fn patience_changes_nothing_for_quick_answers_and_for_whole_ones() {
    let first = Upstream::start().await;
    first.then(Reply::json(
        400,
        json!({ "type": "error", "error": { "type": "invalid_request_error", "message": "no" } }),
    ));
    first.then(message_stream("word for word", ALL));
    let gate = Gate::new();
    first.then(crate::support::rules::message("whole").after(&gate));
    let (address, _port) = refusing();
    let router = Router::start(at_route(&first.url(), &address, "keep_alive: { every: 1h }")).await;
    assert_eq!(router.client().post("/v1/messages", ask_stream()).await.status, 400);
    let answer = router.client().post("/v1/messages", ask_stream()).await;
    assert_eq!(answer.header("x-rulegate-provider"), Some("first"));
    assert_eq!(told(&answer.events()), ("word for word".to_owned(), true));
    let client = router.client();
    let whole = tokio::spawn(async move { client.post("/v1/messages", ask()).await });
    gate.reached().await;
    gate.open();
    let whole = whole.await.unwrap();
    assert_eq!((whole.status, whole.json()["content"][0]["text"].clone()), (200, json!("whole")));
}

#[tokio::test]
async fn a_client_that_leaves_while_it_hears_signs_of_life_ends_the_call() {
    let gate = Gate::new();
    let first = Upstream::always(message_stream("late", ALL).after(&gate)).await;
    let second = Upstream::always(completion_stream(&["never"])).await;
    let router = Router::start(at_route(&first.url(), &second.url(), "keep_alive: { every: 20ms }")).await;
    let mut stream = router.client().stream("/v1/messages", ask_stream()).await;
    stream.until("event: ping").await;
    // A sign of life may come before the provider has been reached.
    let asked = first.request(1).await;
    drop(stream);
    asked.hung_up().await;
    router.logged(&["the client went away"]).await;
    let health = router.client().get("/v1/health").await.json();
    assert_ne!(health["providers"]["first"], "cooling", "{health}");
    assert_eq!(second.count(), 0);
}

#[tokio::test]
async fn a_deadline_ends_an_attempt_on_the_wire_and_is_nobodys_failure() {
    let first = Upstream::always(message_stream("late", ALL).after(&Gate::new())).await;
    let second = Upstream::always(completion_stream(&["never"])).await;
    let router = Router::start(at_route(&first.url(), &second.url(), "deadline: 1s")).await;
    let answer = router.client().post("/v1/messages", ask_stream()).await;
    assert_eq!((answer.status, answer.json()["error"]["type"].clone()), (504, json!("timeout_error")));
    first.only().hung_up().await;
    let health = router.client().get("/v1/health").await.json();
    assert_ne!(health["providers"]["first"], "cooling", "{health}");
    assert_eq!(second.count(), 0);
}

/// b.2.5: servers that say why they stop, and then neither `[DONE]` nor goodbye.
#[tokio::test]
async fn silence_after_all_has_been_said_is_the_end() {
    let said = Reply::stream()
        .data(piece(json!({ "content": "all of it" }), None))
        .data(piece(json!({}), Some("stop")));
    let second = Upstream::always(said.stall(&Gate::new())).await;
    let folder = Folder::new();
    for (name, text) in [
        ("protocols/a.yaml", include_str!("../rules/protocols/anthropic.messages.yaml")),
        ("protocols/b.yaml", include_str!("../rules/protocols/openai.chat.yaml")),
    ] {
        assert!(text.contains("grace: 2s"));
        folder.write(name, &text.replace("grace: 2s", "grace: 50ms"));
    }
    let (address, _port) = refusing();
    let rules = at_route(&address, &second.url(), "deadline: 1h")
        .replace("builtin:protocols/*.yaml", "protocols/*.yaml")
        .replace("\nproviders:", "\n  - { path: /v1/chat/completions, protocol: openai.chat }\nproviders:");
    folder.write("rules.yaml", &rules);
    let router = Router::inside(folder, Settings::rules(rules)).await;
    let mut whole = ask();
    for (path, ask, end) in [
        ("/v1/messages", ask_stream(), "event: message_stop"),
        ("/v1/chat/completions", ask_stream(), "data: [DONE]"),
        ("/v1/messages", whole.take(), "\"stop_reason\":\"end_turn\""),
    ] {
        let answer = router.client().post(path, ask).await;
        assert!(answer.complete && answer.text().contains("all of it"), "{path}: {}", answer.text());
        assert!(answer.text().contains(end) && !answer.text().contains("error"), "{path}: {}", answer.text());
    }
}
