//! Directives over lists: loops, joins, and picking one.

use super::control::templates;
use super::{Directive, example, never, nothing};
use crate::language::compile::{Compiler, UNNAMED};
use crate::language::condition::Condition;
use crate::language::matchers;
use crate::language::scope::{Env, Slot};
use crate::language::template::{Fail, Form, Items, Op, Template};
use crate::language::value::{Num, Turns, Val};
use crate::text::json;
use crate::text::yaml::{Kind, Node};

pub(super) const TABLE: &[Directive] = &[
    Directive {
        name: "$for",
        needs: &["$as", "$emit"],
        takes: &["$at", "$where", "$group", "$before", "$after"],
        doc: "`$emit` for each item that `$where` lets through; an `$emit` list gives several items or none; with `$group`, neighbours of the same key are one turn and `$as` is their list; `$at` numbers the turns from 0; `$before` and `$after` name the turns beside this one for `$emit`, nothing at the ends; without any turn it gives nothing",
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
                let &[item, at, left, right] = slots else { return None };
                c.local_is(item, origin);
                let beside = (before != UNNAMED || after != UNNAMED).then_some((left, right));
                let only = args.get("$where").map(|node| c.condition(node));
                let group = args.get("$group").map(|node| c.template(node));
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
                Some(Template::op(For { over, item, at, beside, only, group, emit: emit? }))
            })
        },
    },
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
            let many = c.template(args.word);
            let list = c.template(args.need("$from"));
            Some(Template::op(Take { many: many?, list: list? }))
        },
    },
];

struct For {
    over: Template,
    item: Slot,
    at: Slot,
    /// The slots of the turns before and after this one, if either has a name.
    beside: Option<(Slot, Slot)>,
    only: Option<Condition>,
    group: Option<Template>,
    emit: Vec<Template>,
}

impl For {
    /// Runs the loop; each turn's items go to `items`.
    fn run(&self, env: &mut Env<'_>, items: &mut Items<'_>) -> Result<(), Fail> {
        let over = self.over.turns(env)?;
        if self.group.is_some() || self.beside.is_some() {
            return self.run_together(over, env, items);
        }
        let mut turn = 0;
        for (count, value) in over.enumerate() {
            env.set(self.item, value);
            if let Some(only) = &self.only {
                env.set(self.at, number(count));
                if !only.test(env) {
                    continue;
                }
            }
            env.set(self.at, number(turn));
            turn += 1;
            for template in &self.emit {
                template.items(env, items)?;
            }
        }
        Ok(())
    }

    /// The same where a turn has to do with its neighbours.
    fn run_together<'a>(
        &self,
        over: Turns<'a>,
        env: &mut Env<'a>,
        items: &mut Items<'_>,
    ) -> Result<(), Fail> {
        self.set_beside(env, &[], 0);
        let values = self.turns(env, over)?;
        for (count, value) in values.iter().enumerate() {
            env.set(self.item, value.clone());
            env.set(self.at, number(count));
            self.set_beside(env, &values, count);
            for template in &self.emit {
                template.items(env, items)?;
            }
        }
        Ok(())
    }

    /// Gives the names of the neighbours of turn `at` their values.
    fn set_beside<'a>(&self, env: &mut Env<'a>, turns: &[Val<'a>], at: usize) {
        if let Some((before, after)) = self.beside {
            let turn = |at: Option<usize>| at.and_then(|at| turns.get(at)).cloned().unwrap_or_default();
            env.set(before, turn(at.checked_sub(1)));
            env.set(after, turn(at.checked_add(1)));
        }
    }

    /// The values of the turns: what `$where` lets through, in groups if asked.
    fn turns<'a>(&self, env: &mut Env<'a>, values: Turns<'a>) -> Result<Vec<Val<'a>>, Fail> {
        let mut turns: Vec<Val<'a>> = Vec::new();
        let mut open: Option<(Val<'a>, Vec<Val<'a>>)> = None;
        for (count, value) in values.enumerate() {
            env.set(self.item, value.clone());
            env.set(self.at, number(count));
            if self.only.as_ref().is_some_and(|only| !only.test(env)) {
                continue;
            }
            let Some(group) = &self.group else {
                turns.push(value);
                continue;
            };
            let key = group.value(env)?;
            match &mut open {
                Some((last, members)) if last.equals(&key) => members.push(value),
                _ => {
                    turns.extend(open.take().map(|(_, members)| Val::List(members.into())));
                    open = Some((key, vec![value]));
                }
            }
        }
        turns.extend(open.map(|(_, members)| Val::List(members.into())));
        Ok(turns)
    }
}

fn number(count: usize) -> Val<'static> {
    Val::Num(Num::Int(i64::try_from(count).unwrap_or(i64::MAX)))
}

impl Op for For {
    fn write(&self, env: &mut Env<'_>, out: &mut Vec<u8>) -> Result<bool, Fail> {
        out.push(b'[');
        let mut items = Items::new(out);
        self.run(env, &mut items)?;
        let gave = !items.is_empty();
        out.push(b']');
        Ok(gave)
    }

    fn items(&self, env: &mut Env<'_>, items: &mut Items<'_>) -> Result<(), Fail> {
        self.run(env, items)
    }
}

struct Whole(Template);

impl Op for Whole {
    fn write(&self, env: &mut Env<'_>, out: &mut Vec<u8>) -> Result<bool, Fail> {
        self.0.write(env, out)
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
        let mut text = String::new();
        let mut gave = false;
        for value in self.list.turns(env)? {
            if let Some(part) = value.to_text() {
                if gave {
                    text.push_str(&self.by);
                }
                text.push_str(&part);
                gave = true;
            }
        }
        Ok(if gave { Val::Str(text.into()) } else { Val::Nothing })
    }
}

struct Count(Template);

impl Op for Count {
    fn write(&self, env: &mut Env<'_>, out: &mut Vec<u8>) -> Result<bool, Fail> {
        Ok(self.value(env)?.write(out))
    }

    fn value<'a>(&self, env: &mut Env<'a>) -> Result<Val<'a>, Fail> {
        Ok(number(self.0.turns(env)?.count()))
    }
}

struct Last(Template);

impl Op for Last {
    fn write(&self, env: &mut Env<'_>, out: &mut Vec<u8>) -> Result<bool, Fail> {
        Ok(self.value(env)?.write(out))
    }

    fn value<'a>(&self, env: &mut Env<'a>) -> Result<Val<'a>, Fail> {
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
