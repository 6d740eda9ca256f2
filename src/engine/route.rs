//! Which requests the router takes, and who may answer them.

mod nearby;

use super::Engine;
use super::actions::Refusal;
use super::decision::LeftOut;
use super::judge::when::Test;
use super::judge::{RouteFacts, Rule, Rules};
use super::mapping::Mapping;
use super::protocol::Protocol;
use super::provider::Provider;
use super::spread::Spread;
use crate::language::Template;
use crate::text::json::Doc;
use crate::text::units::PathHoles;
use http::Method;
use serde_json::{Map, Value};
use std::sync::Arc;
use std::time::Duration;

/// A path of the router.
pub struct Route {
    /// Its name, if it has one.
    pub name: Option<String>,
    /// The path, exactly, or with holes.
    pub path: String,
    /// Its holes, if it has some.
    pub(super) holes: Option<PathHoles>,
    /// The method.
    pub method: Method,
    /// What clients speak there.
    pub protocol: Option<Arc<Protocol>>,
    /// Which requests it is for; all, if `None`.
    pub(super) when: Option<Test>,
    /// Rules for what comes in here only.
    pub(super) failover: Vec<Arc<Rule>>,
    /// Who may answer, the first choice first.
    pub(super) ways: Vec<Way>,
    /// Who may not, and why.
    pub(super) left_out: Arc<[LeftOut]>,
    /// How requests are shared out among providers with the same priority.
    pub(super) spread: Option<Spread>,
    /// How its streams are held back.
    pub gate: Gate,
    /// The most that a request may take in all.
    pub deadline: Option<Duration>,
    /// After how much silence a client that waits for a stream gets a sign of life.
    pub keep_alive: Option<Duration>,
    /// Whether another provider resumes a stream that breaks off.
    pub resumes: bool,
    /// The answer when no provider gives one, over [`super::names::ROUTING`].
    pub(super) otherwise: Option<Template>,
    /// The answer without asking anyone.
    pub(super) answer: Option<Template>,
    /// Whether requests that get the answer are left out of log and records.
    pub quiet: bool,
    /// The error without asking anyone, over [`super::names::ROUTING`].
    pub(super) refuse: Option<Refusal>,
    /// The error when all have failed, over [`super::names::EXHAUSTED`].
    pub(super) exhausted: Option<Refusal>,
}

/// How streams are held back until their content begins.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Gate {
    /// Whether they are.
    pub mode: GateMode,
    /// The most that is held, in bytes.
    pub bytes: usize,
    /// The longest that anything is held, from the answer's first byte on.
    pub time: Option<Duration>,
}

/// Whether streams are held back.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum GateMode {
    /// Until their content begins.
    #[default]
    On,
    /// No, but what would have come of it is told.
    Shadow,
    /// No.
    Off,
}

/// One way to an answer: a provider, which of its keys, the protocol it is spoken to in, and the mapping in between.
#[derive(Clone)]
pub struct Way {
    /// The provider's place.
    pub provider: usize,
    /// The place of its key.
    pub key: usize,
    /// What it is spoken to in.
    pub protocol: Arc<Protocol>,
    /// The mapping, if that is another protocol than the client's.
    pub mapping: Option<Arc<Mapping>>,
    /// The rules for its outcomes, if the route has some of its own.
    pub(super) rules: Option<Arc<Rules>>,
    /// `$provider` for each model rule of the provider whose name is fixed.
    documents: Vec<Option<Doc>>,
    /// `$provider` for the others, without the model's name.
    document: Doc,
}

/// The providers that have no way on a route, and why: `order` has those that the route names.
pub(super) fn left_out(providers: &[Provider], order: &[usize], ways: &[Way]) -> Arc<[LeftOut]> {
    let reasons = providers.iter().enumerate().filter_map(|(place, provider)| {
        let reason = match (order.contains(&place), ways.iter().any(|way| way.provider == place)) {
            (_, true) => return None,
            (true, false) => "there is no mapping from the route's protocol to what it speaks",
            (false, false) => "the route does not name it",
        };
        Some((provider.name.clone(), reason.to_owned()))
    });
    reasons.collect()
}

impl Route {
    /// What rules may ask of it.
    pub(super) fn facts<'a>(&'a self, holes: Option<&'a Doc>) -> RouteFacts<'a> {
        RouteFacts {
            name: self.name.as_deref(),
            path: &self.path,
            holes,
            messages: self.protocol.as_ref().and_then(|protocol| protocol.messages.as_ref()),
        }
    }

    /// Whether a path is this route's.
    pub fn is_at(&self, path: &str) -> bool {
        self.holes.as_ref().map_or(self.path == path, |holes| holes.fits(path))
    }

    /// What stands in the holes of a path that is this route's, if it has some.
    pub(super) fn values(&self, path: &str) -> Option<Doc> {
        let values = self.holes.as_ref()?.values(path).into_iter();
        let values: Map<String, Value> =
            values.map(|(name, value)| (name.to_owned(), Value::String(value))).collect();
        Doc::parse(Value::Object(values).to_string().into_bytes()).ok()
    }

    /// May this provider be asked on it?
    pub fn asks(&self, provider: usize) -> bool {
        self.ways.iter().any(|way| way.provider == provider)
    }
}

impl Way {
    pub(super) fn new(
        place: usize,
        provider: &Provider,
        protocol: &Arc<Protocol>,
        mapping: Option<&Arc<Mapping>>,
    ) -> Way {
        let defaults = mapping.map(|mapping| mapping.parameters.as_slice()).unwrap_or_default();
        let document = |model: &str| provider.document(defaults, model);
        Way {
            provider: place,
            key: 0,
            protocol: protocol.clone(),
            mapping: mapping.cloned(),
            rules: None,
            documents: provider.models.iter().map(|rule| rule.fixed.as_deref().map(document)).collect(),
            document: document(""),
        }
    }

    /// The same way with another of the provider's keys.
    pub(super) fn with_key(&self, key: usize) -> Way {
        Way { key, ..self.clone() }
    }

    /// `$provider`, when the client asked for that model.
    pub(super) fn document(&self, provider: &Provider, asked: &str) -> Doc {
        let (model, rule) = provider.named(asked, &self.protocol);
        let ready = rule.and_then(|rule| self.documents.get(rule)).cloned().flatten();
        ready.unwrap_or_else(|| match self.document.root().get("model") {
            Some(place) => self.document.with_str(place.index(), &model),
            None => self.document.clone(),
        })
    }
}

/// What a method and a path lead to.
pub enum RouteMatch<'e> {
    /// These routes, in order; their conditions on the request are still to be tested.
    Found(Vec<&'e Route>),
    /// The path exists, with other methods.
    WrongMethod {
        /// The methods that it has.
        allow: Vec<Method>,
        /// What is spoken there.
        protocol: Option<&'e Arc<Protocol>>,
    },
    /// No such path.
    NotFound {
        /// What is spoken at the nearest path.
        protocol: Option<&'e Arc<Protocol>>,
    },
}

impl Engine {
    /// Finds the routes of a method and a path. HEAD is taken as GET.
    pub fn route(&self, method: &Method, path: &str) -> RouteMatch<'_> {
        let at_path: Vec<&Route> = self.routes.iter().filter(|route| route.is_at(path)).collect();
        let wanted = if *method == Method::HEAD { &Method::GET } else { method };
        let found: Vec<&Route> = at_path.iter().copied().filter(|route| route.method == *wanted).collect();
        if !found.is_empty() {
            return RouteMatch::Found(found);
        }
        if at_path.is_empty() {
            return RouteMatch::NotFound { protocol: self.protocol_near(path) };
        }
        let mut allow: Vec<Method> = Vec::new();
        for route in &at_path {
            if !allow.contains(&route.method) {
                allow.push(route.method.clone());
            }
        }
        let protocol = at_path.iter().find_map(|route| route.protocol.as_ref());
        RouteMatch::WrongMethod { allow, protocol }
    }

    /// What is spoken at the path that was probably meant, else at the one that has most in common with this one from its
    /// beginning on.
    pub fn protocol_near(&self, path: &str) -> Option<&Arc<Protocol>> {
        let meant = self.ends_like(path).and_then(|(route, _)| route.protocol.as_ref());
        if meant.is_some() {
            return meant;
        }
        let common = |route: &Route| {
            let pairs = route.path.split('/').zip(path.split('/'));
            pairs.take_while(|(ours, theirs)| nearby::is_part(ours, theirs)).count()
        };
        let mut best: Option<(usize, &Arc<Protocol>)> = None;
        for route in &self.routes {
            let Some(protocol) = &route.protocol else {
                continue;
            };
            let shared = common(route);
            // One common part is the empty one before the first slash.
            if shared > 1 && best.is_none_or(|(most, _)| shared > most) {
                best = Some((shared, protocol));
            }
        }
        best.map(|(_, protocol)| protocol)
    }
}
