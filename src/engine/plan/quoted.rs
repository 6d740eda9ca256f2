//! Keys that a provider quotes in its errors: they go no further.

use super::Plan;
use crate::engine::failure::{Failure, Said};
use crate::engine::provider::KeySource;
use crate::text::key_shapes;
use crate::text::units::{Redactor, Secret};
use http::header::{AUTHORIZATION, HeaderName};

impl Plan {
    /// Takes all keys that the rules know, and what the provider may be sent of the client's, out of what it answered,
    /// before anybody reads it.
    pub(super) fn hide_keys(&self, way: usize, failure: &mut Failure) {
        failure.strike_out(&self.engine.redactor);
        if let Some(client) = self.clients_keys(way) {
            failure.strike_out(client);
        }
    }

    /// A provider's words for whoever runs the router, without keys and without what looks like one.
    pub(super) fn said(&self, way: usize, kind: Option<&str>, message: Option<&str>) -> Option<Box<Said>> {
        if !self.engine.keeping.errors {
            return None;
        }
        let [kind, message] = [kind, message].map(|text| text.map(|text| self.without_keys(way, text)));
        Said::new(kind.as_deref(), message.as_deref()).map(Box::new)
    }

    /// What is quoted of a provider in what the router itself shows: without any key that the rules know, and without what
    /// has the shape of one.
    pub(super) fn without_keys(&self, way: usize, text: &str) -> String {
        // Much more than is ever shown of it.
        const MOST: usize = 8 << 10;
        let text = (0..4).find_map(|less| text.get(..MOST - less)).unwrap_or(text);
        let mut text = self.engine.redactor.redacted_text(text).unwrap_or_else(|| text.to_owned());
        if let Some(clean) = self.clients_keys(way).and_then(|keys| keys.redacted_text(&text)) {
            text = clean;
        }
        key_shapes::without_keys(&text).unwrap_or(text)
    }

    /// The client's own credentials, where the provider is sent them.
    fn clients_keys(&self, way: usize) -> Option<&Redactor> {
        let keys = &self.provider_at(way)?.keys;
        if !keys.iter().any(|key| matches!(key.source, KeySource::Client)) {
            return None;
        }
        Some(self.clients_keys.get_or_init(|| {
            let headers = [AUTHORIZATION, HeaderName::from_static("x-api-key")];
            let values = headers.iter().filter_map(|name| self.incoming.headers.get(name)?.to_str().ok());
            // Of `Bearer KEY` the last word is the key.
            Redactor::new(values.filter_map(|value| value.split_whitespace().next_back()).map(Secret::new))
        }))
    }
}
