//! What an answer means for its provider: a good one, a probe's, and what is kept of an error.

use super::verdict::Case;
use super::{Event, Plan};
use crate::engine::Ms;
use crate::engine::failure::Failure;
use crate::engine::health::{Health, KeptError};
use crate::engine::judge::Rule;

impl Plan {
    /// Takes in a good answer: cool-downs that it contradicts are over, and a probe's counts as its rules say.
    pub(super) fn succeeded(&mut self, way: usize, status: u16, body: &[u8], health: &mut Health, now: Ms) {
        let name = self.provider_name(way);
        let what = format!("answers with status {status}");
        self.events.push(Event::Outcome {
            provider: name.clone(),
            what,
            failure: None,
            status: Some(status),
            phase: None,
            said: None,
        });
        let engine = self.engine.clone();
        // What a probe's answer means, its rules say.
        if let Some(probe) = self.probe.and_then(|place| engine.probes.get(place)) {
            let well = probe.is_well(status, body);
            if health.probed(&self.lane(way), well, probe.recovered_after, now) {
                let reason = "a probe was answered".to_owned();
                self.events.push(Event::Recovered { provider: name, reason });
            } else if !well {
                let reason = format!("`recovered_when` does not hold for its answer with status {status}");
                self.probe_failed(way, reason, health, now);
            }
            return;
        }
        let began = self.current.as_ref().map_or(now, |current| current.began);
        if health.succeeded(&self.lane(way), began, now) {
            let reason = "a request was answered".to_owned();
            self.events.push(Event::Recovered { provider: name.clone(), reason });
        }
        let was_chosen = health.is_chosen(&name, now);
        if let Some(rule) = self.switching.take()
            && let Ok((_, ended)) = health.switch_until(&engine, &name, None, now)
            && (!was_chosen || ended.is_some())
        {
            self.events.push(Event::Switched { to: name, rule });
        }
    }

    /// Tells that a probe did not find its provider well.
    pub(super) fn probe_failed(&mut self, way: usize, reason: String, health: &Health, now: Ms) {
        let cooling = health.closed(&self.lane(way), now).map(|pause| pause.until);
        self.events.push(Event::ProbeFailed { provider: self.way_name(way), reason, cooling });
    }
}

/// An error as the health page shows it.
pub(super) fn kept(case: &Case<'_>, failure: &Failure, rule: Option<&Rule>) -> KeptError {
    let message = match &failure.said {
        Some(said) => said.to_string(),
        None => failure.to_string(),
    };
    KeptError {
        at: case.now,
        kind: failure.kind.name(),
        status: failure.status,
        message,
        rule: rule.map(|rule| rule.name.clone()),
    }
}
