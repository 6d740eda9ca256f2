//! What can be seen of an exchange from outside.

use super::{Body, Exchange, Job};
use crate::engine::failure::{Failure, Phase};
use http::HeaderMap;
use std::fmt;

impl Exchange {
    /// Whether the body is only kept until its end, and not yet looked at.
    pub fn is_gathering(&self) -> bool {
        matches!(self.body, Body::Gathering(_))
    }

    /// After the commit: is the client's answer complete? (Take the output first.) What the provider may still
    /// send is of no use then.
    pub fn finished(&self) -> bool {
        self.finished
    }

    /// After the commit: what broke the stream, if something did.
    pub fn failure(&self) -> Option<&Failure> {
        self.failure.as_ref()
    }

    /// Whether content has been seen, and how much was held back until then, or would have been, in bytes.
    pub fn content(&self) -> (bool, usize) {
        (self.content, self.intake.taken())
    }

    /// How far the answer has come.
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// The provider's status.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// The provider's headers.
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// What the exchange knows of the request.
    pub fn job(&self) -> &Job {
        &self.job
    }

    /// What was held back until the commit, as the client will read it.
    pub fn held(&self) -> &[u8] {
        match &self.body {
            _ if !self.ready.is_empty() => &self.ready,
            Body::Translating(machine) if self.output.is_empty() => machine.held(),
            _ => &self.output,
        }
    }

    /// The state of the mapping's stream program, for people who look: names, and values as JSON.
    pub fn state(&self) -> Vec<(String, Option<String>)> {
        match &self.body {
            Body::Translating(machine) | Body::Folding(machine) => machine.state(),
            _ => Vec::new(),
        }
    }
}

impl fmt::Debug for Exchange {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Exchange")
            .field("status", &self.status)
            .field("phase", &self.phase)
            .field("committed", &self.committed)
            .field("finished", &self.finished)
            .finish_non_exhaustive()
    }
}
