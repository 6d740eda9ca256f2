//! One request's life: which provider is asked next, what its answer means, what the client is given.
//!
//! ```text
//! loop {
//!     match plan.next(&mut health, now) {
//!         Step::Send(attempt) => send it, feed the exchange, plan.observe(outcome, &mut health, now),
//!         Step::Wait(until) => sleep,
//!         Step::Answer(answer) => give it to the client,
//!     }
//! }
//! ```

pub mod event;

pub use event::{Event, Level};

use super::exchange::Exchange;
use super::failure::Failure;
use super::health::Health;
use super::{Engine, Ms, Timeouts};
use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};
use std::sync::Arc;

/// A client's request as the engine takes it.
#[derive(Clone, Debug)]
pub struct Incoming {
    /// 24 characters of `[a-z0-9]`, made by the edge; names the request in answers and logs.
    pub id: String,
    /// The HTTP method.
    pub method: Method,
    /// The path, without the query.
    pub path: String,
    /// The query string, without the question mark.
    pub query: Option<String>,
    /// The client's headers.
    pub headers: HeaderMap,
    /// The whole body.
    pub body: Bytes,
    /// When it arrived.
    pub now: Ms,
    /// Where the jitter of waits comes from.
    pub seed: u64,
}

/// What is to be done next.
#[derive(Debug)]
pub enum Step {
    /// Send the attempt's request, feed the answer to its exchange, and observe the outcome.
    Send(Box<Attempt>),
    /// Ask again at this moment.
    Wait(Ms),
    /// Give this to the client. The plan is over.
    Answer(Answer),
}

/// One request to one provider.
#[derive(Debug)]
pub struct Attempt {
    /// 1 for the first attempt of the request.
    pub number: u32,
    /// The provider's place in [`Engine::providers`].
    pub provider: usize,
    /// What to send.
    pub request: OutRequest,
    /// Takes the answer, byte by byte.
    pub exchange: Exchange,
}

/// A request to a provider.
#[derive(Debug)]
pub struct OutRequest {
    /// The HTTP method.
    pub method: Method,
    /// The whole URL, query included.
    pub url: String,
    /// All headers but `host` and `content-length`. Holds the key: never log it.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
    /// What the attempt may take.
    pub timeouts: Timeouts,
}

/// How an attempt ended, or that its answer can begin.
#[derive(Debug)]
pub enum Outcome {
    /// No answer.
    Failed(Failure),
    /// A whole answer, read to its end.
    Whole(Whole),
    /// A stream that has come to its first content (or its good end).
    Streaming(Box<Exchange>),
    /// The client left: nobody's failure.
    ClientGone,
}

/// A whole answer of status 2xx.
#[derive(Debug)]
pub struct Whole {
    /// The provider's status.
    pub status: u16,
    /// The provider's headers.
    pub headers: HeaderMap,
    /// The provider's body, as it came.
    pub raw: Bytes,
    /// The body in the client's protocol.
    pub body: Bytes,
}

/// What the client is given.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// All headers but `content-length` and connection headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: AnswerBody,
    /// Who answered; `None` where the router did by itself.
    pub provider: Option<String>,
    /// Attempts made for it.
    pub attempts: u32,
    /// The last rule that decided something.
    pub rule: Option<String>,
}

/// An answer's body.
#[derive(Debug)]
pub enum AnswerBody {
    /// All of it.
    Whole(Bytes),
    /// Take what the exchange has put out, go on feeding it, take more, until it is finished.
    Stream(Box<Exchange>),
}

/// One request's way through the rules.
#[derive(Debug)]
pub struct Plan {
    #[allow(dead_code)]
    engine: Arc<Engine>,
    events: Vec<Event>,
    trace: bool,
}

impl Plan {
    /// Takes a request up: finds its route, reads its body. The error is the answer to give at once.
    pub fn begin(engine: Arc<Engine>, incoming: Incoming) -> Result<Plan, Answer> {
        drop(incoming);
        Ok(Plan { engine, events: Vec::new(), trace: false })
    }

    /// Also tell, in the events, what each rule said and why.
    pub fn trace(&mut self) {
        self.trace = true;
    }

    /// What is to be done now. After [`Step::Send`] the outcome must be observed before the next call.
    pub fn next(&mut self, health: &mut Health, now: Ms) -> Step {
        let _ = (health, now);
        Step::Answer(Answer {
            status: StatusCode::NOT_IMPLEMENTED,
            headers: HeaderMap::new(),
            body: AnswerBody::Whole(Bytes::new()),
            provider: None,
            attempts: 0,
            rule: None,
        })
    }

    /// Takes in how the attempt went.
    pub fn observe(&mut self, outcome: Outcome, health: &mut Health, now: Ms) {
        let _ = (outcome, health, now);
    }

    /// Takes in how a stream ended that the client was already reading: the rules may put the provider aside.
    pub fn ended(&mut self, exchange: &Exchange, health: &mut Health, now: Ms) {
        let _ = (exchange, health, now);
    }

    /// What has happened since the last call, for the log.
    pub fn events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.events)
    }
}
