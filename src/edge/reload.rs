//! New rules without a restart: reads, checks, tests and builds them, and swaps them in with one store.
//!
//! Whatever is wrong, the rules that run go on running; what is wrong is told in the log and to whoever
//! asked. Requests under way keep the rules that they began with.

pub mod rules;
pub mod watch;

use std::sync::Arc;

use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};

use self::rules::{Checked, InForce, Source};
use self::watch::FileWatch;
use super::router::Router;
use super::server::caught;
use super::telemetry::{LongLine, OneLine};
use crate::config::changes::told;
use crate::config::files::Seen;
use crate::config::secrets::Values;
use crate::engine::health::origin::Orphan;

/// So many cool-downs are told one by one.
const SHOWN: usize = 20;

/// What came of reading the rules again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// They are what runs already.
    Unchanged,
    /// They run from now on.
    Taken,
    /// They are wrong, and the old ones go on running.
    Refused,
}

/// The answer to a wish to reload.
#[derive(Clone, Debug)]
pub struct Report {
    /// What came of it.
    pub status: Status,
    /// The version that runs now.
    pub version: String,
    /// What is otherwise now; at least one line if rules were taken.
    pub changes: Vec<String>,
    /// Cool-downs whose rules are gone or changed with that.
    pub cool_downs: Vec<String>,
    /// Errors and warnings with their places, as JSON.
    pub diagnostics: Value,
    /// The same for people, with the lines shown.
    pub text: String,
}

impl Report {
    /// The report as the admin API gives it.
    pub fn to_json(&self) -> Value {
        let status = match self.status {
            Status::Unchanged => "unchanged",
            Status::Taken => "reloaded",
            Status::Refused => "refused",
        };
        json!({
            "status": status,
            "rules_version": self.version,
            "changes": self.changes,
            "cool_downs": self.cool_downs,
            "diagnostics": self.diagnostics,
        })
    }
}

/// Asks the reloading task to read the rules now.
#[derive(Clone)]
pub struct Handle(mpsc::Sender<oneshot::Sender<Report>>);

impl Handle {
    /// Reads the rules again. `None` if the router is stopping.
    pub async fn reload(&self) -> Option<Report> {
        let (reply, report) = oneshot::channel();
        self.0.send(reply).await.ok()?;
        report.await.ok()
    }
}

/// The end of the channel that the task listens at.
pub type Wishes = mpsc::Receiver<oneshot::Sender<Report>>;

/// A handle, and what it is answered by.
pub fn channel() -> (Handle, Wishes) {
    let (wish, wishes) = mpsc::channel(16);
    (Handle(wish), wishes)
}

/// Follows the rules until it is dropped: their files, if they are watched, signals and wishes.
pub async fn follow(
    router: Arc<Router>,
    source: Source,
    first: Checked,
    watch: Option<FileWatch>,
    mut hangup: Hangup,
    mut wishes: Wishes,
) {
    let values = first.values.clone();
    let mut follower = Follower { router, source: Arc::new(source), watch, values, last: first };
    if let Some(watch) = &mut follower.watch {
        watch.follow(&follower.last.files).await;
        // What changed between the first reading and the first look is found here.
        if watch.has_changed().await {
            follower.files_changed().await;
        }
    }
    loop {
        tokio::select! {
            // An error of the program's own has been told; the rules that run go on running, and are read again
            // when the next wish comes.
            () = changed(&mut follower.watch) => drop(caught(follower.files_changed()).await),
            () = hangup.received() => {
                if let Ok(Report { status: Status::Unchanged, .. }) = caught(follower.read_again()).await {
                    tracing::info!("the rules have not changed");
                }
            }
            wish = wishes.recv() => {
                let Some(reply) = wish else { return };
                // Whoever asked may have gone away; the rules are read all the same.
                if let Ok(report) = caught(follower.read_again()).await {
                    let _ = reply.send(report);
                }
            }
        }
    }
}

async fn changed(watch: &mut Option<FileWatch>) {
    match watch {
        Some(watch) => watch.changed().await,
        None => std::future::pending().await,
    }
}

struct Follower {
    router: Arc<Router>,
    source: Arc<Source>,
    watch: Option<FileWatch>,
    /// The values that variables have in the rules in force.
    values: Values,
    /// What was read last, whether it runs or not.
    last: Checked,
}

impl Follower {
    /// A file changed: reads all, and stops there if it all is as it was when it was last read.
    async fn files_changed(&mut self) {
        let known = self.last.hash.clone();
        if let Some(read) = self.read(Some(known)).await {
            self.take(read);
        }
    }

    /// Somebody wants it: also says again what is wrong with files that were refused already.
    async fn read_again(&mut self) -> Report {
        if let Some(watch) = &mut self.watch {
            watch.mark().await;
        }
        let read = self.read(None).await;
        self.take(read.unwrap_or_else(|| Checked::broken(&self.last)))
    }

    /// Reads and checks, until no further file comes into sight that would have to be watched. `None` if all is
    /// as it is `known`.
    async fn read(&mut self, known: Option<String>) -> Option<Checked> {
        let mut read = self.read_once(known.clone()).await;
        for _ in 0..3 {
            let files = read.as_ref().map_or_else(|files| files, |checked| &checked.files);
            let Some(watch) = &mut self.watch else { break };
            if !watch.follow(files).await {
                break;
            }
            read = self.read_once(known.clone()).await;
        }
        read.ok()
    }

    async fn read_once(&self, known: Option<String>) -> Result<Checked, Vec<Seen>> {
        let (source, bound) = (self.source.clone(), Some(self.router.bound()));
        let providers = &self.router.rules().engine.providers;
        let working = providers.iter().filter(|provider| provider.has_key());
        let providers = working.map(|provider| provider.name.clone()).collect();
        let in_force = InForce { values: self.values.clone(), providers };
        let read = tokio::task::spawn_blocking(move || match known {
            Some(known) => rules::read_unless(&source, bound, &in_force, &known),
            None => Ok(rules::read(&source, bound, &in_force)),
        });
        read.await.unwrap_or_else(|_| Ok(Checked::broken(&self.last)))
    }

    fn take(&mut self, read: Checked) -> Report {
        let before = self.router.rules();
        let known = std::mem::replace(&mut self.last, read);
        let read = &mut self.last;
        let (mut changes, mut cool_downs) = (Vec::new(), Vec::new());
        let status = match read.ready.take() {
            None => Status::Refused,
            Some(ready) if read.hash == before.hash => {
                drop(ready);
                Status::Unchanged
            }
            Some(ready) => {
                if ready.engine.listen != before.engine.listen {
                    tracing::warn!(
                        "`listen` is now {}; that takes effect when the router is started again",
                        ready.engine.listen
                    );
                }
                changes = told(&ready.meaning.changes_since(&before.meaning));
                cool_downs = listed(&self.router.adopt(ready));
                self.router.improve();
                Status::Taken
            }
        };
        if status != Status::Refused {
            self.values = read.values.clone();
        }
        let version = self.router.rules().engine.version.clone();
        match status {
            Status::Taken => {
                let before = &before.engine.version;
                tracing::info!(
                    "the rules were reloaded: {before} -> {version}: {}",
                    LongLine(&changes.join("; "))
                );
                cool_downs.iter().for_each(|line| tracing::warn!("{}", OneLine(line)));
                warn_of_new(&read.warnings, &known.warnings);
            }
            Status::Refused => tracing::warn!(
                "the new rules were refused, {version} goes on running: {}\n{}",
                OneLine(&read.summary),
                read.text.trim_end()
            ),
            Status::Unchanged if known.refused() => {
                tracing::info!("the rules are again those that run: {version}")
            }
            Status::Unchanged => {}
        }
        self.router.remember(status != Status::Refused, read.diagnostics.clone());
        let (diagnostics, text) = (read.diagnostics.clone(), read.text.clone());
        Report { status, version, changes, cool_downs, diagnostics, text }
    }
}

/// Cool-downs whose rules are gone or changed, a line each: a bounded number, and how many more there are.
fn listed(orphans: &[Orphan]) -> Vec<String> {
    let mut lines: Vec<String> = orphans.iter().take(SHOWN).map(ToString::to_string).collect();
    if let Some(more) = orphans.len().checked_sub(SHOWN).filter(|more| *more > 0) {
        lines.push(format!("and so do {more} more, whose rules are gone or changed, too"));
    }
    lines
}

/// Says of cool-downs in the log that their rules are gone or changed.
pub(super) fn tell_orphans(orphans: &[Orphan]) {
    listed(orphans).iter().for_each(|line| tracing::warn!("{}", OneLine(line)));
}

/// Logs the warnings that were not there before.
pub fn warn_of_new(now: &[String], before: &[String]) {
    for warning in now.iter().filter(|warning| !before.contains(warning)) {
        tracing::warn!("{}", OneLine(warning));
    }
}

/// SIGHUP, where there is such a thing. From its making on, the signal no longer ends the process.
pub struct Hangup {
    #[cfg(unix)]
    signal: Option<tokio::signal::unix::Signal>,
}

impl Hangup {
    /// Begins to listen for the signal.
    pub fn listen() -> Self {
        Self {
            #[cfg(unix)]
            signal: tokio::signal::unix::signal(tokio::signal::unix::SignalKind::hangup()).ok(),
        }
    }

    async fn received(&mut self) {
        #[cfg(unix)]
        if let Some(signal) = &mut self.signal
            && signal.recv().await.is_some()
        {
            return;
        }
        std::future::pending().await
    }
}
