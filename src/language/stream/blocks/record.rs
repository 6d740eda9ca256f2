//! Keyed blocks on their way, and which of them a fragment belongs to.

use super::Blocks;
use crate::language::stream::program::{BlockKind, StreamProgram};
use crate::language::value::Val;
use crate::text::json::ObjectWatch;

/// A keyed block.
#[derive(Clone)]
pub(super) struct Record {
    pub kind: usize,
    pub key: Option<Box<str>>,
    /// By field number; see `Places::fields`.
    pub fields: Vec<Val<'static>>,
    /// All that was added so far.
    pub text: String,
    /// Whether that may be a whole object.
    pub object: ObjectWatch,
    /// How long it was when it was last seen not to be whole.
    pub unfinished: Option<usize>,
    /// How many bytes have been read to find out.
    pub tested: usize,
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
        let other = |record: &Record| {
            complete
                && fields.iter().any(|(number, value)| {
                    record
                        .fields
                        .get(*number)
                        .is_some_and(|known| !known.is_nothing() && !known.equals(value))
                })
        };
        let key = key.to_text().map(|key| Box::from(&*key));
        let found = match &key {
            Some(key) => self.by_key.get(&(kind, Box::clone(key))),
            None => match id.and_then(|id| self.by_identity.get(&(kind, id.lookup_key()))) {
                None if fields.is_empty() => self.latest.get(&kind),
                found => found,
            },
        };
        let found = found.copied().filter(|at| !self.records.get(*at).is_some_and(other));
        found.unwrap_or_else(|| self.make(kind, key))
    }

    fn make(&mut self, kind: usize, key: Option<Box<str>>) -> usize {
        let at = self.records.len();
        self.latest.insert(kind, at);
        if let Some(key) = &key {
            self.by_key.insert((kind, key.clone()), at);
        }
        self.records.push(Record {
            kind,
            key,
            fields: Vec::new(),
            text: String::new(),
            object: ObjectWatch::default(),
            unfinished: None,
            tested: 0,
            state: State::Waiting,
            index: 0,
            twin: false,
        });
        at
    }

    /// Gives a record those of the fields that it has not.
    pub fn give_fields(
        &mut self,
        program: &StreamProgram,
        shape: &BlockKind,
        at: usize,
        fields: Vec<(usize, Val<'_>)>,
    ) {
        let identity = program.places.identity(shape);
        let Some(record) = self.records.get_mut(at) else { return };
        for (field, value) in fields {
            if record.fields.len() <= field {
                record.fields.resize(field + 1, Val::Nothing);
            }
            let Some(place) = record.fields.get_mut(field).filter(|place| place.is_nothing()) else {
                continue;
            };
            if identity == Some(field) {
                let latest = self.by_identity.entry((record.kind, value.lookup_key())).or_insert(at);
                *latest = at.max(*latest);
            }
            *place = value.into_owned();
        }
    }

    /// Whether it has not begun.
    pub fn is_waiting(&self, at: usize) -> bool {
        self.records.get(at).is_some_and(|record| record.state == State::Waiting)
    }
}
