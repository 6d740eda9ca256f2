//! Directives that choose: conditions, switches, names, fragments, and giving up.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::giving_up::{Failing, fail, failure};
use super::naming::{Names, fragment};
use super::{Args, Directive, always, example, never, nothing};
use crate::language::compile::{Compiler, is_word};
use crate::language::condition::Condition;
use crate::language::needs::{Keeps, Needs};
use crate::language::scope::{Env, Origin, Slot};
use crate::language::template::{Binding, Fail, Form, Items, Op, Template};
use crate::language::value::{Turns, Val};
use crate::text::yaml::{Kind, Node};

pub(super) const TABLE: &[Directive] = &[
    Directive {
        name: "$if",
        needs: &["$then"],
        takes: &["$else"],
        doc: "`$then` where the condition holds, else `$else`, else nothing",
        examples: &[
            example("{ $if: $.a, $then: yes, $else: no }", r#"{"a":1}"#, r#""yes""#),
            nothing("{ $if: { $.a: b }, $then: 1 }", r#"{"a":"c"}"#),
        ],
        can_fail: never,
        compile: |c, args| {
            let when = c.condition(args.word);
            let decided = if let Some(Condition::Is(holds)) = when { Some(holds) } else { None };
            let mut branch = |node: Option<&Node>, taken: bool| match node {
                Some(node) if c.needs(decided != Some(!taken)) => c.template(node),
                _ => Some(Template::nothing()),
            };
            let then = branch(args.get("$then"), true);
            let otherwise = branch(args.get("$else"), false);
            let (when, then, otherwise) = (when?, then?, otherwise?);
            Some(match decided {
                Some(true) => then,
                Some(false) => otherwise,
                None => Template::op(If { when, then, otherwise }),
            })
        },
    },
    Directive {
        name: "$switch",
        needs: &["$cases"],
        takes: &["$default"],
        doc: "the case whose key equals the value (`a|b` is two keys), else `$default`, else nothing",
        examples: &[
            example(
                "{ $switch: $.r, $cases: { stop|end: done, length: full }, $default: other }",
                r#"{"r":"end"}"#,
                r#""done""#,
            ),
            example(
                "{ $switch: $.r, $cases: { stop: done }, $default: '{$.r}?' }",
                r#"{"r":"x"}"#,
                r#""x?""#,
            ),
        ],
        can_fail: never,
        compile: switch,
    },
    Directive {
        name: "$first",
        needs: &[],
        takes: &["$something"],
        doc: "the first of the list that gives anything but null (with `$something: true`, anything but empty); of several selected nodes, the first",
        examples: &[
            example("{ $first: [$.a, $.b, 7] }", r#"{"a":null,"b":"x"}"#, r#""x""#),
            example("{ $first: [$.a, $.b], $something: true }", r#"{"a":"","b":"x"}"#, r#""x""#),
            example("{ $first: ['$.c[?@.i == 1]'] }", r#"{"c":[{"i":0},{"i":1}]}"#, r#"{"i":1}"#),
        ],
        can_fail: never,
        compile: |c, args| {
            let something = match args.get("$something").map(|node| (&node.kind, node.span)) {
                None => false,
                Some((Kind::Bool(wanted), _)) => *wanted,
                Some((_, at)) => {
                    c.error("bad-flag", at, "`$something` is `true`, or not there");
                    return None;
                }
            };
            let written = args.word.as_list().unwrap_or_default().iter().map(is_written).collect();
            templates(c, args.word, "$first").map(|list| first(list, written, something))
        },
    },
    Directive {
        name: "$let",
        needs: &["$in"],
        takes: &[],
        doc: "names produced values, in order, for `$in`",
        examples: &[example(
            "{ $let: { a: $.x, b: '{$a}!' }, $in: [$a, $b] }",
            r#"{"x":"y"}"#,
            r#"["y","y!"]"#,
        )],
        can_fail: never,
        compile: |c, args| {
            let Kind::Map(entries) = &args.word.kind else {
                c.error("bad-let", args.word.span, "`$let` takes a mapping of names to templates");
                return None;
            };
            let mark = c.mark_locals();
            let mut names = Names::default();
            let mut sound = true;
            for (key, node) in entries {
                sound &= names.add(c, &key.text, node).is_some();
            }
            let body = c.template(args.need("$in"));
            c.drop_locals(mark);
            body.filter(|_| sound).map(|body| names.around(c, body))
        },
    },
    Directive {
        name: "$use",
        needs: &[],
        takes: &["$with"],
        doc: "a fragment of this file, with the parameters in `$with`; a parameter that is not given is nothing",
        examples: &[],
        can_fail: never,
        compile: fragment,
    },
    Directive {
        name: "$need",
        needs: &["$message"],
        takes: &["$status"],
        doc: "the value; if it is nothing the request fails with 400 (or `$status`) and the message",
        examples: &[example("{ $need: $.a, $message: a is missing }", r#"{"a":1}"#, "1")],
        can_fail: always,
        compile: |c, args| {
            let value = c.template(args.word);
            let fail = failure(c, args.get("$message"), args.get("$status"), None, None);
            Some(Template::op(Need { value: value?, fail: fail? }))
        },
    },
    Directive {
        name: "$fail",
        needs: &[],
        takes: &[],
        doc: "gives up, with `{ status, type, message, details }`",
        examples: &[],
        can_fail: always,
        compile: |c, args| fail(c, args.word).map(Template::op),
    },
];

fn switch(c: &mut Compiler<'_>, args: &Args<'_>) -> Option<Template> {
    let value = c.template(args.word);
    let node = args.need("$cases");
    let Kind::Map(entries) = &node.kind else {
        c.error("bad-switch", node.span, "`$cases` takes a mapping of values to templates");
        return None;
    };
    let known = match value.as_ref().and_then(Template::binding) {
        Some(Binding::Known(value)) => Some(value.to_text().map(Cow::into_owned)),
        _ => None,
    };
    let is_known = |alternative: &str| known.as_ref().is_some_and(|it| it.as_deref() == Some(alternative));
    let mut keys = BTreeMap::new();
    let mut cases = Vec::new();
    let mut chosen = None;
    let mut sound = true;
    for (key, node) in entries {
        let mut may_be_taken = known.is_none();
        for alternative in key.text.split('|').map(str::trim) {
            if keys.insert(alternative.to_owned(), cases.len()).is_some() {
                sound = false;
                c.error("duplicate-case", key.span, format!("a case for `{alternative}` stands above"));
            }
            if is_known(alternative) {
                may_be_taken = true;
                chosen = Some(cases.len());
            }
        }
        let case = if c.needs(may_be_taken) { c.template(node) } else { Some(Template::nothing()) };
        sound &= case.is_some();
        cases.push(case.unwrap_or_else(Template::nothing));
    }
    if args.get("$default").is_none() && c.origin(args.word) == Origin::Provider {
        sound = false;
        c.error("switch-without-default", args.word.span, "a `$switch` over a provider's value needs a `$default`")
            .label("may be anything")
            .help("providers invent new values: say what one that no case names becomes; `$default: { $first: [] }` is nothing");
    }
    let default = args.get("$default").filter(|_| c.needs(known.is_none() || chosen.is_none()));
    let default = default.map_or_else(|| Some(Template::nothing()), |node| c.template(node));
    let (value, default) = (value?, default?);
    if !sound {
        return None;
    }
    Some(match (known, chosen) {
        (Some(_), Some(at)) => cases.swap_remove(at),
        (Some(_), None) => default,
        (None, _) => {
            let mut keys: Vec<(String, usize)> = keys.into_iter().collect();
            keys.sort_by_key(|(key, _)| key.len());
            Template::op(Switch { value, keys, cases, default })
        }
    })
}

/// Compiles the templates of a list.
pub(super) fn templates(c: &mut Compiler<'_>, node: &Node, word: &str) -> Option<Vec<Template>> {
    let Kind::List(items) = &node.kind else {
        c.error("bad-list", node.span, format!("`{word}` takes a list, not {}", node.type_name()));
        return None;
    };
    let items: Vec<_> = items.iter().map(|item| c.template(item)).collect();
    items.into_iter().collect()
}

struct If {
    when: Condition,
    then: Template,
    otherwise: Template,
}

impl If {
    fn branch(&self, env: &Env<'_>) -> &Template {
        if self.when.test(env) { &self.then } else { &self.otherwise }
    }
}

impl Op for If {
    fn write(&self, env: &mut Env<'_>, out: &mut Vec<u8>) -> Result<bool, Fail> {
        self.branch(env).write_uncut(env, out)
    }

    fn items(&self, env: &mut Env<'_>, items: &mut Items<'_>) -> Result<(), Fail> {
        self.branch(env).items(env, items)
    }

    fn value<'a>(&self, env: &mut Env<'a>) -> Result<Val<'a>, Fail> {
        self.branch(env).value(env)
    }

    fn gather<'a>(&self, env: &mut Env<'a>, values: &mut Vec<Val<'a>>) -> Result<(), Fail> {
        self.branch(env).gather(env, values)
    }

    fn turns<'a>(&self, env: &mut Env<'a>) -> Result<Turns<'a>, Fail> {
        self.branch(env).turns(env)
    }

    fn needs(&self) -> Needs {
        self.when.needs().and(self.then.needs()).or(self.otherwise.needs())
    }
}

struct Switch {
    value: Template,
    /// The keys, the short ones first, and each one's case.
    keys: Vec<(String, usize)>,
    cases: Vec<Template>,
    default: Template,
}

impl Switch {
    /// The case of a key.
    fn place(&self, text: &str) -> Option<usize> {
        let order =
            |(key, _): &(String, usize)| key.len().cmp(&text.len()).then_with(|| key.as_str().cmp(text));
        let found = self.keys.binary_search_by(order).ok()?;
        self.keys.get(found).map(|(_, case)| *case)
    }

    fn branch(&self, env: &mut Env<'_>) -> Result<&Template, Fail> {
        let place = |value: &Val<'_>| value.to_text().and_then(|text| self.place(&text));
        let place = match &self.value.0 {
            Form::Hole(source) => source.look(env, place),
            _ => place(&self.value.value(env)?),
        };
        Ok(place.and_then(|at| self.cases.get(at)).unwrap_or(&self.default))
    }
}

impl Op for Switch {
    fn write(&self, env: &mut Env<'_>, out: &mut Vec<u8>) -> Result<bool, Fail> {
        self.branch(env)?.write_uncut(env, out)
    }

    fn items(&self, env: &mut Env<'_>, items: &mut Items<'_>) -> Result<(), Fail> {
        self.branch(env)?.items(env, items)
    }

    fn value<'a>(&self, env: &mut Env<'a>) -> Result<Val<'a>, Fail> {
        self.branch(env)?.value(env)
    }

    fn gather<'a>(&self, env: &mut Env<'a>, values: &mut Vec<Val<'a>>) -> Result<(), Fail> {
        self.branch(env)?.gather(env, values)
    }

    fn turns<'a>(&self, env: &mut Env<'a>) -> Result<Turns<'a>, Fail> {
        self.branch(env)?.turns(env)
    }
}

/// Whether a value stands in the rules as it is, without a hole or a directive in it.
pub(super) fn is_written(node: &Node) -> bool {
    match &node.kind {
        Kind::String(text) => text.starts_with("$$") || !(text.starts_with('$') || text.contains("{$")),
        Kind::List(items) => items.iter().all(is_written),
        Kind::Map(entries) => entries.iter().all(|(key, value)| !is_word(&key.text) && is_written(value)),
        _ => true,
    }
}

/// The first of the templates that gives anything but null (or empty). `written`: which of them stand in the rules as
/// they are.
pub(super) fn first(list: Vec<Template>, written: Vec<bool>, something: bool) -> Template {
    let mut choices = Vec::with_capacity(list.len());
    for (template, written) in list.into_iter().zip(written) {
        let gives = match template.binding() {
            Some(Binding::Known(value)) => Some(gives(&value, something)),
            _ => None,
        };
        match gives {
            Some(false) if !written => continue,
            Some(true) if choices.is_empty() => return template,
            _ => choices.push((template, written)),
        }
        if gives == Some(true) {
            break;
        }
    }
    if choices.is_empty() { Template::nothing() } else { Template::op(First { choices, something }) }
}

fn gives(value: &Val<'_>, something: bool) -> bool {
    if something { value.is_something() } else { !value.is_nothing() }
}

struct First {
    /// Templates, and whether each stands in the rules as it is.
    choices: Vec<(Template, bool)>,
    something: bool,
}

impl Op for First {
    fn write(&self, env: &mut Env<'_>, out: &mut Vec<u8>) -> Result<bool, Fail> {
        Ok(self.value(env)?.write_any(out))
    }

    fn items(&self, env: &mut Env<'_>, items: &mut Items<'_>) -> Result<(), Fail> {
        for (template, _) in &self.choices {
            if gives(&template.value(env)?, self.something) {
                return template.items(env, items);
            }
        }
        Ok(())
    }

    fn value<'a>(&self, env: &mut Env<'a>) -> Result<Val<'a>, Fail> {
        for (template, written) in &self.choices {
            if template.is_sure_to_give_nothing(env) {
                continue;
            }
            let value = template.first(env)?;
            // A null that the rules wrote themselves is an answer; one in the data is not.
            if *written || gives(&value, self.something) {
                return Ok(value);
            }
        }
        Ok(Val::Nothing)
    }

    fn needs(&self) -> Needs {
        self.choices.iter().map(|(template, _)| template.needs()).fold(Needs::never(), Needs::or)
    }

    fn keeps(&self, slot: Slot) -> Option<Keeps> {
        let is_slot = |(template, _): &(Template, bool)| matches!(template.binding(), Some(Binding::Slot(bare)) if bare == slot);
        let at = self.choices.iter().position(is_slot)?;
        let others = self.choices.iter().filter(|choice| !is_slot(choice));
        let others = others.map(|(template, _)| template.needs()).fold(Needs::never(), Needs::or);
        Some(Keeps { first: at == 0, others, something: self.something })
    }
}

struct Need {
    value: Template,
    fail: Failing,
}

impl Op for Need {
    fn write(&self, env: &mut Env<'_>, out: &mut Vec<u8>) -> Result<bool, Fail> {
        if self.value.write(env, out)? { Ok(true) } else { Err(self.fail.make(env)) }
    }
}
