//! The tokens that an answer tells, taken from whatever reads its body.

use super::{Body, Exchange};
use crate::engine::usage::Usage;

impl Exchange {
    /// The tokens that the answer has told since the last call.
    pub fn take_usage(&mut self) -> Usage {
        self.keep_usage();
        std::mem::take(&mut self.usage)
    }

    /// Takes the tokens over from the body, before that goes.
    pub(super) fn keep_usage(&mut self) {
        self.usage.update(match &mut self.body {
            Body::Passing(passing) => std::mem::take(&mut passing.usage),
            Body::Translating(machine) | Body::Folding(machine) => std::mem::take(&mut machine.usage),
            _ => return,
        });
    }
}
