//! When a stream's answer begins: at its first content, unless that may be a limit notice.

use super::{Exchange, Progress, Seen};
use crate::engine::failure::{Failure, FailureKind, Phase};
use crate::engine::route::{Gate, GateMode};

impl Exchange {
    /// Takes in what a stream has come to.
    pub(super) fn saw(&mut self, seen: Seen) -> Progress {
        match seen {
            Seen::Ended | Seen::Failed(_) | Seen::Told(_) => self.ended(seen),
            Seen::Content => {
                self.begun = true;
                let Gate { mode, bytes, .. } = self.job.gate;
                let is_on = mode == GateMode::On && !self.committed;
                if is_on && self.intake.taken() <= bytes && self.may_be_notice() {
                    return Progress::More;
                }
                self.give()
            }
            Seen::Nothing if self.committed => Progress::More,
            Seen::Nothing if self.job.gate.mode != GateMode::On => self.commit(),
            Seen::Nothing => match self.junk() {
                Some(junk) => self.failed(junk),
                None if self.intake.events() > self.job.gate.bytes => self.commit(),
                None => Progress::More,
            },
        }
    }

    /// The failure that a stream is whose head brings no events beyond what may be held back.
    pub(super) fn junk(&self) -> Option<Failure> {
        let most = self.job.gate.bytes;
        let message = || format!("the stream begins with more than {most} bytes that are no events");
        (self.intake.junk() > most).then(|| Failure::new(FailureKind::Malformed, message()))
    }

    /// The content is the client's.
    pub(super) fn give(&mut self) -> Progress {
        self.content = true;
        self.phase = Phase::Idle;
        self.commit()
    }

    pub(super) fn commit(&mut self) -> Progress {
        if std::mem::replace(&mut self.committed, true) { Progress::More } else { Progress::Commit }
    }
}
