//! A request's way: drives the engine's plan with real calls and real time, and gives the client the answer.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::Response;

use super::attempt::{self, Means, Rest};
use super::body::{Chunks, ReplyBody};
use super::budget::Share;
use super::request_body::BodyError;
use super::telemetry::{self, OneLine};
use super::{clock, stopping};
use crate::engine::decision::{Decision, Keeping};
use crate::engine::exchange::Exchange;
use crate::engine::health::Health;
use crate::engine::plan::{Answer, AnswerBody, Incoming, Outcome, Plan, Step};
use crate::engine::probe::Probe;
use crate::engine::{Engine, Ms};

mod live;
mod refused;
mod respond;
mod tokens;
mod waiting;
mod world;

use live::Live;
pub use refused::refuse;
use refused::unplanned;
pub use respond::respond;
use respond::{last_words, respond_with};
use waiting::Waiting;
pub use world::World;

/// What a client is told whose request met a bug.
pub const INTERNAL_ERROR: &str = "an internal error of the router stopped this request; please report it";
/// Answers one request by the rules of `engine`. Dropping the future, or the answer's body, ends the call to
/// the provider at once.
pub async fn answer(
    world: Arc<World>,
    engine: Arc<Engine>,
    incoming: Incoming,
    client: Option<IpAddr>,
    share: Option<Share>,
) -> Response<ReplyBody> {
    let (id, size) = (incoming.id.clone(), incoming.body.len());
    let (method, path, now) = (incoming.method.clone(), incoming.path.clone(), incoming.now);
    // Both in one turn, so that the tape of a long request is not held while others have theirs.
    let begun = world.work.on(size, || -> Result<(Life, Step), Option<Box<Answer>>> {
        let plan = Plan::begin(engine.clone(), incoming).map_err(|answer| Some(Box::new(answer)))?;
        let (mut share, tape) = (share, plan.tape_size());
        if share.as_mut().is_some_and(|share| share.take(tape).is_err()) {
            return Err(None);
        }
        let mut life = Life::new(world.clone(), &engine, id.clone(), plan);
        life.decision.client = client.map(|address| address.to_string());
        (life.share, life.tape, life.size) = (share, tape, size);
        let first = life.next();
        Ok((life, first))
    });
    match begun.await {
        Err(None) => {
            let (status, why) = BodyError::Overload.told();
            refuse(&world, &engine, client, &method, &path, status, why)
        }
        Err(Some(answer)) => {
            let decision = unplanned(&engine, &id, client, (&method, &path), &answer, now);
            telemetry::request(&decision);
            world.metrics.answered(&decision);
            world.decisions.push(decision, engine.keeping);
            respond(&id, *answer)
        }
        Ok((mut life, first)) => match life.plan.patience() {
            Some(sign) => waiting::answer(life, engine, first, sign).await,
            None => {
                let (answer, rest) = life.run(&engine, Some(first), None).await;
                life.answered(engine, answer, rest)
            }
        },
    }
}

/// Asks a provider whether it is well. What comes is judged like any answer, and goes to the health.
pub async fn probe(world: Arc<World>, engine: Arc<Engine>, probe: &Probe) {
    let (id, now) = (clock::request_id(), world.clock.now());
    match Plan::probe(engine.clone(), probe, id.clone(), now, clock::seed()) {
        Err(answer) => tracing::warn!("[{id}] a probe could not be sent: {}", answer.status),
        Ok(plan) => {
            let mut life = Life::new(world, &engine, id, plan);
            // Of a stream the beginning is enough: dropping the rest closes the call.
            let (answer, _) = life.run(&engine, None, probe.timeout).await;
            life.given(&answer);
            life.over();
        }
    }
}

/// A plan on its way. If the client goes away, this is dropped, and the plan is told.
struct Life {
    world: Arc<World>,
    id: String,
    plan: Plan,
    decision: Box<Decision>,
    keeping: Keeping,
    /// The record's number, once it is kept.
    kept: Option<u64>,
    over: bool,
    /// By how much the clock had been set when its times were right.
    moved: Ms,
    /// What it takes of the memory that all requests share.
    share: Option<Share>,
    /// How much of that is for the tape of its body, in bytes.
    tape: usize,
    /// How long its body is, in bytes.
    size: usize,
}

impl Life {
    fn new(world: Arc<World>, engine: &Engine, id: String, mut plan: Plan) -> Self {
        let keeping = engine.keeping;
        let decision = Box::new(plan.record(keeping));
        world.metrics.begins();
        if telemetry::wants_verdicts() {
            plan.trace();
        }
        let moved = world.clock.moved();
        let (kept, over, share, tape, size) = (None, false, None, 0, 0);
        Self { world, id, plan, decision, keeping, kept, over, moved, share, tape, size }
    }

    /// Counts the tape, which comes and goes, be it too much: the request was let in.
    fn weigh(&mut self) {
        let tape = self.plan.tape_size();
        let before = std::mem::replace(&mut self.tape, tape);
        if let Some(share) = self.share.as_mut().filter(|_| before != tape) {
            share.hold(tape);
            share.give_back(before);
        }
    }

    /// Does what the plan says, beginning with `first` if that was asked before, until there is an answer. `limit` is for
    /// each attempt as a whole, if it is to be shorter than what the provider may take otherwise.
    async fn run(
        &mut self,
        engine: &Engine,
        mut first: Option<Step>,
        limit: Option<Duration>,
    ) -> (Answer, Option<Rest>) {
        let (world, size) = (self.world.clone(), self.size);
        let mut rest = None;
        loop {
            let step = match first.take() {
                Some(step) => step,
                None => world.work.on(size, || self.next()).await,
            };
            match step {
                Step::Send(mut attempt) => {
                    let provider = engine.providers.get(attempt.provider);
                    let link = provider.map(|provider| provider.link.clone()).unwrap_or_default();
                    let timeouts = &mut attempt.request.timeouts;
                    timeouts.total = limit.map_or(timeouts.total, |limit| timeouts.total.min(limit));
                    let means = Means { work: &world.work, share: self.share.as_mut(), size };
                    let ended = tokio::select! {
                        ended = attempt::run(&world.upstream, *attempt, link, means) => ended,
                        () = self.world.stopping.is_over() => return (self.stopped(), None),
                    };
                    rest = ended.rest;
                    let read = if let Outcome::Whole(whole) = &ended.outcome { whole.raw.len() } else { 0 };
                    world.work.on(size + read, || self.observe(ended.outcome)).await;
                }
                Step::Wait(until) => tokio::select! {
                    () = tokio::time::sleep(self.until(until)) => {}
                    () = self.world.stopping.is_over() => return (self.stopped(), None),
                },
                Step::Answer(answer) => return (answer, rest),
            }
        }
    }

    /// The answer when the router stops before there is another one.
    fn stopped(&mut self) -> Answer {
        let answer = self.plan.stopped(stopping::REASON, &mut self.world.stores.health());
        self.tell();
        answer
    }

    /// How long it is until then.
    fn until(&mut self, then: Ms) -> Duration {
        Duration::from_millis(u64::try_from(then.saturating_sub(self.now())).unwrap_or_default())
    }

    fn next(&mut self) -> Step {
        let now = self.now();
        let step = self.plan.next(&mut &self.world.stores, now);
        self.weigh();
        self.tell();
        step
    }

    fn observe(&mut self, mut outcome: Outcome) {
        self.look_at(&mut outcome);
        self.with_health(|plan, health, now| plan.observe(outcome, health, now));
        self.weigh();
        self.tell();
    }

    /// Lets the plan look at the health, or change it, at one moment: the clock is not set in between.
    fn with_health<R>(&mut self, use_it: impl FnOnce(&mut Plan, &mut Health, Ms) -> R) -> R {
        let world = self.world.clone();
        let mut health = world.stores.health();
        let now = self.now();
        use_it(&mut self.plan, &mut health, now)
    }

    /// Notes what the client gets, and keeps the record.
    fn given(&mut self, answer: &Answer) {
        let now = self.now();
        self.decision.given(answer, now);
        self.keep();
    }

    /// Counts the decision, and keeps its record.
    fn keep(&mut self) {
        self.world.metrics.answered(&self.decision);
        // That a provider is well is what the health page tells; that the router is, who asked for it knows.
        if (self.decision.probe || self.plan.is_quiet()) && !self.decision.failed() {
            tracing::debug!("[{}] {}: well", self.id, OneLine(&self.decision.path));
            return;
        }
        if !self.decision.probe && (self.over || self.decision.client_left.is_some()) {
            self.tell_end();
        }
        // A stream goes on, and its record will be told how it ended.
        let decision = if self.over { std::mem::take(&mut self.decision) } else { self.decision.clone() };
        self.kept = Some(self.world.decisions.push(*decision, self.keeping));
    }

    fn answered(
        mut self,
        engine: Arc<Engine>,
        mut answer: Answer,
        rest: Option<Rest>,
    ) -> Response<ReplyBody> {
        let is_stream = matches!(answer.body, AnswerBody::Stream(_));
        self.over = !is_stream;
        self.given(&answer);
        match std::mem::replace(&mut answer.body, AnswerBody::Whole(Bytes::new())) {
            AnswerBody::Stream(exchange) => {
                let (id, resumes) = (self.id.clone(), self.plan.resumes());
                let path = self.decision.path.clone();
                let live = Live::new(self, exchange, rest);
                let chunks: Chunks = match resumes {
                    true => Box::pin(Waiting::on(live, engine.clone())),
                    false => Box::pin(live),
                };
                let body = ReplyBody::stream(chunks, last_words(engine, path, id.clone()));
                respond_with(&id, answer, body)
            }
            AnswerBody::Whole(bytes) => {
                self.over();
                let bytes = match self.share.take() {
                    Some(share) if !bytes.is_empty() => share.until_sent(bytes),
                    _ => bytes,
                };
                respond_with(&self.id, answer, ReplyBody::whole(bytes))
            }
        }
    }

    /// A stream broke off while the client was reading. Is anybody to be asked who goes on with it?
    fn broke_off(&mut self, exchange: &Exchange) -> bool {
        let goes_on = self.with_health(|plan, health, now| plan.broke_off(exchange, health, now));
        self.tell();
        goes_on
    }

    /// The router stops while the client is reading: that is nobody's failure.
    fn cut_off(&mut self) {
        self.plan.cut_off(stopping::REASON, &mut self.world.stores.health());
        self.over();
        self.tell();
        self.keep_end();
    }

    /// A stream has ended, well or not, while the client was reading.
    fn ended(&mut self, exchange: &Exchange) {
        self.with_health(|plan, health, now| plan.ended(exchange, health, now));
        self.over();
        self.tell();
        self.keep_end();
    }

    /// Counts how the stream ended, and completes the record that is kept.
    fn keep_end(&mut self) {
        self.world.metrics.stream_ended(&self.decision);
        self.tell_end();
        if let Some(number) = self.kept {
            let decision = std::mem::take(&mut self.decision);
            self.world.decisions.update(number, *decision, self.keeping);
        }
    }

    /// From here on the client has what it is given; that it goes away means nothing any more.
    fn over(&mut self) {
        self.over = true;
    }

    fn tell(&mut self) {
        let (events, now) = (self.plan.events(), self.now());
        events.iter().for_each(|event| self.decision.note(event, now));
        if events.iter().any(|event| event.is_lasting(now)) {
            self.world.unsaved.notify_one();
        }
        telemetry::tell(&self.id, &events);
    }

    /// Now. If the clock was set since the last look, the times of the request go with it.
    fn now(&mut self) -> Ms {
        let moved = self.world.clock.moved();
        let by = moved - std::mem::replace(&mut self.moved, moved);
        if by != 0 {
            self.plan.move_times(by);
            self.decision.move_times(by);
        }
        self.world.clock.now()
    }
}

impl Drop for Life {
    fn drop(&mut self) {
        if !self.over && !std::thread::panicking() {
            self.observe(Outcome::ClientGone);
            if self.kept.is_some() {
                self.keep_end()
            } else {
                self.keep()
            }
            tracing::debug!("[{}] the client went away", self.id);
        }
        self.world.metrics.ends();
        self.with_health(|plan, health, _| plan.release(health));
    }
}

#[cfg(test)]
mod tests;
