//! How long a client waits: the request's deadline, signs of life until the answer begins, and the gate that holds a
//! stream back.

use super::{Answer, AnswerBody, Event, Plan, Tried};
use crate::engine::exchange::Exchange;
use crate::engine::failure::{Failure, FailureKind};
use crate::engine::health::Health;
use crate::engine::protocol::Wording;
use crate::engine::route::GateMode;
use crate::engine::{Ms, Timeouts, worded};
use bytes::Bytes;
use http::StatusCode;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use std::time::Duration;

/// What a client of a stream is sent while nothing else comes.
#[derive(Clone, Debug)]
pub struct SignOfLife {
    /// After so much silence.
    pub every: Duration,
    /// This, framed.
    pub bytes: Bytes,
}

impl Plan {
    /// The signs of life within a stream: the protocol's, as often as the route says or else the protocol.
    pub fn sign_of_life(&self) -> Option<SignOfLife> {
        let route = self.route().filter(|_| self.streaming)?;
        let shape = route.protocol.as_ref()?.stream.as_ref()?;
        let every = route.keep_alive.unwrap_or(shape.ping_every);
        Some(SignOfLife { every, bytes: shape.ping()?.into() })
    }

    /// The same, if the client is to get them before the answer has begun.
    pub fn patience(&self) -> Option<SignOfLife> {
        self.route()?.keep_alive?;
        self.sign_of_life()
    }

    /// The head of a stream that begins before anybody has answered.
    pub fn opened(&self) -> Answer {
        let mut answer = Answer::by_router(StatusCode::OK, Bytes::new());
        answer.headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
        answer.headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        answer
    }

    /// A whole answer, which is an error or one of the rules' own, for a client whose stream has begun.
    pub fn within_stream(&self, answer: &Answer) -> Bytes {
        let (AnswerBody::Whole(body), Some(client)) =
            (&answer.body, self.route().and_then(|route| route.protocol.as_ref()))
        else {
            return Bytes::new();
        };
        if answer.status.is_success() {
            let mut out = Vec::new();
            if let Some(shape) = &client.stream {
                shape.write_event(body, &mut out);
            }
            return out.into();
        }
        let read = client.read_error(body, &answer.headers, Some(answer.status.as_u16()));
        let wording = Wording {
            status: answer.status.as_u16(),
            kind: read.kind.as_deref(),
            message: read.message.as_deref().unwrap_or("no provider answered"),
            id: &self.incoming.id,
            ..Wording::default()
        };
        client.failed_event(&wording).into()
    }

    /// The answer when the router stops before anybody has answered: that is nobody's failure.
    pub fn stopped(&mut self, reason: &str, health: &mut Health) -> Answer {
        self.release(health);
        let status = StatusCode::SERVICE_UNAVAILABLE;
        let protocol = self.route().and_then(|route| route.protocol.as_ref());
        let mut answer = self.engine.word(protocol, status, reason, &self.incoming.id);
        answer.headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
        let (status, attempts) = (status.as_u16(), self.attempts);
        self.events.push(Event::NoAnswer { status, attempts, reason: reason.to_owned() });
        self.signed(answer, None)
    }

    /// Takes in that the router stops while the client is reading a stream: that is nobody's failure.
    pub fn cut_off(&mut self, reason: &str, health: &mut Health) {
        self.release(health);
        if let Some(way) = self.current.as_ref().map(|current| current.way) {
            let (provider, reason) = (self.provider_name(way), reason.to_owned());
            self.events.push(Event::BrokenStream { provider, reason });
        }
    }

    /// Is the request's time over at this moment?
    pub(super) fn is_late(&self, at: Ms) -> bool {
        self.deadline.is_some_and(|deadline| at >= deadline)
    }

    /// Was an attempt ended by the request's deadline, and not by a limit of its own?
    pub(super) fn is_cut(&self, failure: &Failure, now: Ms) -> bool {
        failure.kind == FailureKind::TotalTimeout && self.is_late(now)
    }

    /// Leaves an attempt no more time than the request has.
    pub(super) fn shorten(&self, timeouts: &mut Timeouts, now: Ms) {
        if let Some(deadline) = self.deadline {
            let left = u64::try_from(deadline.saturating_sub(now)).unwrap_or_default();
            timeouts.total = timeouts.total.min(Duration::from_millis(left));
        }
    }

    /// Takes in that the deadline ended an attempt: that is nobody's failure.
    pub(super) fn too_late(&mut self, way: usize, failure: Failure) {
        self.note_failure(self.provider_name(way), &failure);
        let read = self.read(way, &failure);
        self.tried.push(Tried { way, only_key: false, failure, read, rule: None });
        self.current = None;
        self.state = super::State::Choosing;
    }

    /// The answer when the request's time is over: the route's own, or an error that tells what the first provider said.
    pub(super) fn late(&mut self) -> Answer {
        let reason = "the deadline of the request is over".to_owned();
        if let Some(answer) = self.otherwise(Some(reason.clone())) {
            return answer;
        }
        let limit = self.deadline.unwrap_or_default().saturating_sub(self.incoming.now);
        let limit = Duration::from_millis(u64::try_from(limit).unwrap_or_default());
        let mut message = format!("no provider answered within {} s", limit.as_secs_f64());
        let first = self.tried.first().map(|tried| {
            let name = self.provider_name(tried.way);
            let said = tried.read.message.as_deref().unwrap_or(&tried.failure.message);
            tried.failure.named(&name).unwrap_or_else(|| format!("{name}: {said}"))
        });
        if let Some(first) = first {
            message = format!("{message}; {first}");
        }
        let status = StatusCode::GATEWAY_TIMEOUT;
        let wording = Wording {
            status: status.as_u16(),
            message: &message,
            exhausted: true,
            id: &self.incoming.id,
            ..Wording::default()
        };
        let protocol = self.route().and_then(|route| route.protocol.as_ref());
        let mut answer = Answer::by_router(status, worded(protocol, &wording));
        if let Some(protocol) = protocol {
            protocol.error_headers(&wording, &mut answer.headers);
        }
        let answer = self.signed(answer, None);
        self.events.push(Event::NoAnswer { status: status.as_u16(), attempts: self.attempts, reason });
        answer
    }

    /// Tells that a stream was given to the client before it had any content.
    pub(super) fn note_released(&mut self, way: usize, exchange: &Exchange) {
        let (content, held) = exchange.content();
        if exchange.job().gate.mode == GateMode::On && !content {
            let what = format!("given to the client before its content, {held} bytes were held");
            self.events.push(Event::Gate { provider: self.provider_name(way), shadow: false, what });
        }
    }

    /// Tells what holding a stream back would have done, if the route wants to know.
    pub(super) fn note_shadow(&mut self, way: usize, exchange: &Exchange) {
        if exchange.job().gate.mode != GateMode::Shadow {
            return;
        }
        let what = match (exchange.content(), exchange.failure()) {
            ((true, held), _) => format!("would have held {held} bytes until the content"),
            ((false, _), Some(failure)) => {
                format!("the rules could still have asked another provider: {failure}")
            }
            ((false, held), None) => format!("would have held {held} bytes to the end"),
        };
        self.events.push(Event::Gate { provider: self.provider_name(way), shadow: true, what });
    }
}
