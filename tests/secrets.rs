//! Keys: where they come from, what is said when they cannot be used, and what a reload does when they are lost.

use serde_json::{Value, json};

use crate::support::rules::{BASE, FAILOVER, ask, message};
use crate::support::{Folder, Router, Settings, Upstream, program};

/// What all keys of these tests hold: it must stand in no output.
const SECRET: &str = "sk-planted";

/// A provider `first` whose key is written so, and where `secrets` come from.
fn rules(url: &str, key: &str, secrets: &str) -> String {
    format!(
        r#"{BASE}
secrets: [ {secrets} ]
providers:
  first:
    speaks: anthropic.messages
    url: {url}
    key: {key}
{FAILOVER}"#
    )
}

/// The key that the provider was asked with last.
async fn key_sent(router: &Router, upstream: &Upstream) -> String {
    let answer = router.client().post("/v1/messages", ask()).await;
    assert_eq!(answer.status, 200, "{}\n{}", answer.text(), router.log());
    let asked = upstream.received();
    asked.last().unwrap().header("x-api-key").unwrap_or_default().to_owned()
}

/// Reads the rules again, on request: the report.
async fn reloaded(router: &Router) -> Value {
    router.client().post("/-/reload", "").await.json()
}

/// Fails if a key stands in what the router says anywhere.
async fn nothing_is_shown(router: &Router) {
    for page in ["/v1/health", "/-/decisions", "/-/rules", "/-/metrics", "/-/config"] {
        let answer = router.client().get(page).await;
        assert!(!answer.text().contains(SECRET), "{page}: {}", answer.text());
    }
    let report = reloaded(router).await;
    assert!(
        !report.to_string().contains(SECRET) && !router.log().contains(SECRET),
        "{report}\n{}",
        router.log()
    );
}

#[tokio::test]
async fn a_secrets_file_that_goes_or_is_half_written_takes_no_key_away() {
    let upstream = Upstream::always(message("hello")).await;
    let folder = Folder::new();
    folder.write("rules.yaml", &rules(&upstream.url(), "${A_KEY}", "tokens.txt"));
    let key = format!("{SECRET}-one");
    folder.write("tokens.txt", &format!("A_KEY={key}\n"));
    let router = Router::inside(folder, Settings::rules("")).await;
    assert_eq!(key_sent(&router, &upstream).await, key);
    let tokens = router.folder.file("tokens.txt");
    let damages: [(&str, &dyn Fn()); 5] = [
        ("gone", &|| std::fs::remove_file(&tokens).unwrap()),
        ("empty", &|| std::fs::write(&tokens, "").unwrap()),
        ("cut in the name", &|| std::fs::write(&tokens, "A_K").unwrap()),
        ("cut in the key", &|| std::fs::write(&tokens, format!("A_KEY={SECRET}-o")).unwrap()),
        ("without the line", &|| std::fs::write(&tokens, format!("B_KEY={key}\n")).unwrap()),
    ];
    for (what, damage) in damages {
        damage();
        let report = reloaded(&router).await;
        assert_ne!(report["status"], "refused", "{what}: {report}");
        let said = report["diagnostics"].to_string();
        assert!(said.contains("keeps the value that it had"), "{what}: {said}");
        assert_eq!(key_sent(&router, &upstream).await, key, "{what}");
    }
    router.logged(&["WARN", "`A_KEY` is no longer set, so it keeps the value that it had"]).await;
    std::fs::write(&tokens, format!("A_KEY={SECRET}-two")).unwrap();
    assert_eq!(reloaded(&router).await["diagnostics"], json!([]));
    assert_eq!(key_sent(&router, &upstream).await, format!("{SECRET}-two"));
    nothing_is_shown(&router).await;
}

#[tokio::test]
async fn a_new_variable_that_the_process_does_not_have_refuses_the_reload() {
    let upstream = Upstream::always(message("hello")).await;
    let key = format!("{SECRET}-one");
    let settings = Settings::rules(rules(&upstream.url(), "${A_KEY}", "")).env("A_KEY", &key);
    let router = Router::with(settings).await;
    router.folder.write("rules.yaml", &rules(&upstream.url(), "${B_KEY}", ""));
    let report = reloaded(&router).await;
    assert_eq!(report["status"], "refused", "{report}");
    let found = report["diagnostics"].as_array().unwrap();
    let lost = found.iter().find(|it| it["code"] == "lost-key").unwrap_or_else(|| panic!("{report}"));
    assert!(lost["message"].as_str().unwrap().contains("B_KEY is not set"), "{lost}");
    assert!(lost["source_line"].as_str().unwrap().contains("${B_KEY}"), "{lost}");
    assert_eq!(key_sent(&router, &upstream).await, key);
    // Another provider may come without a key, as at the start.
    let more = "providers:\n  second: { speaks: anthropic.messages, url: \"http://127.0.0.1:1\", key: \"${C_KEY}\" }";
    let text = rules(&upstream.url(), "${A_KEY}", "").replace("providers:", more);
    router.folder.write("rules.yaml", &text);
    assert_eq!(reloaded(&router).await["status"], "reloaded");
    nothing_is_shown(&router).await;
}

#[tokio::test]
async fn a_clients_key_that_is_taken_away_on_purpose_is_gone() {
    let upstream = Upstream::always(message("hello")).await;
    let folder = Folder::new();
    let access = "\naccess: { keys: [ \"${ONE}\", \"${TWO}\" ] }\n";
    folder.write("rules.yaml", &(rules(&upstream.url(), "none", "tokens.txt") + access));
    folder.write("tokens.txt", "ONE=key-of-one\nTWO=key-of-two\n");
    let router = Router::inside(folder, Settings::rules("")).await;
    let ask_with = |key: &'static str| {
        let client = router.client().with("x-api-key", key);
        async move { client.post("/v1/messages", ask()).await.status }
    };
    assert_eq!((ask_with("key-of-one").await, ask_with("key-of-two").await), (200, 200));
    router.folder.write("tokens.txt", "ONE=key-of-one\n");
    reloaded(&router).await;
    assert_eq!((ask_with("key-of-one").await, ask_with("key-of-two").await), (200, 401));
    // A file that is gone takes nothing away.
    std::fs::remove_file(router.folder.file("tokens.txt")).unwrap();
    reloaded(&router).await;
    assert_eq!(ask_with("key-of-one").await, 200);
}

#[tokio::test]
async fn a_file_for_each_secret_is_read_and_followed() {
    let upstream = Upstream::always(message("hello")).await;
    let folder = Folder::new();
    folder.write("rules.yaml", &rules(&upstream.url(), "${A_KEY}", ""));
    let file = folder.write("a-key", &format!("\u{feff}{SECRET}-one\r\n"));
    let settings = Settings::rules("").env("A_KEY_FILE", file.display());
    let router = Router::inside(folder, settings).await;
    assert_eq!(key_sent(&router, &upstream).await, format!("{SECRET}-one"));
    router.folder.write("a-key", &format!("{SECRET}-two"));
    router.logged(&["the rules were reloaded"]).await;
    assert_eq!(key_sent(&router, &upstream).await, format!("{SECRET}-two"));
    std::fs::remove_file(router.folder.file("a-key")).unwrap();
    let report = reloaded(&router).await;
    assert!(report.to_string().contains("`A_KEY_FILE` names it"), "{report}");
    assert_eq!(key_sent(&router, &upstream).await, format!("{SECRET}-two"));
    nothing_is_shown(&router).await;
}

#[cfg(unix)]
#[tokio::test]
async fn a_folder_of_secrets_is_read_and_its_swapped_link_is_followed() {
    let upstream = Upstream::always(message("hello")).await;
    let folder = Folder::new();
    let swap = |folder: &Folder, version: &str| {
        folder.write(&format!("secrets/..{version}/a-key"), &format!("{SECRET}-{version}\n"));
        std::os::unix::fs::symlink(format!("..{version}"), folder.file("secrets/..data_tmp")).unwrap();
        std::fs::rename(folder.file("secrets/..data_tmp"), folder.file("secrets/..data")).unwrap();
    };
    folder.write("rules.yaml", &rules(&upstream.url(), "${A_KEY}", "secrets"));
    swap(&folder, "v1");
    std::os::unix::fs::symlink("..data/a-key", folder.file("secrets/a-key")).unwrap();
    let router = Router::inside(folder, Settings::rules("")).await;
    assert_eq!(key_sent(&router, &upstream).await, format!("{SECRET}-v1"));
    swap(&router.folder, "v2");
    router.logged(&["the rules were reloaded"]).await;
    assert_eq!(key_sent(&router, &upstream).await, format!("{SECRET}-v2"));
    nothing_is_shown(&router).await;
}

/// What `check` says of rules with this key, where `A_KEY` has this value: exit code and text.
fn checked(url: &str, key: &str, value: &str) -> (Option<i32>, String) {
    let folder = Folder::new();
    folder.write("rules.yaml", &rules(url, key, ""));
    let mut command = program(folder.path());
    let output = command.args(["check", "rules.yaml"]).env("A_KEY", value).output().unwrap();
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(!text.contains(SECRET), "{text}");
    (output.status.code(), text)
}

#[test]
fn a_value_that_cannot_be_a_key_or_an_address_is_refused_where_it_is_used() {
    let good = "http://127.0.0.1:1";
    for (value, reason) in [
        (format!("{SECRET}\n{SECRET}"), "has a line break in it"),
        (format!("\"{SECRET}\""), "has quotes around it"),
        (format!("'{SECRET}'"), "has quotes around it"),
        (format!("{SECRET}\tx"), "has a control character in it"),
    ] {
        let (code, said) = checked(good, "${A_KEY}", &value);
        assert_eq!(code, Some(1), "{said}");
        assert!(said.contains(reason) && said.contains("rules.yaml:"), "{said}");
        assert!(said.contains("key: ${A_KEY}"), "{said}");
    }
    let (code, said) = checked("${A_KEY}", "none", "'http://127.0.0.1:1'");
    assert!(code == Some(1) && said.contains("has quotes around it"), "{said}");
    assert_eq!(checked("${A_KEY}", "none", " http://127.0.0.1:1 \r\n").0, Some(0));
}

#[test]
fn what_other_programs_write_for_a_variable_is_warned_of() {
    for key in ["$A_KEY", "os.environ/A_KEY", "\"{{A_KEY}}\"", "env:A_KEY"] {
        let (code, said) = checked("http://127.0.0.1:1", key, "x");
        assert_eq!(code, Some(0), "{said}");
        assert!(said.contains("write `${A_KEY}`"), "{key}: {said}");
    }
}

#[tokio::test]
async fn a_value_is_trimmed_and_taken_as_it_is() {
    let upstream = Upstream::always(message("hello")).await;
    let text = rules(&upstream.url(), "${A_KEY}", "")
        .replace("    key:", "    headers: { x-more: \"${A_KEY}\" }\n    key:");
    let settings =
        Settings::rules(text).env("A_KEY", format!(" {SECRET}-${{B_KEY}}$model \r\n")).env("B_KEY", "no");
    let router = Router::with(settings).await;
    let key = format!("{SECRET}-${{B_KEY}}$model");
    assert_eq!(key_sent(&router, &upstream).await, key);
    assert_eq!(upstream.received().last().unwrap().header("x-more"), Some(key.as_str()));
    nothing_is_shown(&router).await;
}
