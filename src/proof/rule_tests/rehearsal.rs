//! One test of the rules: a request goes through a plan, simulated providers answer, the clock is a number.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method};

use super::given::{self, Script};
use super::{Findings, ID, NOW, Wrong, expect};
use crate::config::model::{ANYBODY, Body, Given, RuleTest, Rules};
use crate::engine::exchange::{Exchange, Progress};
use crate::engine::health::Health;
use crate::engine::judge::cooling::millis;
use crate::engine::plan::{Answer, AnswerBody, Attempt, Event, Incoming, Outcome, Plan, Step};
use crate::engine::{Engine, Ms};
use crate::text::json::Doc;
use crate::text::sse::SseDecoder;

/// A plan that takes more steps than this is going in circles.
const MOST_STEPS: usize = 1000;
/// Where the jitter of waits comes from.
const SEED: u64 = 1;

/// What happened.
pub struct Seen {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Bytes,
    /// Who answered.
    pub provider: Option<String>,
    /// The last rule that decided.
    pub rule: Option<String>,
    /// The rules that fired, in shadow too.
    pub fired: Vec<String>,
    /// Who was asked, in order.
    pub asked: Vec<String>,
    /// The providers with several keys that were asked, and by which of them.
    pub keys: Vec<(String, String)>,
    /// What was sent, in order.
    pub sent: Vec<Sent>,
    /// Who was put aside, as a whole or in part, for how long and until when.
    pub cooled: Vec<(String, Ms, Ms)>,
    pub health: Health,
    /// When it began.
    pub began: Ms,
    /// When it was over.
    pub now: Ms,
}

/// A request to a provider.
pub struct Sent {
    pub provider: String,
    pub url: String,
    pub headers: HeaderMap,
    pub body: Bytes,
}

/// Runs one test.
pub fn run(engine: &Arc<Engine>, rules: &Rules, test: &RuleTest) -> Findings {
    let steps = test.steps();
    let mut found = all(engine, rules, &steps, false);
    if !found.wrong.is_empty() {
        // Once more, to the letter: nothing is left to chance, so the same happens again.
        found.trail = all(engine, rules, &steps, true).trail;
    }
    found
}

/// One request after the other, up to the first with which something is wrong.
fn all(engine: &Arc<Engine>, rules: &Rules, steps: &[(Duration, RuleTest)], trace: bool) -> Findings {
    let mut found = Findings::default();
    let mut carried: Option<(Health, Ms)> = None;
    for ((after, step), seed) in steps.iter().zip(SEED..) {
        let mut rehearsal = Rehearsal::new(engine, rules, step, trace);
        rehearsal.seed = seed;
        if let Some((health, now)) = carried.take() {
            let now = now.saturating_add(millis(*after));
            rehearsal.seen = Seen { health, now, began: now, ..rehearsal.seen };
        }
        match rehearsal.perform() {
            Ok(seen) => {
                expect::check(&step.expect, &seen, &mut found.wrong);
                carried = Some((seen.health, seen.now));
            }
            Err(wrong) => found.wrong.push(wrong),
        }
        found.trail.append(&mut rehearsal.trail);
        if !found.wrong.is_empty() {
            break;
        }
    }
    found
}

struct Rehearsal<'r> {
    engine: &'r Arc<Engine>,
    rules: &'r Rules,
    test: &'r RuleTest,
    trace: bool,
    seed: u64,
    trail: Vec<String>,
    seen: Seen,
}

impl<'r> Rehearsal<'r> {
    fn new(engine: &'r Arc<Engine>, rules: &'r Rules, test: &'r RuleTest, trace: bool) -> Self {
        let began = test.at.as_ref().and_then(|at| expect::instant(at, NOW)).unwrap_or(NOW);
        let mut health = Health::new();
        health.rehearse(engine);
        let seen = Seen { health, ..Seen::empty(began) };
        Rehearsal { engine, rules, test, trace, seed: SEED, trail: Vec::new(), seen }
    }

    fn perform(&mut self) -> Result<Seen, Wrong> {
        let incoming = self.incoming()?;
        let mut plan = match Plan::begin(self.engine.clone(), incoming) {
            Ok(plan) => plan,
            Err(answer) => {
                let seen = self.head(answer);
                return Ok(self.complete(seen));
            }
        };
        plan.rehearse();
        if self.trace {
            plan.trace();
        }
        let mut script = None;
        // What the client has been given of a stream that broke off.
        let mut broken: Option<(Seen, Box<Exchange>)> = None;
        for _ in 0..MOST_STEPS {
            let step = plan.next(&mut self.seen.health, self.seen.now);
            self.note(&mut plan);
            match step {
                Step::Send(attempt) => {
                    let outcome = self.send(*attempt, &mut script)?;
                    plan.observe(outcome, &mut self.seen.health, self.seen.now);
                    self.note(&mut plan);
                }
                Step::Wait(until) => self.seen.now = self.seen.now.max(until),
                Step::Answer(answer) => {
                    let (answer, exchange) = taken(answer);
                    let (mut seen, exchange) = match (broken.take(), exchange) {
                        (None, exchange) => (self.head(answer), exchange),
                        (Some((seen, _)), Some(exchange)) => (seen, Some(exchange)),
                        (Some((seen, mut exchange)), None) => {
                            exchange.give_up();
                            (seen, Some(exchange))
                        }
                    };
                    let Some(mut exchange) = exchange else { return Ok(self.complete(seen)) };
                    seen.read(&mut exchange, script.take());
                    if exchange.cut().is_some() {
                        if plan.broke_off(&exchange, &mut self.seen.health, self.seen.now) {
                            self.note(&mut plan);
                            broken = Some((seen, exchange));
                            continue;
                        }
                        exchange.give_up();
                        seen.read(&mut exchange, None);
                    }
                    plan.ended(&exchange, &mut self.seen.health, self.seen.now);
                    self.note(&mut plan);
                    return Ok(self.complete(seen));
                }
            }
        }
        Err(self.wrong("the request never comes to an end"))
    }

    fn wrong(&self, message: impl Into<String>) -> Wrong {
        Wrong::new(self.test.name.span, message)
    }

    fn incoming(&self) -> Result<Incoming, Wrong> {
        let body = match &self.test.request {
            Body::Inline(node) => given::text_or_json(node).into(),
            Body::File(path) => match self.rules.file(path) {
                Some(file) => file.bytes.clone(),
                None => return Err(Wrong::new(path.span, "this file could not be read")),
            },
        };
        let routes = &self.engine.routes;
        let route = match &self.test.path {
            Some(path) => routes.iter().find(|route| route.is_at(path)),
            None => routes.iter().find(|route| route.protocol.is_some()),
        };
        let Some(route) = route else {
            let at = self.test.path.as_ref().map_or(self.test.name.span, |path| path.span);
            return Err(Wrong::new(at, "there is no such route"));
        };
        Ok(Incoming {
            id: ID.to_owned(),
            method: if route.method == Method::HEAD { Method::GET } else { route.method.clone() },
            path: self.test.path.as_ref().map_or(&route.path, |path| &path.value).clone(),
            query: None,
            headers: given::admitted(&self.test.headers, self.engine),
            body,
            now: self.seen.now,
            seed: self.seed,
        })
    }

    /// Lets the provider play its part.
    fn send(&mut self, attempt: Attempt, script: &mut Option<Script>) -> Result<Outcome, Wrong> {
        let Attempt { provider, request, mut exchange, .. } = attempt;
        let name = self.engine.providers.get(provider).map(|it| it.name.clone()).unwrap_or_default();
        let times = self.seen.asked.iter().filter(|asked| **asked == name).count();
        self.seen.asked.push(name.clone());
        self.seen.sent.push(Sent {
            provider: name.clone(),
            url: request.url.clone(),
            headers: request.headers.clone(),
            body: request.body.clone(),
        });
        let given = self.given(&name, times)?;
        let (mut play, after) = Script::new(given, self.rules, &exchange, &request.timeouts);
        self.seen.now = self.seen.now.saturating_add(Ms::try_from(after.as_millis()).unwrap_or(Ms::MAX));
        loop {
            match play.play(&mut exchange) {
                Progress::More => {}
                Progress::Commit => {
                    *script = Some(play);
                    return Ok(Outcome::Streaming(Box::new(exchange)));
                }
                Progress::Done(outcome) => return Ok(outcome),
            }
        }
    }

    /// What a provider answers when it is asked for the `times`-th time, from 0. The last answer repeats. `*` is what all
    /// those answer that are not named.
    fn given(&self, name: &str, times: usize) -> Result<&'r Given, Wrong> {
        let answers = self.test.given.get(name).or_else(|| self.test.given.get(ANYBODY));
        answers
            .and_then(|answers| answers.get(times).or(answers.last()))
            .ok_or_else(|| self.wrong(format!("{name} is asked, and `given` does not say what it answers")))
    }

    /// Takes what the plan tells.
    fn note(&mut self, plan: &mut Plan) {
        let wanted = self.test.expect.facts.rule.as_ref().map(|rule| rule.value.as_str());
        for event in plan.events() {
            if let Event::Fired { rule, .. } = &event {
                self.seen.fired.push(rule.clone());
            }
            if let Event::CoolDown { provider, until: Some(until), .. } = &event {
                self.seen.cooled.push((provider.clone(), until.saturating_sub(self.seen.now), *until));
            }
            if let Event::Attempt { provider, key: Some(key), .. } = &event {
                self.seen.keys.push((provider.clone(), key.clone()));
            }
            // Of the rules that did not fire, only the one that should have is of interest.
            let is_idle = matches!(&event, Event::Verdict { matched: false, rule, .. } if Some(rule.as_str()) != wanted);
            if self.trace && !is_idle {
                self.trail.push(event.to_string());
            }
        }
    }

    /// The client's answer, as far as its stream has not begun.
    fn head(&self, answer: Answer) -> Seen {
        let Answer { status, headers, body, provider, rule, .. } = answer;
        let body = match body {
            AnswerBody::Whole(body) => body,
            AnswerBody::Stream(_) => Bytes::new(),
        };
        let (health, now) = (Health::new(), self.seen.now);
        Seen { status: status.as_u16(), headers, body, provider, rule, health, ..Seen::empty(now) }
    }

    /// The answer, with all that happened on the way to it.
    fn complete(&mut self, seen: Seen) -> Seen {
        let Seen { status, headers, body, provider, rule, .. } = seen;
        let all = std::mem::replace(&mut self.seen, Seen::empty(0));
        Seen { status, headers, body, provider, rule, ..all }
    }
}

/// An answer, and its stream if it has one.
fn taken(mut answer: Answer) -> (Answer, Option<Box<Exchange>>) {
    match std::mem::replace(&mut answer.body, AnswerBody::Whole(Bytes::new())) {
        AnswerBody::Stream(exchange) => (answer, Some(exchange)),
        body => (Answer { body, ..answer }, None),
    }
}

impl Seen {
    /// Before anything has happened.
    fn empty(began: Ms) -> Seen {
        Seen {
            status: 0,
            headers: HeaderMap::new(),
            body: Bytes::new(),
            provider: None,
            rule: None,
            fired: Vec::new(),
            asked: Vec::new(),
            keys: Vec::new(),
            sent: Vec::new(),
            cooled: Vec::new(),
            health: Health::new(),
            began,
            now: began,
        }
    }

    /// Takes what a stream's client reads, to the end or to where it breaks off.
    fn read(&mut self, exchange: &mut Exchange, mut script: Option<Script>) {
        let mut out = self.body.to_vec();
        out.extend_from_slice(&exchange.take_output());
        while !exchange.finished() && exchange.cut().is_none() {
            match &mut script {
                Some(script) if !script.is_over() => drop(script.play(exchange)),
                _ => break,
            }
            out.extend_from_slice(&exchange.take_output());
        }
        self.body = out.into();
    }

    /// The client's body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The client's body as JSON; of a stream, a list of its events.
    pub fn document(&self) -> Option<Doc> {
        Doc::parse(self.body.clone()).ok().or_else(|| events(&self.body))
    }
}

/// The data of the events in `bytes`, as a list.
fn events(bytes: &[u8]) -> Option<Doc> {
    let mut out = b"[".to_vec();
    let mut each = |event: crate::text::sse::SseEvent<'_>| {
        if Doc::parse(event.data.to_vec()).is_ok() {
            if out.len() > 1 {
                out.push(b',');
            }
            out.extend_from_slice(event.data);
        }
    };
    let mut decoder = SseDecoder::new(bytes.len());
    decoder.push(bytes, &mut each).and_then(|()| decoder.finish(&mut each)).ok()?;
    out.push(b']');
    Doc::parse(out).ok()
}
