//! YAML read into [`Node`]s. The only file that names the YAML crate.
//!
//! The events of `granit-parser` are taken as they come, and not through the serde layer above it
//! (`serde-saphyr`): serde knows neither where a mapping ends nor how a number was written, takes no
//! `null:` as a key, and hands over a syntax error as a sentence instead of its kind and place. All
//! of that is needed here, for diagnostics and for numbers that keep their text.

use std::collections::{HashMap, HashSet};

use granit_parser::{ErrorKind, Event, Parser, ScalarStyle, ScanError, StructureStyle, Tag};

use super::diagnostic::{Diagnostic, FileId, Span};

mod node;
mod scalar;
mod traps;

pub use node::{Key, Kind, Node};
use traps::Trouble;

/// Values may stand this deep in one another.
const DEPTH: usize = 128;
/// So many nodes may come into being through aliases and merge keys. A file of a few lines whose
/// aliases double at each level would otherwise fill the memory.
const COPIES: usize = 100_000;
/// The longest key that may stand before its colon without a leading `?`, in characters.
const KEY_LENGTH: usize = 8192;

/// Reads a YAML 1.2 document.
///
/// Only `true` and `false` are booleans; `no`, `yes` and `on` are strings. Anchors, aliases and merge
/// keys (`<<`) work, within bounds. A key that stands twice in a mapping is an error. An empty
/// document is an empty mapping.
pub fn parse(file: FileId, text: &str) -> Result<Node, Diagnostic> {
    let options = granit_parser::options! {
        strict_indentation: true,
        disallow_directives: true,
        emit_unresolved_aliases: true,
        emit_comments: false,
        simple_key_max_lookahead: KEY_LENGTH,
        flow_nesting_limit: DEPTH,
        block_nesting_limit: DEPTH,
    };
    let mut builder = Builder::new(file, text);
    for next in Parser::new_from_str_with_options(text, options) {
        let (event, place) = next.map_err(|error| syntax_error(file, text, &error))?;
        let range = place.byte_range().unwrap_or_default();
        builder.take(event, Span::new(file, range.start, range.end))?;
    }
    Ok(builder.root.unwrap_or(Node { span: Span::new(file, 0, 0), kind: Kind::Map(Vec::new()) }))
}

fn syntax_error(file: FileId, text: &str, error: &ScanError) -> Diagnostic {
    let marker = error.marker();
    let at = marker
        .byte_offset()
        .unwrap_or_else(|| text.char_indices().nth(marker.index()).map_or(text.len(), |(at, _)| at));
    let trouble = match error.kind() {
        ErrorKind::TabNotAllowed
        | ErrorKind::TabInBlockIndentation
        | ErrorKind::TabInIndentation
        | ErrorKind::TabAtBlockScalarStart
        | ErrorKind::TabInPlainScalar => Trouble::Tab,
        ErrorKind::RecursionLimitExceeded => Trouble::Deep,
        ErrorKind::UnclosedQuotedScalar | ErrorKind::DocumentIndicatorInQuotedScalar => Trouble::OpenQuote,
        ErrorKind::UnknownQuotedScalarEscape => Trouble::Escape,
        ErrorKind::UnclosedFlowCollection { .. }
        | ErrorKind::UnexpectedEofFlowSequence
        | ErrorKind::UnexpectedEofFlowMapping
        | ErrorKind::UnexpectedEofImplicitFlowMapping => Trouble::OpenBracket,
        ErrorKind::MappingValueNotAllowed | ErrorKind::InvalidColonPlacement => Trouble::Colon,
        ErrorKind::DirectiveDisallowed => Trouble::Directive,
        ErrorKind::InvalidIndentation
        | ErrorKind::InvalidFlowScalarIndent
        | ErrorKind::InvalidQuotedScalarIndent
        | ErrorKind::InvalidBlockScalarIndent => Trouble::Indentation,
        ErrorKind::MissingAnchorOrAliasName => Trouble::Star,
        _ => Trouble::Other(error.kind().to_string()),
    };
    traps::syntax(file, text, at, trouble)
}

/// A list or mapping whose end has not been seen.
struct Open {
    start: Span,
    flow: bool,
    anchor: usize,
    items: Items,
}

enum Items {
    List(Vec<Node>),
    /// The entries, and the key that waits for its value. An entry whose key is a plain `<<` is merged
    /// when the mapping ends.
    Map {
        entries: Vec<Entry>,
        key: Option<(Key, bool)>,
    },
}

struct Entry {
    key: Key,
    merge: bool,
    value: Node,
}

/// A value that an alias may repeat.
struct Anchored {
    node: Node,
    nodes: usize,
    height: usize,
}

struct Builder<'t> {
    file: FileId,
    text: &'t str,
    open: Vec<Open>,
    anchors: HashMap<usize, Anchored>,
    copies: usize,
    root: Option<Node>,
}

impl<'t> Builder<'t> {
    fn new(file: FileId, text: &'t str) -> Builder<'t> {
        Builder { file, text, open: Vec::new(), anchors: HashMap::new(), copies: 0, root: None }
    }

    fn take(&mut self, event: Event<'_>, span: Span) -> Result<(), Diagnostic> {
        match event {
            Event::DocumentStart(..) if self.root.is_some() => Err(traps::second_document(span)),
            Event::Scalar(value, style, anchor, tag) => {
                let plain = style == ScalarStyle::Plain;
                if plain && tag.is_none() && self.awaits_key() {
                    return self.key(Key { text: value.into_owned(), span }, true);
                }
                let kind = match tag.as_deref() {
                    Some(tag) => tagged(tag, &value, span)?,
                    None if plain => scalar::plain(&value),
                    None => Kind::String(value.into_owned()),
                };
                self.add(Node { span, kind }, anchor)
            }
            Event::SequenceStart(style, anchor, tag) => {
                collection_tag(tag.as_deref(), "seq", span)?;
                self.begin(span, style, anchor, Items::List(Vec::new()))
            }
            Event::MappingStart(style, anchor, tag) => {
                collection_tag(tag.as_deref(), "map", span)?;
                self.begin(span, style, anchor, Items::Map { entries: Vec::new(), key: None })
            }
            Event::SequenceEnd | Event::MappingEnd => self.end(span),
            Event::Alias(id) => self.alias(id, span),
            Event::UnresolvedAlias(name) => Err(traps::unknown_alias(span, &name)),
            _ => Ok(()),
        }
    }

    fn awaits_key(&self) -> bool {
        matches!(self.open.last(), Some(Open { items: Items::Map { key: None, .. }, .. }))
    }

    fn key(&mut self, name: Key, plain: bool) -> Result<(), Diagnostic> {
        let Some(Open { items: Items::Map { entries, key }, .. }) = self.open.last_mut() else {
            return Ok(());
        };
        if plain && name.text.is_empty() {
            return Err(traps::empty_key(name.span));
        }
        if let Some(first) = entries.iter().find(|entry| entry.key.text == name.text) {
            return Err(traps::duplicate_key(&name, &first.key));
        }
        *key = Some((name, plain));
        Ok(())
    }

    fn begin(
        &mut self,
        start: Span,
        style: StructureStyle,
        anchor: usize,
        items: Items,
    ) -> Result<(), Diagnostic> {
        if self.awaits_key() {
            return Err(traps::complex_key(start));
        }
        if self.open.len() >= DEPTH {
            return Err(traps::syntax(self.file, self.text, start.start as usize, Trouble::Deep));
        }
        self.open.push(Open { start, flow: style == StructureStyle::Flow, anchor, items });
        Ok(())
    }

    fn end(&mut self, end: Span) -> Result<(), Diagnostic> {
        let Some(open) = self.open.pop() else { return Ok(()) };
        let Open { start, flow, anchor, items } = open;
        let mut span = start;
        let kind = match items {
            Items::List(items) => {
                span.end = items.last().map_or(start.end, |last| last.span.end.max(start.end));
                Kind::List(items)
            }
            Items::Map { entries, .. } => {
                span.start =
                    entries.first().map_or(start.start, |first| first.key.span.start.min(start.start));
                span.end = entries
                    .last()
                    .map_or(start.end, |last| last.value.span.end.max(last.key.span.end).max(start.end));
                Kind::Map(self.merged(entries)?)
            }
        };
        if flow {
            span.end = end.end;
        }
        self.add(Node { span, kind }, anchor)
    }

    /// Puts a finished value where it belongs.
    fn add(&mut self, node: Node, anchor: usize) -> Result<(), Diagnostic> {
        if self.awaits_key() {
            let Kind::String(text) = node.kind else { return Err(traps::complex_key(node.span)) };
            return self.key(Key { text, span: node.span }, false);
        }
        if anchor != 0 {
            let (nodes, height) = measure(&node);
            self.anchors.insert(anchor, Anchored { node: node.clone(), nodes, height });
        }
        match self.open.last_mut() {
            None => {
                let nothing = node.kind == Kind::Null && node.span.start == node.span.end;
                let kind = if nothing { Kind::Map(Vec::new()) } else { node.kind };
                self.root = Some(Node { span: node.span, kind });
            }
            Some(Open { items: Items::List(items), .. }) => items.push(node),
            Some(Open { items: Items::Map { entries, key }, flow, .. }) => {
                let Some((key, plain)) = key.take() else { return Ok(()) };
                if *flow && node.kind == Kind::Null && traps::has_no_colon(self.text, &key) {
                    return Err(traps::key_without_value(&key));
                }
                let merge = plain && key.text == "<<";
                entries.push(Entry { key, merge, value: node });
            }
        }
        Ok(())
    }

    fn alias(&mut self, id: usize, span: Span) -> Result<(), Diagnostic> {
        // An anchor without a value yet is one that this alias stands inside of.
        let Some(anchored) = self.anchors.get(&id) else { return Err(traps::alias_in_itself(span)) };
        self.copies += anchored.nodes;
        if self.copies > COPIES {
            return Err(traps::too_many_copies(span, COPIES));
        }
        if self.open.len() + anchored.height > DEPTH {
            return Err(traps::syntax(self.file, self.text, span.start as usize, Trouble::Deep));
        }
        let node = anchored.node.clone();
        self.add(node, 0)
    }

    /// Entries with the mappings under `<<` put in its place; a key written out beats a merged one, and
    /// among merged ones the first wins.
    fn merged(&self, entries: Vec<Entry>) -> Result<Vec<(Key, Node)>, Diagnostic> {
        if !entries.iter().any(|entry| entry.merge) {
            return Ok(entries.into_iter().map(|entry| (entry.key, entry.value)).collect());
        }
        let mut seen: HashSet<String> =
            entries.iter().filter(|entry| !entry.merge).map(|entry| entry.key.text.clone()).collect();
        let mut merged = Vec::new();
        for entry in entries {
            if !entry.merge {
                merged.push((entry.key, entry.value));
                continue;
            }
            let sources = match entry.value.kind {
                Kind::List(sources) => sources,
                kind => vec![Node { span: entry.value.span, kind }],
            };
            for source in sources {
                let Kind::Map(inner) = source.kind else {
                    return Err(traps::merge_of_no_mapping(&entry.key, source.type_name()));
                };
                merged.extend(inner.into_iter().filter(|(key, _)| seen.insert(key.text.clone())));
            }
        }
        Ok(merged)
    }
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

/// A scalar with a tag such as `!!str` before it.
fn tagged(tag: &Tag, value: &str, span: Span) -> Result<Kind, Diagnostic> {
    let name = core_name(tag);
    let kind = match name {
        Some("str") => Some(Kind::String(value.to_owned())),
        Some("int" | "float") => scalar::number(value).map(Kind::Number),
        Some("bool") => Some(scalar::plain(value)).filter(|kind| matches!(kind, Kind::Bool(_))),
        Some("null") => Some(scalar::plain(value)).filter(|kind| *kind == Kind::Null),
        _ => return Err(traps::unknown_tag(span, &tag.original())),
    };
    kind.ok_or_else(|| traps::wrong_tag(span, &tag.original(), value))
}

fn collection_tag(tag: Option<&Tag>, wanted: &str, span: Span) -> Result<(), Diagnostic> {
    match tag {
        Some(tag) if core_name(tag) != Some(wanted) => Err(traps::unknown_tag(span, &tag.original())),
        _ => Ok(()),
    }
}

fn core_name(tag: &Tag) -> Option<&str> {
    // `!` alone says "a string, whatever it looks like".
    if tag.original() == "!" { Some("str") } else { tag.core_suffix() }
}

#[cfg(test)]
mod tests;
