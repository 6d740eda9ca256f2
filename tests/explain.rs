//! `rulegate explain`: asked of rules, and of a router that runs.

use std::process::{Output, Stdio};

use serde_json::{Value, json};

use crate::support::rules::{FAILOVER, ask, two};
use crate::support::{Folder, Reply, Router, Upstream, program};

/// Two providers; the second has a rule of its own.
fn rules() -> String {
    two("http://127.0.0.1:9", "http://127.0.0.1:9").replace(
        "models: { \"*\": second-model }",
        "models: { \"*\": second-model }, failover: [ { name: mine, when: { status: 429, text: quota }, do: next, cool_down: { until: [ $header.retry-after ], else: 1h } } ]",
    )
}

fn folder() -> Folder {
    let folder = Folder::new();
    folder.write("rules.yaml", &rules());
    folder
}

/// Runs the command with this on its standard input.
fn run(folder: &Folder, arguments: &str, input: &str) -> Output {
    use std::io::Write;
    let mut command = program(folder.path());
    command.arg("explain").args(arguments.split_whitespace());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

fn told(folder: &Folder, arguments: &str, input: &str) -> String {
    let output = run(folder, arguments, input);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{arguments}: {said}");
    String::from_utf8(output.stdout).unwrap()
}

fn json_of(folder: &Folder, arguments: &str, input: &str) -> Value {
    serde_json::from_str(&told(folder, &format!("{arguments} --json"), input)).unwrap()
}

#[test]
fn it_says_which_rule_fires_why_the_earlier_ones_do_not_and_what_follows() {
    let folder = folder();
    let text =
        told(&folder, "--provider first --status 429 --header retry-after:60 --body - --at 1772359200", "{}");
    for part in [
        "first on POST /v1/messages",
        "passes usage-limit",
        "the text \"{}\" does not match /usage limit reached",
        "rules.yaml:",
        "fires  limited",
        "status 429 is 429",
        "-> next (rule limited)",
        "first is cooling down until 2026-03-01T10:01:00Z",
        "$header.retry-after says 60",
        "second is asked",
    ] {
        assert!(text.contains(part), "{part:?} is missing in:\n{text}");
    }
    assert!(!text.contains("broken"), "the rules after the one that fires say nothing:\n{text}");
    let page = json_of(&folder, "--provider second --status 429 --body -", "your quota is used up");
    assert_eq!((&page["attempt"]["rule"], &page["attempt"]["action"]), (&json!("mine"), &json!("next")));
    assert_eq!(page["next"]["asks"], "first");
    let line = rules().lines().position(|line| line.contains("name: mine")).unwrap() + 1;
    assert_eq!(page["attempt"]["rules"][0]["at"], format!("rules.yaml:{line}"));
}

#[test]
fn rules_that_do_not_apply_are_one_line_unless_all_are_wanted() {
    let folder = folder();
    let text = told(&folder, "--provider second --status 500", "");
    let line = "4 rules do not apply: mine, usage-limit, overloaded, limited (--all says why)";
    assert!(text.contains(line) && !text.contains("passes") && text.contains("fires  broken"), "{text}");
    let text = told(&folder, "--provider second --status 500 --all", "");
    assert_eq!(text.matches("passes").count(), 4, "{text}");
    let text = told(&folder, "--provider second --status 418", "");
    assert!(text.contains(", broken, no-connection and 3 more (--all says why)"), "{text}");
}

#[test]
fn a_compressed_body_is_decoded_as_a_router_does() {
    use crate::support::coding::{Kind, packed};
    let folder = folder();
    std::fs::write(folder.file("body.gz"), packed(&[Kind::Gzip], "your quota is used up")).unwrap();
    let page =
        json_of(&folder, "--provider second --status 429 --header content-encoding:gzip --body body.gz", "");
    assert_eq!(page["attempt"]["rule"], "mine", "{page:#}");
    for (body, coding, why) in [("body.gz", "lzma", "lzma"), ("plain.txt", "gzip", "gzip")] {
        folder.write("plain.txt", "your quota is used up");
        let arguments =
            format!("--provider second --status 429 --header content-encoding:{coding} --body {body}");
        let output = run(&folder, &arguments, "");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(
            output.status.code() == Some(2) && said.contains("--body: the answer") && said.contains(why),
            "{said}"
        );
    }
}

#[test]
fn failures_retries_streams_and_good_answers_are_explained_too() {
    let folder = folder();
    let silent = json_of(&folder, "--provider first --failure first_byte_timeout", "");
    assert_eq!((&silent["attempt"]["rule"], &silent["next"]["asks"]), (&json!("silent"), &json!("second")));
    let busy = json_of(&folder, "--provider first --status 529", "");
    assert_eq!((&busy["attempt"]["action"], &busy["next"]["asks"]), (&json!("retry"), &json!("first")));
    let mistake = json_of(&folder, "--provider first --status 418", "");
    assert_eq!((&mistake["attempt"]["action"], &mistake["next"]["answers"]), (&json!("return"), &json!(418)));
    let word = "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"a\"}}\n\n";
    let broken = json_of(&folder, "--provider first --streaming --body - --failure reset", word);
    assert_eq!(
        (&broken["stream"]["ended"], &broken["attempt"]["rule"]),
        (&json!("broken"), &json!("hung-up")),
        "{broken:#}"
    );
    let early = json_of(
        &folder,
        "--provider first --streaming --body - --failure reset",
        "event: ping\ndata: {\"type\": \"ping\"}\n\n",
    );
    assert_eq!((&early["stream"], &early["next"]["asks"]), (&Value::Null, &json!("second")), "{early:#}");
    let message = r#"{"id":"m","type":"message","role":"assistant","content":[{"type":"text","text":"x"}]}"#;
    let good = json_of(&folder, "--provider first --body -", message);
    assert_eq!(
        (&good["attempt"]["outcome"], &good["next"]["answers"]),
        (&json!("answered"), &json!(200)),
        "{good:#}"
    );
    assert!(told(&folder, "--provider first --body -", message).contains("the client gets this answer"));
}

#[test]
fn the_order_is_the_providers_own_rules_then_everybodys() {
    let folder = folder();
    let text = told(&folder, "--order", "");
    let second = text.split("second on /v1/messages").nth(1).unwrap();
    let lines: Vec<&str> = second.lines().skip(1).collect();
    assert!(lines[0].contains("mine") && lines[0].contains("its own"), "{text}");
    assert!(lines[1].contains("usage-limit") && lines[1].contains("everybody's"), "{text}");
    let page = json_of(&folder, "--order --provider first", "");
    let names: Vec<&str> =
        page[0]["rules"].as_array().unwrap().iter().map(|it| it["rule"].as_str().unwrap()).collect();
    let written: Vec<&str> =
        FAILOVER.lines().filter_map(|line| line.split_once("name: ").map(|it| it.1)).collect();
    assert_eq!((page.as_array().unwrap().len(), names), (1, written));
}

#[test]
fn words_that_look_like_a_time_and_are_none_are_told() {
    let folder = Folder::new();
    folder.write(
        "rules.yaml",
        &rules().replace("[ $header.retry-after ], else: 1h", "[ $error.message ], else: 1h"),
    );
    let of = |message: &str| {
        let body = json!({ "error": { "message": message } }).to_string();
        told(&folder, "--provider second --status 429 --body - --at 1772359200", &body)
    };
    let text = of("Out of quota. Try again at 35:99 today.");
    let unclear = "`else` says 1h, since what $error.message says is understood as no time: \"35:99 today.\"";
    assert!(text.contains(unclear), "{text}");
    let text = of("Out of quota. Try again at 10:30 UTC.");
    assert!(text.contains("$error.message says 10:30 UTC"), "{text}");
    let text = of("Out of quota. Try again later.");
    assert!(text.contains("since the answer names no moment to come"), "{text}");
}

#[test]
fn a_question_that_makes_no_sense_is_answered_with_what_would() {
    let folder = folder();
    for (arguments, said) in [
        ("--status 429", "--provider NAME"),
        ("--provider first", "--status"),
        ("--provider frist --status 500", "did you mean first?"),
        ("--provider first --failure conect", "did you mean connect?"),
        ("--provider first --status 500 --route /v2", "/v2"),
        ("--provider first --status 500 --body nowhere.json", "nowhere.json"),
        ("--provider first --status 500 --header nonsense", "name:value"),
        ("--decision nowhere.json", "nowhere.json"),
        ("some-id --url ftp://127.0.0.1:1", "http://"),
    ] {
        let output = run(&folder, arguments, "");
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{arguments}: {text}");
        assert!(text.contains(said), "{arguments}: {text}");
    }
    folder.write("rules.yaml", "providers: {");
    assert_eq!(run(&folder, "--order", "").status.code(), Some(1));
}

#[tokio::test]
async fn a_running_router_is_asked_how_an_answer_came_about() {
    let first = Upstream::always(Reply::json(500, "{}")).await;
    let second = Upstream::always(crate::support::rules::completion("from second")).await;
    let router = Router::start(two(&first.url(), &second.url())).await;
    let answer = router.client().post("/v1/messages", ask()).await;
    let id = answer.header("x-rulegate-request").unwrap().to_owned();
    let folder = Folder::new();
    let text = told(&folder, &format!("{id} --url {}", router.url()), "");
    for part in [
        id.as_str(),
        "POST /v1/messages",
        "1 first",
        "status 500",
        "fires  broken",
        "-> next (rule broken)",
        "2 second",
        "answered",
        "the client got 200 from second",
    ] {
        assert!(text.contains(part), "{part:?} is missing in:\n{text}");
    }
    let saved = told(&folder, &format!("last --json --url {}", router.url()), "");
    assert_eq!(told(&folder, "--decision -", &saved), text);
    let unknown = run(&folder, &format!("nosuchid --url {}", router.url()), "");
    assert_eq!(unknown.status.code(), Some(1));
    let locked = Router::start(format!("admin_key: root-key\n{}", two(&first.url(), &second.url()))).await;
    assert_eq!(run(&folder, &format!("last --url {}", locked.url()), "").status.code(), Some(1));
}

#[tokio::test]
async fn the_latest_failures_are_listed_and_status_names_the_decision_that_began_a_cool_down() {
    let first = Upstream::always(crate::support::rules::message("from first")).await;
    let second = Upstream::always(crate::support::rules::completion("from second")).await;
    let router = Router::start(two(&first.url(), &second.url())).await;
    let folder = Folder::new();
    let list = format!("--list --url {}", router.url());
    assert_eq!(told(&folder, &list, ""), "nothing has failed as far as records are kept\n");
    router.client().post("/v1/messages", ask()).await;
    first.then(Reply::json(429, r#"{"error":{"message":"slow down"}}"#).header("retry-after", 3600));
    let answer = router.client().post("/v1/messages", ask()).await;
    let id = answer.header("x-rulegate-request").unwrap().to_owned();
    router.client().post("/v1/messages", ask()).await;
    let text = told(&folder, &list, "");
    assert_eq!(text.lines().count(), 2, "{text}");
    assert!(
        text.contains(&format!("{id} POST /v1/messages -> 200 from second\n  first: status 429")),
        "{text}"
    );
    assert_eq!(json_of(&folder, &list, "")["decisions"][0]["id"], id.as_str());
    let health = router.client().get("/v1/health").await.json();
    assert_eq!(health["details"]["first"]["request"], id.as_str(), "{health}");
    let output = program(router.folder.path()).args(["status", "--url", &router.url()]).output().unwrap();
    let table = String::from_utf8(output.stdout).unwrap();
    assert!(table.contains(&format!("by rule limited\n    (explain {id})")), "{table}");
}

#[test]
fn a_later_attempt_can_be_asked_about() {
    let folder = folder();
    let first = json_of(&folder, "--provider first --status 529", "");
    assert_eq!(
        (&first["attempt"]["number"], &first["next"]["asks"]),
        (&json!(1), &json!("first")),
        "{first}"
    );
    let second = json_of(&folder, "--provider first --status 529 --attempt 2", "");
    assert_eq!((&second["attempt"]["number"], &second["attempt"]["action"]), (&json!(2), &json!("next")));
    assert_eq!(second["next"]["asks"], "second", "{second}");
    let output = run(&folder, "--provider first --status 529 --attempt 3", "");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.code() == Some(2) && said.contains("after attempt 2 first is asked no more often"),
        "{said}"
    );
}

#[test]
fn a_stream_that_another_provider_goes_on_with_is_told() {
    let folder = folder();
    let rules =
        rules().replace("protocol: anthropic.messages }", "protocol: anthropic.messages, continue: true }");
    folder.write("rules.yaml", &rules);
    let event = |data: Value| format!("event: {}\ndata: {data}\n\n", data["type"].as_str().unwrap());
    let stream = event(json!({ "type": "message_start", "message": { "id": "msg_1" } }))
        + &event(
            json!({ "type": "content_block_start", "index": 0, "content_block": { "type": "text", "text": "" } }),
        )
        + &event(
            json!({ "type": "content_block_delta", "index": 0, "delta": { "type": "text_delta", "text": "one" } }),
        );
    let told = told(&folder, "--provider first --streaming --body - --failure reset", &stream);
    for part in ["fires  hung-up", "-> continue", "second is asked"] {
        assert!(told.contains(part), "{part}\n{told}");
    }
}

/// Three routes at one path.
fn routed(first: &str) -> String {
    let routes = "  - { name: vision, path: /v1/messages, protocol: anthropic.messages, when: { tokens: { above: 8000 } } }
  - { path: /v1/messages, protocol: anthropic.messages, when: { $header.x-team: night, $.max_tokens: { above: 100 } } }
  - { name: secret, path: /v1/messages, protocol: anthropic.messages, when: { $.metadata.note: other } }
  - { name: secret-header, path: /v1/messages, protocol: anthropic.messages, when: { $header.x-api-key: other } }
  - { name: rest, path: /v1/messages, protocol: anthropic.messages }";
    two(first, "http://127.0.0.1:9")
        .replace("  - { path: /v1/messages, protocol: anthropic.messages }", routes)
        .replace("key: first-key", "key: first-key-0123456789")
}

#[tokio::test]
async fn why_the_routes_above_do_not_apply_is_told_with_what_was_seen_and_no_secrets() {
    let first = Upstream::always(crate::support::rules::message("hi")).await;
    let router = Router::start(routed(&first.url())).await;
    let mut question = ask();
    question["metadata"] = json!({ "note": "the-prompts-words" });
    let client = router.client().with("x-team", "sk-ant-api03-0123456789abcdef0123456789abcdef");
    let answer =
        client.with("x-api-key", "clients-own-key-0123").post("/v1/messages", question.clone()).await;
    let id = answer.header("x-rulegate-request").unwrap();
    let record = router.client().get(&format!("/-/decisions/{id}")).await.json();
    let passed = &record["routes_passed_over"];
    let why = |place: usize| passed[place]["why"].as_str().unwrap_or_default();
    assert_eq!((&record["route"], passed.as_array().map(Vec::len)), (&json!("rest"), Some(4)), "{passed}");
    assert_eq!(passed[0]["route"], "vision");
    let counted =
        regex::Regex::new("^the request has about [0-9]+ tokens, which is not above 8000$").unwrap();
    assert!(counted.is_match(why(0)), "{passed}");
    assert_eq!(passed[1]["route"], "POST /v1/messages (2)");
    assert!(why(1).starts_with("$header.x-team is ") && why(1).ends_with("which does not fit"), "{passed}");
    let all = record.to_string();
    for secret in ["0123456789abcdef", "clients-own-key", "first-key-0123", "the-prompts-words"] {
        assert!(!all.contains(secret), "{secret}: {passed}");
    }
    let told = told(&router.folder, &format!("{id} --url {}", router.url()), "");
    assert!(told.contains("  route vision does not apply: the request has about "), "{told}");
    assert!(told.contains("  route rest applies\n"), "{told}");

    let client = router.client().with("x-team", "night");
    let answer = client.post("/v1/messages", question.clone()).await;
    let id = answer.header("x-rulegate-request").unwrap();
    let record = router.client().get(&format!("/-/decisions/{id}")).await.json();
    assert_eq!(record["routes_passed_over"][1]["why"], "$.max_tokens is 64, which does not fit");

    // What would be is asked by whoever has the request.
    let folder = Folder::new();
    folder.write("rules.yaml", &routed("http://127.0.0.1:9"));
    folder.write("ask.json", &question.to_string());
    let page = json_of(&folder, "--provider first --status 500 --request ask.json", "");
    let why: Vec<&str> =
        page["routes_passed_over"].as_array().unwrap().iter().filter_map(|it| it["why"].as_str()).collect();
    assert_eq!(
        why[1..3],
        ["there is no $header.x-team", "$.metadata.note is \"the-prompts-words\", which does not fit"]
    );
}

#[tokio::test]
async fn where_no_route_takes_a_request_the_record_says_why_and_the_client_is_told_no_condition() {
    let rules = two("http://127.0.0.1:9", "http://127.0.0.1:9").replace(
        "protocol: anthropic.messages }",
        "protocol: anthropic.messages, when: { messages: { above: 2 } } }",
    );
    let router = Router::start(rules).await;
    let answer = router.client().post("/v1/messages", ask()).await;
    assert!(answer.status == 404 && !answer.text().contains("above 2"), "{}", answer.text());
    let id = answer.header("x-rulegate-request").unwrap();
    let record = router.client().get(&format!("/-/decisions/{id}")).await.json();
    let why = "; POST /v1/messages (1): the request has 1 message, which is not above 2";
    assert!(record["refused"].as_str().unwrap().ends_with(why), "{record}");
}

/// One rule with this condition, and why it fires or does not on an answer of the first provider.
fn why(when: &str, arguments: &str, input: &str) -> String {
    let folder = Folder::new();
    let failover = format!("\nfailover:\n  - {{ name: it, when: {when}, do: next }}\n");
    folder.write("rules.yaml", &two("http://127.0.0.1:9", "http://127.0.0.1:9").replace(FAILOVER, &failover));
    let page = json_of(&folder, &format!("--provider first --body - {arguments}"), input);
    page["attempt"]["rules"][0]["why"].as_str().unwrap_or_default().to_owned()
}

#[test]
fn each_kind_of_condition_says_what_it_saw() {
    let limit = r#"{"type":"error","error":{"type":"rate_limit_error","message":"slow down"}}"#;
    let answer = |words: &str| {
        json!({ "id": "m", "type": "message", "role": "assistant", "content": [{ "type": "text", "text": words }], "stop_reason": "end_turn" })
            .to_string()
    };
    let (short, long) = (answer("a word"), answer(&"limit reached ".repeat(30)));
    let table = [
        ("{ status: 500 }", "--status 429", limit, "status 429 is not 500"),
        ("{ status: 500 }", "--failure connect", "", "there is no status, so it is not 500"),
        ("{ header: { x-foo: a } }", "--status 429", limit, "there is no header x-foo"),
        (
            "{ header: { x-foo: a } }",
            "--status 429 --header x-foo:b",
            limit,
            "header x-foo is \"b\", which does not fit",
        ),
        (
            "{ header: { x-foo: { above: 3 } } }",
            "--status 429 --header x-foo:5",
            limit,
            "header x-foo is \"5\"",
        ),
        (
            "{ $.error.type: [ a, b ] }",
            "--status 429",
            limit,
            "$.error.type is \"rate_limit_error\", which does not fit",
        ),
        ("{ $.error.type: { not: a } }", "--status 429", limit, "$.error.type is \"rate_limit_error\""),
        ("{ $.error.code: { any: [ 1, { above: 5 } ] } }", "--status 429", limit, "there is no $.error.code"),
        ("{ \"$..code\": { is: present } }", "--status 429", limit, "there is no $..code"),
        ("$.error.code", "--status 429", limit, "there is no $.error.code"),
        (
            "{ not: { $.error.type: rate_limit_error } }",
            "--status 429",
            limit,
            "$.error.type is \"rate_limit_error\", which `not` rules out",
        ),
        ("{ not: { status: 500 } }", "--status 429", limit, "status 429 is not 500, as `not` wants"),
        ("{ text: quota }", "--status 429", limit, "the text \"slow down\" does not match /quota/"),
        ("{ text: quota }", "--status 429", "", "there is no text, so none that matches /quota/"),
        ("{ message: quota }", "--status 429", "{}", "there is no message, so none that matches /quota/"),
        (
            "{ any: [ { status: 500 }, { text: quota } ] }",
            "--status 429",
            limit,
            "status 429 is not 500, and the text \"slow down\" does not match /quota/",
        ),
        (
            "{ answer_text: limit }",
            "--status 429",
            limit,
            "what failed is no good answer, and only those have words of an answer",
        ),
        (
            "{ answer_text: limit }",
            "",
            &short,
            "the words of the answer \"a word\" do not match /^(?:limit)/",
        ),
        (
            "{ answer_text: limit }",
            "",
            &long,
            "there are no words of a short answer: the answer has more than 300 characters",
        ),
        ("{ failure: connect }", "--status 429", limit, "failure status is not connect"),
        ("{ status: 200, failure: connect }", "", &short, "nothing failed, so it is not connect"),
        ("{ body: html }", "--status 429", limit, "the body is json, which is not html"),
        ("{ phase: connect }", "--status 429", limit, "phase first_content is not connect"),
        ("{ committed: true }", "--status 429", limit, "the client had not begun to read"),
        ("{ model: \"gpt-*\" }", "--status 429 --model claude", limit, "model claude is not gpt-*"),
        ("{ provider: second }", "--status 429", limit, "provider first is not second"),
        ("{ route: /v2 }", "--status 429", limit, "route /v1/messages is not /v2"),
        ("{ key: team }", "--status 429", limit, "key key1 is not team"),
        ("{ attempt: { above: 1 } }", "--status 429", limit, "attempt is 1, which does not fit"),
        ("{ dropped: images }", "--status 429", limit, "nothing was dropped, so not images"),
        (
            "{ size: { above: 1MiB } }",
            "--status 429",
            limit,
            "the request has 99 bytes, which is not above 1MiB",
        ),
        (
            "{ messages: { above: 9 } }",
            "--status 429",
            limit,
            "the request has 1 message, which is not above 9",
        ),
        (
            "{ days: sun, zone: UTC+8 }",
            "--status 429 --at 1772445600",
            limit,
            "it is mon 18:00 in UTC+8, which is not sun",
        ),
    ];
    let wrong = table.iter().filter_map(|(when, arguments, input, expected)| {
        let said = why(when, arguments, input);
        (!said.starts_with(expected)).then(|| format!("{when}: {said:?}, and not {expected:?}"))
    });
    let wrong: Vec<String> = wrong.collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
