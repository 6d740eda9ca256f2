//! The events of a stream that say it failed, and the text that says it is over.

use super::StreamShape;
use crate::engine::names::{INCOMING, Name, View};
use crate::language::Val;
use crate::text::json::Doc;

impl StreamShape {
    /// Returns whether the event is worth a look for an error: cheap, and `false` is no proof where the rules' condition
    /// names no text.
    pub fn may_be_error(&self, data: &[u8], event: Option<&str>) -> bool {
        let name = event.map(str::as_bytes).unwrap_or_default();
        self.error_hints.iter().any(|hint| {
            let is_told = |at: usize| !is_null(data.get(at + hint.needle().len()..).unwrap_or_default());
            hint.find_iter(data).any(is_told) || hint.find(name).is_some()
        })
    }

    /// Returns whether the data is the text that ends a stream; some write it in small letters, or with blanks beside it.
    pub fn is_done(&self, data: &[u8]) -> bool {
        self.done.as_ref().is_some_and(|done| data.trim_ascii().eq_ignore_ascii_case(done.as_bytes()))
    }

    /// Returns whether clients of the protocol know this error as one.
    pub fn is_own_error(&self, doc: &Doc, event: Option<&str>) -> bool {
        let view = View { doc: Some(doc), event, ..View::default() };
        self.own_error.as_ref().is_none_or(|own| own.test(&view.env(INCOMING, INCOMING.len())))
    }

    /// Is the event an error?
    pub fn is_error(&self, doc: &Doc, event: Option<&str>) -> bool {
        let Some(error) = &self.error else {
            return false;
        };
        let value = |slot: usize| match INCOMING.get(slot) {
            Some(Name::Doc) => Val::Json(doc.root()),
            Some(Name::Event) => event.map_or(Val::Nothing, Val::str),
            _ => Val::Nothing,
        };
        let view = || View { doc: Some(doc), event, ..View::default() };
        error.may_hold(value) && error.test(&view().env(INCOMING, INCOMING.len()))
    }
}

/// Returns whether this is what stands behind the name of a member that is null, as many members of every event are.
fn is_null(rest: &[u8]) -> bool {
    let value = rest.strip_prefix(b"\"").and_then(|rest| rest.trim_ascii_start().strip_prefix(b":"));
    value.is_some_and(|value| value.trim_ascii_start().starts_with(b"null"))
}
