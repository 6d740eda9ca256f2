//! A protocol in compiled form: what its files say about requests, streams and errors, and nothing else.

mod errors;
mod stream_errors;

pub use errors::{ErrorText, Wording, plain_error};

use super::Timeouts;
use super::names::{INCOMING, View, WORDING};
use super::usage::UsageReader;
use crate::language::stream::StreamProgram;
use crate::language::value::Type;
use crate::language::{Condition, Guarded, Patch, Template};
use crate::text::json::Doc;
use crate::text::path::Path;
use crate::text::units::{Glob, StatusSet};
use http::header::HeaderName;
use http::{HeaderMap, Method};
use memchr::memmem::Finder;
use std::sync::Arc;
use std::time::Duration;

/// What a protocol is.
#[derive(Default)]
pub struct Protocol {
    /// Its name.
    pub name: String,
    /// How a request is sent.
    pub method: Method,
    /// Where it goes, after the provider's URL. Templates over [`super::names::OUTGOING`], as are headers.
    pub path: Option<Template>,
    /// Whether the client's query string goes with it.
    pub forward_query: bool,
    /// How a key is sent.
    pub auth: Option<Auth>,
    /// Headers that every request has.
    pub headers: Headers,
    /// The client's headers that go to a provider of the same protocol.
    pub forward: HeaderList,
    /// The provider's headers that go to a client of the same protocol.
    pub returned: HeaderList,
    /// Where a request names its model.
    pub model: Option<Path>,
    /// Whether a request may be a form, too.
    pub takes_forms: bool,
    /// Whether an answer may be anything.
    pub answers_bytes: bool,
    /// Whether only those entries of a provider's models hold that name a model in full.
    pub exact_models: bool,
    /// Where a request has its messages.
    pub messages: Option<Path>,
    /// What clients put behind the model's name that is no part of it.
    pub model_suffixes: Vec<String>,
    /// Where a request asks for a stream.
    pub streaming: Option<Path>,
    /// How a stream looks; `None`: there are no streams.
    pub stream: Option<StreamShape>,
    /// What a whole answer must satisfy, over [`INCOMING`].
    pub whole: Option<Condition>,
    /// The words of a whole answer, over [`INCOMING`].
    pub text: Option<Template>,
    /// Where an answer says how many tokens it took.
    pub usage: Option<UsageReader>,
    /// From a stream to a whole body, over [`super::names::MAPPING`]; as is `unfold`.
    pub fold: Option<Arc<StreamProgram>>,
    /// From a whole body to a stream.
    pub unfold: Option<Arc<StreamProgram>>,
    /// How a stream that broke off is resumed.
    pub resume: Option<Resume>,
    /// Makes a request ask for a stream, over [`super::names::ROUTING`].
    pub ask_stream: Option<Patch>,
    pub(super) reader: errors::Reader,
    pub(super) wording: errors::Words,
}

/// How another provider resumes a stream that broke off.
pub struct Resume {
    /// Whether that is possible, over [`super::names::RESUMED`].
    pub when: Option<Condition>,
    /// Makes the request for the next provider out of the client's, over [`super::names::RESUMED`].
    pub request: Patch,
    /// What all events go through, over [`super::names::RESUMING`].
    pub stream: Arc<StreamProgram>,
}

/// A header with a key in it.
pub struct Auth {
    /// Its name.
    pub header: HeaderName,
    /// Its value, over [`super::names::OUTGOING`].
    pub value: Template,
}

/// Headers with templates for values, over [`super::names::OUTGOING`].
pub type Headers = Vec<(HeaderName, Template)>;

/// How a stream looks. Conditions are over [`INCOMING`].
#[derive(Default)]
pub struct StreamShape {
    /// The member of the data that is also the event's name.
    pub event: Option<String>,
    /// The data that ends the stream.
    pub done: Option<String>,
    /// Whether clients get that end, too.
    pub write_done: bool,
    /// The first event for which it holds is content.
    pub content: Option<Condition>,
    /// The words in an event.
    pub text: Option<Template>,
    /// The event after which the stream is complete.
    pub end: Option<Condition>,
    /// A text that every event of that kind contains, if the condition tells: events without it are not parsed.
    pub end_hint: Option<Finder<'static>>,
    /// Texts of which one stands in the data or the name of every error, if that is known.
    pub error_hints: Vec<Finder<'static>>,
    /// An event that is an error.
    pub error: Option<Guarded<Condition>>,
    /// Those errors that clients of the protocol know as such; `None`: all.
    pub own_error: Option<Condition>,
    /// An event after which only the end is to come.
    pub finish: Option<Condition>,
    /// The event that ends a stream, over [`super::names::WORDING`].
    pub stop: Option<Template>,
    /// How long a stream may be silent after that before it counts as ended.
    pub grace: Duration,
    /// An event that means nothing.
    pub ping: Option<Template>,
    /// After how much silence a client gets one.
    pub ping_every: Duration,
    /// An error within a stream, over [`super::names::WORDING`].
    pub failed: Option<Template>,
}

/// Names of headers, in which `*` and `?` match.
#[derive(Default)]
pub struct HeaderList(pub Vec<Glob>);

impl HeaderList {
    /// Is the header named? `name` is in lower case, as `HeaderName` has it.
    pub fn contains(&self, name: &HeaderName) -> bool {
        self.0.iter().any(|glob| glob.matches(name.as_str()))
    }

    /// Copies the headers that are named from one map to the other, all values of each.
    pub fn copy(&self, from: &HeaderMap, to: &mut HeaderMap) {
        for (name, value) in from.iter().filter(|(name, _)| !is_hop_by_hop(name) && self.contains(name)) {
            to.append(name.clone(), value.clone());
        }
    }
}

/// Headers that concern one connection or one body, or that carry a credential: never copied.
pub fn is_hop_by_hop(name: &HeaderName) -> bool {
    matches!(
        name.as_str(),
        "connection"
            | "keep-alive"
            | "proxy-connection"
            | "proxy-authenticate"
            | "proxy-authorization"
            | "te"
            | "trailer"
            | "transfer-encoding"
            | "upgrade"
            | "expect"
            | "host"
            | "content-length"
            | "content-type"
            | "content-encoding"
            | "accept-encoding"
            | "cookie"
            | "set-cookie"
            | "authorization"
            | "x-api-key"
    )
}

/// What a template for words gives: one text, or several in a row.
fn words(template: Option<&Template>, doc: &Doc) -> String {
    let view = View { doc: Some(doc), ..View::default() };
    let value = template.and_then(|template| template.value(&mut view.env(INCOMING, INCOMING.len())).ok());
    let items = value.map(|value| value.items()).unwrap_or_default();
    items.iter().filter_map(|item| item.as_str()).collect::<Vec<_>>().concat()
}

impl Protocol {
    /// The words of a whole answer.
    pub fn words(&self, doc: &Doc) -> String {
        words(self.text.as_ref(), doc)
    }

    /// Does a whole answer satisfy what the protocol promises?
    pub fn is_answer(&self, doc: &Doc, headers: &HeaderMap, status: u16) -> bool {
        let view = View { doc: Some(doc), header: Some(headers), status: Some(status), ..View::default() };
        self.whole.as_ref().is_none_or(|whole| whole.test(&view.env(INCOMING, INCOMING.len())))
    }
}

impl StreamShape {
    /// The words in an event.
    pub fn words(&self, doc: &Doc) -> String {
        words(self.text.as_ref(), doc)
    }

    /// What one event is.
    pub fn classify(&self, doc: &Doc, event: Option<&str>) -> EventKind {
        let view = View { doc: Some(doc), event, ..View::default() };
        let env = view.env(INCOMING, INCOMING.len());
        let holds = |condition: &Option<Condition>| condition.as_ref().is_some_and(|it| it.test(&env));
        if self.error.as_ref().is_some_and(|error| error.test(&env)) {
            EventKind::Error
        } else if holds(&self.end) {
            EventKind::End
        } else if self.content.is_none() || holds(&self.content) {
            EventKind::Content
        } else {
            EventKind::Other
        }
    }

    /// Is the event, whose data is these bytes, the good end? Looks only where that is cheap to find out, so a
    /// `false` is no proof; at the end of the bytes the condition itself decides.
    pub fn is_seen_to_end(&self, data: &[u8]) -> bool {
        let is_worth_a_look = self.end_hint.as_ref().is_some_and(|hint| hint.find(data).is_some());
        is_worth_a_look
            && Doc::parse(data.to_vec()).is_ok_and(|doc| self.classify(&doc, None) == EventKind::End)
    }

    /// Writes one event as the protocol frames it. `data` is JSON without line breaks.
    pub fn write_event(&self, data: &[u8], out: &mut Vec<u8>) {
        if let Some(member) = &self.event
            && let Some(name) = member_text(data, member)
        {
            out.extend_from_slice(b"event: ");
            out.extend_from_slice(name.as_bytes());
            out.push(b'\n');
        }
        out.extend_from_slice(b"data: ");
        out.extend_from_slice(data);
        out.extend_from_slice(b"\n\n");
    }

    /// Is the event one after which only the end is to come?
    pub fn is_finish(&self, doc: &Doc) -> bool {
        let view = View { doc: Some(doc), ..View::default() };
        self.finish.as_ref().is_some_and(|finish| finish.test(&view.env(INCOMING, INCOMING.len())))
    }

    /// A sign of life, framed: an event, or a comment where the template gives a text.
    pub fn ping(&self) -> Option<Vec<u8>> {
        let mut env = View::default().env(WORDING, WORDING.len());
        let value = self.ping.as_ref()?.value(&mut env).ok()?;
        let mut out = Vec::new();
        if value.kind() == Type::String {
            let text = value.to_text()?.replace(['\n', '\r'], " ");
            out.extend_from_slice(format!(": {text}\n\n").as_bytes());
        } else {
            let mut data = Vec::new();
            value.write(&mut data).then(|| self.write_event(&data, &mut out))?;
        }
        Some(out)
    }

    /// Writes the end of a stream that had none of its own: the event, and the data that ends it, where there are such.
    pub fn write_missing_end(&self, out: &mut Vec<u8>) {
        let mut data = Vec::new();
        let mut env = View::default().env(WORDING, WORDING.len());
        if let Some(Ok(true)) = self.stop.as_ref().map(|stop| stop.write(&mut env, &mut data)) {
            self.write_event(&data, out);
        }
        self.write_end(out);
    }

    /// Writes the data that ends a stream, if clients get it.
    pub fn write_end(&self, out: &mut Vec<u8>) {
        if let (true, Some(done)) = (self.write_done, &self.done) {
            out.extend_from_slice(b"data: ");
            out.extend_from_slice(done.as_bytes());
            out.extend_from_slice(b"\n\n");
        }
    }
}

/// What an event of a stream is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum EventKind {
    /// An error.
    Error,
    /// The good end.
    End,
    /// Content.
    Content,
    /// Anything else: a ping, the head of a message.
    Other,
}

/// A string member of an object. The member is mostly the first one, then nothing is parsed.
fn member_text(data: &[u8], member: &str) -> Option<String> {
    let first = data.strip_prefix(b"{\"").and_then(|rest| rest.strip_prefix(member.as_bytes()));
    if let Some(rest) = first.and_then(|rest| rest.strip_prefix(b"\":\"")) {
        let end = memchr::memchr2(b'"', b'\\', rest)?;
        if rest.get(end) == Some(&b'"') {
            return rest.get(..end).map(|text| String::from_utf8_lossy(text).into_owned());
        }
    }
    let doc = Doc::parse(data.to_vec()).ok()?;
    let text = doc.root().get(member)?.str()?;
    Some(text.replace(['\n', '\r'], " "))
}

/// A provider's timeouts from those of the rules.
pub(super) fn timeouts(from: &crate::config::model::Timeouts) -> Timeouts {
    Timeouts {
        connect: from.connect(),
        first_byte: from.first_byte(),
        // No setting of its own: a stream that has begun may think for as long as it may fall silent.
        first_content: from.first_byte().max(from.idle()),
        idle: from.idle(),
        whole: from.whole(),
        total: from.total(),
    }
}

/// A class of statuses and the error type that goes with it.
pub(super) struct TypeOfStatus {
    /// `None` stands for all others.
    pub statuses: Option<StatusSet>,
    /// The status if it is exactly one.
    pub exact: Option<u16>,
    /// The error's type.
    pub kind: String,
}
