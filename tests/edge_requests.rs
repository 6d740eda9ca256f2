//! One request through the running router: what goes to providers, what comes back, and what happens when one
//! side misbehaves.

use serde_json::json;

use crate::support::{Client, Gate, Reply, Serving, Upstream, refusing};

/// Rules with two providers that speak the clients' own protocol.
fn rules(first: &str, second: &str) -> String {
    format!(
        "include: [ \"builtin:protocols/anthropic.messages.yaml\" ]
providers:
  first: {{ speaks: anthropic.messages, url: {first}, key: first-key }}
  second: {{ speaks: anthropic.messages, url: {second}, key: second-key }}
routes:
  - {{ path: /v1/messages, protocol: anthropic.messages }}
failover:
  - name: broken
    when: {{ failure: [connect, closed, reset, cut_off, first_byte_timeout, whole_timeout, idle_timeout, malformed, in_stream] }}
    do: next
    cool_down: 30s
  - name: busy
    when: {{ status: [429, 5xx] }}
    do: next
    cool_down: 30s
"
    )
}

fn request(stream: bool) -> String {
    json!({ "model": "m", "max_tokens": 9, "stream": stream, "messages": [{ "role": "user", "content": "hi" }] })
        .to_string()
}

fn message(text: &str) -> String {
    json!({ "id": "msg_1", "type": "message", "role": "assistant", "model": "m", "stop_reason": "end_turn",
        "content": [{ "type": "text", "text": text }], "usage": { "input_tokens": 1, "output_tokens": 1 } })
    .to_string()
}

/// The events of a stream up to its first content.
fn begun(text: &str) -> Reply {
    Reply::stream()
        .event("message_start", r#"{"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","content":[],"model":"m","usage":{"input_tokens":1,"output_tokens":1}}}"#)
        .event("content_block_start", r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"#)
        .event("content_block_delta", delta(text))
}

fn delta(text: &str) -> String {
    json!({ "type": "content_block_delta", "index": 0, "delta": { "type": "text_delta", "text": text } })
        .to_string()
}

fn ended(reply: Reply) -> Reply {
    reply
        .event("content_block_stop", r#"{"type":"content_block_stop","index":0}"#)
        .event("message_delta", r#"{"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":3}}"#)
        .event("message_stop", r#"{"type":"message_stop"}"#)
}

#[tokio::test]
async fn an_answer_of_the_same_protocol_comes_through_byte_for_byte_and_names_its_decision() {
    let body = message("hello").replace(":", " : ");
    let first = Upstream::always(Reply::json(200, &body)).await;
    let router = Serving::start(&rules(&first.url(), &first.url())).await;
    let client = router.client().with("x-api-key", "the-callers-own").with("anthropic-version", "2099-01-01");
    let answer = client.post("/v1/messages?beta=true", request(false)).await;
    assert_eq!((answer.status, answer.text()), (200, body));
    assert_eq!(answer.header("x-rulegate-provider"), Some("first"));
    assert_eq!(answer.header("x-rulegate-attempts"), Some("1"));
    assert_eq!(answer.header("x-rulegate-request").map(str::len), Some(24));
    let sent = first.only();
    assert_eq!(
        (sent.target.as_str(), sent.header("x-api-key")),
        ("/v1/messages?beta=true", Some("first-key"))
    );
    assert!(!sent.head.contains("the-callers-own"), "{}", sent.head);
    assert_eq!(sent.body, request(false).into_bytes());
}

#[tokio::test]
async fn when_one_provider_does_not_answer_the_next_does() {
    let (refused, _port) = refusing();
    let second = Upstream::always(Reply::json(200, message("from the second"))).await;
    for misbehaving in [
        None,
        Some(Reply::closed()),
        Some(Reply::reset_at_once()),
        Some(Reply::garbage("SMTP ready\r\n\r\n")),
        Some(Reply::json(529, r#"{"type":"error","error":{"type":"overloaded_error","message":"busy"}}"#)),
        Some(Reply::json(200, message("half")).declared_length(100_000).cut()),
    ] {
        let first = Upstream::start().await;
        let url = misbehaving.map_or(refused.clone(), |reply| {
            first.afterwards(reply);
            first.url()
        });
        let router = Serving::start(&rules(&url, &second.url())).await;
        let answer = router.client().post("/v1/messages", request(false)).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(answer.header("x-rulegate-provider"), Some("second"));
        assert_eq!(answer.header("x-rulegate-attempts"), Some("2"));
    }
}

#[tokio::test]
async fn a_stream_reaches_the_client_event_by_event_as_soon_as_its_content_begins() {
    let (content, rest) = (Gate::new(), Gate::new());
    let reply = Reply::stream()
        .event(
            "message_start",
            r#"{"type":"message_start","message":{"id":"msg_1","role":"assistant","content":[]}}"#,
        )
        .stall(&content)
        .event(
            "content_block_start",
            r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"#,
        )
        .event("content_block_delta", delta("one"))
        .stall(&rest)
        .event("content_block_delta", delta("two"));
    let first = Upstream::always(ended(reply)).await;
    let router = Serving::start(&rules(&first.url(), &first.url())).await;
    let client = router.client();
    let opening = tokio::spawn(async move { client.stream("/v1/messages", request(true)).await });
    content.reached().await;
    content.open();
    let mut stream = opening.await.unwrap();
    assert_eq!((stream.status, stream.header("content-type")), (200, Some("text/event-stream")));
    let seen = stream.until("one").await;
    assert!(seen.contains("message_start") && !seen.contains("two"));
    rest.open();
    let answer = stream.finish().await;
    assert!(answer.complete && answer.text().contains("two") && answer.text().contains("message_stop"));
}

#[tokio::test]
async fn a_stream_that_breaks_before_its_content_is_another_providers_to_answer() {
    let start = r#"{"type":"message_start","message":{"id":"msg_1","role":"assistant","content":[]}}"#;
    let error = r#"{"type":"error","error":{"type":"overloaded_error","message":"busy"}}"#;
    let second = Upstream::always(ended(begun("from the second"))).await;
    for broken in [
        Reply::stream().event("message_start", start).event("error", error),
        Reply::stream().event("message_start", start).cut(),
        Reply::stream().event("message_start", start).reset(),
        Reply::stream(),
    ] {
        let first = Upstream::always(broken).await;
        let router = Serving::start(&rules(&first.url(), &second.url())).await;
        let answer = router.client().post("/v1/messages", request(true)).await;
        assert_eq!(answer.header("x-rulegate-provider"), Some("second"), "{}", answer.text());
        assert_eq!(answer.text().matches("message_start").count(), 2, "{}", answer.text());
    }
}

#[tokio::test]
async fn a_stream_that_breaks_after_its_content_ends_with_an_error_and_no_made_up_end() {
    for broken in [begun("half").cut(), begun("half").reset(), begun("half")] {
        let first = Upstream::always(broken).await;
        let router = Serving::start(&rules(&first.url(), &first.url())).await;
        let answer = router.client().post("/v1/messages", request(true)).await;
        let text = answer.text();
        assert!(text.contains("half") && text.contains("event: error"), "{text}");
        assert!(!text.contains("message_stop") && answer.complete, "{text}");
    }
}

#[tokio::test]
async fn silence_is_a_failure_before_and_after_the_first_byte() {
    let gate = Gate::new();
    let timeouts = "timeouts: { first_byte: 80ms, idle: 80ms, whole: 80ms }\n";
    let second = Upstream::always(Reply::json(200, message("from the second"))).await;
    let first = Upstream::always(Reply::json(200, message("late")).after(&gate)).await;
    let router = Serving::start(&(rules(&first.url(), &second.url()) + timeouts)).await;
    let answer = router.client().post("/v1/messages", request(false)).await;
    assert_eq!(answer.header("x-rulegate-provider"), Some("second"), "{}", answer.text());
    first.only().hung_up().await;

    let first = Upstream::always(begun("half").stall(&gate)).await;
    let router = Serving::start(&(rules(&first.url(), &second.url()) + timeouts)).await;
    let answer = router.client().post("/v1/messages", request(true)).await;
    assert!(answer.text().contains("half") && answer.text().contains("event: error"), "{}", answer.text());
    first.only().hung_up().await;
}

#[tokio::test]
async fn when_the_client_goes_away_the_call_to_the_provider_ends() {
    let gate = Gate::new();
    for reply in [Reply::json(200, message("late")).after(&gate), begun("half").stall(&gate)] {
        let first = Upstream::always(reply).await;
        let router = Serving::start(&rules(&first.url(), &first.url())).await;
        let mut wire = router.client().connect().await;
        let body = request(true);
        let head = format!(
            "POST /v1/messages HTTP/1.1\r\nhost: localhost\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        wire.write(head.as_bytes()).await;
        let sent = first.request(1).await;
        drop(wire);
        sent.hung_up().await;
        let health = router.client().get("/v1/health").await.json();
        assert_eq!(
            health["providers"]["second"], "unknown",
            "nobody failed, nobody else was asked: {health}"
        );
    }
}

#[tokio::test]
async fn a_slow_client_slows_the_provider_and_fills_no_memory() {
    let piece = delta(&"x".repeat(64 * 1024));
    let endless = (0..500).fold(begun("first"), |reply, _| reply.event("content_block_delta", &piece));
    let gate = Gate::new();
    let first = Upstream::always(endless.stall(&gate)).await;
    let router = Serving::start(&rules(&first.url(), &first.url())).await;
    let mut stream = router.client().stream("/v1/messages", request(true)).await;
    stream.until("first").await;
    // Nobody reads on. If somebody in between did, the provider would come to the gate behind 32 MB.
    let reached = tokio::time::timeout(std::time::Duration::from_millis(300), gate.reached()).await;
    assert!(reached.is_err(), "32 MB were buffered for a client that does not read");
}

#[tokio::test]
async fn errors_of_the_router_speak_the_protocol_of_the_path() {
    let first = Upstream::start().await;
    let router = Serving::start(&(rules(&first.url(), &first.url()) + "limits: { body: 1KiB }\n")).await;
    let client = router.client();
    let kind = |answer: &crate::support::Answer| answer.json()["error"]["type"].as_str().map(str::to_owned);
    let large = client.post("/v1/messages", "x".repeat(3000)).await;
    assert_eq!((large.status, kind(&large).as_deref()), (413, Some("request_too_large")));
    assert_eq!(large.json()["type"], "error");
    for (method, target, body, status) in [
        ("POST", "/v1/messages", "{not json", 400),
        ("GET", "/v1/messages", "", 405),
        ("DELETE", "/v1/messages", "", 405),
        ("POST", "/v1/nothing", "{}", 404),
    ] {
        let answer = client.send(method, target, body.as_bytes()).await;
        assert_eq!(answer.status, status, "{method} {target}: {}", answer.text());
        assert_eq!(answer.json()["type"], "error", "{method} {target}");
    }
    let root = client.post("/", "{}").await;
    assert_eq!((root.status, kind(&root).is_some()), (404, true));
    let wrong = client.get("/v1/messages").await;
    assert_eq!(wrong.header("allow").map(|allow| allow.contains("POST")), Some(true));
    let packed = client.with("content-encoding", "compress").post("/v1/messages", "{}").await;
    assert_eq!(packed.status, 415);
    assert_eq!(first.count(), 0);
    // Each of them has its record, with the reason.
    let page = client.get("/-/decisions?failed=true").await.json();
    let told: Vec<(u64, bool)> = page["decisions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|record| (record["answer"]["status"].as_u64().unwrap(), record["refused"].is_string()))
        .collect();
    let wanted = [415, 405, 404, 404, 405, 405, 400, 413].map(|status| (status, true));
    assert_eq!(told, wanted, "{page}");
    let id = packed.header("x-rulegate-request").unwrap();
    let record = client.get(&format!("/-/decisions/{id}")).await.json();
    assert!(record["refused"].as_str().unwrap().contains("compress"), "{record}");
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused_before_a_client_that_asks_first_sends_it() {
    let first = Upstream::start().await;
    let router = Serving::start(&(rules(&first.url(), &first.url()) + "limits: { body: 1KiB }\n")).await;
    let head = "POST /v1/messages HTTP/1.1\r\nhost: localhost\r\nexpect: 100-continue\r\ncontent-length: 5000\r\n\r\n";
    let answer = router.client().raw(head.as_bytes(), "POST").await;
    assert_eq!(answer.status, 413);
}

#[tokio::test]
async fn options_say_what_there_is_and_let_no_other_site_in() {
    let first = Upstream::start().await;
    let router = Serving::start(&rules(&first.url(), &first.url())).await;
    let page = router
        .client()
        .with("origin", "https://elsewhere.example")
        .with("access-control-request-method", "POST");
    let answer = router.client().send("OPTIONS", "/v1/messages", b"").await;
    assert_eq!((answer.status, answer.header("allow")), (204, Some("POST, OPTIONS")));
    let answer = page.send("OPTIONS", "/v1/messages", b"").await;
    assert_eq!((answer.status, answer.header("allow")), (403, None));
    assert!(answer.headers.iter().all(|(name, _)| !name.to_lowercase().starts_with("access-control")));
    let head = router.client().send("HEAD", "/v1/health", b"").await;
    assert_eq!((head.status, head.body.len()), (200, 0));
}

#[tokio::test]
async fn client_keys_open_the_door_and_go_no_further() {
    let first = Upstream::always(Reply::json(200, message("hello"))).await;
    let keys = "access: { keys: [ open-sesame ] }\n";
    let router = Serving::start(&(rules(&first.url(), &first.url()) + keys)).await;
    let ask = async |client: Client| client.post("/v1/messages", request(false)).await;
    assert_eq!(ask(router.client()).await.status, 401);
    let refused = ask(router.client().with("x-api-key", "wrong")).await;
    assert_eq!(
        (refused.status, refused.json()["error"]["type"].clone()),
        (401, json!("authentication_error"))
    );
    assert_eq!(first.count(), 0);
    let page = router.client().get("/-/decisions").await.text();
    assert!(page.contains("\"refused\":\"") && !page.contains("wrong") && !page.contains("Hello"), "{page}");
    let metrics = router.client().get("/-/metrics").await.text();
    assert!(
        metrics.contains(r#"rulegate_requests_total{route="-",provider="-",status="401"} 2"#),
        "{metrics}"
    );
    assert_eq!(ask(router.client().with("x-api-key", "open-sesame")).await.status, 200);
    assert_eq!(ask(router.client().with("authorization", "Bearer open-sesame")).await.status, 200);
    assert!(first.received().iter().all(|sent| !sent.head.contains("open-sesame")));
}

#[tokio::test]
async fn stopping_lets_a_stream_end() {
    let gate = Gate::new();
    let first = Upstream::always(ended(begun("one").stall(&gate))).await;
    let router = Serving::start(&rules(&first.url(), &first.url())).await;
    let mut stream = router.client().stream("/v1/messages", request(true)).await;
    stream.until("one").await;
    let Serving { folder: _folder, running } = router;
    let stopping = tokio::spawn(running.shutdown());
    gate.open();
    let answer = stream.finish().await;
    assert!(answer.complete && answer.text().contains("message_stop"));
    assert_eq!(stopping.await.unwrap(), 0);
}

#[tokio::test]
async fn a_connection_to_a_provider_is_used_again_after_a_stream() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (client_has_all, answers) = tokio::sync::watch::channel(0);
    // A provider that ends a body only when the client has had its last event, and says on which connection it is.
    let provider = async move {
        for connection in 1.. {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut answers = answers.clone();
            tokio::spawn(async move {
                loop {
                    let mut seen = Vec::new();
                    while !seen.ends_with(b"true}}") {
                        if stream.read_buf(&mut seen).await.unwrap_or(0) == 0 {
                            return;
                        }
                    }
                    let before = *answers.borrow();
                    let event = json!({ "id": "a", "choices": [{ "index": 0, "finish_reason": "stop",
                        "delta": { "content": format!("on connection {connection}") } }] });
                    let body = format!("data: {event}\n\ndata: [DONE]\n\n");
                    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
                    let _ =
                        stream.write_all(format!("{head}{:x}\r\n{body}\r\n", body.len()).as_bytes()).await;
                    let _ = answers.wait_for(|now| *now > before).await;
                    let _ = stream.write_all(b"0\r\n\r\n").await;
                }
            });
        }
    };
    let provider = tokio::spawn(provider);
    let rules = rules(&url, &url).replace("speaks: anthropic.messages", "speaks: openai.chat");
    let router = Serving::start(
        &rules.replace("protocols/anthropic.messages.yaml", "protocols/*.yaml\", \"builtin:mappings/*.yaml"),
    )
    .await;
    // A request may come before the router has read the end of the last body, so that not every one finds a free
    // connection; but were none used again, there would be one for each.
    const ASKED: usize = 20;
    let mut last = String::new();
    for _ in 0..ASKED {
        let answer = router.client().post("/v1/messages", request(true)).await;
        last = answer.text();
        assert!(answer.complete && last.contains("message_stop"), "{last}");
        client_has_all.send_modify(|answers| *answers += 1);
        router.client().get("/v1/health").await;
    }
    assert!(!last.contains(&format!("on connection {ASKED}")), "a connection for each request");
    provider.abort();
}
