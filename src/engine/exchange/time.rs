//! What time does to an answer: what is waited for, a stream that is held back for too long, or silent after all has
//! been said.

use super::{Body, Exchange, Progress};
use crate::engine::failure::Phase;
use std::time::Duration;

/// What an attempt waits for, which tells the limits that run besides `total`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Awaits {
    /// The first byte of a stream: `first_byte`.
    FirstByte,
    /// The first content of a stream: `first_content` over all of that time, `idle` between two reads.
    Content,
    /// More of a stream: `idle` between two reads.
    More,
    /// The last byte of an answer that is no stream: `whole`.
    Whole,
}

impl Exchange {
    /// What is waited for now.
    pub fn awaits(&self) -> Awaits {
        // An error takes no time to make.
        let is_error = self.status != 0 && !self.is_good();
        // What comes in pieces shows that it goes on.
        let is_seen = matches!(self.body, Body::Folding(_) | Body::Raw | Body::Passing(_));
        if self.job.whole && !is_error && !is_seen { Awaits::Whole } else { self.more() }
    }

    fn more(&self) -> Awaits {
        match self.phase {
            Phase::FirstByte => Awaits::FirstByte,
            Phase::Content if !self.begun => Awaits::Content,
            // What is held back although it has content keeps the client waiting, not the router.
            Phase::Content | Phase::Idle => Awaits::More,
        }
    }

    /// The time for which content is held back is over: the answer begins. Without content there is nothing to give,
    /// and what ends the attempt can still be the next provider's turn.
    pub fn release(&mut self) -> Progress {
        match &self.body {
            Body::Passing(_) | Body::Translating(_) if self.begun => self.give(),
            _ => Progress::More,
        }
    }

    /// For how long a stream may be silent before [`Exchange::quiet`] is to be asked; `None`: for ever.
    pub fn grace(&self) -> Option<Duration> {
        let shape = self.job.provider.stream.as_ref()?;
        let minds = match &self.body {
            Body::Passing(_) => shape.finish.is_some(),
            Body::Translating(machine) | Body::Folding(machine) => machine.has_timer(),
            _ => false,
        };
        minds.then_some(shape.grace)
    }

    /// The provider has been silent for so long. If all has been said, that is the end.
    pub fn quiet(&mut self) -> Progress {
        let seen = match &mut self.body {
            Body::Passing(passing) => passing.quiet(&self.job, &mut self.output),
            Body::Translating(machine) => machine.quiet(&self.job, &self.headers, self.status),
            Body::Folding(machine) => {
                let seen = machine.quiet(&self.job, &self.headers, self.status);
                return self.folded(seen);
            }
            _ => return Progress::More,
        };
        self.saw(seen)
    }
}
