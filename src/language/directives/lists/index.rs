//! `$index` and `$find`: values under keys, so that nobody looks through a list once for each item of another.

use crate::language::directives::{Directive, example, never, nothing};
use crate::language::needs::Needs;
use crate::language::scope::{Env, Slot};
use crate::language::template::{Fail, Items, Op, Template};
use crate::language::value::{Table, Val};
use std::sync::Arc;

pub(super) const INDEX: Directive = Directive {
    name: "$index",
    needs: &["$as", "$by"],
    takes: &["$emit"],
    doc: "the items of a list under keys: `$by` gives each its key (without one it is left out), `$emit` what is found there, the item itself where it is absent; for `$find`, and for `in`, which asks whether there is such a key",
    examples: &[
        example(
            "{ $let: { by: { $index: $.a, $as: x, $by: $x.k, $emit: $x.v } }, $in: [{ $find: 2, $in: $by }] }",
            r#"{"a":[{"k":1,"v":"a"},{"k":2,"v":"b"},{"k":2,"v":"c"}]}"#,
            r#"["b","c"]"#,
        ),
        example(
            "{ $let: { by: { $index: $.a, $as: x, $by: $x } }, $in: { $if: { $.b: { in: $by } }, $then: $by } }",
            r#"{"a":["x","y"],"b":"y"}"#,
            r#"["x","y"]"#,
        ),
    ],
    can_fail: never,
    compile: |c, args| {
        let (list, origin) = (c.template(args.word), c.origin(args.word));
        let name = c.name(args.need("$as"), "`$as`");
        let (list, name) = (list?, name?);
        c.with_locals(&[name], |c, slots| {
            let &[item] = slots else { return None };
            c.local_is(item, origin);
            let by = c.template(args.need("$by"));
            let emit = super::optional(c, args.get("$emit"));
            Some(Template::op(Index { list, item, by: by?, emit: emit? }))
        })
    },
};

pub(super) const FIND: Directive = Directive {
    name: "$find",
    needs: &["$in"],
    takes: &[],
    doc: "what stands in an index under a key, one by one; nothing where nothing does",
    examples: &[
        example(
            "{ $let: { by: { $index: $.a, $as: x, $by: $x.k } }, $in: { $first: [{ $find: $.b, $in: $by }] } }",
            r#"{"a":[{"k":"x","v":1}],"b":"x"}"#,
            r#"{"k":"x","v":1}"#,
        ),
        nothing("{ $find: 1, $in: { $index: $.a, $as: x, $by: $x } }", r#"{"a":[2]}"#),
    ],
    can_fail: never,
    compile: |c, args| {
        let (key, table) = (c.template(args.word), c.template(args.need("$in")));
        Some(Template::op(Find { key: key?, table: table? }))
    },
};

struct Index {
    list: Template,
    item: Slot,
    by: Template,
    emit: Option<Template>,
}

impl Op for Index {
    fn write(&self, env: &mut Env<'_>, out: &mut Vec<u8>) -> Result<bool, Fail> {
        Ok(self.value(env)?.write(out))
    }

    fn value<'a>(&self, env: &mut Env<'a>) -> Result<Val<'a>, Fail> {
        let mut table = Table::default();
        for value in self.list.turns(env)? {
            env.set(self.item, value.clone());
            let key = self.by.first(env)?;
            let value = match &self.emit {
                Some(emit) => emit.value(env)?,
                None => value,
            };
            if !value.is_nothing() {
                table.add(&key, value);
            }
        }
        Ok(Val::Table(Arc::new(table)))
    }
}

struct Find {
    key: Template,
    table: Template,
}

impl Op for Find {
    fn write(&self, env: &mut Env<'_>, out: &mut Vec<u8>) -> Result<bool, Fail> {
        Ok(self.value(env)?.write(out))
    }

    fn items(&self, env: &mut Env<'_>, items: &mut Items<'_>) -> Result<(), Fail> {
        if let Val::List(values) = self.value(env)? {
            for value in values.iter() {
                items.item(|out| Ok(value.write(out)))?;
            }
        }
        Ok(())
    }

    fn gather<'a>(&self, env: &mut Env<'a>, values: &mut Vec<Val<'a>>) -> Result<(), Fail> {
        if let Val::List(found) = self.value(env)? {
            values.extend(found.iter().cloned().map(Val::one));
        }
        Ok(())
    }

    fn value<'a>(&self, env: &mut Env<'a>) -> Result<Val<'a>, Fail> {
        let key = self.key.first(env)?;
        let Val::Table(table) = self.table.value(env)? else { return Ok(Val::Nothing) };
        let found: Vec<_> = table.find(&key).cloned().collect();
        Ok(if found.is_empty() { Val::Nothing } else { Val::List(found.into()) })
    }

    fn selects(&self) -> bool {
        true
    }

    fn needs(&self) -> Needs {
        self.key.needs()
    }
}
