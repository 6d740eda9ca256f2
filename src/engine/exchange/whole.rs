//! Answers and errors that are read to their end before anything is done with them.

use super::Job;
use super::sniff::{Sniffed, significant, sniff};
use super::translating::from_fail;
use crate::engine::failure::{Failure, FailureKind};
use crate::engine::mapping;
use crate::engine::names::View;
use crate::engine::plan::Whole;
use crate::engine::usage::Usage;
use crate::language::stream::StreamMachine;
use crate::text::json::Doc;
use crate::text::sse::SseDecoder;
use bytes::Bytes;
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use memchr::memmem;

/// The failure that a status is which is not that of an answer. One that is not of an error either, nor of a redirect, is no
/// HTTP that a client could be told of.
pub fn error(job: &Job, status: u16, headers: &HeaderMap, body: Bytes) -> Failure {
    let body = if sniff(&body) == Sniffed::Events { first_event(&body, job.limits.event) } else { body };
    let message = job.provider.read_error(&body, headers, Some(status)).message;
    let kind = if (300..600).contains(&status) { FailureKind::Status } else { FailureKind::Malformed };
    let usual = match status {
        400..600 => String::new(),
        _ => format!("the provider answered with status {status}, which is neither an answer nor an error"),
    };
    let failure = Failure::new(kind, message.unwrap_or(usual));
    Failure { status: Some(status), headers: headers.clone(), body, ..failure }
}

/// A good answer, in the client's protocol.
pub fn answer(job: &Job, status: u16, headers: &HeaderMap, body: Bytes) -> Result<Whole, Box<Failure>> {
    let doc = match document(job, status, headers, &body) {
        Ok(doc) => doc,
        Err(Unread::Unneeded(_)) if job.mapping.is_none() => {
            let usage = Usage::default();
            return Ok(Whole { status, headers: headers.clone(), raw: body.clone(), body, usage });
        }
        Err(unread) => return Err(unread.failure()),
    };
    let response = job.mapping.as_ref().and_then(|mapping| Some((mapping, mapping.response.as_ref()?)));
    let mapped = match response {
        None => body.clone(),
        Some((mapping, template)) => {
            let view = View { doc: Some(&doc), ..job.view(headers, status) };
            let mapped = mapping::body(template, &mut mapping.env(&view, &job.kept));
            mapped
                .map_err(|fail| with_headers(from_fail(&fail, FailureKind::Malformed, &body), headers))?
                .into()
        }
    };
    let usage = job.provider.usage(&doc);
    Ok(Whole { status, headers: headers.clone(), raw: body, body: mapped, usage })
}

/// A whole answer where a stream was asked for: the stream program takes it as its only event, the mapping's or,
/// within one protocol, its `unfold`.
pub fn as_stream(
    job: &Job,
    status: u16,
    headers: &HeaderMap,
    body: Bytes,
) -> Result<(Vec<u8>, Usage), Box<Failure>> {
    let doc = document(job, status, headers, &body).map_err(Unread::failure)?;
    let program = match &job.mapping {
        Some(mapping) => mapping.stream.as_ref().map(|it| (it, job.base(it, headers, status))),
        None => {
            let unfold = job.provider.unfold.as_ref();
            unfold.map(|it| (it, job.protocols_base(it, headers, status)))
        }
    };
    let Some((program, base)) = program else {
        let message = "one whole answer came where a stream was asked for";
        return Err(malformed(message, headers, body));
    };
    let mut machine = StreamMachine::new(program.clone());
    machine.document(&base, None, &doc);
    if !machine.ended() && machine.failure().is_none() {
        if machine.committed() {
            machine.done(&base);
        } else {
            // Nothing was taken from it: an end now would make an empty answer up, unless the program knows better.
            machine.eof(&base);
            if !machine.ended() {
                let message = "the mapping's stream finds nothing in a whole answer";
                return Err(malformed(message, headers, body));
            }
        }
    }
    match machine.failure() {
        Some(fail) => Err(with_headers(from_fail(fail, FailureKind::Malformed, &body), headers)),
        None => Ok((machine.take_output(), job.provider.usage(&doc))),
    }
}

/// A body that is not what the provider's protocol promises, or of which that cannot be told and need not where it passes through.
enum Unread {
    Wrong(Box<Failure>),
    Unneeded(Box<Failure>),
}

impl Unread {
    fn failure(self) -> Box<Failure> {
        match self {
            Unread::Wrong(failure) | Unread::Unneeded(failure) => failure,
        }
    }
}

/// The body as what the provider's protocol promises.
fn document(job: &Job, status: u16, headers: &HeaderMap, body: &Bytes) -> Result<Doc, Unread> {
    if significant(body).is_empty() {
        let failure = Failure { headers: headers.clone(), ..Failure::new(FailureKind::Empty, "") };
        return Err(Unread::Wrong(Box::new(failure)));
    }
    let doc = Doc::parse(body.clone()).map_err(|error| {
        let message = match sniff(body) {
            Sniffed::Html => "the answer is a web page".to_owned(),
            _ => format!("the answer is no JSON: {error}"),
        };
        let failure = malformed(&message, headers, body.clone());
        // What may be anything may also begin like JSON: `[music] Hello.`
        let says_json =
            headers.get(CONTENT_TYPE).is_none_or(|it| memmem::find(it.as_bytes(), b"json").is_some());
        let may_be_text = job.provider.answers_bytes && !says_json && sniff(body) == Sniffed::Json;
        if error.is_too_many() || may_be_text { Unread::Unneeded(failure) } else { Unread::Wrong(failure) }
    })?;
    if job.provider.is_answer(&doc, headers, status) {
        return Ok(doc);
    }
    let read = job.provider.read_error(body, headers, Some(status));
    let message = read.message.unwrap_or_else(|| "the answer is not what its protocol promises".to_owned());
    Err(Unread::Wrong(malformed(&message, headers, body.clone())))
}

fn malformed(message: &str, headers: &HeaderMap, body: Bytes) -> Box<Failure> {
    Box::new(Failure { headers: headers.clone(), body, ..Failure::new(FailureKind::Malformed, message) })
}

fn with_headers(failure: Failure, headers: &HeaderMap) -> Box<Failure> {
    Box::new(Failure { headers: headers.clone(), ..failure })
}

/// The data of an error that is framed as an event.
fn first_event(body: &Bytes, limit: usize) -> Bytes {
    let mut first: Option<Bytes> = None;
    let mut decoder = SseDecoder::new(limit);
    let mut each = |event: crate::text::sse::SseEvent<'_>| {
        first.get_or_insert_with(|| Bytes::copy_from_slice(event.data));
    };
    let read = decoder.push(body, &mut each).and_then(|()| decoder.finish(&mut each));
    first.filter(|_| read.is_ok()).unwrap_or_else(|| body.clone())
}
