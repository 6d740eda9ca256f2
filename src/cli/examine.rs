//! Reads rules as the router would, for the commands that only look at them.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::input;
use super::style::Style;
use crate::config::builtin;
use crate::config::check::check;
use crate::config::files::{Disk, Files, Place, plain_file};
use crate::config::load::{Loaded, load};
use crate::config::model::Rules;
use crate::engine::{self, Engine};
use crate::text::diagnostic::{Diagnostics, Severity, Sources};

/// What was found out about a rules file.
pub(super) struct Examined {
    /// The rules compiled, if nothing is wrong with them.
    pub(super) ready: Option<(Rules, Arc<Engine>)>,
    pub(super) diagnostics: Diagnostics,
    pub(super) sources: Sources,
}

impl Examined {
    /// Prints what is wrong to the standard error, and at the end how much it is.
    pub(super) fn report(&mut self, style: Style) {
        if self.diagnostics.is_empty() {
            return;
        }
        self.diagnostics.sort();
        complain!("{}\n", self.diagnostics.render(&self.sources, style.colours()).trim_end());
    }

    /// How many errors and warnings there are.
    pub(super) fn counts(&self) -> (usize, usize) {
        let errors = self.diagnostics.iter().filter(|found| found.severity == Severity::Error).count();
        (errors, self.diagnostics.len() - errors)
    }
}

/// The name of the standard input.
const STDIN: &str = "-";

/// The disk, with what came over the standard input as the file `-` of this folder.
struct Piped<'t>(&'t [u8]);

impl Files for Piped<'_> {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        if path == Path::new(STDIN) { Ok(self.0.to_vec()) } else { Disk.read(path) }
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<String>> {
        Disk.list(folder)
    }

    fn real(&self, path: &Path) -> PathBuf {
        Disk.real(path)
    }
}

/// Reads, checks and compiles the rules at `path`; `-` is the standard input.
///
/// All three are done even when one finds a mistake, so that everything that is wrong is said at once.
///
/// # Errors
/// If the file itself cannot be read.
pub(super) fn examine(path: &Path) -> io::Result<Examined> {
    let piped =
        if path == Path::new(STDIN) { Some(input::read(path)?) } else { readable(path).map(|()| None)? };
    let files: &dyn Files = match &piped {
        Some(text) => &Piped(text),
        None => &Disk,
    };
    let Loaded { rules, sources, mut diagnostics, hash, .. } =
        load(files, path, &|name| std::env::var(name).ok());
    let mut ready = None;
    if let Some(rules) = rules {
        check(&rules, &mut diagnostics);
        let engine = engine::build(&rules, &hash, &mut diagnostics);
        ready = engine.filter(|_| !diagnostics.has_errors()).map(|engine| (rules, Arc::new(engine)));
    }
    Ok(Examined { ready, diagnostics, sources })
}

/// Whether there is a file to read at all. What stands inside the program always is.
///
/// # Errors
/// If the file cannot be opened.
pub(super) fn readable(path: &Path) -> io::Result<()> {
    match Place::of(path) {
        Place::Disk(file) => plain_file(&file).and_then(|_| std::fs::File::open(file)).map(drop),
        Place::Builtin(name) => {
            let missing =
                || io::Error::new(io::ErrorKind::NotFound, "there is no such file inside the program");
            builtin::text(&name).map(drop).ok_or_else(missing)
        }
    }
}

/// The rules that count when none are named: those of this folder, else those inside the program.
pub(super) fn usual() -> PathBuf {
    let here = ["rules/rules.yaml", "rules.yaml"].map(PathBuf::from);
    here.into_iter().find(|path| path.is_file()).unwrap_or_else(|| PathBuf::from(builtin::MAIN))
}

/// The files to look at: those named, else the usual ones.
pub(super) fn named_or_usual(files: &[PathBuf]) -> Vec<PathBuf> {
    if files.is_empty() { vec![usual()] } else { files.to_vec() }
}

/// A number of things in words: `1 error`, `2 errors`.
pub(super) fn several(count: usize, thing: &str) -> String {
    if count == 1 { format!("1 {thing}") } else { format!("{count} {thing}s") }
}
