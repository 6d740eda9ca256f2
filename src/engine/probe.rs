//! Probes: requests on a schedule that find out whether a provider works again.

use super::Engine;
use super::Ms;
use super::health::Health;
use super::judge::cooling::millis;
use super::names::{self, INCOMING, View};
use super::plan::{Answer, Incoming, Plan};
use super::provider::Provider;
use super::route::Route;
use crate::config::model;
use crate::engine::build::compile;
use crate::language::Condition;
use crate::text::diagnostic::Diagnostics;
use crate::text::json::Doc;
use crate::text::units::Cron;
use bytes::Bytes;
use http::{HeaderMap, Method};
use std::sync::Arc;
use std::time::Duration;

/// A request on a schedule.
pub struct Probe {
    /// The provider's place.
    pub provider: usize,
    /// When.
    pub schedule: Schedule,
    /// Only while the provider, one of its keys or a model of it is put aside.
    pub when_down_only: bool,
    /// The path of the route that the request takes.
    pub path: String,
    /// Its body.
    pub body: Bytes,
    /// How many good answers in a row mean that the provider works again.
    pub recovered_after: u32,
    /// How long to wait for the answer, if not as long as for others.
    pub timeout: Option<Duration>,
    recovered_when: Option<Condition>,
}

/// When a probe runs.
pub enum Schedule {
    /// At the moments of a cron expression.
    Cron(Box<Cron>),
    /// So often.
    Every(Duration),
}

impl Probe {
    /// The first moment after `now` at which it runs.
    pub fn next_after(&self, now: Ms) -> Option<Ms> {
        match &self.schedule {
            Schedule::Cron(cron) => cron.next_after(now),
            Schedule::Every(time) => Some(now.saturating_add(millis(*time).max(1))),
        }
    }

    /// Is there anything to find out now?
    pub fn is_wanted(&self, engine: &Engine, health: &Health, now: Ms) -> bool {
        let Some(provider) = engine.providers.get(self.provider) else {
            return false;
        };
        provider.has_key() && (!self.when_down_only || health.is_touched(provider, now))
    }

    /// Is a good answer good enough? `body` is in the words of the route's protocol.
    pub(super) fn is_well(&self, status: u16, body: &[u8]) -> bool {
        let Some(condition) = &self.recovered_when else {
            return true;
        };
        let doc = Doc::parse(body.to_vec()).unwrap_or_else(|_| Doc::null());
        let view = View { doc: Some(&doc), status: Some(status), ..View::default() };
        condition.test(&view.env(INCOMING, INCOMING.len()))
    }
}

impl Plan {
    /// A plan that asks the probe's provider, put aside or not, and nobody else, and lets the rules judge what
    /// comes. Whether the provider is well again goes to the health when the outcome is observed.
    #[allow(clippy::result_large_err)]
    pub fn probe(engine: Arc<Engine>, probe: &Probe, id: String, now: Ms, seed: u64) -> Result<Plan, Answer> {
        let incoming = Incoming {
            id,
            method: Method::POST,
            path: probe.path.clone(),
            query: None,
            headers: HeaderMap::new(),
            body: probe.body.clone(),
            now,
            seed,
        };
        let place = engine.probes.iter().position(|other| std::ptr::eq(other, probe));
        let mut plan = Plan::begin(engine, incoming)?;
        plan.be_probe(place.unwrap_or(usize::MAX));
        Ok(plan)
    }
}

/// Compiles the probes.
pub(super) fn build(
    rules: &model::Rules,
    routes: &[Route],
    providers: &[Provider],
    diags: &mut Diagnostics,
) -> Vec<Probe> {
    let mut probes = Vec::new();
    let scope = names::scope(INCOMING);
    for from in &rules.health {
        let first = routes.iter().find(|route| route.protocol.is_some() && route.answer.is_none());
        let path = from.path.as_ref().map(|path| path.value.clone());
        let Some(path) = path.or_else(|| first.map(|route| route.path.clone())) else {
            continue;
        };
        let mut body = Vec::new();
        from.request.to_json_bytes(&mut body);
        let body = Bytes::from(body);
        for name in from.provider.iter() {
            let Some(provider) = providers.iter().position(|provider| provider.name == name.value) else {
                continue;
            };
            let Some(schedule) = schedule(from, diags) else {
                continue;
            };
            let condition = from.recovered_when.as_ref();
            probes.push(Probe {
                provider,
                schedule,
                when_down_only: from.when_down_only,
                path: path.clone(),
                body: body.clone(),
                recovered_after: from.recovered_after,
                timeout: from.timeout,
                recovered_when: condition.and_then(|it| compile::condition(it, &scope, diags)),
            });
        }
    }
    scope.finish(diags);
    probes
}

fn schedule(from: &model::Probe, diags: &mut Diagnostics) -> Option<Schedule> {
    if let Some(every) = &from.every {
        return Some(Schedule::Every(every.value));
    }
    let Some(text) = &from.schedule else {
        diags.error("missing-key", from.span, "a probe needs `schedule` or `every`");
        return None;
    };
    let zone = from.time_zone.as_ref().map(|zone| zone.value.as_str());
    match Cron::parse(&text.value, zone) {
        Ok(cron) => Some(Schedule::Cron(Box::new(cron))),
        Err(message) => {
            diags.error("bad-schedule", text.span, message);
            None
        }
    }
}
