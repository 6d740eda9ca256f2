//! A mapping in compiled form: how a client's protocol becomes a provider's, and back.

use super::failure::Failure;
use super::headers;
use super::names::{MAPPING, View};
use super::protocol::{ErrorText, Headers};
use crate::language::scope::{Env, Slot};
use crate::language::stream::StreamProgram;
use crate::language::template::Fail;
use crate::language::value::Val;
use crate::language::{Condition, Guarded, Template};
use crate::text::json::{Doc, write_str};
use bytes::Bytes;
use http::HeaderMap;
use std::sync::Arc;

/// How one protocol becomes another. All templates are over [`MAPPING`] and the kept values.
#[derive(Default)]
pub struct Mapping {
    /// The client's protocol.
    pub from: String,
    /// The provider's protocol.
    pub to: String,
    /// Defaults of the provider's parameters, as JSON.
    pub parameters: Vec<(String, Vec<u8>)>,
    /// From the client's body to the provider's; without it the body goes as it is.
    pub request: Option<Template>,
    /// Values over the client's request that later templates read.
    pub keep: Vec<(Slot, Template)>,
    /// From the provider's whole answer to the client's; without it the answer goes as it is.
    pub response: Option<Template>,
    /// From the provider's error to the client's.
    pub error: Option<MappedError>,
    /// From the provider's stream to the client's.
    pub stream: Option<Arc<StreamProgram>>,
    /// What of a request the provider does not get, and when.
    pub losses: Vec<(String, Guarded<Condition>)>,
    /// Further headers for the provider.
    pub headers: Headers,
    /// Headers of a good answer for the client.
    pub returned: Headers,
    /// Whether any template reads the body that was sent.
    pub reads_upstream: bool,
    /// How many names the templates see, with room for their own.
    pub slots: usize,
}

/// How an error is mapped.
pub struct MappedError {
    /// The status, if not the provider's.
    pub status: Option<Template>,
    /// The body.
    pub body: Template,
    /// Headers for the client.
    pub headers: Headers,
}

/// The values that `keep:` made of a request, by slot.
pub type Kept = Vec<(Slot, Val<'static>)>;

impl Mapping {
    /// Makes the kept values. A value whose template gives up is nothing.
    pub fn keep(&self, view: &View<'_>) -> Kept {
        if self.keep.is_empty() { Kept::new() } else { self.prepare(view).1 }
    }

    /// The kept values, and an environment that has them, for the mapping's other templates.
    pub fn prepare<'a>(&self, view: &View<'a>) -> (Env<'a>, Kept) {
        let mut env = view.env(MAPPING, self.slots);
        let mut kept = Kept::new();
        for (slot, template) in &self.keep {
            let value = template.value(&mut env).map_or(Val::Nothing, Val::into_owned);
            env.set(*slot, value.clone());
            kept.push((*slot, value));
        }
        (env, kept)
    }

    /// What of this request the provider does not get. `env`: as [`Mapping::prepare`] made it.
    pub fn dropped(&self, env: &Env<'_>) -> Vec<String> {
        self.losses.iter().filter(|(_, when)| when.test(env)).map(|(name, _)| name.clone()).collect()
    }

    /// An environment for the mapping's templates.
    pub fn env<'a>(&self, view: &View<'a>, kept: &Kept) -> Env<'a> {
        let mut env = view.env(MAPPING, self.slots);
        for (slot, value) in kept {
            env.set(*slot, value.clone());
        }
        env
    }
}

/// Room for a body, in bytes: a short one is written without asking for more.
const USUAL_BODY: usize = 2048;

/// Writes a template that has to give a body.
pub fn body(template: &Template, env: &mut Env<'_>) -> Result<Vec<u8>, Fail> {
    let mut out = Vec::with_capacity(USUAL_BODY);
    if template.write(env, &mut out)? { Ok(out) } else { Err(Fail::new(502, "the mapping gave no body")) }
}

/// Status (if not the failure's own), body and headers of a provider's error in the client's protocol.
pub type ErrorParts = (Option<u16>, Bytes, HeaderMap);

impl MappedError {
    /// Writes the error in the client's protocol; `None` if the template gives up or gives nothing. A status that
    /// is none of an error is the failure's own.
    pub fn map(&self, env: &mut Env<'_>) -> Option<ErrorParts> {
        let body = body(&self.body, env).ok()?;
        let status = self.status.as_ref().and_then(|status| {
            let value = status.value(env).ok()?;
            value.to_text()?.parse::<u16>().ok().filter(|status| (400..=599).contains(status))
        });
        let mut made = HeaderMap::new();
        headers::write(&self.headers, env, &mut made);
        Some((status, body.into(), made))
    }
}

/// `$error` of a mapping: `{status, type, code, message}`, without what the provider did not say.
pub fn error_doc(failure: &Failure, read: &ErrorText) -> Doc {
    let mut out = format!("{{\"status\":{}", failure.client_status()).into_bytes();
    let message = read.message.as_deref().unwrap_or(&failure.message);
    let parts = [("type", read.kind.as_deref()), ("code", read.code.as_deref()), ("message", Some(message))];
    for (name, value) in parts {
        if let Some(value) = value {
            out.push(b',');
            write_str(&mut out, name);
            out.push(b':');
            write_str(&mut out, value);
        }
    }
    out.push(b'}');
    Doc::parse(out).unwrap_or_else(|_| Doc::null())
}
