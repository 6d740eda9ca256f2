//! What a request cost: the tokens that its answers told, into its record, its line and the counters.

use super::Life;
use crate::edge::telemetry;
use crate::engine::plan::Outcome;

impl Life {
    /// Takes in the tokens that an answer told; those of a stream so far.
    pub(super) fn note_tokens(&mut self, outcome: &mut Outcome) {
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
