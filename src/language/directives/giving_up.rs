//! Failures that templates make: a status, a kind, a message and details.

use crate::language::compile::Compiler;
use crate::language::scope::Env;
use crate::language::template::{Fail, Op, Reason, Template};
use crate::text::yaml::{Kind, Node};

/// A failure whose parts are templates; also a step of streams.
pub(crate) struct Failing {
    status: Option<Template>,
    kind: Option<Template>,
    message: Option<Template>,
    details: Option<Template>,
}

impl Failing {
    /// The failure as it is now. A part that fails itself is left out.
    pub(crate) fn make(&self, env: &mut Env<'_>) -> Fail {
        let mut text = |part: &Option<Template>, most: usize| {
            let text = part.as_ref()?.text_within(env, most / 2, most).ok()?;
            Some(text).filter(|text| !text.is_empty())
        };
        let status = text(&self.status, LONGEST_KIND).and_then(|text| text.parse().ok());
        let kind = text(&self.kind, LONGEST_KIND);
        let message = text(&self.message, LONGEST_MESSAGE);
        let message = message.unwrap_or_else(|| "the request cannot be served".to_owned());
        let mut details = Vec::new();
        let gave = self.details.as_ref().is_some_and(|part| part.write(env, &mut details) == Ok(true));
        Fail::from(Reason {
            status: status.filter(|status| (400..600).contains(status)).unwrap_or(DEFAULT_STATUS),
            kind,
            message,
            details: gave.then_some(details),
        })
    }
}

/// The longest message, in characters; half of it is the most that one value fills.
const LONGEST_MESSAGE: usize = 4000;
/// The longest type, likewise.
const LONGEST_KIND: usize = 200;
/// The status of a failure that names none, or none that is an error.
const DEFAULT_STATUS: u16 = 400;

impl Op for Failing {
    fn write(&self, env: &mut Env<'_>, _: &mut Vec<u8>) -> Result<bool, Fail> {
        Err(self.make(env))
    }
}

pub(super) fn failure(
    c: &mut Compiler<'_>,
    message: Option<&Node>,
    status: Option<&Node>,
    kind: Option<&Node>,
    details: Option<&Node>,
) -> Option<Failing> {
    let mut part = |node: Option<&Node>| match node {
        Some(node) => c.template(node).map(Some),
        None => Some(None),
    };
    let (message, status, kind, details) = (part(message), part(status), part(kind), part(details));
    Some(Failing { status: status?, kind: kind?, message: message?, details: details? })
}

/// Compiles `{ status, type, message, details }`; a string alone is the message.
pub(crate) fn fail(c: &mut Compiler<'_>, node: &Node) -> Option<Failing> {
    match &node.kind {
        Kind::Map(entries) => {
            let known = ["status", "type", "message", "details"];
            for (key, _) in entries {
                if !known.contains(&key.text.as_str()) {
                    c.error("bad-fail", key.span, format!("a failure has no `{}`", key.text))
                        .help(format!("it has {}", known.join(", ")));
                    return None;
                }
            }
            failure(c, node.get("message"), node.get("status"), node.get("type"), node.get("details"))
        }
        _ => failure(c, Some(node), None, None, None),
    }
}
