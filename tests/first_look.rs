//! What people meet who type an address: the page at `/`, and what a path that leads nowhere is answered with.

use crate::support::rules::{ask, message, two};
use crate::support::{Router, Settings, Upstream, refusing};

async fn router(more: &str) -> Router {
    let (address, _port) = refusing();
    Router::with(Settings::rules(format!("{more}{}", two(&address, &address))).env("CLIENT_KEY", "let-me-in"))
        .await
}

#[tokio::test]
async fn the_root_says_what_this_is_to_browsers_and_to_programs() {
    let router = router("").await;
    let page = router.client().with("accept", "text/html,*/*;q=0.8").get("/").await;
    assert_eq!(page.status, 200);
    assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
    assert!(page.header("content-security-policy").unwrap().contains("default-src 'none'"));
    let text = page.text();
    assert!(text.contains(&format!("ANTHROPIC_BASE_URL=http://{}", router.address())), "{text}");
    assert!(!text.contains("http://ADDRESS") && !text.contains("<script"), "{text}");
    let about = router.client().get("/").await;
    assert_eq!((about.status, about.json()["name"].as_str()), (200, Some("rulegate")));
    let head = router.client().send("HEAD", "/", b"").await;
    assert_eq!((head.status, head.body.len()), (200, 0));
    assert!(!router.log().contains("HEAD /"), "{}", router.log());
}

#[tokio::test]
async fn the_page_shows_where_the_browser_found_the_router_and_no_markup_of_others() {
    let router = router("access: { keys: [ \"${CLIENT_KEY}\" ] }\n").await;
    assert_eq!(router.client().get("/").await.status, 401);
    let client = router.client().with("x-api-key", "let-me-in").with("accept", "text/html");
    assert!(
        client.with("host", "router.lan:8000").get("/").await.text().contains("http://router.lan:8000/v1<")
    );
    let odd = client.with("host", "a<b>.lan").get("/").await;
    assert!(!odd.text().contains("<b>"), "{}", odd.text());
}

#[tokio::test]
async fn a_path_that_leads_nowhere_is_answered_with_what_to_change() {
    let first = Upstream::always(message("hello")).await;
    let router = Router::with(Settings::rules(two(&first.url(), &first.url()))).await;
    for (path, said) in [
        ("/v1/messages/messages", "with `/v1` in place of `/v1/messages` at its end"),
        ("//messages", "with `/v1` at its end"),
        ("/messages", "with `/v1` at its end"),
        ("/v1/v1/messages", "without its `/v1`"),
        ("/v1/messages/", "without a `/` at its end"),
        ("/v1/mesages", "did you mean /v1/messages?"),
        ("/nothing/of/the/kind", "the rules have /v1/messages"),
    ] {
        let answer = router.client().post(path, ask()).await;
        let message = answer.json()["error"]["message"].as_str().unwrap_or_default().to_owned();
        assert_eq!(answer.status, 404, "{path}");
        assert!(message.contains(said), "{path}: {message}");
    }
    // In the words of the protocol that is spoken at the path that was meant.
    let router = Router::with(Settings::shipped().env("CLAUDE_API_KEY", "k")).await;
    for path in ["//messages", "/messages", "/v1/v1/messages"] {
        let answer = router.client().post(path, ask()).await.json();
        assert_eq!(answer["type"], "error", "{path}: {answer}");
    }
    for path in ["/chat/completions", "/v1/v1/chat/completions", "/v1/messages/chat/completions"] {
        let answer = router.client().post(path, ask()).await.json();
        assert!(answer["type"].is_null() && answer["error"].get("code").is_some(), "{path}: {answer}");
    }
    let long = format!("/{}", "x".repeat(5_000));
    assert!(router.client().post(&long, ask()).await.body.len() < 1_000);
    assert_eq!(first.count(), 0);
}
