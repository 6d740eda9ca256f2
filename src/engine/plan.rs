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

mod answer;
mod begin;
mod choose;
pub mod event;
mod outcome;
mod patience;
mod quoted;
mod recovered;
mod refuse;
mod repair;
mod request;
mod resume;
mod routes;
mod spread;
mod verdict;

#[cfg(test)]
mod tests;

pub use answer::sign;
pub use event::{Event, Level};
pub use patience::SignOfLife;

use super::decision::{Decision, Keeping};
use super::exchange::Exchange;
use super::failure::Failure;
use super::health::{Health, Lane, Shared};
use super::judge::Rule;
use super::judge::cooling::millis;
use super::judge::counts::Counts;
use super::protocol::ErrorText;
use super::route::{Route, Way};
use super::usage::Usage;
use super::{Engine, Ms, Provider, Timeouts};
use crate::text::form::Form;
use crate::text::json::Doc;
use crate::text::units::Redactor;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use resume::Resumption;
use std::fmt;
use std::sync::Arc;
use std::sync::OnceLock;
use std::time::Duration;

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
    /// The longest that a stream's content is held back.
    pub hold: Option<Duration>,
    /// Takes the answer, byte by byte.
    pub exchange: Exchange,
}

/// A request to a provider.
pub struct OutRequest {
    /// The HTTP method.
    pub method: Method,
    /// The whole URL, query included, which may hold a key: never log it.
    pub url: String,
    /// All headers but `host` and `content-length`. Holds the key: never log it.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
    /// What the attempt may take.
    pub timeouts: Timeouts,
    /// `name:password` for the proxy on the way, if it wants that. Never log it.
    pub proxy_login: Option<HeaderValue>,
}

impl fmt::Debug for OutRequest {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The query may hold a key.
        let url = self.url.split('?').next().unwrap_or_default();
        write!(out, "{} {url} ({} bytes)", self.method, self.body.len())
    }
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
    /// The tokens that it says it took.
    pub usage: Usage,
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
    /// What the router says by itself where no provider could be asked.
    pub reason: Option<String>,
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
pub struct Plan {
    engine: Arc<Engine>,
    incoming: Incoming,
    /// The client's body; of a form its fields.
    doc: Doc,
    /// Where they stand in it, if it is a form.
    form: Option<Form>,
    /// What can be counted in it.
    counts: Counts,
    /// The route's place.
    route: usize,
    /// What stands in the holes of its path.
    holes: Option<Doc>,
    /// The model that the client asked for; empty if it named none.
    model: String,
    /// Does the client want a stream?
    streaming: bool,
    /// When the request must be over.
    deadline: Option<Ms>,
    /// Places in the route's ways, in the order in which they are tried; made at the first step.
    order: Option<Vec<usize>>,
    state: State,
    /// Attempts made so far, over all providers.
    attempts: u32,
    /// The providers that have been given up for this request, in that order.
    tried: Vec<Tried>,
    /// Repairs made, as (way, patch).
    repaired: Vec<(usize, usize)>,
    /// Headers that repairs have changed, as (way, header, its new value).
    edited: Vec<(usize, HeaderName, Option<HeaderValue>)>,
    /// Retries made, as (way, rule, how many).
    retries: Vec<(usize, String, u32)>,
    /// The latest attempt.
    current: Option<Current>,
    /// The way that this request is on, and when it is given up for lost there.
    engaged: Option<(usize, Ms)>,
    /// Set between a provider's failure and the choice of the next one.
    failover: Option<(String, Option<String>, String)>,
    last_rule: Option<String>,
    /// The rule that wants the provider that answers to be the first choice from now on.
    switching: Option<String>,
    /// The stream that broke off, while somebody is sought who goes on with it.
    resumption: Option<Box<Resumption>>,
    /// The place of the probe that this plan is.
    probe: Option<usize>,
    /// Takes the client's own credentials out of texts; made when a provider that is sent them has failed.
    clients_keys: OnceLock<Redactor>,
    events: Vec<Event>,
    trace: bool,
    /// Tell what the rules said of failures.
    record: bool,
    /// Nothing is really sent, so nobody needs a key.
    rehearsal: bool,
}

/// Where a plan is.
enum State {
    /// A provider is to be chosen.
    Choosing,
    /// This way is to be asked, from this moment on.
    Asking(usize, Ms),
    /// An attempt is under way.
    Observing,
    /// The answer is there.
    Done(Box<Answer>),
    /// The answer was given.
    Over,
}

/// The latest attempt.
struct Current {
    /// The way's place in the route.
    way: usize,
    /// The number of the attempt at this provider, from 1.
    number: u32,
    /// When it was begun.
    began: Ms,
    /// The body that was sent, with all repairs.
    body: Bytes,
    /// `$provider`.
    provider_doc: Doc,
    /// What the mapping dropped from the request.
    dropped: Vec<String>,
    /// The words of its answer, if they are few and rules look at them.
    words: Option<String>,
    /// Why there are none, for people.
    unheard: Option<&'static str>,
    /// What the rules say of its good answer, once they have seen it.
    seen: Option<Option<NoAnswer>>,
}

/// A good answer that a rule does not take for one.
type NoAnswer = Box<(Failure, ErrorText, Arc<Rule>)>;

/// A provider that was given up for this request.
struct Tried {
    way: usize,
    /// Only the key is to blame: another key of the same provider may answer.
    only_key: bool,
    failure: Failure,
    read: ErrorText,
    /// The rule that decided, if one did.
    rule: Option<Arc<Rule>>,
}

impl Plan {
    /// Also tell, in the events, what each rule said and why.
    pub fn trace(&mut self) {
        self.trace = true;
    }

    /// Also tell, in the events, what each rule said of what failed; begins the record of the decision. Call it
    /// before the first step.
    pub fn record(&mut self, keeping: Keeping) -> Decision {
        self.record = keeping.keep > 0;
        let mut decision = Decision {
            id: self.incoming.id.clone(),
            at: self.incoming.now,
            rules_version: self.engine.version.clone(),
            method: self.incoming.method.to_string(),
            path: self.incoming.path.clone(),
            model: self.model.clone(),
            streaming: self.streaming,
            probe: self.probe.is_some(),
            ..Decision::default()
        };
        if let Some(route) = self.route() {
            decision.routed = true;
            decision.pattern = route.holes.as_ref().map(|_| route.path.clone());
            decision.route.clone_from(&route.name);
            decision.protocol = route.protocol.as_ref().map(|protocol| protocol.name.clone());
            decision.left_out = route.left_out.clone();
        }
        if self.record {
            decision.routes_passed_over = self.routes_passed_over();
        }
        if keeping.prompts && keeping.keep > 0 {
            decision.keep_prompt(&self.incoming.body);
        }
        decision
    }

    /// Nothing will really be sent: providers without a key take part all the same.
    pub fn rehearse(&mut self) {
        self.rehearsal = true;
    }

    /// What is to be done now. After [`Step::Send`] the outcome must be observed before the next call.
    pub fn next(&mut self, health: &mut impl Shared, now: Ms) -> Step {
        loop {
            match std::mem::replace(&mut self.state, State::Over) {
                State::Choosing | State::Asking(..) if self.is_late(now) => {
                    let answer = if self.resumption.is_some() { self.not_resumed() } else { self.late() };
                    self.state = State::Done(Box::new(answer));
                }
                State::Choosing => self.state = health.with(|health| self.choose(health, now)),
                State::Asking(way, at) if at > now => {
                    self.state = State::Asking(way, at);
                    return Step::Wait(at);
                }
                State::Asking(way, _) => {
                    if let Some(attempt) = self.ask(way, health, now) {
                        self.state = State::Observing;
                        return Step::Send(Box::new(attempt));
                    }
                }
                State::Done(answer) => return Step::Answer(*answer),
                // Asked too early or too late: there is nothing else to say.
                State::Observing | State::Over => return Step::Answer(self.nothing()),
            }
        }
    }

    /// How much memory the tape of the request's body takes now, in bytes: it comes when somebody looks, and goes while
    /// a provider works.
    pub fn tape_size(&self) -> usize {
        self.doc.tape_size()
    }

    /// Nobody waits for this request any more: it burdens no provider from now on. To be called when the plan is
    /// dropped, whatever became of it.
    pub fn release(&mut self, health: &mut Health) {
        if let Some((way, end)) = self.engaged.take() {
            health.disengage(&self.lane(way), end);
        }
    }

    /// The request goes this way from now on.
    fn engage(&mut self, way: usize, health: &mut Health, now: Ms) {
        self.release(health);
        let longest = self.provider_at(way).map_or(0, |provider| millis(provider.timeouts.total));
        let end = now.saturating_add(longest);
        health.engage(&self.lane(way), end, now);
        self.engaged = Some((way, end));
    }

    /// The clock that tells `now` was set by `by` milliseconds: what has begun and what is to end goes with it.
    pub fn move_times(&mut self, by: Ms) {
        let ends = self.deadline.iter_mut().chain(self.engaged.iter_mut().map(|(_, end)| end));
        let begun = self.current.iter_mut().map(|current| &mut current.began);
        let mut moved: Vec<&mut Ms> = ends.chain(begun).chain([&mut self.incoming.now]).collect();
        if let State::Asking(_, at) = &mut self.state {
            moved.push(at);
        }
        moved.into_iter().for_each(|time| *time = time.saturating_add(by));
    }

    /// What has happened since the last call, for the log.
    pub fn events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.events)
    }

    /// The model that the client asked for; empty if it named none.
    pub fn model(&self) -> &str {
        &self.model
    }

    /// Does the client want a stream?
    pub fn is_streaming(&self) -> bool {
        self.streaming
    }

    /// Makes a probe of the plan: only its provider is asked, put aside or not.
    pub(super) fn be_probe(&mut self, place: usize) {
        self.probe = Some(place);
        self.deadline = None;
    }

    /// The only provider that may be asked, if this is a probe.
    fn only(&self) -> Option<usize> {
        self.engine.probes.get(self.probe?).map(|probe| probe.provider)
    }

    fn provider_at(&self, way: usize) -> Option<&Provider> {
        self.engine.providers.get(self.way(way)?.provider)
    }

    fn route(&self) -> Option<&Route> {
        self.engine.routes.get(self.route)
    }

    /// Whether this request is to leave no trace in log and records, as long as it is answered well.
    pub fn is_quiet(&self) -> bool {
        self.route().is_some_and(|route| route.quiet)
    }

    fn way(&self, way: usize) -> Option<&Way> {
        self.route()?.ways.get(way)
    }

    fn provider_name(&self, way: usize) -> String {
        self.provider_at(way).map(|provider| provider.name.clone()).unwrap_or_default()
    }

    /// The name of the way's key, if its provider has several.
    fn key_name(&self, way: usize) -> Option<String> {
        self.provider_at(way)?.key_name(self.way(way)?.key).map(str::to_owned)
    }

    /// The provider of a way, and its key if there are several, for people.
    fn way_name(&self, way: usize) -> String {
        let name = self.provider_name(way);
        match self.key_name(way) {
            Some(key) => format!("{name} (key {key})"),
            None => name,
        }
    }

    /// Do both ways lead to the same provider?
    fn is_same_provider(&self, one: usize, other: usize) -> bool {
        self.way(one).map(|way| way.provider) == self.way(other).map(|way| way.provider)
    }

    /// A way as the health knows it.
    fn lane(&self, way: usize) -> Lane<'_> {
        let provider = self.provider_at(way);
        let both = provider.zip(self.way(way));
        let key = both.and_then(|(provider, way)| provider.key(way.key));
        Lane {
            provider: provider.map_or("", |provider| &provider.name),
            key: key.map_or("", |key| &key.id),
            model: both
                .map_or_else(Default::default, |(provider, way)| provider.model(&self.model, &way.protocol)),
        }
    }
}

impl fmt::Debug for Plan {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Plan")
            .field("id", &self.incoming.id)
            .field("path", &self.incoming.path)
            .field("attempts", &self.attempts)
            .finish_non_exhaustive()
    }
}
