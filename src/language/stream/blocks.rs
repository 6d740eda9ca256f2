//! Blocks: fragments arrive interleaved, keyed and incomplete, and leave as whole blocks, one open at a time.

use super::machine::StreamMachine;
use super::program::{BlockKind, Emit};
use crate::language::scope::Env;
use crate::language::template::Fail;
use crate::language::value::{Num, Val};

/// Where one stream's blocks are.
pub(super) struct Blocks {
    /// The plain block that is open: its kind and number.
    open: Option<(usize, i64)>,
    /// Keyed blocks in order of arrival.
    records: Vec<Record>,
    next_index: i64,
    /// The names of the kinds that have begun, in order.
    pub kinds: Val<'static>,
    /// How many blocks of each kind have begun.
    pub begun: Vec<i64>,
}

/// A keyed block.
struct Record {
    kind: usize,
    key: Option<String>,
    /// By field number; see `Places::fields`.
    fields: Vec<Val<'static>>,
    /// All that was added so far.
    text: String,
    state: State,
    index: i64,
}

#[derive(Clone, Copy, PartialEq)]
enum State {
    Waiting,
    Open,
    Closed,
}

impl Blocks {
    pub fn new(kinds: usize) -> Blocks {
        Blocks { open: None, records: Vec::new(), next_index: 0, kinds: Val::Nothing, begun: vec![0; kinds] }
    }

    fn number(&mut self, kind: usize) -> i64 {
        if let Some(count) = self.begun.get_mut(kind) {
            *count += 1;
        }
        self.next_index += 1;
        self.next_index - 1
    }
}

impl StreamMachine {
    /// A fragment for a block of this kind.
    pub(super) fn add<'a>(
        &mut self,
        kind: usize,
        part: Val<'a>,
        key: Val<'a>,
        fields: Vec<(usize, Val<'a>)>,
        env: &mut Env<'a>,
    ) -> Result<(), Fail> {
        let program = self.program.clone();
        let Some(shape) = program.kinds.get(kind) else { return Ok(()) };
        if shape.keyed {
            return self.add_keyed(kind, shape, part, key, fields, env);
        }
        if part.is_empty() {
            return Ok(());
        }
        if !matches!(self.blocks.open, Some((open, _)) if open == kind) {
            self.close_blocks(env)?;
            self.begin_output(env)?;
            let index = self.blocks.number(kind);
            self.blocks.open = Some((kind, index));
            self.describe(index, None, env);
            self.note_begun(kind, env);
            self.emit_all(&shape.begin, env)?;
        }
        if let Some((_, index)) = self.blocks.open {
            self.describe(index, None, env);
        }
        env.set(program.places.part, part);
        self.emit_all(&shape.part, env)
    }

    fn add_keyed<'a>(
        &mut self,
        kind: usize,
        shape: &BlockKind,
        part: Val<'a>,
        key: Val<'a>,
        fields: Vec<(usize, Val<'a>)>,
        env: &mut Env<'a>,
    ) -> Result<(), Fail> {
        let part = if part.is_empty() { Val::Nothing } else { part };
        let fields: Vec<_> = fields.into_iter().filter(|(_, value)| !value.is_empty()).collect();
        if part.is_nothing() && fields.is_empty() {
            return Ok(());
        }
        let at = self.find_or_make(kind, shape, &key, &fields);
        let Some(record) = self.blocks.records.get_mut(at) else { return Ok(()) };
        for (field, value) in fields {
            if record.fields.len() <= field {
                record.fields.resize(field + 1, Val::Nothing);
            }
            match record.fields.get_mut(field) {
                Some(place) if place.is_nothing() => *place = value.into_owned(),
                _ => {}
            }
        }
        if let Some(text) = part.to_text() {
            record.text.push_str(&text);
            match record.state {
                State::Waiting => {}
                State::Open => self.emit_part(at, Val::Str(text), env)?,
                State::Closed => {
                    return Err(Fail::new(502, "a block of the stream went on after it was complete"));
                }
            }
        }
        self.advance(env)
    }

    /// The record that a fragment belongs to: by key, by identity, else the last one. A key that comes with a new
    /// identity and all other fields begins a new record, because some providers give every call the same key.
    fn find_or_make(
        &mut self,
        kind: usize,
        shape: &BlockKind,
        key: &Val<'_>,
        fields: &[(usize, Val<'_>)],
    ) -> usize {
        let program = self.program.clone();
        let field_number = |slot: &usize| program.places.fields.iter().position(|(_, known)| known == slot);
        let identity = shape.once.first().and_then(field_number);
        let given = |number: usize| fields.iter().find(|(field, _)| *field == number).map(|(_, value)| value);
        let id = identity.and_then(given);
        let complete = shape.once.iter().filter_map(field_number).all(|number| given(number).is_some());
        let records = &mut self.blocks.records;
        let same_id = |record: &Record| match (id, identity.and_then(|number| record.fields.get(number))) {
            (Some(id), Some(known)) => known.equals(id),
            _ => false,
        };
        let of_kind = |record: &Record| record.kind == kind;
        let key = key.to_text().map(|key| key.into_owned());
        let found = match &key {
            Some(key) => {
                let found =
                    records.iter().rposition(|record| of_kind(record) && record.key.as_ref() == Some(key));
                found.filter(|at| {
                    let other = records.get(*at).and_then(|record| record.fields.get(identity?));
                    let renamed = other.is_some_and(|known| !known.is_nothing()) && id.is_some() && complete;
                    !renamed || records.get(*at).is_some_and(same_id)
                })
            }
            None => match records.iter().rposition(|record| of_kind(record) && same_id(record)) {
                Some(at) => Some(at),
                None if fields.is_empty() => records.iter().rposition(of_kind),
                None => None,
            },
        };
        found.unwrap_or_else(|| {
            records.push(Record {
                kind,
                key,
                fields: Vec::new(),
                text: String::new(),
                state: State::Waiting,
                index: 0,
            });
            records.len() - 1
        })
    }

    /// Opens the next record in order of arrival, and closes an open one that is whole when another is ready.
    fn advance(&mut self, env: &mut Env<'_>) -> Result<(), Fail> {
        while let Some(at) = self.blocks.records.iter().position(|record| record.state != State::Closed) {
            match self.blocks.records.get(at).map(|record| record.state) {
                Some(State::Waiting) if self.ready(at, env) => self.begin_record(at, env)?,
                Some(State::Open) if self.next_is_ready(at, env) && self.is_whole(at, env) => {
                    self.end_record(at, env)?;
                }
                _ => break,
            }
        }
        Ok(())
    }

    fn next_is_ready(&mut self, after: usize, env: &mut Env<'_>) -> bool {
        (after + 1..self.blocks.records.len()).any(|at| self.ready(at, env))
    }

    fn ready(&mut self, at: usize, env: &mut Env<'_>) -> bool {
        let program = self.program.clone();
        let kind = self.blocks.records.get(at).and_then(|record| program.kinds.get(record.kind));
        self.describe_record(at, env);
        kind.is_some_and(|kind| kind.ready.as_ref().is_none_or(|ready| ready.test(env)))
    }

    /// Whether all that was added may be a whole block; without a `whole` matcher it never is before the end.
    fn is_whole(&self, at: usize, env: &Env<'_>) -> bool {
        let Some(record) = self.blocks.records.get(at) else { return false };
        let matcher = self.program.kinds.get(record.kind).and_then(|kind| kind.whole.as_ref());
        matcher.is_some_and(|whole| whole.test(&Val::str(&record.text), env))
    }

    fn begin_record(&mut self, at: usize, env: &mut Env<'_>) -> Result<(), Fail> {
        self.close_plain(env)?;
        self.begin_output(env)?;
        let program = self.program.clone();
        let Some(kind) = self.blocks.records.get(at).map(|record| record.kind) else { return Ok(()) };
        let index = self.blocks.number(kind);
        let Some(record) = self.blocks.records.get_mut(at) else { return Ok(()) };
        record.index = index;
        record.state = State::Open;
        let text = record.text.clone();
        self.describe_record(at, env);
        self.note_begun(kind, env);
        if let Some(shape) = program.kinds.get(kind) {
            self.emit_all(&shape.begin, env)?;
        }
        if text.is_empty() { Ok(()) } else { self.emit_part(at, Val::Str(text.into()), env) }
    }

    fn emit_part(&mut self, at: usize, part: Val<'_>, env: &mut Env<'_>) -> Result<(), Fail> {
        let program = self.program.clone();
        self.describe_record(at, env);
        env.set(program.places.part, part.into_owned());
        match self.blocks.records.get(at).and_then(|record| program.kinds.get(record.kind)) {
            Some(kind) => self.emit_all(&kind.part, env),
            None => Ok(()),
        }
    }

    fn end_record(&mut self, at: usize, env: &mut Env<'_>) -> Result<(), Fail> {
        let program = self.program.clone();
        self.describe_record(at, env);
        let Some(record) = self.blocks.records.get_mut(at) else { return Ok(()) };
        record.state = State::Closed;
        let (kind, text) = (record.kind, std::mem::take(&mut record.text));
        env.set(program.places.text, Val::Str(text.into()));
        let emitted = program.kinds.get(kind).map_or(Ok(()), |kind| self.emit_all(&kind.end, env));
        env.set(program.places.text, Val::Nothing);
        emitted
    }

    /// Closes whatever is open; keyed blocks that wait and are ready leave whole, in order; others are dropped.
    pub(super) fn close_blocks(&mut self, env: &mut Env<'_>) -> Result<(), Fail> {
        for at in 0..self.blocks.records.len() {
            let state = self.blocks.records.get(at).map(|record| record.state);
            if state == Some(State::Waiting) {
                if self.ready(at, env) {
                    self.begin_record(at, env)?;
                    self.end_record(at, env)?;
                } else if let Some(record) = self.blocks.records.get_mut(at) {
                    record.state = State::Closed;
                }
            } else if state == Some(State::Open) {
                self.end_record(at, env)?;
            }
        }
        self.close_plain(env)
    }

    fn close_plain(&mut self, env: &mut Env<'_>) -> Result<(), Fail> {
        let Some((kind, index)) = self.blocks.open.take() else { return Ok(()) };
        let program = self.program.clone();
        self.describe(index, None, env);
        match program.kinds.get(kind) {
            Some(shape) => self.emit_all(&shape.end, env),
            None => Ok(()),
        }
    }

    fn describe_record(&self, at: usize, env: &mut Env<'_>) {
        if let Some(record) = self.blocks.records.get(at) {
            self.describe(record.index, Some(record), env);
        }
    }

    /// Gives `$block.*` its values.
    fn describe(&self, index: i64, record: Option<&Record>, env: &mut Env<'_>) {
        let places = &self.program.places;
        env.set(places.index, Val::Num(Num::Int(index)));
        let key = record.and_then(|record| record.key.clone());
        env.set(places.key, key.map_or(Val::Nothing, |key| Val::Str(key.into())));
        for (number, (_, slot)) in places.fields.iter().enumerate() {
            let value = record.and_then(|record| record.fields.get(number)).cloned();
            env.set(*slot, value.unwrap_or_default());
        }
    }

    fn note_begun(&mut self, kind: usize, env: &mut Env<'_>) {
        let count = self.blocks.begun.get(kind).copied().unwrap_or_default();
        if let Some(shape) = self.program.kinds.get(kind).filter(|_| count == 1) {
            let mut kinds = self.blocks.kinds.items();
            kinds.push(Val::Str(shape.name.clone().into()));
            self.blocks.kinds = Val::List(kinds.into());
        }
        env.set(self.program.places.blocks, self.blocks.kinds.clone());
        env.set(self.program.places.begun + kind, Val::Num(Num::Int(count)));
    }

    fn emit_all(&mut self, emits: &[Emit], env: &mut Env<'_>) -> Result<(), Fail> {
        emits.iter().try_for_each(|emit| self.emit(emit, env))
    }
}
