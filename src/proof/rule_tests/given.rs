//! A simulated provider: what the rules' test says of it, played to an exchange piece by piece.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};

use crate::config::model::{FailureKind as Word, Given, Rules, Spanned, Table};
use crate::engine::exchange::{Awaits, Exchange, Progress};
use crate::engine::failure::{Failure, FailureKind};
use crate::engine::plan::Outcome;
use crate::engine::{Engine, Timeouts};
use crate::text::sse::write_event;
use crate::text::yaml::{Kind, Node};

/// The headers in which clients show keys.
const OF_KEYS: [HeaderName; 2] = [HeaderName::from_static("x-api-key"), AUTHORIZATION];

/// One answer, on its way.
pub struct Script {
    pieces: VecDeque<Piece>,
}

enum Piece {
    Head(u16, HeaderMap),
    Bytes(Bytes),
    End,
    Break(FailureKind),
}

impl Script {
    /// The answer as `given`, to the attempt whose exchange this is. Also: how long it takes to come.
    pub fn new(given: &Given, rules: &Rules, exchange: &Exchange, timeouts: &Timeouts) -> (Script, Duration) {
        let after = given.after.unwrap_or_default();
        if let Some((kind, limit)) = too_late(after, exchange, timeouts) {
            return (Script { pieces: VecDeque::from([Piece::Break(kind)]) }, limit);
        }
        let failure = given.failure.as_ref().and_then(kind);
        let mut pieces = VecDeque::new();
        let says_something =
            given.status.is_some() || given.body.is_some() || given.file.is_some() || given.stream.is_some();
        if says_something || failure.is_none() {
            let status = given.status.as_ref().map_or(200, |status| status.value);
            let mut headers = headers(&given.headers);
            let content_type = if given.stream.is_some() { "text/event-stream" } else { "application/json" };
            headers.entry(CONTENT_TYPE).or_insert(HeaderValue::from_static(content_type));
            pieces.push_back(Piece::Head(status, headers));
            pieces.extend(body(given, rules).map(Piece::Bytes));
            pieces.extend(given.stream.iter().flatten().map(|node| Piece::Bytes(event(node, exchange))));
        }
        pieces.push_back(match failure {
            // The exchange finds out by itself what an early end means.
            None | Some(FailureKind::CutOff) => Piece::End,
            Some(kind) => Piece::Break(kind),
        });
        (Script { pieces }, after)
    }

    /// Plays the next piece.
    pub fn play(&mut self, exchange: &mut Exchange) -> Progress {
        match self.pieces.pop_front() {
            Some(Piece::Head(status, headers)) => exchange.head(status, &headers),
            Some(Piece::Bytes(bytes)) => exchange.feed(&bytes),
            Some(Piece::End) => exchange.eof(),
            Some(Piece::Break(kind)) => exchange.broke(Failure::new(kind, "")),
            // Whatever was said before, there is no more to come.
            None => Progress::Done(Outcome::Failed(Failure::new(FailureKind::CutOff, ""))),
        }
    }

    /// Has all been played?
    pub fn is_over(&self) -> bool {
        self.pieces.is_empty()
    }
}

/// The timer that runs out before the answer comes, if one does.
fn too_late(after: Duration, exchange: &Exchange, timeouts: &Timeouts) -> Option<(FailureKind, Duration)> {
    let (kind, limit) = match exchange.awaits() {
        Awaits::Whole => (FailureKind::WholeTimeout, timeouts.whole),
        _ => (FailureKind::FirstByteTimeout, timeouts.first_byte),
    };
    let (kind, limit) =
        if timeouts.total < limit { (FailureKind::TotalTimeout, timeouts.total) } else { (kind, limit) };
    (after >= limit).then_some((kind, limit))
}

fn kind(word: &Spanned<Word>) -> Option<FailureKind> {
    FailureKind::from_name(word.word())
}

/// The body, where there is one: text as it stands, anything else as JSON.
fn body(given: &Given, rules: &Rules) -> Option<Bytes> {
    if let Some(path) = &given.file {
        return rules.file(path).map(|file| file.bytes.clone());
    }
    given.body.as_ref().map(|node| text_or_json(node).into())
}

/// One event of a stream, framed as the provider's protocol does it.
fn event(node: &Node, exchange: &Exchange) -> Bytes {
    let mut out = Vec::new();
    match (&node.kind, &exchange.job().provider.stream) {
        (Kind::Map(_), Some(shape)) => shape.write_event(&text_or_json(node), &mut out),
        _ => write_event(&mut out, None, &text_or_json(node)),
    }
    out.into()
}

/// A text as it stands, anything else as JSON.
pub fn text_or_json(node: &Node) -> Vec<u8> {
    let mut out = Vec::new();
    match node.as_str() {
        Some(text) => out.extend_from_slice(text.as_bytes()),
        None => node.to_json_bytes(&mut out),
    }
    out
}

/// The headers of a request as routes see them: where clients need keys, the one in which theirs stands is taken out at
/// the door. With both of those that may hold one, it is not known which does.
pub fn admitted(table: &Table<Spanned<String>>, engine: &Engine) -> HeaderMap {
    let mut headers = headers(table);
    let needs_key = engine.access.as_ref().is_some_and(|access| access.keys.is_some());
    if needs_key && !OF_KEYS.iter().all(|name| headers.contains_key(name)) {
        for name in &OF_KEYS {
            headers.remove(name);
        }
    }
    headers
}

/// Headers as a test writes them. What cannot be a header is left out.
pub fn headers(table: &Table<Spanned<String>>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in table.iter() {
        let name = HeaderName::from_bytes(name.text.as_bytes());
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_str(&value.value)) {
            headers.append(name, value);
        }
    }
    headers
}
