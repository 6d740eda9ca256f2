//! What the program does when people type: check, test, init, demo, health, and what it exits with.

use std::process::{Output, Stdio};

use serde_json::json;

use crate::support::rules::{ask, message, two};
use crate::support::{Folder, Router, Settings, Upstream, program, refusing};

/// Runs the program to its end in this folder: exit code, standard output, standard error.
fn run(folder: &Folder, arguments: &[&str]) -> (i32, String, String) {
    let Output { status, stdout, stderr } = program(folder.path()).args(arguments).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    (status.code().unwrap_or(-1), text(stdout), text(stderr))
}

/// Every rules file of the project that stands for itself.
fn shipped() -> Vec<std::path::PathBuf> {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = vec![root.join("rules/rules.yaml")];
    for entry in std::fs::read_dir(root.join("examples")).unwrap() {
        let path = entry.unwrap().path().join("rules.yaml");
        if path.exists() {
            found.push(path);
        }
    }
    assert!(found.len() > 4, "{found:?}");
    found
}

#[test]
fn the_shipped_rules_and_every_example_check_and_pass_their_tests() {
    let folder = Folder::new();
    for path in shipped() {
        let path = path.to_string_lossy().into_owned();
        for command in ["check", "test"] {
            let (code, out, err) = run(&folder, &[command, &path]);
            assert_eq!(code, 0, "{command} {path}\n{out}\n{err}");
        }
    }
}

#[test]
fn the_built_in_rules_check_and_pass_in_an_empty_folder() {
    let folder = Folder::new();
    for command in ["check", "test"] {
        let (code, out, err) = run(&folder, &[command]);
        assert_eq!(code, 0, "{out}\n{err}");
    }
}

/// The rules that the README shows, as they stand.
#[test]
fn the_rules_in_the_readme_pass_their_own_test() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    for name in ["README.md", "README.zh-CN.md"] {
        let readme = std::fs::read_to_string(root.join(name)).unwrap();
        let shown = readme.split("```yaml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
        let folder = Folder::new();
        folder.write("rules.yaml", shown);
        let (code, out, err) = run(&folder, &["test", "rules.yaml"]);
        assert_eq!(code, 0, "{name}\n{out}\n{err}");
    }
}

#[test]
fn the_rules_in_the_kubernetes_example_check() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let manifest = std::fs::read_to_string(root.join("examples/kubernetes/rulegate.yaml")).unwrap();
    let shown =
        manifest.split("  rules.yaml: |\n").nth(1).and_then(|rest| rest.split("---\n").next()).unwrap();
    let folder = Folder::new();
    folder.write("rules.yaml", shown.replace("\n    ", "\n").trim_start());
    let mut command = program(folder.path());
    for name in ["RULEGATE_KEY", "RULEGATE_ADMIN_KEY", "CLAUDE_API_KEY", "DEEPSEEK_API_KEY", "KIMI_API_KEY"] {
        command.env(name, format!("some-{name}"));
    }
    let output = command.args(["check", "--deny-warnings", "rules.yaml"]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn six_mistakes_are_six_located_diagnostics() {
    let folder = Folder::new();
    let text = r#"include: [ "builtin:protocols/*.yaml", "builtin:mappings/*.yaml" ]
providers:
  first: { spaeks: anthropic.messages, url: "http://127.0.0.1:1", key: k }
  second: { speaks: openai.chatt, url: "http://127.0.0.1:1", key: k }
routes:
  - { path: /v1/messages, protocol: anthropic.messages, providers: [ secnd ] }
timeouts: { connect: 5 parsecs }
failover:
  - { name: a, when: { text: '(unclosed' }, do: next }
  - { name: b, when: { status: 500 }, do: nxt }
"#;
    folder.write("rules.yaml", text);
    let (code, out, err) = run(&folder, &["check", "rules.yaml"]);
    let said = format!("{out}{err}");
    assert_eq!(code, 1, "{said}");
    for place in [
        "rules.yaml:3:",
        "rules.yaml:4:",
        "rules.yaml:6:",
        "rules.yaml:7:",
        "rules.yaml:9:",
        "rules.yaml:10:",
    ] {
        assert!(said.contains(place), "nothing at {place}\n{said}");
    }
    for word in ["speaks", "openai.chat", "second", "next"] {
        assert!(said.contains(&format!("did you mean `{word}`")), "no suggestion of {word}\n{said}");
    }
    assert!(!said.contains('\u{1b}'), "colours where there is no terminal");
}

/// Own rules on top of those inside the program, with a warning and a test.
const OWN: &str = r#"
include: [ "builtin:rules.yaml" ]
limits: { in_flight: 40MiB }
failover: [ { name: teapot, when: { status: 418 }, do: next } ]
tests:
  - name: a teapot is passed over
    request: { model: m, max_tokens: 1, messages: [ { role: user, content: hi } ] }
    path: /v1/messages
    given:
      claude_pro: { status: 418 }
      deepseek: { body: { choices: [ { index: 0, message: { role: assistant, content: Hi }, finish_reason: stop } ] } }
    expect: { provider: deepseek, rule: teapot }
"#;

#[test]
fn check_answers_programs_and_can_be_strict_and_reads_the_standard_input() {
    let folder = Folder::new();
    folder.write("own.yaml", OWN);
    assert_eq!(run(&folder, &["check", "own.yaml"]).0, 0);
    let (code, said, _) = run(&folder, &["check", "--deny-warnings", "own.yaml"]);
    assert!(code == 1 && said.starts_with("wrong own.yaml: "), "{said}");
    let (code, page, told) = run(&folder, &["check", "--json", "own.yaml"]);
    let page: serde_json::Value = serde_json::from_str(&page).unwrap();
    assert_eq!((code, told.as_str(), &page[0]["ok"], &page[0]["errors"]), (0, "", &json!(true), &json!(0)));
    let tight =
        page[0]["diagnostics"].as_array().unwrap().iter().find(|it| it["code"] == "bad-limit").unwrap();
    assert_eq!((&tight["file"], &tight["line"]), (&json!("own.yaml"), &json!(3)));

    let piped = |text: &str| {
        let mut command = program(folder.path());
        command.args(["check", "-"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        std::io::Write::write_all(&mut child.stdin.take().unwrap(), text.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    assert_eq!(piped(OWN).0, Some(0));
    let (code, told) = piped("include: [ own.yaml ]\ntimeots: {}\n");
    assert!(code == Some(1) && told.contains("--> -:2:1") && told.contains("`timeouts`"), "{told}");
}

#[test]
fn tests_are_listed_chosen_and_counted_by_whose_they_are() {
    let folder = Folder::new();
    folder.write("own.yaml", OWN);
    let (code, said, _) = run(&folder, &["test", "own.yaml"]);
    assert!(
        code == 0 && said.starts_with("ok own.yaml: 1 test of yours, ") && said.ends_with(" built in\n"),
        "{said}"
    );
    let (_, listed, _) = run(&folder, &["test", "--list", "own.yaml"]);
    assert!(listed.contains("a teapot is passed over  own.yaml:6:11\n"), "{listed}");
    assert!(listed.lines().count() > 100 && listed.contains("(built in)"), "{listed}");
    let (code, said, _) = run(&folder, &["test", "--filter", "Teapot", "own.yaml"]);
    assert_eq!((code, said.as_str()), (0, "ok own.yaml: 1 test\n"));
    let (code, _, told) = run(&folder, &["test", "--filter", "kettle", "own.yaml"]);
    assert!(code == 2 && told.contains("no test has \"kettle\" in its name"), "{told}");
    for wrong in ["provider: kimi, rule: teapot", "rule: kettle"] {
        folder.write("own.yaml", &OWN.replace("provider: deepseek, rule: teapot", wrong));
        let (code, page, _) = run(&folder, &["test", "--json", "--filter", "teapot", "own.yaml"]);
        let page: serde_json::Value = serde_json::from_str(&page).unwrap();
        let found = page[0]["failed"].as_array().unwrap().iter().any(|it| it["severity"] == "error");
        assert!(code == 1 && found, "{page:#}");
    }
}

#[test]
fn a_file_that_is_not_there_is_another_matter() {
    let folder = Folder::new();
    for command in ["check", "test", "run"] {
        let arguments =
            if command == "run" { vec!["run", "--rules", "no.yaml"] } else { vec![command, "no.yaml"] };
        let (code, out, err) = run(&folder, &arguments);
        assert_eq!(code, 2, "{command}\n{out}\n{err}");
        assert!(err.contains("no.yaml"), "{err}");
    }
    assert_eq!(run(&folder, &["chek"]).0, 2);
    assert_eq!(run(&folder, &["--help"]).0, 0);
}

#[test]
fn a_failing_test_says_what_it_expected() {
    let folder = Folder::new();
    let (address, _port) = refusing();
    let test = json!([{ "name": "wishful thinking", "given": { "first": { "status": 400, "body": "{}" } },
        "request": ask(), "expect": { "provider": "second" } }]);
    folder.write("rules.yaml", &format!("{}\ntests: {test}\n", two(&address, &address)));
    let (code, out, err) = run(&folder, &["test", "rules.yaml"]);
    assert_eq!(code, 1, "{out}\n{err}");
    assert!(format!("{out}{err}").contains("wishful thinking"));
}

/// What stands where the first line of a file says that its schema is.
fn schema_of(folder: &Folder, file: &str) -> serde_json::Value {
    let text = folder.read(file);
    let (_, path) = text.lines().next().unwrap().split_once("$schema=").unwrap();
    let path = folder.path().join(file).parent().unwrap().join(path);
    serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap()
}

#[test]
fn init_writes_rules_that_check_and_never_overwrites() {
    let folder = Folder::new();
    let (code, out, err) = run(&folder, &["init"]);
    assert_eq!(code, 0, "{out}\n{err}");
    assert!(!folder.path().join("rules/protocols").exists() && !folder.path().join("rules/catalog").exists());
    let (_, printed, _) = run(&folder, &["schema"]);
    let printed: serde_json::Value = serde_json::from_str(&printed).unwrap();
    assert_eq!(schema_of(&folder, "rules/rules.yaml"), printed);
    assert_eq!(run(&folder, &["check"]).0, 0);
    assert_eq!(run(&folder, &["test"]).0, 0);
    folder.write("rules/rules.yaml", "# mine\n");
    let (code, out, _) = run(&folder, &["init"]);
    assert!(code == 0 && out.contains("rules/rules.yaml is there already and stays as it is\n"), "{out}");
    assert_eq!(folder.read("rules/rules.yaml"), "# mine\n");
    assert_eq!(run(&folder, &["init", "elsewhere"]).0, 0);
    assert!(folder.read("elsewhere/rules.yaml").contains("providers:"));
}

#[test]
fn init_writes_all_that_is_inside_the_program_when_asked() {
    let folder = Folder::new();
    let (code, out, err) = run(&folder, &["init", "--all"]);
    assert_eq!(code, 0, "{out}\n{err}");
    for (file, title) in [
        ("rules/rules.yaml", "rules.yaml"),
        ("rules/protocols/openai.chat.yaml", "a protocol file"),
        ("rules/mappings/openai.chat--anthropic.messages.yaml", "a mapping file"),
        ("rules/catalog/openai-compatible.yaml", "a catalogue file"),
    ] {
        assert_eq!(schema_of(&folder, file)["title"], format!("rulegate: {title}"), "{file}");
    }
    assert_eq!(run(&folder, &["check"]).0, 0);
    assert_eq!(run(&folder, &["test"]).0, 0);
    assert_eq!(run(&folder, &["schema", "catalogue"]).0, 2);
}

#[test]
fn a_reader_that_goes_away_stops_no_command() {
    let folder = Folder::new();
    let commands: [&[&str]; 4] =
        [&["init"], &["check"], &["test"], &["explain", "--provider", "deepseek", "--status", "429"]];
    for arguments in commands {
        let (nobody, stdout) = std::io::pipe().unwrap();
        drop(nobody);
        let status =
            program(folder.path()).args(arguments).stdout(stdout).stderr(Stdio::null()).status().unwrap();
        assert_eq!(status.code(), Some(0), "{arguments:?}");
    }
    assert!(folder.read("rules/rules.yaml").contains("providers:"));
}

#[test]
fn rules_that_do_not_check_are_not_run() {
    let folder = Folder::new();
    folder.write("rules.yaml", "providers: [ 1\n");
    let (code, _, err) = run(&folder, &["run", "--rules", "rules.yaml", "--listen", "127.0.0.1:0"]);
    assert_eq!(code, 1, "{err}");
    assert!(err.contains("rules.yaml:"), "{err}");
}

#[tokio::test]
async fn it_runs_in_an_empty_folder_with_the_built_in_rules() {
    let first = Upstream::always(message("built in")).await;
    let settings = Settings::shipped().env("CLAUDE_BASE_URL", first.url()).env("CLAUDE_API_KEY", "k");
    let router = Router::with(settings).await;
    let answer = router.client().post("/v1/messages", ask()).await;
    assert_eq!(answer.json()["content"][0]["text"], "built in", "{}", router.log());
    router.logged(&["DEEPSEEK_API_KEY"]).await;
    let models = router.client().get("/v1/models").await.json();
    assert!(models["data"][0]["id"].is_string(), "{models}");
}

#[tokio::test]
async fn health_asks_a_running_router() {
    let (address, _port) = refusing();
    let router = Router::start(two(&address, &address)).await;
    let folder = Folder::new();
    let (code, out, err) = run(&folder, &["health", &router.address().to_string()]);
    assert_eq!(code, 0, "{out}{err}");
    assert!(out.contains("current_provider"), "{out}");
    let (code, _, err) = run(&folder, &["health", address.trim_start_matches("http://")]);
    assert_eq!(code, 1, "{err}");
}

#[tokio::test]
async fn the_demo_answers_from_the_second_provider_and_shows_why() {
    let folder = Folder::new();
    let router = Router::command(folder, &["demo", "--listen", "127.0.0.1:0"]).await;
    let answer = router.client().post("/v1/messages", ask()).await;
    assert_eq!(answer.status, 200, "{}\n{}", answer.text(), router.log());
    assert!(answer.text().contains("simulated deepseek"), "{}", answer.text());
    let mut streamed = ask();
    streamed["stream"] = json!(true);
    let answer = router.client().post("/v1/messages", streamed).await;
    assert!(answer.text().contains("event: message_stop"), "{}", answer.text());
    let health = router.client().get("/v1/health").await.json();
    assert_eq!(health["providers"]["claude_pro"], "cooling", "{health}");
    assert_eq!(health["details"]["claude_pro"]["rule"], "usage-limit", "{health}");
    router.logged(&["curl"]).await;
    router.logged(&["usage-limit"]).await;
}

#[tokio::test]
async fn the_variable_for_the_address_stands_for_the_option_whatever_the_rules_say() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = (taken.local_addr().unwrap().to_string(), taken);
    let rules = format!("listen: {}\n{}", taken.0, two("http://127.0.0.1:1", "http://127.0.0.1:1"));
    let folder = || {
        let folder = Folder::new();
        folder.write("rules.yaml", &rules);
        folder
    };
    let run = ["run", "--rules", "rules.yaml"];
    let free = ("RULEGATE_LISTEN", "127.0.0.1:0");
    // Before the rules, also where they do not read it; behind the option; and for the demo.
    Router::command_in(folder(), &run, &[free]).await;
    let option = [&run[..], &["--listen", "127.0.0.1:0"]].concat();
    Router::command_in(folder(), &option, &[("RULEGATE_LISTEN", &taken.0)]).await;
    let demo = Router::command_in(Folder::new(), &["demo"], &[free]).await;
    assert_ne!(demo.address().port(), 8000);

    let fails = |arguments: &[&str], listen: &str| {
        let folder = folder();
        let output = program(folder.path()).args(arguments).env("RULEGATE_LISTEN", listen).output().unwrap();
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    for arguments in [&run[..], &["demo"]] {
        let (code, wrong) = fails(arguments, &taken.0);
        let said = format!("cannot listen on {}: Address already in use", taken.0);
        assert!(code == Some(1) && wrong.contains(&said), "{wrong}");
        assert!(wrong.contains("another address with --listen HOST:PORT or RULEGATE_LISTEN"), "{wrong}");
        let (code, wrong) = fails(arguments, "8000");
        assert!(
            code == Some(2) && wrong.contains("RULEGATE_LISTEN is no address with a port: \"8000\""),
            "{wrong}"
        );
    }
    let (_, wrong) = fails(&["run"], "0.0.0.0:0");
    assert!(wrong.contains("set RULEGATE_KEY"), "{wrong}");
}
