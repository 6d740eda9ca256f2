//! A stream of another protocol: its events go through the mapping's stream program.

use super::passing::in_stream;
use super::{Job, Seen};
use crate::engine::failure::{Failure, FailureKind};
use crate::engine::usage::Usage;
use crate::language::scope::Slot;
use crate::language::stream::{StreamMachine, StreamProgram};
use crate::language::template::Fail;
use crate::language::value::Val;
use crate::text::json::Doc;
use crate::text::sse::{SseDecoder, SseEvent};
use bytes::Bytes;
use http::HeaderMap;
use std::sync::Arc;

/// Where a translated stream is.
pub struct Translating {
    decoder: SseDecoder,
    machine: StreamMachine,
    taken_in: usize,
    events: usize,
    output: Vec<u8>,
    failure: Option<Failure>,
    /// The last event, whose memory the next one takes.
    spare: Option<Doc>,
    /// Is the program the provider's protocol's own, and not a mapping's?
    folds: bool,
    /// The tokens that it told and nobody has taken.
    pub usage: Usage,
}

impl Translating {
    pub fn new(program: Arc<StreamProgram>, limit: usize) -> Translating {
        Translating {
            decoder: SseDecoder::new(limit),
            machine: StreamMachine::new(program),
            taken_in: 0,
            events: 0,
            output: Vec::new(),
            failure: None,
            spare: None,
            folds: false,
            usage: Usage::default(),
        }
    }

    /// For a protocol's `fold`: the output, after the end, is one body.
    pub fn folding(program: Arc<StreamProgram>, limit: usize) -> Translating {
        Translating { folds: true, ..Translating::new(program, limit) }
    }

    fn base<'a>(&self, job: &'a Job, headers: &'a HeaderMap, status: u16) -> Vec<(Slot, Val<'a>)> {
        let program = self.machine.program();
        match self.folds {
            true => job.protocols_base(program, headers, status),
            false => job.base(program, headers, status),
        }
    }

    /// How many bytes have been taken in.
    pub fn taken_in(&self) -> usize {
        self.taken_in
    }

    /// Has the stream come to its first content?
    pub fn has_content(&self) -> bool {
        self.machine.committed()
    }

    /// Moves what is ready to `output`.
    pub fn take_output(&mut self, output: &mut Vec<u8>) {
        self.gather_output();
        if output.is_empty() {
            std::mem::swap(output, &mut self.output);
        } else {
            output.append(&mut self.output);
        }
    }

    /// What is ready and has not been taken.
    pub fn held(&self) -> &[u8] {
        &self.output
    }

    /// The state of the stream program: names, and values as JSON; nothing is `None`.
    pub fn state(&self) -> Vec<(String, Option<String>)> {
        let shown = |value: &Val<'_>| {
            let mut out = Vec::new();
            value.write(&mut out).then(|| String::from_utf8_lossy(&out).into_owned())
        };
        self.machine.state().map(|(name, value)| (name.to_owned(), shown(value))).collect()
    }

    /// Takes bytes in.
    pub fn feed(&mut self, job: &Job, headers: &HeaderMap, status: u16, bytes: &[u8]) -> Seen {
        self.taken_in += bytes.len();
        let base = self.base(job, headers, status);
        let Translating { decoder, machine, events, failure, spare, usage, .. } = self;
        let read = decoder.push(bytes, &mut |event| {
            *events += 1;
            one(job, machine, &base, &event, failure, spare);
            told(job, &event, spare, usage);
        });
        if let Err(error) = read {
            self.failure.get_or_insert(Failure::new(FailureKind::Malformed, error.to_string()));
        }
        self.seen()
    }

    /// The bytes are over.
    pub fn eof(&mut self, job: &Job, headers: &HeaderMap, status: u16) -> Seen {
        let base = self.base(job, headers, status);
        let Translating { decoder, machine, events, failure, spare, usage, .. } = self;
        let read = decoder.finish(&mut |event| {
            *events += 1;
            one(job, machine, &base, &event, failure, spare);
            told(job, &event, spare, usage);
        });
        if let Err(error) = read {
            self.failure.get_or_insert(Failure::new(FailureKind::Malformed, error.to_string()));
        }
        if self.failure.is_none() && !self.machine.ended() {
            self.machine.eof(&base);
            let kind = if self.events == 0 { FailureKind::Empty } else { FailureKind::CutOff };
            note(&self.machine, kind, b"", &mut self.failure);
        }
        self.seen()
    }

    /// Whether silence means anything.
    pub fn has_timer(&self) -> bool {
        self.machine.has_timer()
    }

    /// The provider has been silent for a while.
    pub fn quiet(&mut self, job: &Job, headers: &HeaderMap, status: u16) -> Seen {
        if self.failure.is_none() {
            let base = self.base(job, headers, status);
            self.machine.timer(&base);
            note(&self.machine, FailureKind::CutOff, b"", &mut self.failure);
        }
        self.seen()
    }

    /// The connection broke. Would the end of the bytes here have been a good end?
    pub fn eof_is_good(&mut self, job: &Job, headers: &HeaderMap, status: u16) -> bool {
        self.failure.is_none()
            && self.events > 0
            && !matches!(self.eof(job, headers, status), Seen::Failed(_))
            && self.machine.ended()
    }

    fn gather_output(&mut self) {
        if self.output.is_empty() {
            self.output = self.machine.take_output();
        } else {
            self.output.append(&mut self.machine.take_output());
        }
    }

    fn seen(&mut self) -> Seen {
        self.gather_output();
        match self.failure.take() {
            Some(failure) => Seen::Failed(failure),
            None if self.machine.ended() => Seen::Ended,
            None if self.machine.committed() => Seen::Content,
            None => Seen::Nothing,
        }
    }
}

/// One event.
fn one<'a>(
    job: &Job,
    machine: &mut StreamMachine,
    base: &[(Slot, Val<'a>)],
    event: &SseEvent<'_>,
    failure: &mut Option<Failure>,
    spare: &mut Option<Doc>,
) {
    if failure.is_some() || machine.ended() {
        return;
    }
    let shape = job.provider.stream.as_ref();
    // `data:` alone is a sign of life.
    if event.data.trim_ascii().is_empty() {
        return;
    }
    if shape.is_some_and(|shape| shape.is_done(event.data)) {
        machine.done(base);
        return note(machine, FailureKind::Empty, b"", failure);
    }
    match Doc::parse_over(spare.take(), event.data) {
        Ok(doc) if shape.is_some_and(|shape| shape.is_error(&doc, event.name)) => {
            *failure = Some(in_stream(doc.bytes()));
        }
        Ok(doc) => {
            machine.document(base, event.name, &doc);
            note(machine, FailureKind::InStream, event.data, failure);
            *spare = Some(doc);
        }
        Err(_) => {
            machine.event(base, event.name, event.data);
            let kind = if event.partial { FailureKind::CutOff } else { FailureKind::Malformed };
            note(machine, kind, event.data, failure);
        }
    }
}

/// Takes in the tokens that an event tells, whose document is `doc`.
fn told(job: &Job, event: &SseEvent<'_>, doc: &Option<Doc>, usage: &mut Usage) {
    if let (Some(reader), Some(doc)) = (&job.provider.usage, doc)
        && reader.may_be_in(event.data)
    {
        usage.update(reader.read(doc));
    }
}

/// Takes a failure over from the machine, if it has one.
fn note(machine: &StreamMachine, kind: FailureKind, body: &[u8], failure: &mut Option<Failure>) {
    if let Some(fail) = machine.failure() {
        failure.get_or_insert_with(|| from_fail(fail, kind, body));
    }
}

/// A failure that the mapping's program asked for. Of what is no answer, the status that its kind has anyway is the
/// mapping's word to the client, and not the provider's: rules on statuses judge it as they judge the same failure of an
/// answer that is passed on.
pub fn from_fail(fail: &Fail, kind: FailureKind, body: &[u8]) -> Failure {
    let is_providers = kind == FailureKind::InStream || fail.status != kind.status();
    Failure {
        status: is_providers.then_some(fail.status),
        body: Bytes::copy_from_slice(body),
        error_type: fail.kind.clone(),
        is_quoted: true,
        ..Failure::new(kind, fail.message.clone())
    }
}
