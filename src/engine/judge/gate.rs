//! The statuses and the kinds of failure that a condition can hold for at all.

use super::Rule;
use super::when::Test;
use crate::config::model::Phase;
use crate::engine::failure::FailureKind;
use crate::text::units::StatusSet;

/// What a rule may fire on. It may let through too much, never too little.
#[derive(Clone, Copy, Debug)]
pub struct Gate {
    /// These statuses.
    pub statuses: StatusSet,
    /// Whether also outcomes without a status, or with a strange one.
    pub no_status: bool,
    /// The places of the kinds of failure, as bits.
    kinds: u32,
}

impl Gate {
    /// How many kinds of outcome there are: the failures, and the good answer.
    pub const KINDS: usize = FailureKind::ALL.len() + 1;

    /// The place of a kind; `None` is the good answer.
    pub fn place(kind: Option<FailureKind>) -> usize {
        kind.map_or(0, |kind| kind as usize + 1)
    }

    fn open() -> Gate {
        Gate { statuses: StatusSet::all(), no_status: true, kinds: u32::MAX }
    }

    fn shut() -> Gate {
        Gate { statuses: StatusSet::default(), no_status: false, kinds: 0 }
    }

    /// Failures of some kinds. Where none of them comes with a head there is no status either.
    fn of_kinds(which: impl Fn(FailureKind) -> bool) -> Gate {
        let kinds = || FailureKind::ALL.iter().copied().filter(|kind| which(*kind));
        let bits = kinds().fold(0, |bits, kind| bits | 1 << Gate::place(Some(kind)));
        let no_head = kinds().all(|kind| kind.is_of_connecting() || kind == FailureKind::FirstByteTimeout);
        let statuses = if no_head { StatusSet::default() } else { StatusSet::all() };
        Gate { statuses, no_status: true, kinds: bits }
    }

    /// Whether nothing gets through.
    pub fn is_shut(&self) -> bool {
        self.kinds == 0 || (self.statuses.is_empty() && !self.no_status)
    }

    /// Whether outcomes with this status get through.
    pub fn lets_status(&self, status: Option<u16>) -> bool {
        let known = status.filter(|status| (100..600).contains(status));
        known.map_or(self.no_status, |status| self.statuses.contains(status))
    }

    /// Whether outcomes of the kind at this place get through.
    pub fn lets_kind(&self, place: usize) -> bool {
        self.kinds >> place & 1 == 1
    }

    fn and(self, other: Gate) -> Gate {
        Gate {
            statuses: self.statuses.and(other.statuses),
            no_status: self.no_status && other.no_status,
            kinds: self.kinds & other.kinds,
        }
    }

    fn or(self, other: Gate) -> Gate {
        Gate {
            statuses: self.statuses.or(other.statuses),
            no_status: self.no_status || other.no_status,
            kinds: self.kinds | other.kinds,
        }
    }

    fn without(self, kind: Option<FailureKind>) -> Gate {
        Gate { kinds: self.kinds & !(1 << Gate::place(kind)), ..self }
    }
}

impl Test {
    /// What it may hold for, of the outcomes of one provider, or of any.
    pub fn gate(&self, provider: Option<&str>) -> Gate {
        match self {
            Test::Is(false) => Gate::shut(),
            Test::All(parts) => parts.iter().map(|part| part.gate(provider)).fold(Gate::open(), Gate::and),
            Test::Any(parts) => parts.iter().map(|part| part.gate(provider)).fold(Gate::shut(), Gate::or),
            Test::Status(set) => Gate { statuses: *set, no_status: false, ..Gate::open() },
            Test::Failure(kinds) => Gate::of_kinds(|kind| kinds.contains(&kind)),
            Test::Phase(phases)
                if !phases.iter().any(|it| matches!(it, Phase::FirstContent | Phase::Stream)) =>
            {
                // Before the head there is no status.
                let connect_only = !phases.contains(&Phase::FirstByte);
                let gate = Gate::of_kinds(|kind| !connect_only || kind.is_of_connecting());
                Gate { statuses: StatusSet::default(), ..gate }
            }
            Test::Provider(names) if provider.is_some_and(|it| !names.iter().any(|name| name == it)) => {
                Gate::shut()
            }
            _ => Gate::open(),
        }
    }
}

impl Rule {
    /// What it may fire on, of the outcomes of one provider.
    pub fn gate(&self, provider: &str) -> Gate {
        let mut gate = self.when.gate(Some(provider));
        if self.good.is_none() {
            gate = gate.without(None);
        }
        if !self.sees_losses {
            gate = gate.without(Some(FailureKind::Lossy));
        }
        gate
    }
}
