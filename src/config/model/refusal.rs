//! An answer in words of the rules' own: a status and a message, in the client's protocol.

use std::time::Duration;

use super::Spanned;
use crate::config::record::record;
use crate::text::yaml::Node;

/// The longest message, in characters.
pub const LONGEST_MESSAGE: usize = 2000;
/// The longest type, in characters.
pub const LONGEST_TYPE: usize = 100;

record! {
    /// An error with a status and words of one's own. The client gets it in its own protocol, and no (further) provider is
    /// asked.
    pub struct Refusal: "`refuse`" {
        /// The status, from 400 to 599.
        status: Spanned<u16>,
        /// What the client is told: a text of at most 2,000 characters, which may have holes such as `{$model}`. Of what they
        /// give 1,000 characters are told, and of all together 2,000; `…` stands where more was.
        message: Node,
        /// The error's type, in one line of at most 100 characters. Default: what the client's protocol calls this status.
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
