//! Directives that choose: conditions, switches, names, fragments, and giving up.

use std::collections::BTreeMap;

use super::{Args, Directive, always, example, never, nothing};
use crate::language::compile::{Compiler, UNNAMED};
use crate::language::condition::Condition;
use crate::language::scope::{Env, Origin, Slot};
use crate::language::template::{Fail, Items, Op, Template};
use crate::language::value::{Type, Val};
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
            let then = c.template(args.need("$then"));
            let otherwise = args.get("$else").map(|node| c.template(node));
            let otherwise = otherwise.unwrap_or_else(|| Some(Template::nothing()));
            Some(Template::op(If { when: when?, then: then?, otherwise: otherwise? }))
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
            let something = args.get("$something").is_some_and(|node| node.kind == Kind::Bool(true));
            let list = templates(c, args.word, "$first")?;
            Some(Template::op(First { list, something }))
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
            let mut names = Vec::new();
            let mut sound = true;
            for (key, node) in entries {
                let (value, origin) = (c.template(node), c.origin(node));
                let slot = c.push_local(&key.text);
                c.local_is(slot, origin);
                match value {
                    Some(value) => names.push((slot, value)),
                    None => sound = false,
                }
            }
            let body = c.template(args.need("$in"));
            c.drop_locals(mark);
            Some(Template::op(Let { names, body: body? })).filter(|_| sound)
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
    let mut keys = BTreeMap::new();
    let mut cases = Vec::new();
    let mut sound = true;
    for (key, node) in entries {
        for alternative in key.text.split('|').map(str::trim) {
            if keys.insert(alternative.to_owned(), cases.len()).is_some() {
                sound = false;
                c.error("duplicate-case", key.span, format!("a case for `{alternative}` stands above"));
            }
        }
        match c.template(node) {
            Some(template) => cases.push(template),
            None => sound = false,
        }
    }
    if args.get("$default").is_none() && c.origin(args.word) == Origin::Provider {
        sound = false;
        c.error("switch-without-default", args.word.span, "a `$switch` over a provider's value needs a `$default`")
            .label("may be anything")
            .help("providers invent new values: say what one that no case names becomes; `$default: { $first: [] }` is nothing");
    }
    let default = args.get("$default").map_or_else(|| Some(Template::nothing()), |node| c.template(node));
    Some(Template::op(Switch { value: value?, keys, cases, default: default? })).filter(|_| sound)
}

fn fragment(c: &mut Compiler<'_>, args: &Args<'_>) -> Option<Template> {
    let entries: &[_] = match args.get("$with").map(|node| (&node.kind, node.span)) {
        None => &[],
        Some((Kind::Map(entries), _)) => entries,
        Some((_, span)) => {
            c.error("bad-use", span, "`$with` takes a mapping of parameters to templates");
            return None;
        }
    };
    // Each value has its slot before the next one compiles, lest the next one's own names lie in it.
    let mark = c.mark_locals();
    let mut parameters = Vec::new();
    let mut names = Vec::new();
    let mut sound = true;
    for (key, node) in entries {
        let (value, origin) = (c.template(node), c.origin(node));
        let slot = c.push_local(UNNAMED);
        c.local_is(slot, origin);
        parameters.push((key.text.as_str(), slot));
        match value {
            Some(value) => names.push((slot, value)),
            None => sound = false,
        }
    }
    let body = c.fragment(args.word, &parameters);
    c.drop_locals(mark);
    let body = body.filter(|_| sound)?;
    Some(if names.is_empty() { body } else { Template::op(Let { names, body }) })
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
        self.branch(env).write(env, out)
    }

    fn items(&self, env: &mut Env<'_>, items: &mut Items<'_>) -> Result<(), Fail> {
        self.branch(env).items(env, items)
    }

    fn value<'a>(&self, env: &mut Env<'a>) -> Result<Val<'a>, Fail> {
        self.branch(env).value(env)
    }
}

struct Switch {
    value: Template,
    keys: BTreeMap<String, usize>,
    cases: Vec<Template>,
    default: Template,
}

impl Switch {
    fn branch(&self, env: &mut Env<'_>) -> Result<&Template, Fail> {
        let value = self.value.value(env)?;
        let case = value.to_text().and_then(|text| self.keys.get(&*text)).and_then(|at| self.cases.get(*at));
        Ok(case.unwrap_or(&self.default))
    }
}

impl Op for Switch {
    fn write(&self, env: &mut Env<'_>, out: &mut Vec<u8>) -> Result<bool, Fail> {
        self.branch(env)?.write(env, out)
    }

    fn items(&self, env: &mut Env<'_>, items: &mut Items<'_>) -> Result<(), Fail> {
        self.branch(env)?.items(env, items)
    }

    fn value<'a>(&self, env: &mut Env<'a>) -> Result<Val<'a>, Fail> {
        self.branch(env)?.value(env)
    }
}

/// The first of the templates that gives anything but null.
pub(super) fn first(list: Vec<Template>) -> Template {
    Template::op(First { list, something: false })
}

struct First {
    list: Vec<Template>,
    something: bool,
}

impl Op for First {
    fn write(&self, env: &mut Env<'_>, out: &mut Vec<u8>) -> Result<bool, Fail> {
        Ok(self.value(env)?.write_any(out))
    }

    fn items(&self, env: &mut Env<'_>, items: &mut Items<'_>) -> Result<(), Fail> {
        for template in &self.list {
            let value = template.value(env)?;
            let gives = if self.something { value.is_something() } else { !value.is_nothing() };
            if gives {
                return template.items(env, items);
            }
        }
        Ok(())
    }

    fn value<'a>(&self, env: &mut Env<'a>) -> Result<Val<'a>, Fail> {
        for template in &self.list {
            let value = match template.first(env)? {
                // A null that the rules wrote themselves is an answer; one in the data is not.
                value if template.is_constant() && value.kind() != Type::Nothing => return Ok(value),
                value => value,
            };
            if if self.something { value.is_something() } else { !value.is_nothing() } {
                return Ok(value);
            }
        }
        Ok(Val::Nothing)
    }
}

struct Let {
    names: Vec<(Slot, Template)>,
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
        self.body.write(env, out)
    }

    fn items(&self, env: &mut Env<'_>, items: &mut Items<'_>) -> Result<(), Fail> {
        self.bind(env)?;
        self.body.items(env, items)
    }

    fn value<'a>(&self, env: &mut Env<'a>) -> Result<Val<'a>, Fail> {
        self.bind(env)?;
        self.body.value(env)
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

/// A failure whose parts are templates; also a step of streams.
pub(crate) struct Failing {
    status: Option<Template>,
    kind: Option<Template>,
    message: Option<Template>,
    details: Option<Template>,
}

impl Failing {
    /// The failure as it is now. A part that fails itself is left out.
    pub(crate) fn make(&self, env: &mut Env<'_>) -> Fail {
        let mut text = |part: &Option<Template>| {
            let value = part.as_ref()?.value(env).ok()?;
            value.to_text().map(|text| text.into_owned())
        };
        let status = text(&self.status).and_then(|text| text.parse().ok());
        let kind = text(&self.kind);
        let message = text(&self.message).unwrap_or_else(|| "the request cannot be served".to_owned());
        let mut details = Vec::new();
        let gave = self.details.as_ref().is_some_and(|part| part.write(env, &mut details) == Ok(true));
        Fail {
            status: status.filter(|status| (400..600).contains(status)).unwrap_or(DEFAULT_STATUS),
            kind,
            message,
            details: gave.then_some(details),
        }
    }
}

/// The status of a failure that names none, or none that is an error.
const DEFAULT_STATUS: u16 = 400;

impl Op for Failing {
    fn write(&self, env: &mut Env<'_>, _: &mut Vec<u8>) -> Result<bool, Fail> {
        Err(self.make(env))
    }
}

fn failure(
    c: &mut Compiler<'_>,
    message: Option<&Node>,
    status: Option<&Node>,
    kind: Option<&Node>,
    details: Option<&Node>,
) -> Option<Failing> {
    let mut part = |node: Option<&Node>| match node {
        Some(node) => c.template(node).map(Some),
        None => Some(None),
    };
    let (message, status, kind, details) = (part(message), part(status), part(kind), part(details));
    Some(Failing { status: status?, kind: kind?, message: message?, details: details? })
}

/// Compiles `{ status, type, message, details }`; a string alone is the message.
pub(crate) fn fail(c: &mut Compiler<'_>, node: &Node) -> Option<Failing> {
    match &node.kind {
        Kind::Map(entries) => {
            let known = ["status", "type", "message", "details"];
            for (key, _) in entries {
                if !known.contains(&key.text.as_str()) {
                    c.error("bad-fail", key.span, format!("a failure has no `{}`", key.text))
                        .help(format!("it has {}", known.join(", ")));
                    return None;
                }
            }
            failure(c, node.get("message"), node.get("status"), node.get("type"), node.get("details"))
        }
        _ => failure(c, Some(node), None, None, None),
    }
}
