//! YAML read into [`Node`]s. The only file that names the YAML crate.
//!
//! The events of `granit-parser` are taken as they come, and not through the serde layer above it
//! (`serde-saphyr`): serde knows neither where a mapping ends nor how a number was written, takes no
//! `null:` as a key, and hands over a syntax error as a sentence instead of its kind and place. All
//! of that is needed here, for diagnostics and for numbers that keep their text.

use granit_parser::{ErrorKind, Event, Parser, ScalarStyle, ScanError, StructureStyle, Tag};

use super::diagnostic::{Diagnostic, FileId, Span};

mod build;
mod node;
mod scalar;
mod shared;
mod slips;
mod traps;

use build::{Builder, Word};
pub use node::{Key, Kind, Node};
pub use shared::Shared;
use traps::Trouble;

/// Values may stand this deep in one another.
const DEPTH: usize = 128;
/// The longest key that may stand before its colon without a leading `?`, in characters.
const KEY_LENGTH: usize = 8192;

/// Reads a YAML 1.2 document.
///
/// Only `true` and `false` are booleans; `no`, `yes` and `on` are strings. Anchors, aliases and merge
/// keys (`<<`) work, within bounds. A key that stands twice in a mapping is an error, and so is a tag
/// other than YAML's own. An empty document is an empty mapping.
pub fn parse(file: FileId, text: &str) -> Result<Node, Diagnostic> {
    let options = granit_parser::options! {
        disallow_directives: true,
        emit_unresolved_aliases: true,
        emit_comments: false,
        simple_key_max_lookahead: KEY_LENGTH,
        flow_nesting_limit: DEPTH,
        block_nesting_limit: DEPTH,
    };
    let span = |place: granit_parser::Span| {
        let range = place.byte_range().unwrap_or_default();
        Span::new(file, range.start, range.end)
    };
    let mut builder = Builder::new(file, text);
    for next in Parser::new_from_str_with_options(text, options) {
        let (event, place) =
            next.map_err(|error| syntax_error(file, text, &error, builder.open_bracket()))?;
        check_tag(&event, span(place.tag_span().unwrap_or(place)))?;
        take(&mut builder, event, span(place))?;
    }
    Ok(builder.finish())
}

fn take(builder: &mut Builder<'_>, event: Event<'_>, span: Span) -> Result<(), Diagnostic> {
    match event {
        Event::DocumentStart(..) => builder.document(span),
        Event::Scalar(value, style, anchor, tag) => {
            let plain = style == ScalarStyle::Plain;
            if plain {
                builder.look_for_slips(&value, span)?;
            }
            // What a key would mean as a value is of no use, unless it is to be repeated as one.
            if builder.awaits_key() && anchor == 0 && tag.is_none() {
                return builder.key(Word { text: value.into_owned(), span, plain });
            }
            let kind = match tag.as_deref() {
                Some(tag) => tagged(tag, &value, span)?,
                // What is not there at all arrives as `~`.
                None if plain => scalar::plain(&value),
                None => Kind::String(value.clone().into_owned()),
            };
            builder.scalar(Word { text: value.into_owned(), span, plain }, kind, anchor)
        }
        Event::SequenceStart(style, anchor, _) => {
            builder.begin_list(span, style == StructureStyle::Flow, anchor)
        }
        Event::MappingStart(style, anchor, _) => {
            builder.begin_map(span, style == StructureStyle::Flow, anchor)
        }
        Event::SequenceEnd | Event::MappingEnd => builder.end(span),
        Event::Alias(id) => builder.alias(id, span),
        Event::UnresolvedAlias(name) => Err(builder.unknown_alias(span, &name)),
        _ => Ok(()),
    }
}

/// Refuses every tag but YAML's own on a value of its kind: others would be dropped without a word.
fn check_tag(event: &Event<'_>, span: Span) -> Result<(), Diagnostic> {
    let Some(tag) = event.tag() else { return Ok(()) };
    match (event, core_name(tag)) {
        (Event::SequenceStart(..), Some("seq")) | (Event::MappingStart(..), Some("map")) => Ok(()),
        (Event::Scalar(..), Some("str" | "int" | "float" | "bool" | "null")) => Ok(()),
        _ => Err(traps::unknown_tag(span, &tag.original())),
    }
}

/// Whether a text is a key and its value whose colon has no space after it.
pub fn is_glued(text: &str) -> bool {
    slips::glued_name(text).is_some()
}

/// A scalar with a tag such as `!!str` before it.
fn tagged(tag: &Tag, value: &str, span: Span) -> Result<Kind, Diagnostic> {
    let kind = match core_name(tag) {
        Some("str") => Some(Kind::String(value.to_owned())),
        Some("int" | "float") => scalar::number(value).map(Kind::Number),
        Some("bool") => Some(scalar::plain(value)).filter(|kind| matches!(kind, Kind::Bool(_))),
        _ => Some(scalar::plain(value)).filter(|kind| *kind == Kind::Null),
    };
    kind.ok_or_else(|| traps::wrong_tag(span, &tag.original(), value))
}

fn core_name(tag: &Tag) -> Option<&str> {
    // `!` alone says "a string, whatever it looks like".
    if tag.original() == "!" { Some("str") } else { tag.core_suffix() }
}

fn syntax_error(file: FileId, text: &str, error: &ScanError, bracket: Option<Span>) -> Diagnostic {
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
        ErrorKind::InvalidTrailingSingleQuotedScalar | ErrorKind::InvalidTrailingDoubleQuotedScalar => {
            Trouble::AfterQuote
        }
        ErrorKind::UnknownQuotedScalarEscape => Trouble::Escape,
        ErrorKind::UnclosedFlowCollection { .. }
        | ErrorKind::UnexpectedEofFlowSequence
        | ErrorKind::UnexpectedEofFlowMapping
        | ErrorKind::UnexpectedEofImplicitFlowMapping => Trouble::OpenBracket,
        ErrorKind::MisplacedFlowCollectionEnd => Trouble::StrayBracket,
        ErrorKind::MismatchedFlowCollectionEnd { close, .. } => Trouble::WrongBracket(*close),
        ErrorKind::ExpectedFlowSequenceSeparator => Trouble::Separator(']'),
        ErrorKind::ExpectedFlowMappingSeparator => Trouble::Separator('}'),
        ErrorKind::MappingValueNotAllowed | ErrorKind::InvalidColonPlacement => Trouble::Colon,
        ErrorKind::ExpectedBlockMappingKey => Trouble::Key,
        ErrorKind::ExpectedBlockSequenceEntry => Trouble::Item,
        ErrorKind::BlockSequenceEntryNotAllowed | ErrorKind::BlockEntryInFlowCollection => Trouble::Dash,
        ErrorKind::UnexpectedCharacter { character } => Trouble::Sign(*character),
        ErrorKind::DirectiveDisallowed => Trouble::Sign('%'),
        ErrorKind::PlainScalarStartsWithDashFlowIndicator => Trouble::Sign('-'),
        ErrorKind::MissingAnchorOrAliasName => Trouble::Star,
        ErrorKind::InvalidIndentation
        | ErrorKind::InvalidFlowScalarIndent
        | ErrorKind::InvalidQuotedScalarIndent
        | ErrorKind::InvalidBlockScalarIndent => Trouble::Indentation,
        _ => Trouble::Other(error.kind().to_string()),
    };
    let slip = match trouble {
        Trouble::Tab | Trouble::Deep | Trouble::OpenQuote | Trouble::AfterQuote | Trouble::Escape => None,
        _ => slips::near(file, text, at, bracket.is_some()),
    };
    if let Some(slip) = slip {
        return slip;
    }
    traps::in_bracket(text, traps::syntax(file, text, at, &trouble), bracket)
}

#[cfg(test)]
mod tests;
