//! Notices that files may have changed.
//!
//! An event is never believed: it says "maybe", and the files' content decides, compared with what the rules were read
//! from: of the moments between two readings nothing has to be known. What is watched is the
//! folder, not the file, because an editor that saves by renaming, and a ConfigMap that swaps a symlink,
//! end a watch on the file itself. A single file that is mounted into a container is the reverse case: the
//! folder sees nothing, and nor does anything else on some systems. So the files are also read every five seconds.

use std::collections::{BTreeSet, HashSet};
use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use notify::event::{AccessKind, AccessMode, ModifyKind};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, timeout_at};

use crate::config::files::{Disk, Files, Seen};

/// How often files are read without a sign.
const POLL: Duration = Duration::from_secs(5);
/// How long no further sign must come before files are read: a save is several events.
const QUIET: Duration = Duration::from_millis(200);
/// The longest wait for quiet, for folders in which something is always going on.
const RESTLESS: Duration = Duration::from_secs(2);
/// The longest wait for files whose content goes on changing: a slow copy, a file that is appended to.
const SETTLING: Duration = Duration::from_secs(30);

/// Watches a set of files.
pub struct FileWatch {
    signs: Arc<Notify>,
    /// The names of what is watched: an event that names nothing of it is nobody's concern.
    concerns: Arc<RwLock<HashSet<OsString>>>,
    /// `None` where the system has no more watches to give: the poll is enough.
    events: Option<RecommendedWatcher>,
    folders: HashSet<PathBuf>,
    /// The files, as the rules were read from them.
    files: Vec<Seen>,
    /// What stood beside them: a new file may be one that the rules include.
    names: Vec<OsString>,
    poll: Duration,
}

impl FileWatch {
    /// Watches nothing yet.
    pub fn new() -> Self {
        let (signs, concerns) = (Arc::new(Notify::new()), Arc::new(RwLock::default()));
        let events = notify::recommended_watcher({
            let (signs, concerns) = (signs.clone(), concerns.clone());
            move |event: notify::Result<notify::Event>| {
                let concerns = concerns.read().unwrap_or_else(PoisonError::into_inner);
                if event.map_or(true, |event| is_sign(&event, &concerns)) {
                    signs.notify_one();
                }
            }
        });
        if let Err(error) = &events {
            tracing::warn!("files are read every {} s instead of being watched: {error}", POLL.as_secs());
        }
        let (folders, files, names) = (HashSet::new(), Vec::new(), Vec::new());
        Self { signs, concerns, events: events.ok(), folders, files, names, poll: POLL }
    }

    /// Watches these files from now on, and waits for another content than they were read with. True if some are
    /// new, so that what came beside them since they were read has not been seen.
    pub async fn follow(&mut self, files: &[Seen]) -> bool {
        let is_known = |file: &Seen| self.files.iter().any(|known| known.path == file.path);
        let are_same = self.files.len() == files.len() && files.iter().all(is_known);
        self.files = files.to_vec();
        if are_same {
            return false;
        }
        let paths = files.iter().map(|file| file.path.clone()).collect();
        let (watcher, folders) = (self.events.take(), std::mem::take(&mut self.folders));
        let concerns = self.concerns.clone();
        // A folder on a disk that hangs must hold up nothing else.
        let watched = tokio::task::spawn_blocking(move || watch(paths, watcher, &folders, &concerns)).await;
        if let Ok((watcher, folders)) = watched {
            (self.events, self.folders) = (watcher, folders);
        }
        self.mark().await;
        true
    }

    /// What stands beside the files now counts as seen.
    pub async fn mark(&mut self) {
        if let Some((_, names)) = self.look().await {
            self.names = names;
        }
    }

    /// Resolves when the files' content is not what they were read with, or the list of files beside them is no longer
    /// what was seen last.
    /// Dropping it loses nothing.
    pub async fn changed(&mut self) {
        loop {
            tokio::select! {
                () = self.signs.notified() => self.quiet().await,
                () = sleep(self.poll) => {}
            }
            if self.has_changed().await {
                self.settled().await;
                return;
            }
        }
    }

    /// Waits until the files' content is the same in two looks: what is still being written, by an editor or a copy, may be
    /// rules that nobody meant.
    async fn settled(&self) {
        let latest = Instant::now() + SETTLING;
        let mut before = self.look().await;
        while Instant::now() < latest {
            sleep(QUIET).await;
            let now = self.look().await;
            if now == before {
                return;
            }
            before = now;
        }
    }

    /// Is it otherwise now?
    pub async fn has_changed(&mut self) -> bool {
        let Some((files, names)) = self.look().await else { return false };
        let has_changed = files != self.files || names != self.names;
        self.names = names;
        has_changed
    }

    async fn quiet(&self) {
        let latest = Instant::now() + RESTLESS;
        while timeout_at(latest.min(Instant::now() + QUIET), self.signs.notified()).await.is_ok() {}
    }

    async fn look(&self) -> Option<(Vec<Seen>, Vec<OsString>)> {
        let files: Vec<PathBuf> = self.files.iter().map(|file| file.path.clone()).collect();
        let look = move || {
            (files.iter().map(|file| Seen::new(&Disk, file, &Disk.read(file))).collect(), beside(&files))
        };
        tokio::task::spawn_blocking(look).await.ok()
    }
}

impl Default for FileWatch {
    fn default() -> Self {
        Self::new()
    }
}

/// Watches the folders of these files instead of the `old` ones; the watcher, and what it watches now.
fn watch(
    files: Vec<PathBuf>,
    mut watcher: Option<RecommendedWatcher>,
    old: &HashSet<PathBuf>,
    concerns: &RwLock<HashSet<OsString>>,
) -> (Option<RecommendedWatcher>, HashSet<PathBuf>) {
    let folders: HashSet<PathBuf> = files.iter().flat_map(|file| folders_of(file)).collect();
    let names = files.iter().flat_map(|file| names_of(file));
    let names = names.chain(folders.iter().filter_map(|folder| folder.file_name().map(OsStr::to_owned)));
    *concerns.write().unwrap_or_else(PoisonError::into_inner) = names.collect();
    let Some(watching) = &mut watcher else { return (None, folders) };
    for gone in old.difference(&folders) {
        let _ = watching.unwatch(gone);
    }
    // A folder that was replaced has lost its watch, so all are watched anew. One that cannot be watched is left
    // to the poll.
    let is_watched = |folder: &PathBuf| watching.watch(folder, RecursiveMode::NonRecursive).is_ok();
    let folders = folders.into_iter().filter(is_watched).collect();
    (watcher, folders)
}

/// Whether files may have changed. A log that is written beside them, or the router's own state, is asked for by name only,
/// at the cost of a few compares for each line.
fn is_sign(event: &Event, concerns: &HashSet<OsString>) -> bool {
    let is_writing = match event.kind {
        // Reading is an event too, and the reading done here must not cause the next.
        EventKind::Access(access) if access != AccessKind::Close(AccessMode::Write) => return false,
        EventKind::Access(_) | EventKind::Modify(ModifyKind::Data(_)) => true,
        _ => false,
    };
    let is_concern = |path: &PathBuf| {
        let name = path.file_name().unwrap_or(path.as_os_str());
        // What leads to a file under another name is a link or a folder, and no content of it is written.
        concerns.contains(name) || is_yaml(name) || (!is_writing && leads_elsewhere(path))
    };
    event.paths.is_empty() || event.paths.iter().any(is_concern)
}

/// Whether there is a link or a folder.
fn leads_elsewhere(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|found| !found.is_file())
}

/// What a file is called where it is named, and where it really lies.
fn names_of(file: &Path) -> impl Iterator<Item = OsString> {
    let real = fs::canonicalize(file).ok();
    let names = [Some(file), real.as_deref()].map(|path| path.and_then(Path::file_name).map(OsStr::to_owned));
    names.into_iter().flatten()
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

/// The names of the files that stand in the folders of these, sorted.
fn beside(files: &[PathBuf]) -> Vec<OsString> {
    let folders: BTreeSet<PathBuf> = files.iter().map(|file| parent(file)).collect();
    let entries = folders.iter().flat_map(|folder| fs::read_dir(folder).into_iter().flatten().flatten());
    let mut names: Vec<_> =
        entries.map(|entry| entry.path().into_os_string()).filter(|name| is_yaml(name)).collect();
    names.sort();
    names
}

/// Only what rules can include counts; a log file that is rotated beside them does not.
fn is_yaml(name: &OsStr) -> bool {
    let name = name.as_encoded_bytes();
    name.ends_with(b".yaml") || name.ends_with(b".yml")
}

#[cfg(test)]
mod tests;
