//! What is put aside and until when: providers and keys, each as a whole or for one model.

use crate::engine::Ms;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// How many pauses are kept at most. Those of models are named by clients, who may make up any number.
const MOST: usize = 2048;

/// One way to an answer, as far as pauses are concerned.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Lane<'a> {
    /// The provider's name.
    pub provider: &'a str,
    /// What tells its key from others: [`crate::engine::provider::OwnKey::id`].
    pub key: &'a str,
    /// The provider's name of the model; empty if the request names none.
    pub model: Cow<'a, str>,
}

/// What a pause is about.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Aside {
    /// Whose it is.
    pub whose: Whose,
    /// For this model only, by the provider's name of it.
    pub model: Option<String>,
}

/// Whose a pause is.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Whose {
    /// The provider of that name.
    Provider(String),
    /// All that use the key of that id.
    Key(String),
}

impl Aside {
    /// A provider as a whole.
    pub fn provider(name: &str) -> Aside {
        Aside { whose: Whose::Provider(name.to_owned()), model: None }
    }

    /// A key, wherever it is used.
    pub fn key(id: &str) -> Aside {
        Aside { whose: Whose::Key(id.to_owned()), model: None }
    }

    /// The same for one model; for all, if the request names none.
    pub fn with_model(self, model: &str) -> Aside {
        Aside { model: (!model.is_empty()).then(|| model.to_owned()), ..self }
    }

    /// Does it concern this way?
    pub fn covers(&self, lane: &Lane<'_>) -> bool {
        let is_its = match &self.whose {
            Whose::Provider(name) => name == lane.provider,
            Whose::Key(id) => id == lane.key,
        };
        is_its && self.model.as_ref().is_none_or(|model| *model == lane.model)
    }
}

/// Why something is not asked at the moment.
#[derive(Clone, PartialEq, Debug)]
pub struct Pause {
    /// When it began.
    pub since: Ms,
    /// When it ends; `None`: when a probe finds the provider well.
    pub until: Option<Ms>,
    /// The rule that asked for it.
    pub rule: String,
}

impl Pause {
    /// Is it in force?
    pub fn holds(&self, now: Ms) -> bool {
        self.until.is_none_or(|until| until > now)
    }
}

/// All pauses that have an end.
#[derive(Clone, Debug, Default)]
pub struct Pauses {
    all: BTreeMap<Aside, Pause>,
}

impl Pauses {
    /// Begins a pause, or lets one last longer; it never becomes shorter. Returns the end in force.
    pub fn begin(&mut self, aside: Aside, until: Ms, rule: &str, now: Ms) -> Ms {
        let since = match self.all.get(&aside) {
            Some(Pause { until: Some(current), .. }) if *current > now && *current >= until => {
                return *current;
            }
            Some(current) if current.holds(now) => current.since,
            _ => now,
        };
        self.make_room(now);
        self.all.insert(aside, Pause { since, until: Some(until), rule: rule.to_owned() });
        until
    }

    fn make_room(&mut self, now: Ms) {
        if self.all.len() < MOST {
            return;
        }
        self.all.retain(|_, pause| pause.holds(now));
        let soonest = self.all.iter().min_by_key(|(_, pause)| pause.until).map(|(aside, _)| aside.clone());
        if let Some(soonest) = soonest.filter(|_| self.all.len() >= MOST) {
            self.all.remove(&soonest);
        }
    }

    /// The pauses in force.
    pub fn in_force(&self, now: Ms) -> impl Iterator<Item = (&Aside, &Pause)> {
        self.all.iter().filter(move |(_, pause)| pause.holds(now))
    }

    /// The one that keeps a way closed longest.
    pub fn of(&self, lane: &Lane<'_>, now: Ms) -> Option<&Pause> {
        let covering = self.in_force(now).filter(|(aside, _)| aside.covers(lane));
        covering.map(|(_, pause)| pause).max_by_key(|pause| pause.until)
    }

    /// Ends all pauses that `is_meant` says, and returns the one in force that would have lasted longest.
    pub fn end(&mut self, now: Ms, is_meant: impl Fn(&Aside) -> bool) -> Option<Pause> {
        let mut ended: Option<Pause> = None;
        self.all.retain(|aside, pause| {
            let goes = is_meant(aside);
            if goes && pause.holds(now) && ended.as_ref().is_none_or(|other| other.until < pause.until) {
                ended = Some(pause.clone());
            }
            !goes
        });
        ended
    }
}
