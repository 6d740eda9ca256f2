//! The files that an `include` names, and what was probably meant where there are none.

use std::io;

use super::{Loader, Parts, Spanned};
use crate::config::builtin;
use crate::config::files::{Place, is_pattern, matching};
use crate::text::diagnostic::{Diagnostic, FileId, did_you_mean};
use crate::text::yaml::Node;

impl Loader<'_> {
    /// The files that an `include` names. What is not there beside the rules may be inside the program.
    pub(super) fn find(&mut self, from: &Place, pattern: &Spanned<String>) -> Vec<Place> {
        let place = from.beside(pattern);
        let builtin = Place::Builtin(pattern.trim_start_matches("./").to_string());
        if !is_pattern(pattern) {
            let there = match &place {
                Place::Disk(path) => self.files.read(path).is_ok(),
                Place::Builtin(_) => true,
            };
            let inside = matches!(&builtin, Place::Builtin(name) if builtin::text(name).is_some());
            return vec![if !there && inside { builtin } else { place }];
        }
        let (folder_exists, found) = match matching(self.files, &place) {
            Some(found) => (true, found),
            None => (false, matching(self.files, &builtin).unwrap_or_default()),
        };
        if found.is_empty() {
            let message = format!("`{}` matches no file", pattern.value);
            let diagnostic = if folder_exists {
                Diagnostic::warning("no-files", message).label("the folder has none")
            } else {
                // Much is missing then, and this is why.
                self.incomplete = true;
                Diagnostic::error("no-folder", message).label("there is no such folder")
            };
            let meant = self.meant(from, pattern);
            let diagnostic = diagnostic.at(pattern.span);
            self.diagnostics.push(match meant {
                Some(meant) => diagnostic.help(format!("did you mean `{meant}`?")),
                None => diagnostic,
            });
        }
        found
    }

    /// Whether a file inside the program has one of the same name beside the rules that was read in its place.
    pub(super) fn is_replaced(&self, place: &Place) -> bool {
        matches!(place, Place::Builtin(name) if self.seen.contains(&self.main.beside(name)))
    }

    pub(super) fn include(
        &mut self,
        place: &Place,
        opened: io::Result<Option<(FileId, Node)>>,
        (from, named): (&Place, &Spanned<String>),
        parts: &mut Parts,
    ) {
        match opened {
            Ok(Some((_, node))) => self.take(place, node, parts),
            Ok(None) => {}
            Err(error) => {
                self.incomplete = true;
                let message = format!("{} cannot be read: {error}", place.shown());
                let diagnostic = Diagnostic::error("unreadable-file", message).at(named.span);
                let diagnostic = diagnostic.label("included here");
                let is_missing =
                    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::IsADirectory);
                self.diagnostics.push(match self.meant(from, named).filter(|_| is_missing) {
                    Some(meant) => diagnostic.help(format!("did you mean `{meant}`?")),
                    None => diagnostic,
                });
            }
        }
    }

    /// The pattern with the name of a folder that there is, beside `from` or inside the program.
    fn meant(&self, from: &Place, pattern: &str) -> Option<String> {
        let plain = pattern.trim_start_matches("./");
        let (folder, rest) = plain.split_once('/').unwrap_or((plain, ""));
        let mut folders = Vec::new();
        if let Place::Disk(path) = from.beside("x") {
            let parent = path.parent().map(std::path::Path::to_path_buf).unwrap_or_default();
            folders.extend(self.files.list(&parent).unwrap_or_default());
        }
        let inside = builtin::FILES.iter().filter_map(|(name, _)| name.split_once('/'));
        folders.extend(inside.map(|(folder, _)| folder.to_owned()));
        folders.retain(|name| !name.contains('.'));
        let near = did_you_mean(folder, folders.iter().map(String::as_str))?;
        let rest = match rest.strip_suffix(".yml") {
            _ if rest.is_empty() => "*.yaml".to_owned(),
            Some(name) if near == folder => format!("{name}.yaml"),
            _ => rest.to_owned(),
        };
        Some(format!("{near}/{rest}")).filter(|meant| meant != plain)
    }
}

/// Whether a file inside the program can be of use to these rules: any protocol, and a mapping from what a route's clients
/// speak to what a provider does. Its name says which: `mappings/FROM--TO.yaml`.
pub(super) fn is_needed(place: &Place, parts: &Parts) -> bool {
    let Place::Builtin(name) = place else { return true };
    let Some(pair) = name.strip_prefix("mappings/").and_then(|name| name.strip_suffix(".yaml")) else {
        return true;
    };
    let Some((from, to)) = pair.split_once("--") else { return true };
    let mut routes = parts.rules.iter().flat_map(|rules| &rules.routes);
    let mut providers = parts.rules.iter().flat_map(|rules| rules.providers.iter());
    routes.any(|route| route.protocol.as_ref().is_some_and(|protocol| protocol.value == from))
        && providers.any(|(_, provider)| provider.speaks.iter().any(|speaks| speaks.value == to))
}
