//! The recipes of the cookbook that no simulated answer can show, on a router that runs.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use rulegate::edge::clock::Clock;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::support::rules::{ask, completion};
use crate::support::tls::{Authority, Identity};
use crate::support::{Document, Folder, Reply, Router, Serving, Settings, Time, Upstream};

/// How often a test looks at the health page before it gives up.
const MOST_LOOKS: usize = 2_000;

/// The recipe under this heading, behind the page's head.
fn recipe(heading: &str) -> String {
    let page = Document::open("docs/cookbook.md");
    let begin = page.text.find(&format!("\n### {heading}\n")).unwrap_or_else(|| panic!("no {heading}"));
    let blocks = page.blocks();
    let head = blocks.iter().find(|block| block.kind() == "head").unwrap();
    let block = blocks.iter().find(|block| block.range.start > begin && block.language() == "yaml").unwrap();
    format!("{}\n{}", head.text, block.text)
}

async fn read_head(stream: &mut (impl AsyncReadExt + Unpin)) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap_or(b'\n'));
        if head.ends_with(b"\n\n") {
            break;
        }
    }
    String::from_utf8_lossy(&head).into_owned()
}

/// Opens the tunnel and the TLS in it, and answers a request.
async fn open_tls(mut stream: TcpStream, acceptor: TlsAcceptor, asked: Arc<Mutex<Vec<String>>>) {
    let head = read_head(&mut stream).await;
    asked.lock().unwrap().push(head.lines().next().unwrap_or_default().to_owned());
    stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
    let Ok(mut inside) = acceptor.accept(stream).await else { return };
    let head = read_head(&mut inside).await;
    asked.lock().unwrap().push(head.lines().next().unwrap_or_default().to_owned());
    let body = json!({
        "id": "msg_1", "type": "message", "role": "assistant", "model": "m",
        "content": [{ "type": "text", "text": "by the proxy" }], "stop_reason": "end_turn",
        "usage": { "input_tokens": 1, "output_tokens": 1 },
    });
    let body = body.to_string();
    let head =
        format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n", body.len());
    let _ = inside.write_all(format!("{head}connection: close\r\n\r\n{body}").as_bytes()).await;
    let _ = inside.shutdown().await;
}

/// A proxy that opens TLS with a certificate of the house: its address, and the first lines of what it was asked.
async fn corporate_proxy(identity: &Identity) -> (String, Arc<Mutex<Vec<String>>>) {
    let chain = vec![CertificateDer::from_pem_slice(identity.certificate.as_bytes()).unwrap()];
    let key = PrivateKeyDer::from_pem_slice(identity.key.as_bytes()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = config.with_no_client_auth().with_single_cert(chain, key).unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let seen = asked.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(open_tls(stream, acceptor.clone(), seen.clone()));
        }
    });
    (address, asked)
}

#[tokio::test]
async fn a_corporate_proxy_and_its_own_ca() {
    let authority = Authority::new();
    let (proxy, asked) = corporate_proxy(&authority.server("api.anthropic.com")).await;
    let deepseek = Upstream::always(completion("directly")).await;
    let rules = recipe("A corporate proxy and its own CA").replace("proxy.corp.example:3128", &proxy);
    let router = async |ca: &str| {
        let folder = Folder::new();
        folder.write("corp-ca.pem", ca);
        folder.write("rules.yaml", &rules);
        let settings = Settings::rules(rules.as_str())
            .env("CLAUDE_API_KEY", "claudes-key")
            .env("DEEPSEEK_API_KEY", "deepseeks-key")
            .env("DEEPSEEK_BASE_URL", deepseek.url());
        Router::inside(folder, settings).await
    };
    let good = router(&authority.pem).await;
    let answer = good.client().post("/v1/messages", ask()).await;
    assert_eq!(answer.header("x-rulegate-provider"), Some("claude_pro"), "{}\n{}", answer.text(), good.log());
    assert_eq!(answer.json()["content"][0]["text"], "by the proxy");
    assert_eq!(
        asked.lock().unwrap()[..2],
        ["CONNECT api.anthropic.com:443 HTTP/1.1", "POST /v1/messages HTTP/1.1"]
    );
    let mut question = ask();
    question["model"] = json!("deepseek-flash");
    let answer = good.client().post("/v1/messages", question).await;
    assert_eq!((answer.header("x-rulegate-provider"), deepseek.count()), (Some("deepseek"), 1));
    assert!(deepseek.only().target.starts_with('/'), "without the proxy: {}", deepseek.only().target);
    // Nobody else is trusted.
    let other = router(&Authority::new().pem).await;
    let answer = other.client().post("/v1/messages", ask()).await;
    assert_eq!(answer.header("x-rulegate-provider"), Some("deepseek"), "{}", other.log());
    other.logged(&["WARN", "claude_pro -> deepseek: tls"]).await;
}

#[tokio::test(start_paused = true)]
async fn probes_at_the_full_hour() {
    // 2025-11-23 10:30 UTC, half past six in the evening in Shanghai.
    const HALF_PAST: i64 = 1_763_893_800_000;
    let time = Time::hold();
    let limit = json!({ "error": { "message": "Rate limit reached", "type": "rate_limit_error" } });
    let deepseek = Upstream::always(Reply::json(429, limit).header("retry-after", 7200)).await;
    let kimi = Upstream::always(completion("hi")).await;
    let (first, second) = (deepseek.url(), kimi.url());
    let rules = recipe("Probes at the full hour");
    let router = Serving::with(&rules, |options| {
        options.variables = Arc::new(move |name| match name {
            "DEEPSEEK_BASE_URL" => Some(first.clone()),
            "KIMI_BASE_URL" => Some(second.clone()),
            "DEEPSEEK_API_KEY" | "KIMI_API_KEY" => Some("some-key".to_owned()),
            _ => None,
        });
        options.clock = Clock::timer(HALF_PAST);
        options.follow = false;
    });
    let router = router.await.unwrap_or_else(|error| panic!("{error}"));
    let mut question = ask();
    question["model"] = json!("deepseek-flash");
    let answer = router.client().post("/v1/messages", question).await;
    assert_eq!(answer.header("x-rulegate-provider"), Some("kimi"), "{}", answer.text());
    let details = async || router.client().get("/v1/health").await.json()["details"]["deepseek"].clone();
    // Waits until so many requests were made, probes among them, and the latest answer was judged.
    let judged = async |times: u64, before: &str| -> String {
        for _ in 0..MOST_LOOKS {
            let page = details().await;
            let probed = page["last_probe"].as_str().unwrap_or_default();
            if page["attempts"] == times && probed > before {
                return probed.to_owned();
            }
        }
        panic!("no probe was judged: {}", details().await);
    };
    // The limit is one of a model.
    assert!(details().await["paused"].is_array(), "{}", details().await);
    time.pass(Duration::from_secs(29 * 60)).await;
    let mut probed = String::new();
    for times in 2..7 {
        time.pass(Duration::from_secs(60)).await;
        probed = judged(times, &probed).await;
        assert!(details().await["paused"].is_array());
    }
    deepseek.afterwards(completion("well"));
    for _ in 0..55 {
        time.pass(Duration::from_secs(60)).await;
        assert!(details().await["paused"].is_array());
    }
    assert_eq!(deepseek.count(), 6, "no more than five");
    time.pass(Duration::from_secs(60)).await;
    judged(7, &probed).await;
    assert!(details().await["paused"].is_null(), "a good probe ends it: {}", details().await);
}

#[tokio::test]
async fn without_the_providers_words() {
    let words = "messages.0: what the prompt says";
    let error = json!({ "type": "error", "error": { "type": "overloaded_error", "message": words } });
    for (keeps, rules) in
        [(true, recipe("A louder log line")), (false, recipe("Without the providers' words"))]
    {
        let claude = Upstream::always(Reply::json(403, error.clone())).await;
        let settings =
            Settings::rules(rules).env("CLAUDE_API_KEY", "some-key").env("CLAUDE_BASE_URL", claude.url());
        let router = Router::with(settings).await;
        let answer = router.client().post("/v1/messages", ask()).await;
        assert!(answer.text().contains(words), "the client reads them: {}", answer.text());
        router.logged(&["INFO request", "status=403"]).await;
        for shown in [
            router.log(),
            router.client().get("/-/decisions").await.text(),
            router.client().get("/v1/health").await.text(),
        ] {
            assert_eq!(shown.contains(words), keeps, "{shown}");
        }
    }
}
