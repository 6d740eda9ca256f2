//! Server-sent events: from bytes, cut anywhere, to events; and from events to bytes.

use std::borrow::Cow;
use std::fmt;

#[cfg(test)]
mod tests;

/// One event as the stream had it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SseEvent<'a> {
    /// What the `event:` line said, if there was one and it was not empty.
    pub name: Option<&'a str>,
    /// The `data:` lines, joined by line feeds. Not checked to be UTF-8.
    pub data: &'a [u8],
    /// The stream ended before the blank line that ends an event: the data may be cut off.
    pub partial: bool,
}

/// A line or an event grew beyond the decoder's limit; the stream cannot be read any further.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SseTooLong {
    /// The limit, in bytes.
    pub limit: usize,
}

impl fmt::Display for SseTooLong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an event is longer than {} bytes", self.limit)
    }
}

impl std::error::Error for SseTooLong {}

/// Reads an event stream. Lines may end in LF, CRLF or CR, mixed; a byte order mark in front is skipped.
///
/// An event leaves with the first byte that ends it: after a CR nobody waits to see whether LF follows.
#[derive(Debug)]
pub struct SseDecoder {
    limit: usize,
    /// The beginning of a line whose end has not come.
    line: Vec<u8>,
    name: Vec<u8>,
    data: Vec<u8>,
    /// A `data:` line has come, so that the blank line ends an event, be its data empty.
    has_data: bool,
    /// The last byte was a CR: an LF now belongs to it.
    after_cr: bool,
    first_line: bool,
    comments: u64,
    /// A line of the event that is coming is neither data nor a comment.
    has_fields: bool,
    /// An event had an `id`, which clients keep for all that follow.
    has_id: bool,
    bare: u64,
    too_long: bool,
}

impl SseDecoder {
    /// A decoder that refuses lines and events of more than `limit` bytes.
    pub fn new(limit: usize) -> SseDecoder {
        SseDecoder {
            limit,
            line: Vec::new(),
            name: Vec::new(),
            data: Vec::new(),
            has_data: false,
            after_cr: false,
            first_line: true,
            comments: 0,
            has_fields: false,
            has_id: false,
            bare: 0,
            too_long: false,
        }
    }

    /// How many comment lines have come: signs of life, but no events.
    pub fn comments(&self) -> u64 {
        self.comments
    }

    /// How many blank lines have come after which a lenient client sees an event, though it has no data: behind `retry`,
    /// `event` or `id` alone, and, once there was an `id`, behind anything.
    pub fn bare(&self) -> u64 {
        self.bare
    }

    /// Reads on, calling `each` with every event that is complete.
    ///
    /// # Errors
    /// When a line or event is too long, now and from now on.
    pub fn push(&mut self, bytes: &[u8], each: &mut impl FnMut(SseEvent<'_>)) -> Result<(), SseTooLong> {
        let mut rest = bytes;
        while !rest.is_empty() && !self.too_long {
            if std::mem::take(&mut self.after_cr)
                && let Some(after) = rest.strip_prefix(b"\n")
            {
                rest = after;
                continue;
            }
            // A blank line, as every event ends with, need not be looked for.
            let end = match rest.first() {
                Some(b'\n' | b'\r') => Some(0),
                _ => memchr::memchr2(b'\n', b'\r', rest),
            };
            let (part, after) = rest.split_at(end.unwrap_or(rest.len()));
            if self.line.len() + part.len() > self.limit {
                self.too_long = true;
                break;
            }
            let Some((ending, after)) = after.split_first() else {
                self.line.extend_from_slice(part);
                break;
            };
            self.after_cr = *ending == b'\r';
            rest = after;
            if self.line.is_empty() {
                self.line(part, each);
            } else {
                self.line.extend_from_slice(part);
                let mut line = std::mem::take(&mut self.line);
                self.line(&line, each);
                // Handed back, so that the next cut line needs no allocation.
                line.clear();
                self.line = line;
            }
        }
        if self.too_long { Err(SseTooLong { limit: self.limit }) } else { Ok(()) }
    }

    /// The stream has ended: an event without its blank line is given out as `partial`.
    ///
    /// # Errors
    /// As [`SseDecoder::push`].
    pub fn finish(&mut self, each: &mut impl FnMut(SseEvent<'_>)) -> Result<(), SseTooLong> {
        if !self.line.is_empty() {
            let line = std::mem::take(&mut self.line);
            self.line(&line, each);
        }
        if self.too_long {
            return Err(SseTooLong { limit: self.limit });
        }
        self.dispatch(true, each);
        Ok(())
    }

    fn line(&mut self, line: &[u8], each: &mut impl FnMut(SseEvent<'_>)) {
        let mut line = line;
        if std::mem::take(&mut self.first_line) {
            line = line.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(line);
        }
        if line.is_empty() {
            self.dispatch(false, each);
            return;
        }
        let (field, value) = match memchr::memchr(b':', line) {
            Some(colon) => line.split_at(colon),
            None => (line, &b""[..]),
        };
        let value = value.strip_prefix(b":").unwrap_or(value);
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match field {
            b"" => self.comments += 1,
            b"data" => self.data_line(value),
            // No field of the standard: some servers say so that they have failed, and nothing behind it.
            b"error" => {
                if self.name.is_empty() {
                    self.name.extend_from_slice(b"error");
                }
                self.data_line(value);
            }
            b"event" => {
                self.name.clear();
                self.name.extend_from_slice(value);
            }
            // `id` and `retry` are for clients that reconnect; others mean nothing.
            _ => {}
        }
        self.has_fields |= !matches!(field, b"" | b"data" | b"error");
        self.has_id |= field == b"id";
    }

    fn data_line(&mut self, value: &[u8]) {
        if self.data.len() + value.len() >= self.limit {
            self.too_long = true;
            return;
        }
        if self.has_data {
            self.data.push(b'\n');
        }
        self.has_data = true;
        self.data.extend_from_slice(value);
    }

    fn dispatch(&mut self, partial: bool, each: &mut impl FnMut(SseEvent<'_>)) {
        if self.has_data {
            let name = match str::from_utf8(&self.name) {
                Ok(name) => Cow::Borrowed(name),
                Err(_) => String::from_utf8_lossy(&self.name),
            };
            let name = Some(name.as_ref()).filter(|name| !name.is_empty());
            each(SseEvent { name, data: &self.data, partial });
        } else if self.has_fields || self.has_id {
            self.bare += 1;
        }
        self.has_fields = false;
        self.has_data = false;
        self.data.clear();
        self.name.clear();
    }
}

/// Appends one event. Line breaks in `data` become several `data:` lines; `name` must have none.
pub fn write_event(out: &mut Vec<u8>, name: Option<&str>, data: &[u8]) {
    out.reserve(data.len() + 16);
    if let Some(name) = name {
        out.extend_from_slice(b"event: ");
        out.extend(name.bytes().filter(|b| !matches!(b, b'\n' | b'\r')));
        out.push(b'\n');
    }
    let mut rest = data;
    loop {
        let end = memchr::memchr2(b'\n', b'\r', rest);
        let (line, after) = rest.split_at(end.unwrap_or(rest.len()));
        out.extend_from_slice(b"data: ");
        out.extend_from_slice(line);
        out.push(b'\n');
        rest = match after {
            [] => break,
            [b'\r', b'\n', after @ ..] | [_, after @ ..] => after,
        };
    }
    out.push(b'\n');
}

/// Appends a comment, which keeps a connection alive and is no event.
pub fn write_comment(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(b": ");
    out.extend(text.bytes().filter(|b| !matches!(b, b'\n' | b'\r')));
    out.extend_from_slice(b"\n\n");
}
