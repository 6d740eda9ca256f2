//! What an internal error does: to its request, to the others, and to the log.

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use http_body_util::BodyExt;
use rulegate::edge::server::Handler;
use rulegate::edge::telemetry;

use crate::support::rules::BASE;
use crate::support::{Serving, within};

const SECRET: &str = "the-prompts-words";
/// Set for the process in which panics are tried.
const CHILD: &str = "RULEGATE_TEST_OF_PANICS";

fn rules() -> String {
    let more = "  - { path: /v1/chat/completions, protocol: openai.chat }\n";
    format!(
        "{BASE}{more}models: [ \"${{MODEL:-m}}\" ]\nproviders:\n  first: {{ speaks: anthropic.messages, url: \"http://127.0.0.1:9\", key: none }}\n"
    )
}

#[tokio::test]
async fn an_internal_error_is_a_500_in_the_protocol_of_its_path() {
    let router = Serving::start(&rules()).await;
    for (path, kind) in [("/v1/messages", "/error/type"), ("/v1/chat/completions", "/error/message")] {
        let answer = router.running.router().panicked(path);
        assert_eq!(answer.status(), 500);
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        let page: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert!(page.pointer(kind).is_some_and(|kind| kind.is_string()), "{page}");
        let engine = &router.running.router().rules().engine;
        let event = engine.error_event(path, http::StatusCode::INTERNAL_SERVER_ERROR, "internal error", "id");
        let event = String::from_utf8_lossy(&event).into_owned();
        assert!(event.contains("internal error") && !event.contains("[DONE]"), "{event}");
    }
}

#[test]
fn the_text_of_a_panic_stays_out_of_the_log() {
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["panics::panics_in_a_process_of_their_own", "--exact", "--ignored", "--nocapture"]);
    let done = child.env(CHILD, "1").output().unwrap();
    let said = String::from_utf8_lossy(&[done.stdout, done.stderr].concat()).into_owned();
    assert!(done.status.success(), "{said}");
    assert!(!said.contains(SECRET), "{said}");
    assert_eq!(said.matches("internal error at tests/panics.rs:").count(), 4, "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "the_text_of_a_panic_stays_out_of_the_log runs it in a process of its own"]
async fn panics_in_a_process_of_their_own() {
    if std::env::var_os(CHILD).is_none() {
        return;
    }
    tracing_subscriber::fmt().with_writer(std::io::stderr).with_ansi(false).init();
    telemetry::quiet_panics();
    std::thread::spawn(|| panic!("{SECRET}")).join().unwrap_err();
    tokio::spawn(async { panic!("{SECRET}") }).await.unwrap_err();
    tokio::task::spawn_blocking(|| panic!("{SECRET}")).await.unwrap_err();

    let armed = Arc::new(AtomicBool::new(false));
    let variables = armed.clone();
    let text = rules();
    let router = Serving::with(&text, move |options| {
        options.follow = false;
        options.variables = Arc::new(move |_| {
            assert!(!variables.load(Ordering::Relaxed), "{SECRET}");
            None
        });
    });
    let router = router.await.unwrap_or_else(|error| panic!("{error}"));
    let client = router.client();
    armed.store(true, Ordering::Relaxed);
    let refused = within("the reload is answered", client.post("/-/reload", "")).await;
    assert!(refused.status == 422 && refused.text().contains("internal error"), "{}", refused.text());
    armed.store(false, Ordering::Relaxed);
    assert_eq!(client.get("/v1/health").await.status, 200);
    router.folder.write("rules.yaml", &rules().replace("MODEL:-m", "MODEL:-n"));
    assert_eq!(client.post("/-/reload", "").await.status, 200, "the next one goes right");
}
