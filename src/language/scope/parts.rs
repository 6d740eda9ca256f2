//! What templates have in common: paths and patterns, each read once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::text::path::{self, Path, PathError};
use crate::text::pattern::Pattern;

/// Paths and regular expressions that have been read, by their text: the same ones stand in many templates, and in a
/// fragment once for each use. A clone shares them.
#[derive(Clone, Default)]
pub struct Parts(Arc<Mutex<Texts>>);

#[derive(Default)]
struct Texts {
    paths: HashMap<String, Arc<Path>>,
    patterns: HashMap<String, Pattern>,
}

impl Parts {
    fn texts(&self) -> MutexGuard<'_, Texts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A path.
    pub(in crate::language) fn path(&self, text: &str) -> Result<Arc<Path>, PathError> {
        if let Some(path) = self.texts().paths.get(text) {
            return Ok(path.clone());
        }
        let path = Arc::new(path::parse(text)?);
        self.texts().paths.insert(text.to_owned(), path.clone());
        Ok(path)
    }

    /// A regular expression. The error is one sentence.
    pub(in crate::language) fn pattern(&self, text: &str) -> Result<Pattern, String> {
        if let Some(pattern) = self.texts().patterns.get(text) {
            return Ok(pattern.clone());
        }
        let pattern = Pattern::parse(text)?;
        self.texts().patterns.insert(text.to_owned(), pattern.clone());
        Ok(pattern)
    }

    /// Compiles the regular expressions that have not been needed yet, so that no request has to wait for it.
    pub fn compile_patterns(&self) {
        let patterns: Vec<Pattern> = self.texts().patterns.values().cloned().collect();
        for pattern in patterns {
            pattern.regex();
        }
    }
}
