//! Directives over objects: merging them, and taking some of their members.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::control::templates;
use super::{Args, Directive, example, never, nothing};
use crate::language::compile::Compiler;
use crate::language::scope::{Env, Slot};
use crate::language::template::{Fail, Items, Op, Template};
use crate::language::value::{Type, Val, made};
use crate::text::json::{self, Json};
use crate::text::yaml::Kind;

pub(super) const TABLE: &[Directive] = &[
    Directive {
        name: "$merge",
        needs: &[],
        takes: &["$as", "$emit"],
        doc: "the members of several objects in one: a later value replaces an earlier one in its place, or, with `$as` and `$emit`, becomes one with it: `$as` is the list of the values of a name",
        examples: &[
            example("{ $merge: [$.a, { y: 3 }, $.none] }", r#"{"a":{"x":1,"y":2}}"#, r#"{"x":1,"y":3}"#),
            example(
                "{ $merge: [$.a, { y: 3 }], $as: all, $emit: { of: $all } }",
                r#"{"a":{"x":1,"y":2}}"#,
                r#"{"x":{"of":[1]},"y":{"of":[2,3]}}"#,
            ),
        ],
        can_fail: never,
        compile: |c, args| {
            let parts = templates(c, args.word, "$merge")?;
            let merge = Merge(parts.into_iter().filter(|part| !part.is_never()).collect());
            let (Some(name), Some(emit)) = (args.get("$as"), args.get("$emit")) else {
                return both_or_none(c, args).then(|| Template::op(merge));
            };
            let name = c.name(name, "`$as`")?;
            c.with_locals(&[name], |c, slots| {
                let &[values] = slots else { return None };
                Some(Template::op(Unite { parts: merge.0, values, emit: c.template(emit)? }))
            })
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

/// Returns whether `$as` and `$emit` are both there, or neither; else that is an error.
fn both_or_none(c: &mut Compiler<'_>, args: &Args<'_>) -> bool {
    let Some(lone) = args.get("$as").or(args.get("$emit")) else { return true };
    c.error("missing-companion", lone.span, "`$as` and `$emit` of `$merge` need each other");
    false
}

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

/// The objects among what the templates give.
fn objects<'a>(parts: &[Template], env: &mut Env<'a>) -> Result<Vec<Val<'a>>, Fail> {
    let mut objects = Vec::with_capacity(parts.len());
    for part in parts {
        let value = part.value(env)?;
        match value.kind() {
            Type::Object => objects.push(value),
            Type::List => objects.extend(value.turns().filter(|value| value.kind() == Type::Object)),
            _ => {}
        }
    }
    Ok(objects)
}

/// A `$merge` that says what becomes of the values of one name.
struct Unite {
    parts: Vec<Template>,
    values: Slot,
    emit: Template,
}

impl Op for Unite {
    fn write(&self, env: &mut Env<'_>, out: &mut Vec<u8>) -> Result<bool, Fail> {
        let parts = objects(&self.parts, env)?;
        if parts.is_empty() {
            return Ok(false);
        }
        // By name, in the order in which the names came: the text of the list of its values.
        let mut names: Vec<(Cow<'_, str>, Vec<u8>)> = Vec::new();
        let mut places = BTreeMap::new();
        for (name, value) in parts.iter().filter_map(Val::json).flat_map(|part| part.entries()) {
            let place = *places.entry(name.clone()).or_insert(names.len());
            if place == names.len() {
                names.push((name, Vec::new()));
            }
            if let Some((_, list)) = names.get_mut(place) {
                list.push(if list.is_empty() { b'[' } else { b',' });
                list.extend_from_slice(value.raw().as_bytes());
            }
        }
        out.push(b'{');
        let mut items = Items::new(out);
        for (name, mut list) in names {
            list.push(b']');
            env.set(self.values, made(list));
            items.item(|out| {
                json::write_str(out, &name);
                out.push(b':');
                self.emit.write(env, out)
            })?;
        }
        out.push(b'}');
        Ok(true)
    }
}

impl Op for Merge {
    fn write(&self, env: &mut Env<'_>, out: &mut Vec<u8>) -> Result<bool, Fail> {
        let parts = objects(&self.0, env)?;
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
