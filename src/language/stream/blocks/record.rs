//! Keyed blocks on their way, and which of them a fragment belongs to.

use super::Blocks;
use crate::language::stream::program::{BlockKind, StreamProgram};
use crate::language::value::Val;

/// A keyed block.
#[derive(Clone)]
pub(super) struct Record {
    pub kind: usize,
    pub key: Option<String>,
    /// By field number; see `Places::fields`.
    pub fields: Vec<Val<'static>>,
    /// All that was added so far.
    pub text: String,
    /// How long it was when it was last seen not to be whole.
    pub unfinished: Option<usize>,
    pub state: State,
    pub index: i64,
    /// Whether an earlier block has the same identity.
    pub twin: bool,
}

#[derive(Clone, Copy, PartialEq)]
pub(super) enum State {
    Waiting,
    Open,
    Closed,
}

impl Blocks {
    /// The record that a fragment belongs to: by key, by identity, else the last one. A fragment that says all fields,
    /// and not what the record says, begins a new one, because some providers give every call the same key or identity.
    pub fn find_or_make(
        &mut self,
        program: &StreamProgram,
        kind: usize,
        shape: &BlockKind,
        key: &Val<'_>,
        fields: &[(usize, Val<'_>)],
    ) -> usize {
        let identity = program.places.identity(shape);
        let given = |number: usize| fields.iter().find(|(field, _)| *field == number).map(|(_, value)| value);
        let id = identity.and_then(given);
        let mut numbers = shape.once.iter().map(|slot| program.places.field(*slot));
        let complete = numbers.all(|number| number.and_then(given).is_some());
        let records = &mut self.records;
        let same_id = |record: &Record| match (id, identity.and_then(|number| record.fields.get(number))) {
            (Some(id), Some(known)) => known.equals(id),
            _ => false,
        };
        let other = |record: &Record| {
            complete
                && fields.iter().any(|(number, value)| {
                    record
                        .fields
                        .get(*number)
                        .is_some_and(|known| !known.is_nothing() && !known.equals(value))
                })
        };
        let of_kind = |record: &Record| record.kind == kind;
        let key = key.to_text().map(|key| key.into_owned());
        let found = match &key {
            Some(key) => {
                records.iter().rposition(|record| of_kind(record) && record.key.as_ref() == Some(key))
            }
            None => match records.iter().rposition(|record| of_kind(record) && same_id(record)) {
                Some(at) => Some(at),
                None if fields.is_empty() => records.iter().rposition(of_kind),
                None => None,
            },
        };
        let found = found.filter(|at| !records.get(*at).is_some_and(other));
        found.unwrap_or_else(|| {
            records.push(Record {
                kind,
                key,
                fields: Vec::new(),
                text: String::new(),
                unfinished: None,
                state: State::Waiting,
                index: 0,
                twin: false,
            });
            records.len() - 1
        })
    }
}
