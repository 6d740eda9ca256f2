//! Which provider is asked next.

use super::verdict::Case;
use super::{Answer, Attempt, Current, Event, Plan, State, Tried};
use crate::engine::failure::{Failure, FailureKind};
use crate::engine::health::{Health, Shared};
use crate::engine::protocol::{ErrorText, Wording};
use crate::engine::provider::KeySource;
use crate::engine::route::Way;
use crate::engine::{Ms, worded};
use http::StatusCode;

/// No request makes more attempts than this, whatever the rules say.
const MOST_ATTEMPTS: u32 = 64;

impl Plan {
    /// The way that is asked next, or the answer if there is none left.
    pub(super) fn choose(&mut self, health: &mut Health, now: Ms) -> State {
        let order = match self.order.take() {
            Some(order) => order,
            None => {
                let order = self.make_order(health, now);
                let names = order.iter().map(|way| self.way_name(*way)).collect();
                self.events.push(Event::Candidates { order: names });
                order
            }
        };
        let chosen = self.pick(&order, health, now).filter(|_| self.attempts < MOST_ATTEMPTS);
        let state = match chosen {
            Some(way) => {
                self.engage(way, health, now);
                let to = self.way_name(way);
                if let Some((from, rule, reason)) = self.failover.take() {
                    self.events.push(Event::Failover { from, to, rule, reason });
                }
                State::Asking(way, now)
            }
            None if self.resumption.is_some() => State::Done(Box::new(self.not_resumed())),
            None => State::Done(Box::new(self.exhausted(&order, health, now))),
        };
        self.order = Some(order);
        state
    }

    /// The ways that can be gone at all, a person's choice first; a provider's keys in their order.
    fn make_order(&mut self, health: &mut Health, now: Ms) -> Vec<usize> {
        let engine = self.engine.clone();
        let Some(route) = engine.routes.get(self.route) else {
            return Vec::new();
        };
        let mut order: Vec<usize> = Vec::new();
        let mut skipped = Vec::new();
        for way in &route.ways {
            let is_known =
                order.iter().any(|it| route.ways.get(*it).is_some_and(|it| it.provider == way.provider));
            let provider = engine.providers.get(way.provider);
            let Some(provider) =
                provider.filter(|_| !is_known && self.only().is_none_or(|it| it == way.provider))
            else {
                continue;
            };
            if !self.rehearsal && !provider.has_key() {
                if way.key == 0 {
                    skipped.push((provider.name.clone(), provider.missing_key_hint()));
                }
                continue;
            }
            for key in health.key_order(provider) {
                let is_it = |it: &Way| it.provider == way.provider && it.key == key;
                let Some(place) = route.ways.iter().position(is_it) else {
                    continue;
                };
                match provider.key(key).map(|key| &key.source) {
                    Some(KeySource::Unset(_)) if !self.rehearsal => {}
                    Some(KeySource::Client) if !self.rehearsal && !self.has_credential() => {
                        skipped.push((
                            self.way_name(place),
                            "the caller sent no credential to pass on".to_owned(),
                        ));
                    }
                    _ => order.push(place),
                }
            }
        }
        skipped.dedup();
        self.events.extend(skipped.into_iter().map(|(provider, reason)| Event::Skipped {
            provider,
            reason,
            until: None,
        }));
        self.spread(&mut order, health);
        // The sort is stable: only the chosen one moves.
        let is_chosen = |way: &usize| {
            self.provider_at(*way).is_some_and(|provider| health.is_chosen(&provider.name, now))
        };
        order.sort_by_key(|way| !is_chosen(way));
        order
    }

    fn pick(&mut self, order: &[usize], health: &Health, now: Ms) -> Option<usize> {
        if self.probe.is_some() {
            let closed = |way: &&usize| !health.is_open(&self.lane(**way), now);
            let wanted = order.iter().find(closed).or(order.first());
            return wanted.copied().filter(|_| self.tried.is_empty());
        }
        let mut passed_over = Vec::new();
        let (mut open, mut on_trial) = (None, None);
        for way in order.iter().copied().filter(|way| !self.was_tried(*way)) {
            let lane = self.lane(way);
            match (health.closed(&lane, now), health.on_trial(&lane, now)) {
                (None, None) => {
                    open = Some(way);
                    break;
                }
                (None, Some(pause)) => {
                    on_trial = on_trial.or(Some(way));
                    let reason = format!("another request tries it after rule {}", pause.rule);
                    let (provider, until) = (self.way_name(way), None);
                    passed_over.push(Event::Skipped { provider, reason, until });
                }
                (Some(pause), _) => {
                    let reason = pause.reason(now);
                    let (provider, until) = (self.way_name(way), pause.until);
                    passed_over.push(Event::Skipped { provider, reason, until });
                }
            }
        }
        // Where the route has an answer of its own, nobody is asked who is known, or guessed, to be unable to give one.
        if open.is_some() || self.route().is_some_and(|route| route.otherwise.is_some()) {
            self.events.extend(passed_over);
            return open;
        }
        // Better to ask too many whether all is well than nobody at all.
        if on_trial.is_some() {
            return on_trial;
        }
        self.last_resort(order, health, now)
    }

    /// The way to ask when all that are left are cooling down, the one that is free soonest first. That a provider is
    /// out of order is a guess, and a request that would fail is the reason to find out. What an answer stated itself
    /// is certain: asking would only be refused. A request that has asked nobody asks one of those all the same, since
    /// limits are lifted early, too.
    fn last_resort(&self, order: &[usize], health: &Health, now: Ms) -> Option<usize> {
        let left = || order.iter().copied().filter(|way| !self.was_tried(*way));
        let opens_at = |way: &usize| health.opens_at(&self.lane(*way), now);
        let guessed = left().filter(|way| !health.is_refused(&self.lane(*way), now)).min_by_key(opens_at);
        guessed.or_else(|| left().min_by_key(opens_at).filter(|_| self.attempts == 0))
    }

    /// Has this request given the way up, or its whole provider?
    fn was_tried(&self, way: usize) -> bool {
        let is_it =
            |tried: &Tried| tried.way == way || (!tried.only_key && self.is_same_provider(tried.way, way));
        self.tried.iter().any(is_it)
    }

    /// Makes the attempt. `None` if the request cannot be put in the provider's words: then that is judged.
    pub(super) fn ask(&mut self, way: usize, health: &mut impl Shared, now: Ms) -> Option<Attempt> {
        let again = self.current.take().filter(|current| current.way == way);
        let number = again.as_ref().map_or(1, |current| current.number + 1);
        let repaired =
            again.map(|current| current.body).filter(|_| self.repaired.iter().any(|it| it.0 == way));
        let current = |body, provider_doc, dropped| {
            let (words, unheard, seen) = (None, None, None);
            Current { way, number, began: now, body, provider_doc, dropped, words, unheard, seen }
        };
        match self.prepare(way, repaired) {
            Ok((mut request, mut job)) => {
                self.shorten(&mut request.timeouts, now);
                let name = self.provider_name(way);
                let provider_doc = job.provider_doc.clone();
                let model = provider_doc.root().get("model").and_then(|model| model.str());
                let model = model.map(|model| model.into_owned()).filter(|model| !model.is_empty());
                let (body, dropped) = (request.body.clone(), job.dropped.clone());
                self.current = Some(current(body, provider_doc, dropped));
                if self.minds_losses(way, number, health, now) {
                    return None;
                }
                self.attempts += 1;
                health.with(|health| health.asked(&name));
                let (key, dropped) = (self.key_name(way), job.dropped.clone());
                self.events.push(Event::Attempt {
                    number: self.attempts,
                    provider: name,
                    key,
                    model,
                    dropped,
                });
                // Nobody looks at the request while the provider works.
                let doc = self.doc.let_go();
                job.request = if self.resumption.is_some() { job.request.let_go() } else { doc.clone() };
                self.doc = doc;
                Some(Attempt {
                    number: self.attempts,
                    provider: self.way(way).map(|way| way.provider).unwrap_or_default(),
                    request,
                    hold: self.route().and_then(|route| route.gate.time),
                    exchange: self.exchange(job),
                })
            }
            Err(failure) => {
                let provider_doc = crate::text::json::Doc::null();
                let (body, dropped) = (bytes::Bytes::new(), Vec::new());
                self.current = Some(current(body, provider_doc, dropped));
                health.with(|health| self.failed(*failure, health, now));
                None
            }
        }
    }

    /// Lets the rules see what a first attempt would lose. True if one of them minds; then the plan goes on.
    fn minds_losses(&mut self, way: usize, number: u32, health: &mut impl Shared, now: Ms) -> bool {
        let dropped = self.current.as_ref().map(|current| current.dropped.join(", ")).unwrap_or_default();
        if dropped.is_empty() || number > 1 {
            return false;
        }
        let message = format!("{} would not get all of the request: {dropped}", self.provider_name(way));
        let (failure, read) = (Failure::new(FailureKind::Lossy, message), ErrorText::default());
        let Some(rule) = self.judge(&Case::of(way, &failure, &read, now)) else {
            return false;
        };
        let reason = format!("rule {} minds that it would not get {dropped}", rule.name);
        let provider = self.provider_name(way);
        self.events.push(Event::Skipped { provider: provider.clone(), reason, until: None });
        self.note_failure(provider, &failure);
        health.with(|health| self.decide(way, failure, read, Some(rule), health, now));
        true
    }

    /// The answer when nobody is left to be asked.
    fn exhausted(&mut self, order: &[usize], health: &Health, now: Ms) -> Answer {
        let told = order.iter().find_map(|way| self.tried.iter().find(|tried| tried.way == *way));
        let reason = told.map(|tried| format!("{}: {}", self.way_name(tried.way), tried.failure));
        if let Some(answer) = self.otherwise(reason) {
            return answer;
        }
        // Of a provider that has failed and is not cooling down nobody knows when it is well; of the others it is known.
        let earliest = order.iter().filter_map(|way| health.opens_at(&self.lane(*way), now)).min();
        let retry_after = earliest.filter(|at| *at < Ms::MAX).map(|at| ((at - now + 999) / 1000).max(1));
        let mut others = Vec::new();
        let left: Vec<usize> = order.iter().copied().filter(|way| !self.was_tried(*way)).collect();
        for way in left {
            let Some(pause) = health.closed(&self.lane(way), now) else { continue };
            let (provider, until) = (self.way_name(way), pause.until);
            let reason = format!("{}, for as long as the answer stated", pause.reason(now));
            others.push(format!("{provider} was not asked: {reason}"));
            self.events.push(Event::Skipped { provider, reason, until });
        }
        // The client is told what one said who was asked for this request: of these the first choice.
        let told = order.iter().find_map(|way| self.tried.iter().position(|tried| tried.way == *way));
        let Some(Tried { way, failure, read, rule, .. }) = told.map(|place| self.tried.swap_remove(place))
        else {
            return self.nobody();
        };
        let engine = self.engine.clone();
        let of_rule = rule.and_then(|rule| engine.refusals.get(rule.exhausted?));
        let of_route = engine.routes.get(self.route).and_then(|route| route.exhausted.as_ref());
        let answer = match of_route.or(of_rule) {
            Some(refusal) => self.refused_in_the_end(refusal, (way, &failure, &read), retry_after),
            None => self.error(way, &failure, &read, true, retry_after),
        };
        let mut reason = format!("{}: {failure}", self.provider_name(way));
        others.extend(
            self.tried.iter().map(|tried| format!("{}: {}", self.way_name(tried.way), tried.failure)),
        );
        if !others.is_empty() {
            reason = format!("{reason} ({})", others.join("; "));
        }
        let event = Event::NoAnswer { status: answer.status.as_u16(), attempts: self.attempts, reason };
        self.events.push(event);
        answer
    }

    /// The answer that the route has for requests that no provider answers, if it has one. `reason`: why none did, if one
    /// was asked.
    pub(super) fn otherwise(&mut self, reason: Option<String>) -> Option<Answer> {
        let engine = self.engine.clone();
        let template = engine.routes.get(self.route)?.otherwise.as_ref()?;
        self.events.push(Event::Otherwise { attempts: self.attempts, reason });
        Some(self.answered(self.made(template)))
    }

    /// The answer when no provider can be asked at all: it says what to set.
    fn nobody(&mut self) -> Answer {
        let route = self.engine.routes.get(self.route);
        let ways = route.map(|route| route.ways.as_slice()).unwrap_or_default();
        let providers = ways.iter().filter_map(|way| self.engine.providers.get(way.provider));
        let mut hints: Vec<String> = providers
            .map(|provider| match provider.missing_key_hint().strip_prefix("no key: ") {
                Some(hint) => format!("for {} {hint}", provider.name),
                None => format!("{} takes the caller's own credential, and none was sent", provider.name),
            })
            .collect();
        hints.dedup();
        let protocol = route.and_then(|route| route.protocol.as_ref());
        let (status, message) = match protocol {
            Some(protocol) if ways.is_empty() => {
                let name = &protocol.name;
                let message = format!(
                    "no provider in the rules can answer {}: add one to `providers` whose `speaks` names {name}",
                    self.incoming.path
                );
                (StatusCode::NOT_IMPLEMENTED, message)
            }
            _ if hints.is_empty() => {
                let message = format!("no provider can answer {}", self.incoming.path);
                (StatusCode::SERVICE_UNAVAILABLE, message)
            }
            _ => {
                let message = format!("no provider has a key: {}", hints.join("; "));
                (StatusCode::SERVICE_UNAVAILABLE, message)
            }
        };
        let wording = Wording {
            status: status.as_u16(),
            message: &message,
            id: &self.incoming.id,
            exhausted: true,
            ..Wording::default()
        };
        let mut answer = Answer::by_router(status, worded(protocol, &wording));
        if let Some(protocol) = protocol {
            protocol.error_headers(&wording, &mut answer.headers);
        }
        let answer = self.signed(answer, None);
        self.events.push(Event::NoAnswer {
            status: status.as_u16(),
            attempts: self.attempts,
            reason: message,
        });
        answer
    }

    /// Reads what a provider said in a failure.
    pub(super) fn read(&self, way: usize, failure: &Failure) -> ErrorText {
        match self.way(way) {
            Some(way) if !failure.body.is_empty() => {
                way.protocol.read_error(&failure.body, &failure.headers, failure.status)
            }
            _ => ErrorText::default(),
        }
    }
}
