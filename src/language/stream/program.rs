//! The stream program: state, blocks, and a handler of steps for each kind of input, compiled from YAML.

use super::kinds::KindWords;
use super::steps::{Parser, flip, known, map};
use crate::language::compile::Compiler;
use crate::language::condition::Condition;
use crate::language::directives::Failing;
use crate::language::matchers::Matcher;
use crate::language::needs::{Guarded, Keeps};
use crate::language::scope::{Scope, Slot};
use crate::language::template::Template;
use crate::language::value::Val;
use crate::language::words::PROGRAM;
use crate::text::diagnostic::Diagnostics;
use crate::text::yaml::{Key, Node};

/// How the events that leave are framed (server-sent events, WHATWG HTML section 9.2).
#[derive(Clone, Debug, Default)]
pub struct Framing {
    /// The member of the data whose value is the event's name; none: no `event:` line.
    pub event: Option<String>,
    /// Literal data that ends a good stream, such as `[DONE]`.
    pub done: Option<String>,
    /// Nothing is framed: what is emitted is kept, and `whole` makes one body of it.
    pub folds: bool,
}

/// A compiled stream program. It never changes; a [`super::StreamMachine`] holds what one stream has so far.
pub struct StreamProgram {
    /// How many slots there are for names that the caller and the machine give; the handlers' own ones follow.
    pub(super) slots: usize,
    /// Those of the caller's slots that something looks at.
    reads: Vec<Slot>,
    pub(super) places: Places,
    pub(super) framing: Framing,
    /// The names of the state, and the values they begin with.
    pub(super) state: Vec<(String, Val<'static>)>,
    pub(super) kinds: Vec<BlockKind>,
    pub(super) before: Vec<Step>,
    pub(super) event: Vec<Step>,
    pub(super) done: Vec<Step>,
    pub(super) undecodable: Option<Vec<Step>>,
    pub(super) eof: Option<Vec<Step>>,
    pub(super) timer: Option<Vec<Step>>,
    pub(super) end: Vec<Step>,
    pub(super) whole: Option<Template>,
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
    pub text: Slot,
    /// Whether an earlier block has the same identity.
    pub twin: Slot,
    /// All that was emitted, when a fold has ended.
    pub emitted: Slot,
    /// The `once` fields of all kinds, by name.
    pub fields: Vec<(String, Slot)>,
}

impl Places {
    /// The number of a `once` field, by its slot.
    pub fn field(&self, slot: Slot) -> Option<usize> {
        self.fields.iter().position(|(_, known)| *known == slot)
    }

    /// The number of the field that tells blocks of a kind apart.
    pub fn identity(&self, kind: &BlockKind) -> Option<usize> {
        kind.once.first().and_then(|slot| self.field(*slot))
    }
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
    /// What stands before the data, where the event's name is known beforehand.
    pub head: Option<Vec<u8>>,
    pub data: Template,
}

/// One thing to do.
pub(super) enum Step {
    When {
        when: Guarded<Condition>,
        then: Vec<Step>,
        otherwise: Vec<Step>,
    },
    For {
        over: Guarded<Template>,
        slot: Slot,
        steps: Vec<Step>,
    },
    Let {
        slot: Slot,
        value: Guarded<Template>,
    },
    Set {
        slot: Slot,
        value: Guarded<Template>,
        /// Whether and when it leaves the state as it is.
        keeps: Option<Keeps>,
    },
    /// Adds a value under a key of a state.
    Index {
        slot: Slot,
        key: Template,
        value: Option<Template>,
    },
    Add {
        kind: usize,
        part: Guarded<Template>,
        key: Option<Template>,
        once: Vec<(usize, Guarded<Template>)>,
    },
    Emit(Emit),
    Close,
    Commit,
    End,
    Fail(Failing),
}

impl StreamProgram {
    /// The slots of the scope's own names that anything in it looks at.
    pub fn reads(&self) -> &[Slot] {
        &self.reads
    }

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
            blocks: scope.declare_lasting("blocks"),
            state: scope.lasting_space("state", state.iter().map(|(name, _)| name.clone())),
            begun: scope.lasting_space("begun", kinds.iter().map(|(key, _)| key.text.clone())),
            index: scope.lasting_space("block", ["index".to_owned()]),
            key: scope.lasting_space("block", ["key".to_owned()]),
            text: scope.lasting_space("block", ["text".to_owned()]),
            twin: scope.lasting_space("block", ["twin".to_owned()]),
            emitted: scope.declare("emitted"),
            fields: fields
                .iter()
                .map(|name| (name.clone(), scope.lasting_space("block", [name.clone()])))
                .collect(),
        };
        let mut parser = Parser {
            c: Compiler::new(&scope, diags),
            framing: &framing,
            state: state.iter().map(|(name, _)| name.clone()).collect(),
            first_state: places.state,
            set: vec![false; state.len()],
            kinds: kinds.iter().map(|(key, node)| KindWords::of(&key.text, node)).collect(),
            fields: &places.fields,
        };
        parser.c.infallible = true;
        let handler = |parser: &mut Parser<'_, '_>, name: &str| match node.get(name) {
            Some(node) => parser.steps(node).map(Some),
            None => Some(None),
        };
        let (event, done) = (handler(&mut parser, "event"), handler(&mut parser, "done"));
        let (undecodable, eof) = (handler(&mut parser, "undecodable"), handler(&mut parser, "eof"));
        let timer = handler(&mut parser, "timer");
        // These run in the midst of the handlers above.
        parser.c.reserve_locals();
        let kinds: Vec<_> = kinds.iter().map(|(key, node)| parser.kind(&key.text, node)).collect();
        let (before, end) = (handler(&mut parser, "before"), handler(&mut parser, "end"));
        let whole = node.get("whole").map(|node| parser.c.template(node));
        let reads = (0..scope.len()).filter(|slot| parser.c.is_used(*slot)).collect();
        let set = parser.set;
        let declared = node.get("state").and_then(Node::as_map).unwrap_or_default();
        for ((key, _), _) in declared.iter().zip(set).filter(|(_, set)| !set && !scope.has_values()) {
            sound = false;
            diags
                .error("state-never-set", key.span, format!("no step sets the state `{}`", key.text))
                .help(format!("add a step `set: {{ {}: template }}`, or leave the state out", key.text));
        }
        if node.get("event").is_none() {
            sound = false;
            diags.error("missing-event", node.span, "a stream program needs an `event:` handler");
        }
        if node.get("whole").is_some() != framing.folds {
            sound = false;
            let at = node.key("whole").map_or(node.span, |key| key.span);
            let message =
                if framing.folds { "a `fold` needs `whole`" } else { "only a `fold` has a `whole`" };
            diags.error("bad-whole", at, message).help("it is the body that a stream is folded into");
        }
        scope.finish(diags);
        let program = StreamProgram {
            slots: scope.len(),
            reads,
            places,
            framing,
            state,
            kinds: kinds.into_iter().collect::<Option<_>>()?,
            before: before?.unwrap_or_default(),
            event: event?.unwrap_or_default(),
            done: done?.unwrap_or_else(|| vec![Step::End]),
            undecodable: undecodable?,
            eof: eof?,
            timer: timer?,
            end: end?.unwrap_or_default(),
            whole: flip(whole)?,
        };
        sound.then_some(program)
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
