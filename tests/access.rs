//! Who may come in, and what must never come out.

use serde_json::json;

use crate::support::rules::{ask, ask_stream, completion, completion_stream, message, two};
use crate::support::{Folder, Reply, Router, Settings, Upstream, program, refusing};

#[tokio::test]
async fn keys_are_asked_for_where_the_rules_name_them() {
    let first = Upstream::always(message("hello")).await;
    let (address, _port) = refusing();
    let rules = format!("access: {{ keys: [ \"${{CLIENT_KEY}}\" ] }}\n{}", two(&first.url(), &address));
    let router = Router::with(Settings::rules(rules).env("CLIENT_KEY", "let-me-in")).await;
    let refused = router.client().post("/v1/messages", ask()).await;
    assert_eq!(
        (refused.status, refused.json()["error"]["type"].clone()),
        (401, json!("authentication_error"))
    );
    assert_eq!(router.client().with("x-api-key", "let-me-inn").post("/v1/messages", ask()).await.status, 401);
    assert_eq!(router.client().with("x-api-key", "let-me-in").post("/v1/messages", ask()).await.status, 200);
    assert_eq!(
        router.client().with("authorization", "Bearer let-me-in").post("/v1/messages", ask()).await.status,
        200
    );
    assert_eq!(first.count(), 2);
    assert!(
        first.received().iter().all(|request| !request.head.contains("let-me-in")),
        "it is the router's key"
    );
}

#[tokio::test]
async fn listening_elsewhere_needs_keys_or_the_word_open() {
    let folder = Folder::new();
    let (address, _port) = refusing();
    folder.write("rules.yaml", &two(&address, &address));
    let mut command = program(folder.path());
    let output = command.args(["run", "--rules", "rules.yaml", "--listen", "0.0.0.0:0"]).output().unwrap();
    assert_ne!(output.status.code(), Some(0));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("access"), "{said}");
}

#[tokio::test]
async fn a_port_that_is_published_beyond_this_machine_needs_a_key() {
    let (address, _port) = refusing();
    let rules = |published: &str| format!("published: {published}\n{}", two(&address, &address));
    let elsewhere = |published: &str| {
        let folder = Folder::new();
        folder.write("rules.yaml", &rules(published));
        let mut command = program(folder.path());
        command.args(["run", "--rules", "rules.yaml", "--listen", "0.0.0.0:0"]).output().unwrap()
    };
    for published in ["none", "0.0.0.0", "192.0.2.1", "nowhere"] {
        let output = elsewhere(published);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success(), "{published}: {said}");
        assert!(said.contains("access: { keys: [") || said.contains("bad-published"), "{said}");
    }
}

#[tokio::test]
async fn a_callers_own_key_goes_to_the_provider_that_asks_for_it_and_to_no_other() {
    let first = Upstream::always(Reply::json(500, "{}")).await;
    let second = Upstream::always(completion("from second")).await;
    let router =
        Router::start(two(&first.url(), &second.url()).replace("key: first-key", "key: client")).await;
    let answer = router.client().with("authorization", "Bearer sk-own").post("/v1/messages", ask()).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert!(first.only().head.contains("sk-own"));
    assert!(!second.only().head.contains("sk-own"));
}

#[tokio::test]
async fn a_web_page_cannot_switch_the_router() {
    let (address, _port) = refusing();
    let router = Router::start(two(&address, &address)).await;
    let body = json!({ "provider": "second" });
    for (name, value) in [
        ("origin", "https://evil.example"),
        ("host", "evil.example"),
        ("host", "evil.example:8000"),
        ("sec-fetch-site", "cross-site"),
    ] {
        let answer = router.client().with(name, value).post("/v1/switch-provider", &body).await;
        assert_eq!(answer.status, 403, "{name}: {value}");
        let answer = router.client().with(name, value).post("/-/reload", "").await;
        assert_eq!(answer.status, 403, "{name}: {value}");
    }
    assert_eq!(router.client().get("/v1/health").await.json()["current_provider"], "first");
    assert_eq!(
        router.client().with("host", "localhost").post("/v1/switch-provider", &body).await.status,
        200
    );
}

/// Everything that could carry a secret out: answers, the log, requests to the wrong provider.
#[tokio::test]
async fn secrets_stay_inside() {
    const FIRST: &str = "sk-first-0f31c6a2";
    const SECOND: &str = "sk-second-77b0de41";
    const OWN: &str = "sk-own-5ec2e7";
    let first = Upstream::start().await;
    let second = Upstream::always(completion("fine")).await;
    let rules = two(&first.url(), &second.url())
        .replace("key: first-key", "key: \"${FIRST_KEY}\"")
        .replace("key: second-key", "key: \"${second_key}\"")
        .replace("cool_down: 30s", "cool_down: 1ms");
    let folder = Folder::new();
    folder.write("tokens.txt", &format!("# keys\n\nsecond_key = {SECOND}\n"));
    let mut settings = Settings::rules(format!("secrets: [ tokens.txt ]\n{rules}")).env("FIRST_KEY", FIRST);
    settings.log = "trace";
    folder.write("rules.yaml", settings.rules.as_deref().unwrap());
    let router = Router::inside(folder, settings).await;
    let client = router.client().with("x-api-key", OWN);

    // A provider that quotes the key it got, in every way it can.
    let mut seen = String::new();
    for reply in [
        Reply::json(401, json!({ "type": "error", "error": { "message": format!("invalid key {FIRST}") } })),
        Reply::json(500, json!({ "error": { "message": FIRST } })),
        Reply::status(502).body(FIRST).header("x-key", FIRST),
        Reply::garbage(FIRST),
        Reply::closed(),
    ] {
        first.then(reply);
        let answer = client.post("/v1/messages", ask()).await;
        seen.push_str(&format!("{:?}{}", answer.headers, answer.text()));
    }
    second.afterwards(completion_stream(&["fine"]));
    let answer = client.post("/v1/messages", ask_stream()).await;
    seen.push_str(&answer.text());
    for target in ["/v1/health", "/v1/models", "/-/config", "/-/status", "/metrics"] {
        let answer = client.get(target).await;
        seen.push_str(&format!("{:?}{}", answer.headers, answer.text()));
    }
    router.folder.write("rules.yaml", "providers: { first: { key: ${FIRST_KEY}, spaeks: x } }\n");
    seen.push_str(&client.post("/-/reload", "").await.text());
    let log = router.log();
    for secret in [FIRST, SECOND, OWN] {
        assert!(!seen.contains(secret), "{secret} in an answer: {seen}");
    }
    for secret in [FIRST, SECOND, OWN] {
        assert!(!log.contains(secret), "{secret} in the log");
    }
    assert!(!log.contains("Hello?"), "a prompt in the log");
    for request in first.received() {
        assert!(!request.head.contains(SECOND) && !request.head.contains(OWN));
    }
    for request in second.received() {
        assert!(!request.head.contains(FIRST) && !request.head.contains(OWN));
    }
}
