//! What can be counted in a request: found out when a rule asks, and not before.

use crate::config::model::Count;
use crate::language::tokens;
use crate::text::json::{Doc, JsonKind};
use crate::text::path::Path;
use std::sync::OnceLock;

/// What is known of a request's numbers; kept for as long as the request.
#[derive(Debug, Default)]
pub struct Counts {
    /// The bytes of its body.
    size: u64,
    /// The estimate of its tokens, once somebody has asked.
    tokens: OnceLock<u64>,
}

impl Counts {
    /// Of a request with a body of so many bytes.
    pub fn new(size: usize) -> Counts {
        Counts { size: size as u64, tokens: OnceLock::new() }
    }

    /// One number of the request whose body is `request`; `messages` is where its protocol has messages. `None` where
    /// there is no such number.
    pub fn of(&self, count: Count, request: &Doc, messages: Option<&Path>) -> Option<u64> {
        match count {
            Count::Size => Some(self.size),
            Count::Tokens => Some(
                *self
                    .tokens
                    .get_or_init(|| u64::try_from(tokens::estimate(request.root())).unwrap_or_default()),
            ),
            Count::Messages => Some(match messages?.walk(request.root()) {
                Some(list) if list.kind() == JsonKind::Array => list.len() as u64,
                Some(text) if text.kind() == JsonKind::String => 1,
                _ => 0,
            }),
        }
    }

    /// Whether the tokens have been estimated.
    #[cfg(test)]
    pub(crate) fn has_estimated(&self) -> bool {
        self.tokens.get().is_some()
    }
}
