//! What an attempt's outcome means: it is judged, the rule's effects are taken, and the plan goes on.

use super::{Event, Outcome, Plan, State, Tried};
use crate::engine::Ms;
use crate::engine::actions::{self, Do};
use crate::engine::exchange::Exchange;
use crate::engine::failure::{Failure, FailureKind};
use crate::engine::health::{Health, KeptError};
use crate::engine::judge::cooling::{millis, moment};
use crate::engine::judge::{self, Facts, Judged, Rule};
use crate::engine::names::{ROUTING, View};
use crate::engine::protocol::ErrorText;
use crate::text::json::Doc;
use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use std::sync::Arc;
use std::time::Duration;

/// The status for a client that is not there any more. Nobody will read it.
const CLIENT_GONE: u16 = 499;

impl Plan {
    /// Takes in how the attempt went.
    pub fn observe(&mut self, outcome: Outcome, health: &mut Health, now: Ms) {
        let Some(way) = self.current.as_ref().map(|current| current.way) else {
            return;
        };
        let name = self.provider_name(way);
        match outcome {
            Outcome::Failed(failure) => self.failed(failure, health, now),
            Outcome::Whole(whole) => {
                let judged = self.judge_good(way, whole.status, &whole.headers, &whole.raw, health, now);
                if judged {
                    return;
                }
                self.succeeded(&name, whole.status, &whole.body, health, now);
                let answer = self.whole(way, whole);
                self.state = State::Done(Box::new(answer));
            }
            Outcome::Streaming(exchange) => {
                let held = Bytes::copy_from_slice(exchange.held());
                let judged = self.judge_good(way, exchange.status(), exchange.headers(), &held, health, now);
                if judged {
                    return;
                }
                self.succeeded(&name, exchange.status(), b"", health, now);
                let answer = self.stream(way, exchange);
                self.state = State::Done(Box::new(answer));
            }
            Outcome::ClientGone => {
                self.events.push(Event::Outcome { provider: name, what: "the client left".to_owned() });
                let status = StatusCode::from_u16(CLIENT_GONE).unwrap_or(StatusCode::BAD_REQUEST);
                let answer = super::Answer::by_router(status, Bytes::new());
                self.state = State::Done(Box::new(self.signed(answer, None)));
            }
        }
    }

    /// Takes in how a stream ended that the client was already reading: the rules may put the provider aside.
    pub fn ended(&mut self, exchange: &Exchange, health: &mut Health, now: Ms) {
        let (Some(failure), Some(current)) = (exchange.failure(), self.current.as_ref()) else {
            return;
        };
        let way = current.way;
        let mut failure = failure.clone();
        self.hide_keys(way, &mut failure);
        let read = self.read(way, &failure);
        failure.status = failure.status.or(read.status);
        let provider = self.provider_name(way);
        self.events.push(Event::BrokenStream { provider: provider.clone(), reason: failure.to_string() });
        let rule = self.judge(way, Some(&failure), &failure.body, &failure.headers, &read, now);
        self.remember(way, &failure, &read, rule.as_deref(), health, now);
        if let Some(rule) = rule {
            self.put_aside(way, &rule, &failure, &read, health, now);
        }
    }

    fn succeeded(&mut self, name: &str, status: u16, body: &[u8], health: &mut Health, now: Ms) {
        let what = format!("answers with status {status}");
        self.events.push(Event::Outcome { provider: name.to_owned(), what });
        health.succeeded(name, now);
        if let Some(probe) = self.engine.clone().probes.iter().find(|it| Some(it.provider) == self.probe) {
            let well = probe.is_well(status, body);
            if health.probed(name, well, probe.recovered_after, now) {
                let reason = "a probe was answered".to_owned();
                self.events.push(Event::Recovered { provider: name.to_owned(), reason });
            }
        }
    }

    /// Lets the rules see a good answer. True if one of them makes a failure of it.
    fn judge_good(
        &mut self,
        way: usize,
        status: u16,
        headers: &HeaderMap,
        body: &Bytes,
        health: &mut Health,
        now: Ms,
    ) -> bool {
        let engine = self.engine.clone();
        let provider = self.way(way).and_then(|way| engine.providers.get(way.provider));
        if !provider.is_some_and(|provider| provider.judges_good) {
            return false;
        }
        let failure = Failure {
            status: Some(status),
            headers: headers.clone(),
            body: body.clone(),
            ..Failure::new(FailureKind::Malformed, "a rule does not take this for an answer")
        };
        let read = self.read(way, &failure);
        let Some(rule) = self.judge_with(way, None, Some(status), body, headers, &read, now) else {
            return false;
        };
        if rule.action == Do::Return {
            self.last_rule = Some(rule.name.clone());
            self.put_aside(way, &rule, &failure, &read, health, now);
            return false;
        }
        self.decide(way, failure, read, Some(rule), health, now);
        true
    }

    /// An attempt failed.
    pub(super) fn failed(&mut self, mut failure: Failure, health: &mut Health, now: Ms) {
        let Some(way) = self.current.as_ref().map(|current| current.way) else {
            return;
        };
        self.hide_keys(way, &mut failure);
        let read = self.read(way, &failure);
        failure.status = failure.status.or(read.status);
        if let Some(message) = read.message.as_ref().filter(|_| read.is_error()) {
            failure.message.clone_from(message);
        }
        let provider = self.provider_name(way);
        self.events.push(Event::Outcome { provider, what: failure.to_string() });
        let rule = self.judge(way, Some(&failure), &failure.body.clone(), &failure.headers, &read, now);
        self.decide(way, failure, read, rule, health, now);
    }

    fn judge(
        &mut self,
        way: usize,
        failure: Option<&Failure>,
        body: &Bytes,
        headers: &HeaderMap,
        read: &ErrorText,
        now: Ms,
    ) -> Option<Arc<Rule>> {
        let status = failure.and_then(|failure| failure.status);
        self.judge_with(way, failure.map(|failure| failure.kind), status, body, headers, read, now)
    }

    #[allow(clippy::too_many_arguments)]
    fn judge_with(
        &mut self,
        way: usize,
        kind: Option<FailureKind>,
        status: Option<u16>,
        body: &Bytes,
        headers: &HeaderMap,
        read: &ErrorText,
        now: Ms,
    ) -> Option<Arc<Rule>> {
        let engine = self.engine.clone();
        let provider = engine.providers.get(self.way(way)?.provider)?;
        let facts = self.facts(&provider.name, kind, status, body, headers, read, now);
        let judged = Judged::new(&facts, &engine.texts);
        let mut said = Vec::new();
        let is_spent = |rule: &Rule| self.is_spent(way, rule);
        let wanted = self.trace.then_some(&mut said);
        let rule = judge::judge(&provider.rules, &judged, is_spent, wanted).cloned();
        for said in said {
            let judge::Said { rule, fired: matched, why } = said;
            self.events.push(Event::Verdict { provider: provider.name.clone(), rule, matched, why });
        }
        rule
    }

    #[allow(clippy::too_many_arguments)]
    fn facts<'a>(
        &'a self,
        provider: &'a str,
        failure: Option<FailureKind>,
        status: Option<u16>,
        body: &'a Bytes,
        headers: &'a HeaderMap,
        read: &'a ErrorText,
        now: Ms,
    ) -> Facts<'a> {
        let current = self.current.as_ref();
        Facts {
            failure,
            status,
            headers,
            body,
            read,
            request: &self.doc,
            model: &self.model,
            provider_doc: current.map_or(&self.doc, |current| &current.provider_doc),
            provider,
            attempt: current.map_or(1, |current| current.number),
            now,
        }
    }

    /// Has a repair been made already, or would it change nothing? Then the rules that follow decide.
    fn is_spent(&self, way: usize, rule: &Rule) -> bool {
        match &rule.action {
            Do::Repair { patch, otherwise: None } => {
                self.repaired.contains(&(way, *patch)) || self.repair(*patch).is_none()
            }
            _ => false,
        }
    }

    /// The latest body with a patch applied; `None` if that changes nothing.
    fn repair(&self, patch: usize) -> Option<Bytes> {
        let current = self.current.as_ref()?;
        let repair = self.engine.repairs.get(patch)?;
        let doc = Doc::parse(current.body.clone()).ok()?;
        let view = View {
            doc: Some(&doc),
            request: Some(&self.doc),
            header: Some(&self.incoming.headers),
            model: Some(&self.model),
            provider: Some(&current.provider_doc),
            now: Some(self.incoming.now),
            id: Some(&self.incoming.id),
            ..View::default()
        };
        let body = repair.patch.apply(&doc, &mut view.env(ROUTING, ROUTING.len())).ok()?;
        (body != current.body.as_ref()).then(|| body.into())
    }

    /// Does what the rule says, or what is usual if there is none.
    fn decide(
        &mut self,
        way: usize,
        failure: Failure,
        read: ErrorText,
        rule: Option<Arc<Rule>>,
        health: &mut Health,
        now: Ms,
    ) {
        self.remember(way, &failure, &read, rule.as_deref(), health, now);
        let mut action =
            rule.as_ref().map_or_else(|| judge::default_action(&failure), |rule| rule.action.clone());
        if let Some(rule) = &rule {
            self.last_rule = Some(rule.name.clone());
            action = match self.again(way, rule, &failure, now) {
                Some(state) => {
                    self.state = state;
                    return;
                }
                None => last_action(&action),
            };
            self.put_aside(way, rule, &failure, &read, health, now);
        }
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

    fn note_again(&mut self, way: usize, rule: &Rule, at: Ms, repair: Option<String>) {
        let provider = self.provider_name(way);
        self.events.push(Event::Retry { provider, rule: rule.name.clone(), at, repair });
    }

    /// Keeps the error for the health page and for later clients.
    fn remember(
        &mut self,
        way: usize,
        failure: &Failure,
        read: &ErrorText,
        rule: Option<&Rule>,
        health: &mut Health,
        now: Ms,
    ) {
        // What the mapping refuses is not the provider's failure.
        if failure.kind == FailureKind::Mapping {
            return;
        }
        let name = self.provider_name(way);
        let message = read.message.clone().unwrap_or_else(|| failure.message.clone());
        let error = KeptError {
            at: now,
            kind: failure.kind.name(),
            status: failure.client_status(),
            headers: failure.headers.clone(),
            body: failure.body.clone(),
            message,
            rule: rule.map(|rule| rule.name.clone()),
        };
        health.failed(&name, error);
        if self.probe.is_some() {
            health.probed(&name, false, 1, now);
        }
    }

    /// Takes the rule's effects on the provider.
    fn put_aside(
        &mut self,
        way: usize,
        rule: &Rule,
        failure: &Failure,
        read: &ErrorText,
        health: &mut Health,
        now: Ms,
    ) {
        let name = self.provider_name(way);
        if let Some(cooling) = &rule.cooling {
            let engine = self.engine.clone();
            let facts = self.facts(
                &name,
                Some(failure.kind),
                failure.status,
                &failure.body,
                &failure.headers,
                read,
                now,
            );
            let captures = engine.texts.captures(&rule.when, &facts);
            if let Some(until) = cooling.until(&facts, captures.as_ref(), now) {
                let until = health.cool_down(&name, until, &rule.name, now);
                let event =
                    Event::CoolDown { provider: name.clone(), until: Some(until), rule: rule.name.clone() };
                self.events.push(event);
            }
        }
        if rule.down {
            health.down(&name, &rule.name, now);
            self.events.push(Event::CoolDown { provider: name, until: None, rule: rule.name.clone() });
        }
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
