//! A mapping in compiled form: how a client's protocol becomes a provider's, and back.

use super::names::{MAPPING, View};
use super::protocol::Headers;
use crate::language::Template;
use crate::language::scope::{Env, Slot};
use crate::language::stream::StreamProgram;
use crate::language::template::Fail;
use crate::language::value::Val;
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
    /// Further headers for the provider.
    pub headers: Headers,
    /// How many names the templates see.
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
        if self.keep.is_empty() {
            return Kept::new();
        }
        let mut env = view.env(MAPPING, self.slots);
        let mut kept = Kept::new();
        for (slot, template) in &self.keep {
            let value = template.value(&mut env).map_or(Val::Nothing, Val::into_owned);
            env.set(*slot, value.clone());
            kept.push((*slot, value));
        }
        kept
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

/// Writes a template that has to give a body.
pub fn body(template: &Template, env: &mut Env<'_>) -> Result<Vec<u8>, Fail> {
    let mut out = Vec::new();
    if template.write(env, &mut out)? { Ok(out) } else { Err(Fail::new(502, "the mapping gave no body")) }
}
