//! What is known about providers across requests and reloads: cool downs, the manual switch, last errors,
//! counters. Keyed by names, outside of the engine, so that a reload carries it over untouched.

mod choice;
pub mod clear;
mod clock;
pub mod evidence;
pub mod origin;
pub mod pauses;
mod snapshot;
mod state;
#[cfg(test)]
mod tests;

pub use choice::{AUTO, Switch, UnknownProvider};
pub use pauses::{Aside, Lane, Pause, Wanted};
pub use snapshot::KeptError;

use super::provider::{OwnKey, Provider, Rotate};
use super::{Engine, Ms};
use evidence::{After, Counting, Evidence, Tally};
use origin::{Loaded, Meanings};
use pauses::Pauses;
use std::borrow::Cow;
use std::collections::HashMap;

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

/// All that is known about one provider.
#[derive(Clone, Debug, Default)]
pub struct ProviderHealth {
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
    /// Requests for which its keys took turns.
    turns: usize,
    /// Requests under way.
    under_way: u32,
}

/// What the rules say of a provider, as far as its standing depends on it.
#[derive(Clone, Debug, Default)]
struct Known {
    /// The ids of its keys.
    keys: Vec<String>,
    /// All models that it is asked for, if the rules fix them.
    models: Option<Vec<String>>,
    /// The rules that may judge it.
    rules: Meanings,
}

/// The standing of all providers. One per process, behind the edge's lock.
#[derive(Clone, Debug, Default)]
pub struct Health {
    providers: HashMap<String, ProviderHealth>,
    pauses: Pauses,
    /// Failures that are not yet enough for a pause.
    evidence: Evidence,
    switch: Option<Switch>,
    /// When a key was last put aside, by its id.
    limited: HashMap<String, Ms>,
    /// The providers of the rules in force.
    known: HashMap<String, Known>,
    /// When these came into force, once cool-downs were compared with them.
    loaded: Option<Loaded>,
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

    /// Can a request be sent to it without further reason, by some key and for some model?
    pub fn is_usable(&self, name: &str, now: Ms) -> bool {
        self.pause(name, now).is_none()
    }

    /// When the provider is free again: `None` if some way to it is, `Ms::MAX` if only a probe can tell.
    pub fn free_at(&self, name: &str, now: Ms) -> Option<Ms> {
        self.pause(name, now).map(|pause| pause.until.unwrap_or(Ms::MAX))
    }

    /// The pause in force, if no way to the provider is left: of all ways the one that is open again first.
    pub fn pause(&self, name: &str, now: Ms) -> Option<&Pause> {
        let mut first: Option<&Pause> = None;
        for lane in self.lanes(name) {
            let pause = self.closed(&lane, now)?;
            let sooner = |other: &Pause| pause.until.is_some_and(|at| other.until.is_none_or(|end| at < end));
            if first.is_none_or(sooner) {
                first = Some(pause);
            }
        }
        first
    }

    /// The ways to a provider by its keys and models; a model that no rule fixes is any that has no pause.
    fn lanes<'a>(&'a self, name: &'a str) -> impl Iterator<Item = Lane<'a>> {
        const ANY: &[String] = &[String::new()];
        let known = self.known.get(name);
        let keys = known.map(|known| known.keys.as_slice()).filter(|keys| !keys.is_empty()).unwrap_or(ANY);
        let models = known.and_then(|known| known.models.as_deref()).unwrap_or(ANY);
        keys.iter().flat_map(move |key| {
            let lane = move |model: &'a String| Lane { provider: name, key, model: Cow::Borrowed(model) };
            models.iter().map(lane)
        })
    }

    /// What keeps a way closed, and for how long.
    pub fn closed(&self, lane: &Lane<'_>, now: Ms) -> Option<&Pause> {
        let down = self.providers.get(lane.provider).and_then(|known| known.down.as_ref());
        down.or_else(|| self.pauses.of(lane, now))
    }

    /// Is the way open?
    pub fn is_open(&self, lane: &Lane<'_>, now: Ms) -> bool {
        self.closed(lane, now).is_none()
    }

    /// Is anything of the provider put aside: itself, one of its keys, or a model?
    pub fn is_touched(&self, provider: &Provider, now: Ms) -> bool {
        let is_down = self.providers.get(&provider.name).is_some_and(|known| known.down.is_some());
        is_down || self.pauses_of(provider, now).next().is_some()
    }

    /// When a way is open again: `None` if it is, `Ms::MAX` if only a probe can tell.
    pub fn opens_at(&self, lane: &Lane<'_>, now: Ms) -> Option<Ms> {
        self.closed(lane, now).map(|pause| pause.until.unwrap_or(Ms::MAX))
    }

    /// Whether the answer that closed the way stated itself for how long, and that time is not over.
    pub fn is_refused(&self, lane: &Lane<'_>, now: Ms) -> bool {
        self.pauses.is_refused(lane, now)
    }

    /// The pauses of single keys and models of a provider, and of itself, that are in force.
    pub fn pauses_of<'a>(
        &'a self,
        provider: &'a Provider,
        now: Ms,
    ) -> impl Iterator<Item = (&'a Aside, &'a Pause)> {
        self.pauses
            .in_force(now)
            .filter(|(aside, _)| is_of(aside, &provider.name, &|id| provider.has_key_id(id)))
    }

    /// The standing of a provider that has a key.
    pub fn standing(&self, name: &str, now: Ms) -> Standing {
        let known = self.providers.get(name);
        match self.pause(name, now) {
            Some(pause) if pause.until.is_none() => Standing::Down,
            Some(_) => Standing::Cooling,
            None if known.is_none_or(|known| known.attempts == 0) => Standing::Unknown,
            None => Standing::Available,
        }
    }

    /// Puts a provider as a whole aside until `until`. A pause that ends later stays as it is. Returns the end
    /// in force.
    pub fn cool_down(&mut self, name: &str, until: Ms, rule: &str, now: Ms) -> Ms {
        let (meaning, trials, is_guess, is_stated, is_moment) = (None, 0, false, false, false);
        let wanted = Wanted { until, rule, meaning, trials, is_guess, is_stated, is_moment };
        self.put_aside(Aside::provider(name), wanted, now)
    }

    /// Puts something aside until `until`. A pause that ends later stays as it is. Returns the end in force.
    pub fn put_aside(&mut self, aside: Aside, wanted: Wanted<'_>, now: Ms) -> Ms {
        match &aside.whose {
            pauses::Whose::Provider(name) => {
                let is_new = !self.pauses.in_force(now).any(|(other, _)| *other == aside);
                let known = self.entry(name);
                if is_new {
                    known.since = Some(now);
                }
            }
            pauses::Whose::Key(id) => {
                self.limited.insert(id.clone(), now);
            }
        }
        let until = self.pauses.begin(aside.clone(), wanted, now);
        // A request that began before a reload is judged by the rules of then.
        let outdated = self.pauses.get(&aside).and_then(|pause| self.outdated(&aside, pause));
        if let Some(pause) = self.pauses.get_mut(&aside) {
            pause.outdated = outdated;
        }
        until
    }

    /// Notes which request's failure began a pause: of something, or, if that is `None`, of a provider that is down.
    pub fn caused_by(&mut self, provider: &str, aside: Option<&Aside>, request: &str) {
        match aside {
            Some(aside) => self.pauses.caused_by(aside, request),
            None => {
                if let Some(down) = self.providers.get_mut(provider).and_then(|known| known.down.as_mut()) {
                    down.request.get_or_insert_with(|| request.to_owned());
                }
            }
        }
    }

    /// A failure that a rule wants to have seen several times before it puts something aside. Whatever has been put
    /// aside already and was not found well since then needs no second proof.
    pub fn count(&mut self, lane: &Lane<'_>, aside: &Aside, rule: &str, after: After, now: Ms) -> Counting {
        if let Some(pause) = self.pauses.get(aside) {
            let said =
                if pause.holds(now) { "it was cooling down" } else { "it had not been found well since" };
            return Counting { is_enough: true, said: format!("{said} rule {} put it aside", pause.rule) };
        }
        self.evidence.failed(lane, aside, rule, after, now)
    }

    /// Failures of a provider, its keys and models that are not yet enough for a pause, with the rules that count them.
    pub fn evidence_of<'a>(
        &'a self,
        provider: &'a Provider,
    ) -> impl Iterator<Item = (&'a Aside, &'a str, &'a Tally)> {
        self.evidence.all().filter(|(aside, ..)| is_of(aside, &provider.name, &|id| provider.has_key_id(id)))
    }

    /// How often a pause that begins now comes again without a good answer in between.
    pub fn repeats(&self, aside: &Aside, now: Ms) -> u32 {
        self.pauses.repeats(aside, now)
    }

    /// How many providers other than this one are put aside for being out of order.
    pub fn guessed_out(&self, other_than: &str, now: Ms) -> usize {
        let paused: Vec<&str> = self.pauses.guessed_out(now).collect();
        let down = self.providers.iter().filter(|(_, known)| known.down.is_some());
        let down = down.map(|(name, _)| name.as_str()).filter(|name| !paused.contains(name));
        down.chain(paused.iter().copied()).filter(|name| *name != other_than).count()
    }

    /// The pause that has run out on this way, while as many requests as may are finding out what follows.
    pub fn on_trial(&self, lane: &Lane<'_>, now: Ms) -> Option<&Pause> {
        self.pauses.on_trial(lane, now)
    }

    /// A request goes this way. If a pause has run out there, the request finds out whether all is well again;
    /// `end`: when it is given up for lost. To be followed by [`Health::disengage`] with the same `end`.
    pub fn engage(&mut self, lane: &Lane<'_>, end: Ms, now: Ms) {
        self.entry(lane.provider).under_way += 1;
        self.pauses.try_out(lane, end, now);
    }

    /// A request that went this way is over, however it went.
    pub fn disengage(&mut self, lane: &Lane<'_>, end: Ms) {
        let known = self.entry(lane.provider);
        known.under_way = known.under_way.saturating_sub(1);
        self.pauses.leave_off(lane, end);
    }

    /// How many requests a provider is busy with.
    pub fn under_way(&self, name: &str) -> u32 {
        self.providers.get(name).map_or(0, |known| known.under_way)
    }

    /// The pause of exactly this, be it one that has run out and is not over.
    pub fn pause_of(&self, aside: &Aside) -> Option<&Pause> {
        self.pauses.get(aside)
    }

    /// Puts a provider aside until a probe finds it well. Returns whether it was not so already.
    pub fn down(&mut self, name: &str, rule: &str, meaning: Option<u64>, now: Ms) -> bool {
        let mut pause = Pause::down(rule, meaning, now);
        pause.outdated = self.outdated(&Aside::provider(name), &pause);
        let known = self.entry(name);
        let is_new = known.down.is_none();
        if is_new {
            known.down = Some(pause);
            known.since = Some(now);
        }
        known.good_probes = 0;
        is_new
    }

    /// An attempt was made.
    pub fn asked(&mut self, name: &str) {
        self.entry(name).attempts += 1;
    }

    /// The provider answered a request well on this way that it was sent at `asked`. True if with that a pause is
    /// over: one that had run out, or one that was a guess and had begun by then.
    pub fn succeeded(&mut self, lane: &Lane<'_>, asked: Ms, now: Ms) -> bool {
        let known = self.entry(lane.provider);
        if known.last_success.is_none() {
            known.since.get_or_insert(now);
        }
        known.last_success = Some(now);
        self.pauses.over(lane, asked, now)
    }

    /// The provider answered on this way to the good end: a stream that has only begun says little. Also where it refused
    /// what was the caller's own mistake.
    pub fn lives(&mut self, lane: &Lane<'_>, now: Ms) {
        self.evidence.answered(lane, now);
    }

    /// The provider failed; the error is kept for `/v1/health`.
    pub fn failed(&mut self, name: &str, error: KeptError) {
        self.entry(name).failures += 1;
        self.noted(name, error);
    }

    /// The provider gave an error that is its caller's affair; it is kept for `/v1/health`, and counts as no failure.
    pub fn noted(&mut self, name: &str, error: KeptError) {
        self.entry(name).last_error = Some(error);
    }

    /// The provider is usable again by all its keys and for all models, whatever was known. Returns the pause
    /// that this ended, the longest if there were several.
    pub fn recovered(&mut self, name: &str, now: Ms) -> Option<Pause> {
        let keys = self.known.get(name).map(|known| known.keys.clone()).unwrap_or_default();
        let is_its = |aside: &Aside| is_of(aside, name, &|id| keys.iter().any(|key| key == id));
        self.evidence.forget(is_its);
        let ended = self.pauses.end(now, is_its);
        self.ended(name, ended, now)
    }

    fn ended(&mut self, name: &str, ended: Option<Pause>, now: Ms) -> Option<Pause> {
        let Some(known) = self.providers.get_mut(name) else {
            return ended;
        };
        known.good_probes = 0;
        let ended = known.down.take().or(ended);
        if ended.is_some() {
            known.since = Some(now);
        }
        ended
    }

    /// One probe's result. True if with this one the way is open again that was not, or was half-open: `needed` good ones
    /// in a row.
    pub fn probed(&mut self, lane: &Lane<'_>, well: bool, needed: u32, now: Ms) -> bool {
        let known = self.entry(lane.provider);
        known.last_probe = Some(now);
        if well {
            known.last_success = Some(now);
            known.since.get_or_insert(now);
        }
        known.good_probes = if well { known.good_probes.saturating_add(1) } else { 0 };
        if !well || known.good_probes < needed.max(1) {
            return false;
        }
        let was_half_open = self.pauses.all().any(|(aside, _)| aside.covers(lane));
        let ended = self.pauses.end(now, |aside| aside.covers(lane));
        self.ended(lane.provider, ended, now).is_some() || was_half_open
    }

    /// The places of a provider's keys in the order in which this request takes them.
    pub fn key_order(&mut self, provider: &Provider) -> Vec<usize> {
        let mut order: Vec<usize> = (0..provider.keys.len()).collect();
        match provider.rotate {
            _ if order.len() < 2 => {}
            Rotate::InOrder => {}
            Rotate::RoundRobin => {
                let known = self.entry(&provider.name);
                let first = known.turns % provider.keys.len();
                known.turns = known.turns.wrapping_add(1);
                order.rotate_left(first);
            }
            Rotate::LeastRecentlyLimited => {
                let limited = |place: &usize| provider.key(*place).and_then(|key| self.limited.get(&key.id));
                order.sort_by_key(|place| limited(place).copied());
            }
        }
        order
    }

    /// Learns which providers there are, by which keys and for which models; to be called for the first rules
    /// and after each reload. Forgets nothing, but drops a choice of a provider that no longer exists.
    pub fn adopt(&mut self, engine: &Engine) {
        self.learn(engine, OwnKey::is_set);
        for (place, provider) in engine.providers.iter().enumerate() {
            if let Some(known) = self.known.get_mut(&provider.name) {
                known.rules = origin::meanings(engine, place);
            }
        }
    }

    /// The same where nothing is really sent, and keys without a value take part.
    pub fn rehearse(&mut self, engine: &Engine) {
        self.learn(engine, |_| true);
    }

    fn learn(&mut self, engine: &Engine, counts: impl Fn(&OwnKey) -> bool) {
        if self.switch.as_ref().is_some_and(|switch| engine.provider(&switch.provider).is_none()) {
            self.switch = None;
        }
        let known = engine.providers.iter().map(|provider| {
            let keys = provider.keys.iter().filter(|key| counts(key)).map(|key| key.id.clone()).collect();
            let models = provider.fixed_models().map(|names| names.into_iter().map(str::to_owned).collect());
            (provider.name.clone(), Known { keys, models, rules: Meanings::new() })
        });
        self.known = known.collect();
    }

    fn entry(&mut self, name: &str) -> &mut ProviderHealth {
        self.providers.entry(name.to_owned()).or_default()
    }
}

/// Does a pause concern the provider, as a whole or in part?
fn is_of(aside: &Aside, provider: &str, has_key: &dyn Fn(&str) -> bool) -> bool {
    match &aside.whose {
        pauses::Whose::Provider(name) => name == provider,
        pauses::Whose::Key(id) => has_key(id),
    }
}
