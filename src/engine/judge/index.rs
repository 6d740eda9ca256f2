//! Which rules can fire at all, by what an outcome is: the others are not looked at.
//!
//! Each rule stands in a list by something that has to be so if it is to fire: a status, a kind of failure, a text
//! in which one of its patterns might match, a value at a path. The lists are walked together, in the order of the
//! rules; what costs something to find out is found out when the first rule that needs it comes up.

use super::gate::Gate;
use super::texts::{Found, Texts};
use super::when::{Test, Where};
use super::{Judged, Rule};
use crate::language::template::Source;
use crate::text::units::StatusSet;
use std::collections::HashMap;
use std::sync::Arc;

/// Paths beyond these do not get lists: finding out what stands there would cost more than it saves.
const MOST_PATHS: usize = 8;
/// What it costs to search a text, and to look at a path, in rules that could be looked at instead.
const SEARCH: usize = 2;
const LOOK: usize = 4;
/// No rule.
const NEVER: u32 = u32::MAX;
/// Lists by status: one for each from 100 to 599, and one for outcomes without.
const STATUSES: usize = 501;

/// The lists.
#[derive(Default)]
pub struct Index {
    gates: Box<[Gate]>,
    by_status: HashMap<u16, Vec<u32>>,
    by_kind: Vec<Vec<u32>>,
    always: Vec<u32>,
    by_text: [Text; Where::ALL.len()],
    by_value: Vec<Value>,
}

/// Rules by the patterns that might match.
#[derive(Default)]
struct Text {
    by_pattern: HashMap<u32, Vec<u32>>,
    all: Vec<u32>,
    first: First,
}

/// Rules by the text at a path.
struct Value {
    written: String,
    source: Source,
    by_text: HashMap<String, Vec<u32>>,
    first: First,
}

/// The first of some rules that a status, and a kind of failure, lets through.
#[derive(Default)]
struct First {
    by_status: Vec<u32>,
    by_kind: Vec<u32>,
}

/// What has to be so if a rule is to fire: one of these.
enum Key<'t> {
    Status(u16),
    Kind(usize),
    Pattern(Where, u32),
    Value(&'t str, &'t Source, &'t str),
}

impl Index {
    /// Makes the lists for the rules of one provider.
    pub fn new(rules: &[Arc<Rule>], provider: &str, texts: &Texts) -> Index {
        let mut index = Index {
            gates: rules.iter().map(|rule| rule.gate(provider)).collect(),
            by_kind: vec![Vec::new(); Gate::KINDS],
            ..Index::default()
        };
        for (rule, place) in rules.iter().zip(0u32..) {
            if index.gates.get(place as usize).is_none_or(Gate::is_shut) {
                continue;
            }
            match index.keys(&rule.when, texts) {
                Some((_, keys)) => keys.into_iter().for_each(|key| index.put(key, place)),
                None => index.always.push(place),
            }
        }
        let Index { gates, by_text, by_value, .. } = &mut index;
        for text in by_text {
            text.first = First::of(&text.all, gates);
        }
        for value in by_value {
            let mut all: Vec<u32> = value.by_text.values().flatten().copied().collect();
            all.sort_unstable();
            value.first = First::of(&all, gates);
        }
        index
    }

    /// The cheapest keys of a condition, and what they cost; `None` where it may hold whatever the facts are.
    fn keys<'t>(&self, test: &'t Test, texts: &Texts) -> Option<(usize, Vec<Key<'t>>)> {
        match test {
            Test::Is(false) => Some((0, Vec::new())),
            Test::All(parts) => {
                parts.iter().filter_map(|part| self.keys(part, texts)).min_by_key(|(cost, _)| *cost)
            }
            Test::Any(parts) => {
                let parts: Option<Vec<_>> = parts.iter().map(|part| self.keys(part, texts)).collect();
                let parts = parts?;
                let cost = parts.iter().map(|(cost, _)| *cost).max().unwrap_or(0);
                Some((cost, parts.into_iter().flat_map(|(_, keys)| keys).collect()))
            }
            Test::Status(set) => {
                let codes: Vec<u16> = set.codes().collect();
                let in_front = |code: &u16| self.by_status.get(code).map_or(0, Vec::len);
                let cost = codes.iter().map(in_front).max().unwrap_or(0) + 1;
                Some((cost, codes.into_iter().map(Key::Status).collect()))
            }
            Test::Failure(kinds) => {
                let kinds: Vec<usize> = kinds.iter().map(|kind| Gate::place(Some(*kind))).collect();
                let in_front = |kind: &usize| self.by_kind.get(*kind).map_or(0, Vec::len);
                let cost = kinds.iter().map(in_front).max().unwrap_or(0) + 1;
                Some((cost, kinds.into_iter().map(Key::Kind).collect()))
            }
            Test::Text(scope, patterns) if patterns.iter().all(|at| texts.has_needles(*at)) => {
                Some((SEARCH, patterns.iter().map(|at| Key::Pattern(*scope, *at)).collect()))
            }
            Test::Path(condition, written) => {
                let (source, values) = condition.texts()?;
                let is_known = self.by_value.iter().any(|value| value.written == *written);
                (is_known || self.by_value.len() < MOST_PATHS).then(|| {
                    (LOOK, values.into_iter().map(|text| Key::Value(written, source, text)).collect())
                })
            }
            _ => None,
        }
    }

    fn put(&mut self, key: Key<'_>, rule: u32) {
        let list = match key {
            Key::Status(code) => self.by_status.entry(code).or_default(),
            Key::Kind(kind) => match self.by_kind.get_mut(kind) {
                Some(list) => list,
                None => &mut self.always,
            },
            Key::Pattern(scope, at) => {
                let Some(text) = self.by_text.get_mut(scope as usize) else {
                    return self.always.push(rule);
                };
                if text.all.last() != Some(&rule) {
                    text.all.push(rule);
                }
                text.by_pattern.entry(at).or_default()
            }
            Key::Value(written, source, text) => {
                let known = self.by_value.iter().position(|value| value.written == written);
                let place = known.unwrap_or_else(|| {
                    self.by_value.push(Value {
                        written: written.to_owned(),
                        source: source.clone(),
                        by_text: HashMap::new(),
                        first: First::default(),
                    });
                    self.by_value.len() - 1
                });
                match self.by_value.get_mut(place) {
                    Some(value) => value.by_text.entry(text.to_owned()).or_default(),
                    None => &mut self.always,
                }
            }
        };
        if list.last() != Some(&rule) {
            list.push(rule);
        }
    }

    /// The places of the rules that may fire, in order.
    pub fn walk<'i, 'j, 'a>(&'i self, judged: &'j Judged<'a>) -> Walk<'i, 'j, 'a> {
        let facts = judged.facts;
        let kind = Gate::place(facts.failure);
        let slots = [facts.status.map_or(0, slot_of), facts.came.or(facts.status).map_or(0, slot_of)];
        let mut walk = Walk {
            index: self,
            judged,
            kind,
            statuses: [facts.status, facts.came.or(facts.status)],
            lists: Vec::with_capacity(4),
            waiting: [NEVER; Where::ALL.len() + MOST_PATHS],
        };
        let by_status = facts.status.and_then(|status| self.by_status.get(&status));
        let by_came = facts.came.and_then(|status| self.by_status.get(&status));
        for list in by_status.into_iter().chain(by_came).chain(self.by_kind.get(kind)).chain([&self.always]) {
            walk.add(list);
        }
        let firsts = self.by_text.iter().map(|text| &text.first);
        let firsts = firsts.chain(self.by_value.iter().map(|value| &value.first));
        for (waiting, first) in walk.waiting.iter_mut().zip(firsts) {
            *waiting = first.at(slots, kind);
        }
        walk
    }
}

/// The place of a status in lists that are as long as [`STATUSES`].
fn slot_of(status: u16) -> usize {
    if (100..600).contains(&status) { usize::from(status) - 99 } else { 0 }
}

impl First {
    fn of(rules: &[u32], gates: &[Gate]) -> First {
        if rules.is_empty() {
            return First::default();
        }
        let mut first = First { by_status: vec![NEVER; STATUSES], by_kind: vec![NEVER; Gate::KINDS] };
        let mut open = StatusSet::all();
        for rule in rules {
            let Some(gate) = gates.get(*rule as usize) else {
                continue;
            };
            let news = gate.statuses.and(open);
            open = open.without(news);
            let slots = news.codes().map(slot_of).chain(gate.no_status.then_some(0));
            for slot in slots {
                first.by_status.get_mut(slot).into_iter().for_each(|place| *place = (*place).min(*rule));
            }
            for (kind, place) in first.by_kind.iter_mut().enumerate() {
                if gate.lets_kind(kind) {
                    *place = (*place).min(*rule);
                }
            }
        }
        first
    }

    fn at(&self, statuses: [usize; 2], kind: usize) -> u32 {
        let by_status = statuses.iter().filter_map(|status| self.by_status.get(*status).copied());
        let by_status = by_status.min().unwrap_or(NEVER);
        by_status.max(self.by_kind.get(kind).copied().unwrap_or(NEVER))
    }
}

/// A walk through the rules that may fire.
pub struct Walk<'i, 'j, 'a> {
    index: &'i Index,
    judged: &'j Judged<'a>,
    kind: usize,
    /// The status as the error says, and the one that came.
    statuses: [Option<u16>; 2],
    /// What is still to come, list by list, each in order.
    lists: Vec<&'i [u32]>,
    /// From which rule on a text, then a path, has to have been looked at; [`NEVER`] if that has been done.
    waiting: [u32; Where::ALL.len() + MOST_PATHS],
}

impl<'i> Walk<'i, '_, '_> {
    fn add(&mut self, list: &'i [u32]) {
        if !list.is_empty() {
            self.lists.push(list);
        }
    }

    /// Finds out which of the patterns might match a text, or what stands at a path.
    fn look(&mut self, which: usize) {
        let index = self.index;
        if let (Some(text), Some(scope)) = (index.by_text.get(which), Where::ALL.get(which)) {
            for (_, found) in self.judged.texts(*scope).into_iter().flatten() {
                match found {
                    Found::Any => self.add(&text.all),
                    Found::These(patterns) => {
                        for list in patterns.iter().filter_map(|at| text.by_pattern.get(at)) {
                            self.add(list);
                        }
                    }
                }
            }
        } else if let Some(value) = which.checked_sub(Where::ALL.len()).and_then(|at| index.by_value.get(at))
        {
            let text = value.source.value(self.judged.env());
            if let Some(list) = text.as_str().and_then(|text| value.by_text.get(text.as_ref())) {
                self.add(list);
            }
        }
    }
}

impl Iterator for Walk<'_, '_, '_> {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        loop {
            let next = self.lists.iter().filter_map(|list| list.first()).min().copied().unwrap_or(NEVER);
            let is_due = |from: &u32| *from <= next && *from != NEVER;
            if let Some(which) = self.waiting.iter().position(is_due) {
                self.waiting.get_mut(which).into_iter().for_each(|from| *from = NEVER);
                self.look(which);
                continue;
            }
            if next == NEVER {
                return None;
            }
            for list in &mut self.lists {
                if let Some((first, rest)) = list.split_first()
                    && *first == next
                {
                    *list = rest;
                }
            }
            let gate = self.index.gates.get(next as usize);
            let is_let = |gate: &Gate| {
                gate.lets_kind(self.kind) && self.statuses.iter().any(|it| gate.lets_status(*it))
            };
            if gate.is_some_and(is_let) {
                return Some(next as usize);
            }
        }
    }
}
