//! What must be there if a template is to give anything, or a condition to hold. Most of what a program of a stream
//! asks for is in no given event; where it is not, which its traces tell at once, nothing of it is run.

use super::condition::Condition;
use super::scope::{Env, Slot};
use super::template::{Fail, Form, Source, Template};
use super::value::{Turns, Val};
use crate::text::json::{Name, Traces};

/// One of these has to be: in the document behind that name, all that these traces have. `None`: nothing is known.
#[derive(Clone, Debug, Default)]
pub struct Needs(Option<Vec<(Slot, Traces)>>);

impl Needs {
    /// It may be whatever is there.
    pub(super) fn unknown() -> Needs {
        Needs(None)
    }

    /// It never is.
    pub(super) fn never() -> Needs {
        Needs(Some(Vec::new()))
    }

    fn of(source: &Source) -> Needs {
        Needs::all(source, source.needs())
    }

    /// All that the traces have, in the document that the source is of.
    fn all(source: &Source, needs: Traces) -> Needs {
        match source {
            Source::Slot(slot, _) => Needs(Some(vec![(*slot, needs)])),
            Source::Known(_) => Needs::unknown(),
        }
    }

    /// What one or the other needs.
    pub(super) fn or(self, other: Needs) -> Needs {
        Needs(self.0.zip(other.0).map(|(mut either, other)| {
            for need in other {
                if !either.contains(&need) {
                    either.push(need);
                }
            }
            either
        }))
    }

    /// What is needed where both are: the one of them that is looked for more quickly.
    pub(super) fn and(self, other: Needs) -> Needs {
        match (&self.0, &other.0) {
            (Some(one), Some(another)) if one.len() > another.len() => other,
            (None, Some(_)) => other,
            _ => self,
        }
    }

    /// The same, where the name of a slot stands for a value that needs `value` itself.
    pub(super) fn naming(self, slot: Slot, value: &Needs) -> Needs {
        let Some(list) = self.0 else { return self };
        let (named, others): (Vec<_>, Vec<_>) = list.into_iter().partition(|(of, _)| *of == slot);
        let others = Needs(Some(others));
        if named.is_empty() { others } else { others.or(value.clone()) }
    }

    /// Whether it may be now. False is certain.
    #[inline]
    pub(super) fn may_be(&self, env: &Env<'_>) -> bool {
        let has = |(slot, traces): &(Slot, Traces)| env.get(*slot).may_have(traces);
        self.0.as_ref().is_none_or(|any| any.iter().any(has))
    }

    /// The same where there is no environment so far: `value` gives what a name stands for.
    fn may_be_of<'a>(&self, value: impl Fn(Slot) -> Val<'a>) -> bool {
        let has = |(slot, traces): &(Slot, Traces)| value(*slot).may_have(traces);
        self.0.as_ref().is_none_or(|any| any.iter().any(has))
    }
}

/// A condition or a template that is not run where it comes to nothing.
pub struct Guarded<T> {
    /// What is asked first; less than `inner` needs where that would find out as quickly by itself.
    pub(super) guard: Needs,
    pub(super) inner: T,
}

/// How a `$first` of several choices keeps a value that is one of them.
pub(super) struct Keeps {
    /// It is the first choice.
    pub first: bool,
    /// What the other choices need.
    pub others: Needs,
    /// Whether what is empty counts for nothing.
    pub something: bool,
}

impl Keeps {
    /// Whether the value is sure to stay as it is.
    pub fn holds(&self, value: &Val<'_>, env: &Env<'_>) -> bool {
        let gives = if self.something { value.is_something() } else { !value.is_nothing() };
        if gives { self.first || !self.others.may_be(env) } else { false }
    }
}

impl Guarded<Condition> {
    /// Guards a condition.
    pub fn condition(inner: Condition) -> Guarded<Condition> {
        Guarded { guard: inner.needs(), inner }
    }

    /// Whether it holds.
    pub fn test(&self, env: &Env<'_>) -> bool {
        self.guard.may_be(env) && self.inner.test(env)
    }

    /// Whether it may hold, seen before an environment is made: `value` gives what a name stands for. False is certain.
    pub fn may_hold<'a>(&self, value: impl Fn(Slot) -> Val<'a>) -> bool {
        self.guard.may_be_of(value)
    }
}

impl Guarded<Template> {
    /// Guards a template. A path finds out as quickly by itself.
    pub(super) fn template(inner: Template) -> Guarded<Template> {
        let is_hole = matches!(inner.0, Form::Hole(_));
        Guarded { guard: if is_hole { Needs::unknown() } else { inner.needs() }, inner }
    }

    pub(super) fn value<'a>(&self, env: &mut Env<'a>) -> Result<Val<'a>, Fail> {
        if self.guard.may_be(env) { self.inner.value(env) } else { Ok(Val::Nothing) }
    }

    /// What a loop over its value runs over.
    pub(super) fn turns<'a>(&self, env: &mut Env<'a>) -> Result<Turns<'a>, Fail> {
        if self.guard.may_be(env) { self.inner.turns(env) } else { Ok(Val::Nothing.turns()) }
    }
}

impl Template {
    /// How it keeps the value of a slot, if it does.
    pub(super) fn keeps(&self, slot: Slot) -> Option<Keeps> {
        match &self.0 {
            Form::Op(op) => op.keeps(slot),
            _ => None,
        }
    }

    /// What must be there if it is to give anything.
    pub(super) fn needs(&self) -> Needs {
        match &self.0 {
            Form::Nothing => Needs::never(),
            Form::Hole(source) => Needs::of(source),
            Form::Op(op) => op.needs(),
            Form::Const(..) | Form::Text(_) | Form::List(_) | Form::Object(_) => Needs::unknown(),
        }
    }
}

impl Template {
    /// Whether that is seen at once; a `false` is no promise.
    #[inline]
    pub(super) fn is_sure_to_give_nothing(&self, env: &Env<'_>) -> bool {
        match &self.0 {
            Form::Hole(Source::Slot(slot, path)) => !env.get(*slot).may_have(path.needs()),
            _ => false,
        }
    }
}

impl Condition {
    /// What must be there if it is to hold.
    pub(super) fn needs(&self) -> Needs {
        match self {
            Condition::Is(false) => Needs::never(),
            Condition::Something(source) => Needs::of(source),
            Condition::Match(source, matcher) if !matcher.may_fit_nothing() => Needs::of(source),
            Condition::MatchSome(source, _) => Needs::of(source),
            Condition::State(source, state) if !state.holds(&Val::Nothing) => Needs::of(source),
            Condition::Text(is) => Needs::all(&is.source, is.needs),
            Condition::All(parts) => parts.iter().map(Condition::needs).fold(Needs::unknown(), Needs::and),
            Condition::Any(parts) => parts.iter().map(Condition::needs).fold(Needs::never(), Needs::or),
            Condition::Is(true)
            | Condition::State(..)
            | Condition::Match(..)
            | Condition::Not(_)
            | Condition::Fact(_) => Needs::unknown(),
        }
    }
}

impl Condition {
    /// The member of the value behind a name without which it cannot hold.
    pub(super) fn member(&self, of: Slot) -> Option<&Name> {
        match self {
            Condition::Something(source) | Condition::MatchSome(source, _) => source.member(of),
            Condition::Text(is) => is.source.member(of),
            Condition::State(source, state) if !state.holds(&Val::Nothing) => source.member(of),
            Condition::All(parts) => parts.iter().find_map(|part| part.member(of)),
            Condition::Is(_)
            | Condition::State(..)
            | Condition::Match(..)
            | Condition::Any(_)
            | Condition::Not(_)
            | Condition::Fact(_) => None,
        }
    }
}

impl Val<'_> {
    /// Whether all that `traces` has may stand in the document that this value is of. False is certain.
    #[inline]
    pub(super) fn may_have(&self, traces: &Traces) -> bool {
        match self {
            Val::Nothing => false,
            Val::Json(node) => node.may_have(traces),
            Val::Own(doc, _) => doc.root().may_have(traces),
            _ => true,
        }
    }
}
