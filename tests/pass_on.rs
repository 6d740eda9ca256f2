//! What needs no mapping: embeddings, completions, moderations, pictures and sounds go to whoever speaks them, byte for byte,
//! and to the next one when that fails.

use serde_json::{Value, json};

use crate::support::coding::{Kind, packed};
use crate::support::rules::FAILOVER;
use crate::support::{Answer, Gate, Reply, Router, Serving, Settings, Upstream};

/// Every endpoint: its path, its protocol, a request and a good answer.
const WHOLE: &[(&str, &str, &str, &str)] = &[
    (
        "/v1/embeddings",
        "openai.embeddings",
        r#"{ "model": "some-model",  "input": [ "a", "b" ], "encoding_format": "float" }"#,
        r#"{"object":"list","data":[{"object":"embedding","index":0,"embedding":[0.10,-2e-3]}],"model":"m","usage":{"prompt_tokens":2,"total_tokens":2}}"#,
    ),
    (
        "/v1/completions",
        "openai.completions",
        r#"{ "model": "some-model",  "prompt": "Once", "max_tokens": 5 }"#,
        r#"{"id":"cmpl-1","object":"text_completion","choices":[{"index":0,"text":" upon","finish_reason":"stop"}]}"#,
    ),
    (
        "/v1/moderations",
        "openai.moderations",
        r#"{ "model": "some-model",  "input": "kill all processes" }"#,
        r#"{"id":"modr-1","model":"m","results":[{"flagged":false,"categories":{}}]}"#,
    ),
    (
        "/v1/images/generations",
        "openai.images.generations",
        r#"{ "model": "some-model",  "prompt": "a cat", "n": 1 }"#,
        r#"{"created":1,"data":[{"b64_json":"iVBORw0KGgo="}]}"#,
    ),
];

/// The endpoints that take forms or answer with bytes: path and protocol.
const OTHERS: &[(&str, &str)] = &[
    ("/v1/images/edits", "openai.images.edits"),
    ("/v1/images/variations", "openai.images.variations"),
    ("/v1/audio/speech", "openai.audio.speech"),
    ("/v1/audio/transcriptions", "openai.audio.transcriptions"),
    ("/v1/audio/translations", "openai.audio.translations"),
];

/// Paths and protocols of all.
fn endpoints() -> Vec<(&'static str, &'static str)> {
    WHOLE.iter().map(|(path, protocol, ..)| (*path, *protocol)).chain(OTHERS.iter().copied()).collect()
}

/// Two providers that speak all of it.
fn rules(first: &str, second: &str) -> String {
    let routes: Vec<String> = endpoints()
        .iter()
        .map(|(path, name)| format!("  - {{ path: {path}, protocol: {name} }}\n"))
        .collect();
    let (routes, speaks) =
        (routes.concat(), endpoints().iter().map(|it| it.1).collect::<Vec<_>>().join(", "));
    format!(
        r#"
timeouts: {{ connect: 1m, first_byte: 1m, idle: 1m, whole: 1m, total: 10m }}
routes:
{routes}
providers:
  first: {{ speaks: [ openai.chat, {speaks} ], url: "{first}", key: first-key, models: {{ "*": chat-model }} }}
  second: {{ speaks: [ {speaks} ], url: "{second}/v1", key: second-key, models: {{ some-model: own-model, "*": chat-model }} }}
{FAILOVER}"#
    )
}

/// That an answer is this provider's, after so many attempts.
fn is_from(answer: &Answer, provider: &str, attempts: &str) {
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.header("x-rulegate-provider"), Some(provider));
    assert_eq!(answer.header("x-rulegate-attempts"), Some(attempts));
}

#[tokio::test]
async fn a_request_and_its_answer_pass_byte_for_byte() {
    for (path, _, request, good) in WHOLE {
        let first = Upstream::always(Reply::json(200, good).header("x-request-id", "req_7")).await;
        let router = Serving::start(&rules(&first.url(), "http://127.0.0.1:9")).await;
        let answer = router.client().with("openai-organization", "org").post(path, request).await;
        is_from(&answer, "first", "1");
        assert_eq!(answer.text(), *good, "{path}");
        assert_eq!(answer.header("x-request-id"), Some("req_7"), "{path}");
        let asked = first.only();
        assert_eq!((asked.method.as_str(), asked.target.as_str()), ("POST", *path));
        assert_eq!(
            String::from_utf8_lossy(&asked.body),
            *request,
            "a pattern in `models` is for models that chat"
        );
        assert_eq!(asked.header("authorization"), Some("Bearer first-key"));
        assert_eq!(asked.header("openai-organization"), Some("org"));
        assert_eq!(asked.header("content-type"), Some("application/json"));
    }
}

/// What the first provider may do instead of answering.
fn troubles() -> Vec<(&'static str, Reply)> {
    let busy = json!({ "error": { "message": "Rate limit reached", "type": "requests", "code": "rate_limit_exceeded" } });
    vec![
        ("429", Reply::json(429, &busy)),
        ("an error inside a 200", Reply::json(200, &busy)),
        ("503", Reply::json(503, json!({ "error": { "message": "down" } }))),
        ("a reset", Reply::reset_at_once()),
        (
            "half a body",
            Reply::status(200).header("content-type", "application/json").body("{\"data\":[").cut(),
        ),
        ("a web page", Reply::status(200).header("content-type", "text/html").body("<html>login</html>")),
        ("nothing", Reply::status(200)),
        ("another object", Reply::json(200, json!({ "ok": true }))),
    ]
}

#[tokio::test]
async fn whatever_goes_wrong_is_the_next_providers_turn_with_its_own_name_of_the_model() {
    for (path, _, request, good) in WHOLE {
        for (what, trouble) in troubles() {
            let first = Upstream::always(trouble).await;
            let second = Upstream::always(Reply::json(200, good)).await;
            let router = Serving::start(&rules(&first.url(), &second.url())).await;
            let answer = router.client().post(path, request).await;
            is_from(&answer, "second", "2");
            assert_eq!(answer.text(), *good, "{path} after {what}");
            let asked = second.only();
            assert_eq!(asked.target, *path, "`/v1` of the url stands there once");
            assert_eq!(
                String::from_utf8_lossy(&asked.body),
                request.replace("some-model", "own-model"),
                "{path}"
            );
        }
    }
}

#[tokio::test]
async fn the_callers_own_mistake_comes_back_as_it_was_said() {
    let said = r#"{"error":{"message":"'input' is a required property","type":"invalid_request_error","param":null,"code":null}}"#;
    for (path, _, request, _) in WHOLE {
        let first = Upstream::always(Reply::json(400, said)).await;
        let router = Serving::start(&rules(&first.url(), "http://127.0.0.1:9")).await;
        let answer = router.client().post(path, request).await;
        assert_eq!((answer.status, answer.text().as_str()), (400, said), "{path}");
    }
}

/// The events of a stream of completions.
fn completion_events() -> Vec<Value> {
    let chunk = |text: &str, end: Value| json!({ "id": "cmpl-1", "object": "text_completion", "choices": [{ "index": 0, "text": text, "finish_reason": end }] });
    vec![chunk("Once", Value::Null), chunk(" upon", Value::Null), chunk("", json!("stop"))]
}

fn streamed(request: &str) -> String {
    request.replacen('{', r#"{ "stream": true,"#, 1)
}

#[tokio::test]
async fn a_stream_passes_and_one_that_breaks_before_its_content_is_the_next_providers_turn() {
    let (path, _, request, good) = WHOLE[1];
    let whole =
        completion_events().iter().fold(Reply::stream(), |reply, event| reply.data(event)).data("[DONE]");
    for trouble in [
        Reply::stream().cut(),
        Reply::stream().data(json!({ "error": { "message": "overloaded", "type": "server_error" } })),
        Reply::json(429, json!({ "error": { "message": "slow down" } })),
    ] {
        let (first, second) = (Upstream::always(trouble).await, Upstream::always(whole.clone()).await);
        let router = Serving::start(&rules(&first.url(), &second.url())).await;
        let answer = router.client().post(path, streamed(request)).await;
        is_from(&answer, "second", "2");
        assert_eq!(answer.header("content-type"), Some("text/event-stream"));
        let expected: Vec<String> =
            completion_events().iter().map(Value::to_string).chain(["[DONE]".to_owned()]).collect();
        let events: Vec<String> = answer.events().into_iter().map(|(_, data)| data).collect();
        assert_eq!(events, expected);
    }
    // After its content it ends with an error in the protocol's words; and a whole answer becomes a stream.
    let first = Upstream::start().await;
    first.then(Reply::stream().data(&completion_events()[0]).cut()).then(Reply::json(200, good));
    let router = Serving::start(&rules(&first.url(), "http://127.0.0.1:9")).await;
    let events = router.client().post(path, streamed(request)).await.events();
    assert!(events.last().is_some_and(|(_, data)| data.contains("\"error\"")), "{events:?}");
    let router = Serving::start(&rules(&first.url(), "http://127.0.0.1:9")).await;
    let events = router.client().post(path, streamed(request)).await.events();
    assert_eq!(events.len(), 2, "{events:?}");
    assert_eq!((events[0].1.as_str(), events[1].1.as_str()), (good, "[DONE]"));
}

#[tokio::test]
async fn partial_pictures_are_streamed() {
    let (path, _, request, _) = WHOLE[3];
    let partial =
        json!({ "type": "image_generation.partial_image", "b64_json": "aGFsZg==", "partial_image_index": 0 });
    let complete = json!({ "type": "image_generation.completed", "b64_json": "d2hvbGU=" });
    let stream = [&partial, &complete]
        .iter()
        .fold(Reply::stream(), |reply, event| reply.event(event["type"].as_str().unwrap(), event));
    let (first, second) = (Upstream::always(Reply::reset_at_once()).await, Upstream::always(stream).await);
    let router = Serving::start(&rules(&first.url(), &second.url())).await;
    let answer = router.client().post(path, streamed(request)).await;
    is_from(&answer, "second", "2");
    let events = answer.events();
    assert_eq!(events.len(), 2);
    assert_eq!(events[1], ("image_generation.completed".to_owned(), complete.to_string()));
}

/// More numbers than a tape may hold.
#[tokio::test]
async fn vectors_of_any_number_pass() {
    let (path, _, request, _) = WHOLE[0];
    let numbers = "0.5,".repeat(2_200_000);
    let long = format!(r#"{{"object":"list","data":[{{"embedding":[{numbers}0]}}]}}"#);
    let first = Upstream::always(Reply::json(200, &long)).await;
    let router = Serving::start(&rules(&first.url(), "http://127.0.0.1:9")).await;
    let answer = router.client().post(path, request).await;
    is_from(&answer, "first", "1");
    assert!(answer.body == long.as_bytes(), "{} bytes came", answer.body.len());
}

#[tokio::test]
async fn with_the_shipped_rules_a_client_is_told_what_to_add() {
    let router = Router::with(Settings::shipped().env("DEEPSEEK_API_KEY", "some-key")).await;
    for (path, protocol) in endpoints() {
        let answer = router.client().post(path, "{ \"model\": \"some-model\" }").await;
        assert_eq!(answer.status, 501, "{}", answer.text());
        let error = &answer.json()["error"];
        let message = error["message"].as_str().unwrap();
        assert!(
            message.contains(path) && message.contains(&format!("`speaks` names {protocol}")),
            "{message}"
        );
        assert_eq!(error["type"], "server_error");
        assert_eq!(answer.header("x-should-retry"), Some("false"));
    }
    let answer = router.client().post("/v1/images/upscale", "{}").await;
    assert_eq!(answer.status, 404);
    assert!(
        answer.json()["error"]["message"].as_str().unwrap().contains("/v1/images/upscale"),
        "{}",
        answer.text()
    );
    let wrong = router.client().post("/v1/embeddings", "no JSON").await;
    assert_eq!((wrong.status, &wrong.json()["error"]["type"]), (400, &json!("invalid_request_error")));
}

/// One line more beside the shipped rules: the catalogue knows what a provider speaks.
#[tokio::test]
async fn a_provider_of_the_catalogue_answers_beside_the_shipped_rules() {
    let upstream = Upstream::always(Reply::json(200, WHOLE[0].3)).await;
    let text = format!(
        "include: [ \"builtin:rules.yaml\" ]\nproviders: {{ own: {{ uses: catalog/openai, url: \"{}\", key: some-key }} }}\n",
        upstream.url()
    );
    let router = Router::start(text).await;
    let (path, _, request, good) = WHOLE[0];
    let answer = router.client().post(path, request).await;
    is_from(&answer, "own", "1");
    assert_eq!(answer.text(), good);
    assert_eq!(upstream.only().json()["model"], "some-model");
    let line = router.logged(&["/v1/embeddings", "own", "some-model"]).await;
    assert!(line.contains("200"), "{line}");
    let record =
        router.client().get(&format!("/-/decisions/{}", answer.header("x-rulegate-request").unwrap())).await;
    assert_eq!(record.json()["request"], format!("POST {path}"), "{}", record.text());
    assert_eq!(record.json()["protocol"], "openai.embeddings");
}

/// A form of a recording with fields around it. The recording has bytes of all kinds in it, and what looks like boundaries.
fn form(model: &str) -> Vec<u8> {
    let field = |name: &str, value: &str| {
        format!("--b-1\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n").into_bytes()
    };
    let every: Vec<u8> = (0..=255).collect();
    [
        field("model", model),
        b"--b-1\r\ncontent-disposition: form-data; name=\"file\"; filename=\"gr\xFC\xDFe.mp3\"\r\nContent-Type: audio/mpeg\r\n\r\n".to_vec(),
        every,
        b"\r\n--b-12\r\n--b-1-\r\n--b-1 x\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nfake\r\n--b\r\n".to_vec(),
        field("language", "de"),
        b"--b-1--\r\n".to_vec(),
    ]
    .concat()
}

const FORM: &str = "multipart/form-data; boundary=\"b-1\"";

#[tokio::test]
async fn a_form_passes_byte_for_byte_and_the_next_provider_gets_it_with_its_own_name_of_the_model() {
    let good = [("/v1/images/edits", WHOLE[3].3), ("/v1/images/variations", WHOLE[3].3)];
    let heard = [
        ("/v1/audio/transcriptions", r#"{"text":"Hallo"}"#),
        ("/v1/audio/translations", r#"{"text":"Hello"}"#),
    ];
    for (path, good) in good.into_iter().chain(heard) {
        for (what, trouble) in troubles() {
            if good.contains("text") && what == "another object" {
                continue;
            }
            let first = Upstream::always(trouble).await;
            let second = Upstream::always(Reply::json(200, good)).await;
            let router = Serving::start(&rules(&first.url(), &second.url())).await;
            let client = router.client().with("content-type", FORM);
            let answer = client.send("POST", path, &form("some-model")).await;
            assert_eq!(answer.text(), good, "{path} after {what}");
            is_from(&answer, "second", "2");
            let (asked, next) = (first.received().remove(0), second.only());
            assert!(
                asked.body == form("some-model") && next.body == form("own-model"),
                "{path} after {what}"
            );
            for request in [&asked, &next] {
                assert_eq!(request.header("content-type"), Some(FORM));
                assert_eq!(request.header("content-length"), Some(request.body.len().to_string().as_str()));
            }
        }
    }
}

#[tokio::test]
async fn a_form_chooses_its_route_and_may_be_compressed() {
    let (first, second) =
        (Upstream::always(Reply::json(200, r#"{"text":"a"}"#)).await, Upstream::start().await);
    let route = "  - { path: /v1/audio/transcriptions, protocol: openai.audio.transcriptions";
    let chosen = format!(
        "{route}, when: {{ model: some-*, $.language: de, $.file.size: {{ above: 300 }} }}, providers: [ first ] }}\n{route}, providers: [ second ] }}\n"
    );
    let rules = rules(&first.url(), &second.url()).replace(&format!("{route} }}\n"), &chosen);
    let router = Serving::start(&rules).await;
    let client = router.client().with("content-type", FORM);
    let answer = client.send("POST", "/v1/audio/transcriptions", &form("some-model")).await;
    is_from(&answer, "first", "1");
    let packed = packed(&[Kind::Gzip], form("some-model"));
    let answer =
        client.with("content-encoding", "gzip").send("POST", "/v1/audio/transcriptions", &packed).await;
    is_from(&answer, "first", "1");
    let asked = first.received().pop().unwrap();
    assert!(asked.body == form("some-model") && asked.header("content-encoding").is_none());
}

#[tokio::test]
async fn what_is_no_form_is_the_clients_mistake_and_nobody_is_asked() {
    let first = Upstream::start().await;
    let router = Serving::start(&rules(&first.url(), &first.url())).await;
    let cut = form("some-model")[..400].to_vec();
    for (content_type, body, says) in [
        ("multipart/form-data; boundary=other", form("m"), "its boundary \"other\" is not in the body"),
        ("multipart/form-data", form("m"), "has to name a boundary"),
        (FORM, cut, "its last boundary \"b-1--\" is missing"),
        (FORM, b"--b-1--".to_vec(), "the form has no part"),
        ("audio/mpeg", form("m"), "nor does its content-type say that it is a form"),
        (FORM, form(&"m".repeat(1025)), "the model's name has 1025 bytes"),
    ] {
        let client = router.client().with("content-type", content_type);
        let answer = client.send("POST", "/v1/audio/transcriptions", &body).await;
        assert_eq!(answer.status, 400, "{}", answer.text());
        let error = &answer.json()["error"];
        assert!(error["message"].as_str().unwrap().contains(says), "{error}");
        assert_eq!(error["type"], "invalid_request_error");
    }
    assert_eq!(first.count(), 0);
}

const SPEECH: &str = r#"{ "model": "some-model", "input": "Hello", "voice": "alloy" }"#;

/// What no JSON parser and no text could hold.
fn sound() -> Vec<u8> {
    b"ID3\x04".iter().copied().chain((0..=255).cycle().take(300_000)).collect()
}

#[tokio::test]
async fn a_sound_passes_as_it_is_and_the_next_provider_speaks_when_one_fails() {
    let spoken = || Reply::status(200).header("content-type", "audio/mpeg").body(sound());
    for (what, trouble) in troubles() {
        if what == "another object" {
            continue;
        }
        let (first, second) = (Upstream::always(trouble).await, Upstream::always(spoken()).await);
        let router = Serving::start(&rules(&first.url(), &second.url())).await;
        let answer = router.client().post("/v1/audio/speech", SPEECH).await;
        is_from(&answer, "second", "2");
        assert_eq!(answer.header("content-type"), Some("audio/mpeg"), "{what}");
        assert!(answer.body == sound() && answer.complete, "after {what}");
    }
    // Samples may begin like anything.
    for (content_type, start) in [
        ("audio/pcm", "{\"a"),
        ("audio/pcm", "<html"),
        ("application/octet-stream", "dat\0"),
        ("audio/wav", " "),
    ] {
        let reply = Reply::status(200).header("content-type", content_type).body(start).body(sound());
        let first = Upstream::always(reply).await;
        let router = Serving::start(&rules(&first.url(), "http://127.0.0.1:9")).await;
        let answer = router.client().post("/v1/audio/speech", SPEECH).await;
        is_from(&answer, "first", "1");
        assert!(answer.body == [start.as_bytes(), &sound()].concat(), "{content_type} {start:?}");
        assert_eq!(answer.header("content-type"), Some(content_type));
    }
}

#[tokio::test]
async fn a_sound_is_not_held_back_and_one_that_breaks_off_is_cut() {
    let gate = Gate::new();
    let reply = Reply::status(200)
        .header("content-type", "audio/mpeg")
        .body(&b"ID3 first"[..])
        .stall(&gate)
        .drip(&b"last"[..]);
    let first = Upstream::start().await;
    first.then(reply).then(
        Reply::status(200).header("content-type", "audio/mpeg").body(&b"ID3"[..]).reset().drip(&b"x"[..]),
    );
    let router = Serving::start(&rules(&first.url(), "http://127.0.0.1:9")).await;
    let mut stream = router.client().open("POST", "/v1/audio/speech", SPEECH.as_bytes()).await;
    stream.until("ID3 first").await;
    gate.open();
    let answer = stream.finish().await;
    assert!(answer.complete && answer.text() == "ID3 firstlast", "{}", answer.text());
    let answer = router.client().post("/v1/audio/speech", SPEECH).await;
    assert!(!answer.complete && answer.text() == "ID3", "{}", answer.text());
}

#[tokio::test]
async fn a_transcription_is_text_or_subtitles_or_a_stream() {
    let first = Upstream::start().await;
    let router = Serving::start(&rules(&first.url(), "http://127.0.0.1:9")).await;
    let client = router.client().with("content-type", FORM);
    for text in ["[music] Hello.\n", "1\n00:00:00,000 --> 00:00:01,000\nHello\n", "<hum> Hello", "\n", "data"]
    {
        first.then(Reply::status(200).header("content-type", "text/plain; charset=utf-8").body(text));
        let answer = client.send("POST", "/v1/audio/transcriptions", &form("some-model")).await;
        is_from(&answer, "first", "1");
        assert_eq!(answer.text(), text);
        assert_eq!(answer.header("content-type"), Some("text/plain; charset=utf-8"));
    }
    let events = [
        json!({ "type": "transcript.text.delta", "delta": "Hal" }),
        json!({ "type": "transcript.text.done", "text": "Hallo" }),
    ];
    let streaming = String::from_utf8_lossy(&form("some-model"))
        .replace("name=\"language\"\r\n\r\nde", "name=\"stream\"\r\n\r\ntrue");
    first.then(events.iter().fold(Reply::stream(), |reply, event| reply.data(event)));
    let answer = client.send("POST", "/v1/audio/transcriptions", streaming.as_bytes()).await;
    is_from(&answer, "first", "1");
    let read: Vec<String> = answer.events().into_iter().map(|(_, data)| data).collect();
    assert_eq!(read, events.map(|event| event.to_string()));
    // Some models do not stream.
    first.then(Reply::json(200, r#"{"text":"Hallo"}"#));
    let answer = client.send("POST", "/v1/audio/transcriptions", streaming.as_bytes()).await;
    assert_eq!(answer.text(), r#"{"text":"Hallo"}"#);
}
