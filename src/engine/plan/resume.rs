//! A stream that broke off while the client was reading it, and another provider that goes on with it.

use super::outcome::last_action;
use super::verdict::Case;
use super::{Answer, AnswerBody, Event, Plan, State, Tried};
use crate::engine::Ms;
use crate::engine::actions::Do;
use crate::engine::exchange::{Exchange, Job, Seam};
use crate::engine::failure::{Failure, FailureKind};
use crate::engine::health::Health;
use crate::engine::judge;
use crate::engine::route::{Gate, GateMode, Route};
use crate::text::json::Doc;
use bytes::Bytes;
use http::StatusCode;

/// A stream that broke off.
pub(super) struct Resumption {
    seam: Seam,
    /// Whose it was.
    from: String,
    /// The rule that said so.
    rule: Option<String>,
}

impl Resumption {
    /// The client's request, for a provider that is to go on.
    pub fn request(&self, provider: &Doc) -> Option<Doc> {
        self.seam.request(provider)
    }
}

impl Plan {
    /// May another provider go on with a stream of this request that breaks off?
    pub fn resumes(&self) -> bool {
        self.streaming && self.route().is_some_and(|route| route.resumes)
    }

    /// Takes in that a stream broke off that another provider could go on with: [`Exchange::cut`]. The rules judge it
    /// like any failure. If it is true, ask [`Plan::next`] what is to be done; an answer that is no stream means then
    /// that nobody goes on. In that case, and if it is false, the exchange has to give up.
    pub fn broke_off(&mut self, exchange: &Exchange, health: &mut Health, now: Ms) -> bool {
        self.release(health);
        let (Some(current), Some(failure)) = (self.current.take(), exchange.cut()) else { return false };
        let way = current.way;
        self.note_shadow(way, exchange);
        self.current = Some(current);
        let (failure, read) = self.understood(way, failure.clone());
        let provider = self.provider_name(way);
        self.events.push(Event::BrokenStream { provider: provider.clone(), reason: failure.to_string() });
        if self.is_cut(&failure, now) {
            self.current = None;
            return false;
        }
        let case = Case { committed: true, ..Case::of(way, &failure, &read, now) };
        let rule = self.judge(&case);
        self.remember(&case, &failure, rule.as_deref(), health);
        if let Some(rule) = &rule {
            self.put_aside(&case, rule, health);
        }
        // To ask the same provider again makes no sense here: what would be the next thing to do is done at once.
        let action =
            rule.as_ref().map_or_else(|| judge::default_action(&failure), |it| last_action(&it.action));
        let name = rule.as_ref().map(|rule| rule.name.clone());
        let seam = exchange.seam().filter(|_| action == Do::Next && !self.is_late(now));
        let action = if seam.is_some() { "continue" } else { "too_late" };
        self.events.push(Event::Decided { provider, rule: name.clone(), action });
        self.current = None;
        let Some(mut seam) = seam.cloned() else { return false };
        if let Some(rule) = rule.as_ref().filter(|rule| rule.switch) {
            self.switching = Some(rule.name.clone());
        }
        seam.break_off();
        let from = self.way_name(way);
        self.failover = Some((from.clone(), name.clone(), failure.to_string()));
        self.resumption = Some(Box::new(Resumption { seam, from, rule: name }));
        self.tried.push(Tried { way, only_key: false, failure, read, rule: None });
        self.state = State::Choosing;
        true
    }

    /// The exchange of the next attempt.
    pub(super) fn exchange(&self, job: Job) -> Exchange {
        match &self.resumption {
            Some(from) => Exchange::resuming(job, from.seam.clone()),
            None => Exchange::new(job),
        }
    }

    /// How a stream is held back. One that goes on always is: what breaks before its content may still be another's.
    pub(super) fn gate(&self, route: &Route) -> Gate {
        let mode = if self.resumption.is_some() { GateMode::On } else { route.gate.mode };
        Gate { mode, ..route.gate }
    }

    /// The rest of a stream, by another provider.
    pub(super) fn resumed(&mut self, way: usize, from: Resumption, mut exchange: Box<Exchange>) -> Answer {
        let to = self.way_name(way);
        exchange.remark(&format!("x-rulegate-provider: {}", self.provider_name(way)));
        let said = from.seam.said().chars().count();
        self.events.push(Event::Resumed { from: from.from, to, rule: from.rule, said });
        let answer = Answer::by_router(StatusCode::OK, Bytes::new());
        self.signed(Answer { body: AnswerBody::Stream(exchange), ..answer }, Some(self.provider_name(way)))
    }

    /// The answer when nobody goes on: the client will be told what broke its stream.
    pub(super) fn not_resumed(&mut self) -> Answer {
        let from = self.resumption.as_ref().map(|from| from.from.clone()).unwrap_or_default();
        self.events.push(Event::NotResumed { from });
        Answer::by_router(StatusCode::BAD_GATEWAY, Bytes::new())
    }
}

/// The protocol's edits of the request came to nothing.
pub(super) fn no_request() -> Box<Failure> {
    Box::new(Failure::new(FailureKind::Mapping, "the request to go on with the stream could not be made"))
}
