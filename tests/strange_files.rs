//! Something else where a file should be: a pipe, a device, a folder, far too much. A clear error at once, and nothing hangs.

#![cfg(unix)]

use std::fs::File;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::support::rules::{ask, completion, message, two};
use crate::support::{Folder, Reply, Router, Settings, Upstream, program, within};

/// What can stand where a file is expected: its name here, and what is said of it.
const STRANGE: [(&str, &str); 4] = [
    ("pipe", "it is a pipe, a device or a socket"),
    ("zero", "it is a pipe, a device or a socket"),
    ("folder", "it is a folder"),
    ("large", "larger than"),
];

/// Puts one of them at `path`.
fn put(kind: &str, path: &Path) {
    match kind {
        "pipe" => assert!(Command::new("mkfifo").arg(path).status().unwrap().success()),
        "zero" => std::os::unix::fs::symlink("/dev/zero", path).unwrap(),
        "folder" => std::fs::create_dir(path).unwrap(),
        _ => File::create(path).unwrap().set_len(300 << 20).unwrap(),
    }
}

/// Runs the program to its end, which must come: exit code, and all that it said.
async fn run(folder: &Folder, arguments: &'static [&'static str]) -> (Option<i32>, String) {
    let mut command = program(folder.path());
    command.args(arguments);
    let output = tokio::task::spawn_blocking(move || command.output().unwrap());
    let output = within("the program ends", output).await.unwrap();
    (output.status.code(), String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
}

const START: &[&str] = &["run", "--rules", "rules.yaml", "--listen", "127.0.0.1:0"];
const CHECK: &[&str] = &["check", "rules.yaml"];

#[tokio::test]
async fn rules_that_are_no_file_are_an_error_at_once() {
    for (kind, reason) in STRANGE {
        for arguments in [START, CHECK] {
            let folder = Folder::new();
            put(kind, &folder.file("rules.yaml"));
            let (code, said) = run(&folder, arguments).await;
            assert!(code.is_some_and(|code| code > 0), "{kind}: {said}");
            assert!(said.contains(reason), "{kind}: {said}");
        }
    }
}

#[tokio::test]
async fn what_rules_include_or_name_and_is_no_file_is_an_error_with_its_place() {
    let test = r#"[ { name: t, request: strange, given: { first: { status: 200, file: strange } }, expect: { status: 200 } } ]"#;
    for (kind, reason) in STRANGE {
        for (more, severity) in [
            ("include: [ strange ]".to_owned(), "error"),
            ("secrets: [ strange ]".to_owned(), "warning"),
            (format!("tests: {test}"), "error"),
        ] {
            if kind == "folder" && severity == "warning" {
                continue;
            }
            let folder = Folder::new();
            let rules = two("http://127.0.0.1:1", "http://127.0.0.1:1");
            let rules = if more.starts_with("include") {
                rules.replace("builtin:mappings/*.yaml\"", "builtin:mappings/*.yaml\", strange")
            } else {
                format!("{rules}\n{more}\n")
            };
            folder.write("rules.yaml", &rules);
            put(kind, &folder.file("strange"));
            let (_, said) = run(&folder, CHECK).await;
            assert!(said.contains(reason) && said.contains("rules.yaml:"), "{kind}, {more}: {said}");
            assert!(said.contains(severity), "{kind}, {more}: {said}");
        }
    }
}

#[tokio::test]
async fn a_reload_that_meets_one_changes_nothing_and_the_router_still_stops() {
    let first = Upstream::always(message("from first")).await;
    for (kind, reason) in STRANGE {
        let router = Router::start(two(&first.url(), &first.url())).await;
        std::fs::remove_file(router.folder.file("rules.yaml")).unwrap();
        put(kind, &router.folder.file("rules.yaml"));
        let report = router.client().post("/-/reload", "").await;
        assert_eq!(report.json()["status"], "refused", "{kind}: {}", report.text());
        assert!(report.text().contains(reason), "{kind}: {}", report.text());
        assert_eq!(router.client().post("/v1/messages", ask()).await.status, 200);
        router.signal("TERM");
        assert_eq!(router.exited().await, Some(0), "{kind}");
    }
}

/// A first provider that is limited, so that there is something to be kept, and the rules.
async fn limited() -> (Upstream, Upstream, String) {
    let first = Upstream::always(Reply::json(429, "{}").header("retry-after", 3600)).await;
    let second = Upstream::always(completion("from second")).await;
    let rules = two(&first.url(), &second.url());
    (first, second, rules)
}

#[tokio::test]
async fn a_state_that_is_no_file_is_neither_read_nor_written() {
    let (_first, _second, rules) = limited().await;
    for kind in ["pipe", "zero", "folder"] {
        let folder = Folder::new();
        folder.write("rules.yaml", &rules);
        let state = folder.file("rules.state.json");
        put(kind, &state);
        let before = std::fs::metadata(&state).unwrap().file_type();
        let router = Router::inside(folder, Settings::rules("")).await;
        router.logged(&["WARN", "rules.state.json cannot be read"]).await;
        assert_eq!(router.client().post("/v1/messages", ask()).await.status, 200);
        if kind != "zero" {
            router.logged(&["WARN", "rules.state.json cannot be written", "no file has its name"]).await;
            assert_eq!(std::fs::metadata(&state).unwrap().file_type(), before, "{kind}");
        }
        router.signal("TERM");
        router.logged(&["stopped"]).await;
    }
}

#[tokio::test]
async fn a_state_that_is_far_too_large_is_set_aside() {
    let (_first, _second, rules) = limited().await;
    let folder = Folder::new();
    folder.write("rules.yaml", &rules);
    File::create(folder.file("rules.state.json")).unwrap().set_len(120 << 20).unwrap();
    let router = Router::inside(folder, Settings::rules("")).await;
    router.logged(&["WARN", "larger than 16 MiB", "set aside"]).await;
    assert!(router.folder.file("rules.state.json.broken").exists());
}

/// Waits until the state's file says this of its first pause.
async fn kept(folder: &Folder, name: &str) -> Value {
    within("the state is written", async {
        loop {
            let text = std::fs::read_to_string(folder.file("rules.state.json")).unwrap_or_default();
            let state: Value = serde_json::from_str(&text).unwrap_or_default();
            if state["pauses"][0]["provider"] == name {
                return state;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    })
    .await
}

#[tokio::test]
async fn what_was_left_of_a_write_is_replaced_and_no_link_is_followed() {
    use std::os::unix::fs::PermissionsExt;
    let (_first, _second, rules) = limited().await;
    let folder = Folder::new();
    folder.write("rules.yaml", &rules);
    folder.write("mine", "untouched");
    for name in ["rules.state.json.new", "rules.state.json.lock"] {
        std::os::unix::fs::symlink("mine", folder.file(name)).unwrap();
    }
    let router = Router::inside(folder, Settings::rules("")).await;
    assert_eq!(router.client().post("/v1/messages", ask()).await.status, 200);
    kept(&router.folder, "first").await;
    assert_eq!(router.folder.read("mine"), "untouched");
    let mode = std::fs::metadata(router.folder.file("rules.state.json")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert!(!router.folder.file("rules.state.json.new").exists());
}

#[tokio::test]
async fn a_second_router_writes_nothing_until_the_first_has_ended() {
    let (_first, _second, rules) = limited().await;
    let one = Router::start(rules.as_str()).await;
    assert_eq!(one.client().post("/v1/messages", ask()).await.status, 200);
    kept(&one.folder, "first").await;
    let state = one.folder.file("rules.state.json");
    let mut settings = Settings::rules(rules);
    settings.arguments = ["--state", state.to_str().unwrap()].map(str::to_owned).to_vec();
    let other = Router::with(settings).await;
    other.logged(&["WARN", "another router keeps its state in", "writes nothing"]).await;
    let health = other.client().get("/v1/health").await.json();
    assert_eq!(health["providers"]["first"], "cooling", "it knows what was known: {health}");
    other.client().post("/-/providers/first/clear", "").await;
    one.signal("KILL");
    other.logged(&["the other router has ended"]).await;
    within("the second one writes", async {
        loop {
            let text = std::fs::read_to_string(&state).unwrap();
            let written: Value = serde_json::from_str(&text).unwrap();
            if written["pauses"] == json!([]) {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    })
    .await;
}
