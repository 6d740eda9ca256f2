//! Answers, streams and errors of providers that compress although nobody asked for it.

use serde_json::{Value, json};

use crate::support::coding::{CODED, KINDS, Kind, WIDE_BROTLI, WIDE_ZSTD, bomb, flushed, packed};
use crate::support::rules::{
    BASE, ask, ask_stream, completion, completion_stream, message, message_events, message_stream, piece,
};
use crate::support::{Answer, Gate, Reply, Router, Serving, Upstream};

/// The client's own protocol, and one that is mapped.
const SPOKEN: [&str; 2] = ["anthropic.messages", "openai.chat"];

/// `first` speaks one of [`SPOKEN`], `second` the client's; nobody cools down. A rule has the name of what it is for.
fn rules(speaks: &str, first: &str, second: &str) -> String {
    format!(
        r#"{BASE}
limits: {{ answer: 1MiB, event: 1MiB }}
providers:
  first: {{ speaks: {speaks}, url: "{first}", key: first-key }}
  second: {{ speaks: anthropic.messages, url: "{second}", key: second-key }}
failover:
  - {{ name: malformed, when: {{ failure: malformed }}, do: next }}
  - {{ name: cut_off, when: {{ failure: cut_off }}, do: next }}
  - {{ name: empty, when: {{ failure: empty }}, do: next }}
  - {{ name: limited, when: {{ status: 429 }}, do: next }}
  - {{ name: mistake, when: {{ status: 4xx }}, do: return }}
"#
    )
}

/// What was asked, and the answer of a provider that speaks so, before it is compressed.
fn said(speaks: &str) -> [(Value, Reply); 4] {
    let error =
        json!({ "type": "error", "error": { "type": "invalid_request_error", "message": "no such hat" } });
    let (whole, stream) = match speaks {
        "openai.chat" => (completion("Hello."), completion_stream(&["Hel", "lo."])),
        _ => (message("Hello."), message_stream("Hello.", 6)),
    };
    [
        (ask(), whole),
        (ask_stream(), stream),
        (ask(), Reply::json(400, &error)),
        (ask_stream(), Reply::json(400, &error)),
    ]
}

fn header_of(kind: Kind) -> &'static str {
    match kind {
        Kind::Gzip => "gzip",
        Kind::Zlib | Kind::Raw => "deflate",
        Kind::Brotli => "br",
        Kind::Zstd => "zstd",
    }
}

/// A body without the number that each error has of its own.
fn words(answer: &Answer) -> String {
    answer.text().split("\"request_id\"").next().unwrap_or_default().to_owned()
}

fn decided(answer: &Answer) -> (u16, Option<&str>, Option<&str>) {
    (answer.status, answer.header("x-rulegate-provider"), answer.header("x-rulegate-rule"))
}

#[tokio::test]
async fn answers_streams_and_errors_are_decoded_whatever_was_asked_for() {
    for speaks in SPOKEN {
        let first = Upstream::start().await;
        let router = Serving::start(&rules(speaks, &first.url(), &first.url())).await;
        let client = router.client().with("accept-encoding", "gzip, br");
        for (ask, reply) in said(speaks) {
            first.then(reply.clone());
            let plain = client.post("/v1/messages", &ask).await;
            for coded in CODED {
                let what = format!("{speaks} {ask} {coded:?}");
                first.then(reply.clone().coded(coded));
                let answer = client.post("/v1/messages", &ask).await;
                assert_eq!((answer.status, words(&answer)), (plain.status, words(&plain)), "{what}");
                assert!(answer.complete && answer.header("content-encoding").is_none(), "{what}");
                assert_eq!(answer.header("content-type"), plain.header("content-type"), "{what}");
                assert_eq!(answer.header("content-length"), plain.header("content-length"), "{what}");
            }
        }
        assert!(first.received().iter().all(|asked| asked.header("accept-encoding") == Some("identity")));
    }
}

#[tokio::test]
async fn an_event_reaches_the_client_as_soon_as_its_compressed_bytes_have_come() {
    for speaks in SPOKEN {
        let first = Upstream::start().await;
        let router = Serving::start(&rules(speaks, &first.url(), &first.url())).await;
        for coded in CODED {
            let (one, two) = (Gate::new(), Gate::new());
            let reply = if speaks == "openai.chat" {
                let said = |text: &str| piece(json!({ "content": text }), None);
                let begun = Reply::stream().data(said("first")).stall(&one).data(said("second"));
                begun.stall(&two).data(piece(json!({}), Some("stop"))).data("[DONE]")
            } else {
                let delta = json!({ "type": "content_block_delta", "index": 0,
                    "delta": { "type": "text_delta", "text": "second" } });
                let begun = message_stream("first", 3).stall(&one).event("content_block_delta", delta);
                let rest = message_events("").into_iter().skip(3);
                rest.fold(begun.stall(&two), |reply, (name, data)| reply.event(name, data))
            };
            first.then(reply.coded(coded));
            let mut stream = router.client().stream("/v1/messages", ask_stream()).await;
            stream.until("first").await;
            one.open();
            stream.until("second").await;
            two.open();
            let answer = stream.finish().await;
            assert!(answer.complete && answer.text().contains("message_stop"), "{coded:?} {}", answer.text());
        }
    }
}

/// Whole bodies that cannot be decoded, and the rule for what they are.
fn undecodable(body: &[u8]) -> Vec<(&'static str, Vec<u8>, &'static str)> {
    let mut all = vec![
        ("compress", body.to_vec(), "malformed"),
        ("gzip, snappy", packed(&[Kind::Gzip], body), "malformed"),
        ("br, gzip, gzip, gzip, gzip", body.to_vec(), "malformed"),
        ("gzip", body.to_vec(), "malformed"),
        ("zstd", body.to_vec(), "malformed"),
        ("zstd", WIDE_ZSTD.to_vec(), "malformed"),
        ("br", WIDE_BROTLI.to_vec(), "malformed"),
        ("gzip, br", packed(&[Kind::Gzip], body), "malformed"),
    ];
    for kind in KINDS {
        let good = packed(&[kind], body);
        all.push((header_of(kind), good[..good.len() / 2].to_vec(), "cut_off"));
        all.push((header_of(kind), bomb(kind, 4), "malformed"));
    }
    let mut good = packed(&[Kind::Gzip], body);
    *good.last_mut().unwrap() ^= 1;
    all.push(("gzip", good, "malformed"));
    for junk in [&b"junk"[..], b"\0junk", b"\x1fjunk"] {
        all.push(("gzip", [&packed(&[Kind::Gzip], body)[..], junk].concat(), "malformed"));
    }
    all
}

#[tokio::test]
async fn what_cannot_be_decoded_is_another_providers_to_answer() {
    let second = Upstream::start().await;
    for speaks in SPOKEN {
        let first = Upstream::start().await;
        let router = Serving::start(&rules(speaks, &first.url(), &second.url())).await;
        for (ask, good) in [(ask(), message("second")), (ask_stream(), message_stream("second", 6))] {
            second.afterwards(good);
            for (coding, body, rule) in undecodable(br#"{"id":"x","type":"message","content":[]}"#) {
                first.then(Reply::status(200).header("content-encoding", coding).body(body));
                let answer = router.client().post("/v1/messages", &ask).await;
                let wanted = (200, Some("second"), Some(rule));
                assert_eq!(decided(&answer), wanted, "{speaks} {coding}: {}", answer.text());
            }
            // The head of a stream, and then no more than that.
            for kind in KINDS {
                let start = message_events("")
                    .into_iter()
                    .map(|(name, data)| format!("event: {name}\ndata: {data}\n\n"));
                let parts = flushed(&[kind], &start.collect::<Vec<_>>());
                first
                    .then(Reply::stream().header("content-encoding", header_of(kind)).body(parts[0].clone()));
                let answer = router.client().post("/v1/messages", &ask).await;
                assert_eq!(decided(&answer), (200, Some("second"), Some("cut_off")), "{speaks} {kind:?}");
            }
        }
    }
}

#[tokio::test]
async fn a_stream_that_cannot_be_decoded_after_its_content_ends_with_an_error() {
    for speaks in SPOKEN {
        let first = Upstream::start().await;
        let router = Serving::start(&rules(speaks, &first.url(), &first.url())).await;
        let events: Vec<String> = match speaks {
            "openai.chat" => (0..2)
                .map(|at| piece(json!({ "content": format!("half {at}") }), None))
                .map(|data| format!("data: {data}\n\n"))
                .collect(),
            _ => message_events("half")
                .into_iter()
                .take(3)
                .map(|(name, data)| format!("event: {name}\ndata: {data}\n\n"))
                .collect(),
        };
        for kind in KINDS {
            let mut parts = flushed(&[kind], &[events.concat(), String::new()]);
            for rest in [Vec::new(), vec![0xff; 400]] {
                parts[1] = rest;
                let gate = Gate::new();
                let begun =
                    Reply::stream().header("content-encoding", header_of(kind)).body(parts[0].clone());
                first.then(begun.stall(&gate).body(parts[1].clone()));
                let mut stream = router.client().stream("/v1/messages", ask_stream()).await;
                stream.until("half").await;
                gate.open();
                let answer = stream.finish().await;
                let text = answer.text();
                assert!(answer.complete && text.contains("event: error"), "{speaks} {kind:?}: {text}");
                assert!(!text.contains("message_stop"), "{speaks} {kind:?}: {text}");
            }
        }
    }
}

#[tokio::test]
async fn an_error_keeps_its_status_whatever_its_body_is() {
    let second = Upstream::always(message("second")).await;
    for speaks in SPOKEN {
        let first = Upstream::start().await;
        let router = Serving::start(&rules(speaks, &first.url(), &second.url())).await;
        for (coding, body, _) in undecodable(br#"{"error":{"type":"x","message":"slow down"}}"#) {
            first.then(Reply::status(429).header("content-encoding", coding).body(body));
            let answer = router.client().post("/v1/messages", ask()).await;
            assert_eq!(decided(&answer), (200, Some("second"), Some("limited")), "{speaks} {coding}");
        }
    }
}

#[tokio::test]
async fn a_body_of_no_bytes_is_what_it_is_without_a_coding() {
    let second = Upstream::always(message("second")).await;
    let first = Upstream::start().await;
    let router = Serving::start(&rules(SPOKEN[0], &first.url(), &second.url())).await;
    for coding in ["identity", "gzip", "deflate", "br", "zstd, gzip", "snappy"] {
        for (status, rule) in [(200, "empty"), (429, "limited")] {
            first.then(Reply::status(status).header("content-encoding", coding));
            let answer = router.client().post("/v1/messages", ask()).await;
            assert_eq!(decided(&answer), (200, Some("second"), Some(rule)), "{coding}");
        }
    }
}

/// The most memory that a process has had, in bytes.
pub fn peak(process: u32) -> Option<usize> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.split_whitespace().next()?.parse::<usize>().ok()? << 10)
}

#[tokio::test]
async fn bombs_cost_little_memory() {
    let second = Upstream::always(message("second")).await;
    let first = Upstream::start().await;
    let router = Router::start(rules(SPOKEN[0], &first.url(), &second.url())).await;
    let Some(before) = peak(router.id()) else { return };
    for kind in KINDS {
        let bomb = bomb(kind, 512);
        for (status, ask) in [(200, ask()), (200, ask_stream()), (429, ask())] {
            let reply = Reply::status(status).header("content-encoding", header_of(kind));
            first.then(reply.body(bomb.clone()));
            assert_eq!(
                router.client().post("/v1/messages", ask).await.header("x-rulegate-provider"),
                Some("second")
            );
        }
        let packed = router.client().with("content-encoding", header_of(kind));
        assert_eq!(packed.send("POST", "/v1/messages", &bomb).await.status, 413);
    }
    let more = peak(router.id()).unwrap().saturating_sub(before);
    assert!(more < 128 << 20, "{more} bytes more for bombs of 512 MiB");
}
