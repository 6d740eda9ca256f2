//! What is known about providers across requests and reloads: cool downs, the manual switch, last errors,
//! counters. Keyed by names, outside of the engine, so that a reload carries it over untouched.

mod snapshot;
#[cfg(test)]
mod tests;

use super::{Engine, Ms};
use bytes::Bytes;
use http::HeaderMap;
use std::collections::HashMap;

/// The word that gives the choice of the provider back to the rules.
pub const AUTO: &str = "auto";

/// How long the text of a kept error may be, in bytes.
const KEPT_ERROR: usize = 16 * 1024;

/// A provider's standing at one moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Standing {
    /// It answered when it was last asked, or its cool down has run out.
    Available,
    /// It was never asked.
    Unknown,
    /// A rule put it aside for some time.
    Cooling,
    /// A rule put it aside until a probe finds it well, or it has no key.
    Down,
}

impl Standing {
    /// The word used by `/v1/health`.
    pub fn name(self) -> &'static str {
        match self {
            Standing::Available => "available",
            Standing::Unknown => "unknown",
            Standing::Cooling => "cooling",
            Standing::Down => "down",
        }
    }
}

/// Why a provider is not asked at the moment.
#[derive(Clone, PartialEq, Debug)]
pub struct Pause {
    /// When it began.
    pub since: Ms,
    /// When it ends; `None`: when a probe finds the provider well.
    pub until: Option<Ms>,
    /// The rule that asked for it.
    pub rule: String,
}

/// An error as it is remembered: enough to answer a later client with it.
#[derive(Clone, Debug)]
pub struct KeptError {
    /// When it was seen.
    pub at: Ms,
    /// The failure's kind by name.
    pub kind: &'static str,
    /// The status that a client is told.
    pub status: u16,
    /// The provider's headers.
    pub headers: HeaderMap,
    /// The provider's text, cut to 16 KiB.
    pub body: Bytes,
    /// What happened, for people.
    pub message: String,
    /// The rule that decided, if one did.
    pub rule: Option<String>,
}

/// All that is known about one provider.
#[derive(Clone, Debug, Default)]
pub struct ProviderHealth {
    cooling: Option<Pause>,
    down: Option<Pause>,
    /// The latest error, even if the provider has recovered since.
    pub last_error: Option<KeptError>,
    /// When it last answered well.
    pub last_success: Option<Ms>,
    /// When the standing last changed.
    pub since: Option<Ms>,
    /// Attempts made, probes included.
    pub attempts: u64,
    /// Attempts that failed.
    pub failures: u64,
    /// Probes in a row that found it well.
    pub good_probes: u32,
    /// When it was last probed.
    pub last_probe: Option<Ms>,
}

/// A person's choice of the provider that goes first.
#[derive(Clone, Debug, PartialEq)]
pub struct Switch {
    /// The chosen provider.
    pub provider: String,
    /// When it was chosen.
    pub since: Ms,
}

/// A switch to a provider that does not exist.
#[derive(Clone, Debug, PartialEq)]
pub struct UnknownProvider {
    /// The names that could have been chosen, [`AUTO`] included.
    pub names: Vec<String>,
}

/// The standing of all providers. One per process, behind the edge's lock.
#[derive(Clone, Debug, Default)]
pub struct Health {
    providers: HashMap<String, ProviderHealth>,
    switch: Option<Switch>,
}

/// Health as the plan reaches it: its own, or, behind a lock, that of all requests. A plan asks for it for
/// moments only, and never while it writes a request.
pub trait Shared {
    /// Looks at the health, or changes it.
    fn with<R>(&mut self, use_it: impl FnOnce(&mut Health) -> R) -> R;
}

impl Shared for Health {
    fn with<R>(&mut self, use_it: impl FnOnce(&mut Health) -> R) -> R {
        use_it(self)
    }
}

impl Health {
    /// Nothing known yet.
    pub fn new() -> Self {
        Health::default()
    }

    /// What is known about a provider, if it was ever asked or put aside.
    pub fn provider(&self, name: &str) -> Option<&ProviderHealth> {
        self.providers.get(name)
    }

    /// The person's choice in force.
    pub fn chosen(&self) -> Option<&Switch> {
        self.switch.as_ref()
    }

    /// May a request be sent to it without further reason?
    pub fn is_usable(&self, name: &str, now: Ms) -> bool {
        self.providers
            .get(name)
            .is_none_or(|known| known.down.is_none() && known.cooling_until(now).is_none())
    }

    /// When the provider is free again: `None` if it is free, `Ms::MAX` if only a probe can tell.
    pub fn free_at(&self, name: &str, now: Ms) -> Option<Ms> {
        let known = self.providers.get(name)?;
        if known.down.is_some() { Some(Ms::MAX) } else { known.cooling_until(now) }
    }

    /// The pause in force, if any.
    pub fn pause(&self, name: &str, now: Ms) -> Option<&Pause> {
        let known = self.providers.get(name)?;
        known
            .down
            .as_ref()
            .or(known.cooling.as_ref().filter(|pause| pause.until.is_some_and(|until| until > now)))
    }

    /// The standing of a provider that has a key.
    pub fn standing(&self, name: &str, now: Ms) -> Standing {
        match self.providers.get(name) {
            None => Standing::Unknown,
            Some(known) if known.down.is_some() => Standing::Down,
            Some(known) if known.cooling_until(now).is_some() => Standing::Cooling,
            Some(known) if known.attempts == 0 => Standing::Unknown,
            Some(_) => Standing::Available,
        }
    }

    /// Puts a provider aside until `until`. A pause that ends later stays as it is. Returns the end in force.
    pub fn cool_down(&mut self, name: &str, until: Ms, rule: &str, now: Ms) -> Ms {
        let known = self.entry(name);
        if let Some(current) = known.cooling_until(now)
            && current >= until
        {
            return current;
        }
        let since = known.cooling.as_ref().filter(|pause| pause.until.is_some_and(|until| until > now));
        let since = since.map_or(now, |pause| pause.since);
        known.cooling = Some(Pause { since, until: Some(until), rule: rule.to_owned() });
        known.since = Some(since);
        until
    }

    /// Puts a provider aside until a probe finds it well.
    pub fn down(&mut self, name: &str, rule: &str, now: Ms) {
        let known = self.entry(name);
        if known.down.is_none() {
            known.down = Some(Pause { since: now, until: None, rule: rule.to_owned() });
            known.since = Some(now);
        }
        known.good_probes = 0;
    }

    /// An attempt was made.
    pub fn asked(&mut self, name: &str) {
        self.entry(name).attempts += 1;
    }

    /// The provider answered well.
    pub fn succeeded(&mut self, name: &str, now: Ms) {
        let known = self.entry(name);
        if known.last_success.is_none() {
            known.since.get_or_insert(now);
        }
        known.last_success = Some(now);
    }

    /// The provider failed; the error is kept for `/v1/health` and for answers while it is put aside.
    pub fn failed(&mut self, name: &str, mut error: KeptError) {
        error.body.truncate(KEPT_ERROR);
        let known = self.entry(name);
        known.failures += 1;
        known.last_error = Some(error);
    }

    /// The provider is usable again, whatever was known. Returns the pause that this ended.
    pub fn recovered(&mut self, name: &str, now: Ms) -> Option<Pause> {
        let known = self.providers.get_mut(name)?;
        known.good_probes = 0;
        let cooling = known.cooling.take().filter(|pause| pause.until.is_some_and(|until| until > now));
        let ended = known.down.take().or(cooling);
        if ended.is_some() {
            known.since = Some(now);
        }
        ended
    }

    /// One probe's result. True if with this one the provider counts as recovered: `needed` good ones in a row.
    pub fn probed(&mut self, name: &str, well: bool, needed: u32, now: Ms) -> bool {
        let known = self.entry(name);
        known.last_probe = Some(now);
        known.good_probes = if well { known.good_probes.saturating_add(1) } else { 0 };
        if well && known.good_probes >= needed.max(1) { self.recovered(name, now).is_some() } else { false }
    }

    /// Makes `target` the first choice and usable at once, or gives the choice back with [`AUTO`].
    /// Returns the provider that is current afterwards.
    pub fn switch(&mut self, engine: &Engine, target: &str, now: Ms) -> Result<String, UnknownProvider> {
        if target == AUTO {
            self.switch = None;
        } else if engine.provider(target).is_some() {
            self.recovered(target, now);
            self.switch = Some(Switch { provider: target.to_owned(), since: now });
        } else {
            let names = engine.providers.iter().map(|provider| provider.name.clone());
            return Err(UnknownProvider { names: names.chain([AUTO.to_owned()]).collect() });
        }
        Ok(self.current(engine, now).unwrap_or_default().to_owned())
    }

    /// The provider that a request would go to: the chosen one, else the first one that is usable, else the
    /// one that is free soonest. `None` if no provider has a key.
    pub fn current<'a>(&self, engine: &'a Engine, now: Ms) -> Option<&'a str> {
        let order = self.order(engine, engine.by_priority());
        let ready = order.iter().filter_map(|index| engine.providers.get(*index)).filter(|p| p.has_key());
        let usable = ready.clone().find(|provider| self.is_usable(&provider.name, now));
        let soonest = || ready.min_by_key(|provider| self.free_at(&provider.name, now));
        usable.or_else(soonest).map(|provider| provider.name.as_str())
    }

    /// `candidates` with the chosen provider, if it is among them, in front.
    pub fn order(&self, engine: &Engine, candidates: &[usize]) -> Vec<usize> {
        let mut order = candidates.to_vec();
        let chosen = self.switch.as_ref().and_then(|switch| engine.provider(&switch.provider));
        if let Some(place) = order.iter().position(|index| Some(*index) == chosen)
            && let Some(part) = order.get_mut(..=place)
        {
            part.rotate_right(1);
        }
        order
    }

    /// Forgets nothing, but drops a choice of a provider that no longer exists. Called after a reload.
    pub fn adopt(&mut self, engine: &Engine) {
        if self.switch.as_ref().is_some_and(|switch| engine.provider(&switch.provider).is_none()) {
            self.switch = None;
        }
    }

    fn entry(&mut self, name: &str) -> &mut ProviderHealth {
        self.providers.entry(name.to_owned()).or_default()
    }
}

impl ProviderHealth {
    fn cooling_until(&self, now: Ms) -> Option<Ms> {
        self.cooling.as_ref().and_then(|pause| pause.until).filter(|until| *until > now)
    }
}
