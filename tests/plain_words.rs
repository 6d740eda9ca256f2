//! What clients read where no provider answered to the end: plain words with the provider's name. What the libraries say of
//! it goes to the log.

use serde_json::json;

use crate::support::rules::{BASE, ask, ask_stream, hurried, message_stream};
use crate::support::{Gate, Reply, Router, Upstream, refusing};

/// One provider, whose failures go to the client.
fn only(url: &str) -> String {
    format!(
        "{BASE}\nproviders: {{ first: {{ speaks: anthropic.messages, url: \"{url}\", key: first-key }} }}\nfailover: [ {{ name: all, do: return }} ]\n"
    )
}

/// What libraries say, and no person.
const OF_LIBRARIES: [&str; 8] = [
    "os error",
    "hyper",
    "client error",
    "error reading",
    "chunk size",
    "tcp connect",
    "UnknownIssuer",
    "peer",
];

/// What the client of these rules reads of an error, whole or at the end of its stream; and the router.
async fn told(rules: String, streamed: bool) -> (String, Router) {
    let router = Router::start(rules).await;
    let asked = if streamed { ask_stream() } else { ask() };
    let answer = router.client().post("/v1/messages", asked).await;
    let page = match answer.events().last() {
        Some((name, data)) if name == "error" => serde_json::from_str(data).unwrap(),
        _ => answer.json(),
    };
    let text = page["error"]["message"].as_str().unwrap_or_default().to_owned();
    for words in OF_LIBRARIES {
        assert!(!answer.text().contains(words), "{words}: {}", answer.text());
    }
    (text, router)
}

#[tokio::test]
async fn no_connection_is_told_in_plain_words() {
    let (address, _port) = refusing();
    let deaf = Upstream::always(Reply::garbage("220 mail.example\r\n")).await;
    for (url, said) in [
        (address.as_str(), "no connection to first could be made: connection refused"),
        ("http://no-such-host.invalid", "first's host name could not be resolved"),
        (
            &deaf.tls_url(),
            "the encrypted connection to first could not be set up: it does not speak TLS there",
        ),
    ] {
        for streamed in [false, true] {
            let (text, router) = told(only(url), streamed).await;
            assert_eq!(text, said);
            let health = router.client().get("/v1/health").await.json();
            assert_eq!(health["details"]["first"]["last_error"]["status"], json!(null), "{health}");
        }
    }
    // The library's words, for whoever looks closely.
    let (_, router) = told(only(&address), false).await;
    router.logged(&["DEBUG", "connect: ", "os error"]).await;
}

#[tokio::test]
async fn an_answer_that_never_comes_is_told_in_plain_words() {
    let silent = || Reply::status(200).after(&Gate::new());
    for (reply, said) in [
        (Reply::closed(), "first closed the connection without an answer"),
        (Reply::reset_at_once(), "the connection to first broke"),
        (Reply::garbage("SMTP ready, go ahead\r\n\r\n"), "first's answer is no HTTP"),
        (silent(), "first did not begin to answer in time (400 ms)"),
        (
            Reply::json(200, "{}").declared_length(10).cut(),
            "first closed the connection in the middle of its answer",
        ),
        (
            Reply::json(200, "{").declared_length(10).reset(),
            "the connection to first broke in the middle of its answer",
        ),
    ] {
        let first = Upstream::always(reply).await;
        let timers: &[&str] = if said.contains("in time") { &["first_byte"] } else { &[] };
        assert_eq!(told(hurried(&only(&first.url()), timers), true).await.0, said);
    }
}

#[tokio::test]
async fn a_cut_stream_is_told_in_plain_words() {
    let begun = || message_stream("Hello", 3);
    for (reply, said) in [
        (begun().cut(), "first closed the connection in the middle of its answer"),
        (begun().reset(), "the connection to first broke in the middle of its answer"),
        (begun(), "first's answer ended before it was complete"),
        (begun().stall(&Gate::new()), "first fell silent in the middle of its answer (400 ms)"),
    ] {
        let first = Upstream::always(reply).await;
        let timers: &[&str] = if said.contains("silent") { &["idle"] } else { &[] };
        let (text, router) = told(hurried(&only(&first.url()), timers), true).await;
        assert_eq!(text, said);
        if said.contains("closed") {
            router.logged(&["DEBUG", "closed: ", "chunk size"]).await;
        }
    }
}
