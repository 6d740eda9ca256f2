//! The record of how one request was decided: who could be asked, who was, what the rules said, what came of it.
//!
//! It is written from the plan's [`Event`]s, which hold no key, and of a prompt no more than a provider's error quotes.
//! The prompt itself is kept only where the rules ask for it.

mod note;
mod page;
#[cfg(test)]
mod tests;

use super::Ms;
use super::exchange::LeftOutEvents;
use super::failure::{Phase, Said};
use super::plan::{Answer, Event};
use super::usage::Usage;
use crate::config::model;
use bytes::Bytes;
use std::sync::Arc;

/// How much of a prompt is kept, in bytes.
const LONGEST_PROMPT: usize = 64 << 10;
/// What a record takes besides its texts, in bytes; a guess.
const FRAME: usize = 400;

/// What of decisions is kept, and how much.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Keeping {
    /// How many records; 0 for none.
    pub keep: usize,
    /// How much memory they may take, in bytes.
    pub at_most: usize,
    /// Whether the prompt is part of them.
    pub prompts: bool,
    /// Whether the words of providers' errors are: in records, in the log and on the health page.
    pub errors: bool,
}

impl Keeping {
    /// What the rules say.
    pub fn of(from: &model::Decisions) -> Keeping {
        Keeping {
            keep: usize::try_from(from.keep).unwrap_or(usize::MAX),
            at_most: usize::try_from(from.at_most.0).unwrap_or(usize::MAX),
            prompts: from.prompts,
            errors: from.errors,
        }
    }
}

/// A provider that a route leaves out, or a route that does not take a request, and why.
pub type LeftOut = (String, String);

/// One request's record.
#[derive(Clone, Debug, Default)]
pub struct Decision {
    /// The request's id, which its answer names too.
    pub id: String,
    /// When the request arrived.
    pub at: Ms,
    /// The rules that decided.
    pub rules_version: String,
    /// The method.
    pub method: String,
    /// The path, without the query.
    pub path: String,
    /// The client's address, if it is known.
    pub client: Option<String>,
    /// Is there a route that took the request?
    pub routed: bool,
    /// The route's path as the rules have it, where that has holes.
    pub pattern: Option<String>,
    /// The name of that route, if it has one.
    pub route: Option<String>,
    /// The routes above it at that path, and why they did not take the request.
    pub routes_passed_over: Vec<LeftOut>,
    /// What the client speaks; `None` where no route took the request.
    pub protocol: Option<String>,
    /// The model that the client named; empty if it named none.
    pub model: String,
    /// Did the client want a stream?
    pub streaming: bool,
    /// Whether this was a scheduled health probe.
    pub probe: bool,
    /// Who might have been asked, in order; those who cannot be asked at all come after them.
    pub candidates: Vec<Candidate>,
    /// Providers that this route leaves out.
    pub left_out: Arc<[LeftOut]>,
    /// What was tried, in order.
    pub attempts: Vec<Attempted>,
    /// What the client was given.
    pub answer: Option<Given>,
    /// How many of the attempts were made for that; those after them went on with its stream.
    pub before_answer: usize,
    /// All that could be asked had failed or was cooling down.
    pub exhausted: bool,
    /// The same, and the route's `otherwise` answered.
    pub otherwise: bool,
    /// How a streaming answer ended; `None` while it goes on, and where there was none.
    pub stream: Option<StreamEnd>,
    /// Why no (further) provider was asked: there is no such path or method, its body is no JSON, the caller may not come
    /// in, the body could not be had, or a route or a rule refuses it in words of its own.
    pub refused: Option<String>,
    /// When the client left before it was given anything.
    pub client_left: Option<Ms>,
    /// What the client sent, if the rules want that kept.
    pub prompt: Option<Bytes>,
}

/// A provider that might have been asked.
#[derive(Clone, PartialEq, Debug)]
pub struct Candidate {
    /// Its name.
    pub provider: String,
    /// Why it was passed over, if it was.
    pub passed_over: Vec<PassedOver>,
}

/// Why a provider was not asked.
#[derive(Clone, PartialEq, Debug)]
pub struct PassedOver {
    /// Why, in words.
    pub reason: String,
    /// Until when that holds, if anybody knows.
    pub until: Option<Ms>,
}

/// One attempt at a provider.
#[derive(Clone, PartialEq, Debug)]
pub struct Attempted {
    /// 1 for the first of the request; 0 where the request could not even be written for this provider.
    pub number: u32,
    /// Who was asked.
    pub provider: String,
    /// With which of its keys, by name, if it has several.
    pub key: Option<String>,
    /// The provider's own name of the model.
    pub model: Option<String>,
    /// What of the request it did not get.
    pub dropped: Vec<String>,
    /// When it was asked.
    pub began: Ms,
    /// When there was an outcome: of a stream, its first content.
    pub ended: Option<Ms>,
    /// What went wrong, by the name that rules use; `None` if nothing did.
    pub failure: Option<&'static str>,
    /// The status, if there was one.
    pub status: Option<u16>,
    /// How far a failed attempt had come.
    pub phase: Option<Phase>,
    /// The outcome in words.
    pub what: String,
    /// The provider's own words about a failure.
    pub error: Option<Box<Said>>,
    /// What each rule said of a failure, in order.
    pub said: Vec<Verdict>,
    /// How many rules spoke before those.
    pub unsaid: usize,
    /// What rules in shadow would have done.
    pub shadows: Vec<Shadow>,
    /// The rule that decided.
    pub rule: Option<String>,
    /// What it led to: `next`, `return`, `retry`, `repair`; in the middle of a stream `continue`, `too_late`.
    pub action: Option<&'static str>,
    /// When the provider is asked again.
    pub again_at: Option<Ms>,
    /// What was repaired for that.
    pub repair: Option<String>,
    /// What the end of that was reckoned from.
    pub cool_down_from: Option<String>,
    /// How far it is where one failure is not enough for a cool down.
    pub evidence: Option<String>,
    /// Who cools down because of it.
    pub cool_downs: Vec<CoolDown>,
    /// The tokens that the answer says it took; of a stream that did not end well, what was told so far.
    pub usage: Usage,
    /// Events of its stream that the client was not given.
    pub left_out: LeftOutEvents,
}

/// What one rule said.
#[derive(Clone, PartialEq, Debug)]
pub struct Verdict {
    /// Its name.
    pub rule: String,
    /// Did it fire?
    pub fired: bool,
    /// Why, or why not.
    pub why: String,
}

/// What a rule in shadow would have done.
#[derive(Clone, PartialEq, Debug)]
pub struct Shadow {
    /// Its name.
    pub rule: String,
    /// The action, and what else.
    pub would: String,
}

/// A provider that cools down.
#[derive(Clone, PartialEq, Debug)]
pub struct CoolDown {
    /// Who.
    pub provider: String,
    /// This one of its keys only.
    pub key: Option<String>,
    /// For this model only, by the provider's name of it.
    pub model: Option<String>,
    /// Until when; `None`: until a probe finds it well.
    pub until: Option<Ms>,
    /// By which rule.
    pub rule: String,
    /// Whether it began with this attempt, and did not just go on.
    pub begins: bool,
}

/// What the client was given.
#[derive(Clone, PartialEq, Debug)]
pub struct Given {
    /// When its head was ready.
    pub at: Ms,
    /// The status.
    pub status: u16,
    /// Whose answer it is; `None`: the router's own.
    pub provider: Option<String>,
    /// The last rule that decided something.
    pub rule: Option<String>,
    /// Attempts made for it.
    pub attempts: u32,
}

/// How a stream ended that the client was reading.
#[derive(Clone, PartialEq, Debug)]
pub struct StreamEnd {
    /// When.
    pub at: Ms,
    /// `complete`, `broken` or `client_left`.
    pub how: &'static str,
    /// What went wrong.
    pub reason: Option<String>,
}

impl Decision {
    /// Notes what the client is given.
    pub fn given(&mut self, answer: &Answer, now: Ms) {
        self.before_answer = self.attempts.len();
        self.answer = Some(Given {
            at: now,
            status: answer.status.as_u16(),
            provider: answer.provider.clone(),
            rule: answer.rule.clone(),
            attempts: answer.attempts,
        });
    }

    /// The clock was set by `by` milliseconds: all that is noted goes with it.
    pub fn move_times(&mut self, by: Ms) {
        let mut move_it = |time: &mut Ms| *time = time.saturating_add(by);
        move_it(&mut self.at);
        for attempt in &mut self.attempts {
            move_it(&mut attempt.began);
            attempt.ended.iter_mut().chain(&mut attempt.again_at).for_each(&mut move_it);
        }
        self.answer.iter_mut().for_each(|answer| move_it(&mut answer.at));
        self.stream.iter_mut().for_each(|stream| move_it(&mut stream.at));
        self.client_left.iter_mut().for_each(&mut move_it);
    }

    /// Takes in what the answer to the latest attempt says of tokens.
    pub fn used(&mut self, usage: Usage) {
        if let Some(attempt) = self.attempts.last_mut() {
            attempt.usage.update(usage);
        }
    }

    /// Takes in which events of the latest attempt's stream the client was not given.
    pub fn left_out_events(&mut self, events: LeftOutEvents) {
        if let Some(attempt) = self.attempts.last_mut() {
            attempt.left_out.add(events);
        }
    }

    /// The tokens of all attempts together, as far as answers told them.
    pub fn usage(&self) -> Usage {
        self.attempts.iter().fold(Usage::default(), |mut all, attempt| {
            all.add(attempt.usage);
            all
        })
    }

    /// Returns whether there may be more tokens than were told: a stream goes on, or ended before its end.
    pub fn usage_is_partial(&self) -> bool {
        let is_cut = |attempt: &Attempted| attempt.action == Some("continue");
        let ended = self.stream.as_ref().is_some_and(|stream| stream.how == "complete");
        (self.streaming && !ended) || self.attempts.iter().any(is_cut)
    }

    /// Keeps the prompt, up to a length.
    pub fn keep_prompt(&mut self, body: &Bytes) {
        self.prompt = Some(body.slice(..body.len().min(LONGEST_PROMPT)));
    }

    /// Did anything go wrong: an attempt, the answer, its stream?
    pub fn failed(&self) -> bool {
        self.exhausted
            || self.attempts.iter().any(|attempt| attempt.failed() || attempt.action == Some("continue"))
            || self.answer.as_ref().is_some_and(|answer| answer.status >= 400)
            || self.stream.as_ref().is_some_and(|stream| stream.how == "broken")
    }

    /// Did this rule decide anything?
    pub fn has_rule(&self, rule: &str) -> bool {
        let is_it = |name: &Option<String>| name.as_deref() == Some(rule);
        self.attempts.iter().any(|attempt| is_it(&attempt.rule))
            || self.answer.as_ref().is_some_and(|answer| is_it(&answer.rule))
    }

    /// Was this provider asked?
    pub fn has_provider(&self, provider: &str) -> bool {
        self.attempts.iter().any(|attempt| attempt.provider == provider)
    }

    /// About how much memory it takes, in bytes.
    pub fn size(&self) -> usize {
        let candidates: usize = self
            .candidates
            .iter()
            .map(|it| it.passed_over.iter().map(|why| why.reason.len() + 40).sum::<usize>() + 60)
            .sum();
        let attempts: usize = self.attempts.iter().map(Attempted::size).sum();
        let routes: usize =
            self.routes_passed_over.iter().map(|(name, why)| name.len() + why.len() + 48).sum();
        let prompt = self.prompt.as_ref().map_or(0, Bytes::len);
        FRAME + self.path.len() + self.model.len() + candidates + routes + attempts + prompt
    }
}

impl Attempted {
    /// Did it fail by the provider's doing?
    pub fn failed(&self) -> bool {
        self.failure.is_some_and(|failure| failure != Event::CLIENT_LEFT)
    }

    fn size(&self) -> usize {
        let said: usize = self.said.iter().map(|verdict| verdict.rule.len() + verdict.why.len() + 56).sum();
        let shadows: usize = self.shadows.iter().map(|it| it.rule.len() + it.would.len() + 48).sum();
        let cool_downs: usize = self.cool_downs.iter().map(|it| it.provider.len() + it.rule.len() + 64).sum();
        let error = self.error.as_ref().map_or(0, |it| it.message.len() + 64);
        std::mem::size_of::<Attempted>() + 64 + self.what.len() + error + said + shadows + cool_downs
    }
}
