//! Requests that clients compress.

use serde_json::json;

use crate::support::coding::{CODED, KINDS, Kind, WIDE_BROTLI, WIDE_ZSTD, bomb, packed};
use crate::support::rules::{ask, message, two};
use crate::support::{Client, Serving, Upstream, refusing};

/// The rules of [`two`], with these limits and the other protocol's path.
fn rules(first: &str, limits: &str) -> String {
    let path = "  - { path: /v1/chat/completions, protocol: openai.chat }\nproviders:";
    let (address, _port) = refusing();
    format!("limits: {{ {limits} }}\n{}", two(first, &address).replacen("providers:", path, 1))
}

/// A client that says so of its bodies.
fn coding(client: &Client, lines: &[&str]) -> Client {
    lines.iter().fold(client.clone(), |client, line| client.with("content-encoding", line))
}

#[tokio::test]
async fn compressed_requests_are_decoded() {
    let first = Upstream::always(message("Hello.")).await;
    let router = Serving::start(&rules(&first.url(), "body: 1MiB")).await;
    let body = ask().to_string();
    for path in ["/v1/messages", "/v1/chat/completions"] {
        assert_eq!(router.client().post(path, &body).await.status, 200);
        let plain = first.received().pop().unwrap();
        for (lines, kinds) in CODED {
            let answer = coding(&router.client(), lines).send("POST", path, &packed(kinds, &body)).await;
            assert_eq!(answer.status, 200, "{path} {lines:?}: {}", answer.text());
            let asked = first.received().pop().unwrap();
            assert_eq!(asked.body, plain.body, "{path} {lines:?}");
            assert_eq!(asked.header("content-length"), plain.header("content-length"), "{path} {lines:?}");
            assert_eq!(asked.header("content-encoding"), None, "{path} {lines:?}");
        }
        for padding in [1, 511, 100_000] {
            let padded = [packed(&[Kind::Gzip], &body), vec![0; padding]].concat();
            let answer = coding(&router.client(), &["gzip"]).send("POST", path, &padded).await;
            assert_eq!(answer.status, 200, "{path} {padding}: {}", answer.text());
            assert_eq!(first.received().pop().unwrap().body, plain.body, "{path} {padding}");
        }
    }
}

#[tokio::test]
async fn requests_that_cannot_be_decoded_are_refused_in_the_clients_protocol() {
    let first = Upstream::always(message("Hello.")).await;
    let router = Serving::start(&rules(&first.url(), "body: 1MiB")).await;
    let body = ask().to_string();
    let zipped = packed(&[Kind::Gzip], &body);
    let mut changed = zipped.clone();
    *changed.last_mut().unwrap() ^= 1;
    let mut table: Vec<(&[&str], Vec<u8>, u16, &str)> = vec![
        (&["compress"], body.clone().into(), 415, "\"compress\""),
        (&["gzip", "identity, lz4"], zipped.clone(), 415, "\"lz4\""),
        (&["gzip,gzip,gzip,gzip,gzip"], zipped.clone(), 415, "more than 4"),
        (&["gzip"], body.clone().into(), 400, "not valid gzip"),
        (&["gzip"], changed, 400, "not valid gzip"),
        (&["br, gzip"], zipped.clone(), 400, "not valid br"),
        (&["gzip"], [&zipped[..], b"junk"].concat(), 400, "not valid gzip: more bytes follow its end"),
        (&["gzip"], [&zipped[..], b"\x1fjunk"].concat(), 400, "more bytes follow its end"),
        (&["gzip"], [&zipped[..], b"\0\0junk"].concat(), 400, "more bytes follow its end"),
        (&["gzip"], [&zipped[..], b"\0", &zipped].concat(), 400, "more bytes follow its end"),
        (&["gzip"], [&zipped[..], &zipped[..9]].concat(), 400, "ends in the middle"),
        (&["zstd"], [&packed(&[Kind::Zstd], &body)[..], b"junk"].concat(), 400, "more bytes follow its end"),
        (&["deflate"], [&packed(&[Kind::Zlib], &body)[..], b"junk"].concat(), 400, "follow"),
        (&["zstd"], WIDE_ZSTD.to_vec(), 400, "not valid zstd"),
        (&["br"], WIDE_BROTLI.to_vec(), 400, "not valid br"),
    ];
    for (lines, kinds) in &CODED[..CODED.len() - 1] {
        let good = packed(kinds, &body);
        table.push((lines, good[..good.len() - 1].to_vec(), 400, "ends in the middle"));
    }
    for (name, kind) in [["gzip"], ["deflate"], ["deflate"], ["br"], ["zstd"]].iter().zip(KINDS) {
        table.push((name, bomb(kind, 2), 413, "larger than 1 MiB"));
    }
    for (lines, body, status, text) in table {
        for path in ["/v1/messages", "/v1/chat/completions"] {
            let answer = coding(&router.client(), lines).send("POST", path, &body).await;
            assert_eq!(answer.status, status, "{path} {lines:?}: {}", answer.text());
            let error = &answer.json()["error"];
            assert!(error["message"].as_str().unwrap().contains(text), "{path} {lines:?}: {error}");
            assert_eq!(answer.json()["type"] == "error", path == "/v1/messages", "{}", answer.text());
            let supported = (status == 415).then_some("gzip, deflate, br, zstd");
            assert_eq!(answer.header("accept-encoding"), supported, "{path} {lines:?}");
        }
    }
    assert_eq!(first.count(), 0);
}

#[tokio::test]
async fn what_a_compressed_request_holds_counts_for_what_is_in_flight() {
    let first = Upstream::always(message("Hello.")).await;
    let router = Serving::start(&rules(&first.url(), "in_flight: 100KiB")).await;
    let mut ask = ask();
    ask["messages"][0]["content"] = json!("x".repeat(60_000));
    for kind in KINDS {
        let body = packed(&[kind], ask.to_string());
        let name = match kind {
            Kind::Gzip => "gzip",
            Kind::Zlib | Kind::Raw => "deflate",
            Kind::Brotli => "br",
            Kind::Zstd => "zstd",
        };
        let answer = coding(&router.client(), &[name]).send("POST", "/v1/messages", &body).await;
        assert_eq!((answer.status, body.len() < 1000), (503, true), "{kind:?}: {}", answer.text());
    }
    assert_eq!(router.client().post("/v1/messages", crate::support::rules::ask()).await.status, 200);
}

#[tokio::test]
async fn the_routers_own_paths_take_compressed_requests_too() {
    let first = Upstream::start().await;
    let router = Serving::start(&rules(&first.url(), "body: 1MiB")).await;
    let body = packed(&[Kind::Zstd], r#"{"provider":"second"}"#);
    let switch = async |coding: &str, body: &[u8]| {
        router.client().with("content-encoding", coding).send("POST", "/v1/switch-provider", body).await
    };
    assert_eq!(switch("zstd", &body).await.json()["current_provider"], "second");
    let refused = switch("lz4", &body).await;
    assert_eq!((refused.status, refused.header("accept-encoding")), (415, Some("gzip, deflate, br, zstd")));
    assert_eq!(switch("gzip", &body).await.status, 400);
    assert_eq!(switch("gzip", &bomb(Kind::Gzip, 1)).await.status, 400);
}
