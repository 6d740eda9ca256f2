//! A cool-down whose rule is gone or changed: a reload says so, and so do the pages, unless the rules want it ended.

use std::process::Command;

use serde_json::{Value, json};

use crate::support::rules::{ask, ask_stream, completion, message};
use crate::support::{Folder, Gate, Reply, Router, Serving, Settings, Upstream, program};

/// Rules with one limit, which `limit` is about, and what follows it.
fn rules(first: &Upstream, second: &Upstream, limit: &str, more: &str) -> String {
    format!(
        r#"
include: [ "builtin:protocols/*.yaml", "builtin:mappings/*.yaml" ]
timeouts: {{ connect: 1m, first_byte: 1m, idle: 1m, whole: 1m, total: 10m }}
providers:
  first: {{ speaks: anthropic.messages, url: "{}", keys: [ {{ name: own, key: a-key }}, {{ name: work, key: b-key }} ] }}
  second: {{ speaks: openai.chat, url: "{}", key: second-key, models: {{ "*": second-model }} }}
routes:
  - {{ path: /v1/messages, protocol: anthropic.messages }}
failover:
{limit}
  - {{ name: other, when: {{ status: 5xx }}, do: next, cool_down: 30s }}
  - {{ name: mistake, when: {{ status: 4xx }}, do: return }}
{more}"#,
        first.url(),
        second.url(),
    )
}

const LIMIT: &str = "  - { name: limit, when: { status: 429 }, do: next, cool_down: { until: $header.retry-after, else: 1h, scope: provider } }";
const CLEAR: &str = "recovery: { on_rule_removed: clear }\n";

async fn limited() -> (Upstream, Upstream) {
    let first = Upstream::always(message("from first")).await;
    first.then(Reply::json(429, r#"{"error":{"message":"slow down"}}"#).header("retry-after", 3600));
    (first, Upstream::always(completion("from second")).await)
}

/// A router whose first provider cools down by the rule `limit`.
async fn cooling(first: &Upstream, second: &Upstream, limit: &str, more: &str) -> Serving {
    let rules = rules(first, second, limit, more);
    let router = Serving::with(&rules, |options| options.follow = false).await;
    let router = router.unwrap_or_else(|error| panic!("{error}"));
    router.client().post("/v1/messages", ask()).await;
    router
}

async fn reloaded(router: &Serving, rules: &str) -> Value {
    router.folder.write("rules.yaml", rules);
    let page = router.client().post("/-/reload", "").await.json();
    assert_eq!(page["status"], "reloaded", "{page}");
    page
}

async fn details(router: &Serving) -> Value {
    router.client().get("/v1/health").await.json()["details"]["first"].take()
}

#[tokio::test]
async fn a_cool_down_whose_rule_is_gone_or_changed_is_told_and_kept_or_ended() {
    let changed = |from: &str, to: &str| {
        assert!(LIMIT.contains(from), "{from}");
        LIMIT.replace(from, to)
    };
    let table: Vec<(String, Option<&str>)> = vec![
        (String::new(), Some("gone")),
        (changed("name: limit", "name: renamed"), Some("gone")),
        (changed("status: 429", "status: [ 429, 402 ]"), Some("changed")),
        (changed("else: 1h", "else: 2h"), Some("changed")),
        (changed("scope: provider", "scope: key"), Some("changed")),
        // A rule of that name that leaves nobody alone is another rule.
        ("  - { name: limit, when: { status: 429 }, do: next }".to_owned(), Some("changed")),
        // What the cool-down does not come from may be otherwise.
        (changed("else: 1h", "else: 60m"), None),
        (changed("do: next", "do: next, log: warn"), None),
        (format!("  - {{ name: new, when: {{ status: 418 }}, do: next }}\n{LIMIT}"), None),
    ];
    for (limit, expected) in table {
        for more in ["", CLEAR] {
            let (first, second) = limited().await;
            let router = cooling(&first, &second, LIMIT, "").await;
            let before = details(&router).await;
            assert_eq!((&before["status"], &before["outdated"]), (&json!("cooling"), &Value::Null));
            let page = reloaded(&router, &rules(&first, &second, &limit, &format!("{more}# new\n"))).await;
            let (told, now) = (&page["cool_downs"], details(&router).await);
            let Some(expected) = expected else {
                assert_eq!((told, &now), (&json!([]), &before), "{limit}{more}");
                continue;
            };
            let said = told[0].as_str().unwrap_or_default();
            let what = if expected == "gone" { "gone" } else { "another one now" };
            assert!(
                said.starts_with("first ") && said.ends_with(&format!("by rule limit, which is {what}")),
                "{page}"
            );
            if more == CLEAR {
                assert!(said.contains("no longer cools down"), "{page}");
                assert_eq!((&now["status"], &now["until"]), (&json!("available"), &Value::Null), "{now}");
                let answer = router.client().post("/v1/messages", ask()).await;
                assert_eq!(answer.header("x-rulegate-provider"), Some("first"));
                continue;
            }
            assert!(said.contains("keeps cooling down until"), "{page}");
            assert_eq!(
                (&now["until"], &now["outdated"]["rule"]),
                (&before["until"], &json!(expected)),
                "{now}"
            );
            let text = now["outdated"]["text"].as_str().unwrap_or_default();
            let what = if expected == "gone" { "gone" } else { "another one" };
            let start = format!("the rule `limit` is {what} since the reload of ");
            assert!(text.starts_with(&start) && text.ends_with('Z'), "{text}");
            // A second reload has nothing new to say of it, and the moment stays.
            let page = reloaded(&router, &rules(&first, &second, &limit, "# newer\n")).await;
            assert_eq!(page["cool_downs"], json!([]));
            assert_eq!(details(&router).await["outdated"]["since"], now["outdated"]["since"]);
            // The rule is back.
            let page = reloaded(&router, &rules(&first, &second, LIMIT, "")).await;
            assert_eq!((&page["cool_downs"], details(&router).await), (&json!([]), before));
        }
    }
}

#[tokio::test]
async fn each_key_and_model_is_told_by_its_name_and_a_clear_by_hand_ends_it() {
    for (scope, is_named) in [("key", "first (key own)"), ("provider_and_model", "first for big-model")] {
        let (first, second) = limited().await;
        let limit = LIMIT.replace("scope: provider", &format!("scope: {scope}"));
        let router = cooling(&first, &second, &limit, "").await;
        let page = reloaded(&router, &rules(&first, &second, "", "")).await;
        let said = page["cool_downs"][0].as_str().unwrap_or_default();
        assert!(said.starts_with(&format!("{is_named} keeps cooling down")), "{page}");
        assert_eq!(details(&router).await["paused"][0]["outdated"]["rule"], "gone");
        let answer = router.client().post("/-/providers/first/clear", "").await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(details(&router).await["paused"], Value::Null);
    }
}

#[tokio::test]
async fn a_provider_that_is_down_by_a_rule_that_is_gone_comes_back_if_the_rules_say_so() {
    for (more, expected) in [("", "down"), (CLEAR, "available")] {
        let (first, second) = limited().await;
        let limit = "  - { name: limit, when: { status: 429 }, do: next, down: until_probed }";
        let probe = "health: [ { provider: first, when_down_only: true, every: 1h, request: { model: m, max_tokens: 1, messages: [] } } ]\n";
        let router = cooling(&first, &second, limit, probe).await;
        assert_eq!(details(&router).await["status"], "down");
        let page = reloaded(&router, &rules(&first, &second, "", &format!("{probe}{more}"))).await;
        let said = page["cool_downs"][0].as_str().unwrap_or_default();
        assert!(said.ends_with("by rule limit, which is gone"), "{page}");
        assert_eq!(details(&router).await["status"], expected);
    }
}

#[tokio::test]
async fn what_an_old_request_began_is_told_too() {
    let (first, second) = (Upstream::start().await, Upstream::always(completion("from second")).await);
    let gate = Gate::new();
    first.then(Reply::json(429, "{}").header("retry-after", 3600).after(&gate));
    let before = rules(&first, &second, LIMIT, "");
    let router = Serving::with(&before, |options| options.follow = false).await;
    let router = router.unwrap_or_else(|error| panic!("{error}"));
    let client = router.client();
    let asking = tokio::spawn(async move { client.post("/v1/messages", ask_stream()).await });
    gate.reached().await;
    assert_eq!(reloaded(&router, &rules(&first, &second, "", "")).await["cool_downs"], json!([]));
    gate.open();
    asking.await.unwrap();
    assert_eq!(details(&router).await["outdated"]["rule"], "gone");
}

/// Runs a command against a router, and returns what it prints.
fn told(router: &Router, arguments: &[&str]) -> String {
    let mut command: Command = program(router.folder.path());
    let output = command.env("RULEGATE_URL", router.url()).args(arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test]
async fn the_log_the_commands_and_a_restart_say_it_in_the_zone_of_the_log() {
    let (first, second) = limited().await;
    let folder = Folder::new();
    let before = rules(&first, &second, LIMIT, "");
    folder.write("rules.yaml", &before);
    let settings = |rules: &str| {
        let mut settings = Settings::rules(rules).env("TZ", "Asia/Kolkata");
        settings.arguments = ["--log-time", "local"].map(str::to_owned).to_vec();
        settings
    };
    let router = Router::inside(folder, settings(&before)).await;
    router.client().post("/v1/messages", ask()).await;
    let without = rules(&first, &second, "", "state: elsewhere.json\n");
    router.folder.write("rules.yaml", &without);
    let printed = told(&router, &["reload"]);
    assert!(printed.contains("first keeps cooling down until"), "{printed}");
    router.logged(&["WARN", "first keeps cooling down until", "by rule limit, which is gone"]).await;
    // It folds its lines to the width of a terminal.
    let status = told(&router, &["status"]).split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(status.contains("by rule limit (explain"), "{status}");
    assert!(
        status.contains("; the rule `limit` is gone since the reload of ") && status.contains("+05:30"),
        "{status}"
    );
    router.client().post("/v1/messages", ask()).await;
    let explained = told(&router, &["explain", "last"]);
    assert!(
        explained.contains("cooling down by rule limit, which is gone since the reload of"),
        "{explained}"
    );

    // The state that was written before the reload knows of no change, so the start finds it.
    router.logged(&["is kept in"]).await;
    let state = router.folder.read("rules.state.json");
    for (kept, word) in [(state.clone(), "gone"), (without_meaning(&state), "gone")] {
        let folder = Folder::new();
        folder.write("rules.state.json", &kept);
        let rules = rules(&first, &second, "", "");
        folder.write("rules.yaml", &rules);
        let router = Router::inside(folder, settings(&rules)).await;
        router.logged(&["WARN", "by rule limit, which is", word]).await;
        let page = router.client().get("/v1/health").await.json();
        let text = page["details"]["first"]["outdated"]["text"].as_str().unwrap_or_default().to_owned();
        assert!(text.contains("the rule `limit` is gone since the start of "), "{page}");
        // It survives the next start as it is.
        router.signal("TERM");
        router.logged(&["stopped"]).await;
        let router = Router::inside(router.stopped().await, settings(&rules)).await;
        let page = router.client().get("/v1/health").await.json();
        assert_eq!(page["details"]["first"]["outdated"]["text"], text);
    }
    // A changed rule is known by its fingerprint, which an old file has not.
    let changed = LIMIT.replace("else: 1h", "else: 2h");
    for (kept, rule) in [(state.clone(), json!("changed")), (without_meaning(&state), Value::Null)] {
        let folder = Folder::new();
        folder.write("rules.state.json", &kept);
        let rules = rules(&first, &second, &changed, "");
        folder.write("rules.yaml", &rules);
        let router = Router::inside(folder, settings(&rules)).await;
        let page = router.client().get("/v1/health").await.json();
        assert_eq!(page["details"]["first"]["outdated"]["rule"], rule, "{page}");
        assert_eq!(page["details"]["first"]["status"], "cooling", "{page}");
    }
}

/// A state file as programs wrote it before they kept what rules mean.
fn without_meaning(state: &str) -> String {
    let mut state: Value = serde_json::from_str(state).unwrap();
    state.as_object_mut().unwrap().remove("program").unwrap();
    for pause in state["pauses"].as_array_mut().unwrap() {
        let fields = pause.as_object_mut().unwrap();
        assert!(fields.remove("meaning").unwrap().is_string());
        fields.remove("outdated").unwrap();
    }
    state.to_string()
}
