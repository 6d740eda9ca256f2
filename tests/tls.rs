//! TLS on the listener, with certificates made here and clients that trust only those.

use rustls::ClientConfig;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::rules::{ask, message, two};
use crate::support::tls::{Authority, Identity, shake};
use crate::support::{Folder, Router, Settings, Upstream, program, refusing, within};

const GET: &[u8] = b"GET /v1/health HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n";
const FILES: &str = "certificate: tls/router.pem, key: tls/router.key";

fn lay_out(folder: &Folder, identity: &Identity) {
    folder.write("tls/router.pem", &identity.certificate);
    folder.write("tls/router.key", &identity.key);
}

/// A router with this `tls`, whose certificate is of this authority.
async fn start(authority: &Authority, tls: &str, upstream: &str) -> Router {
    let folder = Folder::new();
    lay_out(&folder, &authority.server("127.0.0.1"));
    folder.write("tls/ca.pem", &authority.pem);
    let (address, _port) = refusing();
    let rules = format!("tls: {{ {tls} }}\n{}", two(upstream, &address));
    folder.write("rules.yaml", &rules);
    Router::inside(folder, Settings::rules(rules)).await
}

fn client(config: ClientConfig) -> reqwest::Client {
    reqwest::Client::builder().tls_backend_preconfigured(config).no_proxy().build().unwrap()
}

/// Asks once over this connection, which stays open.
async fn get(stream: &mut (impl AsyncReadExt + AsyncWriteExt + Unpin)) -> std::io::Result<String> {
    stream.write_all(GET).await?;
    let mut seen = Vec::new();
    while !seen.ends_with(b"}\n") {
        if within("an answer comes", stream.read_buf(&mut seen)).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(String::from_utf8_lossy(&seen).into_owned())
}

#[tokio::test]
async fn both_versions_of_http_are_spoken_over_tls() {
    let (authority, first) = (Authority::new(), Upstream::always(message("hello")).await);
    let router = start(&authority, FILES, &first.url()).await;
    router.logged(&["listening on https://127.0.0.1:"]).await;
    for (offered, version) in
        [(&["h2", "http/1.1"][..], reqwest::Version::HTTP_2), (&["http/1.1"][..], reqwest::Version::HTTP_11)]
    {
        let stream = shake(authority.trusting(offered, None), router.address()).await.unwrap();
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(offered[0].as_bytes()));
        let url = format!("https://{}/v1/messages", router.address());
        let asked = client(authority.trusting(offered, None)).post(url).body(ask().to_string()).send().await;
        let answer = asked.unwrap();
        assert_eq!((answer.status().as_u16(), answer.version()), (200, version));
        assert!(answer.text().await.unwrap().contains("hello"));
    }
}

#[tokio::test]
async fn a_new_certificate_is_taken_and_a_broken_one_is_not() {
    let (old, new) = (Authority::new(), Authority::new());
    let router = start(&old, FILES, "http://127.0.0.1:9").await;
    let mut kept = shake(old.trusting(&[], None), router.address()).await.unwrap();
    get(&mut kept).await.unwrap();
    lay_out(&router.folder, &new.server("127.0.0.1"));
    router.logged(&["the rules were reloaded"]).await;
    shake(new.trusting(&[], None), router.address()).await.unwrap();
    assert!(shake(old.trusting(&[], None), router.address()).await.is_err());
    get(&mut kept).await.unwrap();
    router.folder.replace("tls/router.key", &new.server("127.0.0.1").key);
    router.logged(&["the new rules were refused", "the private key is not that of the certificate"]).await;
    shake(new.trusting(&[], None), router.address()).await.unwrap();
    get(&mut kept).await.unwrap();
}

#[tokio::test]
async fn clients_show_a_certificate_if_the_rules_want_one() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let (own, foreign) = (authority.client(), stranger.client());
    for (client, without) in [("", false), (", client: optional", true)] {
        let router =
            start(&authority, &format!("{FILES}, client_ca: tls/ca.pem{client}"), "http://127.0.0.1:9").await;
        // With TLS 1.3 a client hears that it is refused when it reads.
        for (shown, may) in [(Some(&own), true), (Some(&foreign), false), (None, without)] {
            let shaken = shake(authority.trusting(&[], shown), router.address()).await;
            let answered = match shaken {
                Ok(mut stream) => get(&mut stream).await.is_ok(),
                Err(_) => false,
            };
            assert_eq!(answered, may, "{client:?}, a certificate: {}", shown.is_some());
        }
    }
}

#[tokio::test]
async fn a_provider_is_trusted_by_the_file_that_the_rules_name_and_shown_a_certificate() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let behind = Upstream::always(message("well guarded")).await;
    // A provider that speaks TLS and wants a certificate: another router.
    let provider = start(&authority, &format!("{FILES}, client_ca: tls/ca.pem"), &behind.url()).await;
    let (own, folder) = (authority.client(), Folder::new());
    folder.write("ca.pem", &authority.pem);
    folder.write("own.pem", &own.certificate);
    folder.write("own.key", &own.key);
    let tls = "key: first-key, tls: { ca: ca.pem, certificate: own.pem, key: own.key }";
    let url = format!("https://{}", provider.address());
    let (nobody, _port) = refusing();
    let rules = two(&url, &nobody).replace("key: first-key", tls);
    folder.write("rules.yaml", &rules);
    let router = Router::inside(folder, Settings::rules(rules)).await;
    let status = async || router.client().post("/v1/messages", ask()).await.status;
    assert_eq!(status().await, 200);
    router.folder.replace("ca.pem", &stranger.pem);
    router.logged(&["the rules were reloaded"]).await;
    assert_eq!(status().await, 502);
    router.logged(&["first", "tls"]).await;
    router.client().post("/-/providers/first/clear", "").await;
    router.folder.replace("ca.pem", "no certificate\n");
    router.logged(&["the new rules were refused", "ca.pem"]).await;
    router.folder.replace("ca.pem", &authority.pem);
    let is_back = async {
        while status().await != 200 {
            router.client().post("/-/reload", "").await;
            router.client().post("/-/providers/first/clear", "").await;
        }
    };
    within("the provider is trusted again", is_back).await;
}

#[tokio::test]
async fn plain_http_is_told_to_speak_tls_and_fills_no_log() {
    let authority = Authority::new();
    let router = start(&authority, FILES, "http://127.0.0.1:9").await;
    for _ in 0..20 {
        let answer = router.client().get("/v1/health").await;
        assert_eq!(answer.status, 400);
        assert!(answer.text().contains("https://"), "{}", answer.text());
    }
    let mut junk = router.client().connect().await;
    junk.write(&[0x16, 3, 1, 0, 2, 0xff, 0xff]).await;
    assert!(junk.line().await.is_none_or(|line| !line.contains("HTTP")));
    router.logged(&["DEBUG", "there was no TLS handshake"]).await;
    let log = router.log();
    let loud: Vec<_> =
        log.lines().filter(|line| line.contains("handshake") && !line.contains("DEBUG")).collect();
    assert!(loud.is_empty(), "{loud:?}");
    shake(authority.trusting(&[], None), router.address()).await.unwrap();
}

#[tokio::test]
async fn the_commands_ask_a_router_that_speaks_tls() {
    let authority = Authority::new();
    let router = start(&authority, FILES, "http://127.0.0.1:9").await;
    let at = format!("https://{}", router.address());
    let ca = router.folder.file("tls/ca.pem").display().to_string();
    let run = |arguments: &[&str]| {
        let done = program(router.folder.path()).args(arguments).output().unwrap();
        (done.status.code(), String::from_utf8_lossy(&[done.stdout, done.stderr].concat()).into_owned())
    };
    let (code, said) = run(&["health", &at, "--ca", &ca]);
    assert!(code == Some(0) && said.contains("\"status\""), "{said}");
    let (code, said) = run(&["clear", "first", &at, "--ca", &ca]);
    assert!(code == Some(0) && said.contains("first"), "{said}");
    let (code, said) = run(&["explain", "last", "--url", &at, "--ca", &ca]);
    assert!(code != Some(0) && said.contains("no decision yet"), "{said}");
    let other = router.folder.write("other.pem", &Authority::new().pem).display().to_string();
    assert_eq!(run(&["health", &at, "--ca", &other]).0, Some(1), "another authority");
    assert_eq!(
        run(&["health", &at, "--ca", &ca, "--tls-name", "elsewhere.example"]).0,
        Some(1),
        "another name"
    );
    let (code, said) = run(&["health", &router.address().to_string()]);
    assert!(code == Some(1) && said.contains("it speaks TLS: https:// is meant"), "{said}");
}

#[tokio::test]
async fn files_that_cannot_be_used_are_told_with_their_place() {
    let authority = Authority::new();
    let folder = Folder::new();
    let (one, other) = (authority.server("127.0.0.1"), authority.server("127.0.0.1"));
    lay_out(&folder, &Identity { key: other.key, ..one });
    let check = |tls: &str| {
        folder.write(
            "rules.yaml",
            &format!("tls: {{ {tls} }}\n{}", two("http://127.0.0.1:9", "http://127.0.0.1:9")),
        );
        let done = program(folder.path()).args(["check", "rules.yaml"]).output().unwrap();
        let said = String::from_utf8_lossy(&[done.stdout, done.stderr].concat()).into_owned();
        assert!(done.status.code() == Some(1) && said.contains("rules.yaml:"), "{said}");
        assert!(!said.contains("PRIVATE KEY-----\nM"), "{said}");
        said
    };
    assert!(check(FILES).contains("the private key is not that of the certificate"));
    assert!(check("certificate: tls/none.pem, key: tls/router.key").contains("tls/none.pem cannot be read"));
    assert!(check("certificate: rules.yaml, key: tls/router.key").contains("there is no certificate in it"));
    assert!(
        check("certificate: tls/router.pem, key: tls/router.pem").contains("there is no private key in it")
    );
    assert!(check(&format!("{FILES}, client_ca: tls/router.key")).contains("there is no certificate in it"));
    // TLS is no leave to be reached by everybody.
    lay_out(&folder, &authority.server("127.0.0.1"));
    assert!(check(&format!("{FILES} }}\nlisten: 0.0.0.0:0 #")).contains("who may use it"));
}
