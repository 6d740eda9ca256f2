//! The file that lets what is known of providers survive a restart: read at the start, written beside the work.

mod file;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use self::file::StateFile;
use super::router::Router;
use super::stores::Stores;
use crate::engine::health::Health;
use crate::engine::{Engine, Ms};

/// How often it is looked whether there is something new to be written.
const PAUSE: Duration = Duration::from_secs(1);

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

    /// Writes what is known now to where the rules want it, if that is something new.
    pub fn write(&self, engine: &Engine, stores: &Stores) {
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
