//! What may stand in a document, at a glance: paths to what surely does not are not walked.
//!
//! Two Bloom filters of one hash each: of the names of members, and of short strings. They are filled as the tape is
//! laid, and asked with what a path cannot do without. Most of what mappings ask for is in no given document.

use super::Json;

/// Longer strings, in bytes, leave no trace. What rules compare with is shorter.
pub const LONGEST: usize = 24;
/// No character is written with more bytes than this, in an escape.
const ESCAPED: usize = 6;

/// How large a filter is, in words of 64 bits: of the names and words of a usual request it lets one in eight through by
/// mistake. (Each document has two of them, and each path.)
const WORDS: usize = 4;
/// Their names are the first bits of a digest.
const PLACE_BITS: u32 = (WORDS * 64).ilog2();

/// Spreads texts over digests. Of thousands of odd numbers tried it is the one with which the words of usual requests and
/// answers hide the fewest of those that the shipped mappings ask for.
const SPREAD: u64 = 0x81F8_A67E_B1A1_D2EB;

/// One filter.
type Bits = [u64; WORDS];

/// The names and the short strings that may stand in a document, or that a path needs there.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Traces {
    names: Bits,
    texts: Bits,
}

impl Traces {
    /// Needs a member of that name.
    pub fn need_name(&mut self, name: &str) {
        if is_plain(name) {
            mark(&mut self.names, digest(name.as_bytes()));
        }
    }

    /// Needs that string as a value.
    pub fn need_text(&mut self, text: &str) {
        if is_plain(text) && text.len() <= LONGEST {
            mark(&mut self.texts, digest(text.as_bytes()));
        }
    }

    /// Needs what the other needs, too.
    pub fn join(&mut self, other: &Traces) {
        let add = |ours: &mut Bits, theirs: &Bits| ours.iter_mut().zip(theirs).for_each(|(a, b)| *a |= b);
        add(&mut self.names, &other.names);
        add(&mut self.texts, &other.texts);
    }

    /// Whether all that `needs` has may be here. False is certain.
    #[inline]
    pub fn may_have(&self, needs: &Traces) -> bool {
        let missing = |needs: &Bits, has: &Bits| needs.iter().zip(has).fold(0, |sum, (n, h)| sum | (n & !h));
        missing(&needs.names, &self.names) | missing(&needs.texts, &self.texts) == 0
    }

    /// Notes a member's name, as the document writes it between its quotes, by its digest.
    #[inline(always)]
    pub(super) fn saw_name(&mut self, raw: &[u8], digest: u32, escaped: bool) {
        if escaped && has_code(raw) {
            self.names = [u64::MAX; WORDS];
        } else {
            mark(&mut self.names, digest);
        }
    }

    /// The same for a string.
    #[inline(always)]
    pub(super) fn saw_text(&mut self, raw: &[u8], escaped: bool) {
        if escaped && raw.len() <= LONGEST * ESCAPED && has_code(raw) {
            self.texts = [u64::MAX; WORDS];
        } else if raw.len() <= LONGEST {
            mark(&mut self.texts, digest(raw));
        }
    }
}

impl Json<'_> {
    /// Whether all that `needs` has may stand in the document. False is certain.
    #[inline]
    pub fn may_have(self, needs: &Traces) -> bool {
        self.doc().traces().may_have(needs)
    }
}

/// Whether a text stands in documents as it is, unless somebody writes a character by its number.
fn is_plain(text: &str) -> bool {
    text.bytes().all(|byte| byte >= b' ' && !matches!(byte, b'"' | b'\\' | b'/' | 0x7f))
}

/// Whether there is an escape by number, which can stand for any character.
#[cold]
fn has_code(raw: &[u8]) -> bool {
    raw.windows(2).any(|pair| pair == b"\\u")
}

#[inline]
fn mark(bits: &mut Bits, digest: u32) {
    let place = digest >> (32 - PLACE_BITS);
    if let Some(word) = bits.get_mut((place >> 6) as usize) {
        *word |= 1 << (place & 63);
    }
}

/// What tells most texts apart at once: made of the length, the first and the last bytes.
#[inline]
pub(super) fn digest(text: &[u8]) -> u32 {
    let word = match (text.first_chunk::<8>(), text.last_chunk::<8>()) {
        (Some(first), Some(last)) => u64::from_le_bytes(*first) ^ u64::from_le_bytes(*last).rotate_left(29),
        _ => match (text.first_chunk::<4>(), text.last_chunk::<4>()) {
            (Some(first), Some(last)) => {
                u64::from(u32::from_le_bytes(*first)) | (u64::from(u32::from_le_bytes(*last)) << 32)
            }
            _ => text.iter().fold(0, |sum, byte| (sum << 8) | u64::from(*byte)),
        },
    };
    ((word ^ text.len() as u64).wrapping_mul(SPREAD) >> 32) as u32
}

#[cfg(test)]
mod tests {
    use super::Traces;
    use crate::text::json::Doc;

    fn needing(name: &str, text: Option<&str>) -> Traces {
        let mut needs = Traces::default();
        needs.need_name(name);
        text.iter().for_each(|text| needs.need_text(text));
        needs
    }

    #[test]
    fn what_is_there_is_never_denied() {
        let document = r#"{"a":1,"type":"image","a_long_name_of_many_words":{"x\/y":"q\/r"},"\u0074wo":"\u0061bc","":["", "plain"]}"#;
        let doc = Doc::parse(document).unwrap();
        let table = [
            ("a", None),
            ("type", Some("image")),
            ("a_long_name_of_many_words", None),
            ("x/y", Some("q/r")),
            ("two", Some("abc")),
            ("", Some("")),
            ("", Some("plain")),
        ];
        for (name, text) in table {
            assert!(doc.root().may_have(&needing(name, text)), "{name} {text:?}");
        }
    }

    #[test]
    fn what_is_not_there_is_denied() {
        let doc = Doc::parse(r#"{"type":"text","text":"image, and more than that","n":"a\nb"}"#).unwrap();
        for (name, text) in [("cache_control", None), ("type", Some("image")), ("texts", None)] {
            assert!(!doc.root().may_have(&needing(name, text)), "{name} {text:?}");
        }
        assert!(!Doc::null().root().may_have(&needing("type", None)));
        assert!(Doc::null().root().may_have(&Traces::default()));
    }
}
