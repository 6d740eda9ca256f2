//! Patches: edits at paths of a document, every other byte left alone.

use std::ops::Range;

use bytes::Bytes;

use super::compile::Compiler;
use super::condition::Condition;
use super::scope::Env;
use super::template::{Fail, Template};
use super::words::{self, EDITS};
use crate::text::json::{self, Cuts, Doc, Json, JsonKind};
use crate::text::path::{self, Path, Segment};
use crate::text::yaml::{Key, Kind, Node};

/// A compiled patch: edits that are made one after the other.
pub struct Patch(Vec<Edit>);

enum Edit {
    Set { path: Path, value: Template, only_absent: bool },
    Remove(Path),
    Append { path: Path, value: Template },
    When { when: Condition, patch: Patch },
}

impl Compiler<'_> {
    /// Compiles `{ patch: [...] }`, or the list alone.
    pub fn patch(&mut self, node: &Node) -> Option<Patch> {
        let list = node.get("patch").unwrap_or(node);
        let Kind::List(edits) = &list.kind else {
            self.error(
                "bad-patch",
                node.span,
                format!("a patch is a list of edits, not {}", list.type_name()),
            )
            .help("write `patch: [ { set: { $.path: template } }, { remove: [ $.path ] } ]`");
            return None;
        };
        let mut compiled = Vec::new();
        let mut sound = true;
        for edit in edits {
            sound &= self.edit(edit, &mut compiled).is_some();
        }
        sound.then_some(Patch(compiled))
    }

    fn edit(&mut self, node: &Node, out: &mut Vec<Edit>) -> Option<()> {
        let Kind::Map(entries) = &node.kind else {
            self.error("bad-patch", node.span, format!("an edit is a mapping, not {}", node.type_name()));
            return None;
        };
        let mut sound = true;
        for (key, _) in entries {
            if !words::knows(EDITS, &key.text) {
                sound = false;
                self.error("bad-patch", key.span, format!("an edit cannot be `{}`", key.text))
                    .did_you_mean(&key.text, words::names(EDITS))
                    .help(format!("edits are {}", words::listed(EDITS)));
            }
        }
        if let Some(when) = node.get("when") {
            let when = self.condition(when);
            let patch = match node.get("patch") {
                Some(inner) => self.patch(inner),
                None => {
                    self.error("bad-patch", node.span, "`when` needs `patch: [...]` beside it");
                    None
                }
            };
            out.push(Edit::When { when: when?, patch: patch? });
            return sound.then_some(());
        }
        for (key, value) in entries {
            sound &= match key.text.as_str() {
                "set" => self.assignments(key, value, |path, value| {
                    out.push(Edit::Set { path, value, only_absent: false });
                }),
                "default" => self.assignments(key, value, |path, value| {
                    out.push(Edit::Set { path, value, only_absent: true });
                }),
                "append" => {
                    self.assignments(key, value, |path, value| out.push(Edit::Append { path, value }))
                }
                "remove" => self.removals(value, out),
                _ => None,
            }
            .is_some();
        }
        sound.then_some(())
    }

    fn assignments(&mut self, key: &Key, node: &Node, mut push: impl FnMut(Path, Template)) -> Option<()> {
        let Kind::Map(entries) = &node.kind else {
            self.error(
                "bad-patch",
                node.span,
                format!("`{}` takes a mapping of paths to templates", key.text),
            );
            return None;
        };
        let mut sound = true;
        for (path, template) in entries {
            let path = self.place(&path.text, path.span, true);
            let template = self.template(template);
            match (path, template) {
                (Some(path), Some(template)) => push(path, template),
                _ => sound = false,
            }
        }
        sound.then_some(())
    }

    fn removals(&mut self, node: &Node, out: &mut Vec<Edit>) -> Option<()> {
        let nodes = node.as_list().unwrap_or(std::slice::from_ref(node));
        let mut sound = true;
        for node in nodes {
            match node.as_str().and_then(|text| self.place(text, node.span, false)) {
                Some(path) => out.push(Edit::Remove(path)),
                None => sound = false,
            }
        }
        sound.then_some(())
    }

    /// A path into the document that is patched; `single` where it must name one place.
    fn place(&mut self, text: &str, span: crate::text::diagnostic::Span, single: bool) -> Option<Path> {
        let path = match path::parse(text) {
            Ok(path) => path,
            Err(error) => {
                self.error("bad-path", span, format!("this is no path: {}", error.message));
                return None;
            }
        };
        if !path.root.is_empty() {
            self.error("bad-patch", span, "a patch edits the document itself, so its paths begin with `$.`");
            return None;
        }
        if path.is_root_only() || (single && !path.is_single()) {
            self.error("bad-patch", span, "this must be the path of one place: names and indexes only");
            return None;
        }
        Some(path)
    }
}

impl Patch {
    /// The document with all edits made; its own bytes, if none of them changes anything. Edits whose place is not
    /// there do nothing.
    pub fn apply(&self, doc: &Doc, env: &mut Env<'_>) -> Result<Bytes, Fail> {
        Ok(self.edited(doc, env)?.map_or_else(|| doc.bytes(), Edited::bytes))
    }

    /// The document with all edits made, if they change it.
    fn edited(&self, doc: &Doc, env: &mut Env<'_>) -> Result<Option<Edited>, Fail> {
        let mut edited: Option<Edited> = None;
        let mut is_edited = false;
        for edit in &self.0 {
            if matches!(edit, Edit::When { when, .. } if !when.test(env)) {
                continue;
            }
            let current = match edited.take() {
                Some(edited) => edited.doc()?,
                None => doc.clone(),
            };
            let made = match edit {
                Edit::Set { path, value, only_absent } => {
                    set(&current, path, value, *only_absent, env)?.map(Edited::Text)
                }
                Edit::Remove(path) => remove(&current, path),
                Edit::Append { path, value } => append(&current, path, value, env)?.map(Edited::Text),
                Edit::When { patch, .. } => patch.edited(&current, env)?,
            };
            is_edited |= made.is_some();
            edited = Some(made.unwrap_or(Edited::Doc(current)));
        }
        Ok(edited.filter(|_| is_edited))
    }
}

/// A document with edits made, laid out as such only when somebody looks at it: nobody does after the last edit.
enum Edited {
    Doc(Doc),
    Text(Vec<u8>),
    Cut(Doc, Cuts),
}

impl Edited {
    fn doc(self) -> Result<Doc, Fail> {
        match self {
            Edited::Doc(doc) => Ok(doc),
            Edited::Text(text) => Doc::from_vec(text)
                .map_err(|error| Fail::new(500, format!("a patch made a broken document: {error}"))),
            Edited::Cut(doc, cuts) => Ok(doc.without(&cuts)),
        }
    }

    fn bytes(self) -> Bytes {
        match self {
            Edited::Doc(doc) => doc.bytes(),
            Edited::Text(text) => text.into(),
            Edited::Cut(doc, cuts) => doc.text_without(&cuts).into(),
        }
    }
}

/// The document with the node at `path` replaced by `value` (JSON); every other byte stays. `None` where there is
/// no such node.
pub fn splice(doc: &Doc, path: &Path, value: &[u8]) -> Option<Vec<u8>> {
    let place = path.walk(doc.root())?;
    Some(spliced(doc, place.range(), value))
}

fn spliced(doc: &Doc, range: Range<usize>, value: &[u8]) -> Vec<u8> {
    let text = doc.text().as_bytes();
    let (head, tail) =
        (text.get(..range.start).unwrap_or_default(), text.get(range.end..).unwrap_or_default());
    [head, value, tail].concat()
}

fn set(
    doc: &Doc,
    path: &Path,
    value: &Template,
    only_absent: bool,
    env: &mut Env<'_>,
) -> Result<Option<Vec<u8>>, Fail> {
    let mut bytes = Vec::new();
    if !value.write(env, &mut bytes)? {
        return Ok(None);
    }
    if let Some(place) = path.walk(doc.root()) {
        return Ok((!only_absent).then(|| spliced(doc, place.range(), &bytes)));
    }
    // As far as the way goes; what is missing is made, if it is names alone.
    let mut here = doc.root();
    let mut rest = path.segments();
    while let Some((segment, after)) = rest.split_first() {
        match step(here, segment) {
            Some(next) => (here, rest) = (next, after),
            None => break,
        }
    }
    let mut names = Vec::new();
    for segment in rest {
        match segment {
            Segment::Name(name) => names.push(name),
            _ => return Ok(None),
        }
    }
    let Some((first, inner)) = names.split_first().filter(|_| here.kind() == JsonKind::Object) else {
        return Ok(None);
    };
    let mut member = Vec::new();
    json::write_str(&mut member, first);
    member.push(b':');
    for name in inner {
        member.push(b'{');
        json::write_str(&mut member, name);
        member.push(b':');
    }
    member.extend_from_slice(&bytes);
    member.extend(std::iter::repeat_n(b'}', inner.len()));
    Ok(Some(insert_last(doc, here, &member)))
}

fn append(doc: &Doc, path: &Path, value: &Template, env: &mut Env<'_>) -> Result<Option<Vec<u8>>, Fail> {
    let mut bytes = Vec::new();
    let place = path.walk(doc.root()).filter(|place| place.kind() == JsonKind::Array);
    match place {
        Some(place) if value.write(env, &mut bytes)? => Ok(Some(insert_last(doc, place, &bytes))),
        _ => Ok(None),
    }
}

/// Puts an item or member at the end of a list or object.
fn insert_last(doc: &Doc, container: Json<'_>, bytes: &[u8]) -> Vec<u8> {
    let comma: &[u8] = if container.is_empty() { b"" } else { b"," };
    let end = last_child_end(container).unwrap_or(container.range().start + 1);
    spliced(doc, end..end, &[comma, bytes].concat())
}

fn last_child_end(container: Json<'_>) -> Option<usize> {
    match container.kind() {
        JsonKind::Array => container.items().last().map(|item| item.range().end),
        _ => container.entries_raw().last().map(|(_, value)| value.range().end),
    }
}

fn step<'a>(from: Json<'a>, segment: &Segment) -> Option<Json<'a>> {
    match segment {
        Segment::Name(name) => from.get_named(name),
        Segment::Index(index) => from.at(*index),
        _ => None,
    }
}

fn remove(doc: &Doc, path: &Path) -> Option<Edited> {
    let mut found = Vec::new();
    path.select(doc.root(), doc.root(), &mut found);
    (!found.is_empty()).then(|| Edited::Cut(doc.clone(), doc.cuts(&found)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::language::scope::Scope;
    use crate::language::value::Val;
    use crate::text::diagnostic::{Diagnostics, FileId};
    use crate::text::yaml;

    fn patched(patch: &str, input: &str) -> String {
        let scope = Scope::new(&[""]);
        let mut diags = Diagnostics::default();
        let node = yaml::parse(FileId(0), patch).unwrap();
        let patch = Compiler::new(&scope, &mut diags).patch(&node);
        let patch =
            patch.unwrap_or_else(|| panic!("{:?}", diags.iter().map(|d| &d.message).collect::<Vec<_>>()));
        let doc = Doc::parse(input.as_bytes().to_vec()).unwrap();
        let mut env = Env::new(scope.len());
        env.set(0, Val::Json(doc.root()));
        String::from_utf8(patch.apply(&doc, &mut env).unwrap().to_vec()).unwrap()
    }

    #[test]
    fn every_other_byte_stays() {
        for (patch, input, output) in [
            ("[{ set: { $.m: b } }]", r#"{ "m" : "a",  "n": 1.0 }"#, r#"{ "m" : "b",  "n": 1.0 }"#),
            ("[{ set: { $.x.y.z: 1 } }]", r#"{"a": 2 }"#, r#"{"a": 2,"x":{"y":{"z":1}} }"#),
            ("[{ set: { $.x: 1 } }]", "{ }", r#"{"x":1 }"#),
            ("[{ default: { $.a: 1, $.b: 2 } }]", r#"{"a":0}"#, r#"{"a":0,"b":2}"#),
            ("[{ remove: [$.a] }]", r#"{"a": 1, "b": 2}"#, r#"{"b": 2}"#),
            ("[{ remove: [$.b] }]", r#"{"a": 1, "b": 2}"#, r#"{"a": 1}"#),
            ("[{ remove: [$.b, $.nope] }]", r#"{"b": 2}"#, "{}"),
            (
                "[{ remove: ['$.l[?@.t == 1]'] }]",
                r#"{"l":[{"t":1},{"t":2}, {"t":1}, {"t":1}]}"#,
                r#"{"l":[{"t":2}]}"#,
            ),
            ("[{ remove: ['$..c'] }]", r#"{"c":1,"d":[{"c":2},{"e":3,"c":4}]}"#, r#"{"d":[{},{"e":3}]}"#),
            ("[{ append: { $.l: '{$.m}!' } }]", r#"{"m":"x","l":[ 1 ]}"#, r#"{"m":"x","l":[ 1,"x!" ]}"#),
            (
                "[{ when: $.go, patch: [{ set: { $.a: 1 } }] }, { when: $.no, patch: [{ remove: [$.go] }] }]",
                r#"{"go":true}"#,
                r#"{"go":true,"a":1}"#,
            ),
        ] {
            assert_eq!(patched(patch, input), output, "{patch}");
        }
    }

    #[test]
    fn what_is_taken_out_of_a_long_list_costs_no_more_than_the_list() {
        let items: Vec<String> = (0..40_000).map(|n| format!("{{\"n\":{n},\"x\":1}}")).collect();
        let left: Vec<String> = (0..40_000).map(|n| format!("{{\"n\":{n}}}")).collect();
        assert_eq!(
            patched("[{ remove: ['$[*].x'] }]", &format!("[{}]", items.join(","))),
            format!("[{}]", left.join(","))
        );
    }
}
