//! What an attempt's outcome means: it is judged, and the plan goes on as the rule says.

use super::verdict::Case;
use super::{Answer, Event, Outcome, Plan, State, Tried};
use crate::engine::Ms;
use crate::engine::actions::{self, Do};
use crate::engine::exchange::Exchange;
use crate::engine::failure::{Failure, FailureKind};
use crate::engine::health::Health;
use crate::engine::judge::cooling::{millis, moment};
use crate::engine::judge::{self, Rule};
use crate::engine::protocol::ErrorText;
use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use std::sync::Arc;
use std::time::Duration;

/// The status for a client that is not there any more. Nobody will read it.
const CLIENT_GONE: u16 = 499;
/// What an attempt came to whose client left.
const CLIENT_LEFT: &str = "client_left";

impl Plan {
    /// Takes in how the attempt went.
    pub fn observe(&mut self, outcome: Outcome, health: &mut Health, now: Ms) {
        let Some(way) = self.current.as_ref().map(|current| current.way) else {
            return;
        };
        match outcome {
            Outcome::Failed(failure) => self.failed(failure, health, now),
            Outcome::Whole(whole) => {
                if self.refuses(way, whole.status, &whole.headers, &whole.raw, health, now) {
                    return;
                }
                self.succeeded(way, whole.status, &whole.body, health, now);
                let answer = self.whole(way, whole);
                self.state = State::Done(Box::new(answer));
            }
            Outcome::Streaming(exchange) => {
                if self.refuses(way, exchange.status(), exchange.headers(), exchange.held(), health, now) {
                    return;
                }
                self.succeeded(way, exchange.status(), b"", health, now);
                let answer = self.stream(way, exchange);
                self.state = State::Done(Box::new(answer));
            }
            Outcome::ClientGone => {
                let provider = self.provider_name(way);
                self.events.push(Event::Outcome {
                    provider,
                    what: "the client left".to_owned(),
                    failure: Some(CLIENT_LEFT),
                    status: None,
                    phase: None,
                });
                let status = StatusCode::from_u16(CLIENT_GONE).unwrap_or(StatusCode::BAD_REQUEST);
                let answer = self.signed(Answer::by_router(status, Bytes::new()), None);
                self.state = State::Done(Box::new(answer));
            }
        }
    }

    /// Takes in how a stream ended that the client was already reading: the rules may put the provider aside.
    pub fn ended(&mut self, exchange: &Exchange, health: &mut Health, now: Ms) {
        let Some(way) = self.current.as_ref().map(|current| current.way) else {
            return;
        };
        let Some(failure) = exchange.failure() else {
            self.events.push(Event::StreamEnded { provider: self.provider_name(way) });
            return;
        };
        let (failure, read) = self.understood(way, failure.clone());
        let provider = self.provider_name(way);
        self.events.push(Event::BrokenStream { provider, reason: failure.to_string() });
        let case = Case::of(way, &failure, &read, now);
        let rule = self.judge(&case);
        self.remember(&case, &failure, rule.as_deref(), health);
        if let Some(rule) = rule {
            self.put_aside(&case, &rule, health);
        }
    }

    fn succeeded(&mut self, way: usize, status: u16, body: &[u8], health: &mut Health, now: Ms) {
        let name = self.provider_name(way);
        let what = format!("answers with status {status}");
        self.events.push(Event::Outcome {
            provider: name.clone(),
            what,
            failure: None,
            status: Some(status),
            phase: None,
        });
        health.succeeded(&name, now);
        let engine = self.engine.clone();
        if let Some(probe) = self.probe.and_then(|place| engine.probes.get(place)) {
            let well = probe.is_well(status, body);
            if health.probed(&name, well, probe.recovered_after, now) {
                let reason = "a probe was answered".to_owned();
                self.events.push(Event::Recovered { provider: name, reason });
            }
        }
    }

    /// Lets the rules see a good answer. True if one of them makes a failure of it; then the plan goes on.
    fn refuses(
        &mut self,
        way: usize,
        status: u16,
        headers: &HeaderMap,
        body: &[u8],
        health: &mut Health,
        now: Ms,
    ) -> bool {
        let engine = self.engine.clone();
        let provider = self.way(way).and_then(|way| engine.providers.get(way.provider));
        if !provider.is_some_and(|provider| provider.rules.see_good()) {
            return false;
        }
        let mut failure = Failure {
            status: Some(status),
            headers: headers.clone(),
            body: Bytes::copy_from_slice(body),
            ..Failure::new(FailureKind::Malformed, "a rule does not take this for an answer")
        };
        self.hide_keys(way, &mut failure);
        let read = self.read(way, &failure);
        let case = Case { kind: None, ..Case::of(way, &failure, &read, now) };
        let Some(rule) = self.judge(&case) else {
            return false;
        };
        if rule.action == Do::Return {
            self.last_rule = Some(rule.name.clone());
            self.put_aside(&case, &rule, health);
            return false;
        }
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
            if let Some(state) = self.again(way, rule, &failure, now) {
                self.remember(&case, &failure, Some(rule), health);
                self.state = state;
                return;
            }
            action = last_action(&action);
        }
        // What a rule simply gives back is the caller's affair, not the provider's.
        let is_callers = failure.kind == FailureKind::Lossy
            || action == Do::Return && rule.as_ref().is_some_and(|rule| !rule.puts_aside());
        if !is_callers {
            self.remember(&case, &failure, rule.as_deref(), health);
        }
        if let Some(rule) = &rule {
            self.put_aside(&case, rule, health);
        }
        self.events.push(Event::Decided {
            provider: self.provider_name(way),
            rule: rule.as_ref().map(|rule| rule.name.clone()),
            action: if action == Do::Return { "return" } else { "next" },
        });
        if action == Do::Return || self.probe.is_some() {
            let answer = self.error(way, &failure, &read, false, None);
            let answer = self.answered(answer);
            self.state = State::Done(Box::new(answer));
            return;
        }
        let rule = rule.map(|rule| rule.name.clone());
        self.failover = Some((self.provider_name(way), rule, failure.to_string()));
        self.tried.push(Tried { way, failure, read });
        self.current = None;
        self.state = State::Choosing;
    }

    /// The state in which the same provider is asked once more, if the rule wants that and may have it.
    fn again(&mut self, way: usize, rule: &Rule, failure: &Failure, now: Ms) -> Option<State> {
        if self.probe.is_some() {
            return None;
        }
        match &rule.action {
            Do::Retry { times, backoff, .. } => {
                let made = self.retries.iter().position(|(at, name, _)| *at == way && *name == rule.name);
                let count = made.and_then(|place| self.retries.get(place)).map_or(0, |made| made.2) + 1;
                if count > *times {
                    return None;
                }
                let at = retry_at(*backoff, count, self.incoming.seed, failure, now)?;
                match made.and_then(|place| self.retries.get_mut(place)) {
                    Some(made) => made.2 = count,
                    None => self.retries.push((way, rule.name.clone(), count)),
                }
                self.note_again(way, rule, at, None);
                Some(State::Asking(way, at))
            }
            Do::Repair { patch, .. } if !self.repaired.contains(&(way, *patch)) => {
                let body = self.repair(*patch)?;
                let name = self.engine.repairs.get(*patch).map(|repair| repair.name.clone());
                self.repaired.push((way, *patch));
                if let Some(current) = &mut self.current {
                    current.body = body;
                }
                self.note_again(way, rule, now, name);
                Some(State::Asking(way, now))
            }
            _ => None,
        }
    }

    fn note_failure(&mut self, provider: String, failure: &Failure) {
        self.events.push(Event::Outcome {
            provider,
            what: failure.to_string(),
            failure: Some(failure.kind.name()),
            status: failure.status,
            phase: Some(failure.phase),
        });
    }

    fn note_again(&mut self, way: usize, rule: &Rule, at: Ms, repair: Option<String>) {
        let provider = self.provider_name(way);
        self.events.push(Event::Retry { provider, rule: rule.name.clone(), at, repair });
    }
}

/// What is left of an action when asking again is out of the question.
fn last_action(action: &Do) -> Do {
    match action {
        Do::Retry { then, .. } => (**then).clone(),
        Do::Repair { otherwise, .. } => {
            otherwise.as_ref().map_or(Do::Next, |otherwise| (**otherwise).clone())
        }
        other => other.clone(),
    }
}

/// When the same provider is asked again: after the backoff, or when it says so itself; `None` if it says so
/// and that is too long to wait.
fn retry_at(backoff: Duration, count: u32, seed: u64, failure: &Failure, now: Ms) -> Option<Ms> {
    let backoff = now.saturating_add(millis(actions::wait(backoff, count, seed)));
    let header = |name: &str| failure.headers.get(name).and_then(|value| value.to_str().ok());
    let stated = header("retry-after-ms").and_then(|text| moment(text, true, now));
    let stated = stated.or_else(|| header("retry-after").and_then(|text| moment(text, false, now)));
    match stated {
        Some(at) if at > now.saturating_add(millis(actions::LONGEST_WAIT)) => None,
        Some(at) => Some(at.max(backoff)),
        None => Some(backoff),
    }
}
