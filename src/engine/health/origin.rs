//! Whether the rules in force still have the rule that began a cool-down.

use super::pauses::Whose;
use super::{Aside, Health, Pause, is_of};
use crate::engine::judge::Rules;
use crate::engine::{Engine, Ms, Provider};
use crate::text::units::{clock_text, instant_text};
use std::collections::{BTreeSet, HashMap};
use std::fmt;

/// When rules came into force, and how that moment is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Loaded {
    /// When, in milliseconds since 1970.
    pub at: Ms,
    /// Minutes by which the clock of the log is ahead of UTC.
    pub offset: i32,
    /// Whether that was the start of the router, and not a reload.
    pub is_start: bool,
}

/// What became of the rule that began a cool-down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// There is no rule of that name any more.
    Gone,
    /// Its condition, or for how long it leaves a provider alone, is another one.
    Changed,
}

/// A cool-down's rule is no longer as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outdated {
    /// What became of it.
    pub fate: Fate,
    /// Since when.
    pub since: Loaded,
}

impl Fate {
    /// The word in the state file and on the pages.
    pub fn word(self) -> &'static str {
        match self {
            Fate::Gone => "gone",
            Fate::Changed => "changed",
        }
    }
}

impl Outdated {
    /// `gone since the reload of 12:03Z`, as it reads at `now`.
    pub fn told(&self, now: Ms) -> String {
        let what = match self.fate {
            Fate::Gone => "gone since",
            Fate::Changed => "another one since",
        };
        let load = if self.since.is_start { "start" } else { "reload" };
        format!("{what} the {load} of {}", clock_text(self.since.at, self.since.offset, now))
    }
}

/// What every rule that may judge a provider means, by its name; routes may have several of one name.
pub(super) type Meanings = HashMap<String, Vec<u64>>;

/// The meanings of the rules for what the provider in this place does.
pub(super) fn meanings(engine: &Engine, place: usize) -> Meanings {
    let ways = engine.routes.iter().flat_map(|route| &route.ways).filter(|way| way.provider == place);
    let of_routes = ways.filter_map(|way| way.rules.as_deref());
    let usual = engine.providers.get(place).map(|provider| &provider.rules);
    let mut all = Meanings::new();
    for rule in of_routes.chain(usual).flat_map(Rules::all) {
        match all.get_mut(&rule.name) {
            Some(known) if known.contains(&rule.meaning) => {}
            Some(known) => known.push(rule.meaning),
            None => drop(all.insert(rule.name.clone(), vec![rule.meaning])),
        }
    }
    all
}

/// A cool-down whose rule is gone or changed, as a reload tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Orphan {
    /// The provider.
    pub provider: String,
    /// Which of its keys, if it has several and one is meant.
    pub key: Option<String>,
    /// Which model, if one is meant.
    pub model: Option<String>,
    /// The rule that began it.
    pub rule: String,
    /// When it ends, or would have ended; `None`: when a probe finds the provider well.
    pub until: Option<Ms>,
    /// What became of the rule.
    pub fate: Fate,
    /// Whether it was ended.
    pub ended: bool,
}

impl fmt::Display for Orphan {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Orphan { provider, rule, .. } = self;
        out.write_str(provider)?;
        if let Some(key) = &self.key {
            write!(out, " (key {key})")?;
        }
        if let Some(model) = &self.model {
            write!(out, " for {model}")?;
        }
        let what = match self.fate {
            Fate::Gone => "gone",
            Fate::Changed => "another one now",
        };
        if self.ended {
            return write!(out, " no longer cools down by rule {rule}, which is {what}");
        }
        let until = self.until.map_or_else(|| "a probe finds it well".to_owned(), instant_text);
        write!(out, " keeps cooling down until {until} by rule {rule}, which is {what}")
    }
}

impl Health {
    /// Compares the rules in force, which [`Health::adopt`] has learnt, with those that began what cools down, and
    /// returns what has lost its rule since the last comparison. With `clear` that ends, and its failures are forgotten.
    pub fn compare_rules(&mut self, engine: &Engine, loaded: Loaded, clear: bool) -> Vec<Orphan> {
        self.loaded = Some(loaded);
        let mut orphans = Vec::new();
        let mut ended = BTreeSet::new();
        let mut pauses = std::mem::take(&mut self.pauses);
        for (aside, pause) in pauses.all_mut() {
            let before = pause.outdated;
            pause.outdated = self.outdated(aside, pause);
            let Some(outdated) = pause.outdated else { continue };
            let is_told =
                pause.holds(loaded.at) && (clear || before.map(|it| it.fate) != Some(outdated.fate));
            let concerned = engine.providers.iter().filter(|provider| concerns(aside, provider));
            orphans.extend(concerned.filter(|_| is_told).map(|provider| Orphan {
                provider: provider.name.clone(),
                key: key_of(provider, aside),
                model: aside.model.clone(),
                rule: pause.rule.clone(),
                until: pause.until,
                fate: outdated.fate,
                ended: clear,
            }));
            if clear {
                ended.insert(aside.clone());
            }
        }
        pauses.end(loaded.at, |aside| ended.contains(aside));
        self.evidence.forget(|aside| ended.contains(aside));
        self.pauses = pauses;
        self.compare_down(engine, loaded, clear, &mut orphans);
        orphans
    }

    /// The same for providers that are down until a probe finds them well.
    fn compare_down(&mut self, engine: &Engine, loaded: Loaded, clear: bool, orphans: &mut Vec<Orphan>) {
        for provider in &engine.providers {
            let name = &provider.name;
            let down = self.providers.get(name).and_then(|known| known.down.as_ref());
            let Some(down) = down else { continue };
            let (before, now) = (down.outdated, self.outdated(&Aside::provider(name), down));
            let rule = down.rule.clone();
            let Some(known) = self.providers.get_mut(name) else { continue };
            known.down.iter_mut().for_each(|down| down.outdated = now);
            let Some(outdated) = now else { continue };
            if clear {
                known.down = None;
                (known.since, known.good_probes) = (Some(loaded.at), 0);
            }
            if clear || before.map(|it| it.fate) != Some(outdated.fate) {
                let (provider, fate) = (name.clone(), outdated.fate);
                let (key, model, until, ended) = (None, None, None, clear);
                orphans.push(Orphan { provider, key, model, rule, until, fate, ended });
            }
        }
    }

    /// What became of a cool-down's rule; `None` where it is as it was, or where nobody can tell: what concerns no
    /// provider of the rules in force is nobody's.
    pub(super) fn outdated(&self, aside: &Aside, pause: &Pause) -> Option<Outdated> {
        let loaded = self.loaded?;
        let concerned = self.known.iter().filter(|(name, known)| match &aside.whose {
            Whose::Provider(of) => of == *name,
            Whose::Key(id) => known.keys.contains(id),
        });
        let mut fate = None;
        for (_, known) in concerned {
            let now = match known.rules.get(&pause.rule) {
                None => Fate::Gone,
                Some(meanings) if pause.meaning.is_none_or(|meaning| meanings.contains(&meaning)) => {
                    return None;
                }
                Some(_) => Fate::Changed,
            };
            fate = Some(if fate == Some(Fate::Changed) { Fate::Changed } else { now });
        }
        let fate = fate?;
        let same = pause.outdated.filter(|before| before.fate == fate);
        Some(same.unwrap_or(Outdated { fate, since: loaded }))
    }
}

fn concerns(aside: &Aside, provider: &Provider) -> bool {
    is_of(aside, &provider.name, &|id| provider.has_key_id(id))
}

/// The name of the key that is meant, if it is one of several.
fn key_of(provider: &Provider, aside: &Aside) -> Option<String> {
    super::snapshot::key_of(provider, aside).map(str::to_owned)
}
