//! `$walk`: the same edits to every object of a subtree, for schemas and markers that may stand anywhere.

use super::{Directive, example, never};
use crate::language::compile::Compiler;
use crate::language::condition::Condition;
use crate::language::matchers;
use crate::language::scope::{Env, Slot};
use crate::language::template::{Fail, Items, Op, Source, Template};
use crate::language::value::{Val, made, parse_produced};
use crate::text::json::{self, Json, JsonKind, Name};
use crate::text::yaml::{Kind, Node};
use std::borrow::Cow;
use std::collections::BTreeSet;

pub(super) const TABLE: &[Directive] = &[Directive {
    name: "$walk",
    needs: &["$edits"],
    takes: &[],
    doc: "the value with `$edits` made in each of its objects, innermost first: `{ when, drop: [names], set: { name: template } }`, where `$node` is the object and `$key` the name of the member that holds it, itself or in a list; `drop` also takes a path to a list of names",
    examples: &[
        example(
            "{ $walk: $.s, $edits: [{ drop: [x] }, { when: { $node.type: object, $node.p: { is: absent } }, set: { p: {} } }] }",
            r#"{"s":{"x":1,"type":"object","q":[{"x":2,"y":3}]}}"#,
            r#"{"type":"object","q":[{"y":3}],"p":{}}"#,
        ),
        example(
            "{ $walk: $.s, $edits: [{ when: { $node.k: 1 }, set: { k: '{$node.k}!' } }] }",
            r#"{"s":[{"k":1},{"k":2}]}"#,
            r#"[{"k":"1!"},{"k":2}]"#,
        ),
        example(
            "{ $walk: $.s, $edits: [{ when: { $key: { not: p } }, drop: $.names }] }",
            r#"{"names":["x","y"],"s":{"p":{"x":{"x":1}},"x":2,"z":[{"y":3}]}}"#,
            r#"{"p":{"x":{}},"z":[{}]}"#,
        ),
    ],
    can_fail: never,
    compile: |c, args| {
        let value = c.template(args.word);
        let node = args.need("$edits");
        let Kind::List(edits) = &node.kind else {
            c.error("bad-walk", node.span, format!("`$edits` takes a list, not {}", node.type_name()));
            return None;
        };
        c.with_locals(&["node", "key"], |c, slots| {
            let &[slot, key] = slots else { return None };
            let edits: Vec<_> = edits.iter().map(|edit| compile_edit(c, edit, slot)).collect();
            let mut edits = edits.into_iter().collect::<Option<Vec<_>>>()?;
            edits.retain(|edit| !matches!(edit.when, Condition::Is(false)));
            Some(Template::op(Walk { value: value?, slot, key, edits }))
        })
    },
}];

struct Edit {
    when: Condition,
    /// The member without which an object is not edited, if one is known.
    member: Option<Name>,
    drop: Vec<String>,
    /// Names to drop that are known only when the template runs.
    drop_also: Option<Source>,
    set: Vec<(String, Template)>,
}

fn compile_edit(c: &mut Compiler<'_>, node: &Node, slot: Slot) -> Option<Edit> {
    let Kind::Map(entries) = &node.kind else {
        c.error("bad-walk", node.span, format!("an edit is a mapping, not {}", node.type_name()));
        return None;
    };
    let new = |when| {
        let when = Condition::Is(when);
        Edit { when, member: None, drop: Vec::new(), drop_also: None, set: Vec::new() }
    };
    let mut edit = new(true);
    let mut sound = true;
    for (key, value) in entries {
        match (key.text.as_str(), &value.kind) {
            ("when", _) => match c.condition(value) {
                Some(Condition::Is(false)) if !c.needs(false) => return Some(new(false)),
                Some(condition) => {
                    edit.member = condition.member(slot).cloned();
                    edit.when = condition;
                }
                None => sound = false,
            },
            ("drop", Kind::List(names)) => {
                for name in names {
                    edit.drop.push(matchers::string(c, name)?);
                }
            }
            ("drop", Kind::String(path)) if path.starts_with('$') => {
                edit.drop_also = Some(c.source(path, value.span)?);
            }
            ("set", Kind::Map(members)) => {
                for (name, template) in members {
                    match c.template(template) {
                        Some(template) => edit.set.push((name.text.clone(), template)),
                        None => sound = false,
                    }
                }
            }
            (word, _) => {
                sound = false;
                c.error("bad-walk", key.span, format!("an edit cannot have `{word}` like this")).help(
                    "it has `when: condition`, `drop: [names]` (or a path to names) and `set: { name: template }`",
                );
            }
        }
    }
    sound.then_some(edit)
}

struct Walk {
    value: Template,
    slot: Slot,
    key: Slot,
    edits: Vec<Edit>,
}

impl Op for Walk {
    fn write(&self, env: &mut Env<'_>, out: &mut Vec<u8>) -> Result<bool, Fail> {
        let value = self.value.value(env)?;
        Ok(self.edit(&value, env, out)? || value.write(out))
    }

    fn value<'a>(&self, env: &mut Env<'a>) -> Result<Val<'a>, Fail> {
        let value = self.value.value(env)?;
        let mut out = Vec::new();
        if self.edit(&value, env, &mut out)? {
            return Ok(made(out));
        }
        Ok(if value.is_nothing() { Val::Nothing } else { value })
    }
}

/// Makes a value of a node that is as it was.
type Wrap<'w, 'n, 'a> = &'w dyn Fn(Json<'n>) -> Val<'a>;

impl Walk {
    /// Writes the value with its edits, or nothing if there are none; whether there were any.
    fn edit<'a>(&self, value: &Val<'a>, env: &mut Env<'a>, out: &mut Vec<u8>) -> Result<bool, Fail> {
        match value {
            Val::Json(node) => self.visit(*node, None, &Val::Json, env, out),
            // Held by itself, so that its nodes can be named while it is walked.
            _ => match value.document() {
                Some((doc, index)) => {
                    let wrap = |node: Json<'_>| Val::Own(doc.clone(), node.index());
                    self.visit(doc.node(index), None, &wrap, env, out)
                }
                None => Ok(false),
            },
        }
    }

    /// Writes `node`, which the member `key` holds, with its edits, or nothing if there are none; whether there were
    /// any. It recurs as deep as the document, which the reader bounds.
    fn visit<'n, 'a>(
        &self,
        node: Json<'n>,
        key: Option<Json<'n>>,
        wrap: Wrap<'_, 'n, 'a>,
        env: &mut Env<'a>,
        out: &mut Vec<u8>,
    ) -> Result<bool, Fail> {
        let start = out.len();
        let mut due = Due::default();
        let mut inside = Inside { text: node.doc().text(), from: node.range().start, edited: false };
        match node.kind() {
            JsonKind::Array => {
                for item in node.items() {
                    let mark = out.len();
                    if self.visit(item, key, wrap, env, out)? {
                        inside.replaced(item, mark, out);
                    }
                }
            }
            JsonKind::Object => {
                for (name, value) in node.entries_raw() {
                    due.saw(name, &self.edits);
                    let mark = out.len();
                    if self.visit(value, Some(name), wrap, env, out)? {
                        inside.replaced(value, mark, out);
                    }
                }
            }
            _ => return Ok(false),
        }
        if inside.edited {
            inside.write_rest(node.range().end, out);
        }
        if node.kind() == JsonKind::Array {
            return Ok(inside.edited);
        }
        let mut edited = inside.edited;
        let (mut changed, mut named) = (false, false);
        for (place, edit) in self.edits.iter().enumerate() {
            // An object that an edit has changed may have what it had not.
            if !changed && edit.member.is_some() && !due.has(place) {
                continue;
            }
            if !named {
                // What no edit has touched can be looked at where it stands.
                env.set(self.slot, if edited { produced(out, start) } else { wrap(node) });
                env.set(self.key, key.map(wrap).unwrap_or_default());
                named = true;
            }
            if edit.when.test(env) && edit.apply(self.slot, start, env, out)? {
                (edited, changed, named) = (true, true, false);
            }
        }
        Ok(edited)
    }
}

/// The edits whose members an object has: of the first 64, and all others.
#[derive(Default)]
struct Due(u64);

impl Due {
    /// Notes the name of a member.
    fn saw(&mut self, name: Json<'_>, edits: &[Edit]) {
        for (place, edit) in edits.iter().enumerate().take(64) {
            let is_it = edit.member.as_ref().is_some_and(|member| name.is_name(member));
            self.0 |= u64::from(is_it) << place;
        }
    }

    fn has(&self, place: usize) -> bool {
        place >= 64 || self.0 >> place & 1 == 1
    }
}

/// What is inside a list or an object, of which only what was edited has been written so far.
struct Inside<'n> {
    text: &'n str,
    /// Up to where in the text all has been written.
    from: usize,
    edited: bool,
}

impl Inside<'_> {
    /// Puts what stands before `child` in front of what was written instead of it, which begins at `mark`.
    fn replaced(&mut self, child: Json<'_>, mark: usize, out: &mut Vec<u8>) {
        let range = child.range();
        let before = self.text.get(self.from..range.start).unwrap_or_default();
        out.splice(mark..mark, before.bytes());
        (self.from, self.edited) = (range.end, true);
    }

    fn write_rest(&self, end: usize, out: &mut Vec<u8>) {
        out.extend_from_slice(self.text.get(self.from..end).unwrap_or_default().as_bytes());
    }
}

/// The object that stands at the end of `out`, from `start` on.
fn produced(out: &[u8], start: usize) -> Val<'static> {
    parse_produced(out.get(start..).unwrap_or_default().to_vec())
}

impl Edit {
    /// Writes the object in `slot` anew, with this edit, in the place where it stands at the end of `out`; false if
    /// the edit changes nothing.
    fn apply(&self, slot: Slot, start: usize, env: &mut Env<'_>, out: &mut Vec<u8>) -> Result<bool, Fail> {
        let mut values: Vec<(&str, Val<'_>)> = Vec::new();
        for (name, template) in &self.set {
            values.push((name, template.value(env)?));
        }
        let also = self.drop_also.as_ref().map(|names| names.value(env).items()).unwrap_or_default();
        let also: BTreeSet<Cow<'_, str>> = also.iter().filter_map(Val::as_str).collect();
        let is_dropped = |name: Json<'_>| {
            self.drop.iter().any(|dropped| name.is_str(dropped))
                || !also.is_empty() && name.str().is_some_and(|name| also.contains(&name))
        };
        let object = env.get(slot).clone();
        let Some(object) = object.json() else { return Ok(false) };
        if values.is_empty() && !object.entries_raw().any(|(name, _)| is_dropped(name)) {
            return Ok(false);
        }
        out.truncate(start);
        out.reserve(object.bytes().len());
        out.push(b'{');
        let mut items = Items::new(out);
        for (name, value) in object.entries_raw() {
            if is_dropped(name) {
                continue;
            }
            let replaced = values.iter().position(|(set, _)| name.is_str(set)).map(|at| values.remove(at).1);
            items.item(|out| {
                out.extend_from_slice(name.bytes());
                out.push(b':');
                match replaced {
                    Some(value) => Ok(value.write_any(out)),
                    None => {
                        out.extend_from_slice(value.bytes());
                        Ok(true)
                    }
                }
            })?;
        }
        for (name, value) in values {
            items.item(|out| {
                json::write_str(out, name);
                out.push(b':');
                Ok(value.write_any(out))
            })?;
        }
        out.push(b'}');
        Ok(true)
    }
}
