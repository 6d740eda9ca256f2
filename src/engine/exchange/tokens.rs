//! The tokens that an answer tells, and what of a stream was left out, taken from whatever reads the body.

use super::{Body, Exchange, LeftOutEvents};
use crate::engine::usage::Usage;

impl Exchange {
    /// The tokens that the answer has told since the last call.
    pub fn take_usage(&mut self) -> Usage {
        self.keep_usage();
        std::mem::take(&mut self.usage)
    }

    /// The events that were left out since the last call.
    pub fn take_left_out(&mut self) -> LeftOutEvents {
        self.keep_usage();
        std::mem::take(&mut self.left_out)
    }

    /// Takes both over from the body, before that goes.
    pub(super) fn keep_usage(&mut self) {
        self.usage.update(match &mut self.body {
            Body::Passing(passing) => {
                self.left_out.add(std::mem::take(&mut passing.left_out));
                std::mem::take(&mut passing.usage)
            }
            Body::Translating(machine) | Body::Folding(machine) => std::mem::take(&mut machine.usage),
            _ => return,
        });
    }
}
