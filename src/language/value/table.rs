//! Values by key: what `$index` makes, and the step `index` adds to.

use std::collections::BTreeMap;

use super::{LookupKey, Val};

/// Values in the order in which they were added, each under a key; several may have the same. Adding one and finding
/// those of a key cost the same however many there are (but for the logarithm).
#[derive(Clone, Default)]
pub struct Table<'a> {
    values: Vec<Val<'a>>,
    places: BTreeMap<LookupKey, Vec<usize>>,
}

impl<'a> Table<'a> {
    /// Adds a value. What is no key, nothing and null, takes none.
    pub fn add(&mut self, key: &Val<'_>, value: Val<'a>) {
        if !key.is_nothing() {
            self.places.entry(key.lookup_key()).or_default().push(self.values.len());
            self.values.push(value);
        }
    }

    /// The values of a key, in order.
    pub fn find(&self, key: &Val<'_>) -> impl Iterator<Item = &Val<'a>> {
        let places = self.places.get(&key.lookup_key()).map(Vec::as_slice).unwrap_or_default();
        places.iter().filter_map(|at| self.values.get(*at))
    }

    /// Whether there is a value with that key.
    pub fn has(&self, key: &Val<'_>) -> bool {
        self.places.contains_key(&key.lookup_key())
    }

    /// All values, in order.
    pub fn values(&self) -> &[Val<'a>] {
        &self.values
    }

    /// The same, owning all its text.
    pub(super) fn owned(&self) -> Table<'static> {
        let values = self.values.iter().map(|value| value.clone().into_owned()).collect();
        Table { values, places: self.places.clone() }
    }
}
