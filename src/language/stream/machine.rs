//! The machine that runs a stream program over the events of one stream.

use std::mem;
use std::sync::Arc;

use super::blocks::Blocks;
use super::emit::DATA;
use super::program::{Step, StreamProgram};
use crate::language::scope::{Env, Slot};
use crate::language::template::{Fail, Template};
use crate::language::value::{Num, Val, parse_produced};
use crate::text::json::Doc;

/// The values that the caller provides for the names it declared, as they are now.
pub type Base<'b, 'a> = &'b [(Slot, Val<'a>)];

/// How many times what it has read a stream may copy into its state, and how many bytes besides. Most copy a fraction
/// of it.
const COPIED: usize = 64;
const COPIED_FREELY: usize = 8 << 20;

/// One stream's progress. It is fed events and fills [`StreamMachine::take_output`]; after the end, or after a
/// failure, it ignores all input.
#[derive(Clone)]
pub struct StreamMachine {
    pub(super) program: Arc<StreamProgram>,
    /// What lasts from one event to the next: the state, and what is known of blocks.
    env: Env<'static>,
    pub(super) blocks: Blocks,
    pub(super) out: Vec<u8>,
    started: bool,
    committed: bool,
    ended: bool,
    failure: Option<Fail>,
    /// How many bytes of events have been read, and how many were copied into the state.
    read: usize,
    copied: usize,
}

impl StreamMachine {
    /// A machine at the beginning of a stream.
    pub fn new(program: Arc<StreamProgram>) -> StreamMachine {
        let mut env = Env::new(program.slots);
        for (at, (_, value)) in program.state.iter().enumerate() {
            env.keep(program.places.state + at, value.clone());
        }
        for kind in 0..program.kinds.len() {
            env.keep(program.places.begun + kind, Val::Num(Num::Int(0)));
        }
        let blocks = Blocks::new(program.kinds.len());
        StreamMachine {
            program,
            env,
            blocks,
            out: Vec::new(),
            started: false,
            committed: false,
            ended: false,
            failure: None,
            read: 0,
            copied: 0,
        }
    }

    /// What it runs.
    pub fn program(&self) -> &StreamProgram {
        &self.program
    }

    /// Whether content has begun: from here on the output may be given to the client.
    pub fn committed(&self) -> bool {
        self.committed
    }

    /// Whether the stream came to its proper end.
    pub fn ended(&self) -> bool {
        self.ended
    }

    /// Why the stream failed, if it did.
    pub fn failure(&self) -> Option<&Fail> {
        self.failure.as_ref()
    }

    /// The state by name, for people who look.
    pub fn state(&self) -> impl Iterator<Item = (&str, &Val<'static>)> {
        let first = self.program.places.state;
        let names = self.program.state.iter().map(|(name, _)| name.as_str());
        names.enumerate().map(move |(at, name)| (name, self.env.get(first + at)))
    }

    /// The bytes made so far, and none of them twice; of a fold, none before the end.
    pub fn take_output(&mut self) -> Vec<u8> {
        if self.program.framing.folds && !self.ended {
            return Vec::new();
        }
        mem::take(&mut self.out)
    }

    /// How many bytes wait to be taken.
    pub fn pending(&self) -> usize {
        self.out.len()
    }

    /// One event: its name, if it has one, and its data, which should be JSON.
    pub fn event(&mut self, base: Base<'_, '_>, name: Option<&str>, data: &[u8]) {
        if self.over() {
            return;
        }
        match Doc::parse(data.to_vec()) {
            Ok(doc) => self.document(base, name, &doc),
            Err(error) => {
                let program = self.program.clone();
                let text = String::from_utf8_lossy(data);
                match &program.undecodable {
                    Some(steps) => self.handle(&program, base, steps, Val::Str(text), name),
                    None => self.fail(Fail::new(502, format!("an event of the stream is no JSON: {error}"))),
                }
            }
        }
    }

    /// One event whose data has been read already; also a whole answer in place of a stream.
    pub fn document(&mut self, base: Base<'_, '_>, name: Option<&str>, doc: &Doc) {
        let program = self.program.clone();
        self.read += doc.text().len();
        self.handle(&program, base, &program.event, Val::Json(doc.root()), name);
    }

    /// The literal that ends the stream, such as `[DONE]`.
    pub fn done(&mut self, base: Base<'_, '_>) {
        let program = self.program.clone();
        self.handle(&program, base, &program.done, Val::Nothing, None);
    }

    /// The bytes are over. Without an `eof` handler that is a stream cut off.
    pub fn eof(&mut self, base: Base<'_, '_>) {
        let program = self.program.clone();
        match &program.eof {
            Some(steps) => self.handle(&program, base, steps, Val::Nothing, None),
            None if self.over() => {}
            None => self.fail(Fail::new(502, "the stream was cut off before its end")),
        }
        if !self.over() {
            self.fail(Fail::new(502, "the stream was cut off before its end"));
        }
    }

    /// The stream broke off, and another one goes on: what the program has for the end of the bytes is done, and nothing
    /// has ended.
    pub fn break_off(&mut self, base: Base<'_, '_>) {
        let program = self.program.clone();
        if let Some(steps) = &program.eof {
            self.handle(&program, base, steps, Val::Nothing, None);
        }
    }

    /// Whether silence means anything to the program.
    pub fn has_timer(&self) -> bool {
        self.program.timer.is_some()
    }

    /// The stream has been silent for a while.
    pub fn timer(&mut self, base: Base<'_, '_>) {
        let program = self.program.clone();
        if let Some(steps) = &program.timer {
            self.handle(&program, base, steps, Val::Nothing, None);
        }
    }

    fn over(&self) -> bool {
        self.ended || self.failure.is_some()
    }

    pub(super) fn fail(&mut self, fail: Fail) {
        if !self.over() {
            self.failure = Some(fail);
        }
    }

    fn handle<'a>(
        &mut self,
        program: &StreamProgram,
        base: Base<'_, 'a>,
        steps: &[Step],
        document: Val<'a>,
        name: Option<&'a str>,
    ) {
        if self.over() {
            return;
        }
        let mut env: Env<'a> = mem::take(&mut self.env);
        for (slot, value) in base {
            env.set(*slot, value.clone());
        }
        if let Some(slot) = program.places.document {
            env.set(slot, document);
        }
        env.set(program.places.event, name.map_or(Val::Nothing, Val::str));
        let ran = self.run(program, steps, &mut env);
        self.env = env.end();
        if let Err(fail) = ran {
            self.fail(fail);
        }
    }

    fn run(&mut self, program: &StreamProgram, steps: &[Step], env: &mut Env<'_>) -> Result<(), Fail> {
        for step in steps {
            match step {
                Step::When { when, then, otherwise } => {
                    let branch = if when.test(env) { then } else { otherwise };
                    if branch.is_empty() {
                        continue;
                    }
                    self.run(program, branch, env)?;
                }
                Step::For { over, slot, steps } => {
                    for value in over.turns(env)? {
                        env.set(*slot, value);
                        self.run(program, steps, env)?;
                    }
                }
                Step::Let { slot, value } => {
                    let value = value.value(env)?;
                    env.set(*slot, value);
                }
                Step::Set { slot, value, keeps } => {
                    if !keeps.as_ref().is_some_and(|keeps| keeps.holds(env.get(*slot), env)) {
                        match value.value(env)? {
                            Val::Nothing => env.forget(*slot),
                            value => self.set(*slot, value, env)?,
                        }
                    }
                }
                Step::Index { slot, key, value } => {
                    let key = key.first(env)?;
                    let value = match value {
                        Some(value) => value.value(env)?.into_owned(),
                        None => key.clone().into_owned(),
                    };
                    env.index(*slot, &key, value);
                }
                Step::Add { kind, part, key, once } => {
                    let part = part.value(env)?;
                    let key = match key {
                        Some(key) => key.value(env)?,
                        None => Val::Nothing,
                    };
                    let mut fields = Vec::with_capacity(once.len());
                    for (field, template) in once {
                        fields.push((*field, template.value(env)?));
                    }
                    self.add(program, *kind, part, key, fields, env)?;
                }
                Step::Emit(emit) => self.emit(program, emit, env)?,
                Step::Close => self.close_blocks(program, env)?,
                Step::Commit => self.committed = true,
                Step::End => return self.end(program, env),
                Step::Fail(failing) => {
                    let fail = failing.make(env);
                    return Err(fail);
                }
            }
            if self.over() {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Gives a state its new value. A program that copies all it has for each event would take the square of the
    /// stream's length: it may copy so many times what it reads, and no more.
    fn set(&mut self, slot: Slot, value: Val<'_>, env: &mut Env<'_>) -> Result<(), Fail> {
        if !value.is_same(env.get(slot)) {
            self.copied += value.text_len();
        }
        if self.copied > COPIED_FREELY + COPIED * self.read {
            return Err(Fail::new(502, "the mapping's stream keeps more and more of what it reads"));
        }
        env.keep(slot, value.into_owned());
        Ok(())
    }

    fn end(&mut self, program: &StreamProgram, env: &mut Env<'_>) -> Result<(), Fail> {
        self.close_blocks(program, env)?;
        self.begin_output(program, env)?;
        self.run(program, &program.end, env)?;
        if let Some(whole) = &program.whole {
            self.fold(program, whole, env)?;
        }
        if let Some(done) = &program.framing.done {
            self.out.extend_from_slice(DATA);
            self.out.extend_from_slice(done.as_bytes());
            self.out.extend_from_slice(b"\n\n");
        }
        self.committed = true;
        self.ended = true;
        Ok(())
    }

    /// Makes one body of all that was emitted.
    fn fold(&mut self, program: &StreamProgram, whole: &Template, env: &mut Env<'_>) -> Result<(), Fail> {
        let mut emitted = mem::take(&mut self.out);
        emitted.insert(0, b'[');
        emitted.push(b']');
        env.set(program.places.emitted, parse_produced(emitted));
        whole.write(env, &mut self.out).map(drop)
    }

    /// Runs `before` once, ahead of everything else that leaves.
    pub(super) fn begin_output(&mut self, program: &StreamProgram, env: &mut Env<'_>) -> Result<(), Fail> {
        if !mem::replace(&mut self.started, true) {
            self.run(program, &program.before, env)?;
        }
        self.committed = true;
        Ok(())
    }
}
