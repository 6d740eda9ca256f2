//! What an operator asks a running router on the command line: how it stands, why, and to do otherwise.

use std::process::Output;

use rulegate::edge::clock::Clock;
use serde_json::{Value, json};

use crate::support::rules::{ask, completion, message, two};
use crate::support::{Folder, Reply, Router, Serving, Time, Upstream, program};

/// Runs the program against this router, which the environment names.
fn run(router: &Router, arguments: &[&str]) -> (Option<i32>, String, String) {
    let mut command = program(router.folder.path());
    command.env("RULEGATE_URL", format!("http://{}", router.address())).args(arguments);
    let Output { status, stdout, stderr } = command.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (status.code(), text(stdout), text(stderr))
}

fn limit() -> Reply {
    let error =
        json!({ "type": "error", "error": { "type": "rate_limit_error", "message": "Daily limit reached" } });
    Reply::json(429, error).header("retry-after", 3600)
}

#[tokio::test]
async fn an_operator_sees_why_and_switches_clears_and_reloads_by_five_commands() {
    let first = Upstream::always(message("from first")).await;
    first.then(limit());
    let second = Upstream::always(completion("from second")).await;
    let router = Router::start(two(&first.url(), &second.url())).await;
    let asked = router.client().post("/v1/messages", ask()).await;
    assert_eq!(asked.header("x-rulegate-provider"), Some("second"));

    let (code, table, _) = run(&router, &["status"]);
    assert_eq!(code, Some(0), "{table}");
    for part in [
        "healthy, second is asked first",
        "first ",
        "cooling",
        "by rule limited",
        "429 \"Daily limit reached\" (rate_limit_error)",
        "1 answered by the next",
        "TOKENS IN  OUT\n",
        "0/1     3          5\n",
        "tokens and rules are counted since 2",
    ] {
        assert!(table.contains(part), "{part} is missing:\n{table}");
    }
    let (_, page, _) = run(&router, &["status", "--json"]);
    let page: Value = serde_json::from_str(&page).unwrap();
    assert_eq!(page["health"]["providers"]["first"], "cooling");
    assert_eq!(page["health"]["details"]["second"]["tokens"], json!({ "input": 3, "output": 5 }));
    assert!(table.lines().all(|line| line.chars().count() <= 80), "{table}");
    assert!(page["rules"].as_array().is_some_and(|rules| !rules.is_empty()));

    let (code, why, _) = run(&router, &["explain"]);
    assert_eq!(code, Some(0));
    assert!(why.contains("Daily limit reached") && why.contains("the client got 200 from second"), "{why}");

    let (code, said, _) = run(&router, &["clear", "first"]);
    assert_eq!(
        (code, said.as_str()),
        (Some(0), "first may be asked again; it was cooling down by rule limited\n")
    );
    let (code, said, _) = run(&router, &["switch", "second", "--for", "2h"]);
    assert!(code == Some(0) && said.starts_with("second is asked first until 2"), "{said}");
    let (code, said, _) = run(&router, &["switch", "auto"]);
    assert_eq!((code, said.as_str()), (Some(0), "the rules choose again: first is asked first\n"));
    let (code, _, wrong) = run(&router, &["switch", "frist"]);
    assert!(
        code == Some(1)
            && wrong.contains("answers 404: there is no provider \"frist\"; there are first, second, auto; did you mean first?"),
        "{wrong}"
    );
    let (code, _, wrong) = run(&router, &["switch", "second", "--for", "soon"]);
    assert!(code == Some(1) && wrong.contains("answers 400"), "{wrong}");
}

#[tokio::test]
async fn a_reload_by_the_command_line_says_what_is_wrong_and_where() {
    let first = Upstream::always(message("from first")).await;
    let rules = two(&first.url(), &first.url());
    let router = Router::start(rules.as_str()).await;
    let (code, said, _) = run(&router, &["reload"]);
    assert!(code == Some(0) && said.starts_with("the rules have not changed: "), "{said}");
    router.folder.write("rules.yaml", &format!("{rules}\ntimeots: {{}}\n"));
    let (code, _, wrong) = run(&router, &["reload"]);
    assert_eq!(code, Some(1), "{wrong}");
    assert!(wrong.contains("goes on running") && wrong.contains("error[unknown-key]"), "{wrong}");
    assert!(wrong.contains("did you mean `timeouts`?"), "{wrong}");
    router.folder.write("rules.yaml", &format!("{rules}\nlimits: {{ shutdown: 20 }}\n"));
    let (_, _, wrong) = run(&router, &["reload"]);
    assert!(wrong.contains("`20` lacks a unit: write `20s` for seconds"), "{wrong}");
    router.folder.write("rules.yaml", &format!("{rules}\nlimits: {{ body: 1MiB }}\n"));
    let (code, said, _) = run(&router, &["reload", "--json"]);
    assert!(code == Some(0) && said.contains("\"rules_version\""), "{said}");
}

#[tokio::test]
async fn health_tells_on_demand_whether_anybody_can_answer() {
    let first = Upstream::always(limit()).await;
    let router = Router::start(two(&first.url(), &first.url())).await;
    assert_eq!(run(&router, &["health", "--ready"]).0, Some(0));
    assert_eq!(router.client().get("/v1/health?ready").await.status, 200);
    router.client().post("/v1/messages", ask()).await;
    let ready = router.client().get("/v1/health?ready").await;
    assert_eq!((ready.status, &ready.json()["status"]), (503, &json!("unhealthy")));
    assert_eq!(router.client().get("/v1/health").await.status, 200);
    let (code, _, wrong) = run(&router, &["health", "--ready"]);
    assert!(code == Some(1) && wrong.contains("no provider can answer"), "{wrong}");
    assert_eq!(run(&router, &["health"]).0, Some(0));
    assert_eq!(run(&router, &["status"]).0, Some(1));
}

#[tokio::test(start_paused = true)]
async fn whether_anybody_can_answer_is_told_in_every_state() {
    let time = Time::hold();
    let error = |status: u16| Reply::json(status, json!({ "error": { "type": "x", "message": "no" } }));
    let (first, second) = (Upstream::start().await, Upstream::start().await);
    let rules = two(&first.url(), &second.url()).replace(
        "failover:",
        "failover:\n  - { name: gone, when: { status: 418 }, do: next, down: until_probed }\n  \
         - { name: paid, when: { status: 402 }, do: next, cool_down: { until: $header.retry-after, else: 30s, scope: key } }",
    );
    let rules = format!("{rules}\nhealth: [ {{ provider: [ first, second ], every: 1d, request: {{}} }} ]\n");
    let router = Serving::with(&rules, |options| {
        options.clock = Clock::timer(1_763_892_030_000);
        options.follow = false;
    });
    let router = router.await.unwrap_or_else(|error| panic!("{error}"));
    let client = router.client();
    let ready = async || {
        let answer = client.get("/v1/health?ready").await;
        let page = client.get("/v1/health").await;
        assert_eq!((page.status, answer.status == 200), (200, page.json()["status"] == "healthy"));
        let states = &page.json()["providers"];
        (
            answer.status,
            format!("{} {}", states["first"].as_str().unwrap(), states["second"].as_str().unwrap()),
        )
    };
    let fail = async |one: Reply, other: Reply| {
        first.then(one);
        second.then(other);
        client.post("/v1/messages", ask()).await;
    };
    let clear = async || {
        for name in ["first", "second"] {
            assert_eq!(client.post(&format!("/-/providers/{name}/clear"), "").await.status, 200);
        }
    };
    assert_eq!(ready().await, (200, "unknown unknown".to_owned()), "never asked");
    fail(error(500), completion("hi")).await;
    assert_eq!(ready().await, (200, "cooling available".to_owned()), "one of two");
    clear().await;
    fail(error(500), error(500)).await;
    assert_eq!(ready().await, (503, "cooling cooling".to_owned()), "by a guess");
    time.pass(std::time::Duration::from_secs(31)).await;
    assert_eq!(ready().await, (200, "available available".to_owned()), "half-open");
    clear().await;
    fail(error(429).header("retry-after", 60), error(429).header("retry-after", 60)).await;
    assert_eq!(ready().await, (503, "cooling cooling".to_owned()), "by a stated time");
    clear().await;
    fail(error(402), error(402)).await;
    assert_eq!(ready().await, (503, "cooling cooling".to_owned()), "their only keys");
    clear().await;
    fail(error(418), error(418)).await;
    assert_eq!(ready().await, (503, "down down".to_owned()), "until a probe");
    time.pass(std::time::Duration::from_secs(3600)).await;
    assert_eq!(ready().await.0, 503, "no time ends that");
    client.post("/v1/switch-provider", json!({ "provider": "second" })).await;
    assert_eq!(ready().await, (200, "down available".to_owned()), "chosen by hand");

    let text = router.folder.read("rules.yaml");
    let keyless = text
        .replace("key: first-key", "key: \"${NO_FIRST}\"")
        .replace("key: second-key", "key: \"${NO_SECOND}\"");
    let router = Serving::start(&keyless).await;
    let answer = router.client().get("/v1/health?ready").await;
    assert_eq!((answer.status, &answer.json()["providers"]["first"]), (503, &json!("down")), "no key");
}

#[tokio::test]
async fn a_router_that_is_not_there_is_told_so_by_every_command() {
    let first = Upstream::always(message("from first")).await;
    let router = Router::start(two(&first.url(), &first.url())).await;
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let nowhere = listener.local_addr().unwrap().to_string();
    drop(listener);
    for command in
        [&["status"][..], &["health"], &["reload"], &["explain"], &["clear", "first"], &["switch", "first"]]
    {
        let (code, _, wrong) = run(&router, &[command, &["--url", &nowhere]].concat());
        assert!(code == Some(1) && wrong.contains("is a router running there?"), "{command:?}: {wrong}");
    }
}

/// A port that says this to whoever connects, and closes the connection.
fn stranger(says: &'static [u8]) -> std::net::SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        while let Ok((mut connection, _)) = listener.accept() {
            // All of the request, so that the connection ends in good order.
            let mut seen = Vec::new();
            let mut piece = [0; 1024];
            while !seen.windows(4).any(|end| end == b"\r\n\r\n") && !seen.starts_with(&[0x16]) {
                match std::io::Read::read(&mut connection, &mut piece) {
                    Ok(count) if count > 0 => seen.extend_from_slice(&piece[..count]),
                    _ => break,
                }
            }
            let _ = std::io::Write::write_all(&mut connection, says);
        }
    });
    address
}

#[test]
fn whoever_else_answers_is_told_apart_from_a_router_by_every_command() {
    let folder = Folder::new();
    let page =
        b"HTTP/1.1 404 Not Found\r\ncontent-type: text/html; charset=utf-8\r\n\r\n<html>Not Found</html>";
    let error = b"HTTP/1.1 404 Not Found\r\ncontent-type: application/json\r\n\r\n{\"error\":{\"message\":\"no such route\"}}";
    let well = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n{\"status\":\"ok\"}";
    for (says, told) in [
        (&page[..], "that is no rulegate: ADDRESS answered 404 with text/html. "),
        (error, "that is no rulegate: ADDRESS answered 404 with application/json. "),
        (well, "that is no rulegate: ADDRESS answered 200 with application/json. "),
        (b"HTTP/1.1 200 OK\r\n\r\n", "that is no rulegate: ADDRESS answered 200 with no content-type. "),
        (b"220 mail.example ESMTP\r\n", "that is no rulegate: ADDRESS answered with what is no HTTP. "),
        (
            b"HTTP/1.1 400 Bad Request\r\ncontent-type: text/html\r\n\r\nThe plain HTTP request was sent to HTTPS port",
            "it speaks TLS: https:// is meant",
        ),
        (b"\x15\x03\x03\x00\x02\x02\x32", "it speaks TLS: https:// may be meant"),
        (b"", "it closed the connection; if it speaks TLS, https:// is meant"),
    ] {
        let address = stranger(says).to_string();
        for command in [
            &["status"][..],
            &["health"],
            &["reload"],
            &["explain"],
            &["clear", "a"],
            &["clear"],
            &["switch", "a"],
        ] {
            let mut program = program(folder.path());
            let output = program.env("RULEGATE_LISTEN", &address).args(command).output().unwrap();
            let wrong = String::from_utf8_lossy(&output.stderr).into_owned();
            assert_eq!(output.status.code(), Some(1), "{command:?}: {wrong}");
            assert!(wrong.contains(&told.replace("ADDRESS", &address)), "{command:?}: {wrong}");
            assert!(
                wrong.contains("Say where it is with --url HOST:PORT or RULEGATE_URL"),
                "{command:?}: {wrong}"
            );
            assert!(output.stdout.is_empty() && !wrong.contains("<html>"), "{command:?}: {wrong}");
        }
    }
    let address = format!("https://{}", stranger(page));
    let output = program(folder.path()).args(["status", "--url", &address]).output().unwrap();
    let wrong = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(wrong.contains("it does not speak TLS: http:// may be meant"), "{wrong}");
}
