//! The steps and blocks of a stream program, from YAML.

use super::machine::name_line;
use super::program::{BlockKind, Emit, Framing, Step};
use crate::language::compile::Compiler;
use crate::language::condition::Condition;
use crate::language::directives::compile_failing;
use crate::language::matchers;
use crate::language::scope::Slot;
use crate::language::words::{self, BLOCKS, STEPS, Word};
use crate::text::diagnostic::{Diagnostics, Span};
use crate::text::yaml::{Key, Kind, Node};

/// Compiles the parts of one program.
pub(super) struct Parser<'p, 'c> {
    pub c: Compiler<'c>,
    pub framing: &'p Framing,
    pub state: Vec<String>,
    /// Which of the states some step sets.
    pub set: Vec<bool>,
    pub kinds: Vec<String>,
    pub fields: &'p [(String, Slot)],
}

impl Parser<'_, '_> {
    /// What a kind of block looks like.
    pub fn kind(&mut self, name: &str, node: &Node) -> Option<BlockKind> {
        let entries = map(node, "a block", self.c.diags)?;
        let sound = known(entries, BLOCKS, "a block", self.c.diags);
        let mut once = Vec::new();
        for name in node.get("once").and_then(Node::as_list).unwrap_or_default() {
            let field = name.as_str().and_then(|name| self.fields.iter().find(|(field, _)| field == name));
            match field {
                Some((_, slot)) => once.push(*slot),
                None => {
                    self.c.error("bad-once", name.span, "`once` takes a list of names");
                }
            }
        }
        let ready = node.get("ready").map(|node| self.c.condition(node));
        let whole = node.get("whole").map(|node| matchers::compile(&mut self.c, node));
        let mut emits = |name: &str| match node.get(name) {
            Some(node) => self.emits(node),
            None => Some(Vec::new()),
        };
        let (begin, part, end) = (emits("begin"), emits("part"), emits("end"));
        Some(BlockKind {
            name: name.to_owned(),
            keyed: matches!(node.get("keyed").map(|node| &node.kind), Some(Kind::Bool(true))),
            once,
            ready: flip(ready)?,
            whole: flip(whole)?,
            begin: begin?,
            part: part?,
            end: end?,
        })
        .filter(|_| sound)
    }

    /// One template or a list of them, each an event.
    fn emits(&mut self, node: &Node) -> Option<Vec<Emit>> {
        let nodes = node.as_list().unwrap_or(std::slice::from_ref(node));
        let emits: Vec<_> = nodes.iter().map(|node| self.emit(node)).collect();
        emits.into_iter().collect()
    }

    fn emit(&mut self, node: &Node) -> Option<Emit> {
        let data = self.c.template(node)?;
        let name = self.framing.event.as_ref().and_then(|member| data.constant_member(member));
        let name = name.map(|name| name_line(&name));
        Some(Emit { name, data })
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
                None => out.push(Step::When { when, then, otherwise }),
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
                    Some(value) => out.push(Step::Let { slot, value }),
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
            out.push(Step::For { over: over?, slot, steps });
            return sound.then_some(());
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
            let place = self.state.iter().position(|name| *name == key.text);
            if let Some(set) = place.and_then(|place| self.set.get_mut(place)) {
                *set = true;
            }
            match (place, value) {
                (Some(state), Some(value)) => out.push(Step::Set { state, value }),
                (Some(_), None) => sound = false,
                (None, _) => {
                    sound = false;
                    self.unknown("the state", &key.text, key.span, self.state.clone());
                }
            }
        }
        sound.then_some(())
    }

    fn add(&mut self, node: &Node, out: &mut Vec<Step>) -> Option<()> {
        let entries = map(node, "`add`", self.c.diags)?;
        let mut found = None;
        let (mut key, mut once, mut sound) = (None, Vec::new(), true);
        for (name, value) in entries {
            let template = self.c.template(value);
            let kind = self.kinds.iter().position(|kind| *kind == name.text);
            let field = self.fields.iter().position(|(field, _)| *field == name.text);
            match (kind, field, template) {
                (_, _, None) => sound = false,
                (Some(kind), _, Some(part)) if found.is_none() => found = Some((kind, part)),
                (_, Some(field), Some(value)) => once.push((field, value)),
                (None, None, Some(value)) if name.text == "key" => key = Some(value),
                _ => {
                    sound = false;
                    let known = self.kinds.iter().chain(self.fields.iter().map(|(field, _)| field));
                    let known = known.cloned().chain(["key".to_owned()]).collect();
                    self.unknown("`add`", &name.text, name.span, known);
                }
            }
        }
        match found {
            Some((kind, part)) if sound => out.push(Step::Add { kind, part, key, once }),
            None if sound => {
                self.c.error("bad-step", node.span, "`add` names the block that it adds to");
                return None;
            }
            _ => return None,
        }
        Some(())
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
