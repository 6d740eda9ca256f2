//! Catalogue files: found, read, and laid under the providers that use them.

use std::io;

use super::Loader;
use crate::config::assemble::{Parts, assemble};
use crate::config::builtin;
use crate::config::files::{Place, matching};
use crate::config::model::{Catalog, Rules, Spanned};
use crate::config::overlay::overlay;
use crate::config::record::{FromNode, head_span};
use crate::config::values::unknown_name;
use crate::text::diagnostic::{Diagnostic, Span, did_you_mean};
use crate::text::yaml::{Kind, Node};

/// Where catalogue files stand, beside the rules or inside the program.
pub(super) const FOLDER: &str = "catalog";
const ENDING: &str = ".yaml";

/// A catalogue file that has been read.
pub(super) struct Known {
    place: Place,
    /// `None` if it is of no use, which has been reported.
    catalog: Option<Catalog>,
}

impl Loader<'_> {
    /// Completes the providers of a rules file by the catalogue files that they use.
    pub(super) fn uses(&mut self, from: &Place, node: &mut Node) {
        let Kind::Map(entries) = &mut node.kind else { return };
        let Some((_, providers)) = entries.iter_mut().find(|(key, _)| key.text == "providers") else {
            return;
        };
        let Kind::Map(providers) = &mut providers.kind else { return };
        for (_, provider) in providers {
            self.complete(from, provider, &mut Vec::new());
        }
    }

    /// Lays under `provider` what it uses, and what that uses. `users`: the files on the way there.
    fn complete(&mut self, from: &Place, provider: &mut Node, users: &mut Vec<Place>) {
        let Some(written) = provider.get("uses").filter(|uses| !uses.is_null()) else { return };
        let span = written.span;
        let found = match written.as_str() {
            Some(text) => self.used(from, &Spanned { value: text.to_owned(), span }, users),
            // What it should be is told where the provider is read.
            None => None,
        };
        match found {
            Some(base) => overlay(provider, &base),
            None => self.unfinished.push(head_span(provider)),
        }
    }

    /// The provider of the catalogue file that `uses` names.
    fn used(&mut self, from: &Place, uses: &Spanned<String>, users: &mut Vec<Place>) -> Option<Node> {
        let place = self.catalog_file(from, uses)?;
        if users.contains(&place) {
            let message = format!("`{}` uses itself", uses.value);
            let diagnostic = Diagnostic::error("uses-itself", message).at(uses.span);
            self.diagnostics.push(diagnostic.label("this leads back here"));
            return None;
        }
        if !self.catalog.iter().any(|known| known.place == place) {
            users.push(place.clone());
            let catalog = self.read_catalog(&place, uses.span, users);
            users.pop();
            self.catalog.push(Known { place: place.clone(), catalog });
        }
        let known = self.catalog.iter().find(|known| known.place == place)?;
        Some(known.catalog.as_ref()?.provider.0.clone())
    }

    /// The file that `uses` means: beside the file that says so, beside the main file, or inside the program.
    fn catalog_file(&mut self, from: &Place, uses: &Spanned<String>) -> Option<Place> {
        let path = format!("{}{ENDING}", uses.trim_end_matches(ENDING));
        let inside = Place::Builtin(path.trim_start_matches("./").to_owned());
        let mut places = vec![from.beside(&path), self.main.beside(&path), inside];
        places.dedup();
        if let Some(found) = places.into_iter().find(|place| self.exists(place)) {
            return Some(found);
        }
        let known = self.catalog_names(from);
        let last = |path: &str| path.rsplit('/').next().unwrap_or_default().to_owned();
        let words: Vec<String> = known.iter().map(|name| last(name)).collect();
        let wanted = last(&uses.value);
        let near = did_you_mean(&wanted, words.iter().map(String::as_str));
        let near =
            near.and_then(|near| words.iter().position(|word| word == near)).and_then(|at| known.get(at));
        let diagnostic = match near {
            Some(near) => {
                let none = unknown_name("catalogue file", uses, []);
                none.help(format!("did you mean `{near}`?"))
            }
            None => unknown_name("catalogue file", uses, known.iter().map(String::as_str)),
        };
        self.diagnostics.push(diagnostic);
        None
    }

    /// Whether there is such a file. One on disk is watched from now on: it may come yet.
    fn exists(&mut self, place: &Place) -> bool {
        match place {
            Place::Builtin(name) => builtin::text(name).is_some(),
            Place::Disk(path) => self.read_disk(path).is_ok(),
        }
    }

    /// How the catalogue files that there are can be written after `uses`.
    fn catalog_names(&self, from: &Place) -> Vec<String> {
        let pattern = format!("{FOLDER}/*{ENDING}");
        let mut names = Vec::new();
        for place in [from.beside(&pattern), self.main.beside(&pattern), Place::Builtin(pattern.clone())] {
            for found in matching(self.files, &place).unwrap_or_default() {
                let file = found.shown().replace('\\', "/");
                let name = file.rsplit('/').next().unwrap_or_default().trim_end_matches(ENDING);
                names.push(format!("{FOLDER}/{name}"));
            }
        }
        names.sort();
        names.dedup();
        names
    }

    fn read_catalog(&mut self, place: &Place, named: Span, users: &mut Vec<Place>) -> Option<Catalog> {
        let error = match self.open(place) {
            Ok(Some((_, node))) if node.get(FOLDER).is_some() => return self.catalog_of(place, node, users),
            Ok(Some(_)) => {
                io::Error::other(format!("it has no `{FOLDER}: NAME`, so it is no catalogue file"))
            }
            Ok(None) => return None,
            Err(error) => error,
        };
        let message = format!("{} cannot be used: {error}", place.shown());
        self.diagnostics.push(Diagnostic::error("unreadable-file", message).at(named).label("used here"));
        None
    }

    /// A catalogue file out of its node; its provider is complete, but nothing is read from it yet.
    fn catalog_of(&mut self, place: &Place, mut node: Node, users: &mut Vec<Place>) -> Option<Catalog> {
        self.keys(&node);
        let rules = rules_of(place);
        if let Kind::Map(entries) = &mut node.kind {
            for (key, value) in entries {
                if key.text == "provider" {
                    self.complete(&rules, value, users);
                } else {
                    self.fill_in(value);
                }
            }
        }
        Catalog::from_node(&node, &mut self.diagnostics)
    }

    /// The rules that a catalogue file makes when it is looked at on its own.
    pub(super) fn catalog_alone(&mut self, main: &Place, start: Span, node: Node) -> Option<Rules> {
        let mut catalog = self.catalog_of(main, node, &mut vec![main.clone()])?;
        let provider = &mut catalog.provider.0;
        self.fill_in(provider);
        let mut parts = Parts::default();
        let rules = rules_of(main);
        for folder in ["protocols", "mappings"] {
            let pattern = Spanned { value: format!("{folder}/*{ENDING}"), span: start };
            let files = self.find(&rules, &pattern);
            let opened = self.open_all(&files);
            for (file, opened) in files.iter().zip(opened) {
                self.include(file, opened, (&rules, &pattern), &mut parts);
            }
        }
        let common = assemble(start, parts, |_| false, &mut self.diagnostics);
        catalog.alone(&common, true, &mut self.diagnostics)
    }

    /// The catalogue files that are of use, for their tests.
    pub(super) fn catalogs(&mut self) -> Vec<Catalog> {
        let mut known: Vec<Catalog> = self.catalog.drain(..).filter_map(|known| known.catalog).collect();
        for catalog in &mut known {
            // What is not set has been told of the providers that use the file, unless they do without it.
            let provider = &mut catalog.provider.0;
            self.substitution.apply(provider, &mut self.sources, &mut Default::default());
        }
        known
    }
}

/// Where the rules stand that a catalogue file belongs to: in the folder above its own.
fn rules_of(catalog: &Place) -> Place {
    catalog.beside("../rules.yaml")
}
