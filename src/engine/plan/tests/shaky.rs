//! Providers that fail by chance, under the shipped rules, many requests at once, in virtual time: no more requests
//! fail than would by chance alone, and a provider that is out of order costs few of them anything.

use super::generator::made_up::Chance;
use super::*;
use crate::config::builtin;
use crate::config::files::Disk;
use crate::config::load::load;
use crate::engine::build;
use crate::engine::exchange::{Exchange, Progress};
use crate::engine::health::Health;
use crate::engine::plan::{AnswerBody, Outcome, Plan, Step};
use crate::engine::testing::pieces;
use std::collections::HashMap;
use std::sync::Arc;

/// Requests for each kind of trouble.
const REQUESTS: u32 = 400;

/// What goes wrong with an attempt.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Fault {
    Refused,
    Closed,
    Broken,
    Busy,
    Cut,
    Mixed,
}

const BY_CHANCE: [Fault; 5] = [Fault::Closed, Fault::Broken, Fault::Busy, Fault::Cut, Fault::Mixed];

/// What is sent, and what goes wrong.
struct Load {
    seed: u64,
    /// The client's model: who is asked, and in which order, follows from it.
    model: String,
    fault: Fault,
    /// How often each attempt fails.
    percent: u64,
    /// Between two requests, in milliseconds, about.
    pace: u64,
    /// From when to when every attempt at the first provider fails.
    dead: Option<(Ms, Ms)>,
}

/// A request on its way.
struct OnItsWay {
    plan: Plan,
    /// When something happens to it.
    at: Ms,
    /// The answer that comes then.
    exchange: Option<(Exchange, Reply)>,
    asked_first: bool,
}

/// What came of it.
#[derive(Debug, Default)]
struct Result {
    failed: u32,
    /// Requests that asked the first provider while it was dead.
    paid: u32,
    /// Who answered the requests that came last.
    last: HashMap<String, u32>,
}

fn shipped() -> Arc<Engine> {
    let key = |name: &str| name.ends_with("_API_KEY").then(|| "a-key".to_owned());
    let mut loaded = load(&Disk, builtin::MAIN.as_ref(), &key);
    let rules = loaded.rules.take().unwrap();
    Arc::new(build(&rules, &loaded.hash, &mut loaded.diagnostics).unwrap())
}

/// A client's request.
fn request(model: &str) -> String {
    format!(r#"{{"model":"{model}","max_tokens":9,"messages":[{{"role":"user","content":"hi"}}]}}"#)
}

/// A model for which so many providers may be asked.
fn model_of(engine: &Arc<Engine>, providers: usize) -> String {
    let world = World::new(engine.clone());
    let count = |model: &&String| {
        let incoming = world.incoming("/v1/messages", &request(model));
        let plan = Plan::begin(engine.clone(), incoming).unwrap();
        plan.route().map(|route| route.ways.len()) == Some(providers)
    };
    engine.models.iter().find(count).cloned().expect("a route with so many providers")
}

/// A good answer in the client's own protocol, or in the other one.
fn good(is_own: bool) -> Reply {
    Reply::ok(if is_own {
        r#"{"id":"m","type":"message","role":"assistant","model":"c","content":[{"type":"text","text":"hi"}],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":1,"output_tokens":1}}"#
    } else {
        r#"{"id":"a","object":"chat.completion","created":1,"model":"d","choices":[{"index":0,"finish_reason":"stop","message":{"role":"assistant","content":"hi"}}]}"#
    })
}

fn bad(fault: Fault, chance: &mut Chance) -> Reply {
    match fault {
        Fault::Refused => Reply::Fails(FailureKind::Connect),
        Fault::Closed => Reply::Fails(FailureKind::Closed),
        Fault::Broken => Reply::status(500, r#"{"error":{"message":"oh"}}"#),
        Fault::Busy => Reply::status(503, r#"{"error":{"message":"later"}}"#),
        Fault::Cut => Reply::Cut(r#"{"id":"#.to_owned(), FailureKind::Reset),
        Fault::Mixed => {
            let fault = chance.of(&[Fault::Closed, Fault::Broken, Fault::Busy, Fault::Cut]);
            bad(fault, chance)
        }
    }
}

impl Load {
    fn run(&self, engine: &Arc<Engine>, requests: u32) -> Result {
        let mut chance = Chance(self.seed);
        let (mut health, mut result) = (Health::new(), Result::default());
        health.adopt(engine);
        let world = World::new(engine.clone());
        let body = request(&self.model);
        let first = engine.by_priority()[0];
        let mut under_way: Vec<OnItsWay> = Vec::new();
        let (mut sent, mut arrives) = (0, START);
        loop {
            let soonest = (0..under_way.len()).min_by_key(|place| under_way[*place].at);
            let soonest = soonest.filter(|place| sent == requests || under_way[*place].at <= arrives);
            let (mut it, now) = match soonest {
                Some(place) => {
                    let it = under_way.swap_remove(place);
                    let now = it.at;
                    (it, now)
                }
                None if sent == requests => return result,
                None => {
                    let mut incoming = world.incoming("/v1/messages", &body);
                    (incoming.now, incoming.seed) = (arrives, chance.next());
                    let plan = Plan::begin(engine.clone(), incoming).unwrap();
                    let now = arrives;
                    sent += 1;
                    arrives += 1 + chance.below(2 * self.pace) as Ms;
                    (OnItsWay { plan, at: now, exchange: None, asked_first: false }, now)
                }
            };
            if let Some((exchange, reply)) = it.exchange.take() {
                it.plan.observe(outcome(exchange, reply), &mut health, now);
            }
            match it.plan.next(&mut health, now) {
                Step::Wait(until) => under_way.push(OnItsWay { at: until, ..it }),
                Step::Send(attempt) => {
                    let is_dead = self.dead.is_some_and(|(from, to)| {
                        attempt.provider == first && (START + from..START + to).contains(&now)
                    });
                    if is_dead && !it.asked_first {
                        result.paid += 1;
                        it.asked_first = true;
                    }
                    let client = it.plan.route().and_then(|route| route.protocol.as_ref()).unwrap();
                    let is_own = engine.providers[attempt.provider].speaks[0].name == client.name;
                    let fails = is_dead || chance.percent(self.percent);
                    let reply = if fails { bad(self.fault, &mut chance) } else { good(is_own) };
                    let at = now + 5 + chance.below(80) as Ms;
                    under_way.push(OnItsWay { at, exchange: Some((attempt.exchange, reply)), ..it });
                }
                Step::Answer(answer) => {
                    assert!(matches!(answer.body, AnswerBody::Whole(_)));
                    result.failed += u32::from(!answer.status.is_success());
                    if sent + 50 > requests {
                        *result.last.entry(answer.provider.unwrap_or_default()).or_default() += 1;
                    }
                    it.plan.release(&mut health);
                }
            }
        }
    }
}

fn outcome(mut exchange: Exchange, reply: Reply) -> Outcome {
    for piece in pieces(reply, usize::MAX) {
        if let Progress::Done(outcome) = piece.give(&mut exchange) {
            return outcome;
        }
    }
    panic!("the attempt came to no end")
}

/// So many of `requests` may fail where each of `providers` fails so often. One and a half times what independent tries
/// would come to is the promise; what is added is for chance. How many fail is nearly a Poisson number, whose spread
/// is the root of its mean: four of them and four more are passed once in more than ten thousand runs.
fn allowed(requests: u32, providers: usize, percent: u64) -> u32 {
    let share = (percent as f64 / 100.0).powi(i32::try_from(providers).unwrap());
    let expected = 1.5 * f64::from(requests) * share;
    (expected + 4.0 * expected.sqrt() + 4.0) as u32
}

#[test]
fn no_more_requests_fail_than_independent_tries_would() {
    let engine = shipped();
    let mut all = 0;
    for providers in [3, 2] {
        let model = model_of(&engine, providers);
        for percent in [2, 5, 20] {
            for (place, fault) in BY_CHANCE.into_iter().enumerate() {
                let seed = percent * 1000 + (place * 10 + providers) as u64;
                // Busy and idle routers: many at once, and one after the other.
                let pace = if (place + providers) % 2 == 0 { 10 } else { 3_000 };
                let load = Load { seed, model: model.clone(), fault, percent, pace, dead: None };
                let failed = load.run(&engine, REQUESTS).failed;
                let allowed = allowed(REQUESTS, providers, percent);
                assert!(
                    failed <= allowed,
                    "{providers} providers, {percent} % {fault:?}, seed {seed}: {failed} of {REQUESTS} failed, {allowed} may"
                );
                all += failed;
            }
        }
    }
    assert!(all > 5, "too little went wrong to promise anything: {all}");
}

#[test]
fn a_provider_that_is_dead_for_a_minute_costs_few_requests_anything_and_comes_back() {
    let engine = shipped();
    // A retry that takes a second lets others begin meanwhile; those count as well.
    for (fault, most) in [(Fault::Refused, 20), (Fault::Closed, 20), (Fault::Cut, 20), (Fault::Broken, 80)] {
        // Twenty a second: 1,200 requests come while it is dead.
        let model = model_of(&engine, 3);
        let load = Load { seed: 7, model, fault, percent: 1, pace: 50, dead: Some((10_000, 70_000)) };
        let result = load.run(&engine, 2_400);
        assert!(
            (1..=most).contains(&result.paid),
            "{fault:?}: {} requests asked it: {result:?}",
            result.paid
        );
        assert!(result.failed <= allowed(2_400, 2, 1), "{fault:?}: {result:?}");
        let answered =
            result.last.get(&engine.providers[engine.by_priority()[0]].name).copied().unwrap_or_default();
        assert!(answered >= 40, "{fault:?}: it is the first choice again: {result:?}");
    }
}
