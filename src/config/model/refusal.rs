//! An answer in words of the rules' own: a status and a message, in the client's protocol.

use std::time::Duration;

use super::Spanned;
use crate::config::record::record;
use crate::text::yaml::Node;

record! {
    /// An error with a status and words of one's own. The client gets it in its own protocol, and no (further) provider is
    /// asked.
    pub struct Refusal: "`refuse`" {
        /// The status, from 400 to 599.
        status: Spanned<u16>,
        /// What the client is told: a text, which may have holes such as `{$model}`. Of a longer one the first 2,000
        /// characters.
        message: Node,
        /// The error's type. Default: what the client's protocol calls this status.
        kind("type"): Option<Spanned<String>>,
        /// When it makes sense to ask again: the header `retry-after`, in whole seconds.
        retry_after: Option<Spanned<Duration>>,
    }

    /// Refusing.
    pub struct Refuse: "a refusal" {
        /// With which status and words.
        refuse: Refusal,
    }
}
