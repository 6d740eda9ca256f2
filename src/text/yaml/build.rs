//! The tree put together from a parser's events: aliases, merge keys, duplicate keys, and the bounds on all that.

use std::collections::{HashMap, HashSet};

use super::slips;
use super::traps::{self, Trouble};
use super::{DEPTH, Key, Kind, Node};
use crate::text::diagnostic::{Diagnostic, FileId, Span};

/// So many nodes may come into being through aliases and merge keys. A file of a few lines whose
/// aliases double at each level would otherwise fill the memory.
const COPIES: usize = 100_000;

/// A list or mapping whose end has not been seen.
struct Open {
    start: Span,
    flow: bool,
    anchor: usize,
    items: Items,
}

enum Items {
    List(Vec<Node>),
    /// The entries, and the key that waits for its value.
    Map {
        entries: Vec<Entry>,
        key: Option<Word>,
    },
}

struct Entry {
    key: Word,
    value: Node,
}

/// A scalar where a key stands or may stand: there its text counts, not what the text means.
pub(super) struct Word {
    pub(super) text: String,
    pub(super) span: Span,
    /// Without quotes.
    pub(super) plain: bool,
}

impl Word {
    fn merges(&self) -> bool {
        self.plain && self.text == "<<"
    }

    fn into_key(self) -> Key {
        Key { text: self.text, span: self.span }
    }
}

/// A value that an alias may repeat.
struct Anchored {
    node: Node,
    nodes: usize,
    height: usize,
}

/// What has been read so far.
pub(super) struct Builder<'t> {
    file: FileId,
    text: &'t str,
    open: Vec<Open>,
    anchors: HashMap<usize, Anchored>,
    copies: usize,
    root: Option<Node>,
}

impl<'t> Builder<'t> {
    pub(super) fn new(file: FileId, text: &'t str) -> Builder<'t> {
        Builder { file, text, open: Vec::new(), anchors: HashMap::new(), copies: 0, root: None }
    }

    /// The whole document. One without any value is an empty mapping.
    pub(super) fn finish(self) -> Node {
        self.root.unwrap_or(Node { span: Span::new(self.file, 0, 0), kind: Kind::Map(Vec::new().into()) })
    }

    pub(super) fn document(&mut self, span: Span) -> Result<(), Diagnostic> {
        if self.root.is_some() { Err(traps::second_document(span)) } else { Ok(()) }
    }

    /// The innermost bracket that is open.
    pub(super) fn open_bracket(&self) -> Option<Span> {
        self.open.last().filter(|open| open.flow).map(|open| open.start)
    }

    /// `kind` is what the word means as a value.
    pub(super) fn scalar(&mut self, word: Word, kind: Kind, anchor: usize) -> Result<(), Diagnostic> {
        let node = Node { span: word.span, kind };
        if !self.awaits_key() {
            return self.add(node, anchor);
        }
        self.remember(anchor, &node);
        self.key(word)
    }

    pub(super) fn begin_list(&mut self, start: Span, flow: bool, anchor: usize) -> Result<(), Diagnostic> {
        self.begin(Open { start, flow, anchor, items: Items::List(Vec::new()) })
    }

    pub(super) fn begin_map(&mut self, start: Span, flow: bool, anchor: usize) -> Result<(), Diagnostic> {
        self.begin(Open { start, flow, anchor, items: Items::Map { entries: Vec::new(), key: None } })
    }

    fn begin(&mut self, open: Open) -> Result<(), Diagnostic> {
        if self.awaits_key() {
            let around = self.open.len().checked_sub(2).and_then(|at| self.open.get(at));
            let in_flow = around.is_some_and(|open| open.flow);
            return Err(traps::doubled_braces(self.text, open.start, in_flow)
                .unwrap_or_else(|| traps::complex_key(open.start)));
        }
        if self.open.len() >= DEPTH {
            return Err(self.too_deep(open.start));
        }
        self.open.push(open);
        Ok(())
    }

    pub(super) fn end(&mut self, end: Span) -> Result<(), Diagnostic> {
        let Some(Open { start, flow, anchor, items }) = self.open.pop() else { return Ok(()) };
        // Without brackets, a value ends with the last one in it: the parser knows only where the next begins.
        let last = match &items {
            Items::List(items) => items.last().map(|last| last.span),
            Items::Map { entries, .. } => entries.last().map(|last| later(last.key.span, last.value.span)),
        };
        let end = if flow { end } else { last.map_or(start, |last| later(start, last)) };
        let span = Span { end: end.end, ..start };
        let kind = match items {
            Items::List(items) => Kind::List(items.into()),
            Items::Map { entries, .. } => Kind::Map(merged(entries)?.into()),
        };
        self.add(Node { span, kind }, anchor)
    }

    pub(super) fn alias(&mut self, id: usize, span: Span) -> Result<(), Diagnostic> {
        if self.awaits_key() {
            return Err(traps::complex_key(span));
        }
        // An anchor without a value yet is one that this alias stands inside of.
        let Some(anchored) = self.anchors.get(&id) else { return Err(traps::alias_in_itself(span)) };
        self.copies += anchored.nodes;
        if self.copies > COPIES {
            return Err(traps::too_many_copies(span, COPIES));
        }
        if self.open.len() + anchored.height > DEPTH {
            return Err(self.too_deep(span));
        }
        let node = anchored.node.clone();
        self.add(node, 0)
    }

    /// Whether a key is what comes next, or the end of its mapping.
    pub(super) fn awaits_key(&self) -> bool {
        matches!(self.open.last(), Some(Open { items: Items::Map { key: None, .. }, .. }))
    }

    /// Refuses an unquoted word in which a sign was taken for YAML's own.
    pub(super) fn look_for_slips(&self, word: &str, span: Span) -> Result<(), Diagnostic> {
        let source = self.text.get(span.start as usize..span.end as usize).unwrap_or(word);
        let in_flow = self.open_bracket().is_some();
        slips::in_word(word, source, span, self.awaits_key(), in_flow).map_or(Ok(()), Err)
    }

    /// An alias that stands for nothing: a path with `[*]`, or a text without its quotes.
    pub(super) fn unknown_alias(&self, span: Span, name: &str) -> Diagnostic {
        let path = traps::path_around(self.file, self.text, span.start as usize);
        path.unwrap_or_else(|| traps::unknown_alias(span, name))
    }

    fn too_deep(&self, span: Span) -> Diagnostic {
        traps::syntax(self.file, self.text, span.start as usize, &Trouble::Deep)
    }

    /// A key, where one may stand.
    pub(super) fn key(&mut self, word: Word) -> Result<(), Diagnostic> {
        let Some(Open { items: Items::Map { entries, key }, .. }) = self.open.last_mut() else {
            return Ok(());
        };
        if word.span.start == word.span.end {
            return Err(traps::empty_key(word.span));
        }
        if let Some(first) = entries.iter().find(|entry| entry.key.text == word.text) {
            return Err(traps::duplicate_key(&word.text, word.span, first.key.span));
        }
        *key = Some(word);
        Ok(())
    }

    /// Keeps a value for its aliases, if it has an anchor.
    fn remember(&mut self, anchor: usize, node: &Node) {
        if anchor != 0 {
            let (nodes, height) = measure(node);
            self.anchors.insert(anchor, Anchored { node: node.clone(), nodes, height });
        }
    }

    /// Puts a finished value where it belongs.
    fn add(&mut self, node: Node, anchor: usize) -> Result<(), Diagnostic> {
        self.remember(anchor, &node);
        match self.open.last_mut() {
            None => {
                let nothing = node.is_null() && node.span.start == node.span.end;
                let kind = if nothing { Kind::Map(Vec::new().into()) } else { node.kind };
                self.root = Some(Node { span: node.span, kind });
            }
            Some(Open { items: Items::List(items), .. }) => items.push(node),
            Some(Open { items: Items::Map { entries, key }, flow, .. }) => {
                let Some(key) = key.take() else { return Ok(()) };
                let nothing = node.is_null() && node.span.start == node.span.end;
                if *flow && nothing && traps::has_no_colon(self.text, key.span) {
                    return Err(traps::key_without_value(self.text, &key.text, key.span));
                }
                entries.push(Entry { key, value: node });
            }
        }
        Ok(())
    }
}

/// The one of two spans of a file that ends later. What came through an alias ends wherever it was written,
/// which may be before the value it is used in.
fn later(a: Span, b: Span) -> Span {
    if b.end > a.end { b } else { a }
}

/// Entries with the mappings under `<<` put in its place; a key written out beats a merged one, and
/// among merged ones the first wins.
fn merged(entries: Vec<Entry>) -> Result<Vec<(Key, Node)>, Diagnostic> {
    if !entries.iter().any(|entry| entry.key.merges()) {
        return Ok(entries.into_iter().map(|entry| (entry.key.into_key(), entry.value)).collect());
    }
    let written = entries.iter().filter(|entry| !entry.key.merges());
    let mut seen: HashSet<String> = written.map(|entry| entry.key.text.clone()).collect();
    let mut merged = Vec::new();
    for Entry { key, value } in entries {
        if !key.merges() {
            merged.push((key.into_key(), value));
            continue;
        }
        let sources = match value.kind {
            Kind::List(sources) => sources,
            kind => vec![Node { span: value.span, kind }].into(),
        };
        for source in sources {
            let found = source.type_name();
            let Kind::Map(inner) = source.kind else {
                return Err(traps::merge_of_no_mapping(key.span, found));
            };
            merged.extend(inner.into_iter().filter(|(key, _)| seen.insert(key.text.clone())));
        }
    }
    Ok(merged)
}

/// How many nodes a value consists of, and how deep they stand in one another.
fn measure(node: &Node) -> (usize, usize) {
    let children: Vec<&Node> = match &node.kind {
        Kind::List(items) => items.iter().collect(),
        Kind::Map(entries) => entries.iter().map(|(_, value)| value).collect(),
        _ => return (1, 0),
    };
    children.into_iter().map(measure).fold((1, 1), |(nodes, height), (inner_nodes, inner_height)| {
        (nodes + inner_nodes, height.max(inner_height + 1))
    })
}
