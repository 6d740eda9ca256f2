//! What happens when the router is told to stop while there is work under way.

use serde_json::json;

use crate::support::rules::{ask, ask_stream, completion_stream, message_stream, told, two};
use crate::support::{Gate, Reply, Router, Upstream, refusing};

/// Up to and with the first content.
const CONTENT: usize = 3;

/// The rules of [`two`], with a short grace period and the other protocol's path.
fn hasty(first: &str, second: &str, grace: &str) -> String {
    let path = "  - { path: /v1/chat/completions, protocol: openai.chat }\nproviders:";
    format!("limits: {{ shutdown: {grace} }}\n{}", two(first, second).replacen("providers:", path, 1))
}

fn http2() -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().http2_prior_knowledge().no_proxy().build().unwrap()
}

#[cfg(unix)]
#[tokio::test]
async fn streams_that_are_cut_end_with_an_error_in_their_protocol() {
    let first = Upstream::always(message_stream("early", CONTENT).stall(&Gate::new())).await;
    let (address, _port) = refusing();
    let router = Router::start(hasty(&first.url(), &address, "300ms")).await;
    let mut claude = router.client().stream("/v1/messages", ask_stream()).await;
    claude.until("early").await;
    let mut chat = router.client().stream("/v1/chat/completions", ask_stream()).await;
    chat.until("early").await;
    let second = http2().post(format!("{}/v1/messages", router.url())).body(ask_stream().to_string());
    let second = second.send().await.unwrap();
    router.signal("TERM");
    let claude = claude.finish().await;
    let events = claude.events();
    let (name, data) = events.last().unwrap();
    assert_eq!((name.as_str(), claude.complete), ("error", true), "{}", claude.text());
    assert!(data.contains("the router is stopping") && !told(&events).1, "{data}");
    let chat = chat.finish().await.text();
    assert!(chat.contains("the router is stopping") && !chat.contains("[DONE]"), "{chat}");
    let second = second.text().await.unwrap();
    assert!(second.contains("event: error") && second.contains("the router is stopping"), "{second}");
    assert_eq!(router.exited().await, Some(0));
}

#[cfg(unix)]
#[tokio::test]
async fn requests_that_wait_get_an_error_and_nobody_is_blamed() {
    let first = Upstream::always(Reply::json(200, "{}").after(&Gate::new())).await;
    let second = Upstream::always(completion_stream(&["never"])).await;
    let rules = hasty(&first.url(), &second.url(), "300ms").replace(
        "protocol: anthropic.messages }",
        "protocol: anthropic.messages, keep_alive: { every: 50ms } }",
    );
    let router = Router::start(rules).await;
    let client = router.client();
    let whole = tokio::spawn({
        let client = client.clone();
        async move { client.post("/v1/messages", ask()).await }
    });
    first.request(1).await;
    let mut stream = client.stream("/v1/messages", ask_stream()).await;
    stream.until("event: ping").await;
    let mut uploading = client.connect().await;
    uploading.write(b"POST /v1/messages HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: 99\r\n\r\n{").await;
    router.signal("TERM");
    let whole = whole.await.unwrap();
    assert_eq!((whole.status, whole.json()["type"].clone()), (503, json!("error")), "{}", whole.text());
    assert_eq!(whole.header("retry-after"), Some("1"));
    let stream = stream.finish().await;
    assert_eq!(stream.events().last().unwrap().0, "error", "{}", stream.text());
    assert_eq!(uploading.answer(false).await.status, 503);
    assert_eq!(second.count(), 0, "nobody else is asked");
    router.logged(&["stopped", "cut"]).await;
    assert!(
        !router.log().contains("cooling down") && !router.log().contains("client went away"),
        "{}",
        router.log()
    );
    assert_eq!(router.exited().await, Some(0));
}

#[cfg(unix)]
#[tokio::test]
async fn within_the_grace_period_streams_end_and_kept_connections_are_closed() {
    let gate = Gate::new();
    let reply = message_stream("early", CONTENT)
        .stall(&gate)
        .event("message_stop", json!({ "type": "message_stop" }));
    let first = Upstream::always(reply).await;
    let (address, _port) = refusing();
    let router = Router::start(hasty(&first.url(), &address, "1m")).await;
    let (_, mut idle) = router.client().open("GET", "/v1/health", b"").await.keep().await;
    let mut stream = router.client().stream("/v1/messages", ask_stream()).await;
    stream.until("early").await;
    let held = tokio::spawn({
        let client = router.client();
        async move { client.stream("/v1/messages", ask_stream()).await.finish().await }
    });
    first.request(2).await;
    router.signal("TERM");
    assert!(idle.closed().await);
    gate.open();
    assert!(told(&stream.finish().await.events()).1);
    assert!(told(&held.await.unwrap().events()).1);
    assert_eq!(router.exited().await, Some(0));
}

#[cfg(unix)]
#[tokio::test]
async fn an_answer_given_while_stopping_closes_its_connection() {
    let gate = Gate::new();
    let first = Upstream::always(
        Reply::json(200, json!({ "type": "message", "content": [ { "type": "text", "text": "x" } ] }))
            .after(&gate),
    )
    .await;
    let (address, _port) = refusing();
    let router = Router::start(hasty(&first.url(), &address, "1m")).await;
    let asked = tokio::spawn({
        let client = router.client();
        async move { client.post("/v1/messages", ask()).await }
    });
    first.request(1).await;
    router.signal("TERM");
    router.logged(&["stopping"]).await;
    gate.open();
    let answer = asked.await.unwrap();
    assert_eq!((answer.status, answer.header("connection")), (200, Some("close")), "{:?}", answer.headers);
    assert_eq!(router.exited().await, Some(0));
}

#[cfg(unix)]
#[tokio::test]
async fn a_second_signal_ends_it_at_once_and_probes_delay_nothing() {
    let first = Upstream::always(message_stream("early", CONTENT).stall(&Gate::new())).await;
    let (address, _port) = refusing();
    let router = Router::start(hasty(&first.url(), &address, "10m")).await;
    let mut stream = router.client().stream("/v1/messages", ask_stream()).await;
    stream.until("early").await;
    router.signal("TERM");
    router.logged(&["a second signal ends them at once"]).await;
    router.signal("INT");
    router.logged(&["stopped at once"]).await;
    assert!(!stream.finish().await.complete);
    assert_eq!(router.exited().await, Some(0));
}
