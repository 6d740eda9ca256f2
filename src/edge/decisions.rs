//! The latest decisions, for whoever asks how an answer came about: a ring, bounded in number and in bytes. Requests that
//! were refused unread have a smaller one of their own, so that strangers cannot push out what matters.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::engine::decision::{Decision, Keeping};

/// The latest decisions.
#[derive(Debug, Default)]
pub struct Decisions {
    rings: Mutex<Rings>,
}

#[derive(Debug, Default)]
struct Rings {
    main: Ring,
    refused: Ring,
    /// How many records came into either.
    pushed: u64,
}

/// Refused requests have this share of what is kept: one in so many.
const SHARE: usize = 10;

#[derive(Debug, Default)]
struct Ring {
    /// Oldest first.
    records: VecDeque<Record>,
    /// The number of the oldest one; each record that was ever kept has a number of its own.
    first: u64,
    /// What all of them take.
    bytes: usize,
}

#[derive(Debug)]
struct Record {
    /// Its place among all that ever came.
    order: u64,
    size: usize,
    decision: Arc<Decision>,
}

/// Which decisions somebody wants to see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// How many at most.
    pub last: usize,
    /// Only those in which this rule decided something.
    pub rule: Option<String>,
    /// Only those in which this provider was asked.
    pub provider: Option<String>,
    /// Only those in which something failed, or nothing.
    pub failed: Option<bool>,
}

impl Wanted {
    fn wants(&self, decision: &Decision) -> bool {
        self.rule.as_ref().is_none_or(|rule| decision.has_rule(rule))
            && self.provider.as_ref().is_none_or(|provider| decision.has_provider(provider))
            && self.failed.is_none_or(|failed| decision.failed() == failed)
    }
}

impl Decisions {
    /// Keeps a record, and gives its number.
    pub fn push(&self, decision: Decision, keeping: Keeping) -> u64 {
        let mut rings = self.rings();
        let order = rings.turn();
        rings.main.push(order, decision, keeping)
    }

    /// Keeps the record of a request that was refused unread.
    pub fn push_refused(&self, decision: Decision, keeping: Keeping) {
        let keep = keeping.keep.div_ceil(SHARE);
        let keeping = Keeping { keep, at_most: keeping.at_most / SHARE, ..keeping };
        let mut rings = self.rings();
        let order = rings.turn();
        rings.refused.push(order, decision, keeping);
    }

    /// Puts a record that has grown in the place of what it was, if that is still there.
    pub fn update(&self, number: u64, decision: Decision, keeping: Keeping) {
        let ring = &mut self.rings().main;
        let place = number.checked_sub(ring.first).and_then(|place| usize::try_from(place).ok());
        let size = decision.size();
        if let Some(record) = place.and_then(|place| ring.records.get_mut(place)) {
            ring.bytes = ring.bytes - record.size + size;
            *record = Record { order: record.order, size, decision: Arc::new(decision) };
            ring.shrink(keeping);
        }
    }

    /// The latest ones that are wanted, newest first.
    pub fn last(&self, wanted: &Wanted) -> Vec<Arc<Decision>> {
        let rings = self.rings();
        let (mut main, mut refused) =
            (rings.main.newest(wanted).peekable(), rings.refused.newest(wanted).peekable());
        let mut found = Vec::new();
        while found.len() < wanted.last {
            let is_later = match (main.peek(), refused.peek()) {
                (Some(one), Some(other)) => other.order > one.order,
                (one, _) => one.is_none(),
            };
            let Some(next) = (if is_later { refused.next() } else { main.next() }) else { break };
            found.push(next.decision.clone());
        }
        found
    }

    /// The record of a request.
    pub fn find(&self, id: &str) -> Option<Arc<Decision>> {
        let rings = self.rings();
        let all = rings.main.records.iter().rev().chain(rings.refused.records.iter().rev());
        all.map(|record| &record.decision).find(|it| it.id == id).cloned()
    }

    fn rings(&self) -> MutexGuard<'_, Rings> {
        self.rings.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Rings {
    fn turn(&mut self) -> u64 {
        self.pushed += 1;
        self.pushed
    }
}

impl Ring {
    fn push(&mut self, order: u64, decision: Decision, keeping: Keeping) -> u64 {
        let size = decision.size();
        self.records.push_back(Record { order, size, decision: Arc::new(decision) });
        self.bytes += size;
        let number = self.first + self.records.len() as u64 - 1;
        self.shrink(keeping);
        number
    }

    fn newest<'r>(&'r self, wanted: &'r Wanted) -> impl Iterator<Item = &'r Record> {
        self.records.iter().rev().filter(|it| wanted.wants(&it.decision))
    }

    fn shrink(&mut self, keeping: Keeping) {
        while self.records.len() > keeping.keep || self.bytes > keeping.at_most {
            let Some(oldest) = self.records.pop_front() else { return };
            self.bytes -= oldest.size;
            self.first += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: Wanted = Wanted { last: 100, rule: None, provider: None, failed: None };

    fn keeping(keep: usize, at_most: usize) -> Keeping {
        Keeping { keep, at_most, prompts: true, errors: true }
    }

    fn decision(id: &str) -> Decision {
        Decision { id: id.to_owned(), ..Decision::default() }
    }

    fn ids(decisions: &Decisions) -> Vec<String> {
        decisions.last(&ALL).iter().map(|decision| decision.id.clone()).collect()
    }

    #[test]
    fn the_newest_comes_first_and_the_oldest_goes() {
        let decisions = Decisions::default();
        for id in ["a", "b", "c"] {
            decisions.push(decision(id), keeping(2, usize::MAX));
        }
        assert_eq!(ids(&decisions), ["c", "b"]);
        assert!(decisions.find("a").is_none() && decisions.find("b").is_some());
        assert_eq!(decisions.last(&Wanted { last: 1, ..ALL }).len(), 1);
        decisions.push(decision("d"), keeping(0, usize::MAX));
        assert_eq!(ids(&decisions), Vec::<String>::new());
    }

    #[test]
    fn bytes_are_bounded_too_also_when_a_record_grows() {
        let decisions = Decisions::default();
        let bound = decision("a").size() * 3;
        let numbers: Vec<u64> =
            ["a", "b", "c"].iter().map(|id| decisions.push(decision(id), keeping(9, bound))).collect();
        assert_eq!((numbers.as_slice(), ids(&decisions).len()), (&[0, 1, 2][..], 3));
        let mut grown = decision("c");
        grown.prompt = Some(vec![b'x'; 10].into());
        decisions.update(2, grown.clone(), keeping(9, bound));
        assert_eq!(ids(&decisions), ["c", "b"]);
        decisions.update(0, grown, keeping(9, bound));
        assert_eq!(ids(&decisions), ["c", "b"], "what is gone stays gone");
    }

    #[test]
    fn refused_requests_stand_among_the_others_and_push_none_of_them_out() {
        let decisions = Decisions::default();
        for (one, other) in [("x", "a"), ("y", "b"), ("z", "c")] {
            decisions.push_refused(decision(one), keeping(20, usize::MAX));
            decisions.push(decision(other), keeping(20, usize::MAX));
        }
        assert_eq!(ids(&decisions), ["c", "z", "b", "y", "a"]);
        assert!(decisions.find("z").is_some() && decisions.find("x").is_none());
        decisions.push_refused(decision("w"), keeping(0, usize::MAX));
        assert_eq!(ids(&decisions), ["c", "b", "a"]);
    }
}
