//! Which of the routes at a path takes a request, and why those above it do not.

use super::{Incoming, Plan};
use crate::engine::Engine;
use crate::engine::decision::LeftOut;
use crate::engine::failure::Phase;
use crate::engine::judge::counts::Counts;
use crate::engine::judge::{Facts, Judged, Shown};
use crate::engine::protocol::ErrorText;
use crate::engine::route::{Route, RouteMatch};
use crate::text::json::Doc;
use crate::text::key_shapes;
use crate::text::units::{Redactor, Secret};
use http::header::{AUTHORIZATION, HeaderName};

/// Of so many routes it is told why they do not apply: those next to the one that does.
const MOST_TOLD: usize = 8;
/// As much is told of each, in characters.
const LONGEST_WHY: usize = 300;

/// A request as conditions of routes see it.
pub(super) struct Asked<'a> {
    pub engine: &'a Engine,
    pub incoming: &'a Incoming,
    pub doc: &'a Doc,
    pub counts: &'a Counts,
    pub model: &'a str,
}

impl Asked<'_> {
    /// Returns whether the route is for this request.
    pub fn takes(&self, route: &Route) -> bool {
        let Some(when) = &route.when else { return true };
        self.with(route, Shown::Nothing, |judged| when.holds(judged))
    }

    /// The routes that do not take the request, and why; `shown` says which values are told. No key is.
    pub fn passed_over(&self, routes: &[&Route], shown: Shown) -> Vec<LeftOut> {
        let told = routes.iter().enumerate().skip(routes.len().saturating_sub(MOST_TOLD));
        let told = told.filter_map(|(place, route)| {
            let when = route.when.as_ref()?;
            let name = match &route.name {
                Some(name) => name.clone(),
                None => format!("{} {} ({})", route.method, route.path, place + 1),
            };
            let why = self.with(route, shown, |judged| when.why(judged));
            Some((name, why.chars().take(LONGEST_WHY).collect()))
        });
        told.collect()
    }

    fn with<R>(&self, route: &Route, shown: Shown, use_it: impl FnOnce(&Judged<'_>) -> R) -> R {
        let holes = route.values(&self.incoming.path);
        let read = ErrorText { doc: Some(self.doc.clone()), ..ErrorText::default() };
        let facts = Facts {
            failure: None,
            status: None,
            came: None,
            headers: &self.incoming.headers,
            body: &self.incoming.body,
            read: &read,
            answer: None,
            unheard: None,
            request: self.doc,
            counts: self.counts,
            model: self.model,
            provider_doc: None,
            provider: "",
            key: "",
            sent_key: None,
            zone: None,
            route: route.facts(holes.as_ref()),
            attempt: 1,
            phase: Phase::FirstByte,
            committed: false,
            dropped: &[],
            now: self.incoming.now,
            chance: 0.0,
        };
        let hide = |text: &str| self.without_keys(text);
        use_it(&Judged::for_route(&facts, &self.engine.texts).showing(shown, &hide))
    }

    /// A text without the rules' keys, the client's own, and what has the shape of one.
    fn without_keys(&self, text: &str) -> String {
        let headers = [AUTHORIZATION, HeaderName::from_static("x-api-key")];
        let values = headers.iter().filter_map(|name| self.incoming.headers.get(name)?.to_str().ok());
        let clients =
            Redactor::new(values.filter_map(|value| value.split_whitespace().next_back()).map(Secret::new));
        let mut text = self.engine.redactor.redacted_text(text).unwrap_or_else(|| text.to_owned());
        text = clients.redacted_text(&text).unwrap_or(text);
        key_shapes::without_keys(&text).unwrap_or(text)
    }
}

impl Plan {
    /// The routes above this request's own that it could have taken, and why it did not.
    pub(super) fn routes_passed_over(&self) -> Vec<LeftOut> {
        let own = self.route();
        if own.is_none_or(|own| {
            self.engine.routes.iter().take(self.route).all(|it| it.path != own.path && it.holes.is_none())
        }) {
            return Vec::new();
        }
        let RouteMatch::Found(mut routes) = self.engine.route(&self.incoming.method, &self.incoming.path)
        else {
            return Vec::new();
        };
        routes.truncate(
            routes.iter().position(|route| own.is_some_and(|own| std::ptr::eq(*route, own))).unwrap_or(0),
        );
        let Plan { engine, incoming, doc, counts, model, .. } = self;
        let shown = if self.trace { Shown::Everything } else { engine.shown_of_requests() };
        Asked { engine, incoming, doc, counts, model }.passed_over(&routes, shown)
    }
}

impl Engine {
    /// Which values of a request its record may tell.
    pub(super) fn shown_of_requests(&self) -> Shown {
        if self.keeping.prompts { Shown::Everything } else { Shown::Request }
    }
}
