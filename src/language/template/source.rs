//! Where a hole's value comes from, and what names stand for.

use std::sync::Arc;

use super::{Form, Template};
use crate::language::scope::{Env, Slot};
use crate::language::value::{Turns, Type, Val};
use crate::text::json::{Json, Name, Traces};
use crate::text::path::{Path, Segment};

/// What stands where more was.
const MORE: char = '…';
/// Room for a text, in bytes: most never need more.
const USUAL_TEXT: usize = 64;

/// Where a hole's value comes from.
#[derive(Clone)]
pub enum Source {
    /// A name's slot, and the way from there.
    Slot(Slot, Arc<Path>),
    /// Known when the template compiled: what a provider's parameter is set to, a name for a constant, or nothing,
    /// for a parameter that a use of a fragment does not give.
    Known(Val<'static>),
}

impl Source {
    /// The value selected now.
    pub fn value<'a>(&self, env: &Env<'a>) -> Val<'a> {
        match self {
            Source::Slot(slot, path) => match env.get(*slot) {
                // The usual case: one node below another.
                Val::Json(node) if path.is_single() => path.walk(*node).map_or(Val::Nothing, Val::Json),
                value => value.select(path),
            },
            Source::Known(value) => value.clone(),
        }
    }

    /// Looks at the value selected now. One that has a name is not even copied for that.
    pub(in crate::language) fn look<T>(&self, env: &Env<'_>, look: impl FnOnce(&Val<'_>) -> T) -> T {
        match self {
            Source::Slot(slot, path) if path.is_root_only() => look(env.get(*slot)),
            Source::Slot(slot, path) => match env.get(*slot).json().filter(|_| path.is_single()) {
                // In two arms, so that there is nothing to be let go in either.
                Some(node) => match path.walk(node) {
                    Some(found) => look(&Val::Json(found)),
                    None => look(&Val::Nothing),
                },
                None => look(&env.get(*slot).select(path)),
            },
            Source::Known(value) => look(value),
        }
    }

    /// Whether the value selected now, of a path that selects one, is this text. `needs`: what a document must have for
    /// that.
    pub(in crate::language) fn is_text(&self, env: &Env<'_>, text: &str, needs: &Traces) -> bool {
        match self {
            Source::Slot(slot, path) => {
                let value = env.get(*slot);
                value.may_have(needs)
                    && match value {
                        Val::Json(node) => path.follow(*node).is_some_and(|found| found.is_str(text)),
                        value if path.is_root_only() => value.is_text(text),
                        value => value.select(path).is_text(text),
                    }
            }
            Source::Known(value) => value.is_text(text),
        }
    }

    /// What a document must have if anything is to be selected in it.
    pub(in crate::language) fn needs(&self) -> Traces {
        match self {
            Source::Slot(_, path) => *path.needs(),
            Source::Known(_) => Traces::default(),
        }
    }

    /// The member of a name's value that the path begins with.
    pub(in crate::language) fn member(&self, of: Slot) -> Option<&Name> {
        match self {
            Source::Slot(slot, path) if *slot == of => match path.segments().first() {
                Some(Segment::Name(name)) => Some(name),
                _ => None,
            },
            _ => None,
        }
    }

    /// The first of the nodes selected now.
    pub(in crate::language) fn first<'a>(&self, env: &Env<'a>) -> Val<'a> {
        match self {
            Source::Slot(slot, path) => match env.get(*slot) {
                Val::Json(node) if path.is_single() => path.walk(*node).map_or(Val::Nothing, Val::Json),
                value => value.select_first(path),
            },
            Source::Known(value) => value.clone(),
        }
    }

    /// Whether the path may select several nodes.
    pub(in crate::language) fn is_plural(&self) -> bool {
        matches!(self, Source::Slot(_, path) if !path.is_single())
    }

    /// The path and the node that it starts from, where it may select several nodes of a document that outlives
    /// the evaluation.
    pub(in crate::language) fn nodes<'a>(&self, env: &Env<'a>) -> Option<(&Path, Json<'a>)> {
        match self {
            Source::Slot(slot, path) if !path.is_single() => match env.get(*slot) {
                Val::Json(node) => Some((path, *node)),
                _ => None,
            },
            _ => None,
        }
    }

    /// What is selected now, for a loop.
    pub(in crate::language) fn turns<'a>(&self, env: &Env<'a>) -> Turns<'a> {
        match self {
            Source::Slot(slot, path) => env.get(*slot).select_turns(path),
            Source::Known(value) => value.clone().turns(),
        }
    }

    /// What a name that stands there alone stands for now, where it is.
    pub(in crate::language) fn bare_value<'e, 'a>(&self, env: &'e Env<'a>) -> &'e Val<'a> {
        self.bare().map_or(&Val::Nothing, |slot| env.get(slot))
    }

    /// Whether it is a name that stands there alone.
    pub(in crate::language) fn is_bare(&self) -> bool {
        self.bare().is_some()
    }

    /// The slot of a name that stands there alone.
    pub(super) fn bare(&self) -> Option<Slot> {
        match self {
            Source::Slot(slot, path) if path.is_root_only() => Some(*slot),
            _ => None,
        }
    }
}

impl Template {
    /// The path and the node that it starts from, if the template selects what may be several nodes of the input.
    pub(in crate::language) fn nodes<'a>(&self, env: &Env<'a>) -> Option<(&Path, Json<'a>)> {
        match &self.0 {
            Form::Hole(source) => source.nodes(env),
            _ => None,
        }
    }
}

/// What a local name stands for.
#[derive(Clone)]
pub(in crate::language) enum Binding {
    /// A constant.
    Known(Val<'static>),
    /// What will be in a slot, its own or another name's.
    Slot(Slot),
}

/// A part of a text with holes.
pub(in crate::language) enum Piece {
    Plain(String),
    Hole(Source),
}

/// The string that the only piece of a text gives now, if it is one.
pub(super) fn as_it_stands<'a>(pieces: &[Piece], env: &Env<'a>) -> Option<Val<'a>> {
    match pieces {
        [Piece::Hole(source)] => Some(source.value(env)).filter(|value| value.kind() == Type::String),
        _ => None,
    }
}

/// The text, with what its holes give now.
pub(super) fn text(pieces: &[Piece], env: &Env<'_>) -> String {
    let mut out = String::with_capacity(USUAL_TEXT);
    for piece in pieces {
        match piece {
            Piece::Plain(plain) => out.push_str(plain),
            Piece::Hole(source) => {
                source.look(env, |value| {
                    if let Some(text) = value.to_text() {
                        out.push_str(&text);
                    }
                });
            }
        }
    }
    out
}

/// The same, of bounded length.
pub(super) fn text_within(pieces: &[Piece], env: &Env<'_>, each: usize, out: &mut Cut) {
    for piece in pieces {
        match piece {
            Piece::Plain(plain) => out.push(plain, usize::MAX),
            Piece::Hole(_) if out.is_full() => {}
            Piece::Hole(source) => source.look(env, |value| {
                if let Some(text) = value.to_text() {
                    out.push(&text, each);
                }
            }),
        }
    }
}

/// A text that is cut where it becomes too long.
pub(super) struct Cut {
    pub text: String,
    /// How many characters there is room for.
    left: usize,
}

impl Cut {
    /// Room for so many characters.
    pub fn new(most: usize) -> Cut {
        Cut { text: String::new(), left: most }
    }

    /// Whether there is no room, and more than there was room for.
    fn is_full(&self) -> bool {
        self.left == 0 && self.text.ends_with(MORE)
    }

    /// Adds at most so many characters of a text.
    pub fn push(&mut self, text: &str, most: usize) {
        let most = most.min(self.left);
        match text.char_indices().nth(most) {
            None => {
                self.text.push_str(text);
                self.left -= text.chars().count();
            }
            Some(_) if most == 0 => {
                if !self.is_full() {
                    self.text.pop();
                    self.text.push(MORE);
                }
            }
            Some(_) => {
                let end = text.char_indices().nth(most - 1).map_or(0, |(end, _)| end);
                self.text.push_str(text.get(..end).unwrap_or_default());
                self.text.push(MORE);
                self.left -= most;
            }
        }
    }
}
