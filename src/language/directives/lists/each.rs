//! The loop `$for`: each item a turn, or several in one turn.

use std::collections::BTreeMap;

use super::number;
use crate::language::condition::Condition;
use crate::language::needs::Needs;
use crate::language::scope::{Env, Slot};
use crate::language::template::{Fail, Items, Op, Template, written};
use crate::language::value::{LookupKey, SHORT, Turns, Val, made};

pub(super) struct For {
    pub over: Template,
    pub item: Slot,
    /// The slot of the turn's number, if it has a name.
    pub at: Option<Slot>,
    /// The slots of the turns before and after this one, if either has a name.
    pub beside: Option<(Slot, Slot)>,
    pub only: Option<Condition>,
    pub group: Option<Template>,
    /// Whether items of one key are one turn wherever they stand, and not only beside each other.
    pub gathers: bool,
    pub emit: Vec<Template>,
    /// Whether what it emits are selected values.
    pub selects: bool,
}

/// How many values a loop has looked at, and how many of them were turns.
#[derive(Default)]
struct Counts {
    values: usize,
    turns: usize,
}

/// Takes what one turn gives.
type Emit<'e, 'a> = &'e mut dyn FnMut(&Template, &mut Env<'a>) -> Result<(), Fail>;

impl For {
    /// Runs the loop; each turn's templates go to `emit`.
    fn run<'a>(&self, env: &mut Env<'a>, emit: Emit<'_, 'a>) -> Result<(), Fail> {
        if self.group.is_some() || self.beside.is_some() {
            let over = self.over.turns(env)?;
            return self.run_together(over, env, emit);
        }
        let mut counts = Counts::default();
        if let Some((path, node)) = self.over.nodes(env) {
            // The nodes come one by one: no list of them is needed.
            let mut result = Ok(());
            path.visit(node, node, |found| {
                result = self.turn(Val::Json(found), &mut counts, env, emit);
                result.is_ok()
            });
            return result;
        }
        let mut over = self.over.turns(env)?;
        over.try_for_each(|value| self.turn(value, &mut counts, env, emit))
    }

    /// One turn, if `$where` lets it through.
    fn turn<'a>(
        &self,
        value: Val<'a>,
        counts: &mut Counts,
        env: &mut Env<'a>,
        emit: Emit<'_, 'a>,
    ) -> Result<(), Fail> {
        env.set(self.item, value);
        if let Some(only) = &self.only {
            self.set_at(env, counts.values);
            counts.values += 1;
            if !only.test(env) {
                return Ok(());
            }
        }
        self.set_at(env, counts.turns);
        counts.turns += 1;
        self.emit.iter().try_for_each(|template| emit(template, env))
    }

    /// The same where a turn has to do with its neighbours.
    fn run_together<'a>(&self, over: Turns<'a>, env: &mut Env<'a>, emit: Emit<'_, 'a>) -> Result<(), Fail> {
        self.set_beside(env, &[], 0);
        let values = self.turns(env, over)?;
        for (count, value) in values.iter().enumerate() {
            env.set(self.item, value.clone());
            self.set_at(env, count);
            self.set_beside(env, &values, count);
            for template in &self.emit {
                emit(template, env)?;
            }
        }
        Ok(())
    }

    fn set_at(&self, env: &mut Env<'_>, at: usize) {
        if let Some(slot) = self.at {
            env.set(slot, number(at));
        }
    }

    /// Gives the names of the neighbours of turn `at` their values.
    fn set_beside<'a>(&self, env: &mut Env<'a>, turns: &[Val<'a>], at: usize) {
        if let Some((before, after)) = self.beside {
            let turn = |at: Option<usize>| at.and_then(|at| turns.get(at)).cloned().unwrap_or_default();
            env.set(before, turn(at.checked_sub(1)));
            env.set(after, turn(at.checked_add(1)));
        }
    }

    /// The values of the turns: what `$where` lets through, in groups if asked.
    fn turns<'a>(&self, env: &mut Env<'a>, values: Turns<'a>) -> Result<Vec<Val<'a>>, Fail> {
        let mut turns: Vec<Val<'a>> = Vec::new();
        let mut beside = Beside::default();
        let mut groups = Groups::default();
        for (count, value) in values.enumerate() {
            env.set(self.item, value.clone());
            self.set_at(env, count);
            if self.only.as_ref().is_some_and(|only| !only.test(env)) {
                continue;
            }
            match &self.group {
                None => turns.push(value),
                Some(group) if self.gathers => groups.add(&group.value(env)?, value),
                Some(group) => beside.add(group.value(env)?, value, &mut turns),
            }
        }
        beside.end(&mut turns);
        turns.extend(groups.groups.into_iter().map(|members| Val::List(members.into())));
        Ok(turns)
    }
}

/// Neighbours of the same key: those of the last one, so far.
#[derive(Default)]
struct Beside<'a> {
    key: Val<'a>,
    members: Vec<Val<'a>>,
}

impl<'a> Beside<'a> {
    fn add(&mut self, key: Val<'a>, value: Val<'a>, turns: &mut Vec<Val<'a>>) {
        if !self.key.equals(&key) {
            self.end(turns);
            self.key = key;
        }
        self.members.push(value);
    }

    fn end(&mut self, turns: &mut Vec<Val<'a>>) {
        if !self.members.is_empty() {
            turns.push(Val::List(self.members.drain(..).collect()));
        }
    }
}

/// Items of the same key wherever they stand, in the order of the first of each.
#[derive(Default)]
struct Groups<'a> {
    groups: Vec<Vec<Val<'a>>>,
    /// Where the group of a key is.
    places: BTreeMap<LookupKey, usize>,
}

impl<'a> Groups<'a> {
    fn add(&mut self, key: &Val<'a>, value: Val<'a>) {
        let next = self.groups.len();
        let at = *self.places.entry(key.lookup_key()).or_insert(next);
        match self.groups.get_mut(at) {
            Some(members) => members.push(value),
            None => self.groups.push(vec![value]),
        }
    }
}

impl Op for For {
    fn write(&self, env: &mut Env<'_>, out: &mut Vec<u8>) -> Result<bool, Fail> {
        out.push(b'[');
        let mut items = Items::new(out);
        self.run(env, &mut |template, env| template.items(env, &mut items))?;
        let gave = !items.is_empty();
        out.push(b']');
        Ok(gave)
    }

    fn items(&self, env: &mut Env<'_>, items: &mut Items<'_>) -> Result<(), Fail> {
        self.run(env, &mut |template, env| template.items(env, items))
    }

    fn value<'a>(&self, env: &mut Env<'a>) -> Result<Val<'a>, Fail> {
        if !self.selects {
            return written(self, env);
        }
        let mut values = Vec::new();
        self.gather(env, &mut values)?;
        Ok(match values.len() {
            0 => Val::Nothing,
            1..=SHORT => Val::Items(values.into()),
            // A long list is looked through better when it is read.
            _ => {
                let mut out = Vec::new();
                Val::Items(values.into()).write(&mut out);
                made(out)
            }
        })
    }

    fn gather<'a>(&self, env: &mut Env<'a>, values: &mut Vec<Val<'a>>) -> Result<(), Fail> {
        self.run(env, &mut |template, env| template.gather(env, values))
    }

    fn turns<'a>(&self, env: &mut Env<'a>) -> Result<Turns<'a>, Fail> {
        let mut values = Vec::new();
        self.gather(env, &mut values)?;
        Ok(Turns::values(values))
    }

    fn selects(&self) -> bool {
        self.selects
    }

    fn needs(&self) -> Needs {
        self.over.needs()
    }
}
