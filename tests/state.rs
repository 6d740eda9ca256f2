//! What is known of providers: over a restart, and by hand.

use serde_json::{Value, json};

use crate::support::rules::{ask, completion, message, two};
use crate::support::{Answer, Folder, Reply, Router, Settings, Upstream, program};

/// A first provider that is limited once and answers then, and a second one.
async fn providers() -> (Upstream, Upstream, String) {
    let first = Upstream::always(message("from first")).await;
    first.then(Reply::json(429, r#"{"error":{"message":"slow down"}}"#).header("retry-after", 3600));
    let second = Upstream::always(completion("from second")).await;
    let rules = two(&first.url(), &second.url());
    (first, second, rules)
}

async fn who_answers(router: &Router) -> String {
    let answer = router.client().post("/v1/messages", ask()).await;
    answer.header("x-rulegate-provider").unwrap_or_default().to_owned()
}

async fn health(router: &Router) -> Value {
    router.client().get("/v1/health").await.json()
}

/// Stops a router gently, and starts another one with what the first left in its folder.
async fn restarted(router: Router, rules: &str) -> Router {
    let folder = Folder::new();
    router.signal("TERM");
    let from = router.folder.path().to_owned();
    router.logged(&["stopped"]).await;
    let file = from.join("rules.state.json");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    }
    folder.write("rules.state.json", &std::fs::read_to_string(&file).unwrap());
    folder.write("rules.yaml", rules);
    Router::inside(folder, Settings::rules(rules)).await
}

#[tokio::test]
async fn cool_downs_and_the_choice_by_hand_survive_a_restart() {
    let (first, _second, rules) = providers().await;
    let router = Router::start(rules.as_str()).await;
    assert_eq!(who_answers(&router).await, "second");
    router.client().post("/v1/switch-provider", json!({ "provider": "second", "for": "2h" })).await;
    let before = health(&router).await;
    let router = restarted(router, &rules).await;
    let after = health(&router).await;
    assert_eq!(after["providers"], json!({ "first": "cooling", "second": "available" }), "{after}");
    for field in ["until", "rule", "since", "attempts", "failures"] {
        assert_eq!(after["details"]["first"][field], before["details"]["first"][field], "{field}");
    }
    assert_eq!((&after["manual"], &after["manual_until"]), (&json!("second"), &before["manual_until"]));
    assert!(before["manual_until"].is_string(), "{before}");
    assert_eq!(who_answers(&router).await, "second");
    assert_eq!(first.count(), 1);
    let text = router.folder.read("rules.state.json");
    assert!(!text.contains("first-key") && !text.contains("second-key"), "{text}");
}

#[tokio::test]
async fn a_state_that_is_not_understood_is_set_aside() {
    for broken in ["{ half", r#"{"version":99,"pauses":[],"providers":{}}"#] {
        let (_first, _second, rules) = providers().await;
        let folder = Folder::new();
        folder.write("rules.yaml", &rules);
        folder.write("rules.state.json", broken);
        let router = Router::inside(folder, Settings::rules(rules)).await;
        router.logged(&["WARN", "rules.state.json", "set aside"]).await;
        assert_eq!(router.folder.read("rules.state.json.broken"), broken);
        assert_eq!(who_answers(&router).await, "second");
    }
}

#[tokio::test]
async fn a_state_that_cannot_be_written_is_one_warning_and_no_state_is_none() {
    let (_first, _second, rules) = providers().await;
    let router = Router::start(format!("{rules}\nstate: /nowhere/at/all.json\n")).await;
    assert_eq!(who_answers(&router).await, "second");
    router.logged(&["WARN", "/nowhere/at/all.json"]).await;
    assert_eq!(who_answers(&router).await, "second");

    let router = Router::start(format!("{rules}\nstate: off\n")).await;
    who_answers(&router).await;
    router.signal("TERM");
    router.logged(&["stopped"]).await;
    assert!(!router.folder.file("rules.state.json").exists());
}

#[tokio::test]
async fn a_reload_says_where_the_state_is_kept_from_then_on() {
    let (_first, _second, rules) = providers().await;
    let router = Router::start(rules.as_str()).await;
    assert_eq!(who_answers(&router).await, "second");
    for (state, told) in [("elsewhere.json", "elsewhere.json"), ("off", "in no file any more")] {
        router.folder.write("rules.yaml", &format!("{rules}\nstate: {state}\n"));
        assert_eq!(router.client().post("/-/reload", "").await.status, 200);
        router.logged(&["what is known of providers is kept in", told]).await;
    }
    let kept: Value = serde_json::from_str(&router.folder.read("elsewhere.json")).unwrap();
    assert!(kept["pauses"].as_array().is_some_and(|pauses| !pauses.is_empty()), "{kept}");
}

#[tokio::test]
async fn a_switch_that_was_answered_survives_being_killed_at_once() {
    let (_first, _second, rules) = providers().await;
    let folder = Folder::new();
    folder.write("rules.yaml", &rules);
    let mut router = Router::inside(folder, Settings::rules(rules.as_str())).await;
    for turn in 0..20 {
        let name = ["second", "first"][turn % 2];
        let switched = router.client().post("/v1/switch-provider", json!({ "provider": name })).await;
        assert_eq!((switched.status, &switched.json()["saved"]), (200, &json!(true)), "{}", switched.text());
        let folder = router.killed();
        router = Router::inside(folder, Settings::rules(rules.as_str())).await;
        assert_eq!(health(&router).await["manual"], name, "lost in turn {turn}");
    }
}

#[tokio::test]
async fn a_clear_that_was_answered_survives_being_killed_at_once() {
    let (_first, _second, rules) = providers().await;
    let router = Router::start(rules.as_str()).await;
    assert_eq!(who_answers(&router).await, "second");
    let cleared = router.client().post("/-/providers/first/clear", "").await;
    assert_eq!((&cleared.json()["was"]["rule"], &cleared.json()["saved"]), (&json!("limited"), &json!(true)));
    let router = Router::inside(router.killed(), Settings::rules(rules.as_str())).await;
    assert_ne!(health(&router).await["providers"]["first"], "cooling");
}

#[tokio::test]
async fn a_switch_acts_and_warns_where_it_cannot_be_saved() {
    let (_first, _second, rules) = providers().await;
    let router = Router::start(format!("{rules}\nstate: /nowhere/at/all.json\n")).await;
    let switched = router.client().post("/v1/switch-provider", json!({ "provider": "second" })).await;
    let page = switched.json();
    assert_eq!(
        (switched.status, &page["current_provider"], &page["saved"]),
        (200, &json!("second"), &json!(false))
    );
    assert!(page["warning"].as_str().unwrap().contains("/nowhere/at/all.json"), "{page}");
    assert_eq!(who_answers(&router).await, "second");
    router.logged(&["WARN", "not saved yet", "/nowhere/at/all.json"]).await;
    let mut command = program(router.folder.path());
    let said = command.args(["switch", "first", "--url", &router.url()]).output().unwrap();
    assert_eq!(said.status.code(), Some(0));
    assert!(String::from_utf8_lossy(&said.stderr).contains("not saved yet"), "{said:?}");

    let router = Router::start(format!("{rules}\nstate: off\n")).await;
    let page = router.client().post("/v1/switch-provider", json!({ "provider": "second" })).await.json();
    assert_eq!((&page["saved"], &page["warning"]), (&json!(false), &Value::Null), "{page}");
}

#[tokio::test]
async fn a_provider_is_cleared_by_a_request_and_by_the_command_line() {
    let (first, _second, rules) = providers().await;
    let router = Router::start(rules).await;
    assert_eq!(who_answers(&router).await, "second");
    let cleared = router.client().post("/-/providers/first/clear", "").await;
    assert_eq!(
        (cleared.status, &cleared.json()["was"]["rule"]),
        (200, &json!("limited")),
        "{}",
        cleared.text()
    );
    assert_eq!(who_answers(&router).await, "first");
    let unknown = router.client().post("/-/providers/frist/clear", "").await;
    assert_eq!((unknown.status, &unknown.json()["providers"]), (404, &json!(["first", "second"])));
    assert_eq!(router.client().get("/-/providers/first/clear").await.status, 405);

    first.then(Reply::json(429, "{}").header("retry-after", 3600));
    assert_eq!(who_answers(&router).await, "second");
    let run = |name: &str| {
        let mut command = program(router.folder.path());
        command.args(["clear", name, &router.address().to_string()]).output().unwrap()
    };
    assert_eq!(run("frist").status.code(), Some(1));
    let done = run("first");
    assert_eq!(done.status.code(), Some(0), "{}", String::from_utf8_lossy(&done.stderr));
    assert_eq!(who_answers(&router).await, "first");
    router.logged(&["WARN", "first is in use again: by hand"]).await;
}

#[tokio::test]
async fn one_key_or_one_model_is_cleared_and_what_still_cools_down_is_told() {
    let first = Upstream::always(message("from first")).await;
    let rules = format!(
        r#"providers:
  first:
    speaks: anthropic.messages
    url: "{}"
    keys: [ {{ name: home, key: one }}, {{ name: work, key: two }} ]
    models: {{ "small*": small, "*": big }}
routes: [ {{ path: /v1/messages, protocol: anthropic.messages }} ]
failover:
  - {{ name: key-and-model, when: {{ status: 429 }}, do: next, cool_down: {{ for: 1h, scope: key_and_model }} }}
  - {{ name: key, when: {{ status: 402 }}, do: next, cool_down: {{ for: 2h, scope: key }} }}
"#,
        first.url()
    );
    let router = Router::start(rules).await;
    let limit = async |status: u16| {
        first.then(Reply::json(status, "{}"));
        first.then(Reply::json(status, "{}"));
        router.client().post("/v1/messages", ask()).await
    };
    let clear = async |body: &str| router.client().post("/-/providers/first/clear", body).await;
    let still = |answer: &Answer| -> Vec<String> {
        let all = answer.json()["still_cooling_down"].as_array().unwrap().clone();
        all.iter()
            .map(|it| format!("{}/{}/{}", it["key"], it["model"], it["rule"]).replace('"', ""))
            .collect()
    };
    assert_eq!(limit(429).await.status, 429);
    let cleared = clear(r#"{"key":"work","model":"big"}"#).await;
    assert_eq!(
        (cleared.status, &cleared.json()["was"]["rule"]),
        (200, &json!("key-and-model")),
        "{}",
        cleared.text()
    );
    assert_eq!(still(&cleared), ["home/big/key-and-model"]);
    router.logged(&["first (key work) for big is in use again: by hand"]).await;
    let cleared = clear(r#"{"model":"small"}"#).await;
    assert_eq!(
        (&cleared.json()["was"], still(&cleared)),
        (&json!(null), vec!["home/big/key-and-model".to_owned()])
    );
    let cleared = clear(r#"{"model":"big"}"#).await;
    assert_eq!((&cleared.json()["was"]["rule"], still(&cleared).len()), (&json!("key-and-model"), 0));
    assert_eq!(limit(402).await.status, 402);
    let run = |arguments: &[&str]| {
        let mut command = program(router.folder.path());
        let done = command.args(arguments).args(["--url", &router.url()]).output().unwrap();
        (done.status.code(), String::from_utf8(done.stdout).unwrap(), String::from_utf8(done.stderr).unwrap())
    };
    let (code, said, wrong) = run(&["clear", "first", "--key", "home"]);
    assert_eq!(code, Some(0), "{wrong}");
    assert!(said.starts_with("first (key home) may be asked again; it was cooling down by rule key\nfirst (key work) still cools down until 2"), "{said}");
    for (body, list, names) in [
        (r#"{"key":"wrok"}"#, "keys", json!(["home", "work"])),
        (r#"{"model":"bgi"}"#, "models", json!(["big", "small"])),
    ] {
        let unknown = clear(body).await;
        assert_eq!((unknown.status, &unknown.json()[list]), (404, &names), "{}", unknown.text());
    }
    for bad in ["[]", "{", r#"{"kye":"work"}"#, r#"{"key":1}"#] {
        assert_eq!(clear(bad).await.status, 400, "{bad}");
    }
}

#[tokio::test]
async fn a_choice_for_some_time_says_so_and_nonsense_is_refused() {
    let (_first, _second, rules) = providers().await;
    let router = Router::start(rules).await;
    let switched =
        router.client().post("/v1/switch-provider", json!({ "provider": "second", "for": "1s" })).await;
    assert_eq!((switched.status, switched.json()["manual_until"].is_string()), (200, true));
    for bad in [
        json!({ "provider": "second", "for": "soon" }),
        json!({ "provider": "second", "for": 2 }),
        json!({ "provider": "auto", "for": "1h" }),
        json!({ "provider": "second", "for": "0s" }),
    ] {
        assert_eq!(router.client().post("/v1/switch-provider", &bad).await.status, 400, "{bad}");
    }
}
