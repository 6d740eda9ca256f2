//! Whose text may be shown: lines of the rules help whoever writes them; lines of any other file are somebody's secret.
//!
//! Rules are read with the router's rights and reported to whoever may reload them, so a path in them must not become a
//! way to look into files. Only files that are named as YAML are read as rules. Their lines are shown if they stand, links
//! followed, in the folder of the main file; those from elsewhere must look like rules, and no line of them is shown.

use std::io;
use std::path::{Path, PathBuf};

use super::Loader;
use crate::config::files::Place;
use crate::config::model::RulesFile;
use crate::text::diagnostic::{Diagnostic, FileId, Span};
use crate::text::yaml::Node;

/// How the names of rules end.
const ENDINGS: [&str; 3] = ["yaml", "yml", "json"];
/// What a file is by, if it is no part of the rules themselves.
const KINDS: [&str; 3] = ["protocol", "mapping", "catalog"];

/// What may be done with the text of a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Look {
    /// All of it may be shown.
    Shown,
    /// It may be rules, and no line of it is shown.
    Hidden,
    /// It is not even to be read as rules.
    Refused,
}

impl Loader<'_> {
    /// What may be done with the file at `place`.
    pub(super) fn look(&self, place: &Place) -> Look {
        let Place::Disk(path) = place else { return Look::Shown };
        let is_main = *place == self.main;
        match (is_named_as_rules(path) && is_named_as_rules(&self.files.real(path)), is_main) {
            (true, true) => Look::Shown,
            (true, false) if self.is_inside(path) => Look::Shown,
            (true, false) | (false, true) => Look::Hidden,
            (false, false) => Look::Refused,
        }
    }

    /// Whether a file stands, links followed, in the folder of the rules or below it.
    pub(super) fn is_inside(&self, path: &Path) -> bool {
        self.files.real(path).starts_with(self.files.real(&home(&self.main)))
    }

    /// The text of a file as diagnostics may show it: of what is hidden, the number and the length of its lines.
    pub(super) fn to_show(look: Look, text: &str) -> String {
        match look {
            Look::Shown => text.to_owned(),
            _ => text.bytes().map(|byte| if byte == b'\n' { '\n' } else { ' ' }).collect(),
        }
    }

    /// What is said of a text that is no YAML: words of a mistake may quote what stands there.
    pub(super) fn no_yaml(&self, file: FileId, found: Diagnostic) -> Diagnostic {
        let Some(at) = found.span.filter(|_| self.hidden.contains(&file)) else { return found };
        Diagnostic::error("yaml-syntax", "this is no YAML").at(at).label("here").help(WHY_HIDDEN)
    }

    /// Reports a hidden file that does not look like rules. Whether it does.
    pub(super) fn looks_like_rules(&mut self, file: FileId, node: &Node) -> bool {
        let known = |key: &str| KINDS.contains(&key) || RulesFile::KEYS.contains(&key);
        let entries = node.as_map().unwrap_or_default();
        let is_well = !self.hidden.contains(&file) || entries.iter().any(|(key, _)| known(&key.text));
        if !is_well {
            let at = Span::new(file, 0, 0);
            let message = "this is no rules file: it has none of the keys of one";
            self.diagnostics.push(Diagnostic::error("not-rules", message).at(at).help(WHY_HIDDEN));
        }
        is_well
    }
}

const WHY_HIDDEN: &str =
    "its lines are not shown: it stands outside of the folder of the rules, or is not named as YAML";

/// What is said of a file that is refused.
pub(super) fn refusal() -> io::Error {
    io::Error::other("it is no rules file, since its name, links followed, does not end in .yaml or .yml")
}

/// The folder that the rules of a main file live in: of a catalogue file, the one above its own.
fn home(main: &Place) -> PathBuf {
    let Place::Disk(path) = main else { return PathBuf::from(".") };
    let folder = path.parent().unwrap_or(Path::new(""));
    let folder = match folder.file_name() {
        Some(name) if name == super::uses::FOLDER => folder.parent().unwrap_or(Path::new("")),
        _ => folder,
    };
    if folder.as_os_str().is_empty() { PathBuf::from(".") } else { folder.to_path_buf() }
}

fn is_named_as_rules(path: &Path) -> bool {
    let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
    ENDINGS.iter().any(|known| ending.eq_ignore_ascii_case(known))
}
