//! Failures that are not yet enough for a cool down: a rule can ask for several before it guesses that what failed is
//! out of order.

use super::{Aside, Lane};
use crate::engine::Ms;
use crate::text::units::duration_text;
use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::time::Duration;

/// So many scopes and rules are counted at most. Those of models are named by clients, who may make up any number.
const MOST: usize = 2048;
/// What went wrong longer ago says nothing about now, unless the rule says so.
const USUAL: Duration = Duration::from_secs(3600);

/// How much has to go wrong before a cool down begins.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct After {
    /// So many failures are enough.
    pub needed: u32,
    /// Which of them count.
    pub counted: Counted,
    /// For how long one counts; `None`: for an hour.
    pub within: Option<Duration>,
}

/// Which failures count.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Counted {
    /// Those since the latest good answer.
    InARow,
    /// All.
    All,
    /// Those among so many of the latest attempts.
    OfLatest(u32),
}

/// The rest of a sentence: `3 failures ...`.
impl fmt::Display for After {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let failures = if self.needed == 1 { "failure" } else { "failures" };
        write!(out, "{} {failures}", self.needed)?;
        match self.counted {
            Counted::InARow => write!(out, " in a row")?,
            Counted::All => {}
            Counted::OfLatest(count) => write!(out, " in the last {count} attempts")?,
        }
        self.within.map_or(Ok(()), |within| write!(out, " within {}", duration_text(within)))
    }
}

/// The failures of one scope by one rule.
#[derive(Clone, PartialEq, Debug)]
pub struct Tally {
    /// What the rule asks for, as it was when the latest failure was seen.
    pub after: After,
    /// Attempts since the first failure that is kept.
    pub(super) attempts: u64,
    /// When each failure was seen, and which of the attempts it was, oldest first. No more than are needed.
    pub(super) failures: VecDeque<(Ms, u64)>,
}

impl Tally {
    /// A tally with these failures: when each was seen, and which of `attempts` it was.
    pub(super) fn of(after: After, attempts: u64, failures: VecDeque<(Ms, u64)>) -> Tally {
        Tally { after, attempts, failures }
    }

    /// How many failures count at `now`.
    pub fn count(&self, now: Ms) -> u32 {
        let counts = |failure: &&(Ms, u64)| self.counts(failure, now);
        u32::try_from(self.failures.iter().filter(counts).count()).unwrap_or(u32::MAX)
    }

    /// How far it is, in words; `count` of the failures that are needed.
    pub fn said(&self, count: u32) -> String {
        format!("{count} of {}", self.after)
    }

    fn counts(&self, (at, attempt): &(Ms, u64), now: Ms) -> bool {
        let within = Ms::try_from(self.after.within.unwrap_or(USUAL).as_millis()).unwrap_or(Ms::MAX);
        let is_recent = now.saturating_sub(*at) < within;
        let is_late = match self.after.counted {
            Counted::OfLatest(count) => self.attempts.saturating_sub(*attempt) < u64::from(count),
            Counted::InARow | Counted::All => true,
        };
        is_recent && is_late
    }

    fn forget(&mut self, now: Ms) {
        while self.failures.front().is_some_and(|oldest| !self.counts(oldest, now)) {
            self.failures.pop_front();
        }
    }
}

/// How a failure changed a tally.
#[derive(Clone, PartialEq, Debug)]
pub struct Counting {
    /// Whether that is enough for a cool down.
    pub is_enough: bool,
    /// How far it is, in words: `2 of 3 failures within 30s`.
    pub said: String,
}

/// All failures that are not yet enough, by what a cool down would be about and by the rule's name.
#[derive(Clone, Debug, Default)]
pub struct Evidence {
    all: BTreeMap<(Aside, String), Tally>,
}

impl Evidence {
    /// One more failure. If it is enough, everything about the same scope is forgotten: a cool down begins.
    pub fn failed(&mut self, lane: &Lane<'_>, aside: &Aside, rule: &str, after: After, now: Ms) -> Counting {
        let key = (aside.clone(), rule.to_owned());
        if !self.all.contains_key(&key) {
            self.make_room();
        }
        for ((other, by), tally) in &mut self.all {
            // Another rule's tally sees an attempt that did not fail by its own.
            tally.attempts += u64::from(other.covers(lane) && !(other == aside && by == rule));
        }
        let tally = self.all.entry(key).or_insert_with(|| Tally::of(after, 0, VecDeque::new()));
        tally.after = after;
        tally.attempts += 1;
        tally.failures.push_back((now, tally.attempts));
        tally.forget(now);
        let count = tally.count(now);
        let (said, is_enough) = (tally.said(count), count >= after.needed);
        if is_enough {
            self.forget(|other| other == aside);
        }
        Counting { is_enough, said }
    }

    /// A good answer on this way.
    pub fn answered(&mut self, lane: &Lane<'_>, now: Ms) {
        if self.all.is_empty() {
            return;
        }
        self.all.retain(|(aside, _), tally| {
            if !aside.covers(lane) {
                return true;
            }
            tally.attempts += 1;
            tally.forget(now);
            tally.after.counted != Counted::InARow && !tally.failures.is_empty()
        });
    }

    /// Forgets what is about these scopes.
    pub fn forget(&mut self, is_meant: impl Fn(&Aside) -> bool) {
        self.all.retain(|(aside, _), _| !is_meant(aside));
    }

    /// All tallies.
    pub fn all(&self) -> impl Iterator<Item = (&Aside, &str, &Tally)> {
        self.all.iter().map(|((aside, rule), tally)| (aside, rule.as_str(), tally))
    }

    /// The clock was set by `by` milliseconds.
    pub fn move_times(&mut self, by: Ms) {
        let failures = self.all.values_mut().flat_map(|tally| &mut tally.failures);
        failures.for_each(|(at, _)| *at = at.saturating_add(by));
    }

    /// Puts a tally back as it was.
    pub fn put(&mut self, aside: Aside, rule: String, tally: Tally) {
        self.make_room();
        self.all.insert((aside, rule), tally);
    }

    fn make_room(&mut self) {
        if self.all.len() < MOST {
            return;
        }
        let latest = |tally: &Tally| tally.failures.back().map(|(at, _)| *at);
        let oldest = self.all.iter().min_by_key(|(_, tally)| latest(tally)).map(|(key, _)| key.clone());
        if let Some(oldest) = oldest {
            self.all.remove(&oldest);
        }
    }
}
