//! Random rules, providers and clocks: whatever they are, a request keeps to what is promised.
//!
//! A failure names its seed; `one(SEED)` plays that case again.

use super::*;
use crate::engine::decision::{Decision, Keeping};
use crate::engine::exchange::Progress;
use crate::engine::failure::FailureKind;
use crate::engine::health::Health;
use crate::engine::plan::{AnswerBody, Event, Plan, Step};
use crate::engine::testing::{Piece, Reply, START, World, alpha_stream, engine, pieces};
use std::collections::VecDeque;
use std::fmt::Write;

/// How many lists of rules are tried.
const LISTS: u64 = 150;
/// How many requests are sent through each.
const REQUESTS: u64 = 25;
/// The longest single wait of a retry that says nothing else, in milliseconds.
const LONGEST_WAIT: Ms = 10_000;
/// What no list of rules makes a request exceed.
const MOST_ATTEMPTS: usize = 64;

/// A stream of chance (SplitMix64).
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    fn percent(&mut self, share: u64) -> bool {
        self.below(100) < share
    }

    fn of<T: Copy>(&mut self, items: &[T]) -> T {
        items[self.below(items.len() as u64) as usize]
    }
}

const NAMES: [&str; 4] = ["ann", "bob", "cyd", "dan"];
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
const COOL_DOWN: [&str; 6] = [
    "",
    "",
    "cool_down: 10s",
    "cool_down: { until: [ $header.retry-after, $match.wait ], else: 1m, at_most: 1h }",
    "cool_down: { until: [ $header.retry-after ], at_least: 2s }",
    "cool_down: { for: 5s, scope: key }",
];

fn rules(chance: &mut Chance) -> String {
    let mut text = "providers:\n".to_owned();
    for name in NAMES.iter().take(1 + chance.below(4) as usize) {
        let speaks = chance.of(&["alpha.chat", "alpha.chat", "beta.talk"]);
        let _ =
            writeln!(text, "  {name}: {{ speaks: {speaks}, url: \"http://{name}.test\", key: key-{name} }}");
    }
    text += "routes: [ { path: /alpha, protocol: alpha.chat } ]\n";
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
fn reply(chance: &mut Chance, name: &str, alpha: bool, streaming: bool) -> Reply {
    let word = |text: &str| match alpha {
        true => alpha_stream(&[&format!(r#"{{"kind":"word","text":"from {text}"}}"#)]),
        false => format!("data: {{\"w\":\"from {text}\"}}\n\n"),
    };
    let bye = if alpha {
        alpha_stream(&[r#"{"kind":"bye"}"#])
    } else {
        "data: {\"fin\":1}\n\ndata: [END]\n\n".into()
    };
    let trouble = if alpha {
        alpha_stream(&[r#"{"kind":"trouble","trouble":{"kind":"busy","text":"limit"}}"#])
    } else {
        "data: {\"oops\":{\"kind\":\"busy\",\"code\":\"busy\",\"text\":\"limit\"}}\n\n".to_owned()
    };
    let broken = [FailureKind::Reset, FailureKind::IdleTimeout, FailureKind::CutOff];
    match chance.below(14) {
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
        12 if streaming => Reply::Cut(word(name), chance.of(&broken)),
        12 => Reply::Fails(FailureKind::Closed),
        _ if streaming => Reply::Stream(word(name) + &trouble),
        _ => Reply::Stream(String::new()),
    }
}

/// One list of rules, and what has happened under it so far.
struct Case {
    seed: u64,
    rules: String,
    chance: Chance,
    world: World,
    /// Which providers speak the client's protocol.
    alpha: Vec<bool>,
}

/// One request on its way.
struct Request {
    /// Everything that happened, in order.
    events: Vec<Event>,
    decision: Decision,
    /// Who was asked, in order.
    asked: Vec<String>,
    began: Ms,
    waited: Ms,
    /// The promise to ask again: whom, and when.
    again: Option<(String, Ms)>,
}

macro_rules! holds {
    ($case:expr, $request:expr, $holds:expr, $($what:tt)+) => {
        assert!($holds, "seed {}: {}\n{}\n{:#?}", $case.seed, format!($($what)+), $case.rules, $request.events)
    };
}

impl Case {
    fn new(seed: u64) -> Case {
        let mut chance = Chance(seed);
        let rules = rules(&mut chance);
        let world = World::new(engine(&rules));
        let alpha = world.engine.providers.iter().map(|it| it.speaks[0].name == "alpha.chat").collect();
        Case { seed, rules, chance, world, alpha }
    }

    fn name(&self, provider: usize) -> String {
        self.world.engine.providers[provider].name.clone()
    }

    /// When each provider is free again.
    fn free(&self) -> Vec<(String, Option<Ms>)> {
        let names = self.world.engine.providers.iter().map(|provider| provider.name.clone());
        names.map(|name| (name.clone(), self.world.health.free_at(&name, self.world.now))).collect()
    }

    /// Lets something happen to the providers' health. Nobody may become free earlier by it.
    fn changes(
        &mut self,
        request: &mut Request,
        plan: &mut Plan,
        change: impl FnOnce(&mut Plan, &mut Health, Ms),
    ) {
        let before = self.free();
        change(plan, &mut self.world.health, self.world.now);
        self.note(request, plan);
        // Who has just answered and goes first from now on is free.
        let is_switched = |name: &str| {
            let mut events = request.events.iter().rev();
            events.any(|event| matches!(event, Event::Switched { to, .. } if to == name))
        };
        for ((name, before), (_, after)) in before.iter().zip(self.free()) {
            let kept = after >= *before || is_switched(name);
            holds!(self, request, kept, "the pause of {name} was shortened: {before:?} -> {after:?}");
        }
    }

    fn note(&mut self, request: &mut Request, plan: &mut Plan) {
        for event in plan.events() {
            if let Event::Retry { provider, at, .. } = &event {
                request.again = Some((provider.clone(), *at));
            }
            request.decision.note(&event, self.world.now);
            request.events.push(event);
        }
    }

    /// One request, from its arrival to its end.
    fn request(&mut self) {
        let streaming = self.chance.percent(50);
        let body = format!(r#"{{"model":"m","ask":"why?","extra":1,"stream":{streaming}}}"#);
        let incoming = self.world.incoming("/alpha", &body);
        let mut plan = Plan::begin(self.world.engine.clone(), incoming).unwrap();
        let decision = plan.record(Keeping { keep: 1, at_most: usize::MAX, prompts: false });
        let mut request = Request {
            events: Vec::new(),
            decision,
            asked: Vec::new(),
            began: self.world.now,
            waited: 0,
            again: None,
        };
        let free = self.free();
        let mut rest = VecDeque::new();
        loop {
            let now = self.world.now;
            let step = plan.next(&mut self.world.health, now);
            self.note(&mut request, &mut plan);
            match step {
                Step::Wait(until) => {
                    let promised = request.again.as_ref().map(|(_, at)| *at);
                    holds!(
                        self,
                        request,
                        until > now && promised == Some(until),
                        "waits for nothing: {until}"
                    );
                    request.waited += until - now;
                    self.world.now = until;
                }
                Step::Send(attempt) => {
                    let name = self.name(attempt.provider);
                    self.may_be_asked(&mut request, &name, &free);
                    request.asked.push(name.clone());
                    if self.chance.percent(3) {
                        return self.client_leaves(&mut request, &mut plan);
                    }
                    let reply = reply(&mut self.chance, &name, self.alpha[attempt.provider], streaming);
                    let mut left = pieces(reply, usize::MAX);
                    let mut exchange = attempt.exchange;
                    let outcome = loop {
                        match left.pop_front().expect("the attempt came to no end").give(&mut exchange) {
                            Progress::More => {}
                            Progress::Done(outcome) => break outcome,
                            Progress::Commit => {
                                rest = std::mem::take(&mut left);
                                break Outcome::Streaming(Box::new(exchange));
                            }
                        }
                    };
                    self.world.now += self.chance.below(2000) as Ms;
                    self.changes(&mut request, &mut plan, |plan, health, now| {
                        plan.observe(outcome, health, now)
                    });
                }
                Step::Answer(answer) => return self.answered(request, plan, answer, rest),
            }
        }
    }

    /// Nobody is asked twice without a reason, and nobody who is free is passed by.
    fn may_be_asked(&self, request: &mut Request, name: &String, free: &[(String, Option<Ms>)]) {
        let promise = request.again.take();
        if request.asked.contains(name) {
            let (whom, at) = promise.unwrap_or_default();
            holds!(self, request, whom == *name, "{name} is asked twice");
            holds!(self, request, self.world.now >= at, "{name} is asked before the wait is over");
        } else {
            holds!(self, request, promise.is_none(), "{name} is asked instead of {promise:?}");
        }
        if request.asked.is_empty() {
            let order = request.decision.candidates.iter().map(|candidate| &candidate.provider);
            let until = |name: &&String| free.iter().find(|(known, _)| known == *name).and_then(|it| it.1);
            let first = order.clone().find(|name| until(name).is_none()).or(order.min_by_key(until));
            holds!(self, request, first == Some(name), "{name} is asked first, not {first:?}");
        }
        holds!(self, request, request.asked.len() < MOST_ATTEMPTS, "too many attempts");
    }

    /// The client leaves while a provider is asked: that is the end.
    fn client_leaves(&mut self, request: &mut Request, plan: &mut Plan) {
        let failures = |health: &Health| {
            NAMES.iter().filter_map(|name| health.provider(name)).map(|known| known.failures).sum::<u64>()
        };
        let before = failures(&self.world.health);
        self.changes(request, plan, |plan, health, now| plan.observe(Outcome::ClientGone, health, now));
        for _ in 0..2 {
            let step = plan.next(&mut self.world.health, self.world.now);
            holds!(self, request, matches!(step, Step::Answer(_)), "sent although the client left: {step:?}");
        }
        holds!(self, request, before == failures(&self.world.health), "it was counted as somebody's failure");
        holds!(self, request, request.decision.client_left.is_some(), "the record does not say so");
    }

    fn answered(&mut self, mut request: Request, mut plan: Plan, answer: Answer, rest: VecDeque<Piece>) {
        request.decision.given(&answer, self.world.now);
        let (status, provider) = (answer.status.as_u16(), answer.provider.clone());
        let was_stream = matches!(answer.body, AnswerBody::Stream(_));
        let text = match answer.body {
            AnswerBody::Whole(body) => String::from_utf8(body.to_vec()).unwrap(),
            AnswerBody::Stream(exchange) => match self.streamed(&mut request, &mut plan, *exchange, rest) {
                Some(text) => text,
                None => return,
            },
        };
        let again = plan.next(&mut self.world.health, self.world.now);
        holds!(self, request, matches!(again, Step::Answer(_)), "asks somebody after its answer");
        let heard: Vec<&str> =
            NAMES.into_iter().filter(|name| text.contains(&format!("from {name}"))).collect();
        let good = status == 200;
        holds!(self, request, heard.len() <= 1, "two providers' words are mixed: {text}");
        holds!(
            self,
            request,
            !good || heard.is_empty() || heard.first().copied() == provider.as_deref(),
            "{heard:?} spoke, {provider:?} is named"
        );
        self.came_to_an_end_once(&request);
        if let Some(exhausted) = request.events.iter().position(|it| matches!(it, Event::NoAnswer { .. })) {
            holds!(self, request, exhausted + 1 == request.events.len(), "goes on after the end");
            self.all_was_tried(&request, status, provider.as_deref());
        }
        holds!(self, request, !request.asked.is_empty(), "nobody was asked");
        let most = i64::try_from(request.asked.len()).unwrap() * LONGEST_WAIT;
        holds!(self, request, request.waited <= most, "waited {} in all", request.waited);
        holds!(self, request, self.world.now >= request.began, "time went backwards");
        self.record_is_right(&request, was_stream);
    }

    /// The client reads the stream, or leaves in the middle of it.
    fn streamed(
        &mut self,
        request: &mut Request,
        plan: &mut Plan,
        mut exchange: Exchange,
        mut rest: VecDeque<Piece>,
    ) -> Option<String> {
        if self.chance.percent(10) {
            self.changes(request, plan, |plan, health, now| plan.observe(Outcome::ClientGone, health, now));
            let step = plan.next(&mut self.world.health, self.world.now);
            holds!(self, request, matches!(step, Step::Answer(_)), "sent although the client left");
            let end = request.decision.stream.as_ref().map(|stream| stream.how);
            holds!(self, request, end == Some("client_left"), "the record says {end:?}");
            return None;
        }
        let mut body = exchange.take_output().to_vec();
        while !exchange.finished() {
            let piece = rest.pop_front().expect("the stream came to no end");
            holds!(self, request, matches!(piece.give(&mut exchange), Progress::More), "decided twice");
            body.extend_from_slice(&exchange.take_output());
        }
        self.changes(request, plan, |plan, health, now| plan.ended(&exchange, health, now));
        Some(String::from_utf8(body).unwrap())
    }

    /// An answer that was given back, or was good, is the last thing that happens; and no other one is.
    fn came_to_an_end_once(&self, request: &Request) {
        let is_end = |event: &Event| match event {
            Event::Decided { action, .. } => *action == "return",
            Event::Outcome { failure, .. } => failure.is_none(),
            _ => false,
        };
        let Some(end) = request.events.iter().position(is_end) else { return };
        let goes_on = |event: &Event| {
            matches!(event, Event::Attempt { .. } | Event::Failover { .. } | Event::Retry { .. })
        };
        let later = request.events[end..].iter().find(|event| goes_on(event));
        // A good answer that a rule refuses is told as a failure instead, so it never counts as the end.
        holds!(self, request, later.is_none(), "{later:?} after the answer was decided");
    }

    /// All who could be asked were, or were put aside; the first one's words are what the client gets.
    fn all_was_tried(&self, request: &Request, status: u16, provider: Option<&str>) {
        for candidate in &request.decision.candidates {
            let name = &candidate.provider;
            let free = self.world.health.free_at(name, self.world.now).is_none();
            holds!(
                self,
                request,
                request.asked.contains(name) || !candidate.passed_over.is_empty() || !free,
                "{name} was neither asked nor put aside"
            );
        }
        let first = request.decision.candidates[0].provider.clone();
        let failed = request.decision.attempts.iter().rev().find(|attempt| attempt.provider == first);
        let Some(failed) = failed else { return };
        holds!(self, request, provider == Some(first.as_str()), "the client is told what {provider:?} said");
        if self.alpha[self.world.engine.provider(&first).unwrap()] {
            let kind = failed.failure.and_then(FailureKind::from_name).unwrap();
            let told = failed.status.filter(|status| *status >= 400).unwrap_or(kind.status());
            holds!(self, request, status == told, "the client is told {status}, {first} said {told}");
        }
    }

    /// The record says what happened.
    fn record_is_right(&self, request: &Request, was_stream: bool) {
        let record = &request.decision;
        let sent: Vec<&String> =
            record.attempts.iter().filter(|it| it.number > 0).map(|it| &it.provider).collect();
        holds!(self, request, sent == request.asked.iter().collect::<Vec<_>>(), "the record has {sent:?}");
        for attempt in &record.attempts {
            let decided = attempt.action.is_some();
            holds!(self, request, attempt.ended.is_some(), "no end: {attempt:?}");
            holds!(self, request, decided || !attempt.failed(), "nothing was decided: {attempt:?}");
            let fired = attempt.said.last().filter(|said| said.fired).map(|said| said.rule.as_str());
            let rule = attempt.rule.as_deref();
            holds!(self, request, !decided || fired == rule, "{fired:?} fired, {rule:?} decided");
        }
        holds!(self, request, was_stream == record.stream.is_some(), "stream: {:?}", record.stream);
    }
}

/// Plays one case.
fn one(seed: u64) -> u64 {
    let mut case = Case::new(seed);
    for _ in 0..REQUESTS {
        case.request();
        let pause = case.chance.of(&[0, 0, 500, 5_000, 60_000, 3_600_000]);
        case.world.now += pause;
    }
    REQUESTS
}

#[test]
fn whatever_the_rules_and_providers_do_the_promises_hold() {
    let played: u64 = (0..LISTS).map(|seed| one(seed.wrapping_mul(0x1234_5678_9ABC_DEF1))).sum();
    assert!(played >= 3_000 && START > 0, "{played}");
}
