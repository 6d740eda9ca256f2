//! Directives over objects: merging them, and taking some of their members.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::control::templates;
use super::{Args, Directive, example, never, nothing};
use crate::language::compile::Compiler;
use crate::language::scope::Env;
use crate::language::template::{Fail, Items, Op, Template};
use crate::language::value::{Type, Val};
use crate::text::json::{self, Json};
use crate::text::yaml::Kind;

pub(super) const TABLE: &[Directive] = &[
    Directive {
        name: "$merge",
        needs: &[],
        takes: &[],
        doc: "the members of several objects in one: a later value replaces an earlier one in its place",
        examples: &[example(
            "{ $merge: [$.a, { y: 3 }, $.none] }",
            r#"{"a":{"x":1,"y":2}}"#,
            r#"{"x":1,"y":3}"#,
        )],
        can_fail: never,
        compile: |c, args| {
            let parts = templates(c, args.word, "$merge")?;
            Some(Template::op(Merge(parts.into_iter().filter(|part| !part.is_never()).collect())))
        },
    },
    Directive {
        name: "$omit",
        needs: &["$from"],
        takes: &[],
        doc: "an object without some members",
        examples: &[example("{ $omit: [a, b], $from: $ }", r#"{"a":1,"c":2}"#, r#"{"c":2}"#)],
        can_fail: never,
        compile: |c, args| choose(c, args, false),
    },
    Directive {
        name: "$pick",
        needs: &["$from"],
        takes: &[],
        doc: "only some members of an object; nothing if it has none of them",
        examples: &[example("{ $pick: [a, b], $from: $ }", r#"{"a":1,"c":2}"#, r#"{"a":1}"#)],
        can_fail: never,
        compile: |c, args| choose(c, args, true),
    },
    Directive {
        name: "$keys",
        needs: &[],
        takes: &[],
        doc: "the names of an object's members, a list; nothing if it is no object",
        examples: &[
            example("{ $keys: $ }", r#"{"b":1,"a":{"c":2}}"#, r#"["b","a"]"#),
            example("{ $keys: $ }", "{}", "[]"),
            nothing("{ $keys: $ }", "[1]"),
        ],
        can_fail: never,
        compile: |c, args| c.template(args.word).map(|object| Template::op(Keys(object))),
    },
];

fn choose(c: &mut Compiler<'_>, args: &Args<'_>, keep: bool) -> Option<Template> {
    let Kind::List(names) = &args.word.kind else {
        c.error(
            "bad-list",
            args.word.span,
            format!("this takes a list of names, not {}", args.word.type_name()),
        );
        return None;
    };
    let names: Option<Vec<String>> =
        names.iter().map(|name| crate::language::matchers::string(c, name)).collect();
    let from = c.template(args.need("$from"));
    Some(Template::op(Choose { names: names?, from: from?, keep }))
}

struct Merge(Vec<Template>);

impl Op for Merge {
    fn write(&self, env: &mut Env<'_>, out: &mut Vec<u8>) -> Result<bool, Fail> {
        let mut parts = Vec::with_capacity(self.0.len());
        for part in &self.0 {
            let value = part.value(env)?;
            if value.kind() == Type::Object {
                parts.push(value);
            }
        }
        if parts.is_empty() {
            return Ok(false);
        }
        let mut members = Members::default();
        for part in parts.iter().filter_map(Val::json) {
            part.entries().for_each(|(name, value)| members.put(name, value));
        }
        out.push(b'{');
        let mut items = Items::new(out);
        for (name, value) in members.list {
            member(&mut items, &name, value)?;
        }
        out.push(b'}');
        Ok(true)
    }
}

/// So many members are looked through for a name; where there are more, places are kept by name.
const FEW: usize = 16;

/// The members of an object that is being made, each name once.
#[derive(Default)]
struct Members<'n> {
    list: Vec<(Cow<'n, str>, Json<'n>)>,
    places: BTreeMap<Cow<'n, str>, usize>,
}

impl<'n> Members<'n> {
    fn put(&mut self, name: Cow<'n, str>, value: Json<'n>) {
        let place = match self.list.len() {
            ..=FEW => self.list.iter().position(|(known, _)| *known == name),
            _ => self.places.get(&name).copied(),
        };
        if let Some(member) = place.and_then(|place| self.list.get_mut(place)) {
            member.1 = value;
            return;
        }
        self.list.push((name, value));
        if self.list.len() > FEW {
            // From the first one too many on, all have their places there.
            for (place, (name, _)) in self.list.iter().enumerate().skip(self.places.len()) {
                self.places.insert(name.clone(), place);
            }
        }
    }
}

struct Choose {
    names: Vec<String>,
    from: Template,
    keep: bool,
}

impl Op for Choose {
    fn write(&self, env: &mut Env<'_>, out: &mut Vec<u8>) -> Result<bool, Fail> {
        let value = self.from.value(env)?;
        let Some(object) = value.json().filter(|_| value.kind() == Type::Object) else {
            return Ok(false);
        };
        out.push(b'{');
        let mut items = Items::new(out);
        for (name, value) in object.entries() {
            if self.names.iter().any(|known| *known == *name) == self.keep {
                member(&mut items, &name, value)?;
            }
        }
        let gave = !(self.keep && items.is_empty());
        out.push(b'}');
        Ok(gave)
    }
}

struct Keys(Template);

impl Op for Keys {
    fn write(&self, env: &mut Env<'_>, out: &mut Vec<u8>) -> Result<bool, Fail> {
        let value = self.0.value(env)?;
        let Some(object) = value.json().filter(|_| value.kind() == Type::Object) else {
            return Ok(false);
        };
        out.push(b'[');
        let mut items = Items::new(out);
        for (name, _) in object.entries_raw() {
            items.item(|out| {
                out.extend_from_slice(name.raw().as_bytes());
                Ok(true)
            })?;
        }
        out.push(b']');
        Ok(true)
    }
}

fn member(items: &mut Items<'_>, name: &str, value: Json<'_>) -> Result<bool, Fail> {
    items.item(|out| {
        json::write_str(out, name);
        out.push(b':');
        out.extend_from_slice(value.raw().as_bytes());
        Ok(true)
    })
}
