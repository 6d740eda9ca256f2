//! Probes: requests that find out whether a provider works again.

use std::time::Duration;

use super::{Several, Spanned};
use crate::config::record::record;
use crate::text::yaml::Node;

record! {
    /// A request sent on a schedule.
    pub struct Probe: "a probe" {
        /// Whom it asks.
        provider: Several<Spanned<String>>,
        /// When, as a cron expression of five fields.
        schedule: Option<Spanned<String>>,
        /// How often, instead of `schedule`.
        every: Option<Spanned<Duration>>,
        /// The time zone of `schedule`, such as Europe/Berlin. Default: UTC.
        time_zone: Option<Spanned<String>>,
        /// Ask only while the provider is cooling down or down.
        when_down_only: bool = false,
        /// The path of the route that the request takes; without it, the first route that has a protocol.
        path: Option<Spanned<String>>,
        /// The body, in the protocol of that route.
        request: Node,
        /// What an answer must satisfy besides not being judged a failure.
        recovered_when: Option<Node>,
        /// How many good answers in a row mean that it works again.
        recovered_after: u32 = 1,
        /// How long to wait for the answer.
        timeout: Option<Duration>,
    }
}
