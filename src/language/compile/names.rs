//! Names in sight while templates compile: what a path begins with, and whose value that is.

use std::sync::Arc;

use super::{Compiler, Local, is_name_char};
use crate::language::scope::{Origin, Shape, Slot};
use crate::language::template::{Binding, Source};
use crate::language::value::Val;
use crate::text::diagnostic::Span;
use crate::text::path::{Path, Segment};
use crate::text::yaml::{Kind, Node};

impl Compiler<'_> {
    /// Compiles a path such as `$.a[0]` or `$msg.role`.
    pub fn source(&mut self, text: &str, span: Span) -> Option<Source> {
        let (name, after) = root_name(text);
        let mut shape = Shape::Json;
        let (binding, rest) = if let Some(local) = self.local(name) {
            if let Some(fragment) = self.fragments.last() {
                self.scope.read(fragment, name);
            }
            (local.binding.clone(), format!("${after}"))
        } else if let Some(slot) = self.scope.root(name) {
            if let Some(part) = self.scope.without(slot) {
                let help = format!("there are {}", self.scope.present().join(", "));
                self.error("unknown-name", span, format!("`${name}` has no value in {part}")).help(help);
                return None;
            }
            shape = self.scope.known(slot).0;
            (Binding::Slot(slot), format!("${after}"))
        } else if let Some((slot, rest)) = self.space_member(name, after, span)? {
            (Binding::Slot(slot), format!("${rest}"))
        } else if let Some(fragment) = self.fragments.last() {
            // A parameter that this use does not give; `finish` sees whether any use does.
            self.scope.wanted(fragment, name, span);
            (Binding::Known(Val::Nothing), format!("${after}"))
        } else {
            let locals = self.locals.iter().map(|local| local.name.as_str());
            let known = locals.chain(self.scope.names()).filter(|known| !known.is_empty());
            let known: Vec<String> = known.map(|known| format!("${known}")).collect();
            self.error("unknown-name", span, format!("nothing is called `${name}` here"))
                .did_you_mean(&format!("${name}"), known.iter().map(String::as_str))
                .help(format!("for a text that begins with `$`, write `$${name}{after}`"));
            return None;
        };
        match self.scope.parts.path(&rest) {
            Ok(path) => match path.never().or_else(|| below(text, name, shape, &path)) {
                None => Some(self.bound(binding, path)),
                Some(why) => {
                    self.error("path-never-matches", span, format!("this path can never match: {why}"))
                        .label(text)
                        .help("whatever the document, it selects nothing: correct the path, or leave it out");
                    None
                }
            },
            Err(error) => {
                let found = self.error("bad-path", span, format!("this is no path: {}", error.message));
                let found = found.label(text);
                if let Some(help) = error.help {
                    found.help(help);
                }
                None
            }
        }
    }

    fn bound(&mut self, binding: Binding, path: Arc<Path>) -> Source {
        match binding {
            Binding::Known(value) => Source::Known(value.select(&path)),
            Binding::Slot(slot) => match self.scope.value(slot, &path) {
                Some(value) => Source::Known(value),
                None => {
                    self.used.insert(slot);
                    Source::Slot(slot, path)
                }
            },
        }
    }

    /// The local in sight that is called so.
    fn local(&self, name: &str) -> Option<&Local> {
        self.locals.get(self.visible..).unwrap_or_default().iter().rev().find(|local| local.name == name)
    }

    /// Notes whose values a local has.
    pub(in crate::language) fn local_is(&mut self, slot: Slot, origin: Origin) {
        let its_own = |local: &&mut Local| matches!(local.binding, Binding::Slot(own) if own == slot);
        self.locals.iter_mut().filter(its_own).for_each(|local| local.origin = origin);
    }

    /// Whose value a template gives, as far as its looks tell: a path's, or that of a `$first` of paths.
    pub(in crate::language) fn origin(&self, node: &Node) -> Origin {
        let of_text = |text: &str| {
            let (name, _) = root_name(text);
            match self.local(name) {
                Some(local) => local.origin,
                None => self.scope.root(name).map_or(Origin::Ours, |slot| self.scope.known(slot).1),
            }
        };
        match &node.kind {
            Kind::String(text) if text.starts_with('$') && !text.starts_with("$$") => of_text(text),
            Kind::Map(_) => {
                let several = node.get("$first").and_then(Node::as_list).unwrap_or_default();
                let foreign = several.iter().any(|item| self.origin(item) == Origin::Provider);
                if foreign { Origin::Provider } else { Origin::Ours }
            }
            _ => Origin::Ours,
        }
    }

    /// `$state.usage.x` as (slot of `usage`, `.x`). Outer `None`: reported. Inner `None`: not a space.
    fn space_member<'t>(
        &mut self,
        name: &str,
        after: &'t str,
        span: Span,
    ) -> Option<Option<(Slot, &'t str)>> {
        let member = after.strip_prefix('.').unwrap_or_default();
        let end = member.find(|c: char| !is_name_char(c)).unwrap_or(member.len());
        let (member, rest) = member.split_at(end);
        match self.scope.member(name, member) {
            None => Some(None),
            Some(Ok(slot)) => Some(Some((slot, rest))),
            Some(Err(near)) => {
                let help = match near {
                    Some(near) => format!("did you mean `${name}.{near}`?"),
                    None if name == "block" => format!("add `{member}` to the `once` of a block"),
                    None if name == "begun" => "its names are those of the blocks".to_owned(),
                    None => format!("declare `{member}` under `{name}:`"),
                };
                self.error("unknown-name", span, format!("`${name}` has no `{member}`")).help(help);
                None
            }
        }
    }
}

/// Why nothing lies where `path` looks below the root `name`, if that is so.
fn below(text: &str, name: &str, shape: Shape, path: &Path) -> Option<String> {
    match (shape, path.segments()) {
        (Shape::Scalar, [_, ..]) => Some(format!("nothing lies below `${name}`, a single value")),
        (Shape::Fields, [Segment::Name(_)]) | (_, []) | (Shape::Json, _) => None,
        (Shape::Fields, _) => {
            Some(format!("`${name}` has names and texts only, as in `${name}.date`; not `{text}`"))
        }
    }
}

/// Splits `$msg.role` into `msg` and `.role`.
fn root_name(text: &str) -> (&str, &str) {
    let rest = text.strip_prefix('$').unwrap_or(text);
    let end = rest.find(|c: char| !is_name_char(c)).unwrap_or(rest.len());
    rest.split_at(end)
}
