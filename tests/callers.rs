//! Web pages, foreign hosts and clients of proxies at a router without keys, and at one that names them.

use serde_json::json;

use crate::support::rules::{ask, ask_stream, message, message_stream, two};
use crate::support::{Answer, Reply, Router, Settings, Upstream, refusing};

const PAGE: &str = "https://chat.example";

/// A router with these rules more, and the provider that it asks first.
async fn with(access: &str) -> (Upstream, Router) {
    let first = Upstream::always(message("hello")).await;
    let (address, _port) = refusing();
    let rules = format!("{access}\n{}", two(&first.url(), &address));
    (first, Router::with(Settings::rules(rules).env("CLIENT_KEY", "let-me-in").env("ADMIN", "root")).await)
}

fn tells_nothing(answer: &Answer) -> bool {
    ["provider", "attempts", "rule", "rules-version"]
        .iter()
        .all(|name| answer.header(&format!("x-rulegate-{name}")).is_none())
        && !answer.text().contains("first")
        && answer.header("access-control-allow-origin").is_none()
}

#[tokio::test]
async fn no_path_of_a_keyless_router_is_for_pages_foreign_hosts_or_clients_of_proxies() {
    let (first, router) = with("").await;
    for (name, value) in [
        ("origin", "https://evil.example"),
        ("origin", "null"),
        ("origin", "http://localhost:3000"),
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
        ("host", "evil.example"),
        ("host", "evil.example:8000"),
        ("x-forwarded-for", "127.0.0.1"),
        ("x-real-ip", "127.0.0.1"),
        ("forwarded", "for=127.0.0.1"),
        ("via", "1.1 proxy"),
        ("cf-connecting-ip", "1.2.3.4"),
    ] {
        // What a page can send without asking first: a simple type, or none.
        let client = router.client().with(name, value).with("content-type", "text/plain");
        for (method, path) in [
            ("POST", "/v1/messages"),
            ("GET", "/v1/messages"),
            ("OPTIONS", "/v1/messages"),
            ("GET", "/v1/models"),
            ("POST", "/v1/nothing"),
            ("POST", "/v1/switch-provider"),
            ("OPTIONS", "/v1/switch-provider"),
            ("GET", "/-/decisions"),
            ("GET", "/-/config"),
            ("GET", "/-/metrics"),
            ("POST", "/-/reload"),
            ("GET", "/-/nothing"),
        ] {
            let body = if method == "POST" { ask().to_string() } else { String::new() };
            let answer = client.send(method, path, body.as_bytes()).await;
            assert_eq!(answer.status, 403, "{name}: {value} {method} {path}");
            assert!(tells_nothing(&answer), "{name}: {value} {method} {path}: {answer:?}");
            assert_eq!(answer.json()["error"]["type"], "permission_error", "{path}");
        }
        let health = client.get("/v1/health").await;
        match name {
            "origin" | "sec-fetch-site" | "host" => assert_eq!(health.status, 403, "{name}: {value}"),
            _ => assert_eq!((health.status, health.json()), (200, json!({ "status": "healthy" })), "{name}"),
        }
        assert!(tells_nothing(&health), "{health:?}");
    }
    assert_eq!(first.count(), 0);
    router.logged(&["refused from 127.0.0.1", "web page", "POST /-/reload"]).await;
    for host in ["localhost", "LocalHost.:8000", "127.0.0.1", "[::1]:8000", "host.docker.internal:8000"] {
        assert_eq!(
            router.client().with("host", host).post("/v1/messages", ask()).await.status,
            200,
            "{host}"
        );
    }
    assert_eq!(router.client().get("/v1/health").await.json()["providers"]["first"], "available");
}

#[tokio::test]
async fn the_host_is_looked_at_wherever_it_stands() {
    let (first, router) = with("").await;
    let body = ask().to_string();
    let length = body.len();
    for (line, hosts, status) in [
        ("POST /v1/messages HTTP/1.1", "host: localhost\r\n", 200),
        ("POST /v1/messages HTTP/1.0", "", 403),
        ("POST /v1/messages HTTP/1.1", "host: localhost\r\nhost: evil.example\r\n", 400),
        ("POST /v1/messages HTTP/1.1", "host: localhost\r\nhost: localhost\r\n", 400),
        ("GET /v1/health HTTP/1.1", "host: localhost\r\nhost: evil.example\r\n", 400),
        ("POST /-/reload HTTP/1.1", "host: localhost\r\nhost: evil.example\r\n", 400),
        ("POST http://localhost/v1/messages HTTP/1.1", "host: localhost\r\n", 200),
        ("POST http://evil.example/v1/messages HTTP/1.1", "host: localhost\r\n", 400),
        ("POST http://localhost/v1/messages HTTP/1.1", "host: evil.example\r\n", 400),
        ("POST /v1/messages HTTP/1.1", "host: localhost@evil.example\r\n", 403),
        ("POST /v1/messages HTTP/1.1", "host: \r\n", 403),
    ] {
        let request = format!("{line}\r\n{hosts}content-length: {length}\r\n\r\n{body}");
        let answer = router.client().raw(request.as_bytes(), "POST").await.finish().await;
        assert_eq!(answer.status, status, "{line} {hosts}");
        if status == 400 {
            assert_eq!(answer.json()["error"]["type"], "invalid_request_error", "{}", answer.text());
        }
    }
    // A health check of the old kind names no host; it learns whether all is well.
    let answer = router.client().raw(b"GET /v1/health HTTP/1.0\r\n\r\n", "GET").await.finish().await;
    assert_eq!((answer.status, answer.json()), (200, json!({ "status": "healthy" })));
    assert_eq!(first.count(), 2);
}

#[tokio::test]
async fn http_2_names_the_host_in_its_authority() {
    let (first, router) = with("").await;
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = |host: &str| {
        let builder = reqwest::Client::builder().http2_prior_knowledge().no_proxy();
        builder.resolve(host, router.address()).build().unwrap()
    };
    for (host, status) in [("localhost", 200), ("evil.example", 403)] {
        let url = format!("http://{host}:{}/v1/messages", router.address().port());
        let answer = client(host).post(url).body(ask().to_string()).send().await.unwrap();
        assert_eq!(
            (answer.status().as_u16(), answer.version()),
            (status, reqwest::Version::HTTP_2),
            "{host}"
        );
    }
    assert_eq!(first.count(), 1);
}

#[tokio::test]
async fn a_named_page_is_asked_before_and_reads_every_answer() {
    let (first, router) =
        with("access: { origins: [ \"https://chat.example\", \"http://localhost:*\" ] }").await;
    let page = router.client().with("origin", PAGE).with("sec-fetch-site", "cross-site");
    let wanted = "content-type, x-api-key, anthropic-version, anthropic-dangerous-direct-browser-access";
    let preflight = page
        .with("access-control-request-method", "POST")
        .with("access-control-request-headers", wanted)
        .with("access-control-request-private-network", "true")
        .send("OPTIONS", "/v1/messages", b"")
        .await;
    let header = |answer: &Answer, name: &str| answer.header(name).unwrap_or_default().to_owned();
    assert_eq!((preflight.status, preflight.body.len()), (204, 0));
    for (name, value) in [
        ("access-control-allow-origin", PAGE),
        ("access-control-allow-headers", wanted),
        ("access-control-allow-methods", "GET, HEAD, POST"),
        ("access-control-allow-private-network", "true"),
        ("access-control-max-age", "600"),
    ] {
        assert_eq!(header(&preflight, name), value);
    }
    assert!(preflight.header("access-control-allow-credentials").is_none());

    first.then(message("hello").header("request-id", "req_1")).then(message_stream("hello", 3));
    first.then(Reply::json(400, "{}").header("retry-after", "7"));
    for (answer, status) in [
        (page.post("/v1/messages", ask()).await, 200),
        (page.post("/v1/messages", ask_stream()).await, 200),
        (page.post("/v1/messages", ask()).await, 400),
        (page.post("/v1/messages", "{").await, 400),
        (page.post("/v1/nothing", ask()).await, 404),
        (page.get("/v1/messages").await, 405),
        (page.get("/v1/health").await, 200),
        (page.post("/-/reload", "").await, 403),
    ] {
        assert_eq!((answer.status, header(&answer, "access-control-allow-origin").as_str()), (status, PAGE));
        let varies = answer.headers.iter().any(|(name, value)| name == "vary" && value == "origin");
        assert!(varies, "{answer:?}");
        let exposed = header(&answer, "access-control-expose-headers");
        for (name, _) in &answer.headers {
            let told = ["x-rulegate-", "request-id", "retry-after"].iter().any(|it| name.starts_with(it));
            assert!(!told || exposed.split(", ").any(|it| it == name), "{name} in {exposed}");
        }
    }
    let stranger = router.client().with("origin", "https://evil.example");
    let refused =
        stranger.with("access-control-request-method", "POST").send("OPTIONS", "/v1/messages", b"").await;
    assert_eq!((refused.status, tells_nothing(&refused)), (403, true));
    let program = router.client().post("/v1/messages", ask()).await;
    assert!(program.status == 200 && program.header("access-control-allow-origin").is_none());
    assert_eq!(header(&program, "vary"), "origin", "no cache may give a page the answer of a program");
}

#[tokio::test]
async fn a_preflight_shows_no_key_and_what_follows_does() {
    let (first, router) =
        with("access: { keys: [ \"${CLIENT_KEY}\" ], origins: [ \"*\" ] }\nadmin_key: ${ADMIN}").await;
    let page = router.client().with("origin", PAGE);
    let preflight = page.with("access-control-request-method", "POST");
    assert_eq!(preflight.send("OPTIONS", "/v1/messages", b"").await.status, 204);
    let broken = preflight.with("access-control-request-headers", "a b, c\u{1}");
    let answer = broken.send("OPTIONS", "/v1/messages", b"").await;
    assert!(answer.header("access-control-allow-headers").is_none(), "{answer:?}");
    let refused = page.post("/v1/messages", ask()).await;
    assert_eq!((refused.status, refused.header("access-control-allow-origin")), (401, Some(PAGE)));
    assert!(refused.header("x-rulegate-rules-version").is_none());
    let keyed = page.with("x-api-key", "let-me-in");
    assert_eq!(keyed.post("/v1/messages", ask()).await.status, 200);
    assert_eq!(keyed.get("/-/decisions").await.status, 401);
    assert_eq!(keyed.with("x-admin-key", "root").get("/-/decisions").await.status, 200);
    assert_eq!(first.count(), 1);
}

#[tokio::test]
async fn a_key_opens_the_router_to_clients_of_a_proxy_and_the_log_names_them() {
    let (first, router) =
        with("access: { keys: [ \"${CLIENT_KEY}\" ], trusted_proxies: [ loopback, 10.0.0.0/8 ] }").await;
    let proxied = router.client().with("x-forwarded-for", "1.1.1.1, 203.0.113.9, 10.1.2.3");
    assert_eq!(proxied.post("/v1/messages", ask()).await.status, 401);
    router.logged(&["401", "client=\"203.0.113.9\""]).await;
    let keyed = proxied.with("x-api-key", "let-me-in").with("host", "router.example");
    assert_eq!(keyed.post("/v1/messages", ask()).await.status, 200);
    assert_eq!(keyed.get("/v1/health").await.json()["providers"]["first"], "available");
    assert_eq!(proxied.get("/v1/health").await.json(), json!({ "status": "healthy" }));
    for path in ["/-/decisions", "/-/config", "/-/metrics", "/-/rules"] {
        let answer = keyed.get(path).await;
        assert_eq!((answer.status, tells_nothing(&answer)), (403, true), "{path}: the admin key is another");
    }
    let page = router.client().get("/-/decisions").await.json();
    let clients: Vec<_> =
        page["decisions"].as_array().unwrap().iter().map(|it| it["client"].clone()).collect();
    assert_eq!(clients, ["203.0.113.9", "203.0.113.9"]);
    assert_eq!(first.count(), 1);
}

#[tokio::test]
async fn an_open_router_is_open_to_programs_not_to_pages() {
    let (first, router) = with("access: { open: true, origins: [ \"https://chat.example\" ] }").await;
    let client = router.client();
    let proxied = client.with("host", "any.example").with("x-forwarded-for", "1.2.3.4");
    assert_eq!(proxied.post("/v1/messages", ask()).await.status, 200);
    assert_eq!(client.with("origin", PAGE).post("/v1/messages", ask()).await.status, 200);
    assert_eq!(client.with("origin", "https://evil.example").post("/v1/messages", ask()).await.status, 403);
    let rebound = client.with("host", "evil.example").with("origin", "http://evil.example");
    assert_eq!(rebound.post("/v1/messages", ask()).await.status, 403);
    assert_eq!(proxied.post("/-/reload", "").await.status, 403);
    assert_eq!(first.count(), 2);
}
