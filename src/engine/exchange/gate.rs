//! When a stream's answer begins: at its first content, unless that may be a limit notice.

use super::{Body, Exchange, Progress, Seen};
use crate::engine::failure::Phase;
use crate::engine::route::GateMode;

impl Exchange {
    /// Takes in what a stream has come to.
    pub(super) fn saw(&mut self, seen: Seen) -> Progress {
        let held = match &self.body {
            Body::Translating(machine) => machine.taken_in(),
            _ => self.given + self.output.len(),
        };
        if !self.content {
            self.held_back = held;
        }
        match seen {
            Seen::Ended | Seen::Failed(_) | Seen::Told(_) => self.ended(seen),
            Seen::Content => {
                self.begun = true;
                let is_on = self.job.gate.mode == GateMode::On && !self.committed;
                if is_on && held <= self.job.gate.bytes && self.may_be_notice() {
                    return Progress::More;
                }
                self.give()
            }
            Seen::Nothing if self.job.gate.mode != GateMode::On || held > self.job.gate.bytes => {
                self.commit()
            }
            Seen::Nothing => Progress::More,
        }
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
