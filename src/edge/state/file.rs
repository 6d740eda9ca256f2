//! The state's file: read with limits, written whole or not at all, and by one process at a time.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::Value;

use crate::config::files::read_plain;
use crate::edge::stores::Stores;
use crate::engine::Ms;
use crate::engine::health::Health;
use crate::text::units::Redactor;

/// What the file beside the rules is called, after their own name.
const ENDING: &str = "state.json";
/// The word for no file at all.
const OFF: &str = "off";
/// The largest file that is read, in bytes.
const LARGEST: u64 = 16 << 20;
/// The longest that anything that was known may last, in milliseconds: what is later is no sensible limit of a provider.
const LONGEST: Ms = 400 * 24 * 3600 * 1000;
/// No number is larger, so that it can be counted on.
const LARGEST_NUMBER: i64 = 1 << 53;

/// The file, and what was written last.
pub struct StateFile {
    path: PathBuf,
    written: Mutex<Written>,
}

#[derive(Default)]
struct Written {
    text: String,
    /// Keeps other processes from writing. The system gives it back however this process ends.
    lock: Option<File>,
    /// Whether it has been told that another process has the lock.
    told_taken: bool,
    /// Whether it has been told that the file cannot be written.
    told_failing: bool,
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

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What the file holds, at the time `now`. A file that cannot be understood is set aside, so that it can be looked
    /// at, and nothing is known then.
    pub fn read(&self, now: Ms) -> Health {
        let mut written = self.lock();
        let is_own = self.holds(&mut written);
        let path = self.path.display();
        let bytes = match read_plain(&self.path, LARGEST) {
            Ok(bytes) => Ok(bytes),
            Err(error) if error.kind() == ErrorKind::NotFound => return Health::new(),
            Err(error) if error.kind() == ErrorKind::FileTooLarge => Err(error.to_string()),
            Err(error) => {
                tracing::warn!(
                    "the state in {path} cannot be read, so nothing is known of providers: {error}"
                );
                return Health::new();
            }
        };
        let text = bytes.and_then(|bytes| String::from_utf8(bytes).map_err(|_| "it is not UTF-8".to_owned()));
        let parsed = text.and_then(|text| {
            let parsed = serde_json::from_str::<Value>(&text);
            let mut state = parsed.map_err(|error| format!("it is no JSON: {error}"))?;
            bound(&mut state, now.saturating_add(LONGEST));
            Ok((Health::from_state(&state)?, text))
        });
        match parsed {
            Ok((health, text)) => {
                tracing::info!("what was known of providers is taken from {path}");
                written.text = text;
                health
            }
            Err(reason) => {
                if is_own {
                    self.set_aside(&reason);
                }
                Health::new()
            }
        }
    }

    fn set_aside(&self, reason: &str) {
        let (path, aside) = (self.path.display(), with_more(&self.path, ".broken"));
        match fs::rename(&self.path, &aside) {
            Ok(()) => tracing::warn!(
                "the state in {path} is not understood ({reason}); it is set aside as {}, and nothing is known of providers",
                aside.display()
            ),
            Err(error) => tracing::warn!(
                "the state in {path} is not understood ({reason}) and cannot be set aside: {error}"
            ),
        }
    }

    /// Writes what is known now, without these keys, if that is something new. The file is never seen half written.
    ///
    /// # Errors
    /// Why it is not on disk.
    pub fn write(&self, stores: &Stores, keys: &Redactor) -> Result<(), String> {
        let mut written = self.lock();
        // What two write at once is written in the order in which it was read.
        let text = format!("{:#}\n", stores.health().to_state());
        let text = keys.redacted_text(&text).unwrap_or(text);
        if written.text == text && !written.told_taken {
            return Ok(());
        }
        if !self.holds(&mut written) {
            return Err(format!("another router keeps its state in {}", self.path.display()));
        }
        match replace(&self.path, &text) {
            Ok(()) => {
                if written.told_failing {
                    tracing::info!("{} can be written again", self.path.display());
                }
                (written.text, written.told_failing) = (text, false);
                Ok(())
            }
            Err(error) => {
                if !written.told_failing {
                    tracing::warn!(
                        "{} cannot be written, so what is known of providers ends with this process: {error} (`state: off` in the rules, or another path)",
                        self.path.display()
                    );
                }
                written.told_failing = true;
                Err(format!("{} cannot be written: {error}", self.path.display()))
            }
        }
    }

    /// Whether this process is the one that writes the file, from now on if need be.
    fn holds(&self, written: &mut Written) -> bool {
        if written.lock.is_some() {
            return true;
        }
        let path = self.path.display();
        match locked(&with_more(&self.path, ".lock")) {
            Ok(Some(lock)) => {
                if written.told_taken {
                    tracing::info!("the other router has ended: this one now keeps its state in {path}");
                }
                (written.lock, written.told_taken) = (Some(lock), false);
                true
            }
            Ok(None) => {
                if !written.told_taken {
                    tracing::warn!(
                        "another router keeps its state in {path}, so this one writes nothing there until that one ends (`--state`, or `state` in the rules, names another file)"
                    );
                }
                written.told_taken = true;
                false
            }
            // Where nothing can be locked, the writing itself says whether it can be done.
            Err(_) => true,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Written> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The lock on the file at `path`, which is made if it is not there; `None` if another process has it.
fn locked(path: &Path) -> io::Result<Option<File>> {
    let file = match new_file(path) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            if !fs::symlink_metadata(path)?.is_file() {
                return Err(ErrorKind::InvalidInput.into());
            }
            OpenOptions::new().write(true).open(path)?
        }
        made => made?,
    };
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// Puts the text in the place of what the file holds: either it is there whole, or all is as it was.
fn replace(path: &Path, text: &str) -> io::Result<()> {
    if fs::symlink_metadata(path).is_ok_and(|found| !found.is_file() && !found.is_symlink()) {
        return Err(io::Error::new(ErrorKind::InvalidInput, "something that is no file has its name"));
    }
    let new = with_more(path, ".new");
    // What a process that was killed left behind. A link is removed, and not followed.
    match fs::remove_file(&new) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = new_file(&new)?;
    let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_data());
    drop(file);
    written.and_then(|()| fs::rename(&new, path)).inspect_err(|_| drop(fs::remove_file(&new)))
}

/// A file that was not there before, for nobody else to read.
fn new_file(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Bounds what a damaged or foreign file says, so that nothing lasts for ever and no sum overflows.
fn bound(value: &mut Value, latest: Ms) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                match value.as_i64() {
                    Some(until) if name == "until" && until > latest => *value = latest.into(),
                    _ => bound(value, latest),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| bound(item, latest)),
        Value::Number(number) => {
            let most = LARGEST_NUMBER as f64;
            if number.as_f64().is_some_and(|number| number.abs() > most) {
                let is_below = number.as_f64().is_some_and(|number| number < 0.0);
                *value = (if is_below { -LARGEST_NUMBER } else { LARGEST_NUMBER }).into();
            }
        }
        _ => {}
    }
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
    use serde_json::json;

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

    #[test]
    fn what_a_damaged_file_says_is_bounded() {
        let mut state = json!({
            "pauses": [{ "provider": "one", "until": i64::MAX, "since": i64::MIN }, { "until": 5 }],
            "providers": { "one": { "attempts": u64::MAX, "until": null } },
        });
        bound(&mut state, 1_000);
        assert_eq!(
            state,
            json!({
                "pauses": [{ "provider": "one", "until": 1_000, "since": -LARGEST_NUMBER }, { "until": 5 }],
                "providers": { "one": { "attempts": LARGEST_NUMBER, "until": null } },
            })
        );
    }
}
