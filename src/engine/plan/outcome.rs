//! What an attempt's outcome means: it is judged, and the plan goes on as the rule says.

use super::recovered::kept;
use super::verdict::Case;
use super::{Answer, Event, NoAnswer, Outcome, Plan, State, Tried};
use crate::engine::Ms;
use crate::engine::actions::{self, Do};
use crate::engine::exchange::Exchange;
use crate::engine::failure::{Failure, FailureKind, Phase};
use crate::engine::health::Health;
use crate::engine::judge::cooling::{millis, moment};
use crate::engine::judge::notices::{LARGEST, LONGEST, TOO_LONG};
use crate::engine::judge::{self, Rule};
use crate::engine::protocol::{ErrorText, Protocol};
use crate::text::json::Doc;
use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use std::sync::Arc;

/// The status for a client that is not there any more. Nobody will read it.
const CLIENT_GONE: u16 = 499;

impl Plan {
    /// Lets the rules see a good answer. It may be long, so whoever holds the health calls this before; `observe` does
    /// it where nobody did.
    pub fn see(&mut self, outcome: &Outcome, now: Ms) {
        let Some(way) = self.current.as_ref().filter(|current| current.seen.is_none()).map(|it| it.way)
        else {
            return;
        };
        let found = match outcome {
            Outcome::Whole(whole) => {
                self.hear(way, |protocol| {
                    if whole.raw.len() > LARGEST {
                        return Err("the answer is larger than 64 KiB");
                    }
                    let doc = Doc::parse(whole.raw.clone()).map_err(|_| "the answer is no JSON")?;
                    Ok(protocol.words(&doc).trim().to_owned())
                });
                self.no_answer(way, whole.status, &whole.headers, || whole.raw.clone(), now)
            }
            Outcome::Streaming(exchange) => {
                self.hear(way, |_| exchange.words().map(str::to_owned));
                let held = || Bytes::copy_from_slice(exchange.held());
                self.no_answer(way, exchange.status(), exchange.headers(), held, now)
            }
            Outcome::Failed(_) | Outcome::ClientGone => return,
        };
        if let Some(current) = &mut self.current {
            current.seen = Some(found);
        }
    }

    /// Takes in how the attempt went.
    pub fn observe(&mut self, outcome: Outcome, health: &mut Health, now: Ms) {
        self.see(&outcome, now);
        let Some(way) = self.current.as_ref().map(|current| current.way) else {
            return;
        };
        match outcome {
            Outcome::Failed(failure) if self.is_cut(&failure, now) => self.too_late(way, failure),
            Outcome::Failed(failure) => self.failed(failure, health, now),
            Outcome::Whole(whole) => {
                if self.refuses(way, health, now) {
                    return;
                }
                self.succeeded(way, whole.status, &whole.body, health, now);
                health.lives(&self.lane(way), now);
                self.release(health);
                let answer = self.whole(way, whole);
                self.state = State::Done(Box::new(answer));
            }
            Outcome::Streaming(exchange) => {
                if self.refuses(way, health, now) {
                    return;
                }
                self.succeeded(way, exchange.status(), b"", health, now);
                self.note_released(way, &exchange);
                let answer = match self.resumption.take() {
                    Some(from) => self.resumed(way, *from, exchange),
                    None => self.stream(way, exchange),
                };
                self.state = State::Done(Box::new(answer));
            }
            Outcome::ClientGone => {
                self.release(health);
                let provider = self.provider_name(way);
                self.events.push(Event::Outcome {
                    provider,
                    what: "the client left".to_owned(),
                    failure: Some(Event::CLIENT_LEFT),
                    status: None,
                    phase: None,
                    said: None,
                });
                let status = StatusCode::from_u16(CLIENT_GONE).unwrap_or(StatusCode::BAD_REQUEST);
                let answer = self.signed(Answer::by_router(status, Bytes::new()), None);
                self.state = State::Done(Box::new(answer));
            }
        }
    }

    /// Takes in how a stream ended that the client was already reading: the rules may put the provider aside.
    pub fn ended(&mut self, exchange: &Exchange, health: &mut Health, now: Ms) {
        self.release(health);
        let Some(way) = self.current.as_ref().map(|current| current.way) else {
            return;
        };
        self.note_shadow(way, exchange);
        let Some(failure) = exchange.failure() else {
            health.lives(&self.lane(way), now);
            self.events.push(Event::StreamEnded { provider: self.provider_name(way) });
            return;
        };
        let (failure, read) = self.understood(way, failure.clone());
        let provider = self.provider_name(way);
        self.events.push(Event::BrokenStream { provider, reason: failure.to_string() });
        if self.is_cut(&failure, now) {
            return;
        }
        let case = Case { committed: true, ..Case::of(way, &failure, &read, now) };
        let rule = self.judge(&case);
        self.remember(&case, &failure, rule.as_deref(), health);
        if let Some(rule) = &rule {
            self.put_aside(&case, rule, health);
        }
        let (provider, rule) = (self.provider_name(way), rule.map(|rule| rule.name.clone()));
        self.events.push(Event::Decided { provider, rule, action: "too_late" });
    }

    /// Keeps the words of an answer, if rules look at them and they are few.
    fn hear(&mut self, way: usize, words: impl FnOnce(&Protocol) -> Result<String, &'static str>) {
        let looks = self.rules(way).is_some_and(|rules| rules.notices.is_some());
        let words = self.way(way).filter(|_| looks).map(|way| words(&way.protocol));
        let Some(current) = &mut self.current else { return };
        (current.words, current.unheard) = match words {
            None => (None, None),
            Some(Ok(words)) if words.chars().nth(LONGEST).is_some() => (None, Some(TOO_LONG)),
            Some(Ok(words)) => (Some(words), None),
            Some(Err(reason)) => (None, Some(reason)),
        };
    }

    /// Whether a rule makes a failure of a good answer, and which.
    fn no_answer(
        &mut self,
        way: usize,
        status: u16,
        headers: &HeaderMap,
        body: impl FnOnce() -> Bytes,
        now: Ms,
    ) -> Option<NoAnswer> {
        let words = self.current.as_ref().and_then(|current| current.words.as_deref());
        // Whoever wants to see why is told by each rule.
        if !self.trace && !self.rules(way).is_some_and(|rules| rules.see_good(words)) {
            return None;
        }
        let failure = Failure {
            status: Some(status),
            phase: Phase::Content,
            headers: headers.clone(),
            body: body(),
            is_refused: true,
            ..Failure::new(FailureKind::Malformed, "a rule does not take this for an answer")
        };
        let read = self.read(way, &failure);
        let case = Case { kind: None, ..Case::of(way, &failure, &read, now) };
        let rule = self.judge(&case)?;
        Some(Box::new((failure, read, rule)))
    }

    /// Does what a rule says that makes a failure of a good answer. True if there is one; then the plan goes on.
    fn refuses(&mut self, way: usize, health: &mut Health, now: Ms) -> bool {
        let seen = self.current.as_mut().and_then(|current| current.seen.take()).flatten();
        let Some((mut failure, mut read, rule)) = seen.map(|found| *found) else {
            return false;
        };
        if rule.action == Do::Return {
            let case = Case { kind: None, ..Case::of(way, &failure, &read, now) };
            self.last_rule = Some(rule.name.clone());
            self.put_aside(&case, &rule, health);
            return false;
        }
        self.hide_keys(way, &mut failure);
        read = self.read(way, &failure);
        let words = self.current.as_ref().and_then(|current| current.words.as_deref());
        failure.said = self.said(way, None, read.message.as_deref().or(words));
        self.note_failure(self.provider_name(way), &failure);
        self.decide(way, failure, read, Some(rule), health, now);
        true
    }

    /// An attempt failed.
    pub(super) fn failed(&mut self, failure: Failure, health: &mut Health, now: Ms) {
        let Some(way) = self.current.as_ref().map(|current| current.way) else {
            return;
        };
        let (failure, read) = self.understood(way, failure);
        let provider = self.provider_name(way);
        self.note_failure(provider, &failure);
        let rule = self.judge(&Case::of(way, &failure, &read, now));
        self.decide(way, failure, read, rule, health, now);
    }

    /// Does what the rule says, or what is usual if there is none.
    pub(super) fn decide(
        &mut self,
        way: usize,
        failure: Failure,
        read: ErrorText,
        rule: Option<Arc<Rule>>,
        health: &mut Health,
        now: Ms,
    ) {
        let case = Case::of(way, &failure, &read, now);
        let mut action =
            rule.as_ref().map_or_else(|| judge::default_action(&failure), |rule| rule.action.clone());
        if let Some(rule) = &rule {
            self.last_rule = Some(rule.name.clone());
            if let Some(state) = self.again(&case, rule, &failure) {
                self.remember(&case, &failure, Some(rule), health);
                self.state = state;
                return;
            }
            action = last_action(&action);
        }
        self.release(health);
        // What a rule simply gives back is the caller's affair, not the provider's.
        let is_callers = failure.kind == FailureKind::Lossy
            || action.answers() && rule.as_ref().is_some_and(|rule| !rule.puts_aside());
        if !is_callers {
            self.remember(&case, &failure, rule.as_deref(), health);
        } else if failure.status.is_some() && failure.kind != FailureKind::Mapping {
            health.lives(&self.lane(way), now);
            health.noted(&self.provider_name(way), kept(&case, &failure, rule.as_deref()));
        }
        if let Some(rule) = &rule {
            self.put_aside(&case, rule, health);
        }
        if self.probe.is_some() {
            let by = rule.as_ref().map(|rule| format!(" (rule {})", rule.name)).unwrap_or_default();
            self.probe_failed(way, format!("{failure}{by}"), health, now);
        }
        // What a provider does not like about going on is not the caller's mistake. And a route with an answer of its own
        // gives back only what the caller has to change.
        let has_own = self.route().is_some_and(|route| route.otherwise.is_some());
        if self.resumption.is_some() || has_own && action == Do::Return && !failure.is_of_request(&read) {
            action = Do::Next;
        }
        self.events.push(Event::Decided {
            provider: self.provider_name(way),
            rule: rule.as_ref().map(|rule| rule.name.clone()),
            action: action.name(),
        });
        let refused = match (&action, &rule) {
            (Do::Refuse(place), Some(rule)) => self.refused_by_rule(&case, rule, *place),
            _ => None,
        };
        if let Some(answer) = refused {
            self.state = State::Done(Box::new(answer));
            return;
        }
        if action == Do::Return || self.probe.is_some() {
            let answer = self.error(way, &failure, &read, false, None);
            let answer = self.answered(answer);
            self.state = State::Done(Box::new(answer));
            return;
        }
        if let Some(rule) = rule.as_ref().filter(|rule| rule.switch) {
            self.switching = Some(rule.name.clone());
        }
        let only_key = rule
            .as_ref()
            .is_some_and(|rule| rule.blames_key() || !rule.puts_aside() && failure.is_of_account());
        let name = rule.as_ref().map(|rule| rule.name.clone());
        self.failover = Some((self.way_name(way), name, failure.to_string()));
        self.tried.push(Tried { way, only_key, failure, read, rule });
        self.current = None;
        self.state = State::Choosing;
    }

    /// The state in which the same provider is asked once more, if the rule wants that and may have it.
    fn again(&mut self, case: &Case<'_>, rule: &Rule, failure: &Failure) -> Option<State> {
        if self.probe.is_some() {
            return None;
        }
        let (way, now) = (case.way, case.now);
        let count = self.retries_made(way, rule) + 1;
        match &rule.action {
            Do::Retry { times, backoff, at_most, .. } if count <= *times => {
                let wait = actions::wait(*backoff, *at_most, count, self.incoming.seed);
                let backoff = now.saturating_add(millis(wait));
                let at = match retry_after(failure, now) {
                    Some(at) if at > now.saturating_add(millis(*at_most)) => return None,
                    Some(at) => at.max(backoff),
                    None => backoff,
                };
                if self.is_late(at) {
                    return None;
                }
                self.count_retry(way, rule, count);
                self.note_again(way, rule, at, None, failure);
                Some(State::Asking(way, at))
            }
            Do::Wait { times, at_most, .. } if count <= *times => {
                let stated = self.stated(case, rule).or_else(|| retry_after(failure, now))?;
                if stated > now.saturating_add(millis(*at_most)) {
                    return None;
                }
                // Those who wait for the same moment do not all come back at it.
                let more = at_most.mul_f64(actions::chance(self.incoming.seed, count) / 20.0);
                let at = stated.saturating_add(millis(more));
                if self.is_late(at) {
                    return None;
                }
                self.count_retry(way, rule, count);
                self.note_again(way, rule, at, None, failure);
                Some(State::Asking(way, at))
            }
            Do::Repair { patch, .. } if !self.repaired.contains(&(way, *patch)) => {
                let mended = self.mend(case, rule, *patch)?;
                let name = self.engine.repairs.get(*patch).map(|repair| repair.name.clone());
                self.repaired.push((way, *patch));
                if let Some(current) = &mut self.current {
                    current.body = mended.body;
                }
                self.edited.extend(mended.headers.into_iter().map(|(name, value)| (way, name, value)));
                self.note_again(way, rule, now, name, failure);
                Some(State::Asking(way, now))
            }
            _ => None,
        }
    }

    fn retries_made(&self, way: usize, rule: &Rule) -> u32 {
        let made = self.retries.iter().find(|(at, name, _)| *at == way && *name == rule.name);
        made.map_or(0, |(_, _, count)| *count)
    }

    fn count_retry(&mut self, way: usize, rule: &Rule, count: u32) {
        match self.retries.iter_mut().find(|(at, name, _)| *at == way && *name == rule.name) {
            Some(made) => made.2 = count,
            None => self.retries.push((way, rule.name.clone(), count)),
        }
    }

    pub(super) fn note_failure(&mut self, provider: String, failure: &Failure) {
        self.events.push(Event::Outcome {
            provider,
            what: failure.to_string(),
            failure: Some(failure.kind.name()),
            status: failure.status,
            phase: Some(failure.phase),
            said: failure.said.clone(),
        });
    }

    fn note_again(&mut self, way: usize, rule: &Rule, at: Ms, repair: Option<String>, failure: &Failure) {
        let (provider, reason) = (self.provider_name(way), failure.to_string());
        self.events.push(Event::Retry { provider, rule: rule.name.clone(), at, repair, reason });
    }
}

/// What is left of an action when asking again is out of the question.
pub(super) fn last_action(action: &Do) -> Do {
    match action {
        Do::Retry { then, .. } | Do::Wait { then, .. } => (**then).clone(),
        Do::Repair { otherwise, .. } => {
            otherwise.as_ref().map_or(Do::Next, |otherwise| (**otherwise).clone())
        }
        other => other.clone(),
    }
}

/// When the answer says that it makes sense to ask again.
fn retry_after(failure: &Failure, now: Ms) -> Option<Ms> {
    let header = |name: &str| failure.headers.get(name).and_then(|value| value.to_str().ok());
    let stated = header("retry-after-ms").and_then(|text| moment(text, true, now));
    stated.or_else(|| header("retry-after").and_then(|text| moment(text, false, now)))
}
