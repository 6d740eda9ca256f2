//! Names: which ones a template may use, and the slots that hold their values while it runs.

mod parts;
mod uses;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::value::Val;
use crate::text::diagnostic::{Diagnostic, Diagnostics, did_you_mean};
use crate::text::json::Doc;
use crate::text::path::{Path, Segment};
use crate::text::yaml::{Kind, Node};

pub use parts::Parts;

/// A name's place in an [`Env`].
pub type Slot = usize;

/// From here on slots hold values that own all their text, and last from one event of a stream to the next.
const LASTING: Slot = 1 << 24;

/// Room for the names that templates give values themselves.
const LOCALS: usize = 48;

/// What is known of a root's value before anything runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Shape {
    /// Any JSON.
    #[default]
    Json,
    /// A text or a number: nothing lies below it.
    Scalar,
    /// Fields with texts: names lie below it, and nothing below them.
    Fields,
}

/// Whose value it is, as far as it tells whether the rules know all that it may be.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Origin {
    /// The client's, or made by the rules themselves.
    #[default]
    Ours,
    /// A provider's: its parameters, or what it answers.
    Provider,
}

/// What a group of templates may name: roots such as `$request`, spaces such as `$state.*`, and fragments.
///
/// Roots take the slots `0..roots.len()`, in the order given to [`Scope::new`]; spaces follow.
#[derive(Default)]
pub struct Scope {
    roots: Vec<(String, Slot)>,
    known: RefCell<Vec<(Shape, Origin)>>,
    spaces: BTreeMap<String, Vec<(String, Slot)>>,
    slots: usize,
    lasting: usize,
    fragments: BTreeMap<String, Node>,
    values: Option<Values>,
    /// The roots without a value in the templates that compile now, and what part of the rules these are.
    absent: RefCell<(Vec<Slot>, &'static str)>,
    pub(super) parts: Parts,
    uses: RefCell<uses::Uses>,
}

/// A root whose value is known when templates compile.
struct Values {
    slot: Slot,
    value: Val<'static>,
    /// The members that are not.
    open: &'static [&'static str],
}

impl Scope {
    /// A scope with these roots. The empty name is `$`, this document.
    pub fn new(roots: &[&str]) -> Scope {
        Scope {
            roots: roots.iter().enumerate().map(|(slot, name)| ((*name).to_owned(), slot)).collect(),
            slots: roots.len(),
            ..Scope::default()
        }
    }

    /// Looks in `parts` for what has compiled before.
    pub fn share(&mut self, parts: &Parts) {
        self.parts = parts.clone();
    }

    /// Declares one more root.
    pub fn declare(&mut self, name: &str) -> Slot {
        let slot = self.slots;
        self.roots.push((name.to_owned(), slot));
        self.slots += 1;
        slot
    }

    /// Says what a root's values are like, in the templates that compile from here on. Of a root that nothing is
    /// said of, nothing is known.
    pub fn describe(&self, name: &str, shape: Shape, origin: Origin) {
        if let Some(slot) = self.root(name) {
            let mut known = self.known.borrow_mut();
            let len = known.len().max(slot + 1);
            known.resize(len, Default::default());
            if let Some(place) = known.get_mut(slot) {
                *place = (shape, origin);
            }
        }
    }

    /// Says which roots alone have a value in the templates that compile from here on, and what these are.
    pub fn valued(&self, names: &[&str], part: &'static str) {
        let lacks = self.roots.iter().filter(|(name, _)| !names.contains(&name.as_str()));
        *self.absent.borrow_mut() = (lacks.map(|(_, slot)| *slot).collect(), part);
    }

    /// Where a root has no value, if that is so in what compiles now.
    pub(super) fn without(&self, slot: Slot) -> Option<&'static str> {
        let absent = self.absent.borrow();
        absent.0.contains(&slot).then_some(absent.1)
    }

    /// The roots that have a value in what compiles now.
    pub(super) fn present(&self) -> Vec<String> {
        let absent = self.absent.borrow();
        let present = self.roots.iter().filter(|(_, slot)| !absent.0.contains(slot));
        present.map(|(name, _)| format!("${name}")).collect()
    }

    /// What is known of the values in a slot.
    pub(super) fn known(&self, slot: Slot) -> (Shape, Origin) {
        self.known.borrow().get(slot).copied().unwrap_or_default()
    }

    /// Declares `$name.member` for each member, each with a slot of its own. Returns the first slot.
    pub fn space(&mut self, name: &str, members: impl IntoIterator<Item = String>) -> Slot {
        let first = self.slots;
        let space = self.spaces.entry(name.to_owned()).or_default();
        for member in members {
            space.push((member, self.slots));
            self.slots += 1;
        }
        first
    }

    /// Declares one more root, whose value lasts.
    pub(super) fn declare_lasting(&mut self, name: &str) -> Slot {
        let slot = self.next_lasting();
        self.roots.push((name.to_owned(), slot));
        slot
    }

    /// As [`Scope::space`], of values that last.
    pub(super) fn lasting_space(&mut self, name: &str, members: impl IntoIterator<Item = String>) -> Slot {
        let first = LASTING + self.lasting;
        for member in members {
            let slot = self.next_lasting();
            self.spaces.entry(name.to_owned()).or_default().push((member, slot));
        }
        self.spaces.entry(name.to_owned()).or_default();
        first
    }

    fn next_lasting(&mut self) -> Slot {
        self.lasting += 1;
        LASTING + self.lasting - 1
    }

    /// Takes over the fragments of a file: a mapping of names to templates.
    pub fn fragments(&mut self, node: &Node, diags: &mut Diagnostics) {
        let Kind::Map(entries) = &node.kind else {
            diags.push(
                Diagnostic::error(
                    "fragments-shape",
                    format!("fragments must be a mapping, not {}", node.type_name()),
                )
                .at(node.span)
                .help("write `fragments: { name: template }`"),
            );
            return;
        };
        for (key, template) in entries {
            self.fragments.insert(key.text.clone(), template.clone());
        }
    }

    /// Tells the value of a root beforehand, but for its members in `open`. What only other values would need is
    /// left out then, unseen: only templates that have compiled without this knowledge are known to be right.
    pub fn know(&mut self, root: &str, doc: Doc, open: &'static [&'static str]) {
        self.values = self.root(root).map(|slot| Values { slot, value: Val::own(doc), open });
    }

    /// Whether branches that are never taken may be left out.
    pub(super) fn has_values(&self) -> bool {
        self.values.is_some()
    }

    /// What a path from a slot selects, if that is known.
    pub(super) fn value(&self, slot: Slot, path: &Path) -> Option<Val<'static>> {
        let known = self.values.as_ref().filter(|known| known.slot == slot)?;
        match path.segments().first()? {
            Segment::Name(name) if !known.open.contains(&&**name) => Some(known.value.select(path)),
            _ => None,
        }
    }

    /// The slot of a root.
    pub fn root(&self, name: &str) -> Option<Slot> {
        self.roots.iter().find(|(root, _)| root == name).map(|(_, slot)| *slot)
    }

    /// The slot of a space's member; `Err` carries the nearest declared name, if any.
    pub(super) fn member(&self, space: &str, member: &str) -> Option<Result<Slot, Option<&str>>> {
        let members = self.spaces.get(space)?;
        Some(match members.iter().find(|(name, _)| name == member) {
            Some((_, slot)) => Ok(*slot),
            None => Err(did_you_mean(member, members.iter().map(|(name, _)| name.as_str()))),
        })
    }

    /// How many slots the roots and spaces take; locals come after them.
    pub fn len(&self) -> usize {
        self.slots
    }

    /// Whether no name is declared at all.
    pub fn is_empty(&self) -> bool {
        self.slots == 0
    }

    /// All names of roots and spaces, for suggestions.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.roots.iter().map(|(name, _)| name.as_str()).chain(self.spaces.keys().map(String::as_str))
    }

    pub(super) fn fragment(&self, name: &str) -> Option<&Node> {
        self.fragments.get(name)
    }

    pub(super) fn fragment_names(&self) -> impl Iterator<Item = &str> {
        self.fragments.keys().map(String::as_str)
    }
}

/// The values of all names while something runs.
#[derive(Clone, Default)]
pub struct Env<'a> {
    slots: Vec<Val<'a>>,
    lasting: Vec<Val<'static>>,
}

impl<'a> Env<'a> {
    /// An environment in which every name of `scope` is nothing.
    pub fn new(scope_len: usize) -> Env<'a> {
        let mut slots = Vec::new();
        slots.resize_with(scope_len, Val::default);
        Env { slots, lasting: Vec::new() }
    }

    /// An environment in which the first names of a scope have these values, with room for those that templates give
    /// values themselves.
    pub fn of(values: impl Iterator<Item = Val<'a>>, scope_len: usize) -> Env<'a> {
        let mut slots = Vec::with_capacity(scope_len + LOCALS);
        slots.extend(values);
        if slots.len() < scope_len {
            slots.resize_with(scope_len, Val::default);
        }
        Env { slots, lasting: Vec::new() }
    }

    /// The same after an event, with the values that last alone. The memory of the others stays.
    pub(super) fn end(self) -> Env<'static> {
        let Env { slots, lasting } = self;
        Env { slots: slots.into_iter().map(Val::end).collect(), lasting }
    }

    /// Gives a name its value.
    #[inline]
    pub fn set(&mut self, slot: Slot, value: Val<'a>) {
        match self.slots.get_mut(slot) {
            Some(place) => *place = value,
            None => self.grow(slot, value),
        }
    }

    fn grow(&mut self, slot: Slot, value: Val<'a>) {
        debug_assert!(slot < LASTING, "values that last are kept");
        self.slots.resize_with(slot, Val::default);
        self.slots.push(value);
    }

    /// Gives a name whose value lasts its value.
    pub(super) fn keep(&mut self, slot: Slot, value: Val<'static>) {
        let at = slot.saturating_sub(LASTING);
        if self.lasting.len() <= at {
            self.lasting.resize_with(at + 1, Val::default);
        }
        if let Some(place) = self.lasting.get_mut(at) {
            *place = value;
        }
    }

    /// Adds a value under a key to those that a name has.
    pub(super) fn index(&mut self, slot: Slot, key: &Val<'_>, value: Val<'static>) {
        if !matches!(self.get(slot), Val::Table(_)) {
            self.keep(slot, Val::Table(Arc::default()));
        }
        if let Some(Val::Table(table)) = self.lasting.get_mut(slot.saturating_sub(LASTING)) {
            Arc::make_mut(table).add(key, value);
        }
    }

    /// Takes the value from a name whose value lasts.
    pub(super) fn forget(&mut self, slot: Slot) {
        if !matches!(self.get(slot), Val::Nothing) {
            self.keep(slot, Val::Nothing);
        }
    }

    /// A name's value.
    #[inline]
    pub fn get(&self, slot: Slot) -> &Val<'a> {
        let found = if slot < LASTING { self.slots.get(slot) } else { self.lasting.get(slot - LASTING) };
        found.unwrap_or(&Val::Nothing)
    }
}
