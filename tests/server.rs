//! What the listening side promises to any HTTP client.

use serde_json::json;

use crate::support::rules::{ask, completion, message, message_stream, two};
use crate::support::{Gate, Reply, Router, Upstream, refusing};

async fn one() -> (Upstream, Router) {
    let first = Upstream::always(message("hello")).await;
    let (address, _port) = refusing();
    let router = Router::start(two(&first.url(), &address)).await;
    (first, router)
}

#[tokio::test]
async fn unknown_paths_wrong_methods_and_bad_json_are_told_in_the_paths_protocol() {
    let (first, router) = one().await;
    let client = router.client();
    let missing = client.post("/v1/nothing", ask()).await;
    assert_eq!(
        (missing.status, missing.json()["error"]["type"].is_string()),
        (404, true),
        "{}",
        missing.text()
    );
    let wrong = client.get("/v1/messages").await;
    assert_eq!((wrong.status, wrong.json()["type"].clone()), (405, json!("error")), "{}", wrong.text());
    assert!(wrong.header("allow").is_some_and(|allow| allow.contains("POST")), "{:?}", wrong.headers);
    for bad in ["", "{", "{\"model\":}", "\u{1}"] {
        let answer = client.post("/v1/messages", bad).await;
        assert_eq!(
            (answer.status, answer.json()["error"]["type"].clone()),
            (400, json!("invalid_request_error")),
            "{bad}"
        );
    }
    assert_eq!(first.count(), 0);
}

#[tokio::test]
async fn every_answer_says_how_it_came_about() {
    let (first, router) = one().await;
    let client = router.client();
    let web = client.with("origin", "https://elsewhere.example");
    let version = client.get("/-/config").await.json()["rules_version"].as_str().unwrap().to_owned();
    first.then(Reply::json(400, "{}")).then(message_stream("hello", 6));
    let stream = crate::support::rules::ask_stream();
    for (answer, status, provider, attempts, rule) in [
        (client.post("/v1/messages", ask()).await, 400, "first", "1", "mistake"),
        (client.post("/v1/messages", stream).await, 200, "first", "1", "-"),
        (client.post("/v1/messages", ask()).await, 200, "first", "1", "-"),
        (client.post("/v1/messages", "{").await, 400, "-", "0", "-"),
        (client.post("/v1/nothing", ask()).await, 404, "-", "0", "-"),
        (client.get("/v1/messages").await, 405, "-", "0", "-"),
        (client.send("OPTIONS", "/v1/messages", b"").await, 204, "-", "0", "-"),
        (client.get("/v1/health").await, 200, "-", "0", "-"),
        (client.get("/-/config").await, 200, "-", "0", "-"),
        (client.get("/-/nothing").await, 404, "-", "0", "-"),
        (client.post("/v1/switch-provider", "{").await, 400, "-", "0", "-"),
    ] {
        let seen = ["provider", "attempts", "rule", "rules-version"]
            .map(|name| answer.header(&format!("x-rulegate-{name}")).unwrap_or_default().to_owned());
        assert_eq!((answer.status, seen), (status, [provider, attempts, rule, &version].map(str::to_owned)));
    }
    let refused = web.get("/-/config").await;
    assert_eq!(
        (refused.status, refused.header("x-rulegate-rules-version")),
        (403, None),
        "to strangers nothing"
    );
}

#[tokio::test]
async fn a_body_beyond_the_limit_is_refused_clearly() {
    let (first, router) = one().await;
    let rules = router.folder.read("rules.yaml");
    router.folder.write("rules.yaml", &format!("limits: {{ body: 10KiB }}\n{rules}"));
    assert_eq!(router.client().post("/-/reload", "").await.status, 200);
    let mut long = ask();
    long["messages"][0]["content"] = json!("x".repeat(20_000));
    let answer = router.client().post("/v1/messages", &long).await;
    assert_eq!((answer.status, answer.json()["type"].clone()), (413, json!("error")), "{}", answer.text());
    let mut wire = router.client().connect().await;
    wire.write(b"POST /v1/messages HTTP/1.1\r\nhost: 127.0.0.1\r\ntransfer-encoding: chunked\r\n\r\n").await;
    for _ in 0..4 {
        wire.write(b"1000\r\n").await;
        wire.write(&[b' '; 0x1000]).await;
        wire.write(b"\r\n").await;
    }
    assert_eq!(wire.answer(false).await.status, 413);
    assert_eq!(first.count(), 0);
}

#[tokio::test]
async fn a_chunked_body_and_a_client_that_asks_before_it_sends() {
    let (first, router) = one().await;
    let body = ask().to_string();
    let mut wire = router.client().connect().await;
    wire.write(b"POST /v1/messages HTTP/1.1\r\nhost: 127.0.0.1\r\ntransfer-encoding: chunked\r\n\r\n").await;
    for byte in body.as_bytes() {
        wire.write(&[b'1', b'\r', b'\n', *byte, b'\r', b'\n']).await;
    }
    wire.write(b"0\r\n\r\n").await;
    let answer = wire.answer(false).await;
    assert_eq!(answer.status, 200);
    let (_, mut wire) = answer.keep().await;
    let head = format!(
        "POST /v1/messages HTTP/1.1\r\nhost: 127.0.0.1\r\nexpect: 100-continue\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    wire.write(head.as_bytes()).await;
    let go_on = wire.line().await.unwrap();
    assert!(go_on.contains("100"), "{go_on}");
    assert_eq!(wire.line().await.as_deref(), Some(""));
    wire.write(body.as_bytes()).await;
    assert_eq!(wire.answer(false).await.status, 200);
    assert_eq!(first.count(), 2);
    assert!(first.received().iter().all(|request| request.json() == ask()));
}

#[tokio::test]
async fn connections_are_kept() {
    let (_first, router) = one().await;
    let (answer, mut wire) = router.client().open("GET", "/v1/health", b"").await.keep().await;
    assert_eq!(answer.status, 200);
    wire.write(b"GET /v1/health HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n").await;
    assert_eq!(wire.answer(false).await.status, 200);
}

#[tokio::test]
async fn head_and_options() {
    let (_first, router) = one().await;
    let get = router.client().get("/v1/health").await;
    let head = router.client().send("HEAD", "/v1/health", b"").await;
    assert_eq!((head.status, head.body.len()), (get.status, 0));
    assert_eq!(head.header("content-type"), get.header("content-type"));
    let options = router.client().send("OPTIONS", "/v1/messages", b"").await;
    assert!([200, 204].contains(&options.status), "{}", options.status);
    assert!(options.header("allow").is_some_and(|allow| allow.contains("POST")), "{:?}", options.headers);
}

#[tokio::test]
async fn http_2_without_tls() {
    let (first, router) = one().await;
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder().http2_prior_knowledge().no_proxy().build().unwrap();
    let answer =
        client.post(format!("{}/v1/messages", router.url())).body(ask().to_string()).send().await.unwrap();
    assert_eq!((answer.status().as_u16(), answer.version()), (200, reqwest::Version::HTTP_2));
    let body: serde_json::Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
    assert_eq!(body["content"][0]["text"], "hello");
    assert_eq!(first.count(), 1);
}

#[tokio::test]
async fn unknown_versions_and_parameters_pass() {
    let (first, router) = one().await;
    let client = router.client().with("anthropic-version", "2026-10-21").with("anthropic-beta", "a,b");
    assert_eq!(client.post("/v1/messages?beta=true", ask()).await.status, 200);
    let request = first.only();
    assert_eq!(request.header("anthropic-version"), Some("2026-10-21"));
    assert_eq!(request.header("anthropic-beta"), Some("a,b"));
}

#[tokio::test]
async fn headers_that_a_client_of_this_protocol_reads_come_back() {
    let first =
        Upstream::always(message("hello").header("request-id", "req_7").header("set-cookie", "a=b")).await;
    let (address, _port) = refusing();
    let router = Router::start(two(&first.url(), &address)).await;
    let answer = router.client().post("/v1/messages", ask()).await;
    assert_eq!((answer.header("request-id"), answer.header("set-cookie")), (Some("req_7"), None));
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let elsewhere = Upstream::always(message("stolen")).await;
    let first = Upstream::always(Reply::status(307).header("location", elsewhere.url())).await;
    let second = Upstream::always(completion("from second")).await;
    let router = Router::start(two(&first.url(), &second.url())).await;
    router.client().post("/v1/messages", ask()).await;
    assert_eq!(elsewhere.count(), 0);
}

#[cfg(unix)]
#[tokio::test]
async fn a_stop_lets_streams_end() {
    let gate = Gate::new();
    let reply =
        message_stream("early", 3).stall(&gate).event("message_stop", json!({ "type": "message_stop" }));
    let first = Upstream::always(reply).await;
    let (address, _port) = refusing();
    let router = Router::start(two(&first.url(), &address)).await;
    let mut stream = router.client().stream("/v1/messages", crate::support::rules::ask_stream()).await;
    stream.until("early").await;
    router.signal("TERM");
    router.logged(&["stop"]).await;
    gate.open();
    let answer = stream.finish().await;
    assert!(answer.complete && answer.text().contains("message_stop"), "{}", answer.text());
    assert_eq!(router.exited().await, Some(0));
}
