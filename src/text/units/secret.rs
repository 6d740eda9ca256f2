//! A text that may be used and never shown.

mod redactor;

use std::fmt;
use std::sync::{Arc, OnceLock};

use memchr::memmem::Finder;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

pub use redactor::Redactor;

/// How many bytes of its digest name a secret: enough to tell a few hundred keys apart, too few to check a guess.
const LABEL: usize = 5;
/// Shorter ones, in bytes, are not looked for.
const LEAST: usize = 8;
/// So long a secret, in bytes, is no word.
const UNMISTAKABLE: usize = 16;

/// A key or a password.
///
/// It has no `Display` and is not serialised; `{:?}` says `[secret]`. Comparing takes as long for a
/// nearly right guess as for a wrong one of the same length.
#[derive(Clone)]
pub struct Secret {
    text: Arc<str>,
    /// Looks for the text in others. It is made when it is first wanted, because streams look in each event.
    finder: OnceLock<Box<Finder<'static>>>,
}

impl Secret {
    /// Takes a text out of sight.
    pub fn new(text: impl Into<Arc<str>>) -> Secret {
        Secret { text: text.into(), finder: OnceLock::new() }
    }

    /// What makes this no key of a provider, and what to write instead: signs that were copied along with it.
    pub fn oddity(&self) -> Option<(&'static str, &'static str)> {
        if self.text.starts_with("Bearer ") {
            Some((
                "it begins with the word `Bearer`",
                "write what comes after it: the protocol adds the word",
            ))
        } else if self.text.contains(char::is_whitespace) {
            Some(("there is a space or a line break in it", "write the key alone"))
        } else if !self.text.chars().all(|sign| sign.is_ascii_graphic()) {
            Some(("there is a sign in it that no key has", "write the key alone, in ASCII"))
        } else {
            None
        }
    }

    /// The text itself, for the one place that sends or compares it.
    pub fn expose(&self) -> &str {
        &self.text
    }

    /// The text with `[key]` wherever this secret stands in it; `None` if it does not. Secrets of less than
    /// eight bytes are not looked for: they are no secrets, and may be part of any word.
    pub fn hidden_in(&self, text: &[u8]) -> Option<Vec<u8>> {
        if !self.is_in(text) {
            return None;
        }
        let finder = self.finder();
        let mut out = Vec::with_capacity(text.len());
        let mut from = 0;
        for at in finder.find_iter(text) {
            out.extend_from_slice(text.get(from..at).unwrap_or_default());
            out.extend_from_slice(b"[key]");
            from = at + self.text.len();
        }
        out.extend_from_slice(text.get(from..).unwrap_or_default());
        Some(out)
    }

    /// Whether [`Secret::hidden_in`] would find anything.
    pub fn is_in(&self, text: &[u8]) -> bool {
        self.text.len() >= LEAST && self.finder().find(text).is_some()
    }

    /// Whether the secret stands in the text, and is so long and mixed that no model would write it by chance: a key may
    /// be a word such as `lm-studio`, of which an answer may speak.
    pub fn is_unmistakably_in(&self, text: &[u8]) -> bool {
        let is_mixed = || {
            let has = |of: fn(&u8) -> bool| self.text.as_bytes().iter().any(of);
            has(u8::is_ascii_digit) && has(u8::is_ascii_alphabetic)
        };
        self.text.len() >= UNMISTAKABLE && self.is_in(text) && is_mixed()
    }

    /// Whether it may be a word, a date or a number that has other meanings, too.
    pub fn is_word(&self) -> bool {
        let all = |is: fn(u8) -> bool| self.text.bytes().all(is);
        let is_plain = all(|byte| byte.is_ascii_lowercase() || byte == b'_');
        self.text.len() < UNMISTAKABLE
            && (is_plain || all(|byte| byte.is_ascii_digit() || b".:-".contains(&byte)))
    }

    fn finder(&self) -> &Finder<'static> {
        self.finder.get_or_init(|| Box::new(Finder::new(self.text.as_bytes()).into_owned()))
    }

    /// A short name for the secret as it is used at `place`: equal for equal ones, and of no use to find it out,
    /// since many texts have the same. For telling keys apart in what is written to disk.
    pub fn label(&self, place: &str) -> String {
        let mut hash = Sha256::new();
        for part in ["rulegate key", place, &self.text] {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        hash.finalize().iter().take(LABEL).map(|byte| format!("{byte:02x}")).collect()
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Secret) -> bool {
        self.text.as_bytes().ct_eq(other.text.as_bytes()).into()
    }
}

impl Eq for Secret {}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

#[cfg(test)]
mod tests {
    use super::Secret;

    #[test]
    fn shows_nothing() {
        let secret = Secret::new("sk-123");
        assert_eq!(format!("{secret:?} {:#?}", Some(&secret)), "[secret] Some(\n    [secret],\n)");
        assert_eq!(secret.expose(), "sk-123");
    }

    #[test]
    fn hides_in_what_others_say() {
        let hidden = |text: &str| Secret::new("sk-12345").hidden_in(text.as_bytes()).map(String::from_utf8);
        assert_eq!(hidden("nothing here"), None);
        assert_eq!(hidden("sk-12345, or sk-12345?"), Some(Ok("[key], or [key]?".to_owned())));
        assert_eq!(Secret::new("short").hidden_in(b"short"), None);
    }

    #[test]
    fn labels_tell_secrets_and_places_apart_and_show_neither() {
        let label = |text: &str, place: &str| Secret::new(text).label(place);
        assert_eq!(label("sk-1", "http://a"), label("sk-1", "http://a"));
        assert_ne!(label("sk-1", "http://a"), label("sk-2", "http://a"));
        assert_ne!(label("sk-1", "http://a"), label("sk-1", "http://b"));
        assert_eq!(label("sk-1", "http://a").len(), 10);
    }

    #[test]
    fn compares() {
        assert_eq!(Secret::new("a"), Secret::new("a"));
        assert_ne!(Secret::new("a"), Secret::new("b"));
        assert_ne!(Secret::new("a"), Secret::new("ab"));
    }
}
