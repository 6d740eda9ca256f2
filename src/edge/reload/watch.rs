//! Notices that files may have changed.
//!
//! An event is never believed: it says "maybe", and the files' content decides. What is watched is the
//! folder, not the file, because an editor that saves by renaming, and a ConfigMap that swaps a symlink,
//! end a watch on the file itself. A single file that is mounted into a container is the reverse case: the
//! folder sees nothing, and nor does anything else on some systems. So the files are also read every five seconds.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use notify::event::{AccessKind, AccessMode};
use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use sha2::{Digest, Sha256};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, timeout_at};

/// How often files are read without a sign.
const POLL: Duration = Duration::from_secs(5);
/// How long no further sign must come before files are read: a save is several events.
const QUIET: Duration = Duration::from_millis(200);
/// The longest wait for quiet, for folders in which something is always going on.
const RESTLESS: Duration = Duration::from_secs(2);

/// Watches a set of files.
pub struct FileWatch {
    signs: Arc<Notify>,
    /// `None` where the system has no more watches to give: the poll is enough.
    events: Option<RecommendedWatcher>,
    folders: HashSet<PathBuf>,
    files: Vec<PathBuf>,
    poll: Duration,
    seen: Option<Fingerprint>,
}

/// What files held, and what stood beside them: a new file may be one that the rules include.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Fingerprint([u8; 32]);

impl FileWatch {
    /// Watches nothing yet.
    pub fn new() -> Self {
        let signs = Arc::new(Notify::new());
        let events = notify::recommended_watcher({
            let signs = signs.clone();
            move |event: notify::Result<notify::Event>| {
                // Reading is an event too, and the reading done here must not cause the next.
                if event.map_or(true, |event| !is_reading(event.kind) && !is_own(&event.paths)) {
                    signs.notify_one();
                }
            }
        });
        if let Err(error) = &events {
            tracing::warn!("files are read every {} s instead of being watched: {error}", POLL.as_secs());
        }
        let (folders, files) = (HashSet::new(), Vec::new());
        Self { signs, events: events.ok(), folders, files, poll: POLL, seen: None }
    }

    /// Watches these files from now on. Their present content counts as seen.
    pub async fn follow(&mut self, files: &[PathBuf]) {
        self.files = files.to_vec();
        let folders: HashSet<PathBuf> = files.iter().flat_map(|file| folders_of(file)).collect();
        if let Some(watcher) = &mut self.events {
            for old in self.folders.difference(&folders) {
                let _ = watcher.unwatch(old);
            }
            // A folder that was replaced has lost its watch, so all are watched anew. One that cannot be
            // watched is left to the poll.
            self.folders = folders
                .into_iter()
                .filter(|folder| watcher.watch(folder, RecursiveMode::NonRecursive).is_ok())
                .collect();
        }
        self.mark().await;
    }

    /// The files that are watched.
    pub fn files(&self) -> &[PathBuf] {
        &self.files
    }

    /// Their present content counts as seen.
    pub async fn mark(&mut self) {
        self.seen = self.look().await;
    }

    /// Resolves when the files' content, or the list of files beside them, is no longer what was seen last.
    /// Dropping it loses nothing.
    pub async fn changed(&mut self) {
        loop {
            tokio::select! {
                () = self.signs.notified() => self.quiet().await,
                () = sleep(self.poll) => {}
            }
            let now = self.look().await;
            if now != self.seen {
                self.seen = now;
                return;
            }
        }
    }

    async fn quiet(&self) {
        let latest = Instant::now() + RESTLESS;
        while timeout_at(latest.min(Instant::now() + QUIET), self.signs.notified()).await.is_ok() {}
    }

    async fn look(&self) -> Option<Fingerprint> {
        let files = self.files.clone();
        tokio::task::spawn_blocking(move || fingerprint(&files)).await.ok()
    }
}

impl Default for FileWatch {
    fn default() -> Self {
        Self::new()
    }
}

fn is_reading(kind: EventKind) -> bool {
    matches!(kind, EventKind::Access(access) if access != AccessKind::Close(AccessMode::Write))
}

/// Are these the router's own doing: the state that it keeps beside the rules?
fn is_own(paths: &[PathBuf]) -> bool {
    let is_state = |path: &PathBuf| path.to_string_lossy().contains(".state.json");
    !paths.is_empty() && paths.iter().all(is_state)
}

/// The folder that a file is named in, and the one that it really lies in.
fn folders_of(file: &Path) -> Vec<PathBuf> {
    let named = Some(parent(file));
    let real = fs::canonicalize(file).ok().map(|real| parent(&real));
    named.into_iter().chain(real).collect()
}

fn parent(file: &Path) -> PathBuf {
    match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        _ => PathBuf::from("."),
    }
}

fn fingerprint(files: &[PathBuf]) -> Fingerprint {
    let mut hash = Sha256::new();
    let mut part = |bytes: &[u8]| {
        hash.update((bytes.len() as u64).to_le_bytes());
        hash.update(bytes);
    };
    for file in files {
        part(file.as_os_str().as_encoded_bytes());
        match fs::read(file) {
            Ok(content) => part(&content),
            // That a file is missing is a content too.
            Err(error) => part(error.kind().to_string().as_bytes()),
        }
    }
    let folders: std::collections::BTreeSet<PathBuf> = files.iter().map(|file| parent(file)).collect();
    for folder in folders {
        let entries = fs::read_dir(&folder).into_iter().flatten().flatten();
        let mut names: Vec<_> = entries.map(|entry| entry.file_name()).filter(|name| is_yaml(name)).collect();
        names.sort();
        names.iter().for_each(|name| part(name.as_encoded_bytes()));
    }
    Fingerprint(hash.finalize().into())
}

/// Only what rules can include counts; a log file that is rotated beside them does not.
fn is_yaml(name: &std::ffi::OsStr) -> bool {
    let name = name.as_encoded_bytes();
    name.ends_with(b".yaml") || name.ends_with(b".yml")
}

#[cfg(test)]
mod tests;
