//! Random rules, providers and clocks: whatever they are, a request keeps to what is promised.
//!
//! A failure names its seed; `one(SEED)` plays that case again.

pub(super) mod made_up;
mod promises;

use super::*;
use crate::engine::decision::{Decision, Keeping};
use crate::engine::exchange::Progress;
use crate::engine::failure::{Failure, FailureKind};
use crate::engine::health::{Health, Lane};
use crate::engine::plan::{AnswerBody, Event, Plan, Step};
use crate::engine::testing::{Piece, START, World, engine, pieces};
use made_up::{Chance, NAMES, reply, rules};
use std::collections::VecDeque;

/// How many lists of rules are tried.
const LISTS: u64 = 250;
/// How many requests are sent through each.
const REQUESTS: u64 = 25;
/// So many requests at most are left under way while others come.
const MOST_PARKED: usize = 4;

/// One list of rules, and what has happened under it so far.
struct Case {
    seed: u64,
    rules: String,
    chance: Chance,
    world: World,
    /// Which providers speak the client's protocol.
    alpha: Vec<bool>,
    /// Requests to which no provider has answered yet.
    parked: Vec<Plan>,
    /// What came about at all, so that nothing is promised of what never happens.
    seen: Seen,
}

/// How often the things came about that the promises are about.
#[derive(Debug, Default)]
struct Seen {
    deadlines: u64,
    resumed: u64,
    given_up: u64,
    trials: u64,
    keys: u64,
    spared: u64,
    shadows: u64,
    resorts: u64,
    counted: u64,
}

/// One request on its way.
struct Request {
    /// Everything that happened, in order.
    events: Vec<Event>,
    decision: Decision,
    /// Who was asked, in order: the provider, and its key if it has several.
    asked: Vec<(String, Option<String>)>,
    began: Ms,
    deadline: Option<Ms>,
    /// The promise to ask again: whom, and when.
    again: Option<(String, Ms)>,
    /// What the client has read of a stream that is resumed.
    body: String,
}

macro_rules! holds {
    ($case:expr, $request:expr, $holds:expr, $($what:tt)+) => {
        assert!(
            $holds,
            "seed {}: {}\n{}\n{:#?}\n{}",
            $case.seed, format!($($what)+), $case.rules, $request.events, $request.body
        )
    };
}
use holds;

impl Case {
    fn new(seed: u64) -> Case {
        let mut chance = Chance(seed);
        let rules = rules(&mut chance);
        let world = World::new(engine(&rules));
        let alpha = world.engine.providers.iter().map(|it| it.speaks[0].name == "alpha.chat").collect();
        Case { seed, rules, chance, world, alpha, parked: Vec::new(), seen: Seen::default() }
    }

    fn name(&self, provider: usize) -> String {
        self.world.engine.providers[provider].name.clone()
    }

    /// All ways, by the names that records have for them.
    fn ways(&self) -> Vec<(String, Lane<'_>)> {
        let mut ways = Vec::new();
        for provider in &self.world.engine.providers {
            for (place, key) in provider.keys.iter().enumerate() {
                let name = match provider.key_name(place) {
                    Some(key) => format!("{} (key {key})", provider.name),
                    None => provider.name.clone(),
                };
                ways.push((
                    name,
                    Lane {
                        provider: &provider.name,
                        key: &key.id,
                        model: provider.model("m", &provider.speaks[0]),
                    },
                ));
            }
        }
        ways
    }

    /// When each way is open again.
    fn opens(&self) -> Vec<(String, Option<Ms>)> {
        let opens = |lane: &Lane<'_>| self.world.health.opens_at(lane, self.world.now);
        self.ways().iter().map(|(name, lane)| (name.clone(), opens(lane))).collect()
    }

    /// The ways whose answer stated for how long asking is of no use.
    fn refused(&self) -> Vec<String> {
        let refused = |lane: &Lane<'_>| self.world.health.is_refused(lane, self.world.now);
        self.ways().into_iter().filter(|(_, lane)| refused(lane)).map(|(name, _)| name).collect()
    }

    /// Lets something happen to the providers' health. No way may be open earlier by it, but by a good answer.
    fn changes<R>(
        &mut self,
        request: &mut Request,
        plan: &mut Plan,
        change: impl FnOnce(&mut Plan, &mut Health, Ms) -> R,
    ) -> R {
        let before = self.opens();
        let result = change(plan, &mut self.world.health, self.world.now);
        self.note(request, plan);
        // Who has just answered and goes first from now on is free.
        let is_switched = |way: &str| {
            let mut events = request.events.iter().rev();
            events.any(|event| match event {
                Event::Switched { to: provider, .. } | Event::Recovered { provider, .. } => {
                    way.starts_with(provider.as_str())
                }
                _ => false,
            })
        };
        for ((way, before), (_, after)) in before.iter().zip(self.opens()) {
            let kept = after >= *before || is_switched(way);
            holds!(self, request, kept, "the pause of {way} was shortened: {before:?} -> {after:?}");
        }
        self.not_too_many_are_out(request);
        result
    }

    fn note(&mut self, request: &mut Request, plan: &mut Plan) {
        for event in plan.events() {
            match &event {
                Event::Retry { provider, at, .. } => request.again = Some((provider.clone(), *at)),
                Event::Attempt { provider, key, .. } => {
                    request.asked.push((provider.clone(), key.clone()));
                    self.seen.keys += u64::from(key.is_some());
                }
                Event::Resumed { .. } => self.seen.resumed += 1,
                Event::NotResumed { .. } => self.seen.given_up += 1,
                Event::Spared { .. } => self.seen.spared += 1,
                Event::Counted { .. } => self.seen.counted += 1,
                Event::Gate { shadow: true, .. } => self.seen.shadows += 1,
                _ => {}
            }
            request.decision.note(&event, self.world.now);
            request.events.push(event);
        }
    }

    /// One request, from its arrival to its end.
    fn request(&mut self) {
        let streaming = self.chance.percent(60);
        let who = self.chance.below(3);
        let body = format!(r#"{{"model":"m","ask":"why?","extra":1,"who":"u{who}","stream":{streaming}}}"#);
        let mut incoming = self.world.incoming("/alpha", &body);
        incoming.seed = self.chance.next();
        let mut plan = Plan::begin(self.world.engine.clone(), incoming).unwrap();
        let decision = plan.record(Keeping { keep: 1, at_most: usize::MAX, prompts: false, errors: true });
        let mut request = Request {
            events: Vec::new(),
            decision,
            asked: Vec::new(),
            began: self.world.now,
            deadline: plan.deadline,
            again: None,
            body: String::new(),
        };
        let (first, refused) = (self.opens(), self.refused());
        let mut rest = VecDeque::new();
        let mut broken: Option<Box<Exchange>> = None;
        loop {
            let now = self.world.now;
            let asked = request.asked.len();
            let (on_trial, opens) = (self.on_trial(), self.opens());
            let step = plan.next(&mut self.world.health, now);
            self.note(&mut request, &mut plan);
            match step {
                Step::Wait(until) => {
                    self.may_wait(&request, until);
                    self.world.now = until;
                }
                Step::Send(attempt) => {
                    holds!(self, request, request.asked.len() == asked + 1, "an attempt is not told");
                    self.in_a_good_order(&request, &opens);
                    self.may_be_asked(&mut request, &first, &on_trial, &refused);
                    let name = self.name(attempt.provider);
                    self.is_told_what_was_said(&request, &attempt.request.body, broken.is_some());
                    match self.chance.below(100) {
                        0..3 => return self.client_leaves(&mut request, &mut plan),
                        3..11 if broken.is_none() && self.parked.len() < MOST_PARKED => {
                            return self.parked.push(plan);
                        }
                        _ => {}
                    }
                    let reply = reply(&mut self.chance, &name, self.alpha[attempt.provider], streaming);
                    let took = self.chance.below(2000) as Ms;
                    let limit = Ms::try_from(attempt.request.timeouts.total.as_millis()).unwrap();
                    let mut exchange = attempt.exchange;
                    let outcome = if took >= limit {
                        self.world.now += limit;
                        let failure = Failure::new(FailureKind::TotalTimeout, "");
                        match exchange.broke(failure) {
                            Progress::Done(outcome) => outcome,
                            progress => panic!("{progress:?}"),
                        }
                    } else {
                        self.world.now += took;
                        let mut left = pieces(reply, usize::MAX);
                        loop {
                            match left.pop_front().expect("the attempt came to no end").give(&mut exchange) {
                                Progress::More => {}
                                Progress::Done(outcome) => break outcome,
                                Progress::Commit => {
                                    rest = std::mem::take(&mut left);
                                    break Outcome::Streaming(Box::new(exchange));
                                }
                            }
                        }
                    };
                    self.changes(&mut request, &mut plan, |plan, health, now| {
                        plan.observe(outcome, health, now)
                    });
                }
                Step::Answer(answer) => {
                    let before = broken.take();
                    match self.answered(&mut request, &mut plan, answer, std::mem::take(&mut rest), before) {
                        Some(exchange) => broken = Some(exchange),
                        None => return plan.release(&mut self.world.health),
                    }
                }
            }
        }
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
        let told = request.decision.client_left.is_some() || request.decision.stream.is_some();
        holds!(self, request, told, "the record does not say so");
    }

    /// Takes an answer. Gives the stream back if it broke off and somebody is to go on with it.
    fn answered(
        &mut self,
        request: &mut Request,
        plan: &mut Plan,
        answer: Answer,
        rest: VecDeque<Piece>,
        before: Option<Box<Exchange>>,
    ) -> Option<Box<Exchange>> {
        let was_stream = before.is_some() || matches!(answer.body, AnswerBody::Stream(_));
        if before.is_none() {
            request.decision.given(&answer, self.world.now);
        }
        let given_up = before.is_some() && matches!(answer.body, AnswerBody::Whole(_));
        match (answer.body, before) {
            (AnswerBody::Whole(_), Some(mut exchange)) => {
                exchange.give_up();
                self.read(request, plan, exchange, VecDeque::new());
            }
            (AnswerBody::Whole(body), None) => request.body = String::from_utf8(body.to_vec()).unwrap(),
            (AnswerBody::Stream(exchange), _) => {
                if self.chance.percent(8) {
                    return self.leaves_the_stream(request, plan);
                }
                if let Some(cut) = self.read(request, plan, exchange, rest) {
                    return Some(cut);
                }
            }
        }
        let again = plan.next(&mut self.world.health, self.world.now);
        holds!(self, request, matches!(again, Step::Answer(_)), "asks somebody after its answer");
        let given = request.decision.answer.clone().unwrap();
        self.keeps_its_promises(request, given.status, given.provider.as_deref(), was_stream, given_up);
        None
    }

    fn leaves_the_stream(&mut self, request: &mut Request, plan: &mut Plan) -> Option<Box<Exchange>> {
        self.changes(request, plan, |plan, health, now| plan.observe(Outcome::ClientGone, health, now));
        let step = plan.next(&mut self.world.health, self.world.now);
        holds!(self, request, matches!(step, Step::Answer(_)), "sent although the client left");
        let end = request.decision.stream.as_ref().map(|stream| stream.how);
        holds!(self, request, end == Some("client_left"), "the record says {end:?}");
        None
    }

    /// The client reads the stream to its end, or to where it breaks off and somebody is to go on.
    fn read(
        &mut self,
        request: &mut Request,
        plan: &mut Plan,
        mut exchange: Box<Exchange>,
        mut rest: VecDeque<Piece>,
    ) -> Option<Box<Exchange>> {
        loop {
            request.body += std::str::from_utf8(&exchange.take_output()).unwrap();
            if exchange.cut().is_some() {
                let resumes = plan.resumes();
                holds!(self, request, resumes, "a stream is cut off that nobody goes on with");
                let goes_on =
                    self.changes(request, plan, |plan, health, now| plan.broke_off(&exchange, health, now));
                if goes_on {
                    return Some(exchange);
                }
                exchange.give_up();
                continue;
            }
            if exchange.finished() {
                break;
            }
            let piece = rest.pop_front().expect("the stream came to no end");
            holds!(self, request, matches!(piece.give(&mut exchange), Progress::More), "decided twice");
        }
        self.changes(request, plan, |plan, health, now| plan.ended(&exchange, health, now));
        None
    }

    /// Some of those that nobody answered leave.
    fn unpark(&mut self, all: bool) {
        while !self.parked.is_empty() && (all || self.chance.percent(30)) {
            let place = self.chance.below(self.parked.len() as u64) as usize;
            let mut plan = self.parked.swap_remove(place);
            plan.observe(Outcome::ClientGone, &mut self.world.health, self.world.now);
            plan.release(&mut self.world.health);
        }
    }
}

/// Plays one case.
fn one(seed: u64) -> Seen {
    let mut case = Case::new(seed);
    for _ in 0..REQUESTS {
        case.request();
        case.unpark(false);
        let pause = case.chance.of(&[0, 0, 500, 5_000, 60_000, 3_600_000]);
        case.world.now += pause;
    }
    case.unpark(true);
    let busy: u32 = NAMES.iter().map(|name| case.world.health.under_way(name)).sum();
    assert_eq!(busy, 0, "seed {seed}: somebody is busy with nothing\n{}", case.rules);
    case.seen
}

#[test]
fn whatever_the_rules_and_providers_do_the_promises_hold() {
    let mut all = Seen::default();
    for seed in 0..LISTS {
        let seen = one(seed.wrapping_mul(0x1234_5678_9ABC_DEF1));
        all.deadlines += seen.deadlines;
        all.resumed += seen.resumed;
        all.given_up += seen.given_up;
        all.trials += seen.trials;
        all.keys += seen.keys;
        all.spared += seen.spared;
        all.shadows += seen.shadows;
        all.resorts += seen.resorts;
        all.counted += seen.counted;
    }
    let Seen { deadlines, resumed, given_up, trials, keys, spared, shadows, resorts, counted } = all;
    let least =
        [deadlines, resumed, given_up, trials, keys, spared, shadows, resorts, counted].into_iter().min();
    assert!(least >= Some(5) && START > 0, "too little of it came about: {all:?}");
}
