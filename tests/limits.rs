//! Limits in whatever words, with whatever status, from every provider of the catalogue and from one that nobody knows: the
//! next provider is asked, after a pause of the right size; a client's own mistake is given back. Through the door of
//! `rulegate explain`, against the shipped rules.

mod words;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use http::HeaderMap;
use rulegate::config::check::check;
use rulegate::config::files::Memory;
use rulegate::config::load::load;
use rulegate::engine::{Engine, build};
use rulegate::proof::explain::{Explained, Next, Question, explain};
use serde_json::{Value, json};
use words::{ANSWERS, MISTAKES, NOTICES, Pause, SAID, SECOND, shapes, stated};

/// 2026-09-11, 14:45:20 UTC; a Friday.
const AT: i64 = 1_789_137_920_000;

/// The shipped rules, with each file of the catalogue as a provider, and two that no file knows.
fn engine() -> (Arc<Engine>, Vec<String>) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("rules");
    let mut files: BTreeMap<PathBuf, Vec<u8>> = BTreeMap::new();
    let mut names = Vec::new();
    for folder in ["protocols", "mappings", "catalog"] {
        for entry in std::fs::read_dir(root.join(folder)).unwrap().map(|entry| entry.unwrap().path()) {
            let name = entry.file_name().unwrap().to_str().unwrap().to_owned();
            if folder == "catalog" {
                names.extend(name.strip_suffix(".yaml").map(str::to_owned));
            }
            files.insert(PathBuf::from(format!("/rules/{folder}/{name}")), std::fs::read(entry).unwrap());
        }
    }
    names.sort();
    let mut providers = String::from("\nproviders:\n");
    for name in &names {
        providers +=
            &format!("  {name}: {{ uses: catalog/{name}, url: \"http://{name}.test\", priority: 1 }}\n");
    }
    for (name, protocol) in [("stranger", "openai.chat"), ("other-stranger", "anthropic.messages")] {
        providers += &format!(
            "  {name}: {{ speaks: {protocol}, url: \"http://{name}.test\", key: k, priority: 1 }}\n"
        );
        names.push(name.to_owned());
    }
    providers += "  spare: { speaks: openai.chat, url: \"http://spare.test\", key: spare }\n";
    let shipped = std::fs::read_to_string(root.join("rules.yaml")).unwrap();
    let (head, rest) = shipped.split_once("\nproviders:\n").unwrap();
    let (_, rest) = rest.split_once("\nmodels:").unwrap();
    let (rules, _) = rest.split_once("\nhealth:").unwrap();
    let text = format!("{head}{providers}\nmodels:{rules}");
    let main = PathBuf::from("/rules/rules.yaml");
    files.insert(main.clone(), text.into_bytes());
    let mut loaded =
        load(&Memory(files), &main, &|name| name.ends_with("_KEY").then(|| format!("some-key-{name}")));
    let rules = loaded
        .rules
        .take()
        .unwrap_or_else(|| panic!("{}", loaded.diagnostics.render(&loaded.sources, false)));
    check(&rules, &mut loaded.diagnostics);
    let engine = build(&rules, &loaded.hash, &mut loaded.diagnostics);
    (
        Arc::new(engine.unwrap_or_else(|| panic!("{}", loaded.diagnostics.render(&loaded.sources, false)))),
        names,
    )
}

/// An answer of a provider to a client of the path's protocol.
struct Said<'s> {
    provider: &'s str,
    path: &'s str,
    status: u16,
    headers: HeaderMap,
    body: String,
    streaming: bool,
    asked: &'s str,
}

impl<'s> Said<'s> {
    fn new(provider: &'s str, status: u16, body: impl Into<String>) -> Said<'s> {
        let headers = HeaderMap::new();
        Said {
            provider,
            path: "/v1/messages",
            status,
            headers,
            body: body.into(),
            streaming: false,
            asked: "Hello",
        }
    }

    fn explained(&self, engine: &Arc<Engine>) -> Explained {
        let request = json!({ "model": "some-model", "max_tokens": 16, "stream": self.streaming,
            "messages": [{ "role": "user", "content": self.asked }] });
        let question = Question {
            provider: self.provider.to_owned(),
            status: Some(self.status),
            headers: self.headers.clone(),
            body: self.body.clone().into(),
            failure: None,
            path: Some(self.path.to_owned()),
            model: "some-model".to_owned(),
            request: Some(request.to_string().into()),
            streaming: self.streaming,
            attempt: 1,
            at: AT,
        };
        explain(engine, &question).unwrap_or_else(|error| panic!("{}: {error}", self.provider))
    }
}

/// For how long the provider is left alone.
fn pause(explained: &Explained) -> Option<i64> {
    let attempt = explained.decision.attempts.last()?;
    attempt.cool_downs.iter().filter_map(|it| it.until).max().map(|until| until - AT)
}

fn rule(explained: &Explained) -> &str {
    explained.decision.attempts.last().and_then(|it| it.rule.as_deref()).unwrap_or("no rule")
}

/// What is wrong with what comes of it, if anything.
fn wrong(said: &Said<'_>, engine: &Arc<Engine>, expected: Option<Pause>) -> Option<String> {
    let explained = said.explained(engine);
    let pause = pause(&explained);
    // The same provider may be asked once more: if that helps, nobody need go elsewhere.
    let goes_on = matches!(explained.next, Next::Asks { .. });
    let is_right = match expected {
        Some(expected) => goes_on && expected.fits(pause),
        None => !goes_on && pause.is_none(),
    };
    let pause = pause.map_or("no pause".to_owned(), |pause| format!("{} s", pause / SECOND));
    (!is_right).then(|| {
        let body: String = said.body.chars().take(120).collect();
        format!(
            "{} {} {}: {expected:?}, but {} ({pause}, {:?}): {body}",
            said.provider,
            said.path,
            said.status,
            rule(&explained),
            explained.next
        )
    })
}

/// Nothing may be wrong.
fn assert_right(wrong: Vec<String>, of: usize) {
    assert!(wrong.is_empty(), "{} of {of} are wrong:\n{}", wrong.len(), wrong.join("\n"));
}

const PATHS: [&str; 2] = ["/v1/messages", "/v1/chat/completions"];

#[test]
fn limits_in_words_lead_to_the_next_provider_with_any_status_and_any_shape() {
    let (engine, names) = engine();
    let (mut all, mut failed) = (0, Vec::new());
    for (turn, name) in names.iter().enumerate() {
        for (place, (said, expected)) in SAID.iter().enumerate() {
            let shapes = shapes(said);
            for status in [400, 403, 429, 200] {
                // Everything with those that nobody knows; with the others each shape in turn.
                let first = (turn + place + usize::from(status)) % shapes.len();
                let count = if name.contains("stranger") { shapes.len() } else { 1 };
                for shape in shapes.iter().cycle().skip(first).take(count) {
                    let path = PATHS[(place + turn) % 2];
                    let case = Said { path, ..Said::new(name, status, shape) };
                    all += 1;
                    failed.extend(wrong(&case, &engine, Some(*expected)));
                }
            }
        }
    }
    assert_right(failed, all);
}

#[test]
fn a_stated_time_is_taken_wherever_it_stands() {
    let (engine, _) = engine();
    for (provider, path) in [("stranger", PATHS[0]), ("stranger", PATHS[1]), ("other-stranger", PATHS[0])] {
        for (status, headers, body, expected) in stated() {
            let mut said = Said { path, ..Said::new(provider, status, body.to_string()) };
            for (name, value) in headers {
                said.headers.insert(name, value.parse().unwrap());
            }
            let explained = said.explained(&engine);
            assert_eq!(
                pause(&explained),
                Some(expected),
                "{provider}: {:?} {body}, by {}",
                said.headers,
                rule(&explained)
            );
            assert!(matches!(explained.next, Next::Asks { .. }), "{provider}: {body}");
        }
    }
}

#[test]
fn a_time_without_a_zone_is_read_in_that_of_its_provider_and_says_so() {
    let (engine, _) = engine();
    let body = json!({ "type": "error", "error": { "type": "rate_limit_error", "code": "1308",
        "message": "[1308][Usage limit reached for 5 hour. Your limit will reset at 2026-09-12 00:35:41][20260912aaaa0001]" } });
    for (provider, zone, hours) in
        [("glm-anthropic", "Asia/Shanghai", 1), ("glm", "Asia/Shanghai", 1), ("stranger", "UTC", 9)]
    {
        let explained = Said::new(provider, 429, body.to_string()).explained(&engine);
        let from = explained.decision.attempts[0].cool_down_from.clone().unwrap();
        assert!(from.contains(&format!("2026-09-12 00:35:41 (read in {zone})")), "{provider}: {from}");
        assert_eq!(pause(&explained).unwrap() / (3600 * SECOND), hours, "{provider}: {from}");
    }
}

#[test]
fn a_clients_own_mistake_is_given_back_whatever_it_quotes() {
    let (engine, names) = engine();
    let (mut all, mut failed) = (0, Vec::new());
    for (turn, name) in names.iter().enumerate() {
        for (place, mistake) in MISTAKES.iter().enumerate() {
            let body = match place % 2 {
                0 => {
                    json!({ "type": "error", "error": { "type": "invalid_request_error", "message": mistake } })
                }
                _ => {
                    json!({ "error": { "type": "invalid_request_error", "message": mistake, "param": null, "code": null } })
                }
            };
            let case = Said { path: PATHS[turn % 2], ..Said::new(name, 400, body.to_string()) };
            all += 1;
            failed.extend(wrong(&case, &engine, None));
        }
    }
    // Where the body says by itself that it is about the request.
    let param = json!({ "error": { "message": "rate limit exceeded", "type": "invalid_request_error", "param": "messages" } });
    let detail = json!({ "detail": [{ "loc": ["body", "messages"], "msg": "quota exceeded", "input": "usage limit reached" }] });
    for (status, body) in [(400, param), (422, detail)] {
        all += 1;
        failed.extend(wrong(&Said::new("stranger", status, body.to_string()), &engine, None));
    }
    assert_right(failed, all);
}

/// An answer with these words, whole or as a stream, in the words of the provider's protocol.
fn answer(engine: &Engine, provider: &str, words: &str, streaming: bool) -> String {
    let provider = engine.providers.iter().find(|it| it.name == provider).unwrap();
    let speaks_openai = provider.speaks[0].name == "openai.chat";
    let (head, tail) = words.split_at(words.char_indices().nth(5).map_or(words.len(), |(at, _)| at));
    let events = match (speaks_openai, streaming) {
        (true, false) => {
            let message = json!({ "role": "assistant", "content": words });
            return json!({ "id": "a", "object": "chat.completion", "choices": [{ "index": 0, "finish_reason": "stop", "message": message }] }).to_string();
        }
        (false, false) => {
            return json!({ "id": "m", "type": "message", "role": "assistant", "stop_reason": "end_turn", "content": [{ "type": "text", "text": words }] }).to_string();
        }
        (true, true) => {
            let chunk = |delta: Value, finish: Value| json!({ "id": "a", "object": "chat.completion.chunk", "choices": [{ "index": 0, "delta": delta, "finish_reason": finish }] });
            vec![
                chunk(json!({ "role": "assistant", "content": "" }), Value::Null),
                chunk(json!({ "content": head }), Value::Null),
                chunk(json!({ "content": tail }), Value::Null),
                chunk(json!({}), json!("stop")),
            ]
        }
        (false, true) => {
            let delta = |text: &str| json!({ "type": "content_block_delta", "index": 0, "delta": { "type": "text_delta", "text": text } });
            vec![
                json!({ "type": "message_start", "message": { "id": "m", "type": "message", "role": "assistant", "content": [] } }),
                json!({ "type": "content_block_start", "index": 0, "content_block": { "type": "text", "text": "" } }),
                delta(head),
                delta(tail),
                json!({ "type": "content_block_stop", "index": 0 }),
                json!({ "type": "message_delta", "delta": { "stop_reason": "end_turn" }, "usage": { "output_tokens": 1 } }),
                json!({ "type": "message_stop" }),
            ]
        }
    };
    let named =
        |event: &Value| event["type"].as_str().map(|name| format!("event: {name}\n")).unwrap_or_default();
    let framed = events.iter().map(|event| format!("{}data: {event}\n\n", named(event)));
    framed.chain(speaks_openai.then(|| "data: [DONE]\n\n".to_owned())).collect()
}

#[test]
fn a_limit_that_comes_as_an_answer_is_none_whole_or_as_a_stream_native_or_mapped() {
    let (engine, names) = engine();
    let (mut all, mut failed) = (0, Vec::new());
    for (turn, name) in names.iter().enumerate() {
        for (place, (words, expected)) in NOTICES.iter().enumerate() {
            let counts =
                if name.contains("stranger") { 0..4 } else { (turn + place) % 4..(turn + place) % 4 + 1 };
            for count in counts {
                let (path, streaming) = (PATHS[count % 2], count / 2 == 1);
                let body = answer(&engine, name, words, streaming);
                let case = Said { path, streaming, ..Said::new(name, 200, body) };
                all += 1;
                failed.extend(wrong(&case, &engine, Some(*expected)));
            }
        }
    }
    assert_right(failed, all);
}

#[test]
fn an_answer_that_speaks_of_limits_stays_an_answer() {
    let (engine, names) = engine();
    let (mut all, mut failed) = (0, Vec::new());
    let long = format!("Usage limit reached. Please wait. {}", "It will be a long time. ".repeat(20));
    let mut check = |name: &str, words: &str, asked: &str, count: usize| {
        let (path, streaming) = (PATHS[count % 2], count / 2 % 2 == 1);
        let body = answer(&engine, name, words, streaming);
        let case = Said { path, streaming, asked, ..Said::new(name, 200, body) };
        all += 1;
        failed.extend(wrong(&case, &engine, None));
    };
    for (turn, name) in names.iter().enumerate() {
        for (place, words) in ANSWERS.into_iter().chain([long.as_str()]).enumerate() {
            check(name, words, "Hello", turn + place);
        }
        // Whoever asks for such words gets them; the catalogue's own rules for one command line's words apart.
        let asked = "Which message does the API give at its rate limit? Answer with it alone.";
        check(name, "Rate limit exceeded. Please try again later.", asked, turn);
    }
    assert_right(failed, all);
}

#[test]
fn the_catalogues_own_rules_read_the_header_of_the_ietf_too() {
    let (engine, names) = engine();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("rules/catalog");
    let mut wrong = Vec::new();
    let mut count = 0;
    for name in &names {
        let Ok(file) = std::fs::read_to_string(root.join(format!("{name}.yaml"))) else { continue };
        if !file.contains("$header.ratelimit,") {
            continue;
        }
        count += 1;
        let body = json!({ "error": { "message": "Rate limit exceeded", "type": "rate_limit_error" } });
        let path = if name.contains("anthropic") { PATHS[1] } else { PATHS[0] };
        let mut said = Said { path, ..Said::new(name, 429, body.to_string()) };
        said.headers.insert("ratelimit", r#""default";r=0;t=777"#.parse().unwrap());
        let explained = said.explained(&engine);
        if pause(&explained) != Some(777_000) {
            wrong.push(format!("{name}: {:?} by {}", pause(&explained), rule(&explained)));
        }
    }
    assert!(count > 10 && wrong.is_empty(), "{count}, {}", wrong.join("\n"));
}
