//! Keys that a provider quotes in its errors: they go no further.

use super::Plan;
use crate::engine::failure::Failure;
use crate::engine::provider::KeySource;
use crate::text::units::Secret;
use http::header::{AUTHORIZATION, HeaderName};

impl Plan {
    /// Takes the credential that the provider was sent out of what it answered, before anybody reads it.
    pub(super) fn hide_keys(&self, way: usize, failure: &mut Failure) {
        let provider = self.way(way).and_then(|way| self.engine.providers.get(way.provider));
        match provider.map(|provider| &provider.key) {
            Some(KeySource::Value(key)) => failure.strike_out(key),
            Some(KeySource::Client) => {
                for name in [AUTHORIZATION, HeaderName::from_static("x-api-key")] {
                    let value = self.incoming.headers.get(name).and_then(|value| value.to_str().ok());
                    // Of `Bearer KEY` the last word is the key.
                    if let Some(key) = value.and_then(|value| value.split_whitespace().next_back()) {
                        failure.strike_out(&Secret::new(key));
                    }
                }
            }
            Some(KeySource::None | KeySource::Unset(_)) | None => {}
        }
    }
}
