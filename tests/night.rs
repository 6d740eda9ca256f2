//! The night in docs/night.md is what the program prints: its commands are run against `rulegate demo`, and only times and ids
//! may differ.

use regex::Regex;
use serde_json::json;

use crate::support::rules::ask;
use crate::support::{Document, Folder, Router, program};

/// What is printed, without what is another each time: ids, versions, moments and lengths of time, and the width of columns.
fn lasting(printed: &str) -> String {
    let changes = [
        (r"\b[a-z0-9]{24}\b", "ID"),
        (r"\brules [0-9a-f]{12}\b", "rules VERSION"),
        (r"\b\d{4}-\d\d-\d\dT[\d:.]+Z", "MOMENT"),
        (r"\|\d{10}\b", "|SECONDS"),
        (r"\b\d+ ms\b|\b(?:\d+(?:ms|[dhms]))+\b", "TIME"),
        (r"_ms=\d+", "_ms=TIME"),
        (r"[ \n]+", " "),
    ];
    changes.iter().fold(printed.trim().to_owned(), |text, (pattern, name)| {
        Regex::new(pattern).unwrap().replace_all(&text, *name).into_owned()
    })
}

#[tokio::test]
async fn the_night_is_what_the_program_prints() {
    let router = Router::command(Folder::new(), &["demo", "--listen", "127.0.0.1:0"]).await;
    let mut question = ask();
    question["model"] = json!("claude-sonnet-4-6");
    question["stream"] = json!(true);
    let mut last = String::new();
    for _ in 0..3 {
        let answer = router.client().post("/v1/messages", question.clone()).await;
        assert!(answer.text().contains("event: message_stop"), "{}", answer.text());
        last = answer.header("x-rulegate-request").unwrap().to_owned();
    }
    let line = router.logged(&["INFO", "request", &last]).await;

    let page = Document::open("docs/night.md");
    // One night: if a part is not current, all of it is written anew.
    let mut is_current = true;
    let mut current = Vec::new();
    let mut printed = String::new();
    for block in page.blocks() {
        if block.language() == "sh" {
            for command in block.text.lines() {
                let words = command.split_whitespace();
                let mut program = program(router.folder.path());
                let program =
                    program.env("RULEGATE_URL", router.url()).args(words.skip_while(|it| *it == "rulegate"));
                let output = program.output().unwrap();
                assert!(output.status.success(), "{command}\n{}", String::from_utf8_lossy(&output.stderr));
                printed += &String::from_utf8(output.stdout).unwrap();
            }
            continue;
        }
        let now = match std::mem::take(&mut printed) {
            text if text.is_empty() => format!("{}\n", &line[line.find("INFO").unwrap()..]),
            text => text,
        };
        is_current &= lasting(&now) == lasting(&block.text);
        current.push((block.range, now));
    }
    assert!(printed.is_empty(), "a command of the page has no output there");
    page.expect(if is_current { Vec::new() } else { current });
}
