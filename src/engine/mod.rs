//! One request's life as a state machine, told by compiled rules, without a clock, a socket or chance.
//!
//! [`Engine`] is the rules in compiled form and never changes; [`plan::Plan`] takes one request through it;
//! [`exchange::Exchange`] reads one provider's answer; [`health::Health`] is what outlives both.

pub mod actions;
pub mod build;
pub mod decision;
pub mod exchange;
pub mod failure;
pub mod headers;
pub mod health;
pub mod judge;
pub mod link;
pub mod mapping;
pub mod names;
pub mod plan;
pub mod probe;
pub mod protocol;
pub mod provider;
pub mod route;
pub mod spread;
#[cfg(test)]
pub(crate) mod testing;
pub mod usage;

pub use build::{build, build_for_providers};
pub use provider::{KeySource, Provider};
pub use route::{Route, RouteMatch};

use crate::config::model::{Access, ClientKey, Key, Published};
use crate::language::scope::Parts;
use crate::language::{Patch, Template};
use crate::text::diagnostic::{FileId, Span};
use crate::text::json::Doc;
use crate::text::units::{Redactor, Secret};
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{HeaderMap, StatusCode};
use plan::{Answer, AnswerBody};
use protocol::{Protocol, Wording};
use std::sync::Arc;
use std::time::Duration;

/// A moment, in milliseconds since the Unix epoch.
pub type Ms = i64;

/// The rules in compiled form. Immutable: a request keeps the one it began with.
pub struct Engine {
    /// The first characters of the rules' hash.
    pub version: String,
    /// Where to listen, `host:port`.
    pub listen: String,
    /// Where clients reach it, if that is another address.
    pub published: Option<Published>,
    /// Who may send requests; `None` where the rules do not say.
    pub access: Option<Access>,
    /// The key of the admin paths.
    pub admin_key: Option<Key>,
    /// How much is too much.
    pub limits: Limits,
    /// What is kept of decisions.
    pub keeping: decision::Keeping,
    /// Where to keep what is known of providers, or `off`; `None`: beside the rules.
    pub state: Option<String>,
    /// How providers come back after a cool down.
    pub recovery: Recovery,
    /// The models that the rules list.
    pub models: Vec<String>,
    /// The providers in order of priority.
    pub providers: Vec<Provider>,
    /// The routes in the order of the file.
    pub routes: Vec<Route>,
    /// What keeps watch over providers.
    pub probes: Vec<probe::Probe>,
    pub(crate) protocols: Vec<Arc<Protocol>>,
    pub(crate) mappings: Vec<Arc<mapping::Mapping>>,
    by_priority: Vec<usize>,
    repairs: Vec<Repair>,
    refusals: Vec<actions::Refusal>,
    texts: judge::texts::Texts,
    /// What a second build of the same rules need not compile again.
    parts: Parts,
    /// Takes every key that the rules know out of texts.
    pub redactor: Arc<Redactor>,
    /// The same for whatever the router itself shows, where names of the rules and words of its own must stay readable.
    pub shown: Arc<Redactor>,
    models_doc: Doc,
}

/// A named change of a request; templates over [`names::REPAIRING`].
struct Repair {
    name: String,
    patch: Option<Patch>,
    /// Headers that are set, or left out where the template gives nothing.
    headers: protocol::Headers,
    /// Of headers that are lists: what is taken out, and what is put in.
    lists: Vec<(http::HeaderName, Vec<Template>, Vec<Template>)>,
}

/// How much is too much.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// A request's body, in bytes.
    pub body: usize,
    /// An answer that is no stream, in bytes.
    pub answer: usize,
    /// One event of a stream, in bytes.
    pub event: usize,
    /// What is held back of a stream until its content begins, in bytes.
    pub held: usize,
    /// Grace period for requests under way at shutdown.
    pub shutdown: Duration,
    /// For the head of a connection's first request to arrive.
    pub head_time: Duration,
    /// For the whole body of a request to arrive.
    pub body_time: Duration,
    /// Bytes a second, on average, that a client must send or take while it is waited for.
    pub min_rate: u64,
    /// Client connections in all; `None`: as many as the open descriptors allow.
    pub connections: Option<usize>,
    /// Client connections from one address; `None`: half of all.
    pub connections_per_address: Option<usize>,
    /// What all requests in flight may take in memory together, in bytes; `None`: as the machine allows.
    pub in_flight: Option<usize>,
    /// Requests in flight at once; `None`: as `in_flight` allows.
    pub requests: Option<usize>,
}

/// How providers come back after a cool down, and how many may be out at once.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Recovery {
    /// How many requests at once may try whether all is well again; 0: all.
    pub trials: u32,
    /// How many providers may be put aside at once for being out of order; at least one.
    pub most_out: usize,
    /// Whether a cool-down ends when the rule that began it is gone or changed.
    pub clear_outdated: bool,
}

/// How long the stages of an attempt may take. The defaults are those of the rules.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Timeouts {
    /// Until the connection stands.
    pub connect: Duration,
    /// Until the first byte of a stream.
    pub first_byte: Duration,
    /// Until a stream's first content.
    pub first_content: Duration,
    /// Between two reads of a stream.
    pub idle: Duration,
    /// Until the last byte of an answer that is asked for as a whole, in the place of these.
    pub whole: Duration,
    /// For the attempt in all.
    pub total: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        protocol::timeouts(&crate::config::model::Timeouts::standard(Span::new(FileId(0), 0, 0)))
    }
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            body: 32 << 20,
            answer: 64 << 20,
            event: 16 << 20,
            held: 256 << 10,
            shutdown: Duration::from_secs(30),
            head_time: Duration::from_secs(30),
            body_time: Duration::from_secs(600),
            min_rate: 500,
            connections: None,
            connections_per_address: None,
            in_flight: None,
            requests: None,
        }
    }
}

impl Engine {
    /// The place of the provider of that name.
    pub fn provider(&self, name: &str) -> Option<usize> {
        self.providers.iter().position(|provider| provider.name == name)
    }

    /// The same, once all that it knows is in it, with what takes its keys out of texts.
    fn with_redactor(mut self) -> Engine {
        self.redactor = Arc::new(Redactor::new(self.secrets().cloned()));
        let names = self.names();
        let is_name = |secret: &Secret| names.iter().any(|name| secret.is_in(name.as_bytes()));
        let shown = self.secrets().filter(|secret| !secret.is_word() && !is_name(secret)).cloned();
        let clients = self.access.iter().flat_map(|access| access.keys.iter().flatten());
        let digests = clients.filter_map(|key| match &key.value {
            ClientKey::Digest(digest) => Some(*digest),
            _ => None,
        });
        self.shown = Arc::new(Redactor::new(shown).with_digests(digests));
        self
    }

    /// What the rules call things. A key may be one of these words, such as `lm-studio`.
    fn names(&self) -> Vec<&str> {
        let providers = self.providers.iter().flat_map(|provider| {
            let keys = provider.keys.iter().map(|key| key.name.as_str());
            let rules = provider.rules.all().iter().map(|rule| rule.name.as_str());
            [provider.name.as_str(), provider.url.as_str()].into_iter().chain(keys).chain(rules)
        });
        let routes = self.routes.iter().flat_map(|route| {
            let rules = route.failover.iter().map(|rule| rule.name.as_str());
            route.name.as_deref().into_iter().chain([route.path.as_str()]).chain(rules)
        });
        let protocols = self.protocols.iter().map(|protocol| protocol.name.as_str());
        providers.chain(routes).chain(protocols).chain(self.models.iter().map(String::as_str)).collect()
    }

    /// Every key that the rules know by its value: those of providers and their proxies, of clients and of the admin, and
    /// what variables put into headers and queries.
    fn secrets(&self) -> impl Iterator<Item = &Secret> {
        let providers = self.providers.iter().flat_map(|provider| &provider.keys);
        let providers = providers.filter_map(|key| match &key.source {
            KeySource::Value(secret) => Some(secret),
            _ => None,
        });
        let clients = self.access.iter().flat_map(|access| access.keys.iter().flatten());
        let clients = clients.filter_map(|key| match &key.value {
            ClientKey::Value(secret) => Some(secret),
            _ => None,
        });
        let admin = self.admin_key.iter().filter_map(|key| match key {
            Key::Value(secret) => Some(secret),
            _ => None,
        });
        let proxies = self.providers.iter().filter_map(|it| it.link.proxy.as_ref()?.login.as_ref());
        let hidden = self.providers.iter().flat_map(|provider| &provider.hidden);
        providers.chain(proxies).chain(clients).chain(admin).chain(hidden)
    }

    /// The providers' places, the first choice first.
    pub fn by_priority(&self) -> &[usize] {
        &self.by_priority
    }

    /// The protocol of that name.
    pub fn protocol(&self, name: &str) -> Option<&Arc<Protocol>> {
        self.protocols.iter().find(|protocol| protocol.name == name)
    }

    /// The failover rules of a provider's outcomes on a route, in the order in which they are asked.
    pub fn failover<'e>(&'e self, route: &'e Route, provider: usize) -> &'e [Arc<judge::Rule>] {
        let way = route.ways.iter().find(|way| way.provider == provider);
        let own = way.and_then(|way| way.rules.as_deref());
        let rules = own.or_else(|| self.providers.get(provider).map(|provider| &provider.rules));
        rules.map(judge::Rules::all).unwrap_or_default()
    }

    /// What is wrong with the providers' keys, one sentence each; empty if nothing is.
    pub fn missing_keys(&self) -> Vec<String> {
        let without = self.providers.iter().filter(|provider| !provider.has_key());
        without.map(|provider| format!("{}: {}", provider.name, provider.missing_key_hint())).collect()
    }

    /// An error that the router makes by itself, in the words of the path's protocol.
    pub fn error_answer(&self, path: &str, status: StatusCode, message: &str, id: &str) -> Answer {
        self.word(self.protocol_near(path), status, message, id)
    }

    /// The same error as the last event of a stream that has begun; empty where the protocol has no such event.
    pub fn error_event(&self, path: &str, status: StatusCode, message: &str, id: &str) -> Bytes {
        let wording = Wording { status: status.as_u16(), message, id, ..Wording::default() };
        self.protocol_near(path).map(|protocol| protocol.failed_event(&wording).into()).unwrap_or_default()
    }

    pub(crate) fn word(
        &self,
        protocol: Option<&Arc<Protocol>>,
        status: StatusCode,
        message: &str,
        id: &str,
    ) -> Answer {
        let wording = Wording { status: status.as_u16(), message, id, ..Wording::default() };
        let mut answer = Answer::by_router(status, worded(protocol, &wording));
        if let Some(protocol) = protocol {
            protocol.error_headers(&wording, &mut answer.headers);
        }
        answer.reason = Some(message.to_owned());
        answer
    }
}

/// An error's body in the words of a protocol, or in plain ones.
pub(crate) fn worded(protocol: Option<&Arc<Protocol>>, wording: &Wording<'_>) -> Bytes {
    let plain = || protocol::plain_error(&Protocol::default().error_doc(wording));
    protocol.map_or_else(plain, |protocol| protocol.word(wording))
}

impl Answer {
    /// A JSON answer of the router itself.
    pub(crate) fn by_router(status: StatusCode, body: Bytes) -> Answer {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let body = AnswerBody::Whole(body);
        Answer { status, headers, body, provider: None, attempts: 0, rule: None, reason: None }
    }
}
