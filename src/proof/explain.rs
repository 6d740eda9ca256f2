//! What the rules would do about an answer, and in which order they are asked: the engine itself, without a network.

mod order;

pub use order::{Order, Ordered, order};

use std::sync::Arc;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use serde_json::json;

use crate::engine::decision::{Decision, Keeping};
use crate::engine::exchange::{Exchange, Progress};
use crate::engine::failure::{Failure, FailureKind};
use crate::engine::health::Health;
use crate::engine::plan::{Answer, AnswerBody, Attempt, Event, Incoming, Outcome, Plan, Step};
use crate::engine::{Engine, Ms, Route};
use crate::text::diagnostic::Span;

/// The id of a request that nobody sent.
const ID: &str = "0explained0explained0000";

/// An answer of a provider, and what it answers to.
#[derive(Clone, Debug)]
pub struct Question {
    /// Who answers.
    pub provider: String,
    /// The answer's status, if there is an answer at all.
    pub status: Option<u16>,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body; of a stream, its events as they come over the wire.
    pub body: Bytes,
    /// What goes wrong after that, if anything.
    pub failure: Option<FailureKind>,
    /// The path of the request; the first that the provider is asked on, if `None`.
    pub path: Option<String>,
    /// The model that the client asks for.
    pub model: String,
    /// The client's body, instead of a short question.
    pub request: Option<Bytes>,
    /// Does the client want a stream?
    pub streaming: bool,
    /// How many times the provider has answered so by then, this one included.
    pub attempt: u32,
    /// When it happens.
    pub at: Ms,
}

/// What comes of it.
#[derive(Debug)]
pub struct Explained {
    /// The record of the decision.
    pub decision: Decision,
    /// Where the rules stand that spoke of the attempt, in the order of its record.
    pub places: Vec<Span>,
    /// What happens after that.
    pub next: Next,
}

/// What happens after a provider's answer was judged.
#[derive(Clone, PartialEq, Debug)]
pub enum Next {
    /// A provider is asked.
    Asks {
        /// Who.
        provider: String,
        /// When.
        at: Ms,
    },
    /// The client gets an answer of this status.
    Answers {
        /// The status.
        status: u16,
        /// Is it the provider's own good answer?
        good: bool,
    },
}

/// Lets the engine judge the answer.
///
/// # Errors
/// If no route would ask that provider; the text says why.
pub fn explain(engine: &Arc<Engine>, question: &Question) -> Result<Explained, String> {
    let name = &question.provider;
    let Some(provider) = engine.provider(name) else {
        let names: Vec<&str> = engine.providers.iter().map(|provider| provider.name.as_str()).collect();
        return Err(format!("there is no provider {name}; there are {}", names.join(", ")));
    };
    let is_meant = |route: &&Route| {
        route.protocol.is_some() && question.path.as_ref().is_none_or(|path| *path == route.path)
    };
    let mut reason = match &question.path {
        Some(path) => format!("no route {path} asks a provider"),
        None => "no route asks a provider".to_owned(),
    };
    for route in engine.routes.iter().filter(is_meant) {
        match Asked::begin(engine, provider, route, question) {
            Ok(asked) => return asked.judged(engine, question),
            Err(other) => reason = other,
        }
    }
    Err(reason)
}

/// A request that has come as far as this provider.
struct Asked {
    plan: Plan,
    health: Health,
    decision: Decision,
    attempt: Option<Box<Attempt>>,
    places: Vec<Span>,
    now: Ms,
}

impl Asked {
    fn begin(
        engine: &Arc<Engine>,
        provider: usize,
        route: &Route,
        question: &Question,
    ) -> Result<Asked, String> {
        let incoming = Incoming {
            id: ID.to_owned(),
            method: route.method.clone(),
            path: route.path.clone(),
            query: None,
            headers: HeaderMap::from_iter([(
                http::header::AUTHORIZATION,
                HeaderValue::from_static("Bearer nobody"),
            )]),
            body: question.request.clone().unwrap_or_else(|| short_question(question)),
            now: question.at,
            seed: 0,
        };
        let mut plan = Plan::begin(engine.clone(), incoming).map_err(|answer| match answer.body {
            AnswerBody::Whole(body) => format!("{}: {}", route.path, String::from_utf8_lossy(&body)),
            AnswerBody::Stream(_) => String::new(),
        })?;
        plan.rehearse();
        plan.trace();
        let decision = plan.record(Keeping { keep: 1, at_most: usize::MAX, prompts: false, errors: true });
        let mut health = Health::new();
        // A person's choice is asked first, wherever the rules would put it.
        let _ = health.switch(engine, &question.provider, question.at);
        let mut decision = decision;
        let step = plan.next(&mut health, question.at);
        plan.events().iter().for_each(|event| decision.note(event, question.at));
        match step {
            Step::Send(attempt) if attempt.provider == provider => {
                let places = engine.failover(route, provider).iter().map(|rule| rule.at).collect();
                Ok(Asked { plan, health, decision, attempt: Some(attempt), places, now: question.at })
            }
            _ => Err(match decision.attempts.first() {
                Some(attempt) if attempt.provider == question.provider => {
                    format!("{} cannot be asked on {}: {}", attempt.provider, route.path, attempt.what)
                }
                _ => format!("the route {} does not ask {}", route.path, question.provider),
            }),
        }
    }

    fn judged(mut self, engine: &Engine, question: &Question) -> Result<Explained, String> {
        for number in 1..question.attempt {
            self = self.again(engine, question, number)?;
        }
        let (pieces, outcome) = self.answers(question);
        let now = self.now;
        let good = matches!(&outcome, Outcome::Streaming(_) | Outcome::Whole(_));
        self.plan.observe(outcome, &mut self.health, now);
        let (mut next, mut at) = self.next(now);
        self.note_this_one(now);
        if let Step::Answer(Answer { body: AnswerBody::Stream(exchange), .. }) = &mut next
            && self.breaks_off(exchange, pieces, now)
        {
            (next, at) = self.next(now);
            self.note_this_one(now);
        }
        let next = match next {
            Step::Send(attempt) => Next::Asks { provider: name_of(engine, &attempt), at },
            Step::Wait(until) => Next::Asks { provider: question.provider.clone(), at: until },
            Step::Answer(answer) => {
                self.decision.given(&answer, now);
                Next::Answers { status: answer.status.as_u16(), good }
            }
        };
        let first = self.decision.attempts.first().map_or(0, |attempt| attempt.unsaid);
        let places = self.places.split_off(first.min(self.places.len()));
        Ok(Explained { decision: self.decision, places, next })
    }

    /// The same answer once more, if the provider is asked once more.
    fn again(mut self, engine: &Engine, question: &Question, number: u32) -> Result<Asked, String> {
        let (_, outcome) = self.answers(question);
        self.plan.observe(outcome, &mut self.health, self.now);
        let (next, at) = self.next(self.now);
        self.plan.events().iter().for_each(|event| self.decision.note(event, at));
        let attempt = match next {
            Step::Send(attempt) if name_of(engine, &attempt) == question.provider => attempt,
            _ => {
                let name = &question.provider;
                let times = if number == 1 { "once" } else { "no more often" };
                return Err(format!(
                    "after attempt {number} {name} is asked {times}, if it always answers so"
                ));
            }
        };
        // The record is about the latest one.
        self.decision.attempts.drain(..self.decision.attempts.len().saturating_sub(1));
        Ok(Asked { attempt: Some(attempt), now: at, ..self })
    }

    /// Lets the provider answer: what still comes after a stream's first content, and the outcome.
    fn answers(&mut self, question: &Question) -> (std::vec::IntoIter<Piece>, Outcome) {
        let mut pieces = pieces(question).into_iter();
        let Some(attempt) = self.attempt.take() else { return (pieces, Outcome::ClientGone) };
        let mut exchange = Box::new(attempt.exchange);
        for piece in pieces.by_ref() {
            match piece.give(&mut exchange) {
                Progress::More => {}
                Progress::Commit => break,
                Progress::Done(outcome) => return (pieces, outcome),
            }
        }
        (pieces, Outcome::Streaming(exchange))
    }

    /// What is done next, and when.
    fn next(&mut self, now: Ms) -> (Step, Ms) {
        match self.plan.next(&mut self.health, now) {
            Step::Wait(until) => (self.plan.next(&mut self.health, until), until),
            step => (step, now),
        }
    }

    /// Notes what was decided; not the next attempt any more.
    fn note_this_one(&mut self, now: Ms) {
        let mut events = self.plan.events();
        let asked = events.iter().position(|event| matches!(event, Event::Attempt { .. }));
        events.truncate(asked.unwrap_or(events.len()));
        events.iter().for_each(|event| self.decision.note(event, now));
    }

    /// Reads the rest of the stream. Is another provider to go on with it?
    fn breaks_off(&mut self, exchange: &mut Exchange, pieces: std::vec::IntoIter<Piece>, now: Ms) -> bool {
        for piece in pieces {
            if exchange.finished() || exchange.cut().is_some() {
                break;
            }
            piece.give(exchange);
            exchange.take_output();
        }
        if exchange.cut().is_some() && self.plan.broke_off(exchange, &mut self.health, now) {
            return true;
        }
        exchange.give_up();
        self.plan.ended(exchange, &mut self.health, now);
        self.note_this_one(now);
        false
    }
}

fn name_of(engine: &Engine, attempt: &Attempt) -> String {
    engine.providers.get(attempt.provider).map(|provider| provider.name.clone()).unwrap_or_default()
}

/// What comes over the wire.
enum Piece {
    Head(u16, HeaderMap),
    Bytes(Bytes),
    End,
    Break(FailureKind),
}

impl Piece {
    fn give(self, exchange: &mut Exchange) -> Progress {
        match self {
            Piece::Head(status, headers) => exchange.head(status, &headers),
            Piece::Bytes(bytes) => exchange.feed(&bytes),
            Piece::End => exchange.eof(),
            Piece::Break(kind) => exchange.broke(Failure::new(kind, "")),
        }
    }
}

fn pieces(question: &Question) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let says = !question.body.is_empty() || !question.headers.is_empty();
    let status = question.status.or((says || question.failure.is_none()).then_some(200));
    if let Some(status) = status {
        let mut headers = question.headers.clone();
        let is_stream = question.streaming && status < 300 && !question.body.starts_with(b"{");
        let usual = if is_stream { "text/event-stream" } else { "application/json" };
        headers.entry(CONTENT_TYPE).or_insert(HeaderValue::from_static(usual));
        pieces.push(Piece::Head(status, headers));
        if !question.body.is_empty() {
            pieces.push(Piece::Bytes(question.body.clone()));
        }
    }
    pieces.push(match question.failure {
        // The exchange finds out by itself what an early end means.
        None | Some(FailureKind::CutOff) => Piece::End,
        Some(kind) => Piece::Break(kind),
    });
    pieces
}

/// A request that any route of conversations takes.
fn short_question(question: &Question) -> Bytes {
    let body = json!({
        "model": question.model,
        "max_tokens": 16,
        "messages": [{ "role": "user", "content": "ping" }],
        "stream": question.streaming,
    });
    body.to_string().into()
}
