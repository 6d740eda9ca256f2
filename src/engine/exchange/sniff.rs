//! What a body really is, told by its first bytes. Content types are not believed: providers send JSON as
//! octets, event streams as plain text and error pages as JSON.

/// What the first bytes say.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sniffed {
    /// Too few bytes to tell.
    Unsure,
    /// A JSON object or list.
    Json,
    /// A stream of server-sent events.
    Events,
    /// A web page.
    Html,
    /// None of these.
    Other,
}

/// The lines that an event stream can begin with.
const EVENT_FIELDS: [&[u8]; 4] = [b"data", b"event", b"id", b"retry"];

/// Looks at the beginning of a body. White space and a byte order mark before it do not count.
pub fn sniff(bytes: &[u8]) -> Sniffed {
    let start = significant(bytes);
    let Some(first) = start.first() else {
        return Sniffed::Unsure;
    };
    match first {
        b'{' | b'[' => return Sniffed::Json,
        b'<' => return Sniffed::Html,
        b':' => return Sniffed::Events,
        0xEF if start.len() < 3 => return Sniffed::Unsure,
        _ => {}
    }
    for field in EVENT_FIELDS {
        if start.len() <= field.len() {
            if field.starts_with(start) {
                return Sniffed::Unsure;
            }
        } else if start.starts_with(field) && matches!(start.get(field.len()), Some(b':' | b'\n' | b'\r')) {
            return Sniffed::Events;
        }
    }
    Sniffed::Other
}

/// Whether a body that begins like this, white space aside, may be JSON, be it no object and no list.
pub fn may_be_json(start: &[u8]) -> bool {
    significant(start)
        .first()
        .is_some_and(|first| matches!(first, b'{' | b'[' | b'"' | b'-' | b'0'..=b'9' | b't' | b'f' | b'n'))
}

/// The bytes after white space and a byte order mark.
pub fn significant(bytes: &[u8]) -> &[u8] {
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    let blank = bytes.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
    bytes.get(blank..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{Sniffed, sniff};

    #[test]
    fn first_bytes_tell() {
        let table: [(&[u8], Sniffed); 14] = [
            (b"", Sniffed::Unsure),
            (b" \r\n", Sniffed::Unsure),
            (b"\xEF\xBB", Sniffed::Unsure),
            (b"\xEF\xBB\xBF{", Sniffed::Json),
            (b"\n {\"a\":1}", Sniffed::Json),
            (b"[", Sniffed::Json),
            (b"<!DOCTYPE html>", Sniffed::Html),
            (b": keep-alive\n", Sniffed::Events),
            (b"dat", Sniffed::Unsure),
            (b"data", Sniffed::Unsure),
            (b"data:{}", Sniffed::Events),
            (b"event: x", Sniffed::Events),
            (b"database is down", Sniffed::Other),
            (b"error code: 1015", Sniffed::Other),
        ];
        for (bytes, expected) in table {
            assert_eq!(sniff(bytes), expected, "{:?}", String::from_utf8_lossy(bytes));
        }
    }
}
