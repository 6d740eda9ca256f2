use std::path::Path;
use std::sync::Arc;

use super::*;
use crate::config::builtin;
use crate::config::check::check;
use crate::config::files::{Disk, Files, Memory};
use crate::config::load::load;
use crate::engine;
use crate::text::diagnostic::Sources;

/// Loads, checks, builds and tests.
fn report(files: &dyn Files, path: &str) -> (Report, Sources) {
    let mut loaded = load(files, Path::new(path), &|_| None);
    let rules = loaded.rules.take();
    let rules = rules.unwrap_or_else(|| panic!("{}", loaded.diagnostics.render(&loaded.sources, false)));
    check(&rules, &mut loaded.diagnostics);
    let engine = engine::build(&rules, &loaded.hash, &mut loaded.diagnostics);
    let engine = engine.unwrap_or_else(|| panic!("{}", loaded.diagnostics.render(&loaded.sources, false)));
    (run(&Arc::new(engine), &rules), loaded.sources)
}

fn rendered(report: &Report, sources: &Sources) -> String {
    let mut diags = Diagnostics::new();
    report.tell(&mut diags);
    diags.render(sources, false)
}

#[test]
fn the_built_in_rules_pass_their_tests() {
    let (report, sources) = report(&Disk, &format!("{}rules.yaml", builtin::PREFIX));
    assert!(report.is_good(), "{} failed\n{}", report.failed.len(), rendered(&report, &sources));
    assert!(report.passed > 40);
}

#[test]
fn tests_come_out_the_same_where_all_providers_are_one_gateway_with_one_key() {
    let gateway = |name: &str| match name {
        name if name.ends_with("_BASE_URL") => Some("http://gateway.example".to_owned()),
        name if name.ends_with("_API_KEY") => Some("sk-of-the-gateway".to_owned()),
        _ => None,
    };
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/rules/shipped.yaml");
    let mut loaded = load(&Disk, &path, &gateway);
    let rules = loaded.rules.take().unwrap();
    let engine = Arc::new(engine::build(&rules, &loaded.hash, &mut loaded.diagnostics).unwrap());
    let ids: Vec<&str> = engine.providers.iter().map(|provider| provider.keys[0].id.as_str()).collect();
    assert!(ids.len() > 2 && ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    let report = run(&engine, &rules);
    assert!(report.is_good(), "{}", rendered(&report, &loaded.sources));
}

#[test]
fn providers_of_one_account_with_one_key_cool_down_together_and_a_name_keeps_them_apart() {
    let asked = |first: &str, second: &str, asked: &str| {
        let rules = format!(
            r#"
include: [ here.yaml ]
providers:
  one: {{ speaks: here, url: "http://a.example/one", key: "${{KEY}}" {first} }}
  two: {{ speaks: here, url: "http://a.example/two", key: "${{KEY}}" {second} }}
  three: {{ speaks: here, url: "http://b.example", key: none }}
routes: [ {{ path: /ask, protocol: here }} ]
failover: [ {{ name: limit, when: {{ status: 429 }}, do: next, cool_down: {{ for: 1h, scope: key }} }} ]
tests:
  - name: t
    request: {{ model: m, question: hm }}
    given: {{ one: {{ status: 429 }}, two: {{ body: {{ words: hi }} }}, three: {{ body: {{ words: hi }} }} }}
    expect: {{ asked: [ {asked} ] }}
"#
        );
        let mut files = small("", "");
        files.0.insert("rules.yaml".into(), rules.into_bytes());
        let (report, sources) = report(&files, "rules.yaml");
        assert!(report.is_good() && report.passed > 0, "{first} {second}: {}", rendered(&report, &sources));
    };
    let same = ", account: both";
    asked(same, same, "one, three");
    asked(", account: a", ", account: b", "one, two");
    asked("", ", account: b", "one, two");
    // What nobody said is one account live, and told by `check`; a test does not depend on it.
    asked("", "", "one, two");
}

#[test]
fn a_mapping_that_knows_its_provider_does_as_the_mapping_does() {
    let path = format!("{}rules.yaml", builtin::PREFIX);
    let mut loaded = load(&Disk, Path::new(&path), &|_| None);
    let rules = loaded.rules.take().unwrap();
    let engine = engine::build(&rules, &loaded.hash, &mut loaded.diagnostics).unwrap();
    let mut report = Report::default();
    for mapping in &rules.mappings {
        for test in &mapping.tests {
            report.add(&test.name, super::mapping::run_for_provider(&engine, &rules, mapping, test));
        }
    }
    assert!(report.is_good(), "{} failed\n{}", report.failed.len(), rendered(&report, &loaded.sources));
    assert!(report.passed > 200);
}

/// Rules with two protocols, a mapping and two providers, and these tests.
fn small(tests: &str, mapping_tests: &str) -> Memory {
    let or_none = |tests: &str| if tests.is_empty() { "  []".to_owned() } else { tests.to_owned() };
    let (tests, mapping_tests) = (or_none(tests), or_none(mapping_tests));
    let rules = format!(
        r#"
include: [ here.yaml, there.yaml, mapping.yaml ]
providers:
  one: {{ speaks: here, url: "http://one.example", key: "${{ONE_KEY}}" }}
  two: {{ speaks: there, url: "http://two.example", key: none, models: {{ "*": m2 }} }}
routes: [ {{ path: /ask, protocol: here }} ]
failover:
  - {{ name: busy, when: {{ status: 503 }}, do: {{ retry: 1, backoff: 1s, then: next }}, cool_down: 10s }}
  - {{ name: limit, when: {{ status: 429, text: 'until (?<at>\d+)' }}, do: next, cool_down: {{ until: [ $match.at ], else: 1h }} }}
  - {{ name: gone, when: {{ failure: [ connect, whole_timeout, cut_off, closed, in_stream ] }}, do: next, cool_down: 30s }}
  - {{ name: mistake, when: {{ status: 4xx }}, do: return }}
tests:
{tests}
"#
    );
    let here = r#"
protocol: here
send: { path: /ask }
auth: { header: x-pass, value: "pass {$key}" }
model: $.model
streaming: $.live
stream: { event: kind, content: { $.kind: word }, end: { $.kind: end }, error: { $.kind: error }, failed: { kind: error, why: $error.message } }
whole: { $.words: { is: string } }
error: { type: $.kind, message: $.why }
errors: { kind: $error.type, why: $error.message }
error_types: { default: trouble }
"#;
    let there = r#"
protocol: there
send: { path: /talk }
model: $.engine
streaming: $.stream
stream: { done: "[END]", error: $.oops }
whole: { $.text: { is: string } }
error: { message: $.oops, code: $.code }
errors: { oops: $error.message }
error_types: { default: trouble }
"#;
    let mapping = format!(
        r#"
mapping: {{ from: here, to: there }}
parameters: {{ tone: {{ default: kind }} }}
request:
  $if: $.bad
  $then: {{ $fail: {{ status: 400, type: refused, message: that is bad }} }}
  $else: {{ engine: $provider.model, stream: $.live, prompt: $.question, tone: $provider.tone }}
response: {{ words: $.text, model: $request.model }}
error: {{ status: {{ $switch: $status, $cases: {{ "418": 400 }}, $default: $status }}, headers: {{ retry-after: $header.retry-after }}, body: {{ kind: mapped, why: $error.message }} }}
stream:
  state: {{ done: false }}
  event:
    - when: $.t
      emit: {{ kind: word, word: $.t }}
      commit: true
    - when: $.over
      set: {{ done: true }}
  done: {{ when: $state.done, end: true, else: {{ fail: {{ status: 502, message: no end }} }} }}
  end: {{ emit: {{ kind: end }} }}
tests:
{mapping_tests}
"#
    );
    Memory::new([
        ("rules.yaml", rules.as_str()),
        ("here.yaml", here),
        ("there.yaml", there),
        ("mapping.yaml", mapping.as_str()),
    ])
}

fn good(tests: &str, mapping_tests: &str) {
    let (report, sources) = report(&small(tests, mapping_tests), "rules.yaml");
    assert!(report.is_good(), "{}", rendered(&report, &sources));
}

/// The messages of all that is wrong with the only test.
fn bad(tests: &str, mapping_tests: &str) -> Vec<String> {
    let (report, _) = report(&small(tests, mapping_tests), "rules.yaml");
    report.failed.iter().flat_map(|failure| failure.wrong.iter()).map(|wrong| wrong.message.clone()).collect()
}

#[test]
fn every_expectation_can_be_met() {
    good(
        r#"
  - name: waits, moves on, and tells
    at: 1755800000
    request: { model: m, question: hm }
    given:
      one: [ { status: 503 }, { status: 429, body: "until 1755800100" } ]
      two: { body: { text: Hi }, headers: { x-any: thing } }
    expect:
      provider: two
      rule: limit
      status: [ 200, 201 ]
      attempts: 3
      asked: [ one, one, two ]
      contains: [ Hi, words ]
      headers: { content-type: { contains: json }, x-rulegate-provider: two }
      body: { words: Hi, model: $any }
      one: { state: cooling, cooling_until: 1755800100, attempts: 2, headers: { x-pass: pass test-key } }
      two: { state: available, request: { engine: m2, prompt: hm, tone: kind }, headers: { x-pass: { is: absent } } }
  - name: conditions instead of values
    request: { model: m, question: hm }
    given: { one: { body: { words: Hi, more: [ 1, 2 ] } } }
    expect: { body: { $.words: { starts_with: H }, $.more: { length: 2 } }, one: { request: { $.question: hm, not: $.answer } } }
  - name: a stream
    request: { model: m, live: true }
    given:
      one: { stream: [ { kind: error, why: no } ] }
      two: { stream: [ { t: Hi }, { t: you }, { over: true }, "[END]" ] }
    expect: { provider: two, rule: gone, body: [ { kind: word, word: Hi }, $any, { kind: end } ], contains: "event: word", one: { cooling_for: 30s } }
  - name: a stream that breaks when it has begun
    request: { model: m, live: true }
    given: { one: { stream: [ { kind: word } ], failure: closed } }
    expect: { provider: one, status: 200, contains: "event: error", one: { cooling_for: 30s } }
  - name: an answer that comes too late
    request: { model: m }
    given: { one: { after: 10m, body: { words: late } }, two: { body: { text: x } } }
    expect: { rule: gone, provider: two, one: { cooling_for: 30s } }
  - name: a request that is none
    request: nonsense
    expect: { status: 400, asked: [], contains: no JSON }
"#,
        r#"
  - { name: a request, model: m2, request: { model: m, question: q }, expect: { engine: m2, prompt: q, tone: kind } }
  - { name: refused, request: { bad: true }, expect: { fail: { status: 400, type: refused } } }
  - { name: an answer, request: { model: m }, response: { text: t }, expect: { words: t, model: m } }
  - { name: an error, error: { status: 418, headers: { retry-after: "3" }, body: { oops: hot } }, expect: { status: 400, headers: { retry-after: "3" }, body: { kind: mapped, why: hot } } }
  - { name: a bare error, status: 500, error: { oops: cold }, expect: { status: 500, body: { kind: mapped, why: cold } } }
  - { name: a stream, stream: [ { t: a }, { over: true }, "[END]" ], expect: [ { kind: word, word: a }, { kind: end } ] }
  - { name: a cut stream, stream: [ { t: a } ], expect: [ $any, { fail: { status: 502 } } ] }
"#,
    );
}

#[test]
fn every_expectation_can_be_missed() {
    let found = bad(
        r#"
  - name: all wrong
    request: { model: m }
    given: { one: { status: 429, body: "until 1767225700" }, two: { body: { text: Hi } } }
    expect:
      provider: one
      rule: mistake
      status: 5xx
      attempts: 1
      asked: [ one ]
      contains: Hello
      headers: { content-type: text/plain }
      body: { words: 1, more: true }
      one: { state: down, cooling_until: 1767225601, cooling_for: 1s, attempts: 2, request: { $.model: n, $.words: { is: string } } }
      two: { headers: { x-pass: pass } }
"#,
        "",
    );
    let wanted = [
        "expected the answer of one, got that of two",
        "expected rule mistake to decide last, got limit",
        "expected status 5xx, got 200",
        "expected 1 attempts, got 2",
        "expected one to be asked, got one, two",
        r#"the client's answer does not contain this; it is {"words":"Hi","model":"m"}"#,
        r#"expected $.words to be 1, it is "Hi""#,
        "expected $.more, which is not there",
        r#"$.model is not expected, and is "m""#,
        r#"expected "text/plain", it is "application/json""#,
        "expected one to be down, it is cooling",
        "one is cooling down until 1767225700s (99s later than expected)",
        "expected one to cool down for 1s, it is cooling down for 100s",
        "expected 2 attempts, got 1",
        r#"expected "n", it is "m""#,
        r#"expected {"is":"string"}, it is nothing"#,
        r#"expected "pass", it is nothing"#,
    ];
    assert_eq!(found, wanted);
}

#[test]
fn mappings_tell_what_they_made() {
    let found = bad(
        "",
        r#"
  - { name: a request, request: { question: [ 1, 2 ] }, expect: { prompt: [ 1 ], tone: loud } }
  - { name: no refusal, request: { question: q }, expect: { fail: { status: 400 } } }
  - { name: another refusal, request: { bad: true }, expect: { fail: { status: 422, details: {}, words: x } } }
  - { name: a refusal, request: { bad: true }, expect: {} }
  - { name: an error, error: { status: 418, body: { oops: hot } }, expect: { status: 418, headers: { retry-after: "1" }, body: { kind: mapped, why: cold } } }
  - { name: a stream, stream: [ { t: a } ], expect: [ { kind: word, word: b }, { kind: end } ] }
"#,
    );
    let wanted = [
        "expected 1 items in $.prompt, there are 2: 2",
        r#"expected $.tone to be "loud", it is "kind""#,
        "$.engine is not expected, and is \"\"",
        "a failure was expected, and nothing failed",
        "expected status to be 422, it is 400",
        "the failure has no details",
        "a failure has status, type, message and details, no more",
        "it fails with status 400: that is bad",
        "the status is 400",
        "there is no header retry-after",
        r#"expected $.why to be "cold", it is "hot""#,
        r#"expected $[0].word to be "b", it is "a""#,
        "expected 2 items in $, there are 1",
        "it fails with status 502: the stream was cut off before its end",
    ];
    assert_eq!(found, wanted);
}

#[test]
fn a_failure_points_at_the_expectation_and_tells_what_happened() {
    let files = small(
        r#"
  - name: wishful thinking
    request: { model: m }
    given: { one: { status: 429, body: "not now" } }
    expect: { rule: limit, status: 429 }
"#,
        "",
    );
    let (report, sources) = report(&files, "rules.yaml");
    assert_eq!((report.passed, report.total()), (0, 1));
    let said = rendered(&report, &sources);
    for part in [
        "error[test-failed]: the test \"wishful thinking\" fails",
        "rules.yaml:17:21",
        "expected rule limit to decide last, got mistake",
        "attempt 1: asking one for m",
        "rule limit does not fire for one: the text \"not now\" does not match /until (?<at>\\d+)/",
        "rule mistake fires for one: status 429 is 4xx",
    ] {
        assert!(said.contains(part), "no {part:?} in\n{said}");
    }
}

#[test]
fn a_provider_that_is_asked_needs_an_answer() {
    let found = bad(
        "\n  - { name: t, request: { model: m }, given: { one: { failure: connect } }, expect: { provider: two } }\n",
        "",
    );
    assert_eq!(found, ["two is asked, and `given` does not say what it answers"]);
}

/// Rules that take this text in the place of a mapping inside the program: is it as shipped, and what does a load
/// find wrong with it?
fn proved(name: &str, mapping: &str) -> (bool, String) {
    let (from, to) = name.trim_start_matches("mappings/").trim_end_matches(".yaml").split_once("--").unwrap();
    let main = format!(
        r#"
include: ["builtin:protocols/*.yaml", mapping.yaml]
providers:
  one: {{ speaks: {to}, url: "http://one.example", key: none }}
routes:
  - {{ path: /ask, protocol: {from} }}
"#
    );
    let files = Memory::new([("rules.yaml", main.as_str()), ("mapping.yaml", mapping)]);
    let mut loaded = load(&files, Path::new("rules.yaml"), &|_| None);
    let rules = loaded.rules.take().unwrap();
    let engine = engine::build(&rules, &loaded.hash, &mut loaded.diagnostics);
    let engine = engine.unwrap_or_else(|| panic!("{}", loaded.diagnostics.render(&loaded.sources, false)));
    prove(&rules, &Arc::new(engine), &mut loaded.diagnostics);
    let is_shipped = rules.mappings.iter().all(|mapping| rules.is_shipped_mapping(mapping));
    (is_shipped, loaded.diagnostics.render(&loaded.sources, false))
}

#[test]
fn a_load_tests_what_differs_from_what_is_inside_the_program() {
    let (name, shipped) = builtin::FILES.iter().find(|(name, _)| name.starts_with("mappings/")).unwrap();
    assert_eq!(proved(name, shipped), (true, String::new()));
    let wishful = "\n  - { name: wishful, request: {}, expect: { wishful: true } }\n";
    let (is_shipped, found) = proved(name, &format!("{}{wishful}", shipped.trim_end()));
    assert!(!is_shipped && found.contains("the test \"wishful\" fails"), "{found}");
}

#[test]
fn the_key_of_a_client_is_gone_before_routes_are_looked_at_as_it_is_live() {
    let rules = |access: &str, expected: &str| {
        format!(
            r#"
{access}
providers: {{ one: {{ speaks: p, url: "http://one", key: k }}, two: {{ speaks: p, url: "http://two", key: k }} }}
routes:
  - {{ path: /x, protocol: p, providers: [ two ], when: {{ header: {{ x-api-key: team-a }} }} }}
  - {{ path: /x, protocol: p, providers: [ one ] }}
tests:
  - name: of team a
    headers: {{ x-api-key: team-a }}
    request: {{ model: m }}
    given: {{ "*": {{ status: 200, body: {{ ok: true }} }} }}
    expect: {{ provider: {expected} }}
include: [ p.yaml ]
"#
        )
    };
    for (access, expected) in [("", "two"), ("access: { keys: [ some-key-of-clients ] }", "one")] {
        let text = rules(access, expected);
        let files =
            Memory::new([("rules.yaml", text.as_str()), ("p.yaml", "protocol: p\nsend: { path: /x }\n")]);
        let (report, sources) = report(&files, "rules.yaml");
        assert!(report.is_good(), "{access}: {}", rendered(&report, &sources));
    }
}
