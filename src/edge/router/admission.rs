//! Who comes in, by the head of a request alone.

use http::header::ALLOW;
use http::request::Parts;
use http::{HeaderValue, Method, Response, StatusCode};

use crate::edge::access::{Caller, Denied};
use crate::edge::body::ReplyBody;
use crate::edge::reload::rules::Ready;
use crate::engine::RouteMatch;

/// Marks an answer to somebody who may not ask: it does not tell which rules are in force.
#[derive(Clone, Copy)]
pub(super) struct ForStranger;

/// The same answer, without what only clients learn.
pub(in crate::edge) fn stranger(mut response: Response<ReplyBody>) -> Response<ReplyBody> {
    response.extensions_mut().insert(ForStranger);
    response
}

/// What the head of a request leads to.
pub(super) enum Entry {
    /// Read its body.
    Come,
    /// There is no such path or method; the engine words the error, and needs no body for it.
    Hollow,
    /// It asks what it may ask.
    Options(Vec<Method>),
    /// The caller is not authorized.
    Denied(Denied),
}

/// Whether a request may come in, as far as its head tells.
pub(super) fn admit(ready: &Ready, caller: &Caller, parts: &mut Parts) -> Entry {
    if let Err(denied) = ready.access.client(caller, &mut parts.headers) {
        return Entry::Denied(denied);
    }
    let path = parts.uri.path();
    let found = match ready.engine.route(&parts.method, path) {
        RouteMatch::WrongMethod { allow, .. } if parts.method == Method::OPTIONS => {
            return Entry::Options(allow);
        }
        _ if parts.method == Method::OPTIONS && path == "*" => return Entry::Options(Vec::new()),
        RouteMatch::Found(_) => true,
        _ => false,
    };
    if !found {
        return Entry::Hollow;
    }
    Entry::Come
}

/// The answer to OPTIONS of a client that is no browser asking for a page; that is a preflight.
pub(in crate::edge) fn options(allow: &[Method]) -> Response<ReplyBody> {
    let mut response = Response::new(ReplyBody::Empty);
    *response.status_mut() = StatusCode::NO_CONTENT;
    let mut names: Vec<&str> = allow.iter().map(Method::as_str).collect();
    if names.contains(&"GET") {
        names.push("HEAD");
    }
    names.push("OPTIONS");
    if let Ok(names) = HeaderValue::try_from(names.join(", ")) {
        response.headers_mut().insert(ALLOW, names);
    }
    response
}
