//! Answers as responses of HTTP.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{CACHE_CONTROL, HeaderName};
use http::{HeaderValue, Response, StatusCode};

use super::INTERNAL_ERROR;
use crate::edge::body::ReplyBody;
use crate::engine::Engine;
use crate::engine::plan::{Answer, AnswerBody};

/// Gives out an answer of the router itself.
pub fn respond(id: &str, mut answer: Answer) -> Response<ReplyBody> {
    let body = match std::mem::replace(&mut answer.body, AnswerBody::Whole(Bytes::new())) {
        AnswerBody::Whole(bytes) => ReplyBody::whole(bytes),
        AnswerBody::Stream(_) => ReplyBody::Empty,
    };
    respond_with(id, answer, body)
}

/// Words the error that a stream ends with if the router itself breaks it.
pub(super) fn last_words(
    engine: Arc<Engine>,
    path: String,
    id: String,
) -> impl FnOnce() -> Bytes + Send + 'static {
    move || engine.error_event(&path, StatusCode::INTERNAL_SERVER_ERROR, INTERNAL_ERROR, &id)
}

/// Gives out an answer with this body.
pub(super) fn respond_with(id: &str, answer: Answer, body: ReplyBody) -> Response<ReplyBody> {
    let streaming = matches!(body, ReplyBody::Stream(..));
    let mut response = Response::new(body);
    *response.status_mut() = answer.status;
    *response.headers_mut() = answer.headers;
    let headers = response.headers_mut();
    if let Ok(id) = HeaderValue::from_str(id) {
        headers.insert(HeaderName::from_static("x-rulegate-request"), id);
    }
    if streaming {
        // Without these, proxies in front collect a stream before they pass it on.
        headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-cache"));
        headers.insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    }
    response
}
