//! What an exchange knows of the request it is about.

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
use crate::text::units::Secret;
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
    /// The credentials that were sent. Where the provider quotes one, the client reads `[key]`.
    pub keys: Vec<Secret>,
    /// The body that was sent, parsed if anyone looks.
    pub upstream_doc: OnceLock<Doc>,
}

impl Job {
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

    /// The values that stay for a whole stream, of the names that its program looks at: all but the headers, which
    /// [`Job::borrowed`] has. `own`: without what the mapping kept, for the stream programs of a protocol.
    pub fn lasting(&self, program: &StreamProgram, status: u16, own: bool) -> Vec<(Slot, Val<'static>)> {
        let none = HeaderMap::new();
        let view = self.view(&none, status);
        let whole = |doc: Option<&Doc>| doc.map_or(Val::Nothing, |doc| Val::own(doc.clone()));
        let value = |name: Name| match name {
            Name::Request => whole(view.request),
            Name::Upstream => whole(view.upstream),
            Name::Provider => whole(view.provider),
            Name::Header => Val::Nothing,
            name => view.value(name).into_owned(),
        };
        let roots = MAPPING.iter().enumerate().map(|(slot, name)| (slot, *name));
        let roots = roots.filter(|(slot, _)| program.reads(*slot)).map(|(slot, name)| (slot, value(name)));
        let kept = self.kept.iter().filter(|(slot, _)| !own && program.reads(*slot)).cloned();
        roots.chain(kept).collect()
    }

    /// The headers, if a stream's program looks at them.
    pub fn borrowed<'a>(&self, program: &StreamProgram, headers: &'a HeaderMap) -> Vec<(Slot, Val<'a>)> {
        let slot = MAPPING.iter().position(|name| *name == Name::Header);
        let slot = slot.filter(|slot| program.reads(*slot));
        slot.map(|slot| (slot, Val::Headers(headers))).into_iter().collect()
    }

    /// The same values slot by slot, for the mapping's stream program.
    pub fn base<'a>(&'a self, headers: &'a HeaderMap, status: u16) -> Vec<(Slot, Val<'a>)> {
        let mut base = self.protocols_base(headers, status);
        base.extend(self.kept.iter().cloned());
        base
    }

    /// The same without what the mapping kept, for the stream programs of a protocol.
    pub fn protocols_base<'a>(&'a self, headers: &'a HeaderMap, status: u16) -> Vec<(Slot, Val<'a>)> {
        let view = self.view(headers, status);
        let given = |name: &Name| !matches!(name, Name::Doc | Name::Event | Name::Error);
        let mut base = Vec::with_capacity(MAPPING.len() + self.kept.len());
        let roots = MAPPING.iter().enumerate().filter(|(_, name)| given(name));
        base.extend(roots.map(|(slot, name)| (slot, view.value(*name))));
        base
    }
}
