//! How long to wait for what, and what holds where nobody says anything.

use std::time::Duration;

use super::Spanned;
use crate::config::record::record;
use crate::text::diagnostic::Span;

record! {
    /// How long to wait for what.
    pub struct Timeouts: "`timeouts`" {
        /// For a connection, TLS included. Default 5s.
        connect: Option<Duration>,
        /// From the end of the request to the head of a stream and its first content. Default 60s.
        first_byte: Option<Duration>,
        /// Between two pieces of a stream. Default 120s.
        idle: Option<Duration>,
        /// For an answer that is asked for as a whole, and not as a stream, until its last byte: it takes the place of
        /// `first_byte` and `idle`, since such an answer is mostly made before its first byte. Default 10m, or the longer
        /// one of those; never more than `total`.
        whole: Option<Spanned<Duration>>,
        /// For one attempt, streams included. Default 10m, or `whole` if that is longer.
        total: Option<Spanned<Duration>>,
        /// For a request with all attempts, retries, waits and its stream. Default: no limit. Not for a provider;
        /// a route may have its own.
        deadline: Option<Spanned<Duration>>,
    }
}

impl Timeouts {
    /// These, and where they say nothing, `other`.
    pub fn or(&self, other: &Timeouts) -> Timeouts {
        Timeouts {
            span: self.span,
            connect: self.connect.or(other.connect),
            first_byte: self.first_byte.or(other.first_byte),
            idle: self.idle.or(other.idle),
            whole: self.whole.clone().or_else(|| other.whole.clone()),
            total: self.total.clone().or_else(|| other.total.clone()),
            deadline: self.deadline.clone().or_else(|| other.deadline.clone()),
        }
    }

    /// Where nobody says anything.
    pub fn standard(span: Span) -> Timeouts {
        let (connect, first_byte, idle, whole, total, deadline) = (None, None, None, None, None, None);
        Timeouts { span, connect, first_byte, idle, whole, total, deadline }
    }

    /// `connect`, or its default.
    pub fn connect(&self) -> Duration {
        self.connect.unwrap_or(Duration::from_secs(5))
    }

    /// `first_byte`, or its default.
    pub fn first_byte(&self) -> Duration {
        self.first_byte.unwrap_or(Duration::from_secs(60))
    }

    /// `idle`, or its default.
    pub fn idle(&self) -> Duration {
        self.idle.unwrap_or(Duration::from_secs(120))
    }

    /// `whole`, or its default; never more than `total`.
    pub fn whole(&self) -> Duration {
        self.whole_wanted().min(self.total())
    }

    /// `total`, or its default.
    pub fn total(&self) -> Duration {
        let longest = || Duration::from_secs(600).max(self.whole_wanted());
        self.total.as_ref().map_or_else(longest, |total| total.value)
    }

    fn whole_wanted(&self) -> Duration {
        let longest = || Duration::from_secs(600).max(self.first_byte()).max(self.idle());
        self.whole.as_ref().map_or_else(longest, |whole| whole.value)
    }
}
