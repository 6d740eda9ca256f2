//! What an exchange knows of the request it is about.

use crate::engine::failure::Failure;
use crate::engine::judge::notices::Notices;
use crate::engine::mapping::{Kept, Mapping};
use crate::engine::names::{MAPPING, Name, View};
use crate::engine::protocol::Protocol;
use crate::engine::route::Gate;
use crate::engine::{Limits, Ms};
use crate::language::scope::Slot;
use crate::language::stream::StreamProgram;
use crate::language::value::Val;
use crate::text::json::Doc;
use crate::text::units::{Redactor, Secret};
use bytes::Bytes;
use http::HeaderMap;
use std::sync::{Arc, OnceLock};

/// What an exchange has to know of the request and of the two protocols.
pub struct Job {
    /// What the client speaks.
    pub client: Arc<Protocol>,
    /// What the provider speaks.
    pub provider: Arc<Protocol>,
    /// The mapping in between; `None` if both speak the same.
    pub mapping: Option<Arc<Mapping>>,
    /// The values that the mapping kept of the request.
    pub kept: Kept,
    /// Does the client want a stream?
    pub streaming: bool,
    /// Whether the provider was asked for a whole answer, which may take its own time.
    pub whole: bool,
    /// The client's body.
    pub request: Doc,
    /// The body that was sent.
    pub upstream: Bytes,
    /// `$provider`.
    pub provider_doc: Doc,
    /// The model that the client asked for.
    pub model: String,
    /// What rules take for no answer though it comes as one.
    pub notices: Option<Arc<Notices>>,
    /// What the mapping dropped from the request.
    pub dropped: Vec<String>,
    /// The request's id.
    pub id: String,
    /// When the request arrived.
    pub now: Ms,
    /// How much is too much.
    pub limits: Limits,
    /// How a stream is held back.
    pub gate: Gate,
    /// Whether another provider may go on where the stream breaks off.
    pub resumes: bool,
    /// Takes the keys that the rules know out of texts.
    pub known: Arc<Redactor>,
    /// The credentials that were sent. Where the provider quotes one, the client reads `[key]`.
    pub keys: Vec<Secret>,
    /// The body that was sent, parsed if anyone looks.
    pub upstream_doc: OnceLock<Doc>,
}

impl Job {
    /// Takes keys out of what the client is told of a failure. Of one that is judged first, the plan takes them out.
    pub fn strike_out(&self, failure: &mut Failure) {
        if let Some(body) = self.redacted(&failure.body) {
            failure.body = body.into();
        }
        if let Some(message) = self.redacted(failure.message.as_bytes()) {
            failure.message = String::from_utf8_lossy(&message).into_owned();
        }
    }

    /// The provider's name.
    pub fn provider_name(&self) -> String {
        let name = self.provider_doc.root().get("name").and_then(|name| name.str());
        name.map_or_else(|| "the provider".to_owned(), |name| name.into_owned())
    }

    /// The text with `[key]` wherever a key of the rules or a credential that was sent stands in it, also altered; `None` if
    /// none does.
    pub fn redacted(&self, text: &[u8]) -> Option<Vec<u8>> {
        let known = self.known.redacted(text);
        let others = || self.keys.iter().filter(|key| !self.known.knows(key)).cloned();
        if others().next().is_none() {
            return known;
        }
        Redactor::new(others()).redacted(known.as_deref().unwrap_or(text)).or(known)
    }

    /// The values that the mapping's templates see in an answer.
    pub fn view<'a>(&'a self, headers: &'a HeaderMap, status: u16) -> View<'a> {
        // It may be large, and hardly any mapping reads it.
        let is_read = self.mapping.as_ref().is_some_and(|mapping| mapping.reads_upstream);
        let upstream = is_read.then(|| {
            self.upstream_doc
                .get_or_init(|| Doc::parse(self.upstream.clone()).unwrap_or_else(|_| Doc::null()))
        });
        View {
            request: Some(&self.request),
            upstream,
            provider: Some(&self.provider_doc),
            header: Some(headers),
            status: Some(status),
            model: Some(&self.model),
            now: Some(self.now),
            id: Some(&self.id),
            ..View::default()
        }
    }

    /// The values that a mapping's stream program looks at, slot by slot.
    pub fn base<'a>(
        &'a self,
        program: &StreamProgram,
        headers: &'a HeaderMap,
        status: u16,
    ) -> Vec<(Slot, Val<'a>)> {
        let mut base = self.protocols_base(program, headers, status);
        base.extend(self.kept.iter().filter(|(slot, _)| program.reads().contains(slot)).cloned());
        base
    }

    /// The same without what the mapping kept, for the stream programs of a protocol.
    pub fn protocols_base<'a>(
        &'a self,
        program: &StreamProgram,
        headers: &'a HeaderMap,
        status: u16,
    ) -> Vec<(Slot, Val<'a>)> {
        let view = self.view(headers, status);
        let mut base = Vec::with_capacity(program.reads().len());
        for slot in program.reads() {
            match MAPPING.get(*slot) {
                None | Some(Name::Doc | Name::Event | Name::Error) => {}
                Some(name) => base.push((*slot, view.value(*name))),
            }
        }
        base
    }
}
