//! Statuses that are neither an answer's nor an error's: the next provider's turn whatever body comes with them, and 502 in
//! the client's protocol where there is none.

use serde_json::{Value, json};

use crate::support::rules::{BASE, ask, ask_stream, completion, completion_stream, message, message_stream};
use crate::support::{Client, Reply, Serving, Upstream, refusing};

/// What stands in the status line: beyond all classes, informational, redirects, no content, and no numbers.
const ODD: [&str; 21] = [
    "000", "099", "100", "101", "102", "103", "199", "204", "205", "300", "301", "302", "304", "307", "399",
    "600", "799", "999", "1000", "2x0", "-12",
];

/// A whole reply with this status line and body. The connection ends with it.
fn odd(status: &str, body: &str) -> Reply {
    let kind = if body.starts_with("event") || body.starts_with("data") {
        "text/event-stream"
    } else {
        "application/json"
    };
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status} Odd\r\ncontent-type: {kind}\r\nlocation: http://127.0.0.1:9/\r\ncontent-length: {length}"
    );
    Reply::raw(format!("{head}\r\n\r\n{body}")).cut()
}

/// Nothing, an error, a web page: what may stand behind such a head.
fn bodies() -> [String; 3] {
    let error =
        json!({ "type": "error", "error": { "type": "invalid_request_error", "message": "a mistake" } });
    [String::new(), error.to_string(), "<html>Moved</html>".to_owned()]
}

/// No rules of failover: what is usual.
fn rules(first: &str, second: &str, speaks: [&str; 2]) -> String {
    let [one, other] = speaks;
    format!(
        r#"{BASE}  - {{ path: /v1/chat/completions, protocol: openai.chat }}
decisions: {{ keep: 1000 }}
providers:
  first: {{ speaks: {one}, url: "{first}", key: first-key }}
  second: {{ speaks: {other}, url: "{second}", key: second-key }}
"#
    )
}

async fn asked(client: &Client, path: &str, ask: &Value) -> (u16, Option<String>, String) {
    let answer = client.post(path, ask).await;
    (answer.status, answer.header("x-rulegate-provider").map(str::to_owned), answer.text())
}

#[tokio::test]
async fn a_status_that_is_no_answers_is_the_next_providers_turn() {
    for speaks in [["anthropic.messages", "openai.chat"], ["openai.chat", "anthropic.messages"]] {
        let first = Upstream::start().await;
        let second = Upstream::choosing(move |request| match (speaks[1], request.json()["stream"] == true) {
            ("openai.chat", false) => completion("well"),
            ("openai.chat", true) => completion_stream(&["well"]),
            (_, false) => message("well"),
            (_, true) => message_stream("well", 6),
        })
        .await;
        let router = Serving::start(&rules(&first.url(), &second.url(), speaks)).await;
        for (status, body) in ODD.iter().flat_map(|status| bodies().map(|body| (status, body))) {
            for ask in [ask(), ask_stream()] {
                first.then(odd(status, &body));
                let before = first.count();
                let (got, provider, text) = asked(&router.client(), "/v1/messages", &ask).await;
                let what = format!("{status} with {body:?} to {}: {got} {text}", ask["stream"]);
                assert_eq!((got, provider.as_deref()), (200, Some("second")), "{what}");
                assert!(text.contains("well") && first.count() > before, "{what}");
            }
        }
        let page = router.client().get("/-/decisions?last=1000").await.json();
        let named = |status: u16| {
            let of =
                page["decisions"].as_array().unwrap().iter().find(|it| it["attempts"][0]["status"] == status);
            of.map(|it| it["attempts"][0]["outcome"].clone())
        };
        assert_eq!(
            (named(999), named(101)),
            (Some(json!("malformed")), Some(json!("malformed"))),
            "{page:#}"
        );
    }
}

#[tokio::test]
async fn where_nobody_is_left_the_client_gets_502_in_its_protocol() {
    let first = Upstream::start().await;
    let (second, _port) = refusing();
    let router = Serving::start(&rules(&first.url(), &second, ["anthropic.messages", "openai.chat"])).await;
    for path in ["/v1/messages", "/v1/chat/completions"] {
        for (status, body) in
            ["101", "302", "304", "999", "000"].iter().flat_map(|status| bodies().map(|body| (status, body)))
        {
            first.then(odd(status, &body));
            let (got, _, text) = asked(&router.client(), path, &ask()).await;
            let told: Value = serde_json::from_str(&text).unwrap();
            assert_eq!(
                (got, told["type"] == "error"),
                (502, path == "/v1/messages"),
                "{status} with {body:?}: {text}"
            );
            assert!(told["error"]["message"].is_string() && told["error"]["type"].is_string(), "{text}");
        }
    }
}

#[tokio::test]
async fn a_rule_may_give_such_a_status_back_but_not_as_it_is() {
    let first = Upstream::start().await;
    let (second, _port) = refusing();
    let own = "failover: [ { name: back, when: { any: [ { failure: malformed }, { status: 3xx } ] }, do: return } ]";
    let rules = rules(&first.url(), &second, ["anthropic.messages", "openai.chat"]);
    let router = Serving::start(&format!("{rules}{own}\n")).await;
    for (status, body) in
        ["101", "302", "600", "999"].iter().flat_map(|status| bodies().map(|body| (status, body)))
    {
        first.then(odd(status, &body));
        let (got, provider, text) = asked(&router.client(), "/v1/messages", &ask()).await;
        assert_eq!((got, provider.as_deref()), (502, Some("first")), "{status} with {body:?}: {text}");
    }
}

#[tokio::test]
async fn what_comes_before_an_answer_is_passed_over_and_an_answer_without_a_use_of_its_status_is_told_as_200()
{
    let first = Upstream::start().await;
    let (second, _port) = refusing();
    let router = Serving::start(&rules(&first.url(), &second, ["anthropic.messages", "openai.chat"])).await;
    let good = json!({ "id": "m", "type": "message", "role": "assistant", "model": "m", "stop_reason": "end_turn",
        "content": [ { "type": "text", "text": "well" } ], "usage": { "input_tokens": 1, "output_tokens": 1 } })
    .to_string();
    let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{good}", good.len());
    let hints = "HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n";
    for reply in [Reply::raw(format!("{hints}{answer}")).cut(), odd("205", &good)] {
        first.then(reply);
        let (got, provider, text) = asked(&router.client(), "/v1/messages", &ask()).await;
        assert_eq!((got, provider.as_deref(), text.as_str()), (200, Some("first"), good.as_str()));
    }
}
