//! New rules on a running router, however the file is saved; and broken ones, which change nothing.

use std::sync::Arc;

use serde_json::json;

use crate::support::{Answer, Gate, Reply, Serving, Upstream, within};

const REQUEST: &str = r#"{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"hi"}]}"#;
const MESSAGE: &str =
    r#"{"id":"msg_1","type":"message","role":"assistant","content":[{"type":"text","text":"x"}]}"#;

fn rules(name: &str, url: &str) -> String {
    format!(
        "include: [ \"builtin:protocols/anthropic.messages.yaml\" ]
providers:
  {name}: {{ speaks: anthropic.messages, url: {url}, key: k }}
routes:
  - {{ path: /v1/messages, protocol: anthropic.messages }}
"
    )
}

async fn upstream() -> Upstream {
    Upstream::always(Reply::json(200, MESSAGE)).await
}

async fn ask(router: &Serving) -> Answer {
    router.client().post("/v1/messages", REQUEST).await
}

/// A router that reads its rules again only when asked.
async fn patient(rules: &str) -> Serving {
    Serving::with(rules, |options| options.follow = false).await.unwrap_or_else(|error| panic!("{error}"))
}

async fn version(router: &Serving) -> String {
    router.client().get("/v1/health").await.json()["rules_version"].as_str().unwrap().to_owned()
}

/// Waits until the rules' version is no longer this one.
async fn moved_on(router: &Serving, from: &str) {
    let mut changes = router.running.router().changes();
    let moved = async {
        while version(router).await == from {
            changes.changed().await.unwrap();
        }
    };
    within("the rules change", moved).await;
}

#[tokio::test]
async fn the_next_request_follows_a_saved_file_however_it_was_saved() {
    let upstream = upstream().await;
    let router = Serving::start(&rules("one", &upstream.url())).await;
    assert_eq!(ask(&router).await.header("x-rulegate-provider"), Some("one"));
    let before = version(&router).await;
    router.folder.write("rules.yaml", &rules("two", &upstream.url()));
    moved_on(&router, &before).await;
    assert_eq!(ask(&router).await.header("x-rulegate-provider"), Some("two"));
    let before = version(&router).await;
    router.folder.replace("rules.yaml", &rules("three", &upstream.url()));
    moved_on(&router, &before).await;
    assert_eq!(ask(&router).await.header("x-rulegate-provider"), Some("three"));
}

#[tokio::test]
async fn a_reload_says_what_changed_in_meaning() {
    let rules = "\
providers:
  one: { speaks: anthropic.messages, url: http://127.0.0.1:1, key: first-secret, headers: { x-a: a } }
  two: { speaks: anthropic.messages, url: http://127.0.0.1:2, key: none, failover: [ { name: own, when: { status: 418 }, do: next } ] }
  three: { speaks: anthropic.messages, url: http://127.0.0.1:3, keys: [ { name: a, key: second-secret } ] }
routes:
  - { path: /v1/messages, protocol: anthropic.messages }
failover:
  - { name: limit, when: { status: 429, text: 'limit \\d' }, do: next, cool_down: 1h }
  - { name: busy, when: { status: 529 }, do: next }
timeouts: { idle: 20s }
access: { keys: [ client-secret ] }
";
    let many: String =
        (0..25).map(|n| format!("  - {{ name: r{n}, when: {{ status: 500 }}, do: next }}\n")).collect();
    let many = format!("{many}timeouts");
    let more: Vec<String> =
        (0..20).map(|n| format!("rule r{n} added")).chain(["and 5 more".to_owned()]).collect();
    let more: Vec<&str> = more.iter().map(String::as_str).collect();
    let table: Vec<(&str, &str, Vec<&str>)> = vec![
        ("timeouts", "# a comment\ntimeouts", vec!["nothing changed in meaning"]),
        ("cool_down: 1h", "cool_down: 60m", vec!["nothing changed in meaning"]),
        (
            "{ name: busy, when: { status: 529 }, do: next }",
            "name: busy\n    do: next\n    when:\n      status: 529",
            vec!["nothing changed in meaning"],
        ),
        ("key: first-secret", "key: other-secret", vec!["provider one changed (key)"]),
        ("key: second-secret", "key: other-secret", vec!["provider three changed (keys)"]),
        ("[ client-secret ]", "[ other-secret ]", vec!["setting access changed (keys)"]),
        ("x-a: a", "x-a: b", vec!["provider one changed (headers)"]),
        ("127.0.0.1:2", "127.0.0.1:9", vec!["provider two changed (url)"]),
        ("status: 418", "status: 419", vec!["rule two: own changed (when)"]),
        ("cool_down: 1h", "cool_down: 2h, last: true", vec!["rule limit changed (cool_down, last)"]),
        ("limit \\d", "limit \\d\\d", vec!["rule limit changed (when)"]),
        ("idle: 20s", "idle: 30s", vec!["setting timeouts changed (idle)"]),
        ("  three:", "  four:", vec!["provider four added", "provider three gone"]),
        ("/v1/messages,", "/v1/else,", vec!["route POST /v1/else added", "route POST /v1/messages gone"]),
        ("timeouts", "models: [ m ]\ntimeouts", vec!["setting models changed"]),
        ("  - { name: busy, when: { status: 529 }, do: next }\n", "", vec!["rule busy gone"]),
        (
            "failover:\n  - { name: limit",
            "failover:\n  - { name: new, when: { status: 530 }, do: next }\n  - { name: limit",
            vec!["rule new added"],
        ),
        (
            "failover:\n  - { name: limit",
            "failover:\n  - { name: busy, when: { status: 529 }, do: next }\n  - { name: limit",
            vec!["rule busy moved"],
        ),
        ("timeouts", &many, more),
    ];
    let router = patient(rules).await;
    let client = router.client().with("x-api-key", "client-secret");
    for (from, to, expected) in table {
        router.folder.write("rules.yaml", rules);
        client.post("/-/reload", "").await;
        let mut changed = rules.replacen(from, to, 1);
        if expected == ["rule busy moved"] {
            let last = changed.rfind("  - { name: busy").unwrap();
            let end = last + changed[last..].find('\n').unwrap() + 1;
            changed.replace_range(last..end, "");
        }
        assert_ne!(changed, rules, "{from}");
        router.folder.write("rules.yaml", &changed);
        let answer = client.post("/-/reload", "").await;
        assert_eq!(answer.json()["status"], "reloaded", "{to}: {}", answer.text());
        assert_eq!(answer.json()["changes"], json!(expected), "{from} -> {to}");
        assert!(!answer.text().contains("secret"), "{}", answer.text());
    }
}

#[tokio::test]
async fn an_included_file_is_followed_too() {
    let upstream = upstream().await;
    let folder_rules = |name: &str| {
        format!(
            "providers: {{ {name}: {{ speaks: anthropic.messages, url: {}, key: k }} }}\n",
            upstream.url()
        )
    };
    let main = "include: [ more/*.yaml, \"builtin:protocols/anthropic.messages.yaml\" ]\nroutes:\n  - { path: /v1/messages, protocol: anthropic.messages }\n";
    let folder = crate::support::Folder::new();
    folder.write("more/providers.yaml", &folder_rules("one"));
    let mut options = rulegate::edge::Options::new(folder.write("rules.yaml", main));
    options.listen = Some("127.0.0.1:0".to_owned());
    let running = rulegate::edge::serve(options).await.unwrap_or_else(|error| panic!("{error}"));
    let router = Serving { folder, running };
    assert_eq!(ask(&router).await.header("x-rulegate-provider"), Some("one"));
    let before = version(&router).await;
    router.folder.write("more/providers.yaml", &folder_rules("two"));
    moved_on(&router, &before).await;
    assert_eq!(ask(&router).await.header("x-rulegate-provider"), Some("two"));
}

#[tokio::test]
async fn a_broken_file_changes_nothing_and_says_where_it_is_wrong() {
    let upstream = upstream().await;
    let router = patient(&rules("one", &upstream.url())).await;
    let before = version(&router).await;
    router.folder.write("rules.yaml", &rules("one", &upstream.url()).replace("speaks:", "speeks:"));
    let answer = router.client().post("/-/reload", "").await;
    let page = answer.json();
    assert_eq!((answer.status, page["status"].as_str()), (422, Some("refused")), "{page:#}");
    let found = &page["diagnostics"][0];
    assert_eq!((found["line"].as_u64(), found["severity"].as_str()), (Some(3), Some("error")), "{page:#}");
    assert!(found["file"].as_str().unwrap().ends_with("rules.yaml"));
    assert!(found["source_line"].as_str().unwrap().contains("speeks"));
    assert_eq!(version(&router).await, before);
    assert_eq!(ask(&router).await.status, 200);
    let config = router.client().get("/-/config").await.json();
    assert_eq!(config["last_reload"]["ok"], false);

    router.folder.write("rules.yaml", &rules("one", &upstream.url()));
    let page = router.client().post("/-/reload", "").await.json();
    assert_eq!(page["status"], "unchanged", "{page:#}");
}

#[tokio::test]
async fn rules_that_fail_their_own_tests_are_refused() {
    let upstream = upstream().await;
    let proof: rulegate::edge::Proof = Arc::new(|rules, _, found| {
        if rules.providers.iter().any(|(name, _)| name.text == "two") {
            found.error("failed-test", rules.span, "there must not be a second one");
        }
    });
    let router = Serving::with(&rules("one", &upstream.url()), |options| {
        options.proof = Some(proof);
        options.follow = false;
    })
    .await;
    let router = router.unwrap_or_else(|error| panic!("{error}"));
    router.folder.write("rules.yaml", &rules("two", &upstream.url()));
    let page = router.client().post("/-/reload", "").await.json();
    assert_eq!(
        (page["status"].as_str(), page["diagnostics"][0]["code"].as_str()),
        (Some("refused"), Some("failed-test"))
    );
    assert_eq!(ask(&router).await.header("x-rulegate-provider"), Some("one"));
}

#[tokio::test]
async fn a_request_under_way_ends_by_the_rules_it_began_with() {
    let gate = Gate::new();
    let upstream = Upstream::always(Reply::json(200, MESSAGE).after(&gate)).await;
    let router = patient(&rules("one", &upstream.url())).await;
    let client = router.client();
    let asking = tokio::spawn(async move { client.post("/v1/messages", REQUEST).await });
    gate.reached().await;
    router.folder.write("rules.yaml", &rules("two", &upstream.url()));
    assert_eq!(router.client().post("/-/reload", "").await.json()["status"], "reloaded");
    gate.open();
    assert_eq!(asking.await.unwrap().header("x-rulegate-provider"), Some("one"));
    assert_eq!(ask(&router).await.header("x-rulegate-provider"), Some("two"));
}

#[tokio::test]
async fn a_choice_by_hand_and_a_cool_down_outlive_a_reload() {
    let first = Upstream::always(Reply::json(529, "{}")).await;
    let second = upstream().await;
    let text = |extra: &str| {
        format!(
            "include: [ \"builtin:protocols/anthropic.messages.yaml\" ]
providers:
  first: {{ speaks: anthropic.messages, url: {}, key: k }}
  second: {{ speaks: anthropic.messages, url: {}, key: k }}
routes:
  - {{ path: /v1/messages, protocol: anthropic.messages }}
failover:
  - {{ name: busy, when: {{ status: 5xx }}, do: next, cool_down: 1h }}
{extra}",
            first.url(),
            second.url()
        )
    };
    let router = patient(&text("")).await;
    assert_eq!(ask(&router).await.header("x-rulegate-provider"), Some("second"));
    router.client().post("/v1/switch-provider", json!({ "provider": "second" })).await;
    router.folder.write("rules.yaml", &text("models: [ a ]\n"));
    assert_eq!(router.client().post("/-/reload", "").await.json()["status"], "reloaded");
    let health = router.client().get("/v1/health").await.json();
    assert_eq!(
        (health["providers"]["first"].as_str(), health["manual"].as_str()),
        (Some("cooling"), Some("second"))
    );
}

#[tokio::test]
async fn rules_that_are_wrong_from_the_start_do_not_start() {
    let Err(error) = Serving::with("providers: [", |_| ()).await else { panic!("it started") };
    assert!(error.to_string().contains("rules.yaml:1:"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn saving_again_and_again_under_load_loses_no_request_and_cuts_no_stream() {
    const SAVES: usize = 16;
    let events = (0..20).map(|n| json!({ "type": "content_block_delta", "index": 0, "delta": { "type": "text_delta", "text": n.to_string() } }).to_string());
    let reply = events.fold(Reply::stream(), |reply, data| reply.event("content_block_delta", data).drip(""));
    let upstream = Upstream::always(reply.event("message_stop", r#"{"type":"message_stop"}"#)).await;
    let router = patient(&rules("one", &upstream.url())).await;
    let (done, stop) = tokio::sync::watch::channel(false);
    let mut clients = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let (client, stop) = (router.client(), stop.clone());
        clients.spawn(async move {
            let mut answers = 0;
            while !*stop.borrow() {
                let answer =
                    client.post("/v1/messages", REQUEST.replace("\"m\"", "\"m\",\"stream\":true")).await;
                let text = answer.text();
                assert!(answer.status == 200 && answer.complete && text.contains("message_stop"), "{text}");
                answers += 1;
            }
            answers
        });
    }
    for save in 0..SAVES {
        let text = rules(&format!("number-{save}"), &upstream.url());
        let broken = save % 4 == 3;
        let text = if broken { text.replace("routes:", "rotues:") } else { text };
        if save % 2 == 0 {
            router.folder.write("rules.yaml", &text);
        } else {
            router.folder.replace("rules.yaml", &text);
        }
        let status = router.client().post("/-/reload", "").await.json()["status"].clone();
        assert_eq!(status, if broken { "refused" } else { "reloaded" }, "save {save}");
    }
    done.send(true).unwrap();
    let answers: usize = within("the clients end", clients.join_all()).await.into_iter().sum();
    assert_eq!(answers, upstream.count(), "each request went to a provider once");
    assert!(answers > 8);
}

#[cfg(unix)]
#[tokio::test]
async fn a_config_map_that_swaps_its_link_is_followed() {
    let upstream = upstream().await;
    let folder = crate::support::Folder::new();
    let swap = |version: &str, name: &str| {
        folder.write(&format!("..{version}/rules.yaml"), &rules(name, &upstream.url()));
        std::os::unix::fs::symlink(format!("..{version}"), folder.file("..data_tmp")).unwrap();
        std::fs::rename(folder.file("..data_tmp"), folder.file("..data")).unwrap();
    };
    swap("v1", "one");
    std::os::unix::fs::symlink("..data/rules.yaml", folder.file("rules.yaml")).unwrap();
    let mut options = rulegate::edge::Options::new(folder.file("rules.yaml"));
    options.listen = Some("127.0.0.1:0".to_owned());
    let running = rulegate::edge::serve(options).await.unwrap_or_else(|error| panic!("{error}"));
    let client = crate::support::Client::new(running.local_addr());
    let mut changes = running.router().changes();
    for (version, name) in [("v2", "two"), ("v3", "three")] {
        swap(version, name);
        let answers = async {
            while client.post("/v1/messages", REQUEST).await.header("x-rulegate-provider") != Some(name) {
                changes.changed().await.unwrap();
            }
        };
        within("the new rules are followed", answers).await;
    }
}
