//! The table of directives: `{ $word: ..., $companion: ... }`, each with its meaning and examples that are tests.

use super::compile::{Compiler, is_word};
use super::template::Template;
use crate::text::diagnostic::did_you_mean;
use crate::text::yaml::{Key, Node};

pub(super) use giving_up::{Failing, fail as compile_failing};

mod control;
mod giving_up;
mod lists;
mod naming;
mod numbers;
mod objects;
mod strings;
mod walk;

/// One directive.
pub struct Directive {
    /// The word, with its `$`.
    pub name: &'static str,
    /// The companions that must stand beside it.
    pub needs: &'static [&'static str],
    /// The companions that may stand beside it.
    pub takes: &'static [&'static str],
    /// What it gives, in one line.
    pub doc: &'static str,
    /// Templates with an input and what they give.
    pub examples: &'static [Example],
    /// Whether it can fail, given which companions it has.
    can_fail: fn(&Args<'_>) -> bool,
    compile: fn(&mut Compiler<'_>, &Args<'_>) -> Option<Template>,
}

/// A template in YAML, the `$` it sees as JSON, and what it writes: JSON, or `None` for nothing.
pub struct Example {
    /// The template, in YAML.
    pub template: &'static str,
    /// The document it sees as `$`.
    pub input: &'static str,
    /// What it writes.
    pub output: Option<&'static str>,
}

const fn example(template: &'static str, input: &'static str, output: &'static str) -> Example {
    Example { template, input, output: Some(output) }
}

const fn nothing(template: &'static str, input: &'static str) -> Example {
    Example { template, input, output: None }
}

/// A directive's word and companions as they stand in the file.
pub(super) struct Args<'n> {
    /// What stands behind the word itself.
    pub word: &'n Node,
    /// The whole mapping.
    pub node: &'n Node,
    entries: &'n [(Key, Node)],
}

impl<'n> Args<'n> {
    /// What stands behind a companion.
    pub fn get(&self, name: &str) -> Option<&'n Node> {
        self.entries.iter().find(|(key, _)| key.text == name).map(|(_, value)| value)
    }

    /// A required companion. It is there: `compile` has looked before.
    pub fn need(&self, name: &str) -> &'n Node {
        self.get(name).unwrap_or(self.node)
    }
}

fn never(_: &Args<'_>) -> bool {
    false
}

fn always(_: &Args<'_>) -> bool {
    true
}

/// The directives, a group of kin after the other, each group with its title.
pub const GROUPS: [(&str, &[Directive]); 6] = [
    ("Choosing, naming, giving up", control::TABLE),
    ("Lists", lists::TABLE),
    ("Objects", objects::TABLE),
    ("Whole subtrees", walk::TABLE),
    ("Numbers", numbers::TABLE),
    ("Texts", strings::TABLE),
];

/// All directives, in the order of the groups.
pub fn all() -> impl Iterator<Item = &'static Directive> {
    GROUPS.into_iter().flat_map(|(_, table)| table)
}

/// Compiles the mapping `node`, in which `first` is the first key that looks like a word.
pub(super) fn compile(
    c: &mut Compiler<'_>,
    first: &Key,
    entries: &[(Key, Node)],
    node: &Node,
) -> Option<Template> {
    // Companions may come before their word, so the word is the key that the table has.
    let found = entries.iter().find_map(|(key, value)| {
        all().find(|directive| directive.name == key.text).map(|directive| (directive, key, value))
    });
    let Some((directive, key, word)) = found else {
        let owner = all().find(|directive| {
            directive.needs.contains(&first.text.as_str()) || directive.takes.contains(&first.text.as_str())
        });
        let error =
            c.error("unknown-directive", first.span, format!("there is no directive `{}`", first.text));
        match owner {
            Some(owner) => error.help(format!("`{}` stands beside `{}`", first.text, owner.name)),
            None => error
                .did_you_mean(&first.text, all().map(|directive| directive.name))
                .help(format!("for a key that begins with `$`, write `${}`", first.text)),
        };
        return None;
    };
    let args = Args { word, node, entries };
    let mut sound = true;
    // Companions that stray words were probably meant to be: they need not be missed as well.
    let mut meant = Vec::new();
    for (other, _) in entries {
        let known = other.text == directive.name
            || directive.needs.contains(&other.text.as_str())
            || directive.takes.contains(&other.text.as_str());
        if !known {
            sound = false;
            let names = directive.needs.iter().chain(directive.takes).copied();
            meant.extend(did_you_mean(&other.text, names.clone()));
            let all = names.clone().collect::<Vec<_>>().join(", ");
            let error = c.error(
                "stray-companion",
                other.span,
                format!("`{}` cannot stand beside `{}`", other.text, directive.name),
            );
            let error = error.did_you_mean(&other.text, names);
            if !is_word(&other.text) {
                error.help(format!(
                    "a directive gives the whole value; to add members use `$merge: [ {{ {}: ... }}, {{ {}: ... }} ]`",
                    other.text, directive.name
                ));
            } else if all.is_empty() {
                error.help(format!("`{}` stands alone", directive.name));
            } else {
                error.help(format!("beside `{}` may stand: {all}", directive.name));
            }
        }
    }
    let missing = directive.needs.iter().filter(|name| args.get(name).is_none());
    let missing: Vec<_> = missing.copied().collect();
    if !missing.is_empty() {
        let told = missing.iter().filter(|name| !meant.contains(name)).map(|name| format!("`{name}`"));
        let told = told.collect::<Vec<_>>().join(" and ");
        if !told.is_empty() {
            c.error("missing-companion", key.span, format!("`{}` needs {told} beside it", directive.name));
        }
        return None;
    }
    let can_fail = (directive.can_fail)(&args);
    c.fallible += usize::from(can_fail);
    if c.infallible && can_fail {
        sound = false;
        c.error(
            "may-fail-in-stream",
            key.span,
            format!("`{}` may fail, and a stream cannot", directive.name),
        )
        .help("give it an `$else`, or use a `fail:` step");
    }
    let compiled = (directive.compile)(c, &args);
    compiled.filter(|_| sound)
}

#[cfg(test)]
mod tests;
