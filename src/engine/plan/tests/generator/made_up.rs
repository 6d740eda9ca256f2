//! What is left to chance: rules, and what providers do.

use crate::engine::failure::FailureKind;
use crate::engine::testing::{Reply, alpha_stream};
use std::fmt::Write;

/// A stream of chance (SplitMix64).
pub struct Chance(pub u64);

impl Chance {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    pub fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    pub fn percent(&mut self, share: u64) -> bool {
        self.below(100) < share
    }

    pub fn of<T: Copy>(&mut self, items: &[T]) -> T {
        items[self.below(items.len() as u64) as usize]
    }
}

pub const NAMES: [&str; 4] = ["ann", "bob", "cyd", "dan"];
const WHEN: [&str; 12] = [
    "",
    "status: 429",
    "status: 5xx",
    "status: [ 400, 404, 529 ]",
    "status: 2xx, text: limit",
    "text: limit",
    "text: 'again in (?<wait>[0-9]+)s'",
    "failure: [ connect, reset, closed ]",
    "failure: [ cut_off, in_stream, malformed, empty ]",
    "failure: [ first_byte_timeout, idle_timeout ]",
    "$.trouble.kind: busy",
    "provider: ann",
];
const DO: [&str; 11] = [
    "next",
    "next",
    "next",
    "return",
    "{ retry: 1, backoff: 10ms, then: next }",
    "{ retry: 3, backoff: 900ms, then: return }",
    "{ retry: 2, backoff: 0s, then: next }",
    "{ wait: { at_most: 5s }, then: next }",
    "{ wait: { at_most: 9s, times: 2 }, then: return }",
    "{ repair: drop-extra, then: retry }",
    "{ repair: drop-extra, then: retry, else: return }",
];
const COOL_DOWN: [&str; 12] = [
    "",
    "",
    "cool_down: { for: 10s, after: { in_a_row: 2 } }",
    "cool_down: { until: [ $header.retry-after ], else: 20s, scope: key_and_model, after: { failures: 2, within: 1m } }",
    "cool_down: { for: 1m, after: { share: 50%, of: 4 }, grow: 2, at_most: 1h }",
    "cool_down: 10s",
    "cool_down: { until: [ $header.retry-after, $match.wait ], else: 1m, at_most: 1h }",
    "cool_down: { until: [ $header.retry-after ], at_least: 2s }",
    "cool_down: { for: 5s, scope: key }",
    "cool_down: { for: 1m, scope: key_and_model }",
    "cool_down: { for: 2s, grow: 3, at_most: 1h, trials: 2 }",
    "cool_down: { for: 20s, scope: provider_and_model, trials: 0 }",
];
const KEYS: [&str; 5] = [
    "key: one",
    "key: one",
    "keys: [ k1, k2 ]",
    "keys: [ k1, k2, k3 ], rotate: round_robin",
    "keys: [ k1, k2 ], rotate: least_recently_limited",
];
const SPREAD: [&str; 6] = [
    "",
    "",
    "",
    ", spread: { by: weighted }",
    ", spread: { by: least_busy }",
    ", spread: { by: sticky, on: $.who }",
];
const GATE: [&str; 5] =
    ["", "", ", gate: { mode: off }", ", gate: { mode: shadow }", ", gate: { bytes: 20B }"];
const DEADLINE: [&str; 5] = ["", "", "", ", deadline: 2s", ", deadline: 15s"];

pub fn rules(chance: &mut Chance) -> String {
    let mut text = "providers:\n".to_owned();
    let spread = chance.of(&SPREAD);
    for name in NAMES.iter().take(1 + chance.below(4) as usize) {
        let (speaks, keys) = (chance.of(&["alpha.chat", "alpha.chat", "beta.talk"]), chance.of(&KEYS));
        // A key belongs to one provider: keys are told apart by where they are used.
        let rank = if spread.is_empty() {
            ""
        } else {
            chance.of(&[", priority: 1", ", priority: 1, weight: 3", ""])
        };
        let _ = writeln!(text, "  {name}: {{ speaks: {speaks}, url: \"http://{name}.test\", {keys}{rank} }}");
    }
    let (gate, deadline) = (chance.of(&GATE), chance.of(&DEADLINE));
    let resumes = chance.of(&["", ", continue: true"]);
    let _ = writeln!(
        text,
        "routes: [ {{ path: /alpha, protocol: alpha.chat{spread}{gate}{deadline}{resumes} }} ]"
    );
    if chance.percent(50) {
        let share = chance.of(&["trials: 0", "at_most_out: 50%", "trials: 2, at_most_out: 25%"]);
        let _ = writeln!(text, "recovery: {{ {share} }}");
    }
    text += "repairs: { drop-extra: { patch: [ { remove: [ $.extra ] } ] } }\n";
    for place in 0..chance.below(7) {
        let head = if place == 0 { "failover:\n" } else { "" };
        let (when, action, cooling) = (chance.of(&WHEN), chance.of(&DO), chance.of(&COOL_DOWN));
        let besides =
            chance.of(&["", "", "", "", "", "", ", down: until_probed", ", shadow: true", ", switch: true"]);
        // Only a pattern with that group can name it.
        let cooling =
            if when.contains("wait") { cooling.to_owned() } else { cooling.replace(", $match.wait", "") };
        let when = if when.is_empty() { String::new() } else { format!("when: {{ {when} }}, ") };
        let cooling = if cooling.is_empty() { cooling } else { format!(", {cooling}") };
        let _ = writeln!(text, "{head}  - {{ name: r{place}, {when}do: {action}{cooling}{besides} }}");
    }
    text
}

/// What a provider does. Whatever it says well, it says its own name.
pub fn reply(chance: &mut Chance, name: &str, alpha: bool, streaming: bool) -> Reply {
    let word = |text: &str| match alpha {
        true => alpha_stream(&[
            r#"{"kind":"hello"}"#,
            &format!(r#"{{"kind":"word","text":"from {text}"}}"#),
            r#"{"kind":"word","text":" and"}"#,
        ]),
        false => format!("data: {{\"w\":\"from {text}\"}}\n\ndata: {{\"w\":\" and\"}}\n\n"),
    };
    let (bye, trouble) = if alpha {
        let trouble = r#"{"kind":"trouble","trouble":{"kind":"busy","text":"limit"}}"#;
        (alpha_stream(&[r#"{"kind":"bye"}"#]), alpha_stream(&[trouble]))
    } else {
        let trouble = "data: {\"oops\":{\"kind\":\"busy\",\"code\":\"busy\",\"text\":\"limit\"}}\n\n";
        ("data: {\"fin\":1}\n\ndata: [END]\n\n".to_owned(), trouble.to_owned())
    };
    let tool = if alpha { alpha_stream(&[r#"{"kind":"tool"}"#]) } else { String::new() };
    let broken = [FailureKind::Reset, FailureKind::IdleTimeout, FailureKind::CutOff];
    match chance.below(15) {
        0..=3 if streaming => Reply::Stream(word(name) + &bye),
        0..=3 if alpha => Reply::ok(&format!(r#"{{"answer":"from {name}"}}"#)),
        0..=3 => Reply::ok(&format!(r#"{{"said":"from {name}"}}"#)),
        4..=8 => {
            let status = chance.of(&[400, 404, 418, 429, 429, 500, 503, 529, 200]);
            let body = chance.of(&[
                "",
                "limit reached",
                "again in 30s",
                "<html>limit</html>",
                r#"{"trouble":{"kind":"busy","text":"later"}}"#,
                r#"{"oops":{"kind":"hush","code":"busy","text":"limit"}}"#,
            ]);
            let reply = Reply::status(status, body);
            if chance.percent(30) {
                reply.with("retry-after", chance.of(&[0, 1, 8, 90, 86_400]))
            } else {
                reply
            }
        }
        9 => Reply::Fails(chance.of(&[
            FailureKind::Connect,
            FailureKind::Reset,
            FailureKind::FirstByteTimeout,
            FailureKind::TotalTimeout,
        ])),
        10 => Reply::Cut(String::new(), chance.of(&broken)),
        11 => Reply::Stream(trouble),
        12..=13 if streaming => Reply::Cut(word(name) + chance.of(&["", &tool]), chance.of(&broken)),
        12..=13 => Reply::Fails(FailureKind::Closed),
        _ if streaming => Reply::Stream(word(name) + &trouble),
        _ => Reply::Stream(String::new()),
    }
}
