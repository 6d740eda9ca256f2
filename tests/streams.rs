//! Streams on real sockets: failing over before the first content, and saying so honestly after it.

use serde_json::json;

use crate::support::rules::{
    ask_stream, completion_stream, held_before_its_end, hurried, message_stream, piece, told, two,
};
use crate::support::{Gate, Reply, Router, Upstream, refusing};

/// All events of a stream of the client's protocol.
const ALL: usize = 6;
/// Up to where nothing is content yet.
const HEAD: usize = 2;
/// Up to and with the first content.
const CONTENT: usize = 3;

/// The first provider streams so; the client must read a whole stream of the second.
async fn second_streams(reply: Reply) -> Router {
    second_streams_after(reply, &[]).await
}

/// The same, where nobody waits long for these things.
async fn second_streams_after(reply: Reply, timers: &[&str]) -> Router {
    let first = Upstream::always(reply).await;
    let second = Upstream::always(completion_stream(&["from ", "second"])).await;
    let router = Router::start(hurried(&two(&first.url(), &second.url()), timers)).await;
    let answer = router.client().post("/v1/messages", ask_stream()).await;
    assert_eq!(answer.status, 200, "{}\n{}", answer.text(), router.log());
    assert!(answer.header("content-type").is_some_and(|kind| kind.starts_with("text/event-stream")));
    assert_eq!(told(&answer.events()), ("from second".to_owned(), true), "{}", answer.text());
    assert_eq!(answer.text().matches("event: message_start").count(), 1, "{}", answer.text());
    assert_eq!((second.count(), answer.complete), (1, true));
    router
}

/// The first provider streams so; the client must see `partly` and then an error in its own protocol.
async fn breaks_honestly(reply: Reply, partly: &str) {
    breaks_honestly_after(reply, partly, &[]).await;
}

/// The same, where nobody waits long for these things.
async fn breaks_honestly_after(reply: Reply, partly: &str, timers: &[&str]) {
    let first = Upstream::always(reply).await;
    let second = Upstream::always(completion_stream(&["never"])).await;
    let router = Router::start(hurried(&two(&first.url(), &second.url()), timers)).await;
    let answer = router.client().post("/v1/messages", ask_stream()).await;
    let events = answer.events();
    assert_eq!(
        (answer.status, told(&events), second.count()),
        (200, (partly.to_owned(), false), 0),
        "{}",
        answer.text()
    );
    let (name, data) = events.last().unwrap();
    assert_eq!(name, "error", "{}", answer.text());
    assert!(data.contains("\"type\":\"error\""), "{data}");
}

#[tokio::test]
async fn a_head_of_junk_is_the_next_providers_turn() {
    // More than may be held back, and then nothing.
    for junk in ["<p>We are sorry.</p>\n", "x", "word: x\n\n"] {
        for head in ["", ": hi\n\n"] {
            let body = format!("{head}{}", junk.repeat((600 << 10) / junk.len()));
            let router = second_streams(Reply::stream().body(body).stall(&Gate::new())).await;
            let health = router.client().get("/v1/health").await.json();
            assert_eq!(health["details"]["first"]["rule"], "no-answer", "{junk}: {health}");
        }
    }
}

#[tokio::test]
async fn a_stream_of_the_same_protocol_comes_through_as_it_is() {
    let first = Upstream::always(message_stream("word for word", ALL)).await;
    let (address, _port) = refusing();
    let router = Router::start(two(&first.url(), &address)).await;
    let answer = router.client().post("/v1/messages", ask_stream()).await;
    assert_eq!(told(&answer.events()), ("word for word".to_owned(), true));
    let direct = crate::support::Client::new(first.url().trim_start_matches("http://").parse().unwrap());
    assert_eq!(answer.text(), direct.post("/", "").await.text());
}

#[tokio::test]
async fn content_is_passed_on_at_once() {
    let gate = Gate::new();
    let first = Upstream::always(held_before_its_end("early", &gate)).await;
    let (address, _port) = refusing();
    let router = Router::start(two(&first.url(), &address)).await;
    let mut stream = router.client().stream("/v1/messages", ask_stream()).await;
    stream.until("early").await;
    gate.open();
    assert!(told(&stream.finish().await.events()).1);
}

#[tokio::test]
async fn translated_content_is_passed_on_at_once() {
    let gate = Gate::new();
    let reply = Reply::stream().data(piece(json!({ "content": "early" }), None)).stall(&gate);
    let second = Upstream::always(reply.data(piece(json!({}), Some("stop"))).data("[DONE]")).await;
    let (address, _port) = refusing();
    let router = Router::start(two(&address, &second.url())).await;
    let mut stream = router.client().stream("/v1/messages", ask_stream()).await;
    stream.until("early").await;
    gate.open();
    assert!(told(&stream.finish().await.events()).1);
}

#[tokio::test]
async fn a_stream_that_drips_arrives_whole() {
    let whole = "event: message_start\r\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"m\",\"usage\":{}}}\r\n\r\n\
        : a comment\n\nevent: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n\
        event: content_block_delta\ndata:{\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"größer\"}}\n\n\
        event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n";
    let first = Upstream::always(Reply::stream().drip(whole)).await;
    let (address, _port) = refusing();
    let router = Router::start(two(&first.url(), &address)).await;
    let answer = router.client().post("/v1/messages", ask_stream()).await;
    assert!(answer.text().contains("größer") && answer.complete, "{}", answer.text());
}

#[tokio::test]
async fn an_error_event_before_content_goes_to_the_next() {
    let error = json!({ "type": "error", "error": { "type": "api_error", "message": "sorry" } });
    second_streams(message_stream("", HEAD).event("error", error)).await;
}

#[tokio::test]
async fn a_stream_cut_before_content_goes_to_the_next() {
    second_streams(message_stream("", HEAD).cut()).await;
}

#[tokio::test]
async fn a_stream_reset_before_content_goes_to_the_next() {
    second_streams(message_stream("", HEAD).reset()).await;
}

#[tokio::test]
async fn a_stream_half_closed_before_content_goes_to_the_next() {
    second_streams(message_stream("", HEAD).half_close()).await;
}

#[tokio::test]
async fn a_stream_half_closed_after_content_is_an_error() {
    breaks_honestly(message_stream("partly", CONTENT).half_close(), "partly").await;
}

#[tokio::test]
async fn a_stream_that_ends_well_framed_but_empty_goes_to_the_next() {
    second_streams(Reply::stream()).await;
}

#[tokio::test]
async fn a_stream_that_stalls_before_content_goes_to_the_next() {
    second_streams_after(message_stream("", HEAD).stall(&Gate::new()), &["idle"]).await;
}

#[tokio::test]
async fn an_error_instead_of_a_stream_goes_to_the_next() {
    second_streams(Reply::json(500, json!({ "error": { "message": "no" } }))).await;
}

#[tokio::test]
async fn a_web_page_instead_of_a_stream_goes_to_the_next() {
    second_streams(Reply::status(200).header("content-type", "text/html").body("<html></html>")).await;
}

#[tokio::test]
async fn a_stream_cut_after_content_is_an_error_and_no_made_up_end() {
    breaks_honestly(message_stream("partly", CONTENT).cut(), "partly").await;
}

#[tokio::test]
async fn a_stream_reset_after_content_is_an_error() {
    breaks_honestly(message_stream("partly", CONTENT).reset(), "partly").await;
}

#[tokio::test]
async fn a_stream_that_ends_too_early_is_an_error() {
    breaks_honestly(message_stream("partly", CONTENT), "partly").await;
}

#[tokio::test]
async fn a_stream_that_stalls_after_content_is_an_error() {
    breaks_honestly_after(message_stream("partly", CONTENT).stall(&Gate::new()), "partly", &["idle"]).await;
}

#[tokio::test]
async fn a_translated_stream_cut_after_content_is_an_error() {
    let (address, _port) = refusing();
    let second =
        Upstream::always(Reply::stream().data(piece(json!({ "content": "partly" }), None)).cut()).await;
    let router = Router::start(two(&address, &second.url())).await;
    let answer = router.client().post("/v1/messages", ask_stream()).await;
    assert_eq!(told(&answer.events()), ("partly".to_owned(), false));
    assert_eq!(answer.events().last().unwrap().0, "error", "{}", answer.text());
}

#[tokio::test]
async fn a_client_that_leaves_ends_the_call_to_the_provider() {
    let first = Upstream::always(message_stream("partly", CONTENT).stall(&Gate::new())).await;
    let (address, _port) = refusing();
    let router = Router::start(two(&first.url(), &address)).await;
    let mut stream = router.client().stream("/v1/messages", ask_stream()).await;
    stream.until("partly").await;
    drop(stream);
    first.only().hung_up().await;
    assert_eq!(router.client().get("/v1/health").await.json()["providers"]["first"], "available");
}

#[tokio::test]
async fn a_client_that_leaves_before_the_answer_ends_the_call_too() {
    let gate = Gate::new();
    let first = Upstream::always(message_stream("late", ALL).after(&gate)).await;
    let (address, _port) = refusing();
    let router = Router::start(two(&first.url(), &address)).await;
    let mut wire = router.client().connect().await;
    let body = ask_stream().to_string();
    let head = format!(
        "POST /v1/messages HTTP/1.1\r\nhost: {}\r\ncontent-length: {}\r\n\r\n",
        router.address(),
        body.len()
    );
    wire.write(format!("{head}{body}").as_bytes()).await;
    gate.reached().await;
    drop(wire);
    first.only().hung_up().await;
}

#[tokio::test]
async fn a_client_that_leaves_while_the_router_waits_is_nobodys_failure() {
    let first = Upstream::always(Reply::json(529, json!({ "error": { "type": "overloaded_error" } }))).await;
    let second = Upstream::always(completion_stream(&["never"])).await;
    let rules = two(&first.url(), &second.url()).replace("backoff: 1ms", "backoff: 1h");
    let router = Router::start(rules).await;
    let mut wire = router.client().connect().await;
    let body = ask_stream().to_string();
    let head =
        format!("POST /v1/messages HTTP/1.1\r\nhost: localhost\r\ncontent-length: {}\r\n\r\n", body.len());
    wire.write(format!("{head}{body}").as_bytes()).await;
    router.logged(&["asking first again"]).await;
    drop(wire);
    router.logged(&["the client went away"]).await;
    let health = router.client().get("/v1/health").await.json();
    assert_ne!(health["providers"]["first"], "cooling", "{health}");
    assert_eq!((first.count(), second.count()), (1, 0));
}
