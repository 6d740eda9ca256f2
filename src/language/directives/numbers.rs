//! Directives over numbers. They skip what is nothing, so that an absent count needs no case of its own.

use super::control::templates;
use super::lists::optional;
use super::{Directive, example, never, nothing};
use crate::language::scope::Env;
use crate::language::template::{Fail, Op, Template};
use crate::language::value::{Num, Val};

pub(super) const TABLE: &[Directive] = &[
    Directive {
        name: "$sum",
        needs: &[],
        takes: &[],
        doc: "the sum of the numbers; nothing if there is none",
        examples: &[example("{ $sum: [$.a, $.b, 1] }", r#"{"a":2}"#, "3"), nothing("{ $sum: [$.a] }", "{}")],
        can_fail: never,
        compile: |c, args| templates(c, args.word, "$sum").map(|list| arithmetic(list, Kind::Sum)),
    },
    Directive {
        name: "$minus",
        needs: &[],
        takes: &[],
        doc: "the first number less the others; nothing if the first is nothing",
        examples: &[
            example("{ $minus: [$.a, $.b, $.c] }", r#"{"a":9,"b":2}"#, "7"),
            nothing("{ $minus: [$.x, 1] }", "{}"),
        ],
        can_fail: never,
        compile: |c, args| templates(c, args.word, "$minus").map(|list| arithmetic(list, Kind::Minus)),
    },
    Directive {
        name: "$divide",
        needs: &[],
        takes: &[],
        doc: "how many times the others go into the first number, rounded down; nothing if the first is nothing, or one of the others zero",
        examples: &[
            example("{ $divide: [$.ms, 1000] }", r#"{"ms":1767225600999}"#, "1767225600"),
            example("{ $divide: [$.a, 2] }", r#"{"a":-7.5}"#, "-4"),
            nothing("{ $divide: [$.a, 0] }", r#"{"a":1}"#),
        ],
        can_fail: never,
        compile: |c, args| templates(c, args.word, "$divide").map(|list| arithmetic(list, Kind::Divide)),
    },
    Directive {
        name: "$min",
        needs: &[],
        takes: &[],
        doc: "the least of the numbers: an upper limit",
        examples: &[example("{ $min: [$.n, 8] }", r#"{"n":32}"#, "8")],
        can_fail: never,
        compile: |c, args| templates(c, args.word, "$min").map(|list| arithmetic(list, Kind::Min)),
    },
    Directive {
        name: "$max",
        needs: &[],
        takes: &[],
        doc: "the greatest of the numbers: a lower limit",
        examples: &[example("{ $max: [0, { $minus: [$.a, $.b] }] }", r#"{"a":1,"b":5}"#, "0")],
        can_fail: never,
        compile: |c, args| templates(c, args.word, "$max").map(|list| arithmetic(list, Kind::Max)),
    },
    Directive {
        name: "$number",
        needs: &[],
        takes: &["$else"],
        doc: "a number, or a string that is one altogether; else `$else`, else nothing",
        examples: &[
            example("{ $number: $.a }", r#"{"a":"42"}"#, "42"),
            example("{ $number: $.a, $else: 0 }", r#"{"a":"4x"}"#, "0"),
        ],
        can_fail: never,
        compile: |c, args| {
            let value = c.template(args.word);
            let otherwise = optional(c, args.get("$else"));
            Some(Template::op(Number { value: value?, otherwise: otherwise? }))
        },
    },
];

#[derive(Clone, Copy)]
enum Kind {
    Sum,
    Minus,
    Divide,
    Min,
    Max,
}

struct Arithmetic {
    list: Vec<Template>,
    kind: Kind,
}

fn arithmetic(list: Vec<Template>, kind: Kind) -> Template {
    Template::op(Arithmetic { list, kind })
}

impl Op for Arithmetic {
    fn write(&self, env: &mut Env<'_>, out: &mut Vec<u8>) -> Result<bool, Fail> {
        Ok(self.value(env)?.write(out))
    }

    fn value<'a>(&self, env: &mut Env<'a>) -> Result<Val<'a>, Fail> {
        let mut result: Option<Num> = None;
        for (at, template) in self.list.iter().enumerate() {
            let Some(number) = template.value(env)?.as_num() else {
                if at == 0 && matches!(self.kind, Kind::Minus | Kind::Divide) {
                    return Ok(Val::Nothing);
                }
                continue;
            };
            result = Some(match result {
                None => number,
                Some(so_far) => self.kind.apply(so_far, number),
            });
        }
        Ok(result.map_or(Val::Nothing, Val::Num))
    }
}

impl Kind {
    fn apply(self, a: Num, b: Num) -> Num {
        if let (Num::Int(x), Num::Int(y)) = (a, b) {
            let whole = match self {
                Kind::Sum => x.checked_add(y),
                Kind::Minus => x.checked_sub(y),
                Kind::Divide if y > 0 => x.checked_div_euclid(y),
                Kind::Divide => None,
                Kind::Min => Some(x.min(y)),
                Kind::Max => Some(x.max(y)),
            };
            if let Some(whole) = whole {
                return Num::Int(whole);
            }
        }
        let (x, y) = (a.f64(), b.f64());
        Num::Float(match self {
            Kind::Sum => x + y,
            Kind::Minus => x - y,
            Kind::Divide => (x / y).floor(),
            Kind::Min => x.min(y),
            Kind::Max => x.max(y),
        })
    }
}

struct Number {
    value: Template,
    otherwise: Option<Template>,
}

impl Op for Number {
    fn write(&self, env: &mut Env<'_>, out: &mut Vec<u8>) -> Result<bool, Fail> {
        Ok(self.value(env)?.write(out))
    }

    fn value<'a>(&self, env: &mut Env<'a>) -> Result<Val<'a>, Fail> {
        let value = self.value.value(env)?;
        let number = value.as_num().or_else(|| {
            let text = value.as_str()?;
            let whole = text.parse().ok().map(Num::Int);
            whole.or_else(|| text.parse().ok().filter(|n: &f64| n.is_finite()).map(Num::Float))
        });
        match (number, &self.otherwise) {
            (Some(number), _) => Ok(Val::Num(number)),
            (None, Some(otherwise)) => otherwise.value(env),
            (None, None) => Ok(Val::Nothing),
        }
    }
}
