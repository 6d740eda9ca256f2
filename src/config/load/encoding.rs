//! Files that are no UTF-8: what they are instead, and how to make them so.

use super::Loader;
use super::shown::Look;
use crate::config::files::Place;
use crate::config::keys;
use crate::text::diagnostic::{Diagnostic, Span};

const EDITOR: &str = "save it as UTF-8: editors have it under \"save with encoding\"";

impl Loader<'_> {
    /// The text of a file, if it is UTF-8. What it is instead is reported, with the place of the first other sign.
    pub(super) fn utf8(&mut self, place: &Place, look: Look, bytes: Vec<u8>) -> Option<String> {
        if let Some(text) = utf16(&bytes) {
            self.no_utf8(place, look, &text, 0, "the file is in UTF-16, and not in UTF-8", [
                EDITOR,
                "or on a command line: iconv -f UTF-16 -t UTF-8 OLD > NEW; in PowerShell, `Out-File -Encoding utf8`",
            ]);
            return None;
        }
        match String::from_utf8(bytes) {
            Ok(text) => Some(text),
            Err(error) => {
                let at = error.utf8_error().valid_up_to();
                let text = String::from_utf8_lossy(error.as_bytes()).into_owned();
                self.no_utf8(place, look, &text, at, "the file is in another encoding than UTF-8", [
                    EDITOR,
                    "or on a command line: iconv -f GBK -t UTF-8 OLD > NEW; instead of GBK, what it is in",
                ]);
                None
            }
        }
    }

    fn no_utf8(&mut self, place: &Place, look: Look, text: &str, at: usize, message: &str, help: [&str; 2]) {
        self.incomplete = true;
        let file = self.sources.add(place.shown(), Self::to_show(look, text));
        if look == Look::Shown {
            for range in keys::lookalikes(text) {
                self.sources.mask(Span::new(file, range.start, range.end));
            }
        }
        let end = at + text.get(at..).and_then(|rest| rest.chars().next()).map_or(0, char::len_utf8);
        let label = if at == 0 { "from here on" } else { "the first sign that is none of UTF-8" };
        let found = Diagnostic::error("not-utf8", message).at(Span::new(file, at, end)).label(label);
        self.diagnostics.push(help.into_iter().fold(found, Diagnostic::help));
    }
}

/// The text of what is in UTF-16, with its mark at the beginning or without.
fn utf16(bytes: &[u8]) -> Option<String> {
    let (is_little, rest) = match bytes {
        [0xff, 0xfe, rest @ ..] => (true, rest),
        [0xfe, 0xff, rest @ ..] => (false, rest),
        [first, 0, _, 0, ..] if *first != 0 => (true, bytes),
        [0, second, 0, ..] if *second != 0 => (false, bytes),
        _ => return None,
    };
    let pairs = rest.chunks_exact(2).filter_map(|pair| <[u8; 2]>::try_from(pair).ok());
    let units = pairs.map(|pair| if is_little { u16::from_le_bytes(pair) } else { u16::from_be_bytes(pair) });
    Some(char::decode_utf16(units).map(|sign| sign.unwrap_or(char::REPLACEMENT_CHARACTER)).collect())
}
