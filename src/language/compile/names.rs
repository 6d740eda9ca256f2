//! Names in sight while templates compile: what a path begins with, and whose value that is.

use super::{Compiler, is_name_char};
use crate::language::scope::{Origin, Shape, Slot};
use crate::language::template::Source;
use crate::text::diagnostic::Span;
use crate::text::path::{self, Path, Segment};
use crate::text::yaml::{Kind, Node};

impl Compiler<'_> {
    /// Compiles a path such as `$.a[0]` or `$msg.role`.
    pub fn source(&mut self, text: &str, span: Span) -> Option<Source> {
        let (name, after) = root_name(text);
        let local = self.locals[self.visible..]
            .iter()
            .rev()
            .find(|(local, ..)| local == name)
            .map(|(_, slot, _)| *slot);
        let (slot, rest) = if let Some(slot) = local {
            (slot, format!("${after}"))
        } else if let Some(slot) = self.scope.root(name) {
            (Some(slot), format!("${after}"))
        } else if let Some((slot, rest)) = self.space_member(name, after, span)? {
            (Some(slot), format!("${rest}"))
        } else if let Some(fragment) = self.fragments.last() {
            // A parameter that this use does not give; `finish` sees whether any use does.
            self.scope.wanted(fragment, name, span);
            (None, format!("${after}"))
        } else {
            let locals = self.locals.iter().map(|(local, ..)| local.as_str());
            let known = locals.chain(self.scope.names()).filter(|known| !known.is_empty());
            let known: Vec<String> = known.map(|known| format!("${known}")).collect();
            self.error("unknown-name", span, format!("nothing is called `${name}` here"))
                .did_you_mean(&format!("${name}"), known.iter().map(String::as_str))
                .help(format!("for a text that begins with `$`, write `$${name}{after}`"));
            return None;
        };
        match path::parse(&rest) {
            Ok(path) => {
                let shape = slot.map(|slot| self.scope.known(slot).0);
                match path.never().or_else(|| below(text, name, shape?, &path)) {
                    None => Some(Source { slot, path }),
                    Some(why) => {
                        self.error("path-never-matches", span, format!("this path can never match: {why}"))
                            .label(text)
                            .help("whatever the document, it selects nothing: correct the path, or leave it out");
                        None
                    }
                }
            }
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

    /// Notes whose values a local has.
    pub(in crate::language) fn local_is(&mut self, slot: Slot, origin: Origin) {
        for (.., known) in self.locals.iter_mut().filter(|(_, at, _)| *at == Some(slot)) {
            *known = origin;
        }
    }

    pub(super) fn local_origin(&self, slot: Slot) -> Origin {
        self.locals.iter().rev().find(|(_, at, _)| *at == Some(slot)).map_or(Origin::Ours, |it| it.2)
    }

    /// Whose value a template gives, as far as its looks tell: a path's, or that of a `$first` of paths.
    pub(in crate::language) fn origin(&self, node: &Node) -> Origin {
        let of_text = |text: &str| {
            let (name, _) = root_name(text);
            let local = self.locals.get(self.visible..).unwrap_or_default();
            match local.iter().rev().find(|(known, ..)| known == name) {
                Some((.., origin)) => *origin,
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
