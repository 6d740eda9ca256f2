//! What clients' SDKs die on never reaches them, though a stream of the client's own protocol is passed on as it comes.

use serde_json::{Value, json};

use crate::support::rules::{ask_stream, message_events, piece};
use crate::support::{Reply, Router, Upstream, program};

/// What is no event: it is left out, and the rest goes on; `left` is what stays of it.
const NOISE: [(&[u8], &str); 13] = [
    (b"retry: 3000\n\n", ""),
    (b"retry: 3000\r\n\r\n", ""),
    (b"event: content_block_delta\n\n", ""),
    (b"data:\n\n", ""),
    (b"data: \r\n\r\n", ""),
    (b"event: message_delta\ndata:\n\n", ""),
    (b"data: keep-alive\n\n", ""),
    (b"event: message_delta\ndata: <html>\ndata: </html>\n\n", ""),
    (b"data: \xFF\xFE\n\n", ""),
    (b": \xFF\n\n", ""),
    (b": still there\nretry: 1\n\n", ": still there\n"),
    (b"id: 7\n\n", ""),
    // Clients keep an `id`, and see an event after the blank line behind each later comment.
    (b"id: 7\n\n: still there\n\n", ": still there\n"),
];

/// What was an event, and cannot be read any more: something is lost.
const DAMAGED: [&[u8]; 5] = [
    b"data: {\"type\":\"content_block_delta\",\"ind\n\n",
    b"event: content_block_delta\ndata: {\"type\":\"content_block_delta\"} {\"type\":\"ping\"}\n\n",
    b"data: {\"choices\":[{\"delta\":{\"content\":\"\xFF\"}}]}\n\n",
    b"data: {\"a\":\ndata: \"b\n\n",
    b"data: [1,2\r\n\r\n",
];

/// A provider for either protocol, alone, and without rests for it.
async fn router(protocol: &str, path: &str, provider: &Upstream, other: &Upstream) -> Router {
    Router::start(format!(
        r#"
providers:
  first: {{ speaks: {protocol}, url: "{}", key: k }}
  second: {{ speaks: {protocol}, url: "{}", key: k }}
routes: [ {{ path: {path}, protocol: {protocol} }} ]
failover: [ {{ name: any, when: {{ failure: [ malformed, cut_off, empty ] }}, do: next }} ]
"#,
        provider.url(),
        other.url()
    ))
    .await
}

/// The frames of a good stream, and the place after the first content.
fn frames(protocol: &str) -> (Vec<String>, usize) {
    if protocol == "anthropic.messages" {
        let frame = |(name, data): &(&str, Value)| format!("event: {name}\ndata: {data}\n\n");
        return (message_events("Hello.").iter().map(frame).collect(), 3);
    }
    let data = [
        piece(json!({ "role": "assistant", "content": "" }), None).to_string(),
        piece(json!({ "content": "Hello." }), None).to_string(),
        piece(json!({}), Some("stop")).to_string(),
        "[DONE]".to_owned(),
    ];
    (data.map(|data| format!("data: {data}\n\n")).to_vec(), 2)
}

const PROTOCOLS: [(&str, &str); 2] =
    [("anthropic.messages", "/v1/messages"), ("openai.chat", "/v1/chat/completions")];

#[tokio::test]
async fn what_is_no_event_is_left_out_wherever_it_stands() {
    for (protocol, path) in PROTOCOLS {
        let (first, second) = (Upstream::start().await, Upstream::start().await);
        let router = router(protocol, path, &first, &second).await;
        let (frames, after) = frames(protocol);
        for (noise, left) in NOISE {
            for at in [after, after + 1] {
                let (before, rest) = (frames[..at].concat(), frames[at..].concat());
                for dripping in [false, true] {
                    let sent = [before.as_bytes(), noise, rest.as_bytes()].concat();
                    let reply = Reply::stream();
                    first.then(if dripping { reply.drip(sent) } else { reply.then_raw(chunked(&sent)) });
                    let answer = router.client().post(path, ask_stream()).await;
                    let shown = String::from_utf8_lossy(noise);
                    assert_eq!(answer.text(), format!("{before}{left}{rest}"), "{shown:?} {dripping}");
                }
            }
        }
        assert_eq!(second.count(), 0);
    }
}

#[tokio::test]
async fn what_was_left_out_is_counted_in_record_log_and_metrics() {
    let (first, second) = (Upstream::start().await, Upstream::start().await);
    let (protocol, path) = PROTOCOLS[1];
    let router = router(protocol, path, &first, &second).await;
    let (frames, after) = frames(protocol);
    let noise = "data: keep-alive\n\nretry: 3000\n\ndata:\n\ndata: <html>\n\nevent: x\n\n";
    for dripping in [false, true] {
        let sent = [&frames[..after].concat(), noise, &frames[after..].concat()].concat();
        let reply = Reply::stream();
        first.then(if dripping { reply.drip(sent) } else { reply.body(sent) });
        let answer = router.client().post(path, ask_stream()).await;
        assert_eq!(answer.text(), frames.concat());
        let id = answer.header("x-rulegate-request").unwrap().to_owned();
        router.logged(&["INFO request", &id, "events_left_out=5"]).await;
        let record = router.client().get(&format!("/-/decisions/{id}")).await.json();
        assert_eq!(
            record["attempts"][0]["events_left_out"],
            json!({ "unreadable": 2, "empty": 3 }),
            "{record}"
        );
        assert_eq!(record["failed"], false);
    }
    let metrics = router.client().get("/-/metrics").await.text();
    for (kind, count) in [("unreadable", 4), ("empty", 6)] {
        let line =
            format!("rulegate_stream_events_left_out_total{{provider=\"first\",kind=\"{kind}\"}} {count}");
        assert!(metrics.lines().any(|it| it == line), "{line}\n{metrics}");
    }
    let told =
        program(router.folder.path()).args(["explain", "last", "--url", &router.url()]).output().unwrap();
    let told = String::from_utf8(told.stdout).unwrap();
    assert!(told.contains("events left out of its stream: 5 (2 unreadable, 3 without data)"), "{told}");
    // Nothing is counted where nothing was left out.
    first.then(Reply::stream().body(frames.concat()));
    let answer = router.client().post(path, ask_stream()).await;
    let id = answer.header("x-rulegate-request").unwrap();
    router.logged(&["INFO request", id, "stream=\"complete\""]).await;
    let record = router.client().get(&format!("/-/decisions/{id}")).await.json();
    assert!(record["attempts"][0]["events_left_out"].is_null(), "{record}");
}

/// Bytes as one chunk, so that they come in one piece.
fn chunked(bytes: &[u8]) -> Vec<u8> {
    [format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat()
}

#[tokio::test]
async fn what_is_no_event_before_content_is_left_out_too() {
    let (first, second) = (Upstream::start().await, Upstream::start().await);
    let (protocol, path) = PROTOCOLS[1];
    let router = router(protocol, path, &first, &second).await;
    let (frames, _) = frames(protocol);
    for noise in ["retry: 3000\n\n", "data:\n\n", "event: x\n\n", "id: 7\n\n"] {
        first.then(Reply::stream().drip(format!("{noise}{}{noise}{}", frames[0], frames[1..].concat())));
        let answer = router.client().post(path, ask_stream()).await;
        assert_eq!(answer.text(), frames.concat(), "{noise:?}");
    }
    assert_eq!(second.count(), 0);
}

#[tokio::test]
async fn an_event_that_lost_something_is_an_error_and_before_content_the_next_providers_turn() {
    for (protocol, path) in PROTOCOLS {
        let (first, second) = (Upstream::start().await, Upstream::start().await);
        let router = router(protocol, path, &first, &second).await;
        let (frames, after) = frames(protocol);
        for damaged in DAMAGED {
            let (before, rest) = (frames[..after].concat(), frames[after..].concat());
            let sent = [before.as_bytes(), damaged, rest.as_bytes()].concat();
            first.then(Reply::stream().drip(sent));
            let answer = router.client().post(path, ask_stream()).await;
            let (said, shown) = (answer.text(), String::from_utf8_lossy(damaged));
            assert!(said.starts_with(&before), "{shown:?}: {said}");
            let last = said.strip_prefix(&before).unwrap();
            assert!(last.contains("\"error\"") && last.contains("no JSON"), "{shown:?}: {last}");
            assert!(!said.contains("message_stop") && !said.contains("finish_reason\":\"stop"), "{said}");

            first.then(Reply::stream().drip([damaged, rest.as_bytes()].concat()));
            second.then(Reply::stream().drip(frames.concat()));
            let answer = router.client().post(path, ask_stream()).await;
            assert_eq!(answer.text(), frames.concat(), "{shown:?}");
        }
        assert_eq!(second.count(), DAMAGED.len());
    }
}

#[tokio::test]
async fn an_error_that_clients_do_not_know_behind_content_ends_with_one_that_they_do() {
    let broken = |word: &str| format!("data: {}\n\n", piece(json!({}), Some(word)));
    let cases = [
        "error: {\"message\":\"boom\",\"code\":500}\n\n".to_owned(),
        "data: {\"object\":\"error\",\"message\":\"boom\"}\n\n".to_owned(),
        "data: {\"code\":1302,\"msg\":\"boom\"}\n\n".to_owned(),
        "event: error\ndata: {\"message\":\"boom\"}\n\n".to_owned(),
        "data: {\"title\":\"boom\",\"status\":500}\n\n".to_owned(),
        broken("network_error"),
        broken("ERROR"),
        // What is no event at all, and no word of an end behind it.
        "data: Internal Server Error\n\n".to_owned(),
    ];
    let (protocol, path) = PROTOCOLS[1];
    let (first, second) = (Upstream::start().await, Upstream::start().await);
    let router = router(protocol, path, &first, &second).await;
    let (frames, after) = frames(protocol);
    let before = frames[..after].concat();
    for case in cases {
        for end in ["data: [DONE]\n\n", ""] {
            first.then(Reply::stream().body(format!("{before}{case}{end}")));
            let answer = router.client().post(path, ask_stream()).await;
            let said = answer.text();
            let last = said.strip_prefix(&before).unwrap_or_else(|| panic!("{case:?}: {said}"));
            assert!(last.starts_with("data: {\"error\":{"), "{case:?} {end:?}: {last}");
            assert!(!last.contains("[DONE]") || last.trim_end().ends_with("[DONE]"), "{case:?}: {last}");
            router.logged(&["stream=\"broken\""]).await;
        }
    }
    assert_eq!(second.count(), 0);
}

#[tokio::test]
async fn what_only_looks_like_an_error_is_none() {
    let (protocol, path) = PROTOCOLS[1];
    let (first, second) = (Upstream::start().await, Upstream::start().await);
    let router = router(protocol, path, &first, &second).await;
    let (frames, after) = frames(protocol);
    let (before, rest) = (frames[..after].concat(), frames[after..].concat());
    let with = |member: &str| {
        format!("data: {{{member},\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"!\"}}}}]}}\n\n")
    };
    let cases = [
        with("\"error\":null"),
        with("\"error\":{\"code\":0,\"message\":\"success\"}"),
        with("\"error\":{\"code\":null,\"message\":null}"),
        with("\"error\":0"),
        with("\"code\":200,\"message\":\"ok\""),
        "data: {\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":1},\"code\":200,\"message\":\"ok\"}\n\n"
            .to_owned(),
        "data: {\"choices\":[],\"prompt_filter_results\":[]}\n\n".to_owned(),
    ];
    for case in cases {
        // Behind content, and before it.
        for sent in [format!("{before}{case}{rest}"), format!("{case}{before}{rest}")] {
            first.then(Reply::stream().body(sent.clone()));
            let answer = router.client().post(path, ask_stream()).await;
            assert_eq!(answer.text(), sent, "{case:?}");
        }
    }
    // Some write the end in small letters, or with blanks.
    for end in ["data: [DONE] \n\n", "data: [done]\n\n"] {
        let sent = format!("{}{end}", frames[..frames.len() - 1].concat());
        first.then(Reply::stream().body(sent.clone()));
        assert_eq!(router.client().post(path, ask_stream()).await.text(), sent);
    }
    assert_eq!(second.count(), 0);
}
