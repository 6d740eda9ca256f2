//! Edit and save: the next request follows the new rules, a broken file changes nothing.

use serde_json::json;

use crate::support::rules::{ask, ask_stream, completion, message, message_stream, two};
use crate::support::{Folder, Gate, Reply, Router, Settings, Upstream, refusing};

/// Both providers answer; `first` is the first choice.
async fn answering() -> (Upstream, Upstream) {
    (Upstream::always(message("from first")).await, Upstream::always(completion("from second")).await)
}

/// Rules in which the second provider is the first choice.
fn turned(first: &Upstream, second: &Upstream) -> String {
    two(&first.url(), &second.url())
        .replace("key: second-key", "key: second-key, priority: 1")
        .replace("key: first-key", "key: first-key, priority: 2")
}

async fn who_answers(router: &Router) -> String {
    let answer = router.client().post("/v1/messages", ask()).await;
    answer.json()["content"][0]["text"].as_str().unwrap_or_default().to_owned()
}

/// Asks until this provider answers. Fails when it never does.
async fn comes_to(router: &Router, who: &str) {
    let mut tick = tokio::time::interval(std::time::Duration::from_millis(25));
    crate::support::within(&format!("{who} answers"), async {
        while who_answers(router).await != who {
            tick.tick().await;
        }
    })
    .await;
}

#[tokio::test]
async fn saving_in_place_and_by_renaming() {
    let (first, second) = answering().await;
    let router = Router::start(two(&first.url(), &second.url())).await;
    assert_eq!(who_answers(&router).await, "from first");
    router.folder.write("rules.yaml", &turned(&first, &second));
    comes_to(&router, "from second").await;
    router.folder.replace("rules.yaml", &two(&first.url(), &second.url()));
    comes_to(&router, "from first").await;
    router.folder.replace("rules.yaml", &turned(&first, &second));
    comes_to(&router, "from second").await;
}

#[tokio::test]
async fn two_quick_saves_end_with_the_second() {
    let (first, second) = answering().await;
    let router = Router::start(two(&first.url(), &second.url())).await;
    router.folder.write("rules.yaml", "providers: {");
    router.folder.write("rules.yaml", &turned(&first, &second));
    comes_to(&router, "from second").await;
}

#[tokio::test]
async fn a_broken_file_changes_nothing_and_says_where() {
    let (first, second) = answering().await;
    let router = Router::start(two(&first.url(), &second.url())).await;
    router.folder.replace("rules.yaml", &turned(&first, &second).replace("failover:", "failovr:"));
    router.logged(&["WARN", "rules.yaml:", "failovr"]).await;
    router.logged(&["did you mean `failover`"]).await;
    assert_eq!(who_answers(&router).await, "from first");
    router.folder.replace("rules.yaml", &turned(&first, &second));
    comes_to(&router, "from second").await;
}

#[tokio::test]
async fn rules_that_fail_their_own_tests_change_nothing() {
    let (first, second) = answering().await;
    let router = Router::start(two(&first.url(), &second.url())).await;
    let test = json!([{ "name": "wishful thinking", "given": { "first": { "status": 500, "body": "x" } },
        "request": ask(), "expect": { "provider": "first" } }]);
    router.folder.replace("rules.yaml", &format!("{}\ntests: {test}\n", turned(&first, &second)));
    router.logged(&["wishful thinking"]).await;
    assert_eq!(who_answers(&router).await, "from first");
}

#[tokio::test]
async fn an_included_file_counts() {
    let (first, second) = answering().await;
    let whole = two(&first.url(), &second.url());
    let (head, failover) = whole.split_once("failover:").unwrap();
    let folder = Folder::new();
    folder.write("parts/failover.yaml", &format!("failover:{failover}"));
    folder.write(
        "rules.yaml",
        &head.replace("\"builtin:mappings/*.yaml\"", "\"builtin:mappings/*.yaml\", parts/*.yaml"),
    );
    let router = Router::inside(
        folder,
        Settings::rules(
            head.replace("\"builtin:mappings/*.yaml\"", "\"builtin:mappings/*.yaml\", parts/*.yaml"),
        ),
    )
    .await;
    first.then(Reply::json(418, "{}"));
    let teapot = router.client().post("/v1/messages", ask()).await;
    assert_eq!(teapot.status, 418, "the caller's mistake");
    let changed = failover.replace("do: return", "do: next");
    router.folder.replace("parts/failover.yaml", &format!("failover:{changed}"));
    router.logged(&["reload"]).await;
    first.afterwards(Reply::json(418, "{}"));
    comes_to(&router, "from second").await;
}

#[cfg(unix)]
#[tokio::test]
async fn a_mounted_config_map_swaps_a_symlink() {
    use std::os::unix::fs::symlink;
    let (first, second) = answering().await;
    let folder = Folder::new();
    folder.write("..one/rules.yaml", &two(&first.url(), &second.url()));
    folder.write("..two/rules.yaml", &turned(&first, &second));
    symlink("..one", folder.file("..data")).unwrap();
    symlink("..data/rules.yaml", folder.file("rules.yaml")).unwrap();
    let mut settings = Settings::shipped();
    settings.arguments = vec!["--rules".to_owned(), "rules.yaml".to_owned()];
    let router = Router::inside(folder, settings).await;
    assert_eq!(who_answers(&router).await, "from first");
    symlink("..two", router.folder.file("..data_tmp")).unwrap();
    std::fs::rename(router.folder.file("..data_tmp"), router.folder.file("..data")).unwrap();
    comes_to(&router, "from second").await;
}

#[tokio::test]
async fn by_hand_it_answers_with_what_is_wrong() {
    let (first, second) = answering().await;
    let router = Router::start(two(&first.url(), &second.url())).await;
    let same = router.client().post("/-/reload", "").await;
    assert_eq!(same.status, 200, "{}", same.text());
    router
        .folder
        .write("rules.yaml", &turned(&first, &second).replace("speaks: openai.chat", "speaks: openai.chatt"));
    let refused = router.client().post("/-/reload", "").await;
    assert!((400..500).contains(&refused.status), "{}", refused.status);
    assert!(
        refused.text().contains("openai.chatt") && refused.text().contains("rules.yaml"),
        "{}",
        refused.text()
    );
    assert_eq!(who_answers(&router).await, "from first");
}

#[cfg(unix)]
#[tokio::test]
async fn on_a_hangup_signal() {
    let (first, second) = answering().await;
    let router = Router::start(two(&first.url(), &second.url())).await;
    router.folder.write("rules.yaml", &turned(&first, &second));
    router.signal("HUP");
    comes_to(&router, "from second").await;
}

#[tokio::test]
async fn a_request_under_way_ends_as_it_began_and_health_is_kept() {
    let gate = Gate::new();
    let rest: Vec<_> = crate::support::rules::message_events("early").into_iter().skip(3).collect();
    let reply = message_stream("early", 3).stall(&gate);
    let reply = rest.iter().fold(reply, |reply, (name, data)| reply.event(name, data));
    let first = Upstream::start().await;
    first.then(reply).afterwards(Reply::json(500, "{}"));
    let (address, _port) = refusing();
    let second = Upstream::always(completion("from second")).await;
    let router = Router::start(two(&first.url(), &second.url())).await;
    let mut stream = router.client().stream("/v1/messages", ask_stream()).await;
    stream.until("early").await;
    router.folder.replace("rules.yaml", &two(&address, &second.url()));
    // Asking the old rules meanwhile would wait at the gate.
    router.client().post("/-/reload", "").await;
    comes_to(&router, "from second").await;
    router.folder.replace("rules.yaml", &two(&address, &second.url()).replace("second-model", "third-model"));
    router.client().post("/-/reload", "").await;
    assert_eq!(router.client().get("/v1/health").await.json()["providers"]["first"], "cooling");
    gate.open();
    let answer = stream.finish().await;
    assert!(crate::support::rules::told(&answer.events()).1, "{}", answer.text());
}
