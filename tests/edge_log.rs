//! The log: one line per thing that happened, with its reason, and never a prompt or a key.

use std::io::Write;
use std::sync::{Arc, Mutex};

use serde_json::json;
use tracing::Dispatch;
use tracing::subscriber::DefaultGuard;
use tracing_subscriber::layer::SubscriberExt;

use crate::support::{Reply, Serving, Upstream};

/// What was logged by this thread since it was made.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Log {
    /// Begins to listen: at every level, to every library.
    ///
    /// As long as there is but one listener in the process, `tracing` asks the thread that comes to a log line first
    /// whether anybody wants that line, and a thread of another test says no for all. So there are two.
    fn listen() -> (Log, (DefaultGuard, Dispatch)) {
        let log = Log::default();
        let second = Dispatch::new(tracing_subscriber::registry());
        let writer = log.clone();
        let lines = tracing_subscriber::fmt::layer().with_ansi(false).with_writer(move || writer.clone());
        (log, (tracing::subscriber::set_default(tracing_subscriber::registry().with(lines)), second))
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
    }

    /// The router's own lines of this level.
    fn lines(&self, level: &str) -> Vec<String> {
        let is_own = |line: &&str| {
            let mut words = line.split_whitespace().skip(1);
            words.next() == Some(level) && words.next().is_some_and(|target| target.starts_with("rulegate::"))
        };
        self.text().lines().filter(is_own).map(str::to_owned).collect()
    }
}

fn rules(first: &str, second: &str) -> String {
    format!(
        "include: [ \"builtin:protocols/anthropic.messages.yaml\" ]
providers:
  first: {{ speaks: anthropic.messages, url: {first}, key: first-secret-key }}
  second: {{ speaks: anthropic.messages, url: {second}, key: second-secret-key }}
access: {{ keys: [ client-secret-key ] }}
routes:
  - {{ path: /v1/messages, protocol: anthropic.messages }}
failover:
  - {{ name: limit, when: {{ status: 429 }}, do: next, cool_down: 1h }}
  - {{ name: anything-else, when: {{ status: [4xx, 5xx] }}, do: next }}
"
    )
}

const MESSAGE: &str = r#"{"id":"msg_1","type":"message","role":"assistant","content":[{"type":"text","text":"the-answers-words"}],"usage":{"input_tokens":7,"output_tokens":5}}"#;

fn request() -> String {
    json!({ "model": "m", "max_tokens": 9, "messages": [{ "role": "user", "content": "the-prompts-words" }] })
        .to_string()
}

/// An error that quotes all that should not be quoted, over several lines.
fn talkative(status: u16) -> Reply {
    let message = "key first-secret-key: messages.0: the-prompts-words\n2025-01-01 ERROR rulegate::x: forged";
    Reply::json(
        status,
        json!({ "type": "error", "error": { "type": "rate_limit_error", "message": message } }),
    )
}

#[tokio::test]
async fn the_words_of_a_providers_error_are_told_on_one_line_and_without_keys() {
    let (log, _listening) = Log::listen();
    let first = Upstream::always(talkative(429)).await;
    let second = Upstream::always(Reply::json(200, MESSAGE)).await;
    let router = Serving::start(&rules(&first.url(), &second.url())).await;
    let client = router.client().with("x-api-key", "client-secret-key");
    let answer = client.post("/v1/messages", request()).await;
    let words = r#""key [key]: messages.0: the-prompts-words 2025-01-01 ERROR rulegate::x: forged" (rate_limit_error)"#;
    let warned = log.lines("WARN").join("\n");
    assert!(warned.contains(&format!("first -> second: status 429: {words} (rule limit)")), "{warned}");
    let record =
        client.get(&format!("/-/decisions/{}", answer.header("x-rulegate-request").unwrap())).await.json();
    let error = &record["attempts"][0]["error"];
    assert_eq!(error["type"], "rate_limit_error");
    assert!(words.contains(error["message"].as_str().unwrap()), "{error}");
    let health = client.get("/v1/health").await.json();
    assert_eq!(health["details"]["first"]["last_error"]["message"], words);
    second.afterwards(talkative(500));
    assert_eq!(client.post("/v1/messages", request()).await.status, 429);
    let failed = log.lines("ERROR");
    assert!(failed.len() == 1 && failed[0].contains("second: status 500: \"key [key]"), "{failed:?}");
    assert!(!log.text().contains("secret-key"), "{}", log.text());
}

#[tokio::test]
async fn an_error_that_goes_to_the_client_is_kept_and_is_no_failure() {
    let mistake = Reply::json(
        400,
        json!({ "type": "error", "error": { "type": "invalid_request_error", "message": "max_tokens: too many" } }),
    );
    let first = Upstream::always(mistake).await;
    let rules =
        rules(&first.url(), &first.url()).replace("[4xx, 5xx] }, do: next", "[4xx, 5xx] }, do: return");
    let router = Serving::start(&rules).await;
    let client = router.client().with("x-api-key", "client-secret-key");
    assert_eq!(client.post("/v1/messages", request()).await.status, 400);
    let health = client.get("/v1/health").await.json();
    let first = &health["details"]["first"];
    assert_eq!(first["last_error"]["message"], r#""max_tokens: too many" (invalid_request_error)"#);
    assert_eq!((&first["failures"], &first["status"]), (&json!(0), &json!("available")));
    // What the translation refuses is not the provider's error.
    let router =
        Serving::start(&crate::support::rules::two("http://127.0.0.1:9", "http://127.0.0.1:9")).await;
    router.client().post("/v1/switch-provider", json!({ "provider": "second" })).await;
    let odd = json!({ "model": "m", "max_tokens": 9, "messages": [{ "role": "nobody", "content": "hi" }] });
    assert_eq!(router.client().post("/v1/messages", odd).await.status, 400);
    let health = router.client().get("/v1/health").await.json();
    assert!(health["details"]["second"]["last_error"].is_null(), "{health}");
}

#[tokio::test]
async fn a_request_has_one_line_that_says_what_became_of_it() {
    let (log, _listening) = Log::listen();
    let first = Upstream::always(talkative(429)).await;
    let second = Upstream::always(Reply::json(200, MESSAGE)).await;
    let router = Serving::start(&rules(&first.url(), &second.url())).await;
    let client = router.client().with("x-api-key", "client-secret-key");
    let answer = client.post("/v1/messages", request()).await;
    let lines: Vec<String> =
        log.lines("INFO").into_iter().filter(|line| line.contains(": request id=")).collect();
    let [line] = lines.as_slice() else { panic!("{lines:?}") };
    let id = answer.header("x-rulegate-request").unwrap();
    for part in [
        &format!("id=\"{id}\""),
        "status=200",
        "provider=\"second\"",
        "route=\"POST /v1/messages\"",
        "model=\"m\"",
        "attempts=2",
        "tokens_in=7",
        "tokens_out=5",
        "rule=\"limit\"",
        "first_ms=",
        "took_ms=",
        "client=\"127.0.0.1\"",
    ] {
        assert!(line.contains(part), "{part} is missing: {line}");
    }
    assert!(!line.contains("cache") && !line.contains("partial"), "{line}");
}

#[tokio::test]
async fn each_thing_is_one_line_at_its_level_and_holds_no_prompt_and_no_key() {
    let (log, _listening) = Log::listen();
    let first = Upstream::always(talkative(429)).await;
    let second = Upstream::always(Reply::json(200, MESSAGE)).await;
    let text = format!("{}decisions: {{ errors: false }}\n", rules(&first.url(), &second.url()));
    let router = Serving::start(&text).await;
    let client = router.client().with("x-api-key", "client-secret-key");
    assert_eq!(client.post("/v1/messages", request()).await.status, 200);
    let warned = log.lines("WARN").join("\n");
    assert!(warned.contains("first -> second: status 429 (rule limit)"), "{warned}");
    assert!(warned.contains("first is cooling down until"), "{warned}");
    let told = log.lines("INFO").join("\n");
    assert!(told.contains("listening on http://127.0.0.1:"), "{told}");
    let detail = log.lines("DEBUG").join("\n");
    assert!(detail.contains("200 from second at attempt 2"), "{detail}");
    assert!(detail.contains("attempt 1: asking first") && detail.contains("rule limit fires"), "{detail}");
    assert!(log.lines("ERROR").is_empty());

    second.afterwards(talkative(500));
    assert_eq!(client.post("/v1/messages", request()).await.status, 429);
    let failed = log.lines("ERROR");
    assert!(failed.len() == 1 && failed[0].contains("no provider answered"), "{failed:?}");
    for secret in [
        "first-secret-key",
        "second-secret-key",
        "client-secret-key",
        "the-prompts-words",
        "the-answers-words",
        "forged",
    ] {
        let own: Vec<_> =
            log.text().lines().filter(|line| line.contains(secret)).map(str::to_owned).collect();
        assert!(own.is_empty(), "{secret} is in the log: {own:#?}");
    }
    let health = client.get("/v1/health").await.text();
    assert!(!health.contains("the-prompts-words"), "{health}");
    let records = client.get("/-/decisions").await.text();
    assert!(!records.contains("the-prompts-words"), "{records}");
}

#[tokio::test]
async fn a_refused_request_and_a_refused_reload_say_why() {
    let (log, _listening) = Log::listen();
    let first = Upstream::always(Reply::json(200, MESSAGE)).await;
    let text = rules(&first.url(), &first.url());
    let router = Serving::with(&text, |options| options.follow = false).await;
    let router = router.unwrap_or_else(|error| panic!("{error}"));
    router.client().with("x-api-key", "wrong-secret-key").post("/v1/messages", request()).await;
    let told = log.lines("INFO").join("\n");
    assert!(told.contains("401") && !log.text().contains("wrong-secret-key"), "{told}");
    router.folder.write("rules.yaml", &text.replace("do: next }", "do: nxet }"));
    router.running.reload().await.unwrap();
    let warned = log.lines("WARN").join("\n");
    assert!(warned.contains("the new rules were refused") && warned.contains("rules.yaml:10:"), "{warned}");
    assert!(warned.contains("do: nxet"), "the line itself: {warned}");
    router.folder.write("rules.yaml", &text.replace("1h", "2h"));
    router.running.reload().await.unwrap();
    assert!(log.lines("INFO").join("\n").contains("the rules were reloaded"));
    router.client().post("/v1/switch-provider", r#"{"provider":"second"}"#).await;
    assert!(log.lines("WARN").join("\n").contains("switched from first to second: by hand"));
}

#[tokio::test]
async fn a_refusal_reaches_the_wire_with_its_own_status_and_log_and_record_say_who_refused() {
    let (log, _listening) = Log::listen();
    let first = Upstream::always(talkative(429)).await;
    let second = Upstream::always(Reply::json(200, MESSAGE)).await;
    let own = "failover:\n  - { name: own-words, when: { status: 429 }, do: { refuse: { status: 403, message: \"Not {$model}.\" } } }\n";
    let closed = "routes:\n  - { path: /v1/messages, protocol: anthropic.messages, name: closed, when: { model: old-* }, \
                  refuse: { status: 410, message: Gone., retry_after: 1m } }\n";
    let text = rules(&first.url(), &second.url()).replace("failover:\n", own).replace("routes:\n", closed);
    let router = Serving::start(&text).await;
    let client = router.client().with("x-api-key", "client-secret-key");
    for (stream, model, status, message, rule) in [
        (false, "m", 403, "Not m.", Some("own-words")),
        (true, "m", 403, "Not m.", Some("own-words")),
        (false, "old-1", 410, "Gone.", None),
        (true, "old-1", 410, "Gone.", None),
    ] {
        let body = json!({ "model": model, "stream": stream, "max_tokens": 9, "messages": [{ "role": "user", "content": "hi" }] });
        let answer = client.post("/v1/messages", body).await;
        assert_eq!((answer.status, answer.header("content-type")), (status, Some("application/json")));
        assert_eq!(
            (&answer.json()["type"], &answer.json()["error"]["message"]),
            (&json!("error"), &json!(message))
        );
        assert_eq!(answer.header("retry-after"), (status == 410).then_some("60"));
        let path = format!("/-/decisions/{}", answer.header("x-rulegate-request").unwrap());
        let record = client.get(&path).await.json();
        assert_eq!(record["answer"]["rule"], json!(rule));
        let by = rule.map_or("the route closed".to_owned(), |rule| format!("the rule {rule}"));
        assert_eq!(record["refused"], format!("refused by {by}: {message}"));
    }
    assert_eq!((first.count(), second.count()), (2, 0));
    let lines = log.lines("INFO").join("\n");
    assert!(lines.contains("status=403") && lines.contains("rule=\"own-words\""), "{lines}");
    assert!(lines.contains("status=410") && lines.contains("route=\"POST closed\""), "{lines}");
}

#[tokio::test]
async fn what_a_query_holds_is_sent_and_never_logged() {
    let (log, _listening) = Log::listen();
    let quoted =
        "no such code first/secret-word== at ?code=first%2Fsecret-word%3D%3D and x-org org-secret-word";
    let refusal = json!({ "type": "error", "error": { "type": "rate_limit_error", "message": quoted } });
    let first = Upstream::always(Reply::json(429, refusal)).await;
    let second = Upstream::always(Reply::json(200, MESSAGE)).await;
    let query = "query: { api-version: \"2024-10-21\", code: \"${SOME_CODE}\", key: \"{$key}\" }, headers: { x-org: \"${SOME_ORG}\" }, ";
    let text = rules(&first.url(), &second.url())
        .replace("key: first-secret-key", &format!("{query}key: first-secret-key"));
    let keys = "SOME_CODE=first/secret-word==\nSOME_ORG=org-secret-word\n";
    let text = format!("secrets: [ tokens.txt ]\n{text}");
    let router = Serving::with(&text, |options| {
        std::fs::write(options.rules.with_file_name("tokens.txt"), keys).unwrap();
    });
    let router = router.await.unwrap_or_else(|error| panic!("{error}"));
    let client = router.client().with("x-api-key", "client-secret-key");
    assert_eq!(client.post("/v1/messages?beta=true&code=mine", request()).await.status, 200);
    let sent =
        "/v1/messages?beta=true&api-version=2024-10-21&code=first%2Fsecret-word%3D%3D&key=first-secret-key";
    assert_eq!(first.only().target, sent);
    assert!(log.text().contains("no such code [key] at ?code=[key] and x-org [key]"), "{}", log.text());
    assert!(!log.text().contains("secret-word") && !log.text().contains("secret-key"), "{}", log.text());
}
