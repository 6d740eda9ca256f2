//! What a request cost: the tokens that its answers told, into its record, its line and the counters.

use super::Life;
use crate::edge::telemetry;
use crate::engine::exchange::Exchange;
use crate::engine::plan::Outcome;

impl Life {
    /// Does what takes long with an outcome before the health is held, which everybody needs: takes in the tokens that an
    /// answer told, those of a stream so far, and lets the rules see a good one.
    pub(super) fn look_at(&mut self, outcome: &mut Outcome) {
        let now = self.now();
        self.plan.see(outcome, now);
        match outcome {
            Outcome::Whole(whole) => self.decision.used(whole.usage),
            Outcome::Streaming(exchange) => self.tally(exchange),
            Outcome::Failed(_) | Outcome::ClientGone => {}
        }
    }

    /// Takes in what a stream has told of tokens since the last look, and what of it was left out.
    pub(super) fn tally(&mut self, exchange: &mut Exchange) {
        self.decision.used(exchange.take_usage());
        self.decision.left_out_events(exchange.take_left_out());
    }

    /// Writes the line of the request, which is over, and counts its tokens.
    pub(super) fn tell_end(&self) {
        self.world.metrics.used(&self.decision);
        for attempt in self.decision.attempts.iter().filter(|attempt| attempt.left_out.count() > 0) {
            let (id, provider, left_out) = (&self.id, &attempt.provider, attempt.left_out);
            tracing::debug!("[{id}] the client was not given all events of {provider}: {left_out}");
        }
        telemetry::request(&self.decision);
    }
}
