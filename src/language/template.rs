//! Templates: the answer, with holes. They write JSON bytes, and leave no trace of what gives nothing.

mod fail;
mod items;
mod several;
mod source;

use std::borrow::Cow;
use std::sync::Arc;

use super::needs::{Guarded, Keeps, Needs};
use super::scope::{Env, Slot};
use super::value::{Turns, Val, made, parse_produced};
use crate::text::json::{self, Doc};

pub use fail::{Fail, Reason};
pub use items::Items;
pub use source::Source;
pub(super) use source::{Binding, Piece};
use source::{Cut, text};

/// Room for a produced value, in bytes: most never need more.
const MADE: usize = 512;

/// One compiled directive.
pub(super) trait Op: Send + Sync {
    /// Writes one JSON value, or nothing and `false`; what was written before a `false` is cut off by the caller.
    fn write(&self, env: &mut Env<'_>, out: &mut Vec<u8>) -> Result<bool, Fail>;

    /// Writes what it gives as items of a list: one, unless the directive makes several.
    fn items(&self, env: &mut Env<'_>, items: &mut Items<'_>) -> Result<(), Fail> {
        items.item(|out| self.write(env, out)).map(drop)
    }

    /// Gives its value without writing it, where that is cheaper.
    fn value<'a>(&self, env: &mut Env<'a>) -> Result<Val<'a>, Fail> {
        written(self, env)
    }

    /// Adds what [`Op::items`] writes to `values`, without writing it where that is cheaper.
    fn gather<'a>(&self, env: &mut Env<'a>, values: &mut Vec<Val<'a>>) -> Result<(), Fail> {
        let mut out = vec![b'['];
        let mut items = Items::new(&mut out);
        self.items(env, &mut items)?;
        if !items.is_empty() {
            out.push(b']');
            values.extend(parse_produced(out).turns());
        }
        Ok(())
    }

    /// What a loop over its value runs over.
    fn turns<'a>(&self, env: &mut Env<'a>) -> Result<Turns<'a>, Fail> {
        self.value(env).map(Val::turns)
    }

    /// Whether what it gives are selected values, which need not be written only to be looked at.
    fn selects(&self) -> bool {
        false
    }

    /// What must be there if it is to give anything. Names of its own stand for what these need.
    fn needs(&self) -> Needs {
        Needs::unknown()
    }

    /// How it keeps the value of a slot, if one of its choices is that value.
    fn keeps(&self, _: Slot) -> Option<Keeps> {
        None
    }
}

/// A directive's value, which is what it writes.
pub(super) fn written<'a>(op: &(impl Op + ?Sized), env: &mut Env<'a>) -> Result<Val<'a>, Fail> {
    let mut out = Vec::with_capacity(MADE);
    Ok(if op.write(env, &mut out)? { made(out) } else { Val::Nothing })
}

/// A compiled template.
pub struct Template(pub(super) Form);

pub(super) enum Form {
    /// A constant: its bytes, and the same as a document.
    Const(Box<[u8]>, Arc<Doc>),
    Hole(Source),
    Text(Vec<Piece>),
    List(Vec<Template>),
    /// Each member's name stands there as JSON, colon included.
    Object(Vec<(Box<[u8]>, Guarded<Template>)>),
    Op(Box<dyn Op>),
    /// A fold that came to nothing.
    Nothing,
}

impl Template {
    /// Bytes of one JSON value that never change.
    pub(super) fn constant(bytes: Vec<u8>) -> Template {
        match Doc::parse(bytes.clone()) {
            Ok(doc) => Template(Form::Const(bytes.into_boxed_slice(), Arc::new(doc))),
            Err(_) => Template(Form::Nothing),
        }
    }

    pub(super) fn string(text: &str) -> Template {
        let mut out = Vec::new();
        json::write_str(&mut out, text);
        Template::constant(out)
    }

    pub(super) fn hole(source: Source) -> Template {
        match &source {
            Source::Known(Val::Nothing) => Template::nothing(),
            // Several nodes are several items of a list, and a null leaves no trace: no constant does so.
            Source::Known(value) if !value.is_nothing() && !matches!(value, Val::List(_)) => {
                let mut out = Vec::new();
                value.write(&mut out);
                Template::constant(out)
            }
            _ => Template(Form::Hole(source)),
        }
    }

    /// A text with holes; what is known of it stands there as text.
    pub(super) fn text(pieces: Vec<Piece>) -> Template {
        let mut joined: Vec<Piece> = Vec::with_capacity(pieces.len());
        for piece in pieces {
            let plain = match piece {
                Piece::Plain(plain) => plain,
                Piece::Hole(Source::Known(value)) => value.to_text().unwrap_or_default().into_owned(),
                hole => {
                    joined.push(hole);
                    continue;
                }
            };
            match joined.last_mut() {
                Some(Piece::Plain(before)) => before.push_str(&plain),
                _ => joined.push(Piece::Plain(plain)),
            }
        }
        match joined.as_slice() {
            [] => Template::string(""),
            [Piece::Plain(plain)] => Template::string(plain),
            _ => Template(Form::Text(joined)),
        }
    }

    pub(super) fn op(op: impl Op + 'static) -> Template {
        Template(Form::Op(Box::new(op)))
    }

    pub(super) fn nothing() -> Template {
        Template(Form::Nothing)
    }

    /// A list; if all its items are constant, so is it.
    pub(super) fn list(mut items: Vec<Template>) -> Template {
        items.retain(|item| !item.is_never());
        Template(Form::List(items)).fold()
    }

    /// An object; if all its members are constant, so is it.
    pub(super) fn object(mut members: Vec<(Box<[u8]>, Template)>) -> Template {
        members.retain(|(_, value)| !value.is_never());
        let guarded = |(name, value)| (name, Guarded::template(value));
        Template(Form::Object(members.into_iter().map(guarded).collect())).fold()
    }

    fn fold(self) -> Template {
        let constant = match &self.0 {
            Form::List(items) => items.iter().all(Template::is_constant),
            Form::Object(members) => members.iter().all(|(_, value)| value.inner.is_constant()),
            _ => false,
        };
        if !constant {
            return self;
        }
        let mut out = Vec::new();
        match self.write(&mut Env::new(0), &mut out) {
            Ok(true) => Template::constant(out),
            _ => self,
        }
    }

    pub(super) fn is_constant(&self) -> bool {
        matches!(self.0, Form::Const(..) | Form::Nothing)
    }

    /// Whether what it gives are selected values.
    pub(super) fn selects(&self) -> bool {
        match &self.0 {
            Form::Hole(_) => true,
            Form::Op(op) => op.selects(),
            _ => false,
        }
    }

    /// Whether it never gives anything.
    pub(super) fn is_never(&self) -> bool {
        matches!(self.0, Form::Nothing)
    }

    /// What a name for its value stands for, if that needs no making.
    pub(super) fn binding(&self) -> Option<Binding> {
        Some(match &self.0 {
            Form::Nothing => Binding::Known(Val::Nothing),
            Form::Const(_, doc) => Binding::Known(Val::Own(doc.clone(), 0)),
            Form::Hole(Source::Known(value)) => Binding::Known(value.clone()),
            Form::Hole(source) => Binding::Slot(source.bare()?),
            _ => return None,
        })
    }

    /// The constant string that the member `name` of an object template always has.
    pub fn constant_member(&self, name: &str) -> Option<String> {
        match &self.0 {
            Form::Object(members) => {
                let mut key = Vec::new();
                json::write_str(&mut key, name);
                key.push(b':');
                let (_, value) = members.iter().find(|(member, _)| **member == *key)?;
                match &value.inner.0 {
                    Form::Const(_, doc) => doc.root().str().map(Cow::into_owned),
                    _ => None,
                }
            }
            Form::Const(_, doc) => doc.root().get(name)?.str().map(Cow::into_owned),
            _ => None,
        }
    }

    /// Writes the template's JSON value, or nothing and `false`. Never leaves half a value behind: on `false` and
    /// on failure `out` is as it was.
    pub fn write(&self, env: &mut Env<'_>, out: &mut Vec<u8>) -> Result<bool, Fail> {
        let mark = out.len();
        let gave = self.write_uncut(env, out);
        if !matches!(gave, Ok(true)) {
            out.truncate(mark);
        }
        gave
    }

    /// The same for a caller that cuts off what was written before a `false`.
    pub(super) fn write_uncut(&self, env: &mut Env<'_>, out: &mut Vec<u8>) -> Result<bool, Fail> {
        match &self.0 {
            Form::Const(bytes, _) => {
                out.extend_from_slice(bytes);
                Ok(true)
            }
            Form::Hole(source) => Ok(source.look(env, |value| value.write(out))),
            Form::Text(pieces) => {
                match source::as_it_stands(pieces, env) {
                    Some(value) => value.write(out),
                    None => {
                        json::write_str(out, &text(pieces, env));
                        true
                    }
                };
                Ok(true)
            }
            Form::List(list) => {
                out.push(b'[');
                let mut items = Items::new(out);
                for item in list {
                    item.items(env, &mut items)?;
                }
                out.push(b']');
                Ok(true)
            }
            Form::Object(members) => {
                out.push(b'{');
                let mut items = Items::new(out);
                for (name, value) in members {
                    if value.guard.may_be(env) {
                        items.item(|out| {
                            out.extend_from_slice(name);
                            value.inner.write_uncut(env, out)
                        })?;
                    }
                }
                out.push(b'}');
                Ok(true)
            }
            Form::Op(op) => op.write(env, out),
            Form::Nothing => Ok(false),
        }
    }

    /// The template's text, for people: of the value of each hole at most `each` characters, and `all` together; `…` stands
    /// where more was. It never grows with what it quotes. Empty where the template gives nothing.
    pub fn text_within(&self, env: &mut Env<'_>, each: usize, all: usize) -> Result<String, Fail> {
        let mut out = Cut::new(all);
        match &self.0 {
            Form::Text(pieces) => source::text_within(pieces, env, each, &mut out),
            Form::Hole(source) => {
                source.look(env, |value| out.push(&value.to_text().unwrap_or_default(), each))
            }
            _ => out.push(&self.value(env)?.to_text().unwrap_or_default(), all),
        }
        Ok(out.text)
    }

    /// The template's value. A hole's value is borrowed, anything else is produced.
    pub fn value<'a>(&self, env: &mut Env<'a>) -> Result<Val<'a>, Fail> {
        match &self.0 {
            Form::Const(_, doc) => Ok(Val::Own(doc.clone(), 0)),
            Form::Hole(source) => Ok(source.value(env)),
            Form::Text(pieces) => {
                Ok(source::as_it_stands(pieces, env)
                    .unwrap_or_else(|| Val::Str(Cow::Owned(text(pieces, env)))))
            }
            Form::Op(op) => op.value(env),
            Form::Nothing => Ok(Val::Nothing),
            Form::List(_) | Form::Object(_) => {
                let mut out = Vec::with_capacity(MADE);
                Ok(if self.write(env, &mut out)? { made(out) } else { Val::Nothing })
            }
        }
    }
}
