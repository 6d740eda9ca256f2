//! Looking rules up finds the same as reading them one after the other.

use crate::engine::failure::{FailureKind, Phase};
use crate::engine::judge::counts::Counts;
use crate::engine::judge::{Facts, Judged, RouteFacts, judge};
use crate::engine::testing::compiled;
use crate::engine::{Engine, Ms};
use crate::text::json::Doc;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue};
use proptest::prelude::*;
use proptest::sample::select;

const PROVIDERS: &str = r#"
providers: { one: { speaks: alpha.chat, url: "http://one.test", key: k } }
routes: [ { path: /alpha, protocol: alpha.chat } ]
"#;
const NOW: Ms = 1_700_000_000_000;

/// One fact, as YAML in a line.
fn fact() -> impl Strategy<Value = String> {
    select(vec![
        "status: 429",
        "status: [400, 5xx]",
        "status: 2xx",
        "status: [200, 503]",
        "text: 'limit reached'",
        "text: '(?i)SLOW down|busy'",
        "text: '[0-9]+ks?'",
        "text: [ 'a+', 'never so' ]",
        "text: '(?i)kiss'",
        "failure: [dns, tls]",
        "failure: [mapping, closed, reset]",
        "failure: [malformed, in_stream]",
        "$.trouble.kind: slow_down",
        "$.trouble.kind: [busy, other]",
        "$.trouble.kind: { not: busy }",
        "$.trouble: { is: present }",
        "header: { x-week: full }",
        "header: { x-week: [full, half], x-day: full }",
        "header: { x-day: { is: absent } }",
        "model: 'big-*'",
        "provider: one",
        "provider: [two]",
        "attempt: { above: 1 }",
        "dropped: mood",
        "message: 'limit reached'",
        "message: ['^aa$', 'busy']",
        "body: [html, json]",
        "answer_text: 'limit r'",
        "answer_text: ['please', 'in \\d']",
        "phase: connect",
        "phase: [first_byte, connect]",
        "phase: stream",
        "committed: true",
        "route: [ '/alpha', other ]",
        "size: { above: 99 }",
        "tokens: { below: 1 }",
        "messages: 0",
        "time: '00:00-22:00'",
        "days: tue-sun",
    ])
    .prop_map(str::to_owned)
}

fn condition() -> impl Strategy<Value = String> {
    let one = prop_oneof![fact().prop_map(|fact| format!("{{ {fact} }}")), Just("true".to_owned())];
    one.prop_recursive(3, 12, 3, |inner| {
        let several = proptest::collection::vec(inner.clone(), 1..4).prop_map(|parts| parts.join(", "));
        prop_oneof![
            3 => several.clone().prop_map(|parts| format!("{{ all: [ {parts} ] }}")),
            3 => several.prop_map(|parts| format!("{{ any: [ {parts} ] }}")),
            1 => inner.prop_map(|part| format!("{{ not: {part} }}")),
            2 => (fact(), fact()).prop_filter("each fact once", |(one, two)| {
                one.split(':').next() != two.split(':').next()
            }).prop_map(|(one, two)| format!("{{ {one}, {two} }}")),
        ]
    })
}

fn list() -> impl Strategy<Value = Vec<String>> {
    proptest::collection::vec(condition(), 1..20)
}

/// What a provider did: kind, status, body, headers, model, attempt.
type Outcome = (
    Option<FailureKind>,
    Option<u16>,
    &'static str,
    Option<&'static str>,
    Option<&'static str>,
    &'static str,
    u32,
    (Phase, bool),
);

fn outcome() -> impl Strategy<Value = Outcome> {
    let kinds: Vec<Option<FailureKind>> = FailureKind::ALL.iter().copied().map(Some).chain([None]).collect();
    let bodies = vec![
        "",
        "limit reached",
        "please slow DOWN",
        "in 12ks",
        "in 12\u{212A}\u{17F}",
        "\u{212A}I\u{17F}s me",
        r#"{"trouble":{"kind":"slow_down","text":"limit \u0072eached"}}"#,
        r#"{"trouble":{"kind":"busy","text":"aa"}}"#,
        r#"{"trouble":{"kind":7}}"#,
        r#"[{"trouble":{"kind":"other"}}]"#,
    ];
    let word = || select(vec![None, Some("full"), Some("half")]);
    (
        select(kinds),
        select(vec![None, Some(200), Some(400), Some(429), Some(503), Some(529), Some(777)]),
        select(bodies),
        word(),
        word(),
        select(vec!["big-1", "small"]),
        1u32..3,
        (select(vec![Phase::FirstByte, Phase::Content, Phase::Idle]), any::<bool>()),
    )
}

/// The rule that is looked up, and the one that is read.
fn both(
    engine: &Engine,
    (failure, status, body, week, day, model, attempt, (phase, committed)): Outcome,
) -> [Option<String>; 2] {
    // Where no answer begins there is no status.
    let no_head =
        failure.is_some_and(|kind| kind.is_of_connecting() || kind == FailureKind::FirstByteTimeout);
    let status = status.filter(|_| !no_head);
    // An answer that is no failure has a head, and its content has begun.
    let is_good = failure.is_none();
    let (status, phase) = if is_good { (status.or(Some(200)), Phase::Content) } else { (status, phase) };
    let mut headers = HeaderMap::new();
    let fields = [("x-week", week), ("x-day", day)];
    for (name, value) in fields.into_iter().filter_map(|(name, value)| Some((name, value?))) {
        headers.insert(name, HeaderValue::from_static(value));
    }
    let words = body;
    let body = Bytes::from_static(body.as_bytes());
    let read = engine.protocol("alpha.chat").unwrap().read_error(&body, &headers, status);
    let (null, dropped, counts) = (Doc::null(), ["mood".to_owned()], Counts::new(100));
    let facts = Facts {
        failure,
        status,
        came: None,
        headers: &headers,
        body: &body,
        read: &read,
        answer: is_good.then_some(words),
        unheard: None,
        request: &null,
        counts: &counts,
        model,
        provider_doc: None,
        provider: "one",
        key: "",
        sent_key: None,
        zone: None,
        route: RouteFacts { name: None, path: "/alpha", holes: None, messages: None },
        attempt,
        phase,
        committed,
        dropped: &dropped,
        now: NOW,
        chance: 0.0,
    };
    let rules = &engine.providers.first().unwrap().rules;
    let found = |said| {
        let judged = Judged::new(&facts, &engine.texts);
        // A rule that has nothing left to do is passed over in both.
        let is_spent = |rule: &crate::engine::judge::Rule| rule.name.ends_with('7');
        judge(rules, &judged, is_spent, said).map(|rule| rule.name.clone())
    };
    [found(None), found(Some(&mut Vec::new()))]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn what_is_looked_up_is_what_is_read(
        conditions in list(),
        outcomes in proptest::collection::vec(outcome(), 40),
    ) {
        let written = conditions.iter().enumerate();
        let written: Vec<String> =
            written.map(|(place, when)| format!("{{ name: r{place}, when: {when}, do: next }}")).collect();
        let (engine, _) = compiled(&format!("{PROVIDERS}failover: [ {} ]\n", written.join(", ")));
        for outcome in outcomes {
            let [looked_up, read] = both(&engine, outcome);
            prop_assert_eq!(looked_up, read, "{:?} with {:#?}", outcome, written);
        }
    }
}
