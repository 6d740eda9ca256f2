//! `rulegate init`: writes the built-in rules to a folder, where people can edit them.

use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::Path;

use super::style::Style;
use super::{InitArguments, Outcome};
use crate::config::builtin;

/// Writes every built-in file that is not there yet, and says what it did.
pub(super) fn init(arguments: &InitArguments) -> Outcome {
    let folder = &arguments.folder;
    let style = Style::stdout();
    for (name, text) in builtin::FILES {
        let path = folder.join(name);
        match write_new(&path, text) {
            Ok(is_new) => {
                let what = if is_new { style.good("written") } else { style.faint("is there already") };
                say!("{what} {}", path.display());
            }
            Err(error) => {
                complain!("rulegate init: {}: {error}", path.display());
                return Outcome::Unusable;
            }
        }
    }
    let rules = folder.join("rules.yaml");
    let rules = rules.display();
    say!("\nEdit {rules}, then:\n  rulegate check {rules}\n  rulegate run --rules {rules}");
    Outcome::Well
}

/// Writes a file unless there is one: true if it was written.
fn write_new(path: &Path, text: &str) -> io::Result<bool> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    match OpenOptions::new().write(true).create_new(true).open(path) {
        Ok(mut file) => file.write_all(text.as_bytes()).map(|()| true),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error),
    }
}
