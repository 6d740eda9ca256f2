//! JSON strings: finding their end, decoding and writing them, eight bytes at a time.

use super::parse::Flaw;

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = 0x8080_8080_8080_8080;

/// The offset of the first quote, backslash or control character at or after `at`, or the text's length.
#[inline]
fn plain_until(bytes: &[u8], at: usize) -> usize {
    let mut at = at;
    let mut rest = bytes.get(at..).unwrap_or_default();
    while let Some((chunk, tail)) = rest.split_first_chunk::<8>() {
        let word = u64::from_le_bytes(*chunk);
        // The high bit of each byte that is a quote, a backslash, or below 0x20: there a subtraction borrows. It
        // also does in bytes above such a one, so only the lowest mark is right, and the lowest is the one we want.
        // Bytes beyond ASCII have the bit themselves, and are none of these.
        let marks = (word ^ (ONES * 0x22)).wrapping_sub(ONES)
            | (word ^ (ONES * 0x5C)).wrapping_sub(ONES)
            | word.wrapping_sub(ONES * 0x20);
        let marks = marks & !word & HIGH;
        if marks != 0 {
            return at + (marks.trailing_zeros() / 8) as usize;
        }
        at += 8;
        rest = tail;
    }
    at + rest.iter().position(|&b| b == b'"' || b == b'\\' || b < 0x20).unwrap_or(rest.len())
}

/// Whether two texts are the same bytes. Names and words are short: a call of the machine's own comparison costs more
/// than they do.
#[inline(always)]
pub(super) fn same(one: &[u8], other: &[u8]) -> bool {
    if one.len() != other.len() {
        return false;
    }
    if one.len() > 16 {
        return one == other;
    }
    // The ends cover it all, and overlap where it is shorter than both of them.
    let ends =
        (one.first_chunk::<8>(), one.last_chunk::<8>(), other.first_chunk::<8>(), other.last_chunk::<8>());
    if let (Some(first), Some(last), Some(other_first), Some(other_last)) = ends {
        return first == other_first && last == other_last;
    }
    let ends =
        (one.first_chunk::<4>(), one.last_chunk::<4>(), other.first_chunk::<4>(), other.last_chunk::<4>());
    if let (Some(first), Some(last), Some(other_first), Some(other_last)) = ends {
        return first == other_first && last == other_last;
    }
    one.iter().eq(other)
}

/// Reads a string whose content begins at `at`: where it ends (after the quote) and whether it has escapes.
#[inline(always)]
pub(super) fn scan(bytes: &[u8], at: usize) -> Result<(usize, bool), Flaw> {
    let mut at = at;
    let mut escaped = false;
    loop {
        at = plain_until(bytes, at);
        match bytes.get(at) {
            Some(b'"') => return Ok((at + 1, escaped)),
            Some(b'\\') => {
                escaped = true;
                at = match bytes.get(at + 1) {
                    Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => at + 2,
                    Some(b'u') => match bytes.get(at + 2..at + 6) {
                        Some(hex) if hex.iter().all(u8::is_ascii_hexdigit) => at + 6,
                        _ => return Err(Flaw(at, "expected four hexadecimal digits after `\\u`")),
                    },
                    None => return Err(Flaw(at + 1, "the text ends inside a string")),
                    Some(_) => return Err(Flaw(at, "unknown escape in a string")),
                };
            }
            Some(_) => return Err(Flaw(at, "control characters in a string must be escaped")),
            None => return Err(Flaw(at, "the text ends inside a string")),
        }
    }
}

/// Decodes the checked content of a string. A lone surrogate becomes U+FFFD.
pub(super) fn unescape(inner: &str) -> String {
    let mut out = String::with_capacity(inner.len());
    let mut rest = inner;
    while let Some(at) = memchr::memchr(b'\\', rest.as_bytes()) {
        let (plain, escape) = rest.split_at(at);
        out.push_str(plain);
        let (c, used) = match escape.as_bytes().get(1) {
            Some(b'b') => ('\u{8}', 2),
            Some(b'f') => ('\u{c}', 2),
            Some(b'n') => ('\n', 2),
            Some(b'r') => ('\r', 2),
            Some(b't') => ('\t', 2),
            Some(b'u') => unicode(escape),
            Some(&other) => (char::from(other), 2),
            None => break,
        };
        out.push(c);
        rest = escape.get(used..).unwrap_or_default();
    }
    out.push_str(rest);
    out
}

/// The character of a `\uXXXX` escape (or a pair of them) and how many bytes it takes.
fn unicode(escape: &str) -> (char, usize) {
    let unit = |at: usize| {
        let hex = escape.get(at..at + 6)?.strip_prefix("\\u")?;
        u32::from_str_radix(hex, 16).ok()
    };
    let Some(first) = unit(0) else { return (char::REPLACEMENT_CHARACTER, escape.len()) };
    if let (0xD800..=0xDBFF, Some(second @ 0xDC00..=0xDFFF)) = (first, unit(6)) {
        let code = 0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00);
        return (char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER), 12);
    }
    (char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER), 6)
}

/// Appends `s` as a JSON string, quotes included. Only what must be escaped is.
pub fn write_str(out: &mut Vec<u8>, s: &str) {
    out.reserve(s.len() + 2);
    out.push(b'"');
    write_content(out, s);
    out.push(b'"');
}

/// Appends `s` as the content of a JSON string, without quotes.
pub fn write_content(out: &mut Vec<u8>, s: &str) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let bytes = s.as_bytes();
    let mut from = 0;
    loop {
        let at = plain_until(bytes, from);
        out.extend_from_slice(bytes.get(from..at).unwrap_or_default());
        let Some(&special) = bytes.get(at) else { return };
        match special {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0x08 => out.extend_from_slice(b"\\b"),
            0x0C => out.extend_from_slice(b"\\f"),
            control => {
                out.extend_from_slice(b"\\u00");
                for digit in [control >> 4, control & 0xF] {
                    out.push(HEX.get(usize::from(digit)).copied().unwrap_or(b'0'));
                }
            }
        }
        from = at + 1;
    }
}
