//! The file that lets what is known of providers survive a restart: read at the start, written beside the work.

mod file;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{sleep, timeout};

use self::file::StateFile;
use super::router::Router;
use super::stores::Stores;
use crate::engine::health::Health;
use crate::engine::{Engine, Ms};

/// How often it is looked whether there is something new to be written.
const PAUSE: Duration = Duration::from_secs(1);
/// The least time between two looks: what comes in between is written together.
const GAP: Duration = Duration::from_millis(200);
/// How long a person's request waits for the disk.
const LONGEST_SAVE: Duration = Duration::from_secs(1);

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

    /// What was known before, at the time `now`.
    pub fn read(&self, now: Ms) -> Health {
        self.lock().as_ref().map(|file| file.read(now)).unwrap_or_default()
    }

    /// Writes what is known now to where the rules want it, if that is something new. Returns whether it is on disk then;
    /// `false`: the rules want no file.
    ///
    /// # Errors
    /// Why it could not be written, which has been told in the log.
    pub fn write(&self, engine: &Engine, stores: &Stores) -> Result<bool, String> {
        let wanted = self.always.as_deref().or(engine.state.as_deref());
        let wanted = StateFile::of(&self.rules, wanted);
        let mut file = self.lock();
        let path = |file: &Option<StateFile>| file.as_ref().map(|file| file.path().to_owned());
        if path(&wanted) != path(&file) {
            match &wanted {
                Some(file) => {
                    tracing::info!("what is known of providers is kept in {}", file.path().display())
                }
                None => tracing::info!("what is known of providers is kept in no file any more"),
            }
            *file = wanted;
        }
        match &*file {
            Some(file) => file.write(stores, &engine.shown).map(|()| true),
            None => Ok(false),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<StateFile>> {
        self.file.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Keeps the file up to date until it is dropped: each second, and at once when something has come that is not to be lost.
pub async fn keep(keeper: Arc<Keeper>, router: Arc<Router>) {
    loop {
        due(&router.world().unsaved).await;
        let (keeper, router) = (keeper.clone(), router.clone());
        let write = move || keeper.write(&router.rules().engine, &router.world().stores);
        // A disk may be slow. An error in the writing has been told, and the next writing may well succeed.
        let _ = tokio::task::spawn_blocking(write).await;
    }
}

/// Waits until the next look is due after one that was just made.
async fn due(unsaved: &Notify) {
    sleep(GAP).await;
    // Whoever gives a sign during the gap, or while the disk is busy, is not forgotten.
    let _ = timeout(PAUSE - GAP, unsaved.notified()).await;
}

/// Writes what is known now, and waits until it is on disk, but not for long. `false`: the rules want no file.
///
/// # Errors
/// Why it is not on disk, or not yet.
pub async fn save(router: &Arc<Router>) -> Result<bool, String> {
    let Some(keeper) = router.world().keeper.clone() else { return Ok(false) };
    let router = router.clone();
    let write =
        tokio::task::spawn_blocking(move || keeper.write(&router.rules().engine, &router.world().stores));
    match timeout(LONGEST_SAVE, write).await {
        Ok(Ok(written)) => written,
        Ok(Err(_)) => Err("an internal error stopped the writing".to_owned()),
        Err(_) => Err(format!("the disk has not taken it within {LONGEST_SAVE:?}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::Instant;

    #[tokio::test(start_paused = true)]
    async fn what_is_not_to_be_lost_is_written_at_once_and_together() {
        let (unsaved, begin) = (Notify::new(), Instant::now());
        let mut looks = Vec::new();
        let signs = async {
            for wait in [500, 1, 1, 150] {
                sleep(Duration::from_millis(wait)).await;
                unsaved.notify_one();
            }
        };
        let looking = async {
            for _ in 0..4 {
                due(&unsaved).await;
                looks.push(begin.elapsed().as_millis());
            }
        };
        tokio::join!(signs, looking);
        // At the first sign; once for the three that follow within the gap; and then as nothing comes.
        assert_eq!(looks, [500, 700, 1_700, 2_700]);
    }
}
