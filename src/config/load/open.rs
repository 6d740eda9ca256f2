//! Opens the files that rules are made of.

use std::io;
use std::panic::resume_unwind;
use std::path::Path;
use std::thread;

use sha2::Digest;

use super::shown::{Look, refusal};
use super::{Loader, keys};
use crate::config::builtin;
use crate::config::files::{Place, Seen};
use crate::text::diagnostic::{Diagnostic, FileId, Span};
use crate::text::yaml::{self, Node};

/// How many files are parsed at the same time.
const AT_ONCE: usize = 4;
/// The most that all files together may hold, in bytes.
const MOST: usize = 128 << 20;
/// The longest text in YAML, in bytes: what is made of it takes many times as much.
const LONGEST: usize = 8 << 20;

impl Loader<'_> {
    /// The bytes of a file, which is noted for watching, and counted in the hash.
    pub(super) fn read(&mut self, place: &Place) -> io::Result<Vec<u8>> {
        let bytes = match place {
            Place::Builtin(name) => builtin::text(name).map(|text| text.as_bytes().to_vec()),
            Place::Disk(path) => Some(self.read_disk(path)?),
        };
        let bytes = bytes.ok_or(io::ErrorKind::NotFound)?;
        for part in [place.shown().as_bytes(), &bytes] {
            self.hasher.update((part.len() as u64).to_le_bytes());
            self.hasher.update(part);
        }
        Ok(bytes)
    }

    /// The bytes of a file on disk, which is noted for watching whether it is there or not.
    pub(super) fn read_disk(&mut self, path: &Path) -> io::Result<Vec<u8>> {
        let read = self.files.read(path).and_then(|bytes| {
            self.size = self.size.saturating_add(bytes.len());
            if self.size > MOST { Err(too_large("all files together are", MOST)) } else { Ok(bytes) }
        });
        let seen = Seen::new(self.files, path, &read);
        match self.watched.iter_mut().find(|known| known.path == path) {
            None => self.watched.push(seen),
            // It changed under the reading: whatever it holds now, it has to be read once more.
            Some(known) if known.content != seen.content => known.content = Err(io::ErrorKind::Interrupted),
            Some(_) => {}
        }
        read
    }

    /// Reads a YAML file. `Ok(None)` means that it is no YAML, which has been reported.
    pub(super) fn open(&mut self, place: &Place) -> io::Result<Option<(FileId, Node)>> {
        let Some((file, text)) = self.text(place)? else { return Ok(None) };
        let parsed = yaml::parse(file, self.needed(file, &text));
        Ok(self.parsed(file, &text, parsed))
    }

    /// Reads YAML files that do not depend on one another, some at a time: it is the greater part of a start.
    pub(super) fn open_all(&mut self, places: &[Place]) -> Vec<io::Result<Option<(FileId, Node)>>> {
        let texts: Vec<io::Result<Option<(FileId, String)>>> =
            places.iter().map(|place| self.text(place)).collect();
        let needed: Vec<Option<(FileId, &str)>> = texts
            .iter()
            .map(|text| text.as_ref().ok()?.as_ref().map(|(file, text)| (*file, self.needed(*file, text))))
            .collect();
        let parse = |texts: &[Option<(FileId, &str)>]| -> Vec<_> {
            texts.iter().map(|text| text.map(|(file, text)| yaml::parse(file, text))).collect()
        };
        let parsed: Vec<_> = thread::scope(|scope| {
            let share = needed.len().div_ceil(AT_ONCE).max(1);
            let jobs: Vec<_> = needed.chunks(share).map(|texts| scope.spawn(move || parse(texts))).collect();
            jobs.into_iter().flat_map(|job| job.join().unwrap_or_else(|panic| resume_unwind(panic))).collect()
        });
        let opened = texts.into_iter().zip(parsed).map(|(text, parsed)| {
            let Some((file, text)) = text? else { return Ok(None) };
            Ok(parsed.and_then(|parsed| self.parsed(file, &text, parsed)))
        });
        opened.collect()
    }

    /// The text of a file, which from here on can be shown in diagnostics. `Ok(None)` means that it is no UTF-8, which has
    /// been reported.
    fn text(&mut self, place: &Place) -> io::Result<Option<(FileId, String)>> {
        let bytes = self.read(place)?;
        if bytes.len() > LONGEST {
            return Err(too_large("it is", LONGEST));
        }
        let look = self.look(place);
        if look == Look::Refused {
            return Err(refusal());
        }
        let Some(text) = self.utf8(place, look, bytes) else { return Ok(None) };
        let file = self.sources.add(place.shown(), Self::to_show(look, &text));
        if look == Look::Hidden {
            self.hidden.push(file);
        }
        self.places.push((file, place.clone()));
        if builtin::holds(&text) {
            self.as_shipped.push(file);
        }
        Ok(Some((file, text)))
    }

    /// What has to be read of a file's text.
    fn needed<'t>(&self, file: FileId, text: &'t str) -> &'t str {
        let is_shipped = self.as_shipped.contains(&file);
        if is_shipped && self.without_shipped_tests { builtin::without_tests(text) } else { text }
    }

    fn parsed(
        &mut self,
        file: FileId,
        text: &str,
        parsed: Result<Node, Diagnostic>,
    ) -> Option<(FileId, Node)> {
        match parsed {
            Ok(node) if self.looks_like_rules(file, &node) => Some((file, node)),
            Ok(_) => {
                self.incomplete = true;
                None
            }
            Err(diagnostic) => {
                let shown = if self.hidden.contains(&file) { "" } else { text };
                for range in keys::lookalikes(shown) {
                    self.sources.mask(Span::new(file, range.start, range.end));
                }
                let diagnostic = self.no_yaml(file, diagnostic);
                self.diagnostics.push(diagnostic);
                self.incomplete = true;
                None
            }
        }
    }
}

fn too_large(what: &str, most: usize) -> io::Error {
    let text = format!("{what} larger than {} MiB, which is the most that is read", most >> 20);
    io::Error::new(io::ErrorKind::FileTooLarge, text)
}
