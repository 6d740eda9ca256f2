//! The stream program: state, blocks, and a handler of steps for each kind of input, compiled from YAML.

use crate::language::compile::Compiler;
use crate::language::condition::Condition;
use crate::language::directives::{Failing, compile_failing};
use crate::language::matchers::{self, Matcher};
use crate::language::scope::{Scope, Slot};
use crate::language::template::Template;
use crate::language::value::Val;
use crate::language::words::{self, BLOCKS, PROGRAM, STEPS, Word};
use crate::text::diagnostic::{Diagnostics, Span};
use crate::text::yaml::{Key, Kind, Node};

/// How the events that leave are framed (server-sent events, WHATWG HTML section 9.2).
#[derive(Clone, Debug, Default)]
pub struct Framing {
    /// The member of the data whose value is the event's name; none: no `event:` line.
    pub event: Option<String>,
    /// Literal data that ends a good stream, such as `[DONE]`.
    pub done: Option<String>,
}

/// A compiled stream program. It never changes; a [`super::StreamMachine`] holds what one stream has so far.
pub struct StreamProgram {
    pub(super) slots: usize,
    pub(super) places: Places,
    pub(super) framing: Framing,
    pub(super) state: Vec<Val<'static>>,
    pub(super) kinds: Vec<BlockKind>,
    pub(super) before: Vec<Step>,
    pub(super) event: Vec<Step>,
    pub(super) done: Vec<Step>,
    pub(super) undecodable: Option<Vec<Step>>,
    pub(super) eof: Option<Vec<Step>>,
    pub(super) end: Vec<Step>,
}

/// Where the names that the machine itself provides have their slots.
pub(super) struct Places {
    pub document: Option<Slot>,
    pub event: Slot,
    pub part: Slot,
    pub state: Slot,
    /// The kinds of which a block has begun, in order.
    pub blocks: Slot,
    pub begun: Slot,
    pub index: Slot,
    pub key: Slot,
    /// The `once` fields of all kinds, by name.
    pub fields: Vec<(String, Slot)>,
}

/// What a kind of block looks like.
pub(super) struct BlockKind {
    pub name: String,
    pub keyed: bool,
    /// Slots of the fields kept from their first value that is something; the first of them identifies.
    pub once: Vec<Slot>,
    pub ready: Option<Condition>,
    pub whole: Option<Matcher>,
    pub begin: Vec<Emit>,
    pub part: Vec<Emit>,
    pub end: Vec<Emit>,
}

/// One event to be written.
pub(super) struct Emit {
    /// `event: name`, where it is known beforehand.
    pub name: Option<String>,
    pub data: Template,
}

/// One thing to do.
pub(super) enum Step {
    When { when: Condition, then: Vec<Step>, otherwise: Vec<Step> },
    For { over: Template, slot: Slot, steps: Vec<Step> },
    Let { slot: Slot, value: Template },
    Set { state: usize, value: Template },
    Add { kind: usize, part: Template, key: Option<Template>, once: Vec<(usize, Template)> },
    Emit(Emit),
    Close,
    Commit,
    End,
    Fail(Failing),
}

impl StreamProgram {
    /// Compiles the `stream:` section of a mapping. `scope` has the roots that the caller provides for every event;
    /// `$state.*`, `$block.*`, `$begun.*`, `$blocks`, `$part` and `$event` are added to it.
    pub fn compile(
        node: &Node,
        mut scope: Scope,
        framing: Framing,
        diags: &mut Diagnostics,
    ) -> Option<StreamProgram> {
        let entries = map(node, "a stream program", diags)?;
        let mut sound = known(entries, PROGRAM, "a stream program", diags);
        let state = state(node.get("state"), diags)?;
        let kinds: &[(Key, Node)] = match node.get("blocks") {
            Some(blocks) => map(blocks, "`blocks`", diags)?,
            None => &[],
        };
        let fields = once_names(kinds);
        let places = Places {
            document: scope.root(""),
            // Whoever provides `$event` for all templates has a place for it already.
            event: match scope.root("event") {
                Some(slot) => slot,
                None => scope.declare("event"),
            },
            part: scope.declare("part"),
            blocks: scope.declare("blocks"),
            state: scope.space("state", state.iter().map(|(name, _)| name.clone())),
            begun: scope.space("begun", kinds.iter().map(|(key, _)| key.text.clone())),
            index: scope.space("block", ["index".to_owned()]),
            key: scope.space("block", ["key".to_owned()]),
            fields: fields.iter().map(|name| (name.clone(), scope.space("block", [name.clone()]))).collect(),
        };
        let mut parser = Parser {
            c: Compiler::new(&scope, diags),
            framing: &framing,
            state: state.iter().map(|(name, _)| name.clone()).collect(),
            kinds: kinds.iter().map(|(key, _)| key.text.clone()).collect(),
            fields: &places.fields,
        };
        parser.c.infallible = true;
        let handler = |parser: &mut Parser<'_, '_>, name: &str| match node.get(name) {
            Some(node) => parser.steps(node).map(Some),
            None => Some(None),
        };
        let (event, done) = (handler(&mut parser, "event"), handler(&mut parser, "done"));
        let (undecodable, eof) = (handler(&mut parser, "undecodable"), handler(&mut parser, "eof"));
        // These run in the midst of the handlers above.
        parser.c.reserve_locals();
        let kinds: Vec<_> = kinds.iter().map(|(key, node)| parser.kind(&key.text, node)).collect();
        let (before, end) = (handler(&mut parser, "before"), handler(&mut parser, "end"));
        if node.get("event").is_none() {
            sound = false;
            diags.error("missing-event", node.span, "a stream program needs an `event:` handler");
        }
        let slots = scope.len();
        scope.finish(diags);
        let program = StreamProgram {
            slots,
            places,
            framing,
            state: state.into_iter().map(|(_, value)| value).collect(),
            kinds: kinds.into_iter().collect::<Option<_>>()?,
            before: before?.unwrap_or_default(),
            event: event?.unwrap_or_default(),
            done: done?.unwrap_or_else(|| vec![Step::End]),
            undecodable: undecodable?,
            eof: eof?,
            end: end?.unwrap_or_default(),
        };
        sound.then_some(program)
    }
}

/// Compiles the parts of one program.
struct Parser<'p, 'c> {
    c: Compiler<'c>,
    framing: &'p Framing,
    state: Vec<String>,
    kinds: Vec<String>,
    fields: &'p [(String, Slot)],
}

impl Parser<'_, '_> {
    fn kind(&mut self, name: &str, node: &Node) -> Option<BlockKind> {
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
        Some(Emit { name, data })
    }

    /// One step or a list of them. Names that a `let` gives are in sight until the list ends.
    fn steps(&mut self, node: &Node) -> Option<Vec<Step>> {
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
            let mark = self.c.mark_locals();
            let mut then = Vec::new();
            let inner = self.statements(node, &mut then);
            self.c.drop_locals(mark);
            let otherwise = node.get("else").map(|node| self.steps(node));
            inner?;
            out.push(Step::When { when: when?, then, otherwise: flip(otherwise)?.unwrap_or_default() });
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
                let value = self.c.template(value);
                let slot = self.c.push_local(&key.text);
                match value {
                    Some(value) => out.push(Step::Let { slot, value }),
                    None => sound = false,
                }
            }
        }
        if let Some(over) = node.get("for") {
            let over = self.c.template(over);
            let Some(name) = node.get("as") else {
                self.c.error("bad-step", node.span, "`for` needs `as: name` beside it");
                return None;
            };
            let name = self.c.name(name, "`as`")?;
            let mark = self.c.mark_locals();
            let slot = self.c.push_local(name);
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
            match (self.state.iter().position(|name| *name == key.text), value) {
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

/// The declared state: names with the values that they begin with.
fn state(node: Option<&Node>, diags: &mut Diagnostics) -> Option<Vec<(String, Val<'static>)>> {
    let Some(node) = node else { return Some(Vec::new()) };
    let mut state = Vec::new();
    for (key, value) in map(node, "`state`", diags)? {
        let mut bytes = Vec::new();
        value.to_json_bytes(&mut bytes);
        let value = crate::language::value::parse_produced(bytes);
        state.push((key.text.clone(), if value.is_nothing() { Val::Nothing } else { value }));
    }
    Some(state)
}

/// The names in all `once` lists, each once.
fn once_names(kinds: &[(Key, Node)]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for (_, kind) in kinds {
        for name in
            kind.get("once").and_then(Node::as_list).unwrap_or_default().iter().filter_map(Node::as_str)
        {
            if !names.iter().any(|known| known == name) {
                names.push(name.to_owned());
            }
        }
    }
    names
}

fn map<'n>(node: &'n Node, what: &str, diags: &mut Diagnostics) -> Option<&'n [(Key, Node)]> {
    let entries = node.as_map();
    if entries.is_none() {
        diags.error("bad-shape", node.span, format!("{what} must be a mapping, not {}", node.type_name()));
    }
    entries
}

fn known(entries: &[(Key, Node)], table: &'static [Word], what: &str, diags: &mut Diagnostics) -> bool {
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
fn flip<T>(value: Option<Option<T>>) -> Option<Option<T>> {
    match value {
        Some(Some(value)) => Some(Some(value)),
        Some(None) => None,
        None => Some(None),
    }
}
