//! Names for what is made on the way: those of `$let`, and the parameters of fragments.

use super::Args;
use crate::language::compile::{Compiler, Local, UNNAMED};
use crate::language::needs::{Guarded, Needs};
use crate::language::scope::{Env, Slot};
use crate::language::template::{Binding, Fail, Items, Op, Template};
use crate::language::value::{Turns, Val};
use crate::text::yaml::{Kind, Node};

/// A fragment, with what its parameters are given.
pub(super) fn fragment(c: &mut Compiler<'_>, args: &Args<'_>) -> Option<Template> {
    let entries: &[_] = match args.get("$with").map(|node| (&node.kind, node.span)) {
        None => &[],
        Some((Kind::Map(entries), _)) => entries,
        Some((_, span)) => {
            c.error("bad-use", span, "`$with` takes a mapping of parameters to templates");
            return None;
        }
    };
    let mark = c.mark_locals();
    let mut parameters = Vec::new();
    let mut names = Names::default();
    let mut sound = true;
    for (key, node) in entries {
        let origin = c.origin(node);
        let binding = names.add(c, UNNAMED, node);
        sound &= binding.is_some();
        let binding = binding.unwrap_or(Binding::Known(Val::Nothing));
        parameters.push(Local { name: key.text.clone(), binding, origin });
        if let Some(fragment) = args.word.as_str() {
            c.scope.gave_at(fragment, &key.text, key.span);
        }
    }
    let body = c.fragment(args.word, parameters);
    c.drop_locals(mark);
    body.filter(|_| sound).map(|body| names.around(c, body))
}

/// The names of a `$let` or a `$use`, with the values that have to be made for them.
#[derive(Default)]
pub(super) struct Names(Vec<Named>);

struct Named {
    slot: Slot,
    value: Template,
    may_fail: bool,
}

impl Names {
    /// Compiles a name's value, and adds the name to those in sight.
    pub(super) fn add(&mut self, c: &mut Compiler<'_>, name: &str, node: &Node) -> Option<Binding> {
        let fallible = c.fallible;
        let (value, origin) = (c.template(node), c.origin(node));
        // It has its slot before the next one compiles, lest the next one's own names lie in it.
        let slot = c.push_local(name);
        c.local_is(slot, origin);
        let value = value?;
        if let Some(binding) = value.binding() {
            c.rebind_local(binding.clone());
            return Some(binding);
        }
        self.0.push(Named { slot, value, may_fail: c.fallible > fallible });
        Some(Binding::Slot(slot))
    }

    /// The body with the names that it looks at.
    pub(super) fn around(self, c: &Compiler<'_>, body: Template) -> Template {
        let is_needed = |named: &Named| named.may_fail || c.is_used(named.slot);
        let names: Vec<Named> = self.0.into_iter().filter(is_needed).collect();
        let may_fail = names.iter().any(|named| named.may_fail);
        let guarded = |named: Named| (named.slot, Guarded::template(named.value));
        let names: Vec<_> = names.into_iter().map(guarded).collect();
        if names.is_empty() { body } else { Template::op(Let { names, may_fail, body }) }
    }
}

struct Let {
    names: Vec<(Slot, Guarded<Template>)>,
    /// Whether a name's value may.
    may_fail: bool,
    body: Template,
}

impl Let {
    fn bind(&self, env: &mut Env<'_>) -> Result<(), Fail> {
        for (slot, template) in &self.names {
            let value = template.value(env)?;
            env.set(*slot, value);
        }
        Ok(())
    }
}

impl Op for Let {
    fn write(&self, env: &mut Env<'_>, out: &mut Vec<u8>) -> Result<bool, Fail> {
        self.bind(env)?;
        self.body.write_uncut(env, out)
    }

    fn items(&self, env: &mut Env<'_>, items: &mut Items<'_>) -> Result<(), Fail> {
        self.bind(env)?;
        self.body.items(env, items)
    }

    fn value<'a>(&self, env: &mut Env<'a>) -> Result<Val<'a>, Fail> {
        self.bind(env)?;
        self.body.value(env)
    }

    fn gather<'a>(&self, env: &mut Env<'a>, values: &mut Vec<Val<'a>>) -> Result<(), Fail> {
        self.bind(env)?;
        self.body.gather(env, values)
    }

    fn turns<'a>(&self, env: &mut Env<'a>) -> Result<Turns<'a>, Fail> {
        self.bind(env)?;
        self.body.turns(env)
    }

    fn needs(&self) -> Needs {
        if self.may_fail {
            return Needs::unknown();
        }
        let name = |needs: Needs, (slot, value): &(Slot, Guarded<Template>)| {
            needs.naming(*slot, &value.inner.needs())
        };
        self.names.iter().rev().fold(self.body.needs(), name)
    }
}
