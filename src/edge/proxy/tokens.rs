//! What a request cost: the tokens that its answers told, into its record, its line and the counters.

use super::Life;
use crate::edge::telemetry;
use crate::engine::plan::Outcome;

impl Life {
    /// Does what takes long with an outcome before the health is held, which everybody needs: takes in the tokens that an
    /// answer told, those of a stream so far, and lets the rules see a good one.
    pub(super) fn look_at(&mut self, outcome: &mut Outcome) {
        let now = self.now();
        self.plan.see(outcome, now);
        match outcome {
            Outcome::Whole(whole) => self.decision.used(whole.usage),
            Outcome::Streaming(exchange) => self.decision.used(exchange.take_usage()),
            Outcome::Failed(_) | Outcome::ClientGone => {}
        }
    }

    /// Writes the line of the request, which is over, and counts its tokens.
    pub(super) fn tell_end(&self) {
        self.world.metrics.used(&self.decision);
        telemetry::request(&self.decision);
    }
}
