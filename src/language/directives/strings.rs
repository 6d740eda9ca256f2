//! Directives over strings: codecs, cutting, patterns, and JSON inside strings.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use super::control::{first, is_written};
use super::lists::{optional, whole_number, write_text};
use super::{Args, Directive, example, never, nothing};
use crate::language::compile::Compiler;
use crate::language::matchers;
use crate::language::scope::Env;
use crate::language::template::{Fail, Op, Template};
use crate::language::tokens;
use crate::language::value::{Num, Val, parse_produced};
use crate::text::json::{self, Doc};
use crate::text::pattern::Pattern;
use crate::text::yaml::Node;

pub(super) const TABLE: &[Directive] = &[
    Directive {
        name: "$json",
        needs: &[],
        takes: &[],
        doc: "a value as compact JSON text in a string; key order and number text stay",
        examples: &[example("{ $json: $.a }", r#"{"a":{"x":1.0}}"#, r#""{\"x\":1.0}""#)],
        can_fail: never,
        compile: |c, args| c.template(args.word).map(|value| Template::op(Stringify(value))),
    },
    Directive {
        name: "$parse",
        needs: &[],
        takes: &["$else"],
        doc: "the JSON value that a string holds; a value that is no string is itself; without JSON `$else`, else it fails",
        examples: &[
            example("{ $parse: $.a, $else: {} }", r#"{"a":"{\"x\":1.0}"}"#, r#"{"x":1.0}"#),
            example("{ $parse: $.a, $else: { raw: $.a } }", r#"{"a":"{"}"#, r#"{"raw":"{"}"#),
        ],
        can_fail: |args| args.get("$else").is_none(),
        compile: |c, args| {
            let value = c.template(args.word);
            let otherwise = optional(c, args.get("$else"));
            Some(Template::op(Parse { value: value?, otherwise: otherwise? }))
        },
    },
    Directive {
        name: "$text",
        needs: &[],
        takes: &[],
        doc: "a scalar as a string; objects and lists as JSON text",
        examples: &[example("{ $text: $.a }", r#"{"a":12}"#, r#""12""#)],
        can_fail: never,
        compile: |c, args| unary(c, args, |text| Some(text.to_owned())),
    },
    Directive {
        name: "$lower",
        needs: &[],
        takes: &[],
        doc: "the text in lower case",
        examples: &[example("{ $lower: $.a }", r#"{"a":"Ab"}"#, r#""ab""#)],
        can_fail: never,
        compile: |c, args| unary(c, args, |text| Some(text.to_lowercase())),
    },
    Directive {
        name: "$trim",
        needs: &[],
        takes: &[],
        doc: "the text without white space at its ends",
        examples: &[example("{ $trim: $.a }", r#"{"a":" b\n"}"#, r#""b""#)],
        can_fail: never,
        compile: |c, args| unary(c, args, |text| Some(text.trim().to_owned())),
    },
    Directive {
        name: "$cut",
        needs: &["$to"],
        takes: &[],
        doc: "the first `$to` characters of the text",
        examples: &[example("{ $cut: $.a, $to: 2 }", r#"{"a":"äbc"}"#, r#""äb""#)],
        can_fail: never,
        compile: |c, args| {
            let text = c.template(args.word);
            let to = whole_number(c, args.need("$to"), "$to");
            Some(Template::op(Cut { text: text?, to: to? }))
        },
    },
    Directive {
        name: "$capture",
        needs: &["$from"],
        takes: &["$group"],
        doc: "what a regular expression finds in the text: group 1 if it has one, else all of it, or the group of that name or number; nothing if it finds nothing",
        examples: &[
            example(
                "{ $capture: '^data:([^;]+);base64,(?<d>.*)$', $from: $.u, $group: d }",
                r#"{"u":"data:a/b;base64,QQ"}"#,
                r#""QQ""#,
            ),
            nothing("{ $capture: 'x(.)', $from: $.u }", r#"{"u":"abc"}"#),
        ],
        can_fail: never,
        compile: |c, args| {
            let regex = matchers::regex(c, args.word)?;
            let from = c.template(args.need("$from"))?;
            let group = match args.get("$group") {
                Some(node) => Group::compile(c, node, &regex)?,
                None => Group::Number(usize::from(regex.group_count() > 0)),
            };
            Some(Template::op(Capture { regex, from, group }))
        },
    },
    Directive {
        name: "$replace",
        needs: &["$from", "$by"],
        takes: &[],
        doc: "the text with every match of a regular expression replaced; `$1` and `${name}` stand for groups",
        examples: &[example("{ $replace: '[^a-z]', $from: $.a, $by: _ }", r#"{"a":"a.b"}"#, r#""a_b""#)],
        can_fail: never,
        compile: |c, args| {
            let regex = matchers::regex(c, args.word);
            let from = c.template(args.need("$from"));
            let by = matchers::string(c, args.need("$by"));
            Some(Template::op(Replace { regex: regex?, from: from?, by: by? }))
        },
    },
    Directive {
        name: "$hash",
        needs: &[],
        takes: &["$digits"],
        doc: "the SHA-256 of the text in hexadecimal, or its first `$digits`",
        examples: &[example("{ $hash: abc, $digits: 8 }", "null", r#""ba7816bf""#)],
        can_fail: never,
        compile: |c, args| {
            let text = c.template(args.word);
            let digits = match args.get("$digits") {
                Some(node) => whole_number(c, node, "$digits").map(Some),
                None => Some(None),
            };
            Some(Template::op(Hash { text: text?, digits: digits? }))
        },
    },
    Directive {
        name: "$base64url",
        needs: &[],
        takes: &[],
        doc: "the text in base64url without padding (RFC 4648, section 5)",
        examples: &[example("{ $base64url: $.a }", r#"{"a":"a:0"}"#, r#""YTow""#)],
        can_fail: never,
        compile: |c, args| unary(c, args, |text| Some(URL_SAFE_NO_PAD.encode(text))),
    },
    Directive {
        name: "$unbase64url",
        needs: &[],
        takes: &["$else"],
        doc: "the text behind base64url; if it is none `$else`, else nothing",
        examples: &[
            example("{ $unbase64url: YTow }", "null", r#""a:0""#),
            nothing("{ $unbase64url: '*' }", "null"),
            example("{ $unbase64url: '*', $else: 0 }", "null", "0"),
        ],
        can_fail: never,
        compile: |c, args| {
            let decoded = unary(c, args, |text| String::from_utf8(URL_SAFE_NO_PAD.decode(text).ok()?).ok());
            match args.get("$else") {
                Some(node) => {
                    let otherwise = c.template(node);
                    Some(first(vec![decoded?, otherwise?], vec![false, is_written(node)], false))
                }
                None => decoded,
            }
        },
    },
    Directive {
        name: "$tokens",
        needs: &[],
        takes: &[],
        doc: "an estimate of the tokens in all texts below a value",
        examples: &[example("{ $tokens: $ }", r#"{"a":"hello there, world"}"#, "5")],
        can_fail: never,
        compile: |c, args| c.template(args.word).map(|value| Template::op(Tokens(value))),
    },
];

struct Stringify(Template);

impl Op for Stringify {
    fn write(&self, env: &mut Env<'_>, out: &mut Vec<u8>) -> Result<bool, Fail> {
        let value = match self.0.value(env)? {
            // Without a document of their own so far.
            several @ (Val::List(_) | Val::Items(_) | Val::Headers(_)) => several.into_owned(),
            Val::Table(table) => Val::Items(table.values().into()).into_owned(),
            value => value,
        };
        match value.json() {
            Some(node) if node.is_null() => Ok(false),
            // Input is kept as it came, white space included, so it is written compactly here.
            Some(node) => {
                out.push(b'"');
                json::write_compact(node, out, json::write_content);
                out.push(b'"');
                Ok(true)
            }
            None => {
                let mut text = Vec::new();
                Ok(value.write(&mut text) && write_text(&String::from_utf8_lossy(&text), out)?)
            }
        }
    }
}

struct Parse {
    value: Template,
    otherwise: Option<Template>,
}

impl Op for Parse {
    fn write(&self, env: &mut Env<'_>, out: &mut Vec<u8>) -> Result<bool, Fail> {
        Ok(self.value(env)?.write_any(out))
    }

    fn value<'a>(&self, env: &mut Env<'a>) -> Result<Val<'a>, Fail> {
        let value = self.value.value(env)?;
        let parsed = match value.as_str() {
            Some(text) => Doc::parse(text.trim().as_bytes().to_vec()).ok().map(Val::own),
            None if value.is_nothing() => None,
            None => Some(value.clone()),
        };
        match (parsed, &self.otherwise) {
            (Some(parsed), _) => Ok(parsed),
            (None, Some(otherwise)) => otherwise.value(env),
            (None, None) => Err(Fail::new(400, "a text that should be JSON is not")),
        }
    }
}

struct Unary {
    text: Template,
    change: fn(&str) -> Option<String>,
}

fn unary(c: &mut Compiler<'_>, args: &Args<'_>, change: fn(&str) -> Option<String>) -> Option<Template> {
    c.template(args.word).map(|text| Template::op(Unary { text, change }))
}

impl Op for Unary {
    fn write(&self, env: &mut Env<'_>, out: &mut Vec<u8>) -> Result<bool, Fail> {
        Ok(self.value(env)?.write(out))
    }

    fn value<'a>(&self, env: &mut Env<'a>) -> Result<Val<'a>, Fail> {
        let value = self.text.value(env)?;
        let changed = value.to_text().and_then(|text| (self.change)(&text));
        Ok(changed.map_or(Val::Nothing, |text| Val::Str(text.into())))
    }
}

struct Cut {
    text: Template,
    to: Template,
}

impl Op for Cut {
    fn write(&self, env: &mut Env<'_>, out: &mut Vec<u8>) -> Result<bool, Fail> {
        let to = self.to.value(env)?.as_num().map_or(0.0, Num::f64).max(0.0) as usize;
        match self.text.value(env)?.to_text() {
            Some(text) => {
                let end = text.char_indices().nth(to).map_or(text.len(), |(at, _)| at);
                write_text(text.get(..end).unwrap_or_default(), out)
            }
            None => Ok(false),
        }
    }
}

enum Group {
    Number(usize),
    Name(String),
}

impl Group {
    fn compile(c: &mut Compiler<'_>, node: &Node, regex: &Pattern) -> Option<Group> {
        let text = matchers::string(c, node)?;
        let group = match text.parse() {
            Ok(number) => Group::Number(number),
            Err(_) => Group::Name(text.clone()),
        };
        let known = match &group {
            Group::Number(number) => *number <= regex.group_count(),
            Group::Name(name) => regex.groups().contains(name),
        };
        if !known {
            c.error("unknown-group", node.span, format!("the expression has no group `{text}`"));
        }
        known.then_some(group)
    }
}

struct Capture {
    regex: Pattern,
    from: Template,
    group: Group,
}

impl Op for Capture {
    fn write(&self, env: &mut Env<'_>, out: &mut Vec<u8>) -> Result<bool, Fail> {
        Ok(self.value(env)?.write(out))
    }

    fn value<'a>(&self, env: &mut Env<'a>) -> Result<Val<'a>, Fail> {
        let value = self.from.value(env)?;
        let found = value.to_text().and_then(|text| {
            let captures = self.regex.captures(&text)?;
            let group = match &self.group {
                Group::Number(number) => captures.get(*number),
                Group::Name(name) => captures.name(name),
            };
            group.map(|group| group.as_str().to_owned())
        });
        Ok(found.map_or(Val::Nothing, |text| Val::Str(text.into())))
    }
}

struct Replace {
    regex: Pattern,
    from: Template,
    by: String,
}

impl Op for Replace {
    fn write(&self, env: &mut Env<'_>, out: &mut Vec<u8>) -> Result<bool, Fail> {
        match self.from.value(env)?.to_text() {
            Some(text) => match self.regex.regex() {
                Some(regex) => write_text(&regex.replace_all(&text, self.by.as_str()), out),
                None => write_text(&text, out),
            },
            None => Ok(false),
        }
    }
}

struct Hash {
    text: Template,
    digits: Option<Template>,
}

impl Op for Hash {
    fn write(&self, env: &mut Env<'_>, out: &mut Vec<u8>) -> Result<bool, Fail> {
        let value = self.text.value(env)?;
        let Some(text) = value.to_text() else { return Ok(false) };
        let hash: String = Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
        let digits = match &self.digits {
            Some(digits) => digits.value(env)?.as_num().map_or(hash.len(), |n| n.f64().max(0.0) as usize),
            None => hash.len(),
        };
        write_text(hash.get(..digits).unwrap_or(&hash), out)
    }
}

struct Tokens(Template);

impl Op for Tokens {
    fn write(&self, env: &mut Env<'_>, out: &mut Vec<u8>) -> Result<bool, Fail> {
        Ok(self.value(env)?.write(out))
    }

    fn value<'a>(&self, env: &mut Env<'a>) -> Result<Val<'a>, Fail> {
        let value = self.0.value(env)?;
        let value = match &value {
            Val::Str(_) | Val::Kept(_) | Val::List(_) | Val::Items(_) | Val::Table(_) | Val::Num(_) => {
                let mut out = Vec::new();
                value.write(&mut out);
                parse_produced(out)
            }
            _ => value,
        };
        Ok(value.json().map_or(Val::Nothing, |node| Val::Num(Num::Int(tokens::estimate(node)))))
    }
}
