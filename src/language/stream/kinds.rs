//! Kinds of blocks, from YAML.

use super::program::BlockKind;
use super::steps::{Parser, flip, known, map};
use crate::language::matchers;
use crate::language::words::BLOCKS;
use crate::text::yaml::{Kind, Node};

/// What of a kind of block has to be known before it compiles.
pub(super) struct KindWords {
    pub name: String,
    pub keyed: bool,
    /// The names that it keeps the first values of.
    pub once: Vec<String>,
}

impl KindWords {
    pub fn of(name: &str, node: &Node) -> KindWords {
        let once = node.get("once").and_then(Node::as_list).unwrap_or_default();
        KindWords {
            name: name.to_owned(),
            keyed: matches!(node.get("keyed").map(|node| &node.kind), Some(Kind::Bool(true))),
            once: once.iter().filter_map(Node::as_str).map(str::to_owned).collect(),
        }
    }
}

impl Parser<'_, '_> {
    /// What a kind of block looks like.
    pub fn kind(&mut self, name: &str, node: &Node) -> Option<BlockKind> {
        let entries = map(node, "a block", self.c.diags)?;
        let sound = known(entries, BLOCKS, "a block", self.c.diags) & self.block_words(node);
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
            keyed: KindWords::of(name, node).keyed,
            once,
            ready: flip(ready)?,
            whole: flip(whole)?,
            begin: begin?,
            part: part?,
            end: end?,
        })
        .filter(|_| sound)
    }

    /// Whether `keyed` and `once` are what they should be, and what only keyed blocks have stands in none but these.
    fn block_words(&mut self, node: &Node) -> bool {
        let mut sound = true;
        let keyed = match node.get("keyed") {
            None => false,
            Some(Node { kind: Kind::Bool(keyed), .. }) => *keyed,
            Some(other) => {
                let message = format!("`keyed` is true or not there, not {}", other.type_name());
                self.c.error("bad-shape", other.span, message);
                return false;
            }
        };
        if let Some(once) = node.get("once").filter(|once| once.as_list().is_none()) {
            sound = false;
            self.c.error("bad-once", once.span, "`once` takes a list of names");
        }
        for word in ["once", "ready", "whole"] {
            if let Some(stray) = node.key(word).filter(|_| !keyed) {
                sound = false;
                self.c
                    .error("not-keyed", stray.span, format!("only keyed blocks have `{word}`"))
                    .help("add `keyed: true`: several such blocks may be under way at once");
            }
        }
        sound
    }
}
