//! What is promised of every request.

use super::*;
use crate::engine::judge::Rule;

/// What no list of rules makes a request exceed.
const MOST_ATTEMPTS: usize = 64;
/// The longest single wait of a retry that says nothing else, in milliseconds.
const LONGEST_WAIT: Ms = 10_000;

/// A way by the name that records have for it.
fn way_name((provider, key): &(String, Option<String>)) -> String {
    key.as_ref().map_or(provider.clone(), |key| format!("{provider} (key {key})"))
}

impl Case {
    /// The ways on which others are finding out whether all is well.
    pub fn on_trial(&self) -> Vec<String> {
        let is_on_trial = |lane: &Lane<'_>| self.world.health.on_trial(lane, self.world.now).is_some();
        self.ways().into_iter().filter(|(_, lane)| is_on_trial(lane)).map(|(name, _)| name).collect()
    }

    /// No more are put aside by guesses than may be.
    pub fn not_too_many_are_out(&self, request: &Request) {
        let out = self.world.health.guessed_out("", self.world.now);
        let most = self.world.engine.recovery.most_out;
        holds!(self, request, out <= most, "{out} are out at once, and only {most} may be");
    }

    /// Waits are for somebody, not too long, and not beyond the deadline.
    pub fn may_wait(&self, request: &Request, until: Ms) {
        let now = self.world.now;
        let promised = request.again.as_ref().map(|(_, at)| *at);
        holds!(self, request, until > now && promised == Some(until), "waits for nothing: {until}");
        holds!(self, request, until - now <= LONGEST_WAIT, "waits {} ms", until - now);
        let in_time = request.deadline.is_none_or(|deadline| until < deadline);
        holds!(self, request, in_time, "waits beyond the deadline");
    }

    /// Nobody is asked twice without a reason, and nobody who is free is passed by. `first`: when ways were open before
    /// the request began; `on_trial`: those that are being tried out; `refused`: those whose answer stated a time.
    pub fn may_be_asked(
        &mut self,
        request: &mut Request,
        first: &[(String, Option<Ms>)],
        on_trial: &[String],
        refused: &[String],
    ) {
        let promise = request.again.take();
        let (asked, before) = request.asked.split_last().unwrap();
        let name = &asked.0;
        holds!(self, request, before.len() < MOST_ATTEMPTS, "too many attempts");
        let in_time = request.deadline.is_none_or(|deadline| self.world.now < deadline);
        holds!(self, request, in_time, "{name} is asked after the deadline");
        if let Some((whom, at)) = promise {
            holds!(
                self,
                request,
                whom == *name && before.last() == Some(asked),
                "{whom} was to be asked again"
            );
            holds!(self, request, self.world.now >= at, "{name} is asked before the wait is over");
            return;
        }
        holds!(self, request, !before.contains(asked), "{name} is asked twice by the same key");
        // Another key of the same provider may be asked if only the key was to blame.
        if before.iter().any(|(provider, _)| provider == name) {
            let blamed = self.blamed_only_a_key(request, name);
            holds!(self, request, blamed, "{name} is asked again by another key");
        }
        if before.is_empty() {
            let order: Vec<&String> = request.decision.candidates.iter().map(|it| &it.provider).collect();
            let until = |name: &&&String| first.iter().find(|(known, _)| known == **name).and_then(|it| it.1);
            let open = || order.iter().filter(|name| until(name).is_none());
            let free = open().find(|name| !on_trial.contains(name)).or(open().next());
            let guessed = order.iter().filter(|name| !refused.contains(name)).min_by_key(until);
            let expected = free.or(guessed).or(order.iter().min_by_key(until));
            let is_it = expected.is_some_and(|name| **name == way_name(asked));
            holds!(self, request, is_it, "{asked:?} is asked first, not {expected:?}");
            self.seen.trials += u64::from(open().next() != free);
        }
    }

    /// Who cools down is asked when nobody else is left, and after those that are free sooner. `opens`: when ways are open.
    pub fn in_a_good_order(&mut self, request: &Request, opens: &[(String, Option<Ms>)]) {
        let until = |way: &str| opens.iter().find(|(known, _)| known == way).and_then(|it| it.1);
        let (asked, before) = request.asked.split_last().unwrap();
        let Some(end) = until(&way_name(asked)).filter(|_| request.again.is_none()) else { return };
        self.seen.resorts += u64::from(!before.is_empty());
        let refused = self.refused();
        let is_given_up = |way: &str| {
            let name = way.split(" (").next().unwrap_or_default();
            request.decision.attempts.iter().rev().skip(1).any(|attempt| attempt.provider == name)
        };
        for candidate in &request.decision.candidates {
            let way = &candidate.provider;
            let comes_later = until(way).is_some_and(|other| other >= end || refused.contains(way));
            holds!(self, request, comes_later || is_given_up(way), "{way} is passed by for {asked:?}");
        }
    }

    /// Did every failure of this provider so far come from a rule that is about a key?
    fn blamed_only_a_key(&self, request: &Request, name: &str) -> bool {
        let rules = &self.world.engine.providers[self.world.engine.provider(name).unwrap()].rules;
        let mut status = None;
        let decided = request.events.iter().filter_map(|event| match event {
            Event::Outcome { provider, status: seen, .. } if provider == name => {
                status = *seen;
                None
            }
            Event::Decided { provider, rule, action } if provider == name => Some((rule, *action, status)),
            _ => None,
        });
        // Whoever was cut off does not go on itself, by no key.
        let mut decided = decided.map(|(rule, action, status)| {
            let rule = rule.as_ref().filter(|_| action != "continue")?;
            Some((rules.all().iter().find(|it| it.name == *rule)?, status))
        });
        // Without a pause the status tells whether it is about who asks.
        let is_of_key = |rule: &Rule, status: Option<u16>| {
            rule.blames_key() || (!rule.puts_aside() && matches!(status, Some(401 | 402 | 403 | 429)))
        };
        decided.all(|it| it.is_some_and(|(rule, status)| is_of_key(rule, status)))
    }

    /// Whoever goes on is told what the client has read, and nobody else is.
    pub fn is_told_what_was_said(&self, request: &Request, body: &[u8], goes_on: bool) {
        let sent: serde_json::Value = serde_json::from_slice(body).unwrap();
        let said = words(&request.body);
        let told = sent["said"].as_str();
        holds!(
            self,
            request,
            told == goes_on.then_some(said.trim_end()),
            "{told:?} is told, {said:?} was read"
        );
    }

    /// All that holds at the end.
    pub fn keeps_its_promises(
        &mut self,
        request: &Request,
        status: u16,
        provider: Option<&str>,
        was_stream: bool,
        given_up: bool,
    ) {
        self.one_answer(request, status, provider, given_up);
        self.came_to_an_end_once(request);
        let is_late = request.deadline.is_some_and(|deadline| self.world.now >= deadline);
        self.seen.deadlines += u64::from(is_late);
        if let Some(exhausted) = request.events.iter().position(|it| matches!(it, Event::NoAnswer { .. })) {
            holds!(self, request, exhausted + 1 == request.events.len(), "goes on after the end");
            holds!(self, request, !was_stream, "no answer after an answer");
            if is_late {
                holds!(self, request, status == 504, "the deadline is over, and the client is told {status}");
            } else {
                self.all_was_tried(request, status, provider);
            }
        }
        holds!(self, request, !request.asked.is_empty(), "nobody was asked");
        let end = request.deadline.unwrap_or(Ms::MAX);
        holds!(self, request, self.world.now <= end, "went on after its deadline");
        holds!(self, request, self.world.now >= request.began, "time went backwards");
        self.record_is_right(request, was_stream);
    }

    /// The client reads one answer, by whoever is named; of several only what follows one another.
    fn one_answer(&self, request: &Request, status: u16, provider: Option<&str>, given_up: bool) {
        let text = &request.body;
        let mut heard: Vec<(usize, &str)> = NAMES
            .into_iter()
            .flat_map(|name| {
                text.match_indices(&format!("from {name}")).map(move |it| (it.0, name)).collect::<Vec<_>>()
            })
            .collect();
        heard.sort_unstable();
        let heard: Vec<&str> = heard.into_iter().map(|it| it.1).collect();
        let wanted: Vec<&String> = request
            .events
            .iter()
            .filter_map(|event| match event {
                Event::Resumed { to, .. } => Some(to),
                _ => None,
            })
            .collect();
        let follow = |from: usize| {
            heard.len() <= wanted.len() + from
                && heard.iter().skip(from).zip(&wanted).all(|(name, to)| to.starts_with(name))
        };
        // An answer of status 200 without a stream may be an error of the router's, and name nobody's words.
        let first = heard.first().copied();
        let is_named = status != 200 || first.is_none() || first == provider;
        holds!(self, request, is_named, "{heard:?} spoke, {provider:?} is named");
        holds!(self, request, heard.is_empty() || follow(1), "{heard:?} spoke, and {wanted:?} went on");
        let ends = text.matches("\"bye\"").count() + text.matches("event: trouble").count();
        let is_stream = text.starts_with("event: ") || text.starts_with(": ");
        holds!(self, request, !is_stream || ends == 1, "the stream has {ends} ends");
        holds!(self, request, !given_up || text.contains("event: trouble"), "nobody told the client");
        holds!(self, request, text.matches("\"hello\"").count() <= 1, "the stream begins twice");
    }

    /// An answer that was given back, or was good, is the last thing that happens; and no other one is.
    fn came_to_an_end_once(&self, request: &Request) {
        let goes_on = |event: &Event| {
            matches!(event, Event::Attempt { .. } | Event::Failover { .. } | Event::Retry { .. })
        };
        let mut ended = false;
        let mut providers = Vec::new();
        for event in &request.events {
            match event {
                // A good answer that a rule refuses is told as a failure instead, so it never counts as the end.
                Event::Decided { action: "return", .. } | Event::Outcome { failure: None, .. } => {
                    ended = true
                }
                Event::Decided { action: "continue", provider, .. } => {
                    holds!(self, request, ended, "goes on with what had not begun");
                    holds!(self, request, !providers.contains(&provider), "{provider} goes on twice");
                    providers.push(provider);
                    ended = false;
                }
                event => holds!(
                    self,
                    request,
                    !(ended && goes_on(event)),
                    "{event:?} after the answer was decided"
                ),
            }
        }
        let bound = request.body.contains("\"tool\"");
        let after = request.body.find("\"tool\"").map(|at| request.body[at..].contains("from "));
        holds!(self, request, !bound || after == Some(false), "a stream with a tool call was resumed");
    }

    /// All who could be asked were, or were put aside; the first one's words are what the client gets.
    fn all_was_tried(&self, request: &Request, status: u16, provider: Option<&str>) {
        let refused = self.refused();
        let provider_of = |way: &str| way.split(" (").next().unwrap_or_default().to_owned();
        let was_tried = |name: &str| request.decision.attempts.iter().any(|attempt| attempt.provider == name);
        for candidate in &request.decision.candidates {
            let way = &candidate.provider;
            let tried = was_tried(&provider_of(way)) || refused.contains(way);
            let too_many = request.asked.len() >= MOST_ATTEMPTS;
            holds!(self, request, tried || too_many, "{way} was not asked, and its answer stated no time");
        }
        // The last one left is tried, whatever its answer stated.
        holds!(self, request, !request.asked.is_empty(), "nobody was tried");
        let mut candidates = request.decision.candidates.iter().map(|it| provider_of(&it.provider));
        let Some(first) = candidates.find(|name| was_tried(name)) else { return };
        let first = first.as_str();
        let mut failed = request.decision.attempts.iter().filter(|attempt| attempt.provider == first);
        let Some(failed) = failed.next_back() else { return };
        holds!(self, request, provider == Some(first), "the client is told what {provider:?} said");
        let several = request.asked.iter().any(|(name, key)| name == first && key.is_some());
        if self.alpha[self.world.engine.provider(first).unwrap()] && !several {
            let kind = failed.failure.and_then(FailureKind::from_name).unwrap();
            let told = failed.status.filter(|status| *status >= 400).unwrap_or(kind.status());
            holds!(self, request, status == told, "the client is told {status}, {first} said {told}");
        }
    }

    /// The record says what happened.
    fn record_is_right(&self, request: &Request, was_stream: bool) {
        let record = &request.decision;
        let sent = record.attempts.iter().filter(|it| it.number > 0);
        let sent: Vec<_> = sent.map(|it| (it.provider.clone(), it.key.clone())).collect();
        holds!(self, request, sent == request.asked, "the record has {sent:?}");
        for attempt in &record.attempts {
            let decided = attempt.action.is_some();
            holds!(self, request, attempt.ended.is_some(), "no end: {attempt:?}");
            let is_late = attempt.failure == Some("total_timeout") && request.deadline.is_some();
            holds!(
                self,
                request,
                decided || is_late || !attempt.failed(),
                "nothing was decided: {attempt:?}"
            );
            let fired = attempt.said.last().filter(|said| said.fired).map(|said| said.rule.as_str());
            let rule = attempt.rule.as_deref();
            holds!(self, request, !decided || fired == rule, "{fired:?} fired, {rule:?} decided");
        }
        holds!(self, request, was_stream == record.stream.is_some(), "stream: {:?}", record.stream);
    }
}

/// The words that a client has read.
fn words(body: &str) -> String {
    let data = body.lines().filter_map(|line| line.strip_prefix("data: "));
    let events = data.filter_map(|data| serde_json::from_str::<serde_json::Value>(data).ok());
    events.filter_map(|event| event["text"].as_str().map(str::to_owned)).collect()
}
