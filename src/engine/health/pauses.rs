//! What is put aside and until when: providers and keys, each as a whole or for one model.

use super::origin::Outdated;
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
    /// What that rule meant then: [`crate::engine::judge::Rule::meaning`]; `None` if that is not known.
    pub meaning: Option<u64>,
    /// What has become of that rule since, if it is no longer in force.
    pub outdated: Option<Outdated>,
    /// How many requests at once may try whether all is well when it has run out; 0: all.
    pub trials: u32,
    /// How often it came again without a good answer in between.
    pub repeats: u32,
    /// Is it about a provider out of order, for as long as the rule thinks?
    pub is_guess: bool,
    /// Until when the answer itself said that asking is of no use, if it did.
    pub stated: Option<Ms>,
    /// Does it end at a moment of the calendar that the answer named, and not after some time?
    pub is_moment: bool,
    /// The id of the request whose failure began it, if that is known.
    pub request: Option<String>,
    /// When the trials under way are given up for lost.
    pub(super) under_way: Vec<Ms>,
}

/// How a pause is to be.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// When it ends.
    pub until: Ms,
    /// The rule that asks for it.
    pub rule: &'a str,
    /// What that rule means, if it is one.
    pub meaning: Option<u64>,
    /// How many requests at once may try whether all is well when it has run out; 0: all.
    pub trials: u32,
    /// Is it about a provider out of order, for as long as the rule thinks?
    pub is_guess: bool,
    /// Whether the answer itself says when it ends.
    pub is_stated: bool,
    /// Whether that is a moment of the calendar, and not some time from now.
    pub is_moment: bool,
}

impl Pause {
    /// One without an end.
    pub(super) fn down(rule: &str, meaning: Option<u64>, now: Ms) -> Pause {
        let (rule, under_way) = (rule.to_owned(), Vec::new());
        Pause {
            since: now,
            until: None,
            rule,
            meaning,
            outdated: None,
            trials: 0,
            repeats: 0,
            is_guess: false,
            stated: None,
            is_moment: false,
            request: None,
            under_way,
        }
    }

    /// Why whatever it is about is not asked, as it reads at `now`.
    pub fn reason(&self, now: Ms) -> String {
        let outdated = self.outdated.map(|it| format!(", which is {}", it.told(now))).unwrap_or_default();
        format!("cooling down by rule {}{outdated}", self.rule)
    }

    /// Is it in force?
    pub fn holds(&self, now: Ms) -> bool {
        self.until.is_none_or(|until| until > now)
    }

    /// Has it run out, and are as many requests finding out what follows as may?
    fn is_on_trial(&self, now: Ms) -> bool {
        let under_way = self.under_way.iter().filter(|end| **end > now).count();
        self.trials > 0
            && !self.holds(now)
            && u32::try_from(under_way).is_ok_and(|count| count >= self.trials)
    }
}

/// All pauses that have an end.
#[derive(Clone, Debug, Default)]
pub struct Pauses {
    all: BTreeMap<Aside, Pause>,
}

impl Pauses {
    /// Begins a pause, or lets one last longer; it never becomes shorter. Returns the end in force.
    pub fn begin(&mut self, aside: Aside, wanted: Wanted<'_>, now: Ms) -> Ms {
        let repeats = self.repeats(&aside, now);
        let mut stated = wanted.is_stated.then_some(wanted.until);
        let since = match self.all.get_mut(&aside) {
            Some(current) if current.holds(now) => {
                stated = stated.max(current.stated);
                if let Some(until) = current.until.filter(|until| *until >= wanted.until) {
                    current.stated = stated;
                    return until;
                }
                current.since
            }
            _ => now,
        };
        self.make_room(now);
        let Wanted { until, rule, meaning, trials, is_guess, is_moment, .. } = wanted;
        let until = Some(until);
        let pause = Pause {
            until,
            trials,
            repeats,
            is_guess,
            stated,
            is_moment,
            ..Pause::down(rule, meaning, since)
        };
        self.all.insert(aside, pause);
        wanted.until
    }

    /// How often a pause that begins now comes again: those that fall into one are no repetition.
    pub fn repeats(&self, aside: &Aside, now: Ms) -> u32 {
        match self.all.get(aside) {
            Some(pause) if pause.holds(now) => pause.repeats,
            Some(pause) => pause.repeats.saturating_add(1),
            None => 0,
        }
    }

    /// Takes the part of one who tries whether all is well again, if that is to be found out; `end`: when its
    /// request is given up for lost.
    pub fn try_out(&mut self, lane: &Lane<'_>, end: Ms, now: Ms) {
        for (_, pause) in self.all.iter_mut().filter(|(aside, pause)| aside.covers(lane) && !pause.holds(now))
        {
            pause.under_way.retain(|end| *end > now);
            pause.under_way.push(end);
        }
    }

    /// Gives that part back.
    pub fn leave_off(&mut self, lane: &Lane<'_>, end: Ms) {
        for (_, pause) in self.all.iter_mut().filter(|(aside, _)| aside.covers(lane)) {
            if let Some(place) = pause.under_way.iter().position(|other| *other == end) {
                pause.under_way.swap_remove(place);
            }
        }
    }

    /// The pause after which others are finding out whether all is well on this way.
    pub fn on_trial(&self, lane: &Lane<'_>, now: Ms) -> Option<&Pause> {
        let mut all = self.all.iter().filter(|(aside, pause)| pause.is_on_trial(now) && aside.covers(lane));
        all.next().map(|(_, pause)| pause)
    }

    /// All is well on this way, as a request shows that was sent at `asked`: pauses that have run out are over, and
    /// so are those that the answer contradicts, which are guesses that had begun by then. True if there was one.
    pub fn over(&mut self, lane: &Lane<'_>, asked: Ms, now: Ms) -> bool {
        let before = self.all.len();
        if before > 0 {
            let stays = |pause: &Pause| {
                pause.holds(now) && (pause.since > asked || pause.stated.is_some_and(|end| end > now))
            };
            self.all.retain(|aside, pause| stays(pause) || !aside.covers(lane));
        }
        self.all.len() < before
    }

    /// Whether an answer stated itself that asking on this way is of no use yet.
    pub fn is_refused(&self, lane: &Lane<'_>, now: Ms) -> bool {
        let is_stated = |pause: &Pause| pause.stated.is_some_and(|end| end > now);
        self.all.iter().any(|(aside, pause)| is_stated(pause) && aside.covers(lane))
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

    /// The clock was set by `by` milliseconds: what lasts for some time goes with it, what ends at a moment does not.
    pub fn move_lengths(&mut self, by: Ms) {
        for pause in self.all.values_mut() {
            let ends = pause.until.iter_mut().chain(&mut pause.stated).filter(|_| !pause.is_moment);
            let times = ends.chain(&mut pause.under_way).chain([&mut pause.since]);
            times.for_each(|time| *time = time.saturating_add(by));
        }
    }

    /// The pause of exactly this, be it one that has run out and is not over.
    pub fn get(&self, aside: &Aside) -> Option<&Pause> {
        self.all.get(aside)
    }

    /// All pauses, also those that have run out and are not over.
    pub fn all(&self) -> impl Iterator<Item = (&Aside, &Pause)> {
        self.all.iter()
    }

    /// All pauses, to be changed.
    pub(super) fn all_mut(&mut self) -> impl Iterator<Item = (&Aside, &mut Pause)> {
        self.all.iter_mut()
    }

    /// The pause of exactly this, to be changed.
    pub(super) fn get_mut(&mut self, aside: &Aside) -> Option<&mut Pause> {
        self.all.get_mut(aside)
    }

    /// Puts a pause back as it was.
    pub fn put(&mut self, aside: Aside, pause: Pause) {
        self.all.insert(aside, pause);
    }

    /// Notes which request's failure began a pause, if that is not known.
    pub fn caused_by(&mut self, aside: &Aside, request: &str) {
        if let Some(pause) = self.all.get_mut(aside) {
            pause.request.get_or_insert_with(|| request.to_owned());
        }
    }

    /// The pauses in force.
    pub fn in_force(&self, now: Ms) -> impl Iterator<Item = (&Aside, &Pause)> {
        self.all.iter().filter(move |(_, pause)| pause.holds(now))
    }

    /// The providers that are put aside for being out of order.
    pub fn guessed_out(&self, now: Ms) -> impl Iterator<Item = &str> {
        self.in_force(now).filter_map(|(aside, pause)| match &aside.whose {
            Whose::Provider(name) if aside.model.is_none() && pause.is_guess => Some(name.as_str()),
            _ => None,
        })
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
