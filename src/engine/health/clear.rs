//! What a person ends by hand: all cool-downs of a provider, or those of one key or one model.

use super::pauses::Whose;
use super::{Aside, Health, Pause, is_of};
use crate::engine::{Ms, Provider};

/// Which cool-downs of a provider are meant: all, unless a key or a model is named.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cleared {
    /// By name, one of the provider's keys.
    pub key: Option<String>,
    /// The provider's name of the model.
    pub model: Option<String>,
}

/// A name that the provider has not; what names it has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotThere {
    /// There is no such key.
    Key(Vec<String>),
    /// It is asked for no such model.
    Model(Vec<String>),
}

impl Health {
    /// Ends what is meant, and forgets the failures that were counted towards it. Returns the cool-down that this ended,
    /// the longest if there were several.
    pub fn clear(
        &mut self,
        provider: &Provider,
        cleared: &Cleared,
        now: Ms,
    ) -> Result<Option<Pause>, NotThere> {
        let names = || provider.keys.iter().map(|key| key.name.clone()).collect();
        let key = match &cleared.key {
            Some(name) => match provider.keys.iter().find(|key| key.name == *name) {
                Some(key) => Some(key.id.clone()),
                None => return Err(NotThere::Key(names())),
            },
            None => None,
        };
        self.check_model(provider, cleared, now)?;
        if *cleared == Cleared::default() {
            return Ok(self.recovered(&provider.name, now));
        }
        let is_meant = |aside: &Aside| {
            let is_its = match &key {
                Some(key) => aside.whose == Whose::Key(key.clone()),
                None => is_of(aside, &provider.name, &|id| provider.has_key_id(id)),
            };
            is_its && (cleared.model.is_none() || aside.model == cleared.model)
        };
        self.evidence.forget(is_meant);
        Ok(self.pauses.end(now, is_meant))
    }

    /// A model is known if the rules name it, or something is known of it.
    fn check_model(&self, provider: &Provider, cleared: &Cleared, now: Ms) -> Result<(), NotThere> {
        let (Some(model), Some(fixed)) = (&cleared.model, provider.fixed_models()) else { return Ok(()) };
        let mut names: Vec<String> = fixed.into_iter().map(str::to_owned).collect();
        names.extend(self.pauses_of(provider, now).filter_map(|(aside, _)| aside.model.clone()));
        names.sort_unstable();
        names.dedup();
        if names.contains(model) { Ok(()) } else { Err(NotThere::Model(names)) }
    }
}
