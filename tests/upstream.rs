//! The fake upstream does what its script says: what the other tests stand on is tested too.

use crate::support::{Client, Gate, Reply, Upstream};

fn client(upstream: &Upstream) -> Client {
    Client::new(upstream.url().trim_start_matches("http://").parse().unwrap())
}

#[tokio::test]
async fn a_whole_answer_and_the_request_that_led_to_it() {
    let upstream = Upstream::start().await;
    upstream.then(Reply::json(429, r#"{"error":1}"#).header("retry-after", 7));
    let answer = client(&upstream).with("x-api-key", "k").post("/v1/x?beta=true", "{\"a\":1}").await;
    assert_eq!((answer.status, answer.header("retry-after"), answer.complete), (429, Some("7"), true));
    assert_eq!(answer.json()["error"], 1);
    let request = upstream.only();
    assert_eq!((request.method.as_str(), request.target.as_str()), ("POST", "/v1/x?beta=true"));
    assert_eq!((request.header("X-API-Key"), request.json()["a"].as_i64()), (Some("k"), Some(1)));
    assert_eq!(client(&upstream).get("/").await.status, 500);
}

#[tokio::test]
async fn a_stream_stalls_until_released_and_drips() {
    let gate = Gate::new();
    let upstream = Upstream::always(Reply::stream().data("one").stall(&gate).drip("data: two\n\n")).await;
    let mut stream = client(&upstream).stream("/", "").await;
    stream.until("one").await;
    gate.reached().await;
    gate.open();
    let answer = stream.finish().await;
    let data: Vec<String> = answer.events().into_iter().map(|(_, data)| data).collect();
    assert_eq!((answer.complete, data), (true, vec!["one".to_owned(), "two".to_owned()]));
}

#[tokio::test]
async fn a_stream_is_cut_reset_or_half_closed() {
    for reply in [
        Reply::stream().data("one").cut(),
        Reply::stream().data("one").reset(),
        Reply::stream().data("one").half_close(),
    ] {
        let upstream = Upstream::always(reply).await;
        assert!(!client(&upstream).stream("/", "").await.finish().await.complete);
    }
}

#[tokio::test]
async fn a_client_that_leaves_is_noticed() {
    let gate = Gate::new();
    let upstream = Upstream::always(Reply::stream().data("one").stall(&gate)).await;
    let mut stream = client(&upstream).stream("/", "").await;
    stream.until("one").await;
    drop(stream);
    upstream.only().hung_up().await;
}

#[tokio::test]
async fn no_answer_at_all() {
    for reply in [Reply::closed(), Reply::reset_at_once()] {
        let upstream = Upstream::always(reply).await;
        let mut wire = client(&upstream).connect().await;
        wire.write(b"GET / HTTP/1.1\r\n\r\n").await;
        assert!(wire.closed().await);
    }
}
