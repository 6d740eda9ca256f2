//! Where the values of variables come from beside the environment: files with keys, and files that hold one value each.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use super::Loader;
use crate::config::files::Place;
use crate::config::secrets;
use crate::text::diagnostic::{Diagnostic, Span};
use crate::text::yaml::Node;

/// The most files of a folder that are taken as secrets.
const MOST: usize = 1_000;
/// What is behind a variable's name in the name of the one that says in which file its value is.
const FILE: &str = "_FILE";

impl Loader<'_> {
    /// Puts the values of variables in their places under `node`.
    pub(super) fn fill_in(&mut self, node: &mut Node) {
        for (name, path) in self.substitution.files_wanted(node) {
            let place = Place::Disk(PathBuf::from(&path));
            let value = self.read_keys(&place).and_then(|bytes| one_value(&bytes));
            if let Err(error) = &value {
                let message = format!("{} cannot be read: {error}", place.shown());
                let diagnostic = Diagnostic::warning("unreadable-file", message);
                self.diagnostics.push(diagnostic.help(format!("the variable `{name}{FILE}` names it")));
                self.substitution.misses_a_file();
            }
            self.substitution.file_of(name, value.ok());
        }
        self.substitution.apply(node, &mut self.sources, &mut self.diagnostics);
    }

    /// Reads the files with keys, which have to be known before anything else is completed.
    pub(super) fn secrets(&mut self, rules: &Place, node: &Node) {
        let Some(listed) = node.get("secrets").and_then(Node::as_list) else { return };
        for item in listed {
            let mut item = item.clone();
            self.fill_in(&mut item);
            let Some(path) = item.as_str() else { continue };
            // Beside the rules, else in the working directory: the rules inside the program have no folder.
            let mut places = vec![rules.beside(path), Place::Disk(PathBuf::from(path))];
            places.retain(|place| matches!(place, Place::Disk(_)));
            places.dedup();
            let read: Vec<bool> = places.iter().map(|place| self.secret(place, item.span)).collect();
            if !read.contains(&true) {
                self.substitution.misses_a_file();
            }
        }
    }

    /// Reads a file with keys, or a folder of files with one key each. Whether it is there and well.
    fn secret(&mut self, place: &Place, named: Span) -> bool {
        match self.read_keys(place) {
            Ok(bytes) => {
                let before = self.diagnostics.len();
                let values = self.substitution.secrets();
                let torn =
                    secrets::read(&place.shown(), &bytes, values, &mut self.sources, &mut self.diagnostics);
                self.substitution.may_be_torn(torn);
                if self.diagnostics.len() > before {
                    self.substitution.misses_a_file();
                }
                return true;
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => {
                if let (ErrorKind::IsADirectory, Place::Disk(folder)) = (error.kind(), place) {
                    match self.files.list(folder) {
                        Ok(names) => {
                            self.secrets_in(folder, names, named);
                            return true;
                        }
                        Err(error) => self.unreadable_secret(place, &error, named),
                    }
                } else {
                    self.unreadable_secret(place, &error, named);
                }
            }
        }
        false
    }

    /// One file for each secret, called by the variable's name: what Kubernetes and Docker lay out.
    fn secrets_in(&mut self, folder: &Path, names: Vec<String>, named: Span) {
        for name in names.into_iter().filter(|name| secrets::is_name(name)).take(MOST) {
            let place = Place::Disk(folder.join(&name));
            match self.read_keys(&place).and_then(|bytes| one_value(&bytes)) {
                Ok(value) => {
                    self.substitution.secrets().entry(secrets::canonical(&name)).or_insert(value);
                }
                Err(error) if error.kind() == ErrorKind::IsADirectory => {}
                Err(error) => self.unreadable_secret(&place, &error, named),
            }
        }
    }

    /// The bytes of a file with keys, which no test may show.
    fn read_keys(&mut self, place: &Place) -> io::Result<Vec<u8>> {
        self.holds_keys(place);
        self.read(place)
    }

    /// Notes that there are keys in a file.
    pub(super) fn holds_keys(&mut self, place: &Place) {
        if let Place::Disk(path) = place {
            self.secret_files.push(self.files.real(path));
        }
    }

    fn unreadable_secret(&mut self, place: &Place, error: &io::Error, named: Span) {
        self.substitution.misses_a_file();
        let message = format!("{} cannot be read: {error}", place.shown());
        let diagnostic = Diagnostic::warning("unreadable-file", message).at(named);
        self.diagnostics.push(diagnostic.label("named here"));
    }
}

/// What a file with one value holds, without the white space and the end of the line around it.
fn one_value(bytes: &[u8]) -> io::Result<String> {
    let text = std::str::from_utf8(bytes).map_err(|_| io::Error::other("it is not UTF-8"))?;
    Ok(text.trim_start_matches('\u{feff}').trim().to_owned())
}
