//! More than the router may hold at once, and names that are too long to be kept.

use serde_json::{Value, json};
use tokio::net::TcpSocket;

use crate::compressed_answers::peak;
use crate::support::rules::{ask, ask_stream, message, message_stream, two};
use crate::support::{Client, Gate, Reply, Router, Upstream, refusing, within};

/// The rules of [`two`] with these limits and the other protocol's path.
fn limited(first: &str, limits: &str) -> (String, TcpSocket) {
    let (address, port) = refusing();
    let path = "  - { path: /v1/chat/completions, protocol: openai.chat }\nproviders:";
    (format!("limits: {{ {limits} }}\n{}", two(first, &address).replacen("providers:", path, 1)), port)
}

/// A request of about so many bytes.
fn long(bytes: usize) -> Value {
    let mut ask = ask();
    ask["messages"][0]["content"] = json!("x".repeat(bytes));
    ask
}

/// Asks until there is room again.
async fn answered(client: &Client, ask: Value) {
    within("there is room again", async {
        while client.post("/v1/messages", ask.clone()).await.status != 200 {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test]
async fn overload_is_told_at_once_and_room_is_given_back() {
    let gate = Gate::new();
    let first = Upstream::always(message("later")).await;
    first.then(message("early").after(&gate));
    let (rules, _port) = limited(&first.url(), "in_flight: 100KiB");
    let router = Router::start(rules).await;
    let client = router.client();
    let waiting = tokio::spawn({
        let client = client.clone();
        async move { client.post("/v1/messages", long(40_000)).await }
    });
    first.request(1).await;
    let refused = client.post("/v1/messages", long(40_000)).await;
    assert_eq!((refused.status, refused.header("retry-after")), (503, Some("1")));
    assert_eq!(refused.json()["error"]["type"], "overloaded_error", "{}", refused.text());
    assert!(refused.text().contains("in_flight"), "{}", refused.text());
    let refused = client.post("/v1/chat/completions", long(40_000)).await;
    assert_eq!((refused.status, refused.json()["error"]["code"].clone()), (503, json!("overloaded")));
    assert_eq!(client.get("/v1/health").await.status, 200);
    assert_eq!(client.get("/-/decisions").await.status, 200);
    assert_eq!(first.count(), 1);
    gate.open();
    assert_eq!(waiting.await.unwrap().status, 200);
    answered(&client, long(40_000)).await;
}

#[tokio::test]
async fn requests_in_flight_are_counted_until_they_end_or_their_client_leaves() {
    let first = Upstream::always(message("later")).await;
    first.then(message_stream("early", 3).stall(&Gate::new()));
    let (rules, _port) = limited(&first.url(), "requests: 1");
    let router = Router::start(rules).await;
    let client = router.client();
    let mut open = client.stream("/v1/messages", ask_stream()).await;
    open.until("early").await;
    let refused = client.post("/v1/messages", ask()).await;
    assert_eq!((refused.status, refused.header("connection")), (503, Some("close")), "{}", refused.text());
    assert_eq!(client.get("/v1/health").await.status, 200);
    drop(open);
    answered(&client, ask()).await;
}

/// A request with a list of so many digits: two bytes of text each, and twenty of the tape.
fn digits(count: usize) -> Value {
    let mut ask = ask();
    ask["metadata"] = json!({ "x": vec![1; count] });
    ask
}

#[tokio::test]
async fn the_tape_of_a_request_counts_for_what_is_in_flight_while_it_is_there() {
    let gate = Gate::new();
    let first = Upstream::always(message("later")).await;
    first.then(message("early").after(&gate));
    let (rules, _port) = limited(&first.url(), "in_flight: 2MiB");
    let router = Router::start(rules).await;
    let client = router.client();
    // Too short to be worth reading twice: its tape waits with it.
    let waiting = tokio::spawn({
        let client = client.clone();
        async move { client.post("/v1/messages", digits(60_000)).await }
    });
    first.request(1).await;
    for (path, count) in
        [("/v1/messages", 60_000), ("/v1/chat/completions", 60_000), ("/v1/messages", 400_000)]
    {
        let refused = client.post(path, digits(count)).await;
        assert_eq!((refused.status, refused.header("retry-after")), (503, Some("1")), "{}", refused.text());
        assert!(refused.text().contains("in_flight"), "{}", refused.text());
    }
    assert_eq!(client.get("/v1/health").await.status, 200);
    assert_eq!(client.post("/v1/messages", long(150_000)).await.status, 200, "there is room for a plain one");
    gate.open();
    assert_eq!(waiting.await.unwrap().status, 200);
    answered(&client, digits(60_000)).await;
}

#[tokio::test]
async fn the_tape_of_a_long_request_does_not_wait_with_it() {
    let gate = Gate::new();
    let first = Upstream::always(message("later").after(&gate)).await;
    let (rules, _port) = limited(&first.url(), "in_flight: 8MiB");
    let router = Router::start(rules).await;
    let client = router.client();
    let ask = |client: Client| async move { client.post("/v1/messages", digits(200_000)).await.status };
    let mut waiting = Vec::new();
    for count in 1..=4 {
        waiting.push(tokio::spawn(ask(client.clone())));
        first.request(count).await;
    }
    gate.open();
    for waiting in waiting {
        assert_eq!(waiting.await.unwrap(), 200);
    }
}

#[tokio::test]
async fn names_of_models_are_bounded_where_they_are_kept() {
    let limit = json!({ "type": "error", "error": { "type": "rate_limit_error", "message": "slow down" } });
    let first = Upstream::always(Reply::json(429, limit)).await;
    let (rules, _port) = limited(&first.url(), "body: 1MiB");
    let whole = "cool_down: { until: [ $header.retry-after ], else: 30s }";
    let rules = rules.replace(
        whole,
        "cool_down: { until: [ $header.retry-after ], else: 30s, scope: provider_and_model }",
    );
    let router = Router::start(rules).await;
    let client = router.client();
    let named = |name: String| {
        let mut ask = ask();
        ask["model"] = json!(name);
        ask
    };
    for at in 0..20 {
        let refused = client.post("/v1/messages", named(format!("{at}{}", "x".repeat(100_000)))).await;
        assert_eq!(refused.status, 400, "{}", refused.text());
        assert_eq!(refused.json()["error"]["type"], "invalid_request_error");
    }
    assert_eq!(first.count(), 0);
    for name in ["org/model:free@2025", &"é".repeat(256)] {
        assert_eq!(client.post("/v1/messages", named(name.to_owned())).await.status, 429, "{name}");
    }
    for page in ["/v1/health", "/-/decisions", "/-/metrics"] {
        let page = client.get(page).await;
        assert!(page.status == 200 && page.body.len() < 128 << 10, "{} bytes", page.body.len());
    }
}

#[tokio::test]
async fn a_message_of_the_rules_does_not_grow_with_what_it_quotes() {
    let (address, _port) = refusing();
    let eight = "{$request}".repeat(8);
    let routes = format!(
        "  - {{ path: /v1/messages, protocol: anthropic.messages, when: {{ model: quoted }}, refuse: {{ status: 403, message: \"A {{$request.system}}, B {{$request.system}}.\" }} }}
  - {{ path: /v1/messages, protocol: anthropic.messages, when: {{ model: no }}, refuse: {{ status: 403, message: \"{eight}\" }} }}
  - {{ path: /v1/messages, protocol: anthropic.messages, providers: [ first ], exhausted: {{ status: 503, message: \"{eight}\" }} }}
"
    );
    let rules = two(&address, &address).replacen(
        "  - { path: /v1/messages, protocol: anthropic.messages }\n",
        &routes,
        1,
    );
    let router = Router::start(rules).await;
    let told = async |model: &str, length: usize| {
        let mut ask = ask();
        (ask["model"], ask["system"]) = (json!(model), json!("é".repeat(length)));
        let answer = router.client().post("/v1/messages", ask).await;
        answer.json()["error"]["message"].as_str().unwrap().to_owned()
    };
    let cut = format!("{}…", "é".repeat(999));
    assert_eq!(told("quoted", 1001).await, format!("A {cut}, B {}…", "é".repeat(993)));
    let whole = "é".repeat(900);
    assert_eq!(told("quoted", 900).await, format!("A {whole}, B {whole}."));
    let before = peak(router.id());
    for model in ["no", "m"] {
        let message = told(model, 10 << 20).await;
        assert_eq!((message.chars().count(), message.ends_with('…')), (2000, true));
    }
    // The body takes 20 MiB, and the request for a provider as much again.
    if let (Some(before), Some(after)) = (before, peak(router.id())) {
        assert!(after - before < 100 << 20, "{} bytes more", after - before);
    }
}
