//! `$walk`: the same edits to every object of a subtree, for schemas and markers that may stand anywhere.

use super::{Directive, example, never};
use crate::language::compile::Compiler;
use crate::language::condition::Condition;
use crate::language::matchers;
use crate::language::scope::{Env, Slot};
use crate::language::template::{Fail, Items, Op, Template};
use crate::language::value::{Val, parse_produced};
use crate::text::json::{self, Json, JsonKind};
use crate::text::yaml::{Kind, Node};

pub(super) const TABLE: &[Directive] = &[Directive {
    name: "$walk",
    needs: &["$edits"],
    takes: &[],
    doc: "the value with `$edits` made in each of its objects, innermost first: `{ when, drop: [names], set: { name: template } }`, where `$node` is the object",
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
    ],
    can_fail: never,
    compile: |c, args| {
        let value = c.template(args.word);
        let node = args.need("$edits");
        let Kind::List(edits) = &node.kind else {
            c.error("bad-walk", node.span, format!("`$edits` takes a list, not {}", node.type_name()));
            return None;
        };
        c.with_locals(&["node"], |c, slots| {
            let slot = slots.first().copied()?;
            let edits: Vec<_> = edits.iter().map(|edit| compile_edit(c, edit)).collect();
            let edits = edits.into_iter().collect::<Option<_>>()?;
            Some(Template::op(Walk { value: value?, slot, edits }))
        })
    },
}];

struct Edit {
    when: Condition,
    drop: Vec<String>,
    set: Vec<(String, Template)>,
}

fn compile_edit(c: &mut Compiler<'_>, node: &Node) -> Option<Edit> {
    let Kind::Map(entries) = &node.kind else {
        c.error("bad-walk", node.span, format!("an edit is a mapping, not {}", node.type_name()));
        return None;
    };
    let mut edit = Edit { when: Condition::Is(true), drop: Vec::new(), set: Vec::new() };
    let mut sound = true;
    for (key, value) in entries {
        match (key.text.as_str(), &value.kind) {
            ("when", _) => match c.condition(value) {
                Some(condition) => edit.when = condition,
                None => sound = false,
            },
            ("drop", Kind::List(names)) => {
                for name in names {
                    edit.drop.push(matchers::string(c, name)?);
                }
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
                c.error("bad-walk", key.span, format!("an edit cannot have `{word}` like this"))
                    .help("it has `when: condition`, `drop: [names]` and `set: { name: template }`");
            }
        }
    }
    sound.then_some(edit)
}

struct Walk {
    value: Template,
    slot: Slot,
    edits: Vec<Edit>,
}

impl Op for Walk {
    fn write(&self, env: &mut Env<'_>, out: &mut Vec<u8>) -> Result<bool, Fail> {
        let value = self.value.value(env)?;
        match value.json() {
            Some(node) if node.kind() != JsonKind::Null => {
                self.visit(node, env, out)?;
                Ok(true)
            }
            _ => Ok(value.write(out)),
        }
    }
}

impl Walk {
    /// Writes `node` with its edits. It recurs as deep as the document, which the reader bounds.
    fn visit(&self, node: Json<'_>, env: &mut Env<'_>, out: &mut Vec<u8>) -> Result<(), Fail> {
        match node.kind() {
            JsonKind::Array => {
                out.push(b'[');
                let mut items = Items::new(out);
                for item in node.items() {
                    items.item(|out| self.visit(item, env, out).map(|()| true))?;
                }
                out.push(b']');
            }
            JsonKind::Object => {
                let start = out.len();
                out.push(b'{');
                let mut items = Items::new(out);
                for (name, value) in node.entries() {
                    items.item(|out| {
                        json::write_str(out, &name);
                        out.push(b':');
                        self.visit(value, env, out).map(|()| true)
                    })?;
                }
                out.push(b'}');
                for edit in &self.edits {
                    self.apply(edit, start, env, out)?;
                }
            }
            _ => out.extend_from_slice(node.raw().as_bytes()),
        }
        Ok(())
    }

    /// Makes one edit in the object that stands at the end of `out`, from `start` on.
    fn apply(&self, edit: &Edit, start: usize, env: &mut Env<'_>, out: &mut Vec<u8>) -> Result<(), Fail> {
        let object = parse_produced(out.get(start..).unwrap_or_default().to_vec());
        env.set(self.slot, object.clone());
        if !edit.when.test(env) {
            return Ok(());
        }
        let mut values: Vec<(&str, Val<'_>)> = Vec::new();
        for (name, template) in &edit.set {
            values.push((name, template.value(env)?.into_owned()));
        }
        let Some(object) = object.json() else { return Ok(()) };
        out.truncate(start);
        out.push(b'{');
        let mut items = Items::new(out);
        for (name, value) in object.entries() {
            if edit.drop.iter().any(|dropped| *dropped == *name) {
                continue;
            }
            let replaced = values.iter().position(|(set, _)| **set == *name).map(|at| values.remove(at).1);
            items.item(|out| {
                json::write_str(out, &name);
                out.push(b':');
                match replaced {
                    Some(value) => Ok(value.write_any(out)),
                    None => {
                        out.extend_from_slice(value.raw().as_bytes());
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
        Ok(())
    }
}
