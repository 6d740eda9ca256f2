//! How a cool-down stands to what was before, so that one that just goes on is not told as news.

use crate::engine::Ms;
use crate::engine::health::Pause;

/// What a cool-down is to one that was there before.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CoolDownStep {
    /// There was none.
    Begins,
    /// One had run out, and what was asked since then failed.
    Again,
    /// Another rule makes one last longer that was in force.
    Longer,
    /// One that was in force goes on, perhaps longer: nothing is new.
    GoesOn,
}

impl CoolDownStep {
    /// The step from what was there before to a cool-down until `until` that a rule wants.
    pub fn after(before: Option<&Pause>, rule: &str, until: Ms, now: Ms) -> CoolDownStep {
        match before {
            None => CoolDownStep::Begins,
            Some(pause) if !pause.holds(now) => CoolDownStep::Again,
            Some(pause) if pause.rule != rule && pause.until < Some(until) => CoolDownStep::Longer,
            Some(_) => CoolDownStep::GoesOn,
        }
    }

    /// Whether a cool-down begins with it.
    pub fn begins(self) -> bool {
        matches!(self, CoolDownStep::Begins | CoolDownStep::Again)
    }
}
