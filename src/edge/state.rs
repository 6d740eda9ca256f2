//! The file that lets what is known of providers survive a restart: read at the start, written beside the work.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::Value;

use super::router::Router;
use super::stores::Stores;
use crate::engine::Engine;
use crate::engine::health::Health;

/// How often it is looked whether there is something new to be written.
const PAUSE: Duration = Duration::from_secs(1);
/// What the file beside the rules is called, after their own name.
const ENDING: &str = "state.json";
/// The word for no file at all.
const OFF: &str = "off";

/// The file, and what was written last.
pub struct StateFile {
    path: PathBuf,
    written: Mutex<Written>,
}

#[derive(Default)]
struct Written {
    text: String,
    /// Has it been told that the file cannot be written?
    told: bool,
}

impl StateFile {
    /// The file that belongs to the rules at `rules`: where `wanted` says, from the rules' folder on; else beside
    /// them. None for the word `off`, and for rules inside the program unless `wanted` names a file.
    pub fn of(rules: &Path, wanted: Option<&str>) -> Option<StateFile> {
        let inside = rules.to_str().is_some_and(|rules| rules.starts_with("builtin:"));
        let path = match wanted {
            Some(OFF) => return None,
            Some(path) if inside => PathBuf::from(path),
            Some(path) => rules.parent().unwrap_or(Path::new("")).join(path),
            None if inside => return None,
            None => rules.with_extension(ENDING),
        };
        Some(StateFile { path, written: Mutex::default() })
    }

    /// What the file holds. A file that cannot be understood is set aside, so that it can be looked at, and
    /// nothing is known then.
    pub fn read(&self) -> Health {
        let path = self.path.display();
        let text = match fs::read_to_string(&self.path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Health::new(),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => String::new(),
            Err(error) => {
                tracing::warn!(
                    "the state in {path} cannot be read, so nothing is known of providers: {error}"
                );
                return Health::new();
            }
        };
        let parsed = serde_json::from_str::<Value>(&text).map_err(|error| format!("it is no JSON: {error}"));
        match parsed.and_then(|state| Health::from_state(&state)) {
            Ok(health) => {
                tracing::info!("what was known of providers is taken from {path}");
                self.lock().text = text;
                health
            }
            Err(reason) => {
                let aside = with_more(&self.path, ".broken");
                match fs::rename(&self.path, &aside) {
                    Ok(()) => tracing::warn!(
                        "the state in {path} is not understood ({reason}); it is set aside as {}, and nothing is known of providers",
                        aside.display()
                    ),
                    Err(error) => tracing::warn!(
                        "the state in {path} is not understood ({reason}) and cannot be set aside: {error}"
                    ),
                }
                Health::new()
            }
        }
    }

    /// Writes what is known now, if that is something new. The file is never seen half written.
    pub fn write(&self, stores: &Stores) {
        let text = format!("{:#}\n", stores.health().to_state());
        let mut written = self.lock();
        if written.text == text {
            return;
        }
        match replace(&self.path, &text) {
            Ok(()) => *written = Written { text, told: false },
            Err(error) => {
                if !written.told {
                    tracing::warn!(
                        "{} cannot be written, so what is known of providers ends with this process: {error} (`state: off` in the rules, or another path)",
                        self.path.display()
                    );
                }
                written.told = true;
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Written> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The file that the rules in force want, which may be another one when they have been read again.
pub struct Keeper {
    /// The main file of the rules.
    rules: PathBuf,
    /// What the command line says, whatever the rules say.
    always: Option<String>,
    file: Mutex<Option<StateFile>>,
}

impl Keeper {
    /// Begins with what these rules want.
    pub fn new(rules: &Path, always: Option<String>, engine: &Engine) -> Keeper {
        let wanted = always.as_deref().or(engine.state.as_deref());
        let file = Mutex::new(StateFile::of(rules, wanted));
        Keeper { rules: rules.to_owned(), always, file }
    }

    /// What was known before.
    pub fn read(&self) -> Health {
        self.lock().as_ref().map(StateFile::read).unwrap_or_default()
    }

    /// Writes what is known now to where the rules want it, if that is something new.
    pub fn write(&self, engine: &Engine, stores: &Stores) {
        let wanted = self.always.as_deref().or(engine.state.as_deref());
        let wanted = StateFile::of(&self.rules, wanted);
        let mut file = self.lock();
        let path = |file: &Option<StateFile>| file.as_ref().map(|file| file.path.clone());
        if path(&wanted) != path(&file) {
            match &wanted {
                Some(file) => tracing::info!("what is known of providers is kept in {}", file.path.display()),
                None => tracing::info!("what is known of providers is kept in no file any more"),
            }
            *file = wanted;
        }
        if let Some(file) = &*file {
            file.write(stores);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<StateFile>> {
        self.file.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Keeps the file up to date until it is dropped.
pub async fn keep(keeper: Arc<Keeper>, router: Arc<Router>) {
    loop {
        tokio::time::sleep(PAUSE).await;
        let (keeper, router) = (keeper.clone(), router.clone());
        let write = move || keeper.write(&router.rules().engine, &router.world().stores);
        // A disk may be slow. An error in the writing has been told, and the next writing may well succeed.
        let _ = tokio::task::spawn_blocking(write).await;
    }
}

fn replace(path: &Path, text: &str) -> io::Result<()> {
    let new = with_more(path, ".new");
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&new)?;
    file.write_all(text.as_bytes())?;
    file.sync_data()?;
    drop(file);
    fs::rename(&new, path).inspect_err(|_| drop(fs::remove_file(&new)))
}

/// The path with something behind its last name.
fn with_more(path: &Path, more: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(more);
    PathBuf::from(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_stands_beside_the_rules_unless_they_say_otherwise() {
        let path = |rules: &str, wanted: Option<&str>| {
            StateFile::of(Path::new(rules), wanted).map(|file| file.path.display().to_string())
        };
        assert_eq!(path("a/rules.yaml", None).as_deref(), Some("a/rules.state.json"));
        assert_eq!(path("a/rules.yaml", Some("b.json")).as_deref(), Some("a/b.json"));
        assert_eq!(path("a/rules.yaml", Some("/var/b.json")).as_deref(), Some("/var/b.json"));
        assert_eq!(path("a/rules.yaml", Some("off")), None);
        assert_eq!(path("builtin:rules.yaml", None), None);
        assert_eq!(path("builtin:rules.yaml", Some("b.json")).as_deref(), Some("b.json"));
    }
}
