//! What every request needs and no reload replaces.

use std::sync::Arc;

use tokio::sync::Notify;

use crate::edge::budget::Budget;
use crate::edge::clock::{self, Clock};
use crate::edge::decisions::Decisions;
use crate::edge::log_writer::LogWriter;
use crate::edge::metrics::Metrics;
use crate::edge::state::Keeper;
use crate::edge::stopping::Stopping;
use crate::edge::stores::Stores;
use crate::edge::upstream::Upstream;
use crate::edge::work::Work;
use crate::engine::{Engine, Ms};

/// What every request needs and no reload replaces.
#[derive(Default)]
pub struct World {
    /// What is known about providers.
    pub stores: Stores,
    /// What writes that to disk.
    pub keeper: Option<Arc<Keeper>>,
    /// Told when something has come that a sudden end must not lose.
    pub unsaved: Notify,
    /// The latest decisions.
    pub decisions: Decisions,
    /// What was counted.
    pub metrics: Metrics,
    /// Connections to them.
    pub upstream: Upstream,
    /// The time.
    pub clock: Clock,
    /// Whether moments are shown in the machine's zone, as in the log, and not in UTC.
    pub local_time: bool,
    /// When the router started.
    pub began: Ms,
    /// What writes the log, if that is this program's affair.
    pub log: Option<LogWriter>,
    /// When requests under way must end.
    pub stopping: Stopping,
    /// What is in flight.
    pub budget: Arc<Budget>,
    /// Turns at long work.
    pub work: Work,
}

impl World {
    /// Keeps the keys of these rules out of the log from now on.
    pub fn strike_out(&self, engine: &Engine) {
        if let Some(log) = &self.log {
            log.strike_out(engine.shown.clone());
        }
    }

    /// If the machine's calendar clock was set: shows its time from now on, and keeps all lengths of time what they are.
    pub fn keep_time(&self) {
        let mut health = self.stores.health();
        let Some(by) = self.clock.stepped() else { return };
        self.clock.follow(by);
        health.move_lengths(by);
        drop(health);
        let way = if by < 0 { "back" } else { "forward" };
        tracing::warn!("the clock was set {way} by {}; cool downs keep their length", clock::length(by));
    }
}
