//! A person's choice of the provider that goes first, for good or for some time.

use super::{Health, Pause};
use crate::engine::{Engine, Ms, Provider};

/// The word that gives the choice of the provider back to the rules.
pub const AUTO: &str = "auto";

/// A person's choice of the provider that goes first.
#[derive(Clone, Debug, PartialEq)]
pub struct Switch {
    /// The chosen provider.
    pub provider: String,
    /// When it was chosen.
    pub since: Ms,
    /// When the choice ends by itself; `None`: never.
    pub until: Option<Ms>,
}

impl Switch {
    fn holds(&self, now: Ms) -> bool {
        self.until.is_none_or(|until| until > now)
    }
}

/// A switch to a provider that does not exist.
#[derive(Clone, Debug, PartialEq)]
pub struct UnknownProvider {
    /// The names that could have been chosen, [`AUTO`] included.
    pub names: Vec<String>,
}

impl Health {
    /// The person's choice in force.
    pub fn chosen(&self, now: Ms) -> Option<&Switch> {
        self.switch.as_ref().filter(|switch| switch.holds(now))
    }

    /// Makes `target` the first choice and usable at once, or gives the choice back with [`AUTO`].
    /// Returns the provider that is current afterwards.
    pub fn switch(&mut self, engine: &Engine, target: &str, now: Ms) -> Result<String, UnknownProvider> {
        self.switch_until(engine, target, None, now).map(|(current, _)| current)
    }

    /// The same for some time: at `until` the choice ends by itself. Also returns the cool-down of the chosen provider that
    /// this ended, if there was one.
    pub fn switch_until(
        &mut self,
        engine: &Engine,
        target: &str,
        until: Option<Ms>,
        now: Ms,
    ) -> Result<(String, Option<Pause>), UnknownProvider> {
        let mut ended = None;
        if target == AUTO {
            self.switch = None;
        } else if engine.provider(target).is_some() {
            ended = self.recovered(target, now);
            self.switch = Some(Switch { provider: target.to_owned(), since: now, until });
        } else {
            let names = engine.providers.iter().map(|provider| provider.name.clone());
            return Err(UnknownProvider { names: names.chain([AUTO.to_owned()]).collect() });
        }
        Ok((self.current(engine, now).unwrap_or_default().to_owned(), ended))
    }

    /// Forgets a person's choice whose time is over. Returns it, once.
    pub fn end_switch(&mut self, now: Ms) -> Option<Switch> {
        self.switch.take_if(|switch| !switch.holds(now))
    }

    /// The provider that a request would go to: the chosen one, else the first one that is usable, else the
    /// one that is free soonest. `None` if no provider has a key.
    pub fn current<'a>(&self, engine: &'a Engine, now: Ms) -> Option<&'a str> {
        let mut order: Vec<&Provider> =
            engine.by_priority().iter().filter_map(|index| engine.providers.get(*index)).collect();
        // The sort is stable: only the chosen one moves.
        order.sort_by_key(|provider| !self.is_chosen(&provider.name, now));
        let ready = order.into_iter().filter(|provider| provider.has_key());
        let usable = ready.clone().find(|provider| self.is_usable(&provider.name, now));
        let soonest = || ready.min_by_key(|provider| self.free_at(&provider.name, now));
        usable.or_else(soonest).map(|provider| provider.name.as_str())
    }

    /// Is the provider a person's choice?
    pub fn is_chosen(&self, name: &str, now: Ms) -> bool {
        self.chosen(now).is_some_and(|switch| switch.provider == name)
    }
}
