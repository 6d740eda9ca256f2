//! How fragments are used: what they are given, and what they look at.

use std::collections::{BTreeMap, BTreeSet};

use super::Scope;
use crate::text::diagnostic::{Diagnostic, Diagnostics, Span, did_you_mean};

/// What was seen of fragments while templates compiled; judged by [`Scope::finish`].
#[derive(Default)]
pub(super) struct Uses {
    /// The parameters that each fragment in use is given somewhere.
    given: BTreeMap<String, BTreeSet<String>>,
    /// Where.
    places: BTreeMap<(String, String, u32), Span>,
    /// The parameters that each fragment looks at.
    read: BTreeSet<(String, String)>,
    wanted: Vec<(String, String, Span)>,
}

impl Scope {
    pub(in crate::language) fn gave(&self, fragment: &str, parameter: &str) {
        self.uses.borrow_mut().given.entry(fragment.to_owned()).or_default().insert(parameter.to_owned());
    }

    pub(in crate::language) fn gave_at(&self, fragment: &str, parameter: &str, at: Span) {
        let key = (fragment.to_owned(), parameter.to_owned(), at.start);
        self.uses.borrow_mut().places.insert(key, at);
    }

    pub(in crate::language) fn read(&self, fragment: &str, parameter: &str) {
        self.uses.borrow_mut().read.insert((fragment.to_owned(), parameter.to_owned()));
    }

    pub(in crate::language) fn used(&self, fragment: &str) {
        self.uses.borrow_mut().given.entry(fragment.to_owned()).or_default();
    }

    pub(in crate::language) fn wanted(&self, fragment: &str, name: &str, at: Span) {
        let mut uses = self.uses.borrow_mut();
        let entry = (fragment.to_owned(), name.to_owned(), at);
        if !uses.wanted.contains(&entry) {
            uses.wanted.push(entry);
        }
    }

    /// Reports names in fragments that no use gives, parameters that their fragments do not look at, and fragments
    /// that nothing uses. Call it when every template of the scope has been compiled.
    pub fn finish(&self, diags: &mut Diagnostics) {
        let uses = self.uses.borrow();
        for (fragment, name, at) in &uses.wanted {
            let given = uses.given.get(fragment);
            if given.is_some_and(|names| names.contains(name)) {
                continue;
            }
            let known = given.into_iter().flatten().map(String::as_str).chain(self.names());
            let mut found =
                Diagnostic::error("unknown-name", format!("no use of `{fragment}` gives it `${name}`"))
                    .at(*at)
                    .label("not a root, and not in any `$with`");
            if let Some(near) = did_you_mean(name, known) {
                found = found.help(format!("did you mean `${near}`?"));
            }
            diags.push(found);
        }
        for ((fragment, name, _), at) in &uses.places {
            let is_read = |name: &str| uses.read.contains(&(fragment.clone(), name.to_owned()));
            if self.fragments.contains_key(fragment) && !is_read(name) && !uses.is_wanted(fragment, name) {
                diags.push(uses.stray(fragment, name, *at));
            }
        }
        for (name, node) in &self.fragments {
            if !uses.given.contains_key(name) {
                diags.push(
                    Diagnostic::warning("unused-fragment", format!("nothing uses the fragment `{name}`"))
                        .at(node.span),
                );
            }
        }
    }
}

impl Uses {
    fn is_wanted(&self, fragment: &str, name: &str) -> bool {
        self.wanted.iter().any(|(of, wanted, _)| of == fragment && wanted == name)
    }

    /// A parameter that its fragment does not look at.
    fn stray(&self, fragment: &str, name: &str, at: Span) -> Diagnostic {
        let read = self.read.iter().filter(|(of, _)| of == fragment).map(|(_, read)| read.as_str());
        let wanted =
            self.wanted.iter().filter(|(of, ..)| of == fragment).map(|(_, wanted, _)| wanted.as_str());
        let known: BTreeSet<&str> = read.chain(wanted).collect();
        let stray = Diagnostic::error("stray-parameter", format!("`{fragment}` does not look at `${name}`"));
        let stray = stray.at(at).label("read by nothing");
        match did_you_mean(name, known.iter().copied()) {
            Some(near) => stray.help(format!("did you mean `{near}`?")),
            None if known.is_empty() => stray.help("it has no parameters"),
            None => stray
                .help(format!("its parameters are: {}", known.into_iter().collect::<Vec<_>>().join(", "))),
        }
    }
}
