//! `rulegate init`: writes the built-in rules to a folder, where people can edit them; `rulegate schema`: what editors
//! check them by.

use std::fs::{self, OpenOptions};
use std::io::{self, Error, ErrorKind, Write};
use std::path::Path;

use super::style::Style;
use super::{InitArguments, Outcome, SchemaArguments};
use crate::config::{builtin, schema};

/// The folder for schemas, beside the rules.
const SCHEMAS: &str = "schemas";
const MAIN: &str = "rules.yaml";

/// Writes the files that are not there yet, and says what it did.
pub(super) fn init(arguments: &InitArguments) -> Outcome {
    let folder = &arguments.folder;
    let wanted = |name: &str| arguments.all || name == MAIN;
    let rules = builtin::FILES.iter().filter(|(name, _)| wanted(name));
    let rules = rules.map(|(name, text)| ((*name).to_owned(), beside_schemas(text)));
    let documents =
        schema::documents().into_iter().filter(|it| wanted(&it.file.replace(".schema.json", ".yaml")));
    let schemas = documents.map(|it| (format!("{SCHEMAS}/{}", it.file), it.text()));
    for (name, text) in rules.chain(schemas) {
        let path = folder.join(name);
        if let Err(error) = written(&path, &text) {
            complain!("rulegate init: {}: {error}", path.display());
            return Outcome::Unusable;
        }
    }
    say!();
    if arguments.all {
        say!(
            "These files come before those inside the program from now on, so a new version of rulegate changes"
        );
        say!(
            "nothing in them. Delete those that you don't edit, and the ones inside the program count again."
        );
    } else {
        say!(
            "Protocols, mappings and the catalogue stay inside the program and follow its upgrades; a file of the same"
        );
        say!("name beside the rules comes before them. `rulegate init --all` writes them, too.");
    }
    let rules = folder.join(MAIN);
    let rules = rules.display();
    say!("\nEdit {rules}, then:\n  rulegate check {rules}\n  rulegate run --rules {rules}");
    Outcome::Well
}

/// Prints a schema.
pub(super) fn schema(arguments: &SchemaArguments) -> Outcome {
    let file = format!("{}.schema.json", arguments.of.name());
    match schema::documents().into_iter().find(|document| document.file == file) {
        Some(document) => {
            say!("{}", document.text().trim_end());
            Outcome::Well
        }
        None => Outcome::Unusable,
    }
}

/// The text of a built-in file with its schema in a folder beside the rules, instead of beside their folder.
fn beside_schemas(text: &str) -> String {
    text.replacen(&format!("{}../", builtin::SCHEMA), builtin::SCHEMA, 1)
}

/// Writes a file unless it is there, and says which of the two.
fn written(path: &Path, text: &str) -> io::Result<()> {
    let style = Style::stdout();
    let is_new = write_new(path, text)?;
    match is_new {
        true => say!("{} {}", style.good("written"), path.display()),
        false => say!("{}", style.faint(&format!("{} is there already and stays as it is", path.display()))),
    }
    Ok(())
}

/// Writes a file unless there is one: true if it was written. Anything but a file of its name is in the way.
fn write_new(path: &Path, text: &str) -> io::Result<bool> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    match OpenOptions::new().write(true).create_new(true).open(path) {
        Ok(mut file) => file.write_all(text.as_bytes()).map(|()| true),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => match fs::metadata(path) {
            Ok(there) if there.is_file() => Ok(false),
            Ok(there) if there.is_dir() => Err(in_the_way("a folder")),
            Ok(_) => Err(in_the_way("something that is no file")),
            Err(error) if error.kind() == ErrorKind::NotFound => Err(in_the_way("a link that leads nowhere")),
            Err(error) => Err(error),
        },
        Err(error) => Err(error),
    }
}

fn in_the_way(what: &str) -> Error {
    Error::other(format!("there is {what} of this name; move it away, or name another folder"))
}
