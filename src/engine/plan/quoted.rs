//! Keys that a provider quotes in its errors: they go no further.

use super::Plan;
use crate::engine::failure::{Failure, FailureKind, Said};
use crate::engine::provider::KeySource;
use crate::text::units::Secret;
use http::header::{AUTHORIZATION, HeaderName};

impl Plan {
    /// Takes the credentials that the provider may be sent out of what it answered, before anybody reads it.
    pub(super) fn hide_keys(&self, way: usize, failure: &mut Failure) {
        for key in self.provider_at(way).iter().flat_map(|provider| &provider.keys) {
            self.hide_key(&key.source, failure);
        }
    }

    /// A provider's words for whoever runs the router, without any key that the rules know: that of another provider, too.
    pub(super) fn said(&self, way: usize, kind: Option<&str>, message: Option<&str>) -> Option<Box<Said>> {
        if !self.engine.keeping.errors {
            return None;
        }
        let [kind, message] = [kind, message].map(|text| text.map(|text| self.without_keys(way, text)));
        Said::new(kind.as_deref(), message.as_deref()).map(Box::new)
    }

    /// What is quoted of a provider, without any key that the rules know.
    pub(super) fn without_keys(&self, way: usize, text: &str) -> String {
        let mut quoted = Failure::new(FailureKind::Status, "");
        text.clone_into(&mut quoted.message);
        self.hide_keys(way, &mut quoted);
        self.engine.secrets().for_each(|secret| quoted.strike_out(secret));
        quoted.message
    }

    fn hide_key(&self, key: &KeySource, failure: &mut Failure) {
        match key {
            KeySource::Value(key) => failure.strike_out(key),
            KeySource::Client => {
                for name in [AUTHORIZATION, HeaderName::from_static("x-api-key")] {
                    let value = self.incoming.headers.get(name).and_then(|value| value.to_str().ok());
                    // Of `Bearer KEY` the last word is the key.
                    if let Some(key) = value.and_then(|value| value.split_whitespace().next_back()) {
                        failure.strike_out(&Secret::new(key));
                    }
                }
            }
            KeySource::None | KeySource::Unset(_) => {}
        }
    }
}
