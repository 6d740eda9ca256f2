//! Blocks: fragments arrive interleaved, keyed and incomplete, and leave as whole blocks, one open at a time.

mod record;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use super::machine::StreamMachine;
use super::program::{Emit, StreamProgram};
use crate::language::scope::Env;
use crate::language::template::Fail;
use crate::language::value::{LookupKey, Num, Type, Val};
use crate::text::json::Doc;
use record::{Record, State};

/// How many times the length of its text a block's `whole` may read, and how many bytes besides.
const TESTED: usize = 32;
const TESTED_FREELY: usize = 1 << 20;

/// Where one stream's blocks are.
#[derive(Clone, Default)]
pub(super) struct Blocks {
    /// The plain block that is open: its kind and number.
    open: Option<(usize, i64)>,
    /// Keyed blocks in order of arrival.
    records: Vec<Record>,
    /// How many of the first of them are closed.
    closed: usize,
    /// The number of the plain block that `$block.*` speaks of.
    described: Option<i64>,
    next_index: i64,
    /// The kinds that have begun, in order.
    kinds: Vec<usize>,
    /// How many blocks of each kind have begun.
    pub begun: Vec<i64>,
    /// What the keyed blocks that have begun are told apart by, with their kinds.
    known: BTreeSet<(usize, LookupKey)>,
    /// The latest record of each key and of each identity, with their kinds, and the latest of each kind.
    by_key: BTreeMap<(usize, Box<str>), usize>,
    by_identity: BTreeMap<(usize, LookupKey), usize>,
    latest: BTreeMap<usize, usize>,
    /// The waiting records that were ready when they were last added to.
    ready: BTreeSet<usize>,
}

impl Blocks {
    pub fn new(kinds: usize) -> Blocks {
        Blocks { begun: vec![0; kinds], ..Blocks::default() }
    }

    /// The first keyed block that is not closed.
    fn first_open(&mut self) -> Option<usize> {
        let is_closed = |record: &&Record| record.state == State::Closed;
        self.closed += self.records.iter().skip(self.closed).take_while(is_closed).count();
        (self.closed < self.records.len()).then_some(self.closed)
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
        program: &StreamProgram,
        kind: usize,
        part: Val<'a>,
        key: Val<'a>,
        fields: Vec<(usize, Val<'a>)>,
        env: &mut Env<'a>,
    ) -> Result<(), Fail> {
        let Some(shape) = program.kinds.get(kind) else { return Ok(()) };
        if shape.keyed {
            return self.add_keyed(program, kind, part, key, fields, env);
        }
        if part.is_empty() {
            return Ok(());
        }
        if !matches!(self.blocks.open, Some((open, _)) if open == kind) {
            self.close_blocks(program, env)?;
            self.begin_output(program, env)?;
            let index = self.blocks.number(kind);
            self.blocks.open = Some((kind, index));
            self.describe_plain(program, index, env);
            self.note_begun(program, kind, env);
            self.emit_all(program, &shape.begin, env)?;
        }
        if let Some((_, index)) = self.blocks.open {
            self.describe_plain(program, index, env);
        }
        env.set(program.places.part, part);
        self.emit_all(program, &shape.part, env)
    }

    fn add_keyed<'a>(
        &mut self,
        program: &StreamProgram,
        kind: usize,
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
        let Some(shape) = program.kinds.get(kind) else { return Ok(()) };
        let at = self.blocks.find_or_make(program, kind, shape, &key, &fields);
        self.blocks.give_fields(program, shape, at, fields);
        let Some(record) = self.blocks.records.get_mut(at) else { return Ok(()) };
        if let Some(text) = part.to_text() {
            record.text.push_str(&text);
            record.object.saw(&text);
            match record.state {
                State::Waiting => {}
                State::Open => {
                    let text = match part.kind() {
                        Type::String => part.clone(),
                        _ => Val::Str(Cow::Owned(text.into_owned())),
                    };
                    self.emit_part(program, at, text, env)?;
                }
                State::Closed => {
                    return Err(Fail::new(502, "a block of the stream went on after it was complete"));
                }
            }
        }
        if self.blocks.is_waiting(at) && self.ready(program, at, env) {
            self.blocks.ready.insert(at);
        }
        self.advance(program, env)
    }

    /// Opens the next record in order of arrival, and closes an open one that is whole when another is ready.
    fn advance(&mut self, program: &StreamProgram, env: &mut Env<'_>) -> Result<(), Fail> {
        while let Some(at) = self.blocks.first_open() {
            match self.blocks.records.get(at).map(|record| record.state) {
                Some(State::Waiting) if self.ready(program, at, env) => {
                    self.begin_record(program, at, env)?
                }
                Some(State::Open)
                    if self.blocks.ready.range(at + 1..).next().is_some()
                        && self.is_whole(program, at, env) =>
                {
                    self.end_record(program, at, env)?;
                }
                _ => break,
            }
        }
        Ok(())
    }

    fn ready(&mut self, program: &StreamProgram, at: usize, env: &mut Env<'_>) -> bool {
        let kind = self.blocks.records.get(at).and_then(|record| program.kinds.get(record.kind));
        self.describe_record(program, at, env);
        kind.is_some_and(|kind| kind.ready.as_ref().is_none_or(|ready| ready.test(env)))
    }

    /// Whether all that was added may be a whole block; without a `whole` matcher it never is before the end.
    fn is_whole(&mut self, program: &StreamProgram, at: usize, env: &Env<'_>) -> bool {
        let Some(record) = self.blocks.records.get_mut(at) else { return false };
        let matcher = program.kinds.get(record.kind).and_then(|kind| kind.whole.as_ref());
        let Some(whole) = matcher else { return false };
        // Most ask of the text alone; while that stays as it was, so does the verdict.
        if whole.is_constant() && record.unfinished == Some(record.text.len()) {
            return false;
        }
        // A long text is not read again for each part: that of an object once its last bracket has closed, and others
        // for as long as that costs no more than a few readings of all that came.
        if whole.asks_for_an_object() && !record.object.may_be_whole() {
            return false;
        }
        record.tested += record.text.len();
        if record.tested > TESTED_FREELY + TESTED * record.text.len() {
            return false;
        }
        let is_whole = whole.test(&Val::str(&record.text), env);
        record.unfinished = (!is_whole).then_some(record.text.len());
        is_whole
    }

    fn begin_record(&mut self, program: &StreamProgram, at: usize, env: &mut Env<'_>) -> Result<(), Fail> {
        self.close_plain(program, env)?;
        self.begin_output(program, env)?;
        let Some(kind) = self.blocks.records.get(at).map(|record| record.kind) else { return Ok(()) };
        let index = self.blocks.number(kind);
        let identity = program.kinds.get(kind).and_then(|shape| program.places.identity(shape));
        let Some(record) = self.blocks.records.get_mut(at) else { return Ok(()) };
        let id = identity.and_then(|number| record.fields.get(number)).map(Val::lookup_key);
        let id = id.filter(|id| *id != LookupKey::Nothing);
        record.twin = id.is_some_and(|id| !self.blocks.known.insert((kind, id)));
        record.index = index;
        record.state = State::Open;
        self.blocks.ready.remove(&at);
        let Some(record) = self.blocks.records.get_mut(at) else { return Ok(()) };
        let text = record.text.clone();
        self.describe_record(program, at, env);
        self.note_begun(program, kind, env);
        if let Some(shape) = program.kinds.get(kind) {
            self.emit_all(program, &shape.begin, env)?;
        }
        if text.is_empty() { Ok(()) } else { self.emit_part(program, at, Val::Str(text.into()), env) }
    }

    fn emit_part<'a>(
        &mut self,
        program: &StreamProgram,
        at: usize,
        part: Val<'a>,
        env: &mut Env<'a>,
    ) -> Result<(), Fail> {
        self.describe_record(program, at, env);
        env.set(program.places.part, part);
        match self.blocks.records.get(at).and_then(|record| program.kinds.get(record.kind)) {
            Some(kind) => self.emit_all(program, &kind.part, env),
            None => Ok(()),
        }
    }

    fn end_record(&mut self, program: &StreamProgram, at: usize, env: &mut Env<'_>) -> Result<(), Fail> {
        self.describe_record(program, at, env);
        let Some(record) = self.blocks.records.get_mut(at) else { return Ok(()) };
        record.state = State::Closed;
        let (kind, text) = (record.kind, std::mem::take(&mut record.text));
        env.keep(program.places.text, Val::Str(text.into()));
        let emitted = program.kinds.get(kind).map_or(Ok(()), |kind| self.emit_all(program, &kind.end, env));
        env.keep(program.places.text, Val::Nothing);
        emitted
    }

    /// Closes whatever is open; keyed blocks that wait and are ready leave whole, in order; others are dropped.
    pub(super) fn close_blocks(&mut self, program: &StreamProgram, env: &mut Env<'_>) -> Result<(), Fail> {
        let Some(first) = self.blocks.first_open() else { return self.close_plain(program, env) };
        for at in first..self.blocks.records.len() {
            let state = self.blocks.records.get(at).map(|record| record.state);
            if state == Some(State::Waiting) {
                if self.ready(program, at, env) {
                    self.begin_record(program, at, env)?;
                    self.end_record(program, at, env)?;
                } else if let Some(record) = self.blocks.records.get_mut(at) {
                    record.state = State::Closed;
                    self.blocks.ready.remove(&at);
                }
            } else if state == Some(State::Open) {
                self.end_record(program, at, env)?;
            }
        }
        self.close_plain(program, env)
    }

    fn close_plain(&mut self, program: &StreamProgram, env: &mut Env<'_>) -> Result<(), Fail> {
        let Some((kind, index)) = self.blocks.open.take() else { return Ok(()) };
        self.describe_plain(program, index, env);
        match program.kinds.get(kind) {
            Some(shape) => self.emit_all(program, &shape.end, env),
            None => Ok(()),
        }
    }

    fn describe_record(&mut self, program: &StreamProgram, at: usize, env: &mut Env<'_>) {
        self.blocks.described = None;
        if let Some(record) = self.blocks.records.get(at) {
            describe(program, record.index, Some(record), env);
        }
    }

    fn describe_plain(&mut self, program: &StreamProgram, index: i64, env: &mut Env<'_>) {
        if self.blocks.described != Some(index) {
            self.blocks.described = Some(index);
            describe(program, index, None, env);
        }
    }

    fn note_begun(&mut self, program: &StreamProgram, kind: usize, env: &mut Env<'_>) {
        let count = self.blocks.begun.get(kind).copied().unwrap_or_default();
        if count == 1 {
            self.blocks.kinds.push(kind);
            let names = self.blocks.kinds.iter().filter_map(|kind| program.kinds.get(*kind));
            let names: Vec<_> = names.map(|kind| kind.name.as_str()).collect();
            env.keep(program.places.blocks, Val::own(Doc::of_strs(&names)));
        }
        env.keep(program.places.begun + kind, Val::Num(Num::Int(count)));
    }

    fn emit_all(&mut self, program: &StreamProgram, emits: &[Emit], env: &mut Env<'_>) -> Result<(), Fail> {
        emits.iter().try_for_each(|emit| self.emit(program, emit, env))
    }
}

/// Gives `$block.*` its values.
fn describe(program: &StreamProgram, index: i64, record: Option<&Record>, env: &mut Env<'_>) {
    let places = &program.places;
    env.keep(places.index, Val::Num(Num::Int(index)));
    env.keep(places.twin, Val::Bool(record.is_some_and(|record| record.twin)));
    let key = record.and_then(|record| record.key.clone());
    env.keep(places.key, key.map_or(Val::Nothing, |key| Val::Str(String::from(key).into())));
    for (number, (_, slot)) in places.fields.iter().enumerate() {
        let value = record.and_then(|record| record.fields.get(number)).cloned();
        env.keep(*slot, value.unwrap_or_default());
    }
}
