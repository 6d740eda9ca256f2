//! Each way in which a provider can fail, on real sockets: the client sees the next one's answer and nothing else.

use serde_json::json;

use crate::support::rules::{ask, completion, hurried, message, two};
use crate::support::{Gate, Reply, Router, Upstream, refusing};

/// The first provider is at this address; the second must answer, because of this rule.
async fn second_answers(first: &str, rule: &str) -> Router {
    second_answers_after(first, rule, &[]).await
}

/// The same, where nobody waits long for these things.
async fn second_answers_after(first: &str, rule: &str, timers: &[&str]) -> Router {
    let second = Upstream::always(completion("from second")).await;
    let router = Router::start(hurried(&two(first, &second.url()), timers)).await;
    let answer = router.client().post("/v1/messages", ask()).await;
    assert_eq!(answer.status, 200, "{}\n{}", answer.text(), router.log());
    assert_eq!(answer.json()["content"], json!([{ "type": "text", "text": "from second" }]));
    assert_eq!(answer.json()["model"], "big-model");
    assert_eq!(second.count(), 1);
    let health = router.client().get("/v1/health").await.json();
    assert_eq!(health["providers"]["first"], "cooling", "{health}");
    assert_eq!(health["details"]["first"]["rule"], rule, "{health}");
    router
}

/// The first provider answers so; the second must answer, because of this rule.
async fn falls_over(reply: Reply, rule: &str) {
    let first = Upstream::always(reply).await;
    second_answers(&first.url(), rule).await;
}

#[tokio::test]
async fn a_usage_limit_parks_the_provider_until_the_stated_time() {
    let reset = 4_102_444_800_i64;
    let first = Upstream::always(Reply::json(
        429,
        json!({ "type": "error", "error": { "type": "rate_limit_error", "message": format!("usage limit reached|{reset}") } }),
    ))
    .await;
    let router = second_answers(&first.url(), "usage-limit").await;
    let until = router.client().get("/v1/health").await.json()["details"]["first"]["until"].to_string();
    assert!(until.contains("2100-01-01T00:00:00") || until.contains(&reset.to_string()), "{until}");
    router.client().post("/v1/messages", ask()).await;
    assert_eq!(first.count(), 1, "it is left alone until then");
}

#[tokio::test]
async fn a_server_error() {
    falls_over(Reply::json(500, json!({ "error": { "message": "oh" } })), "broken").await;
}

#[tokio::test]
async fn a_web_page_instead_of_an_error() {
    falls_over(Reply::status(502).header("content-type", "text/html").body("<h1>Bad gateway</h1>"), "broken")
        .await;
}

#[tokio::test]
async fn overload_is_tried_once_more_first() {
    let first = Upstream::always(Reply::json(529, json!({ "error": { "type": "overloaded_error" } }))).await;
    second_answers(&first.url(), "overloaded").await;
    assert_eq!(first.count(), 2);
}

#[tokio::test]
async fn overload_that_passes_is_not_noticed() {
    let first = Upstream::always(message("from first")).await;
    first.then(Reply::json(529, json!({ "error": { "type": "overloaded_error" } })));
    let (address, _port) = refusing();
    let router = Router::start(two(&first.url(), &address)).await;
    let answer = router.client().post("/v1/messages", ask()).await;
    assert_eq!((answer.status, first.count()), (200, 2));
    assert_eq!(answer.json()["content"][0]["text"], "from first");
}

#[tokio::test]
async fn a_refused_connection() {
    let (address, _port) = refusing();
    second_answers(&address, "no-connection").await;
}

#[tokio::test]
async fn a_name_that_does_not_exist() {
    // A label of more than 63 characters is refused before anybody is asked.
    second_answers(&format!("http://{}.invalid", "x".repeat(70)), "no-connection").await;
}

#[tokio::test]
async fn garbage_instead_of_tls() {
    let first = Upstream::always(Reply::garbage("HTTP/1.1 400 Bad Request\r\n\r\nthis is no TLS")).await;
    second_answers(&first.tls_url(), "no-connection").await;
}

#[tokio::test]
async fn a_tls_handshake_that_is_cut_or_reset() {
    for reply in [Reply::closed(), Reply::reset_at_once(), Reply::garbage([0x15, 3, 3, 0, 2, 2, 40])] {
        let first = Upstream::always(reply).await;
        second_answers(&first.tls_url(), "no-connection").await;
    }
}

#[tokio::test]
async fn silence_instead_of_a_tls_handshake() {
    let first = Upstream::always(Reply::closed().after(&Gate::new())).await;
    second_answers_after(&first.tls_url(), "no-connection", &["connect"]).await;
}

#[tokio::test]
async fn half_a_head_then_the_end_or_a_reset() {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: appl";
    for reply in [Reply::raw(head).cut(), Reply::raw(head).reset(), Reply::raw(head).half_close()] {
        falls_over(reply, "hung-up").await;
    }
}

#[tokio::test]
async fn half_a_head_then_silence() {
    let first = Upstream::always(Reply::raw("HTTP/1.1 200 OK\r\n").stall(&Gate::new())).await;
    second_answers_after(&first.url(), "silent", &["whole"]).await;
}

#[tokio::test]
async fn a_head_that_drips_is_only_slow() {
    let (head, body) = (
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n\r\n",
        json!({ "type": "message", "id": "m", "role": "assistant", "content": [{ "type": "text", "text": "slowly" }],
            "stop_reason": "end_turn", "stop_sequence": null, "usage": { "input_tokens": 1, "output_tokens": 1 } }),
    );
    let bytes = format!("{head}{body}");
    let reply = bytes.bytes().fold(Reply::raw(""), |reply, byte| reply.then_raw([byte])).cut();
    let first = Upstream::always(reply).await;
    let (address, _port) = refusing();
    let router = Router::start(two(&first.url(), &address)).await;
    let answer = router.client().post("/v1/messages", ask()).await;
    assert_eq!((answer.status, answer.json()), (200, body));
}

#[tokio::test]
async fn half_a_body_then_a_reset_or_half_a_connection() {
    let half = || {
        Reply::status(200)
            .header("content-type", "application/json")
            .body("{\"type\":\"mess")
            .declared_length(500)
    };
    falls_over(half().reset(), "hung-up").await;
    falls_over(half().half_close(), "hung-up").await;
}

#[tokio::test]
async fn a_body_whose_chunks_are_nonsense() {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n";
    let first = Upstream::always(Reply::garbage(format!("{head}zzz\r\n{{}}\r\n"))).await;
    let second = Upstream::always(completion("from second")).await;
    let router = Router::start(two(&first.url(), &second.url())).await;
    let answer = router.client().post("/v1/messages", ask()).await;
    assert_eq!((answer.status, second.count()), (200, 1), "{}", router.log());
}

#[tokio::test]
async fn garbage_instead_of_http() {
    let first = Upstream::always(Reply::garbage("220 mail.example ESMTP\r\n")).await;
    let second = Upstream::always(completion("from second")).await;
    let router = Router::start(two(&first.url(), &second.url())).await;
    let answer = router.client().post("/v1/messages", ask()).await;
    assert_eq!((answer.status, second.count()), (200, 1), "{}", router.log());
}

#[tokio::test]
async fn a_connection_closed_without_a_byte() {
    falls_over(Reply::closed(), "hung-up").await;
}

#[tokio::test]
async fn a_connection_reset_without_a_byte() {
    falls_over(Reply::reset_at_once(), "hung-up").await;
}

#[tokio::test]
async fn silence() {
    let first = Upstream::always(message("too late").after(&Gate::new())).await;
    second_answers_after(&first.url(), "silent", &["whole"]).await;
}

#[tokio::test]
async fn silence_in_the_middle_of_a_body() {
    let reply = Reply::status(200).header("content-type", "application/json").body("{\"type\":");
    let first = Upstream::always(reply.stall(&Gate::new()).body("1}")).await;
    second_answers_after(&first.url(), "silent", &["whole"]).await;
}

#[tokio::test]
async fn an_empty_answer() {
    falls_over(Reply::status(200), "no-answer").await;
}

#[tokio::test]
async fn an_answer_that_is_no_answer() {
    falls_over(Reply::json(200, json!({ "error": { "message": "no" } })), "no-answer").await;
}

#[tokio::test]
async fn a_web_page_with_a_good_status() {
    falls_over(
        Reply::status(200).header("content-type", "text/html").body("<html>log in</html>"),
        "no-answer",
    )
    .await;
}

#[tokio::test]
async fn a_body_that_is_cut() {
    let reply = Reply::status(200)
        .header("content-type", "application/json")
        .body("{\"type\":\"message\"")
        .declared_length(500);
    falls_over(reply.cut(), "hung-up").await;
}

#[tokio::test]
async fn a_body_that_drips_is_only_slow() {
    let whole = message("from first");
    let gate = Gate::new();
    gate.open();
    let text = json!({ "type": "message", "id": "m", "role": "assistant", "content": [{ "type": "text", "text": "slowly" }],
        "stop_reason": "end_turn", "stop_sequence": null, "usage": { "input_tokens": 1, "output_tokens": 1 } });
    let first = Upstream::always(whole.after(&gate)).await;
    first.then(Reply::status(200).header("content-type", "application/json").drip(text.to_string()));
    let (address, _port) = refusing();
    let router = Router::start(two(&first.url(), &address)).await;
    let answer = router.client().post("/v1/messages", ask()).await;
    assert_eq!((answer.status, answer.json()), (200, text), "every byte as the provider sent it");
}

#[tokio::test]
async fn the_callers_own_mistake_comes_back_as_it_is() {
    let mistake = json!({ "type": "error", "error": { "type": "invalid_request_error", "message": "prompt is too long" } });
    let first = Upstream::always(Reply::json(400, &mistake)).await;
    let second = Upstream::start().await;
    let router = Router::start(two(&first.url(), &second.url())).await;
    let answer = router.client().post("/v1/messages", ask()).await;
    assert_eq!((answer.status, answer.json(), second.count()), (400, mistake, 0));
}

#[tokio::test]
async fn when_nobody_answers_the_first_error_does() {
    let first = Upstream::always(
        Reply::json(429, json!({ "type": "error", "error": { "type": "rate_limit_error", "message": "slow down, please" } }))
            .header("retry-after", 77),
    )
    .await;
    let second = Upstream::always(Reply::json(500, json!({ "error": { "message": "broken too" } }))).await;
    let router = Router::start(two(&first.url(), &second.url())).await;
    // Then the first is not asked before the time that it stated; the second is, and it is named.
    for (status, text, provider, attempts, count) in
        [(429, "slow down, please", "first", "2", 1), (500, "broken too", "second", "1", 1)]
    {
        let answer = router.client().post("/v1/messages", ask()).await;
        assert_eq!((answer.status, first.count()), (status, count), "{}", answer.text());
        assert_eq!(answer.json()["type"], "error");
        assert!(answer.text().contains(text), "{}", answer.text());
        assert_eq!(answer.header("x-rulegate-provider"), Some(provider));
        assert_eq!(answer.header("x-rulegate-attempts"), Some(attempts));
        let after: u64 = answer.header("retry-after").expect("a time to wait").parse().unwrap();
        assert!((1..=77).contains(&after), "{after}");
    }
    router.logged(&["ERROR"]).await;
}

#[tokio::test]
async fn the_next_provider_gets_the_same_request_in_its_own_protocol() {
    let first = Upstream::always(Reply::json(500, "{}")).await;
    let second = Upstream::always(completion("from second")).await;
    let router = Router::start(two(&first.url(), &second.url())).await;
    router.client().with("x-api-key", "the-callers-own").post("/v1/messages?beta=true", ask()).await;
    let (to_first, to_second) = (first.only(), second.only());
    assert_eq!(to_first.json(), ask());
    assert_eq!(to_first.body, ask().to_string().as_bytes(), "byte for byte");
    assert_eq!(to_first.target, "/v1/messages?beta=true");
    assert_eq!(to_first.header("x-api-key"), Some("first-key"));
    assert_eq!(to_second.target, "/v1/chat/completions");
    assert_eq!(to_second.header("authorization"), Some("Bearer second-key"));
    assert_eq!(to_second.json()["model"], "second-model");
    assert_eq!(to_second.json()["messages"], json!([{ "role": "user", "content": "Hello?" }]));
    assert!(!to_second.head.contains("first-key") && !to_first.head.contains("the-callers-own"));
}
