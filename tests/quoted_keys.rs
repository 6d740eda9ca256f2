//! Keys in what providers say: known ones go no further in any disguise, and what has the shape of one is not shown.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::json;

use crate::support::rules::{ask, ask_stream, completion, message_events, two};
use crate::support::{Reply, Router, Settings, Upstream};
use rulegate::text::key_shapes::without_keys;

const KEY: &str = "sk-first-Zk9qLw7Rt2XbV5mN8cPd4s";

/// The key as gateways and error pages quote it.
fn disguises() -> Vec<String> {
    let each = |write: &dyn Fn(char) -> String| KEY.chars().map(write).collect::<String>();
    let (one, other) = KEY.split_at(14);
    vec![
        STANDARD.encode(KEY),
        STANDARD.encode(format!("u:{KEY}")),
        URL_SAFE_NO_PAD.encode(format!("user:{KEY}")),
        each(&|sign| format!("%{:02X}", u32::from(sign))),
        each(&|sign| format!("%{:02x}", u32::from(sign))),
        KEY.replace('s', "%73"),
        each(&|sign| format!("\\u{:04x}", u32::from(sign))),
        each(&|sign| format!("{:02x}", u32::from(sign))),
        format!("{one}\n{other}"),
        format!("{one} {other}"),
        format!("{one}\u{200b}{other}"),
        format!("{one}\u{feff}{other}"),
        format!("{one}\u{ad}{other}"),
        KEY.to_uppercase(),
        KEY.get(..20).unwrap_or_default().to_owned(),
        KEY.get(12..).unwrap_or_default().to_owned(),
    ]
}

async fn router(first: &Upstream, second: &Upstream) -> Router {
    let rules = two(&first.url(), &second.url())
        .replace("key: first-key", "key: \"${FIRST_KEY}\"")
        .replace("cool_down: 30s", "cool_down: 1ms");
    Router::with(Settings::rules(rules).env("FIRST_KEY", KEY)).await
}

/// All that the router shows to whoever runs it.
async fn shown(router: &Router) -> String {
    let mut shown = router.log();
    for page in ["/v1/health", "/-/decisions", "/-/rules"] {
        shown.push_str(&router.client().get(page).await.text());
    }
    shown
}

#[tokio::test]
async fn a_key_that_a_provider_quotes_in_disguise_goes_no_further() {
    let first = Upstream::start().await;
    let second = Upstream::always(completion("fine")).await;
    let router = router(&first, &second).await;
    let mut told = String::new();
    for said in disguises() {
        // Once given to the client, once a reason to ask the next provider; and after a stream's content.
        for status in [403, 500] {
            first.then(Reply::json(
                status,
                json!({ "type": "error", "error": { "type": "x", "message": format!("no: {said}!") } }),
            ));
            told.push_str(&router.client().post("/v1/messages", ask()).await.text());
        }
        let events = message_events("hello").into_iter().take(3);
        let broken = events.fold(Reply::stream(), |reply, (name, data)| reply.event(name, data));
        let error =
            json!({ "type": "error", "error": { "type": "api_error", "message": format!("no: {said}!") } });
        first.then(broken.event("error", error));
        told.push_str(&router.client().post("/v1/messages", ask_stream()).await.text());
    }
    assert_eq!(told.matches("[key]").count(), 2 * disguises().len(), "{told}");
    let told = told + &shown(&router).await;
    for said in disguises() {
        let escaped = json!(said).to_string();
        assert!(!told.contains(&said) && !told.contains(escaped.trim_matches('"')), "{said} in {told}");
    }
}

/// After content, and in what no protocol calls an error, a key that was sent is still nobody's business.
#[tokio::test]
async fn a_key_that_was_sent_comes_back_in_no_event_and_no_header() {
    let first = Upstream::start().await;
    let second = Upstream::always(completion("fine")).await;
    let router = router(&first, &second).await;
    let odd = [
        format!("data: {}\n\n", json!({ "error": { "message": KEY } })),
        format!("data: {}\n\n", json!({ "error": KEY })),
        format!("data: {}\n\n", json!({ "detail": KEY })),
        format!("event: error\ndata: {}\n\n", json!({ "message": KEY })),
        format!("event: foo\ndata: {}\n\n", json!({ "type": "foo", "k": KEY })),
        format!(": {KEY}\n\n"),
        format!("id: {KEY}\ndata: {{}}\n\n"),
    ];
    for said in odd {
        let events = message_events("hello").into_iter().take(3);
        let begun = events.fold(Reply::stream(), |reply, (name, data)| reply.event(name, data));
        first.then(begun.body(said.as_bytes()).header("request-id", format!("req_{KEY}")));
        let answer = router.client().post("/v1/messages", ask_stream()).await;
        assert!(!format!("{:?}", answer.headers).contains(KEY), "{:?}", answer.headers);
        assert!(
            answer.text().contains("hello") && !answer.text().contains(KEY),
            "{said:?}: {}",
            answer.text()
        );
    }
}

/// Whoever needs no key often writes a word for it.
#[tokio::test]
async fn a_key_that_is_a_word_may_stand_in_an_answer() {
    for word in ["lm-studio", "simulated", "not-needed-at-all-here"] {
        let first = Upstream::start().await;
        let rules = two(&first.url(), &first.url()).replace("key: first-key", &format!("key: {word}"));
        let router = Router::with(Settings::rules(rules)).await;
        let events = message_events(&format!("this is {word} speaking")).into_iter();
        first.then(events.fold(Reply::stream(), |reply, (name, data)| reply.event(name, data)));
        let answer = router.client().post("/v1/messages", ask_stream()).await;
        assert!(answer.text().contains(&format!("this is {word} speaking")), "{}", answer.text());
    }
}

#[tokio::test]
async fn what_looks_like_a_key_is_not_shown_and_the_client_reads_it() {
    let first = Upstream::start().await;
    let second = Upstream::always(completion("fine")).await;
    let router = router(&first, &second).await;
    let other = "sk-aB3dE6gH9jK2mN5pQ8sTuV1w";
    let message = format!("no key {other} for req_011CSHoEeqs5C35K2UUqR7Fy");
    first.then(Reply::json(403, json!({ "type": "error", "error": { "type": "x", "message": message } })));
    let answer = router.client().post("/v1/messages", ask()).await;
    assert!(answer.text().contains(&message), "{}", answer.text());
    let shown = shown(&router).await;
    assert!(!shown.contains(other), "{shown}");
    let clean = "no key [key] for req_011CSHoEeqs5C35K2UUqR7Fy";
    assert!(shown.matches(clean).count() >= 3, "{shown}");
}

#[test]
fn what_people_need_to_read_stays() {
    for text in [
        "request id: req_011CSHoEeqs5C35K2UUqR7Fy",
        "req_011CSHoEeqs5C35K2UUqR7Fy",
        "invalid key (request_id req_011CSHoEeqs5C35K2UUqR7Fy)",
        "chatcmpl-B9MBs8CjcvOU2jLn4n570S5qMJKcT",
        "msg_01XFDUDYJgAACzvnptvVoYEL",
        "no such key for 550e8400-e29b-41d4-a716-446655440000",
        "the token limit of claude-opus-4-20250514 and gpt-4o-2024-08-06 is 200000 tokens",
        "API key has no access to claude-3-5-sonnet-20241022-v2",
        "key quota of Qwen2.5-Coder-32B-Instruct-AWQ-Q4_K_M-GGUF",
        "try again at 2026-03-01T10:00:00.123456Z",
        "see https://platform.example.com/account/api-keys/limits-and-quotas-2025 for your token usage",
        "sha256 2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824",
        "Incorrect API key provided: sk-abc1****wxyz. You can find your API key at https://a.example",
        "Bearer token is missing; missing Bearer authentication in header",
        "please pass a valid API key. An api_key is required, and the token must not be empty",
        "Claude AI usage limit reached|1772359200",
        "tokens per min (TPM): Limit 30000, Used 29999, Requested 1200 for max_completion_tokens",
    ] {
        assert_eq!(without_keys(text), None, "{text}");
    }
}

#[test]
fn what_has_the_shape_of_a_key_goes() {
    for (text, clean) in [
        ("Incorrect API key provided: sk-proj-aB3dE6gH9jK2mN5pQ8sT.", "Incorrect API key provided: [key]."),
        ("sk-ant-api03-Zk9qLw7_Rt2XbV5-mN8cPd4s is not valid", "[key] is not valid"),
        ("bad sk-0123456789abcdef0123456789abcdef!", "bad [key]!"),
        ("gsk_aB3dE6gH9jK2mN5pQ8sTuV1w", "[key]"),
        ("Authorization: Bearer xyz", "Authorization: Bearer [key]"),
        ("'bearer abcdefgh'", "'bearer [key]'"),
        ("api_key=Ab3dE6gH9jK2mN5p&x=1", "api_key=[key]&x=1"),
        ("https://a.example/v1?key=AIzaSyA1b2C3d4E5f6G7h8I9j0", "https://a.example/v1?key=[key]"),
        ("the token you sent (xai9aB3dE6gH9jK2mN5p) has run out", "the token you sent ([key]) has run out"),
        ("x-api-key \"0123456789abcdef0123456789abcdef\"", "x-api-key \"[key]\""),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dBjftJeZ4CVPmB92", "[key]"),
        ("AIzaSyA1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p", "[key]"),
    ] {
        assert_eq!(without_keys(text).as_deref(), Some(clean), "{text}");
    }
}
