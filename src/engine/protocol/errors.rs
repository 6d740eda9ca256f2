//! Errors: how a provider's are read, how the router's own are worded.

use super::{Protocol, TypeOfStatus};
use crate::engine::names::{INCOMING, View, WORDING};
use crate::language::Template;
use crate::text::json::{Doc, Json, JsonKind, is_complete_object, write_str};
use bytes::Bytes;
use http::HeaderMap;

/// How much of a text that is not JSON is shown to people, in characters.
const SHOWN: usize = 300;

/// Where an error's parts stand; templates over [`INCOMING`].
#[derive(Default)]
pub struct Reader {
    pub(in crate::engine) kind: Option<Template>,
    pub(in crate::engine) code: Option<Template>,
    pub(in crate::engine) message: Option<Template>,
    pub(in crate::engine) status: Option<Template>,
}

/// How the router words an error to a client; templates over [`WORDING`].
#[derive(Default)]
pub struct Words {
    pub(in crate::engine) body: Option<Template>,
    pub(in crate::engine) headers: Vec<(http::HeaderName, Template)>,
    pub(in crate::engine) types: Vec<TypeOfStatus>,
}

/// A provider's error as read.
#[derive(Clone, Debug, Default)]
pub struct ErrorText {
    /// The normalised body: taken out of a list around it or of a string that holds JSON.
    pub doc: Option<Doc>,
    /// The error's type.
    pub kind: Option<String>,
    /// The error's code.
    pub code: Option<String>,
    /// What it says to people: the message, a web page's title, or the beginning of the text.
    pub message: Option<String>,
    /// The status that it speaks of, for errors inside an answer of status 200.
    pub status: Option<u16>,
    /// All of this in one object, with the status that a client would be told: `$error` of the rules.
    pub error: Option<Doc>,
}

impl ErrorText {
    /// Did the protocol find an error in it?
    pub fn is_error(&self) -> bool {
        self.doc.is_some() && (self.kind.is_some() || self.code.is_some() || self.message.is_some())
    }
}

/// An error to be worded for a client.
#[derive(Clone, Debug, Default)]
pub struct Wording<'a> {
    /// The status.
    pub status: u16,
    /// The type, if something better is known than what the status says.
    pub kind: Option<&'a str>,
    /// What people read.
    pub message: &'a str,
    /// More for programs, as JSON.
    pub details: Option<&'a [u8]>,
    /// Seconds until it makes sense to ask again.
    pub retry_after: Option<i64>,
    /// Has the router tried all there is?
    pub exhausted: bool,
    /// The request's id.
    pub id: &'a str,
}

impl Protocol {
    /// Reads a provider's error text.
    pub fn read_error(&self, body: &Bytes, headers: &HeaderMap, status: Option<u16>) -> ErrorText {
        let Some(mut doc) = Doc::parse(body.clone()).ok().and_then(|doc| unwrapped(doc.root())) else {
            let text = String::from_utf8_lossy(body);
            return ErrorText { message: plain_message(&text), ..ErrorText::default() };
        };
        let mut read = self.read_document(&doc, headers, status);
        // An error inside an error: gateways put the provider's whole body into their message.
        if let Some(inner) = read.message.as_deref().filter(|message| is_complete_object(message))
            && let Ok(inner) = Doc::parse(inner.to_owned().into_bytes())
        {
            let inner_read = self.read_document(&inner, headers, status);
            if inner_read.message.is_some() {
                doc = inner;
                read = inner_read;
            }
        }
        read.status = read.status.or_else(|| self.status_of(&read));
        read.doc = Some(doc);
        read
    }

    fn read_document(&self, doc: &Doc, headers: &HeaderMap, status: Option<u16>) -> ErrorText {
        let view = View { doc: Some(doc), header: Some(headers), status, ..View::default() };
        let mut env = view.env(INCOMING, INCOMING.len());
        let mut text = |template: &Option<Template>| {
            let value = template.as_ref()?.value(&mut env).ok()?;
            let text = value.to_text()?.into_owned();
            (!text.is_empty()).then_some(text)
        };
        ErrorText {
            kind: text(&self.reader.kind),
            code: text(&self.reader.code),
            message: text(&self.reader.message),
            status: text(&self.reader.status).and_then(|text| error_status(&text)),
            ..ErrorText::default()
        }
    }

    /// The status that an error's code or type stands for.
    fn status_of(&self, read: &ErrorText) -> Option<u16> {
        let numbers = [&read.code, &read.kind].into_iter().flatten().find_map(|text| error_status(text));
        numbers.or_else(|| {
            let words = [&read.kind, &read.code];
            let known = |kind: &String| self.wording.types.iter().find(|known| known.kind == *kind);
            words.into_iter().flatten().find_map(known).and_then(|known| known.exact)
        })
    }

    /// The error type that goes with a status.
    pub fn type_of(&self, status: u16) -> Option<&str> {
        let fits = |known: &&TypeOfStatus| match &known.statuses {
            Some(statuses) => statuses.contains(status),
            None => true,
        };
        self.wording.types.iter().find(fits).map(|known| known.kind.as_str())
    }

    /// The `$error` of wordings: `{status, type, message, details?, retry_after?, exhausted?}`.
    pub(in crate::engine) fn error_doc(&self, wording: &Wording<'_>) -> Doc {
        let mut out = format!("{{\"status\":{},\"type\":", wording.status).into_bytes();
        write_str(&mut out, wording.kind.or_else(|| self.type_of(wording.status)).unwrap_or("error"));
        out.extend_from_slice(b",\"message\":");
        write_str(&mut out, wording.message);
        if let Some(details) = wording.details {
            out.extend_from_slice(b",\"details\":");
            out.extend_from_slice(details);
        }
        if let Some(seconds) = wording.retry_after {
            out.extend_from_slice(format!(",\"retry_after\":{seconds}").as_bytes());
        }
        if wording.exhausted {
            out.extend_from_slice(b",\"exhausted\":true");
        }
        out.push(b'}');
        Doc::parse(out).unwrap_or_else(|_| Doc::null())
    }

    /// An error's body in this protocol's words.
    pub fn word(&self, wording: &Wording<'_>) -> Bytes {
        let error = self.error_doc(wording);
        let view = View { error: Some(&error), id: Some(wording.id), ..View::default() };
        let mut env = view.env(WORDING, WORDING.len());
        let mut out = Vec::new();
        match self.wording.body.as_ref().map(|body| body.write(&mut env, &mut out)) {
            Some(Ok(true)) => out.into(),
            _ => plain_error(&error),
        }
    }

    /// The headers that go with an error of the router's own wording.
    pub fn error_headers(&self, wording: &Wording<'_>, headers: &mut HeaderMap) {
        if self.wording.headers.is_empty() {
            return;
        }
        let error = self.error_doc(wording);
        let view = View { error: Some(&error), id: Some(wording.id), ..View::default() };
        let mut env = view.env(WORDING, WORDING.len());
        crate::engine::headers::write(&self.wording.headers, &mut env, headers);
    }

    /// One stream event that says what broke, framed; empty if the protocol has no such event.
    pub fn failed_event(&self, wording: &Wording<'_>) -> Vec<u8> {
        let mut out = Vec::new();
        let Some((shape, failed)) = self.stream.as_ref().and_then(|it| it.failed.as_ref().map(|f| (it, f)))
        else {
            return out;
        };
        let error = self.error_doc(wording);
        let view = View { error: Some(&error), id: Some(wording.id), ..View::default() };
        let mut data = Vec::new();
        if let Ok(true) = failed.write(&mut view.env(WORDING, WORDING.len()), &mut data) {
            shape.write_event(&data, &mut out);
        }
        out
    }
}

/// The words of a path without a protocol: `{"error": {"type", "message"}}`.
pub fn plain_error(error: &Doc) -> Bytes {
    let mut out = b"{\"error\":{".to_vec();
    for (count, key) in ["type", "message"].into_iter().enumerate() {
        if count > 0 {
            out.push(b',');
        }
        write_str(&mut out, key);
        out.push(b':');
        out.extend_from_slice(error.root().get(key).map_or("null", Json::raw).as_bytes());
    }
    out.extend_from_slice(b"}}");
    out.into()
}

/// A status that names an error, written as a number.
fn error_status(text: &str) -> Option<u16> {
    text.parse().ok().filter(|status| (400..=599).contains(status))
}

/// A body out of the list or the string that it is wrapped in.
fn unwrapped(root: Json<'_>) -> Option<Doc> {
    match root.kind() {
        JsonKind::Array => root.at(0).filter(|item| item.kind() == JsonKind::Object).map(copied),
        JsonKind::String => {
            let text = root.str()?.into_owned();
            is_complete_object(&text).then(|| Doc::parse(text.into_bytes()).ok())?
        }
        JsonKind::Object => Some(root.doc().clone()),
        _ => None,
    }
}

fn copied(node: Json<'_>) -> Doc {
    Doc::parse(node.raw().to_owned().into_bytes()).unwrap_or_else(|_| Doc::null())
}

/// What a text that is not JSON says: a web page's title, or its beginning.
fn plain_message(text: &str) -> Option<String> {
    let text = text.trim();
    let title = text.starts_with('<').then(|| {
        let lower = text.to_ascii_lowercase();
        let start = lower.find("<title>")? + "<title>".len();
        let end = start + lower.get(start..)?.find("</title>")?;
        text.get(start..end).map(|title| title.trim().to_owned())
    });
    let message = title.flatten().unwrap_or_else(|| text.chars().take(SHOWN).collect());
    (!message.is_empty()).then_some(message)
}
