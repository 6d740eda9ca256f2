//! What a stream goes through on a route that lets another provider go on where one breaks off: the protocol's
//! `continue`. It follows what the client reads, so that at any time the next provider can be told.

use super::passing::in_stream;
use crate::engine::Ms;
use crate::engine::failure::Failure;
use crate::engine::names::{Name, RESUMED, RESUMING, View};
use crate::engine::protocol::{Protocol, Resume, StreamShape};
use crate::language::scope::Slot;
use crate::language::stream::StreamMachine;
use crate::language::value::Val;
use crate::text::json::{Doc, write_str};
use crate::text::sse::{SseDecoder, SseEvent, write_event};
use bytes::Bytes;
use std::sync::Arc;

use super::Job;

/// One client's stream, whoever it comes from.
#[derive(Clone)]
pub struct Seam {
    client: Arc<Protocol>,
    /// The client's request, as it came.
    request: Doc,
    model: String,
    id: String,
    now: Ms,
    machine: StreamMachine,
    /// The text that the client has read, and how long it is without white space at its end.
    said: String,
    said_end: usize,
}

/// Why a stream broke off, and what the client is told if nobody goes on.
pub struct Cut {
    pub failure: Failure,
    /// The error in the client's protocol, framed.
    pub event: Vec<u8>,
}

impl Seam {
    /// For a stream on a route that lets others go on with it.
    pub fn new(job: &Job) -> Option<Box<Seam>> {
        let resume = job.client.resume.as_ref().filter(|_| job.resumes && job.streaming)?;
        Some(Box::new(Seam {
            machine: StreamMachine::new(resume.stream.clone()),
            client: job.client.clone(),
            request: job.request.clone(),
            model: job.model.clone(),
            id: job.id.clone(),
            now: job.now,
            said: String::new(),
            said_end: 0,
        }))
    }

    /// Takes whole frames of the client's protocol, and gives what the client reads. An error from which another
    /// provider can go on is not given: then that is the end.
    pub fn pass(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Option<Cut> {
        let mut cut = None;
        let mut decoder = SseDecoder::new(usize::MAX);
        let mut each = |event: SseEvent<'_>| {
            if cut.is_none() {
                cut = self.one(&event, out);
            }
        };
        let read = decoder.push(bytes, &mut each).and_then(|()| decoder.finish(&mut each));
        debug_assert!(read.is_ok(), "frames of our own are never too long");
        cut
    }

    fn one(&mut self, event: &SseEvent<'_>, out: &mut Vec<u8>) -> Option<Cut> {
        let client = self.client.clone();
        let shape = client.stream.as_ref()?;
        let doc = match Doc::parse(event.data.to_vec()) {
            Ok(doc) => Some(doc),
            Err(_) if shape.is_done(event.data) => None,
            Err(_) => {
                write_event(out, event.name, event.data);
                return None;
            }
        };
        if let Some(doc) = doc.as_ref().filter(|doc| shape.is_error(doc, event.name)) {
            if !self.may_go_on() {
                write_event(out, event.name, event.data);
                return None;
            }
            let mut framed = Vec::new();
            write_event(&mut framed, event.name, event.data);
            return Some(Cut { failure: in_stream(doc.bytes()), event: framed });
        }
        let base = base(&self.request, &self.model, &self.id, self.now, said(&self.said, self.said_end));
        match doc {
            Some(doc) => self.machine.document(&base, event.name, &doc),
            None => self.machine.done(&base),
        }
        let made = self.machine.take_output();
        let words = words(shape, &made);
        let solid = words.trim_end().len();
        if solid > 0 {
            self.said_end = self.said.len() + solid;
        }
        self.said.push_str(&words);
        out.extend_from_slice(&made);
        None
    }

    /// Could another provider go on from here?
    pub fn may_go_on(&self) -> bool {
        let Some(resume) = &self.client.resume else { return false };
        if self.said().is_empty() || self.machine.ended() || self.machine.failure().is_some() {
            return false;
        }
        let state = self.state();
        let env = self.view(&state).env(RESUMED, RESUMED.len());
        resume.when.as_ref().is_none_or(|when| when.test(&env))
    }

    /// Another provider goes on: what comes from now on is its stream, from the beginning.
    pub fn break_off(&mut self) {
        let base = base(&self.request, &self.model, &self.id, self.now, said(&self.said, self.said_end));
        self.machine.break_off(&base);
        // What the program gave the client at the seam is of no provider.
        drop(self.machine.take_output());
    }

    /// The request to a provider that goes on.
    pub fn request(&self, provider: &Doc) -> Option<Doc> {
        let Resume { request, .. } = self.client.resume.as_ref()?;
        let state = self.state();
        let view = View { provider: Some(provider), ..self.view(&state) };
        let body = request.apply(&self.request, &mut view.env(RESUMED, RESUMED.len())).ok()?;
        Doc::parse(body).ok()
    }

    /// The text that the client has read, without white space at its end.
    pub fn said(&self) -> &str {
        said(&self.said, self.said_end)
    }

    fn view<'a>(&'a self, state: &'a Doc) -> View<'a> {
        View {
            doc: Some(&self.request),
            request: Some(&self.request),
            model: Some(&self.model),
            now: Some(self.now),
            id: Some(&self.id),
            said: Some(self.said()),
            state: Some(state),
            ..View::default()
        }
    }

    /// What the program has noted, as an object.
    fn state(&self) -> Doc {
        let mut out = b"{".to_vec();
        for (name, value) in self.machine.state() {
            let mark = out.len();
            if mark > 1 {
                out.push(b',');
            }
            write_str(&mut out, name);
            out.push(b':');
            if !value.write(&mut out) {
                out.truncate(mark);
            }
        }
        out.push(b'}');
        Doc::parse(Bytes::from(out)).unwrap_or_else(|_| Doc::null())
    }
}

/// A text without what comes after that many bytes.
fn said(text: &str, end: usize) -> &str {
    text.get(..end).unwrap_or_default()
}

/// The values that the program sees besides the event.
fn base<'a>(request: &'a Doc, model: &'a str, id: &'a str, now: Ms, said: &'a str) -> Vec<(Slot, Val<'a>)> {
    let view = View {
        request: Some(request),
        model: Some(model),
        now: Some(now),
        id: Some(id),
        said: Some(said),
        ..View::default()
    };
    let given = |name: &Name| !matches!(name, Name::Doc | Name::Event);
    let roots = RESUMING.iter().enumerate().filter(|(_, name)| given(name));
    roots.map(|(slot, name)| (slot, view.value(*name))).collect()
}

/// The words in some whole frames.
fn words(shape: &StreamShape, frames: &[u8]) -> String {
    let mut said = String::new();
    let mut decoder = SseDecoder::new(usize::MAX);
    let read = decoder.push(frames, &mut |event| {
        if let Ok(doc) = Doc::parse(event.data.to_vec()) {
            said.push_str(&shape.words(&doc));
        }
    });
    if read.is_ok() { said } else { String::new() }
}
