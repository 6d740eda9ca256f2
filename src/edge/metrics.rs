//! What has been counted since the start: by provider, by rule, by route. All of it is read off the records of
//! decisions, is keyed by names, and outlives a reload.

mod exposition;

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::engine::Ms;
use crate::engine::decision::{Attempted, Decision};
use crate::engine::usage::Usage;

pub use exposition::{Gauge, page};

/// One thing that is counted.
pub struct Family {
    /// Its name, as Prometheus wants names of counters.
    name: &'static str,
    /// What is counted.
    help: &'static str,
    /// What it is counted by.
    labels: &'static [&'static str],
}

/// Declares what is counted.
macro_rules! families {
    ($($id:ident $name:literal [$($label:literal),*] $help:literal;)+) => {
        #[derive(Clone, Copy)]
        enum Count { $($id),+ }

        /// All that is counted, in the order of [`Count`].
        const FAMILIES: &[Family] =
            &[$(Family { name: $name, help: $help, labels: &[$($label),*] }),+];
    };
}

families! {
    Requests "rulegate_requests_total" ["route", "provider", "status"]
        "Requests answered; provider - where the router answered by itself, status 499 where the client left first.";
    Attempts "rulegate_attempts_total" ["provider", "outcome", "status"]
        "Attempts at providers, by what came of them: answered, or the failure by the name that rules use.";
    AttemptMillis "rulegate_attempt_milliseconds_total" ["provider"]
        "Time from an attempt's begin to its outcome, all attempts of a provider together.";
    Failovers "rulegate_failovers_total" ["rule", "from", "to"]
        "Times that another provider was asked because one had failed; rule - where none fired.";
    Retries "rulegate_retries_total" ["rule", "provider"]
        "Times that the same provider was asked again, repairs included.";
    CoolDowns "rulegate_cool_downs_total" ["rule", "provider"]
        "Times that a provider began to cool down.";
    Streams "rulegate_streams_total" ["provider", "end"]
        "Streams that clients read, by how they ended: complete, broken or client_left.";
    Resumed "rulegate_streams_resumed_total" ["rule", "from", "to"]
        "Times that another provider was asked to go on with a stream that had broken off; rule - where none fired.";
    Tokens "rulegate_tokens_total" ["provider", "model", "kind"]
        "Tokens as answers tell them, by the provider's name of the model, - beyond a thousand; kinds: input (in no cache), cache_read, cache_write, output (all of it), reasoning (a part of output).";
    LeftOut "rulegate_stream_events_left_out_total" ["provider", "kind"]
        "Events of passed-on streams that clients were not given, since they could not read them: unreadable, or empty (without data).";
    Rules "rulegate_rule_fired_total" ["rule", "provider"]
        "Times that a failover rule decided.";
    Shadow "rulegate_rule_shadow_total" ["rule", "provider"]
        "Times that a failover rule in shadow would have decided.";
    After "rulegate_rule_after_total" ["rule", "after"]
        "What came after a rule decided: again, returned, answered (by the next provider), failed (the next one too, or nobody was left), otherwise (the route's otherwise answered), left (the client did), probe (no other provider is asked after one).";
    Lost "rulegate_exhausted_total" ["route"]
        "Requests for which all providers had failed or were cooling down.";
}

/// Tokens are counted by so many models.
const MOST_MODELS: usize = 1000;

/// Separates the values of labels in a key. No name holds it.
const BETWEEN: char = '\u{1f}';

/// The counters. One per process.
#[derive(Debug, Default)]
pub struct Metrics {
    counts: Mutex<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    /// By family, then by the values of its labels.
    values: Vec<BTreeMap<String, u64>>,
    last_hits: BTreeMap<String, Ms>,
    running: u64,
    key: String,
}

/// What is known of one rule.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hits {
    /// How often it decided, by provider.
    pub fired: BTreeMap<String, u64>,
    /// How often it would have decided, were it not in shadow, by provider.
    pub shadow: BTreeMap<String, u64>,
    /// What came after it, by the words of `rulegate_rule_after_total`.
    pub after: BTreeMap<String, u64>,
    /// When it decided last, or would have.
    pub last: Option<Ms>,
}

impl Metrics {
    /// A request begins.
    pub fn begins(&self) {
        self.counts().running += 1;
    }

    /// A request, its stream included, is over.
    pub fn ends(&self) {
        let mut counts = self.counts();
        counts.running = counts.running.saturating_sub(1);
    }

    /// Counts what a request came to; not yet how its stream ended.
    pub fn answered(&self, decision: &Decision) {
        let mut counts = self.counts();
        for (place, attempt) in decision.attempts.iter().enumerate() {
            counts.attempt(attempt, decision.attempts.get(place + 1), decision);
        }
        if decision.probe {
            return;
        }
        let answer = decision.answer.as_ref();
        let status = answer.map_or(499, |answer| answer.status).to_string();
        let provider = answer.and_then(|answer| answer.provider.as_deref()).unwrap_or("-");
        // What no rule names must not fill the memory: anybody can ask for any path.
        let route = if decision.routed { decision.pattern.as_deref().unwrap_or(&decision.path) } else { "-" };
        counts.add(Count::Requests, &[route, provider, &status]);
        if decision.exhausted {
            counts.add(Count::Lost, &[route]);
        }
    }

    /// Counts how a stream ended.
    pub fn stream_ended(&self, decision: &Decision) {
        // Of those that were to go on with a stream only the ones that did have one.
        let attempt = decision.attempts.iter().rfind(|attempt| !attempt.failed());
        let (Some(stream), Some(attempt)) = (&decision.stream, attempt) else { return };
        let mut counts = self.counts();
        counts.add(Count::Streams, &[&attempt.provider, stream.how]);
        let answered = decision.before_answer.saturating_sub(1);
        let rest = decision.attempts.get(answered..).unwrap_or_default();
        if stream.how == "broken" || rest.len() > 1 {
            for (place, attempt) in rest.iter().enumerate() {
                match place {
                    0 => counts.rule(attempt, rest.get(1), decision),
                    _ => counts.attempt(attempt, rest.get(place + 1), decision),
                }
            }
        }
    }

    /// Counts the tokens of a request that is over, and the events that its client was not given.
    pub fn used(&self, decision: &Decision) {
        let mut counts = self.counts();
        for attempt in &decision.attempts {
            let left_out = attempt.left_out;
            for (kind, count) in [("unreadable", left_out.unreadable), ("empty", left_out.empty)] {
                if count > 0 {
                    counts.add_many(Count::LeftOut, &[&attempt.provider, kind], count);
                }
            }
        }
        for attempt in decision.attempts.iter().filter(|attempt| !attempt.usage.is_empty()) {
            // Where every model's name is passed on, clients make them up.
            let known = counts.values.get(Count::Tokens as usize).map_or(0, BTreeMap::len);
            let model = attempt.model.as_deref().filter(|_| known < MOST_MODELS * Usage::NAMES.len());
            for (kind, count) in Usage::NAMES.into_iter().zip(attempt.usage.counts()) {
                if let Some(count) = count {
                    counts.add_many(Count::Tokens, &[&attempt.provider, model.unwrap_or("-"), kind], count);
                }
            }
        }
    }

    /// The tokens that a provider's answers told, by the names of [`Usage::NAMES`]; empty if none did.
    pub fn tokens(&self, provider: &str) -> BTreeMap<&'static str, u64> {
        let counts = self.counts();
        let mut sums = BTreeMap::new();
        for (key, value) in counts.values.get(Count::Tokens as usize).into_iter().flatten() {
            let mut labels = key.split(BETWEEN);
            let is_its = labels.next() == Some(provider);
            let kind = labels.next_back().filter(|_| is_its);
            if let Some(kind) = Usage::NAMES.into_iter().find(|name| Some(*name) == kind) {
                let sum = sums.entry(kind).or_insert(0u64);
                *sum = sum.saturating_add(*value);
            }
        }
        sums
    }

    /// What is known of a rule.
    pub fn hits(&self, rule: &str) -> Hits {
        let counts = self.counts();
        let by = |count: Count| -> BTreeMap<String, u64> {
            let values = counts.values.get(count as usize).into_iter().flatten();
            values
                .filter_map(|(key, value)| match key.split_once(BETWEEN) {
                    Some((name, other)) if name == rule => Some((other.to_owned(), *value)),
                    _ => None,
                })
                .collect()
        };
        Hits {
            fired: by(Count::Rules),
            shadow: by(Count::Shadow),
            after: by(Count::After),
            last: counts.last_hits.get(rule).copied(),
        }
    }

    /// Every rule that ever decided.
    pub fn rules(&self) -> Vec<String> {
        self.counts().last_hits.keys().cloned().collect()
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What came after a rule had said that another provider is to answer.
fn what_came(next: Option<&Attempted>, decision: &Decision) -> &'static str {
    match next {
        Some(next) if next.failed() => "failed",
        Some(next) if next.failure.is_some() => "left",
        Some(_) => "answered",
        None if decision.probe => "probe",
        None if decision.otherwise => "otherwise",
        None if decision.client_left.is_some() => "left",
        None => "failed",
    }
}

impl Counts {
    fn attempt(&mut self, attempt: &Attempted, next: Option<&Attempted>, decision: &Decision) {
        let provider = attempt.provider.as_str();
        let outcome = attempt.failure.unwrap_or("answered");
        let status = attempt.status.map_or_else(String::new, |status| status.to_string());
        if attempt.number > 0 {
            self.add(Count::Attempts, &[provider, outcome, &status]);
            let took = attempt.ended.map_or(0, |ended| ended.saturating_sub(attempt.began));
            self.add_many(Count::AttemptMillis, &[provider], u64::try_from(took).unwrap_or(0));
        }
        self.rule(attempt, next, decision);
    }

    /// What was done about an attempt.
    fn rule(&mut self, attempt: &Attempted, next: Option<&Attempted>, decision: &Decision) {
        let provider = attempt.provider.as_str();
        for cool_down in attempt.cool_downs.iter().filter(|cool_down| cool_down.begins) {
            self.add(Count::CoolDowns, &[&cool_down.rule, &cool_down.provider]);
        }
        let at = attempt.ended.unwrap_or(attempt.began);
        for shadow in &attempt.shadows {
            self.add(Count::Shadow, &[&shadow.rule, provider]);
            self.hit(&shadow.rule, at);
        }
        let rule = attempt.rule.as_deref();
        let after = match attempt.action {
            None => return,
            Some("retry" | "repair") => {
                self.add(Count::Retries, &[rule.unwrap_or("-"), provider]);
                "again"
            }
            Some("continue") => {
                if let Some(next) = next {
                    self.add(Count::Resumed, &[rule.unwrap_or("-"), provider, &next.provider]);
                }
                what_came(next, decision)
            }
            Some("next") => {
                if let Some(next) = next {
                    self.add(Count::Failovers, &[rule.unwrap_or("-"), provider, &next.provider]);
                }
                what_came(next, decision)
            }
            Some(_) => "returned",
        };
        let Some(rule) = rule else { return };
        self.add(Count::Rules, &[rule, provider]);
        self.add(Count::After, &[rule, after]);
        self.hit(rule, at);
    }

    fn hit(&mut self, rule: &str, at: Ms) {
        let last = self.last_hits.entry(rule.to_owned()).or_insert(at);
        *last = at.max(*last);
    }

    fn add(&mut self, count: Count, labels: &[&str]) {
        self.add_many(count, labels, 1);
    }

    fn add_many(&mut self, count: Count, labels: &[&str], number: u64) {
        if self.values.is_empty() {
            self.values.resize(FAMILIES.len(), BTreeMap::new());
        }
        self.key.clear();
        for (place, label) in labels.iter().enumerate() {
            if place > 0 {
                self.key.push(BETWEEN);
            }
            self.key.push_str(label);
        }
        let Some(values) = self.values.get_mut(count as usize) else { return };
        match values.get_mut(&self.key) {
            Some(value) => *value = value.saturating_add(number),
            None => drop(values.insert(self.key.clone(), number)),
        }
    }
}
