//! Reads the rules and everything they include, with variables and keys put in.

use std::io;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::assemble::{Parts, assemble};
use super::files::{Files, Place, Seen};
use super::keys;
use super::model::{Mapping, Protocol, Rules, RulesFile, Spanned};
use super::record::FromNode;
use super::secrets::Values;
use super::substitute::Substitution;
use crate::text::diagnostic::{Diagnostic, Diagnostics, FileId, Sources, Span};
use crate::text::yaml::Node;

/// The most files that rules may include.
const MOST_FILES: usize = 1_000;

mod encoding;
mod includes;
mod named;
mod open;
mod secrets;
mod shipped;
mod shown;
mod uses;

/// What came of loading.
pub struct Loaded {
    /// The rules; `None` if there is nothing to check. While `diagnostics` has errors they are for finding
    /// further mistakes only, not for running.
    pub rules: Option<Rules>,
    /// The texts that diagnostics point into. Values of variables never stand in them.
    pub sources: Sources,
    /// Everything that is wrong so far.
    pub diagnostics: Diagnostics,
    /// All files on disk that were read or looked for, also those with keys: what to watch,
    /// and with which content they were read.
    pub files: Vec<Seen>,
    /// SHA-256, in hexadecimal, of everything that was read.
    pub hash: String,
    /// The values that variables were found to have.
    pub values: Values,
}

/// Reads the rules at `path` (`builtin:rules.yaml` for those inside the program).
pub fn load(files: &dyn Files, path: &Path, env: &dyn Fn(&str) -> Option<String>) -> Loaded {
    read(files, path, Substitution::new(env, &Values::new()), false)
}

/// The same for a router: tests that need not be run, because they and all that they test are as inside the program, are
/// not even read. They are the greater part of the files. `last` are the values that variables had in the rules in force:
/// one that is no longer set keeps its value.
pub fn load_to_run(
    files: &dyn Files,
    path: &Path,
    env: &dyn Fn(&str) -> Option<String>,
    last: &Values,
) -> Loaded {
    let loaded = read(files, path, Substitution::new(env, last), true);
    let is_well = loaded.rules.as_ref().is_none_or(Rules::has_no_use_for_shipped_tests);
    if is_well { loaded } else { read(files, path, Substitution::new(env, last), false) }
}

fn read(
    files: &dyn Files,
    path: &Path,
    substitution: Substitution<'_>,
    without_shipped_tests: bool,
) -> Loaded {
    let mut loader = Loader {
        files,
        substitution,
        sources: Sources::new(),
        diagnostics: Diagnostics::new(),
        places: Vec::new(),
        watched: Vec::new(),
        as_shipped: Vec::new(),
        hidden: Vec::new(),
        secret_files: Vec::new(),
        without_shipped_tests,
        hasher: Sha256::new(),
        size: 0,
        keys: Vec::new(),
        incomplete: false,
        seen: Vec::new(),
        main: Place::of(path),
        catalog: Vec::new(),
        unfinished: Vec::new(),
        said_again: Vec::new(),
        laid_under: Vec::new(),
    };
    let rules = loader.all(Place::of(path));
    loader.finish(rules)
}

struct Loader<'l> {
    files: &'l dyn Files,
    substitution: Substitution<'l>,
    sources: Sources,
    diagnostics: Diagnostics,
    /// The place of each file in `sources`.
    places: Vec<(FileId, Place)>,
    watched: Vec<Seen>,
    as_shipped: Vec<FileId>,
    /// Files of which no line is shown.
    hidden: Vec<FileId>,
    /// Files with keys, links followed.
    secret_files: Vec<PathBuf>,
    /// Whether the tests in these are left out.
    without_shipped_tests: bool,
    hasher: Sha256,
    /// How much was read from the disk, in bytes.
    size: usize,
    /// The places of all keys: a key may be missing, its provider is left out then.
    keys: Vec<Span>,
    /// Whether a file is missing or unreadable, so that names may be unknown without being wrong.
    incomplete: bool,
    /// Files that have been included, so that none is twice.
    seen: Vec<Place>,
    /// The file that was asked for.
    main: Place,
    /// Catalogue files that have been read.
    catalog: Vec<uses::Known>,
    /// Providers that use what is not there: much is missing in them, and nobody need be told.
    unfinished: Vec<Span>,
    /// What a file says itself of what the shipped rules that it includes have, too: in which part, and the name.
    said_again: Vec<(&'static str, String)>,
    /// The shipped rules that a file is laid over.
    laid_under: Vec<FileId>,
}

impl Loader<'_> {
    fn all(&mut self, main: Place) -> Option<Rules> {
        let file = match self.open(&main) {
            Ok(opened) => opened?,
            Err(error) => {
                let message = format!("{} cannot be read: {error}", main.shown());
                let mut diagnostic = Diagnostic::error("unreadable-file", message);
                if error.kind() == io::ErrorKind::NotFound {
                    diagnostic =
                        diagnostic.help("`rulegate init` writes the rules that are inside the program");
                }
                self.diagnostics.push(diagnostic);
                return None;
            }
        };
        let start = Span { file: file.0, start: 0, end: 0 };
        if file.1.get("catalog").is_some() {
            let rules = self.catalog_alone(&main, start, file.1);
            return self.complete_rules(rules?);
        }
        let mut parts = Parts::default();
        self.take(&main, file.1, &mut parts);
        if parts.rules.is_empty() {
            if parts.protocols.is_empty() && parts.mappings.is_empty() {
                return None;
            }
            // A protocol or mapping on its own: what it names may be anywhere.
            self.incomplete = true;
        }
        self.seen.push(main.clone());
        self.includes(&main, start, &mut parts);
        let inside = |span: Span| {
            self.places.iter().any(|(file, place)| *file == span.file && matches!(place, Place::Builtin(_)))
        };
        let rules = assemble(start, parts, inside, &mut self.diagnostics);
        self.complete_rules(rules)
    }

    /// Adds to the rules what is known when all has been read.
    fn complete_rules(&mut self, mut rules: Rules) -> Option<Rules> {
        rules.incomplete = self.incomplete;
        rules.as_shipped = std::mem::take(&mut self.as_shipped);
        rules.laid_under = std::mem::take(&mut self.laid_under);
        self.unset();
        rules.catalog = self.catalogs();
        rules.unset = self.substitution.incomplete();
        rules.filled = self.substitution.filled();
        rules.proxy_variables = self.substitution.proxy_variables();
        self.named_files(&mut rules);
        Some(rules)
    }

    fn finish(self, rules: Option<Rules>) -> Loaded {
        let incomplete = self.substitution.incomplete();
        let mut diagnostics = Diagnostics::new();
        // A scalar without its variable is wrong in one way only, whatever else its reader thought.
        diagnostics.extend(self.diagnostics.into_vec().into_iter().filter(|found| {
            let is_at = |places: &[Span]| found.span.is_some_and(|span| places.contains(&span));
            match found.code {
                "unset-variable" | "bad-variable" | "bad-value" | "kept-value" => true,
                "missing-key" => !is_at(&incomplete) && !is_at(&self.unfinished),
                _ => !is_at(&incomplete),
            }
        }));
        let values = self.substitution.into_used();
        let hash = self.hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        Loaded { rules, sources: self.sources, diagnostics, files: self.watched, hash, values }
    }

    /// Notes where keys stand; those that stand in the file itself are not shown from here on.
    fn keys(&mut self, node: &Node) {
        self.substitution
            .strict(keys::all(node).into_iter().chain(keys::addresses(node)).chain(keys::proxies(node)));
        self.substitution.revocable(keys::of_access(node));
        for proxy in keys::proxies(node).filter(|proxy| keys::has_literal_login(proxy)) {
            self.sources.mask(proxy.span);
        }
        for key in keys::all(node) {
            self.keys.push(key.span);
            if keys::is_literal(key) {
                match key.as_str() {
                    Some(text) if self.hidden.contains(&key.span.file) => self.sources.hide(text, "***"),
                    _ => self.sources.mask(key.span),
                }
                let is_client = keys::of_clients(node).contains(&key);
                if is_client || key.as_str().is_some_and(keys::is_long) {
                    let message = if is_client {
                        "the key of a client stands in the file itself"
                    } else {
                        "the key of a provider stands in the file itself"
                    };
                    let diagnostic = Diagnostic::warning("literal-key", message).at(key.span);
                    let diagnostic = diagnostic.label("whoever reads the file has it");
                    let help = if is_client {
                        "write `${NAME}`, or the digest: `sha256:` and what `sha256sum` says of the key"
                    } else {
                        "write `${NAME}`, and set NAME in the environment or in a file of `secrets`"
                    };
                    self.diagnostics.push(diagnostic.help(help));
                }
            }
        }
    }

    /// Reads a file as what it is.
    fn take(&mut self, place: &Place, mut node: Node, parts: &mut Parts) {
        let is = |key: &str| node.get(key).is_some();
        let (protocol, mapping) = (is("protocol"), is("mapping"));
        if protocol || mapping {
            self.fill_in(&mut node);
        } else {
            self.over_shipped(place, &mut node);
            self.without_said_again(place, &mut node);
            self.secrets(place, &node);
            self.uses(place, &mut node);
            self.keys(&node);
            self.fill_in(&mut node);
        }
        let diags = &mut self.diagnostics;
        let read = if protocol {
            Protocol::from_node(&node, diags).map(|it| parts.protocols.push(it))
        } else if mapping {
            Mapping::from_node(&node, diags).map(|it| parts.mappings.push(it))
        } else {
            RulesFile::from_node(&node, diags).map(|it| parts.rules.push(it))
        };
        // Providers in a list have no names; what an `include` that is no list would include is not read.
        let is_list = node.get("providers").is_some_and(|providers| providers.as_list().is_some());
        let includes_nothing = node.get("include").is_some_and(|include| include.as_str().is_some());
        self.incomplete |= read.is_none() || is_list || includes_nothing;
    }

    /// Reads what the last of `parts.rules`, which stands at `place`, includes; and what that includes.
    fn includes(&mut self, place: &Place, start: Span, parts: &mut Parts) {
        let mut patterns = parts.rules.last().map(|rules| rules.include.clone()).unwrap_or_default();
        let own = patterns.len();
        if parts.rules.len() == 1 {
            // The protocols and mappings that the program brings along are there for all rules; what is read before
            // them comes before them. Of the mappings, which are long, only those that a route and a provider need.
            let standard = ["builtin:protocols/*.yaml", "builtin:mappings/*.yaml"];
            patterns.extend(standard.map(|path| Spanned { value: path.to_string(), span: start }));
        }
        for (number, pattern) in patterns.iter().enumerate() {
            let mut found = self.find(place, pattern);
            found.retain(|found| {
                let is_asked_for =
                    number < own || (!self.is_replaced(found) && includes::is_needed(found, parts));
                is_asked_for && !self.seen.contains(found)
            });
            if self.seen.len() + found.len() > MOST_FILES {
                self.incomplete = true;
                let message = format!("the rules include more than {MOST_FILES} files");
                let diagnostic = Diagnostic::error("too-many-files", message).at(pattern.span);
                self.diagnostics.push(diagnostic.label("these are too many"));
                return;
            }
            self.seen.extend(found.iter().cloned());
            let opened = self.open_all(&found);
            for (found, opened) in found.into_iter().zip(opened) {
                let before = parts.rules.len();
                self.include(&found, opened, (place, pattern), parts);
                if parts.rules.len() > before {
                    self.includes(&found, start, parts);
                }
            }
        }
    }

    /// Variables that are not set, where that is wrong.
    fn unset(&mut self) {
        for (span, names) in self.substitution.unset() {
            if self.keys.contains(span) {
                continue;
            }
            for name in names {
                let message = format!("the variable `{name}` is not set, or empty");
                let diagnostic = Diagnostic::error("unset-variable", message).at(*span).label("needed here");
                self.diagnostics.push(diagnostic.help(format!("write `${{{name}:-...}}` to give a default")));
            }
        }
    }
}

#[cfg(test)]
mod tests;
