//! Directives over lists: loops, joins, and picking one.

mod each;
mod index;

use each::For;

use super::control::templates;
use super::{Args, Directive, example, never, nothing};
use crate::language::compile::{Compiler, UNNAMED};
use crate::language::condition::Condition;
use crate::language::matchers;
use crate::language::needs::Needs;
use crate::language::scope::Env;
use crate::language::template::{Fail, Form, Items, Op, Template};
use crate::language::value::{Num, Turns, Type, Val};
use crate::text::json;
use crate::text::yaml::{Kind, Node};

pub(super) const TABLE: &[Directive] = &[
    Directive {
        name: "$for",
        needs: &["$as", "$emit"],
        takes: &["$at", "$where", "$group", "$gather", "$before", "$after"],
        doc: "`$emit` for each item that `$where` lets through; an `$emit` list gives several items or none; with `$group`, neighbours of the same key are one turn and `$as` is their list; with `$gather`, so are all items of the same key, in the place of the first; `$at` numbers the turns from 0; `$before` and `$after` name the turns beside this one for `$emit`, nothing at the ends; without any turn it gives nothing",
        examples: &[
            example("{ $for: $.a, $as: x, $emit: { v: $x } }", r#"{"a":[1,2]}"#, r#"[{"v":1},{"v":2}]"#),
            example(
                "[0, { $for: $.a, $as: x, $at: i, $where: { $x: { above: 1 } }, $emit: [$x, $i] }]",
                r#"{"a":[1,2]}"#,
                "[0,2,0]",
            ),
            example(
                "{ $for: $.a, $as: g, $group: $g.k, $emit: { $count: $g } }",
                r#"{"a":[{"k":1},{"k":1},{"k":2}]}"#,
                "[2,1]",
            ),
            example(
                "{ $for: $.a, $as: same, $gather: $same.k, $emit: { $last: $same } }",
                r#"{"a":[{"k":1,"v":"a"},{"k":2,"v":"b"},{"k":1,"v":"c"}]}"#,
                r#"[{"k":1,"v":"c"},{"k":2,"v":"b"}]"#,
            ),
            example(
                "{ $for: $.a, $as: x, $where: { $x: { above: 0 } }, $before: b, $after: n, $emit: { at: $x, b: $b, n: $n } }",
                r#"{"a":[1,0,2]}"#,
                r#"[{"at":1,"n":2},{"at":2,"b":1}]"#,
            ),
            example("{ $for: $.a, $as: x, $emit: $.b }", r#"{"a":[1,2],"b":7}"#, "[7,7]"),
            nothing("{ $for: $.a, $as: x, $emit: $x }", r#"{"a":[]}"#),
        ],
        can_fail: never,
        compile: |c, args| {
            let (over, origin) = (c.template(args.word), c.origin(args.word));
            if over.as_ref().is_some_and(Template::is_never) && !c.needs(false) {
                return over;
            }
            let item = c.name(args.need("$as"), "`$as`");
            let mut named = |word: &str| match args.get(word) {
                Some(node) => c.name(node, &format!("`{word}`")),
                None => Some(UNNAMED),
            };
            let (at, before, after) = (named("$at"), named("$before"), named("$after"));
            let (over, item, at, before, after) = (over?, item?, at?, before?, after?);
            c.with_locals(&[item, at, before, after], |c, slots| {
                let &[item, place, left, right] = slots else { return None };
                c.local_is(item, origin);
                let beside = (before != UNNAMED || after != UNNAMED).then_some((left, right));
                let at = (at != UNNAMED).then_some(place);
                let only = args.get("$where").map(|node| c.condition(node));
                let group = one_of(c, args, "$group", "$gather").map(|node| c.template(node));
                let gathers = args.get("$gather").is_some();
                let node = args.need("$emit");
                let emit = match &node.kind {
                    Kind::List(_) => templates(c, node, "$emit"),
                    _ => c.template(node).map(|template| vec![template]),
                };
                let only = match only {
                    Some(condition) => Some(condition?).filter(|only| !matches!(only, Condition::Is(true))),
                    None => None,
                };
                let group = match group {
                    Some(template) => Some(template?),
                    None => None,
                };
                let emit = emit?;
                let selects = emit.iter().all(Template::selects);
                Some(Template::op(For { over, item, at, beside, only, group, gathers, emit, selects }))
            })
        },
    },
    index::INDEX,
    index::FIND,
    Directive {
        name: "$list",
        needs: &[],
        takes: &[],
        doc: "its list as one value, where a bare list would give its items one by one",
        examples: &[example("{ $for: $.a, $as: x, $emit: { $list: [$x, 0] } }", r#"{"a":[1]}"#, "[[1,0]]")],
        can_fail: never,
        compile: |c, args| {
            templates(c, args.word, "$list").map(|list| Template::op(Whole(Template::list(list))))
        },
    },
    Directive {
        name: "$flat",
        needs: &[],
        takes: &[],
        doc: "a list's items one by one, inside another list",
        examples: &[
            example("[0, { $flat: $.a }]", r#"{"a":[1,2]}"#, "[0,1,2]"),
            example(
                "[{ $let: { x: $.a }, $in: { $flat: [0, $x, null, $.b] } }]",
                r#"{"a":[1]}"#,
                "[0,[1],null]",
            ),
        ],
        can_fail: never,
        compile: |c, args| c.template(args.word).map(|list| Template::op(Flat(list))),
    },
    Directive {
        name: "$join",
        needs: &[],
        takes: &["$by"],
        doc: "the texts of a list in one string, with `$by` between them; nothing for an empty list",
        examples: &[
            example("{ $join: '$.a[*].t', $by: ', ' }", r#"{"a":[{"t":"x"},{"t":2}]}"#, r#""x, 2""#),
            nothing("{ $join: $.a }", r#"{"a":[]}"#),
        ],
        can_fail: never,
        compile: |c, args| {
            let list = c.template(args.word);
            let by = match args.get("$by") {
                Some(node) => matchers::string(c, node)?,
                None => String::new(),
            };
            Some(Template::op(Join { list: list?, by }))
        },
    },
    Directive {
        name: "$count",
        needs: &[],
        takes: &[],
        doc: "how many items a list has; nothing counts 0",
        examples: &[
            example("{ $count: '$.a[?@ > 1]' }", r#"{"a":[1,2,3]}"#, "2"),
            example("{ $count: $.b }", "{}", "0"),
        ],
        can_fail: never,
        compile: |c, args| c.template(args.word).map(|list| Template::op(Count(list))),
    },
    Directive {
        name: "$last",
        needs: &[],
        takes: &[],
        doc: "the last item of a list",
        examples: &[example("{ $last: '$.a[*]' }", r#"{"a":[1,2]}"#, "2")],
        can_fail: never,
        compile: |c, args| c.template(args.word).map(|list| Template::op(Last(list))),
    },
    Directive {
        name: "$take",
        needs: &["$from"],
        takes: &[],
        doc: "the first so many items of a list; nothing if there are none",
        examples: &[
            example("{ $take: 2, $from: $.a }", r#"{"a":[1,2,3]}"#, "[1,2]"),
            nothing("{ $take: 2, $from: $.a }", r#"{"a":[]}"#),
        ],
        can_fail: never,
        compile: |c, args| {
            let many = whole_number(c, args.word, "$take");
            let list = c.template(args.need("$from"));
            Some(Template::op(Take { many: many?, list: list? }))
        },
    },
];

fn number(count: usize) -> Val<'static> {
    Val::Num(Num::Int(i64::try_from(count).unwrap_or(i64::MAX)))
}

struct Whole(Template);

impl Op for Whole {
    fn write(&self, env: &mut Env<'_>, out: &mut Vec<u8>) -> Result<bool, Fail> {
        self.0.write(env, out)
    }

    fn turns<'a>(&self, env: &mut Env<'a>) -> Result<Turns<'a>, Fail> {
        self.0.turns(env)
    }
}

struct Flat(Template);

impl Op for Flat {
    fn write(&self, env: &mut Env<'_>, out: &mut Vec<u8>) -> Result<bool, Fail> {
        out.push(b'[');
        let mut items = Items::new(out);
        self.items(env, &mut items)?;
        let gave = !items.is_empty();
        out.push(b']');
        Ok(gave)
    }

    fn items(&self, env: &mut Env<'_>, items: &mut Items<'_>) -> Result<(), Fail> {
        // A list that stands in the rules need not be made first, only to be taken apart.
        if let Form::List(list) = &self.0.0 {
            return list.iter().try_for_each(|item| item.items(env, items));
        }
        for value in self.0.turns(env)? {
            items.item(|out| Ok(value.write_any(out)))?;
        }
        Ok(())
    }

    fn gather<'a>(&self, env: &mut Env<'a>, values: &mut Vec<Val<'a>>) -> Result<(), Fail> {
        if let Form::List(list) = &self.0.0 {
            return list.iter().try_for_each(|item| item.gather(env, values));
        }
        let turns = self.0.turns(env)?;
        values.extend(turns.filter(|value| value.kind() != Type::Nothing).map(Val::one));
        Ok(())
    }

    fn turns<'a>(&self, env: &mut Env<'a>) -> Result<Turns<'a>, Fail> {
        let mut values = Vec::new();
        self.gather(env, &mut values)?;
        Ok(Turns::values(values))
    }
}

struct Join {
    list: Template,
    by: String,
}

impl Op for Join {
    fn write(&self, env: &mut Env<'_>, out: &mut Vec<u8>) -> Result<bool, Fail> {
        Ok(self.value(env)?.write(out))
    }

    fn value<'a>(&self, env: &mut Env<'a>) -> Result<Val<'a>, Fail> {
        let mut parts = self.list.turns(env)?.filter(|value| !value.is_nothing());
        let Some(first) = parts.next() else { return Ok(Val::Nothing) };
        let Some(second) = parts.next() else {
            // Most texts are one part: it is the text, as it stands.
            return Ok(first.into_text());
        };
        let mut text = first.to_text().unwrap_or_default().into_owned();
        for part in std::iter::once(second).chain(parts) {
            text.push_str(&self.by);
            text.push_str(&part.to_text().unwrap_or_default());
        }
        Ok(Val::Str(text.into()))
    }

    fn needs(&self) -> Needs {
        self.list.needs()
    }
}

struct Count(Template);

impl Op for Count {
    fn write(&self, env: &mut Env<'_>, out: &mut Vec<u8>) -> Result<bool, Fail> {
        Ok(self.value(env)?.write(out))
    }

    fn value<'a>(&self, env: &mut Env<'a>) -> Result<Val<'a>, Fail> {
        if let Form::Hole(source) = &self.0.0
            && let Val::Table(table) = source.bare_value(env)
        {
            return Ok(number(table.values().len()));
        }
        Ok(number(self.0.turns(env)?.count()))
    }
}

struct Last(Template);

impl Op for Last {
    fn write(&self, env: &mut Env<'_>, out: &mut Vec<u8>) -> Result<bool, Fail> {
        Ok(self.value(env)?.write(out))
    }

    fn value<'a>(&self, env: &mut Env<'a>) -> Result<Val<'a>, Fail> {
        if let Form::Hole(source) = &self.0.0
            && let Val::List(values) | Val::Items(values) = source.bare_value(env)
        {
            return Ok(values.last().cloned().unwrap_or_default());
        }
        Ok(self.0.turns(env)?.last().unwrap_or_default())
    }
}

struct Take {
    many: Template,
    list: Template,
}

impl Op for Take {
    fn write(&self, env: &mut Env<'_>, out: &mut Vec<u8>) -> Result<bool, Fail> {
        let many = self.many.value(env)?.as_num().map_or(0, |many| many.f64().max(0.0) as usize);
        let values = self.list.value(env)?.items();
        out.push(b'[');
        let mut items = Items::new(out);
        for value in values.iter().take(many) {
            items.item(|out| Ok(value.write_any(out)))?;
        }
        let gave = !items.is_empty();
        out.push(b']');
        Ok(gave)
    }
}

/// Compiles what says how many: a whole number, or a template that gives one.
pub(super) fn whole_number(c: &mut Compiler<'_>, node: &Node, word: &str) -> Option<Template> {
    let may_be = match &node.kind {
        Kind::Number(text) => text.parse::<u64>().is_ok(),
        Kind::String(text) => text.starts_with('$') && !text.starts_with("$$"),
        Kind::Map(_) => true,
        Kind::Null | Kind::Bool(_) | Kind::List(_) => false,
    };
    if !may_be {
        let message = format!("`{word}` is a whole number, or a template that gives one");
        c.error("bad-number", node.span, message);
        return None;
    }
    c.template(node)
}

/// The one that is given of two companions that exclude each other.
fn one_of<'n>(c: &mut Compiler<'_>, args: &Args<'n>, first: &str, second: &str) -> Option<&'n Node> {
    if let (Some(_), Some(node)) = (args.get(first), args.get(second)) {
        let message = format!("`{first}` and `{second}` cannot stand beside each other");
        c.error("stray-companion", node.span, message).help(format!("leave out `{first}` or `{second}`"));
    }
    args.get(first).or_else(|| args.get(second))
}

/// Writes `text` as a JSON string: the end of many a directive.
pub(super) fn write_text(text: &str, out: &mut Vec<u8>) -> Result<bool, Fail> {
    json::write_str(out, text);
    Ok(true)
}

/// Compiles a companion that is a template, or nothing where it is absent.
pub(super) fn optional(c: &mut Compiler<'_>, node: Option<&Node>) -> Option<Option<Template>> {
    match node {
        Some(node) => c.template(node).map(Some),
        None => Some(None),
    }
}
