//! How a request is taken up: its route, its body, its model.

use super::routes::Asked;
use super::{Answer, Incoming, Plan, State};
use crate::engine::judge::cooling::millis;
use crate::engine::judge::counts::Counts;
use crate::engine::names::{ROUTING, View};
use crate::engine::protocol::Protocol;
use crate::engine::route::RouteMatch;
use crate::engine::{Engine, worded};
use crate::language::Template;
use crate::text::form::{self, Form};
use crate::text::json::{Doc, JsonKind};
use bytes::Bytes;
use http::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use http::{Method, StatusCode};
use std::sync::{Arc, OnceLock};

/// A longer name is no model's, in bytes. Names are kept with cool downs and records, and stand on pages.
const LONGEST_MODEL: usize = 1024;

impl Plan {
    /// Takes a request up: finds its route, reads its body. The error is the answer to give at once.
    #[allow(clippy::result_large_err)]
    pub fn begin(engine: Arc<Engine>, incoming: Incoming) -> Result<Plan, Answer> {
        let id = incoming.id.as_str();
        let routes = match engine.route(&incoming.method, &incoming.path) {
            RouteMatch::Found(routes) => routes,
            RouteMatch::WrongMethod { allow, protocol } => {
                let message = format!("{} is not a method of {}", incoming.method, incoming.path);
                let mut answer = engine.word(protocol, StatusCode::METHOD_NOT_ALLOWED, &message, id);
                let allow: Vec<&str> = allow.iter().map(Method::as_str).collect();
                if let Ok(allow) = HeaderValue::from_str(&allow.join(", ")) {
                    answer.headers.insert(ALLOW, allow);
                }
                return Err(answer);
            }
            RouteMatch::NotFound { protocol } => {
                let message = engine.no_such_path(&incoming.path);
                return Err(engine.word(protocol, StatusCode::NOT_FOUND, &message, id));
            }
        };
        let protocol = routes.iter().find_map(|route| route.protocol.as_ref());
        let takes_body = !matches!(incoming.method, Method::GET | Method::HEAD);
        let (doc, form) = if takes_body {
            read(protocol.map(Arc::as_ref), &incoming)
                .map_err(|message| engine.word(protocol, StatusCode::BAD_REQUEST, &message, id))?
        } else {
            (Doc::null(), None)
        };
        let model = protocol.map(|protocol| model_of(protocol, &doc)).unwrap_or_default();
        if model.len() > LONGEST_MODEL {
            let message =
                format!("the model's name has {} bytes; at most {LONGEST_MODEL} are allowed", model.len());
            return Err(engine.word(protocol, StatusCode::BAD_REQUEST, &message, id));
        }
        let counts = Counts::new(incoming.body.len());
        let asked = Asked { engine: &engine, incoming: &incoming, doc: &doc, counts: &counts, model: &model };
        let Some(route) = routes.iter().copied().find(|route| asked.takes(route)) else {
            let message = format!("no route of {} takes this request (model {model:?})", incoming.path);
            let mut answer = engine.word(protocol, StatusCode::NOT_FOUND, &message, id);
            // What conditions the rules have is not for clients.
            let passed = asked.passed_over(&routes, engine.shown_of_requests());
            let whys = passed.iter().map(|(route, why)| format!("; {route}: {why}"));
            answer.reason = Some(format!("{message}{}", whys.collect::<String>()));
            return Err(answer);
        };
        let place = engine.routes.iter().position(|other| std::ptr::eq(other, route)).unwrap_or_default();
        let wants_stream = route.protocol.as_ref().is_some_and(|protocol| {
            let asked = protocol.streaming.as_ref().and_then(|path| path.walk(doc.root()));
            asked.and_then(|value| value.bool()) == Some(true)
        });
        let holes = route.values(&incoming.path);
        let mut plan = Plan {
            route: place,
            holes,
            state: State::Choosing,
            streaming: wants_stream,
            deadline: route.deadline.map(|time| incoming.now.saturating_add(millis(time))),
            order: None,
            attempts: 0,
            tried: Vec::new(),
            repaired: Vec::new(),
            edited: Vec::new(),
            retries: Vec::new(),
            current: None,
            engaged: None,
            failover: None,
            last_rule: None,
            switching: None,
            resumption: None,
            probe: None,
            clients_keys: OnceLock::new(),
            events: Vec::new(),
            trace: false,
            record: false,
            rehearsal: false,
            engine: engine.clone(),
            incoming,
            doc,
            form,
            counts,
            model,
        };
        if let Some(refusal) = &route.refuse {
            plan.state = State::Done(Box::new(plan.refused_by_route(refusal)));
        } else if let Some(template) = &route.answer {
            plan.state = State::Done(Box::new(plan.made(template)));
        }
        Ok(plan)
    }

    /// What a route's own templates see: the request, before anybody is asked.
    pub(super) fn asked(&self) -> View<'_> {
        View {
            doc: Some(&self.doc),
            request: Some(&self.doc),
            header: Some(&self.incoming.headers),
            model: Some(&self.model),
            models: Some(&self.engine.models_doc),
            now: Some(self.incoming.now),
            id: Some(&self.incoming.id),
            path: self.holes.as_ref(),
            ..View::default()
        }
    }

    /// An answer that the rules make by themselves.
    pub(super) fn made(&self, template: &Template) -> Answer {
        let mut out = Vec::new();
        let answer = match template.write(&mut self.asked().env(ROUTING, ROUTING.len()), &mut out) {
            Ok(true) => Answer::by_router(StatusCode::OK, out.into()),
            Ok(false) => Answer::by_router(StatusCode::OK, Bytes::from_static(b"null")),
            Err(fail) => {
                let protocol = self.route().and_then(|route| route.protocol.as_ref());
                let status = StatusCode::from_u16(fail.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
                let wording = crate::engine::protocol::Wording {
                    status: status.as_u16(),
                    kind: fail.kind.as_deref(),
                    message: &fail.message,
                    details: fail.details.as_deref(),
                    id: &self.incoming.id,
                    ..Default::default()
                };
                Answer::by_router(status, worded(protocol, &wording))
            }
        };
        self.signed(answer, None)
    }
}

/// A request's body, and its form if it is one; or what is wrong with it.
fn read(protocol: Option<&Protocol>, incoming: &Incoming) -> Result<(Doc, Option<Form>), String> {
    let takes_forms = protocol.is_some_and(|protocol| protocol.takes_forms);
    let content_type = incoming.headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
    match form::boundary(content_type).filter(|_| takes_forms) {
        Some(boundary) => {
            let form = Form::parse(&incoming.body, &boundary)?;
            Ok((form.doc(&incoming.body), Some(form)))
        }
        None => match parse(&incoming.body) {
            Err(wrong) if takes_forms => {
                Err(format!("{wrong}; nor does its content-type say that it is a form (multipart/form-data)"))
            }
            parsed => Ok((parsed?, None)),
        },
    }
}

/// A body of JSON, or what is wrong with it.
fn parse(body: &Bytes) -> Result<Doc, String> {
    if body.iter().all(u8::is_ascii_whitespace) {
        return Err("the request has no body; a JSON object is wanted".to_owned());
    }
    let doc = Doc::parse(body.clone()).map_err(|error| format!("the request's body is no JSON: {error}"))?;
    if doc.root().kind() == JsonKind::Object {
        Ok(doc)
    } else {
        Err("the request's body has to be a JSON object".to_owned())
    }
}

/// The model that a request names, without what clients put behind its name.
fn model_of(protocol: &Protocol, doc: &Doc) -> String {
    let value = protocol.model.as_ref().and_then(|path| path.walk(doc.root()));
    let mut name = value.and_then(|value| value.str()).map(|name| name.into_owned()).unwrap_or_default();
    let suffix = protocol.model_suffixes.iter().find(|suffix| name.ends_with(suffix.as_str()));
    if let Some(suffix) = suffix {
        name.truncate(name.len() - suffix.len());
    }
    name
}
