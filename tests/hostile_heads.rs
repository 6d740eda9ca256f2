//! Request heads that want to be seen: long ones, and signs that break lines, move cursors or turn the writing around.

use crate::support::rules::{ask, two};
use crate::support::{Router, program};

/// A line break, a change of direction and a control character that are beyond ASCII, as they stand in a path.
const TRICKY: &str = "\u{2028}\u{202e}\u{85}";

fn is_hidden(sign: char) -> bool {
    rulegate::text::visible::is_hidden(sign) && !sign.is_ascii_whitespace()
}

fn without_colours(line: &str) -> String {
    line.replace('\u{1b}', "")
}

#[tokio::test]
async fn what_a_head_says_is_shown_in_one_line_of_bounded_length() {
    let rules = format!(
        "access: {{ keys: [ right ] }}\nadmin_key: right\n{}",
        two("http://127.0.0.1:9", "http://127.0.0.1:9")
    );
    let router = Router::start(rules).await;
    let (client, own) = (router.client(), router.client().with("x-api-key", "right"));
    let method = "M".repeat(2000);
    let mut ids = Vec::new();
    for path in [format!("/-/{TRICKY}{}", "x".repeat(20_000)), format!("/v1/{TRICKY}{}", "y".repeat(20_000))]
    {
        for asked in [&client, &own] {
            assert!([401, 404].contains(&asked.send("GET", &path, b"").await.status));
            let odd = asked.send(&method, &path, b"").await;
            assert!((400..500).contains(&odd.status), "{}", odd.status);
            ids.extend(odd.header("x-rulegate-request").map(str::to_owned));
        }
    }
    let mut model = ask();
    model["model"] = format!("{TRICKY}\u{1b}[31m").into();
    own.post("/v1/messages", model).await;
    let long =
        own.raw(format!("GET /{} HTTP/1.1\r\nhost: x\r\n\r\n", "z".repeat(70_000)).as_bytes(), "GET").await;
    assert!([414, 431].contains(&long.status), "{}", long.status);

    router.logged(&["/v1/", "yyy"]).await;
    for line in router.log().lines() {
        assert!(line.chars().count() < 700 && !without_colours(line).contains(is_hidden), "{line:?}");
    }
    let page = own.get("/-/decisions").await.text();
    assert!(!page.contains(is_hidden) && page.contains("\\u2028"), "{page}");
    assert!(page.len() < 40_000, "{}", page.len());
    assert!(!ids.is_empty());
    for id in ids.iter().map(String::as_str).chain(["last"]) {
        let mut explain = program(router.folder.path());
        explain.args(["explain", id, "--url", &router.url()]).env("RULEGATE_ADMIN_KEY", "right");
        let said = String::from_utf8(explain.output().unwrap().stdout).unwrap();
        assert!(!said.is_empty() && !said.contains(is_hidden), "{said:?}");
    }
}

#[test]
fn what_rules_hold_does_nothing_to_a_terminal() {
    let folder = crate::support::Folder::new();
    folder.write("rules.yaml", "providers:\n  \"a\u{2028}\u{202e}b\": { nonsense: \"c\u{2028}d\" }\n");
    let done = program(folder.path()).args(["check", "rules.yaml"]).output().unwrap();
    let said = String::from_utf8([done.stdout, done.stderr].concat()).unwrap();
    assert!(said.contains("nonsense") && !said.contains(is_hidden), "{said:?}");
}
