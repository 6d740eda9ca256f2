//! The files that rules name besides further rules: a test's request or answer that is too long to stand in them,
//! certificates and keys.

use std::io;

use bytes::Bytes;

use super::Loader;
use crate::config::files::Place;
use crate::config::model::{Body, FoundFile, Rules, Spanned};
use crate::text::diagnostic::Diagnostic;

impl Loader<'_> {
    /// A test that fails may show what it was given, so it is given nothing from outside of the rules, and no keys.
    fn readable_by_tests(&self, place: &Place) -> io::Result<()> {
        let Place::Disk(path) = place else { return Ok(()) };
        let reason = if !self.is_inside(path) {
            "tests read files in the folder of the rules only, links followed"
        } else if self.secret_files.contains(&self.files.real(path)) {
            "there are keys in it, so no test may show it"
        } else {
            return Ok(());
        };
        Err(io::Error::other(reason))
    }

    /// The place that a path in the rules means.
    fn named_by(&self, path: &Spanned<String>) -> Option<Place> {
        let from = self.places.iter().find(|(file, _)| *file == path.span.file);
        from.map(|(_, place)| place.beside(path))
    }

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
        let tests = named.len();
        if let Some(tls) = &rules.tls {
            named.extend([&tls.certificate, &tls.key].into_iter().chain(&tls.client_ca).cloned());
        }
        let own = rules.providers.iter().filter_map(|(_, provider)| provider.tls.as_ref());
        named.extend(own.flat_map(|tls| [&tls.ca, &tls.certificate, &tls.key]).flatten().cloned());
        let places: Vec<Option<Place>> = named.iter().map(|path| self.named_by(path)).collect();
        places.iter().skip(tests).flatten().for_each(|place| self.holds_keys(place));
        for (number, (path, place)) in named.into_iter().zip(places).enumerate() {
            let key = (path.span.file, path.value.clone());
            if rules.files.contains_key(&key) {
                continue;
            }
            let Some(place) = place else { continue };
            let read = self.read(&place);
            let allowed = if number < tests { self.readable_by_tests(&place) } else { Ok(()) };
            match read.and_then(|bytes| allowed.map(|()| bytes)) {
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
