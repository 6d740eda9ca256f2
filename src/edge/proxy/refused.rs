//! Requests that no plan was made for: their answer, their line in the log and their record.

use std::net::IpAddr;

use http::header::RETRY_AFTER;
use http::{HeaderValue, Method, Response, StatusCode};

use super::respond;
use super::world::World;
use crate::edge::body::ReplyBody;
use crate::edge::clock;
use crate::edge::telemetry;
use crate::engine::decision::Decision;
use crate::engine::plan::Answer;
use crate::engine::{Engine, Ms};

/// As much of a path that no route has is kept, in characters.
const LONGEST_PATH: usize = 200;
/// The same of a method.
const LONGEST_METHOD: usize = 20;
/// The same of why it was refused, in which the path may stand.
const LONGEST_REASON: usize = 300;

/// Rejects a request without reading its body: the caller is not authorized, or the body could not be had.
pub fn refuse(
    world: &World,
    engine: &Engine,
    client: Option<IpAddr>,
    method: &Method,
    path: &str,
    status: StatusCode,
    message: String,
) -> Response<ReplyBody> {
    let id = clock::request_id();
    let mut answer = engine.error_answer(path, status, &message, &id);
    if status == StatusCode::SERVICE_UNAVAILABLE {
        answer.headers.entry(RETRY_AFTER).or_insert(HeaderValue::from_static("1"));
    }
    let decision = unplanned(engine, &id, client, (method, path), &answer, world.clock.now());
    telemetry::request(&decision);
    world.metrics.answered(&decision);
    world.decisions.push_refused(decision, engine.keeping);
    respond(&id, answer)
}

/// The record of a request that no route takes, or that no engine can read.
pub(super) fn unplanned(
    engine: &Engine,
    id: &str,
    client: Option<IpAddr>,
    (method, path): (&Method, &str),
    answer: &Answer,
    now: Ms,
) -> Decision {
    let mut decision = Decision {
        id: id.to_owned(),
        at: now,
        client: client.map(|address| address.to_string()),
        rules_version: engine.version.clone(),
        method: method.as_str().chars().take(LONGEST_METHOD).collect(),
        path: path.chars().take(LONGEST_PATH).collect(),
        refused: answer.reason.as_ref().map(|why| why.chars().take(LONGEST_REASON).collect()),
        ..Decision::default()
    };
    decision.given(answer, now);
    decision
}
