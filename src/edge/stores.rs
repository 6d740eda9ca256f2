//! What outlives a reload: the providers' health, behind a lock that is held for moments only.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::engine::health::{Health, Shared};

/// Everything that is known about providers and not written in the rules.
#[derive(Debug, Default)]
pub struct Stores {
    health: Mutex<Health>,
}

impl Stores {
    /// Nothing known yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// What was known before.
    pub fn with(health: Health) -> Self {
        Self { health: Mutex::new(health) }
    }

    /// The providers' health. Never hold it across an await.
    pub fn health(&self) -> MutexGuard<'_, Health> {
        // A panic elsewhere leaves a cool down unset at worst; that is no reason to stop answering.
        self.health.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shared for &Stores {
    fn with<R>(&mut self, use_it: impl FnOnce(&mut Health) -> R) -> R {
        use_it(&mut self.health())
    }
}
