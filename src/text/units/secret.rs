//! A text that may be used and never shown.

use std::fmt;
use std::sync::Arc;

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// How many bytes of its digest name a secret: enough to tell a few hundred keys apart, too few to check a guess.
const LABEL: usize = 5;

/// A key or a password.
///
/// It has no `Display` and is not serialised; `{:?}` says `[secret]`. Comparing takes as long for a
/// nearly right guess as for a wrong one of the same length.
#[derive(Clone)]
pub struct Secret(Arc<str>);

impl Secret {
    /// Takes a text out of sight.
    pub fn new(text: impl Into<Arc<str>>) -> Secret {
        Secret(text.into())
    }

    /// The text itself, for the one place that sends or compares it.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// The text with `[key]` wherever this secret stands in it; `None` if it does not. Secrets of less than
    /// eight bytes are not looked for: they are no secrets, and may be part of any word.
    pub fn hidden_in(&self, text: &[u8]) -> Option<Vec<u8>> {
        let secret = self.0.as_bytes();
        let finder = memchr::memmem::Finder::new(secret);
        finder.find(text).filter(|_| secret.len() >= 8)?;
        let mut out = Vec::with_capacity(text.len());
        let mut from = 0;
        for at in finder.find_iter(text) {
            out.extend_from_slice(text.get(from..at).unwrap_or_default());
            out.extend_from_slice(b"[key]");
            from = at + secret.len();
        }
        out.extend_from_slice(text.get(from..).unwrap_or_default());
        Some(out)
    }

    /// A short name for the secret as it is used at `place`: equal for equal ones, and of no use to find it out,
    /// since many texts have the same. For telling keys apart in what is written to disk.
    pub fn label(&self, place: &str) -> String {
        let mut hash = Sha256::new();
        for part in ["rulegate key", place, &self.0] {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        hash.finalize().iter().take(LABEL).map(|byte| format!("{byte:02x}")).collect()
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Secret) -> bool {
        self.0.as_bytes().ct_eq(other.0.as_bytes()).into()
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
