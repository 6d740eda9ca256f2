//! The files that rules name besides further rules: a test's request or answer that is too long to stand in them,
//! certificates and keys.

use bytes::Bytes;

use super::Loader;
use crate::config::model::{Body, FoundFile, Rules};
use crate::text::diagnostic::Diagnostic;

impl Loader<'_> {
    /// Reads the files that tests, providers and `tls` name.
    pub(super) fn named_files(&mut self, rules: &mut Rules) {
        let mut named = Vec::new();
        for test in rules.tests.iter().chain(rules.catalog.iter().flat_map(|catalog| &catalog.tests)) {
            let requests = test.then.iter().filter_map(|step| step.request.as_ref());
            for request in requests.chain([&test.request]) {
                if let Body::File(path) = request {
                    named.push(path.clone());
                }
            }
            let tables = test.then.iter().map(|step| &step.given).chain([&test.given]);
            let given = tables.flat_map(|table| table.iter()).flat_map(|(_, answers)| answers.iter());
            named.extend(given.filter_map(|answer| answer.file.clone()));
        }
        if let Some(tls) = &rules.tls {
            named.extend([&tls.certificate, &tls.key].into_iter().chain(&tls.client_ca).cloned());
        }
        let own = rules.providers.iter().filter_map(|(_, provider)| provider.tls.as_ref());
        named.extend(own.flat_map(|tls| [&tls.ca, &tls.certificate, &tls.key]).flatten().cloned());
        for path in named {
            let key = (path.span.file, path.value.clone());
            if rules.files.contains_key(&key) {
                continue;
            }
            let from = self.places.iter().find(|(file, _)| *file == path.span.file);
            let Some(place) = from.map(|(_, place)| place.beside(&path)) else { continue };
            match self.read(&place) {
                Ok(bytes) => {
                    rules.files.insert(key, FoundFile { path: place.shown(), bytes: Bytes::from(bytes) });
                }
                Err(error) => {
                    let message = format!("{} cannot be read: {error}", place.shown());
                    let diagnostic = Diagnostic::error("unreadable-file", message).at(path.span);
                    self.diagnostics.push(diagnostic.label("named here"));
                }
            }
        }
    }
}
