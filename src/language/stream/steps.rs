//! The steps and blocks of a stream program, from YAML.

use super::emit::{DATA, name_line};
use super::kinds::KindWords;
use super::program::{Emit, Framing, Step};
use crate::language::compile::Compiler;
use crate::language::condition::Condition;
use crate::language::directives::compile_failing;
use crate::language::needs::Guarded;
use crate::language::scope::Slot;
use crate::language::words::{self, INDEXED, STEPS, Word};
use crate::text::diagnostic::{Diagnostics, Span};
use crate::text::yaml::{Key, Kind, Node};

/// Compiles the parts of one program.
pub(super) struct Parser<'p, 'c> {
    pub c: Compiler<'c>,
    pub framing: &'p Framing,
    pub state: Vec<String>,
    /// The slot of the first of the state.
    pub first_state: Slot,
    /// Which of the states some step sets.
    pub set: Vec<bool>,
    pub kinds: Vec<KindWords>,
    pub fields: &'p [(String, Slot)],
}

impl Parser<'_, '_> {
    /// One template or a list of them, each an event.
    pub(super) fn emits(&mut self, node: &Node) -> Option<Vec<Emit>> {
        let nodes = node.as_list().unwrap_or(std::slice::from_ref(node));
        let emits: Vec<_> = nodes.iter().map(|node| self.emit(node)).collect();
        emits.into_iter().collect()
    }

    fn emit(&mut self, node: &Node) -> Option<Emit> {
        let data = self.c.template(node)?;
        let name = self.framing.event.as_ref().and_then(|member| data.constant_member(member));
        let head = name.map(|name| [&name_line(&name), DATA].concat());
        Some(Emit { head, data })
    }

    /// One step or a list of them. Names that a `let` gives are in sight until the list ends.
    pub fn steps(&mut self, node: &Node) -> Option<Vec<Step>> {
        let mark = self.c.mark_locals();
        let nodes = node.as_list().unwrap_or(std::slice::from_ref(node));
        let mut steps = Vec::new();
        let mut sound = true;
        for node in nodes {
            sound &= self.step(node, &mut steps).is_some();
        }
        self.c.drop_locals(mark);
        sound.then_some(steps)
    }

    /// One step's statements, in the order in which they run whatever their order in the file.
    fn step(&mut self, node: &Node, out: &mut Vec<Step>) -> Option<()> {
        if let Some(word) = node.as_str() {
            // `done: end` is short for `done: { end: true }`.
            out.push(match word {
                "end" => Step::End,
                "close" => Step::Close,
                "commit" => Step::Commit,
                _ => {
                    self.c.error(
                        "bad-step",
                        node.span,
                        "a step is a mapping, or one of `end`, `close`, `commit`",
                    );
                    return None;
                }
            });
            return Some(());
        }
        let entries = map(node, "a step", self.c.diags)?;
        if !known(entries, STEPS, "a step", self.c.diags) {
            return None;
        }
        if entries.iter().all(|(key, _)| ["when", "for", "as"].contains(&key.text.as_str())) {
            self.c
                .error("bad-step", node.span, "this step does nothing")
                .help(format!("it has {}", words::listed(STEPS)));
            return None;
        }
        if let Some(when) = node.get("when") {
            let when = self.c.condition(when);
            let decided = if let Some(Condition::Is(holds)) = when { Some(holds) } else { None };
            let mark = self.c.mark_locals();
            let mut then = Vec::new();
            let inner = if self.c.needs(decided != Some(false)) {
                self.statements(node, &mut then)
            } else {
                Some(())
            };
            self.c.drop_locals(mark);
            let otherwise = node.get("else").filter(|_| self.c.needs(decided != Some(true)));
            let otherwise = flip(otherwise.map(|node| self.steps(node)));
            inner?;
            let (when, otherwise) = (when?, otherwise?.unwrap_or_default());
            match decided {
                Some(true) => out.extend(then),
                Some(false) => out.extend(otherwise),
                None => out.push(Step::When { when: Guarded::condition(when), then, otherwise }),
            }
            return Some(());
        }
        if let Some(stray) = node.key("else") {
            self.c.error("bad-step", stray.span, "an `else` needs a `when` beside it");
            return None;
        }
        self.statements(node, out)
    }

    fn statements(&mut self, node: &Node, out: &mut Vec<Step>) -> Option<()> {
        let mut sound = true;
        if let Some(names) = node.get("let") {
            for (key, value) in map(names, "`let`", self.c.diags)? {
                let (value, origin) = (self.c.template(value), self.c.origin(value));
                let slot = self.c.push_local(&key.text);
                self.c.local_is(slot, origin);
                match value {
                    Some(value) => out.push(Step::Let { slot, value: Guarded::template(value) }),
                    None => sound = false,
                }
            }
        }
        if let Some(over) = node.get("for") {
            let (over, origin) = (self.c.template(over), self.c.origin(over));
            let Some(name) = node.get("as") else {
                self.c.error("bad-step", node.span, "`for` needs `as: name` beside it");
                return None;
            };
            let name = self.c.name(name, "`as`")?;
            let mark = self.c.mark_locals();
            let slot = self.c.push_local(name);
            self.c.local_is(slot, origin);
            let mut steps = Vec::new();
            let inner = self.actions(node, &mut steps);
            self.c.drop_locals(mark);
            inner?;
            out.push(Step::For { over: Guarded::template(over?), slot, steps });
            return sound.then_some(());
        }
        if let Some(stray) = node.key("as") {
            self.c.error("bad-step", stray.span, "an `as` needs a `for` beside it");
            return None;
        }
        self.actions(node, out)?;
        sound.then_some(())
    }

    fn actions(&mut self, node: &Node, out: &mut Vec<Step>) -> Option<()> {
        let mut sound = true;
        if let Some(add) = node.get("add") {
            sound &= self.add(add, out).is_some();
        }
        if let Some(set) = node.get("set") {
            sound &= self.set(set, out).is_some();
        }
        if let Some(index) = node.get("index") {
            sound &= self.index(index, out).is_some();
        }
        if let Some(emit) = node.get("emit") {
            match self.emits(emit) {
                Some(emits) => out.extend(emits.into_iter().map(Step::Emit)),
                None => sound = false,
            }
        }
        if let Some(steps) = node.get("steps") {
            match self.steps(steps) {
                Some(steps) => out.extend(steps),
                None => sound = false,
            }
        }
        for (word, step) in [("close", Step::Close), ("commit", Step::Commit), ("end", Step::End)] {
            match node.get(word).map(|node| &node.kind) {
                Some(Kind::Bool(true)) => out.push(step),
                None | Some(Kind::Bool(false)) => {}
                Some(_) => {
                    sound = false;
                    self.c.error("bad-step", node.span, format!("`{word}` is true or not there"));
                }
            }
        }
        if let Some(fail) = node.get("fail") {
            match compile_failing(&mut self.c, fail) {
                Some(fail) => out.push(Step::Fail(fail)),
                None => sound = false,
            }
        }
        sound.then_some(())
    }

    fn set(&mut self, node: &Node, out: &mut Vec<Step>) -> Option<()> {
        let mut sound = true;
        for (key, value) in map(node, "`set`", self.c.diags)? {
            let value = self.c.template(value);
            match (self.state(key), value) {
                (Some(slot), Some(value)) => {
                    let keeps = value.keeps(slot);
                    out.push(Step::Set { slot, value: Guarded::template(value), keeps });
                }
                _ => sound = false,
            }
        }
        sound.then_some(())
    }

    fn index(&mut self, node: &Node, out: &mut Vec<Step>) -> Option<()> {
        let mut sound = true;
        for (key, entry) in map(node, "`index`", self.c.diags)? {
            sound &=
                known(map(entry, "an entry of `index`", self.c.diags)?, INDEXED, "`index`", self.c.diags);
            let slot = self.state(key);
            let Some(by) = entry.get("key") else {
                self.c.error("bad-step", entry.span, "`index` needs a `key`");
                return None;
            };
            let (key, value) = (self.c.template(by), entry.get("value").map(|node| self.c.template(node)));
            out.push(Step::Index { slot: slot?, key: key?, value: flip(value)? });
        }
        sound.then_some(())
    }

    /// The slot of a state that a step changes; a name that is none is reported.
    fn state(&mut self, key: &Key) -> Option<Slot> {
        let place = self.state.iter().position(|name| *name == key.text);
        match place.and_then(|place| Some((place, self.set.get_mut(place)?))) {
            Some((place, set)) => {
                *set = true;
                Some(self.first_state + place)
            }
            None => {
                self.unknown("the state", &key.text, key.span, self.state.clone());
                None
            }
        }
    }

    fn add(&mut self, node: &Node, out: &mut Vec<Step>) -> Option<()> {
        let entries = map(node, "`add`", self.c.diags)?;
        let kind_of = |name: &str| self.kinds.iter().position(|kind| kind.name == name);
        let block = entries.iter().position(|(key, _)| kind_of(&key.text).is_some());
        let Some((place, kind)) = block.and_then(|at| Some((at, kind_of(&entries.get(at)?.0.text)?))) else {
            let kinds: Vec<String> = self.kinds.iter().map(|kind| kind.name.clone()).collect();
            match entries.first() {
                Some((key, _)) if key.text != "key" && !self.fields.iter().any(|(it, _)| *it == key.text) => {
                    self.unknown("`blocks`", &key.text, key.span, kinds);
                }
                _ => {
                    let help = format!("there is: {}", kinds.join(", "));
                    self.c.error("bad-step", node.span, "`add` names the block that it adds to").help(help);
                }
            }
            return None;
        };
        let (mut part, mut key, mut once, mut sound) = (None, None, Vec::new(), true);
        for (at, (name, value)) in entries.iter().enumerate() {
            let template = self.c.template(value);
            sound &= template.is_some();
            let shape = self.kinds.get(kind);
            let keyed = shape.is_some_and(|shape| shape.keyed);
            let known = shape.map(|shape| shape.once.clone()).unwrap_or_default();
            let field = self.fields.iter().position(|(field, _)| *field == name.text);
            match (template, field.filter(|_| known.contains(&name.text))) {
                (template, _) if at == place => part = template,
                (template, _) if keyed && name.text == "key" => key = template,
                (Some(template), Some(field)) if keyed => once.push((field, Guarded::template(template))),
                (None, Some(_)) => {}
                _ => {
                    sound = false;
                    let block = entries.get(place).map(|(key, _)| key.text.as_str()).unwrap_or_default();
                    self.stray(block, keyed, name, known);
                }
            }
        }
        out.push(Step::Add { kind, part: Guarded::template(part?), key, once });
        sound.then_some(())
    }

    /// A word beside a block in `add` that means nothing to it.
    fn stray(&mut self, block: &str, keyed: bool, word: &Key, mut known: Vec<String>) {
        if self.kinds.iter().any(|kind| kind.name == word.text) {
            let message = format!("one `add` is for one block, and `{block}` is one already");
            self.c.error("bad-step", word.span, message).help("write a step for each");
        } else if keyed {
            known.push("key".to_owned());
            self.unknown(&format!("the block `{block}`"), &word.text, word.span, known);
        } else {
            let message = format!("the block `{block}` takes no `{}`, since it is not keyed", word.text);
            self.c.error("not-keyed", word.span, message).help(format!("add `keyed: true` to `{block}`"));
        }
    }

    fn unknown(&mut self, what: &str, name: &str, span: Span, known: Vec<String>) {
        let all = known.join(", ");
        self.c
            .error("unknown-name", span, format!("{what} has no `{name}`"))
            .did_you_mean(name, known.iter().map(String::as_str))
            .help(format!("there is: {all}"));
    }
}

/// The entries of a mapping; anything else is reported.
pub(super) fn map<'n>(node: &'n Node, what: &str, diags: &mut Diagnostics) -> Option<&'n [(Key, Node)]> {
    let entries = node.as_map();
    if entries.is_none() {
        diags.error("bad-shape", node.span, format!("{what} must be a mapping, not {}", node.type_name()));
    }
    entries
}

/// Whether all keys are in the table; others are reported.
pub(super) fn known(
    entries: &[(Key, Node)],
    table: &'static [Word],
    what: &str,
    diags: &mut Diagnostics,
) -> bool {
    let mut sound = true;
    for (key, _) in entries {
        if !words::knows(table, &key.text) {
            sound = false;
            diags
                .error("unknown-key", key.span, format!("{what} has no `{}`", key.text))
                .did_you_mean(&key.text, words::names(table))
                .help(format!("it has {}", words::listed(table)));
        }
    }
    sound
}

/// `None` stays absent, a mistake inside becomes a mistake.
pub(super) fn flip<T>(value: Option<Option<T>>) -> Option<Option<T>> {
    match value {
        Some(Some(value)) => Some(Some(value)),
        Some(None) => None,
        None => Some(None),
    }
}
