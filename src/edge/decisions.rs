//! The latest decisions, for whoever asks how an answer came about: a ring, bounded in number and in bytes.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::engine::decision::{Decision, Keeping};

/// The latest decisions.
#[derive(Debug, Default)]
pub struct Decisions {
    ring: Mutex<Ring>,
}

#[derive(Debug, Default)]
struct Ring {
    /// Oldest first.
    records: VecDeque<(usize, Arc<Decision>)>,
    /// The number of the oldest one; each record that was ever kept has a number of its own.
    first: u64,
    /// What all of them take.
    bytes: usize,
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
        let mut ring = self.ring();
        let size = decision.size();
        ring.records.push_back((size, Arc::new(decision)));
        ring.bytes += size;
        let number = ring.first + ring.records.len() as u64 - 1;
        ring.shrink(keeping);
        number
    }

    /// Puts a record that has grown in the place of what it was, if that is still there.
    pub fn update(&self, number: u64, decision: Decision, keeping: Keeping) {
        let mut ring = self.ring();
        let place = number.checked_sub(ring.first).and_then(|place| usize::try_from(place).ok());
        let size = decision.size();
        if let Some(record) = place.and_then(|place| ring.records.get_mut(place)) {
            let before = std::mem::replace(record, (size, Arc::new(decision)));
            ring.bytes = ring.bytes - before.0 + size;
            ring.shrink(keeping);
        }
    }

    /// The latest ones that are wanted, newest first.
    pub fn last(&self, wanted: &Wanted) -> Vec<Arc<Decision>> {
        let ring = self.ring();
        let found = ring.records.iter().rev().map(|(_, decision)| decision).filter(|it| wanted.wants(it));
        found.take(wanted.last).cloned().collect()
    }

    /// The record of a request.
    pub fn find(&self, id: &str) -> Option<Arc<Decision>> {
        self.ring().records.iter().rev().map(|(_, decision)| decision).find(|it| it.id == id).cloned()
    }

    fn ring(&self) -> MutexGuard<'_, Ring> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ring {
    fn shrink(&mut self, keeping: Keeping) {
        while self.records.len() > keeping.keep || self.bytes > keeping.at_most {
            let Some((size, _)) = self.records.pop_front() else { return };
            self.bytes -= size;
            self.first += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: Wanted = Wanted { last: 100, rule: None, provider: None, failed: None };

    fn keeping(keep: usize, at_most: usize) -> Keeping {
        Keeping { keep, at_most, prompts: true }
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
}
