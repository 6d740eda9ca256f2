//! What time does to an answer: a stream that is held back for too long, or silent after all has been said.

use super::{Body, Exchange, Progress};
use std::time::Duration;

impl Exchange {
    /// The time for which a stream is held back is over: the answer begins, whatever there is of it.
    pub fn release(&mut self) -> Progress {
        match &mut self.body {
            Body::Passing(_) => {}
            Body::Translating(machine) => machine.begin(&self.job, &self.headers, self.status),
            _ => return Progress::More,
        }
        self.commit()
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
