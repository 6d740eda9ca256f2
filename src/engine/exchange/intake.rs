//! What of a stream's head is an event, or may become one, and what is neither: told line by line, so that it is the
//! same whether the stream is translated or passed on, and however its bytes are cut.

/// Tells what a line is.
const FIELD: &[u8] = b"data:";
/// So much of a line is kept until that is known.
const BEGINNING: usize = 16;

/// Weighs the bytes of a stream before its content.
#[derive(Default)]
pub struct Intake {
    /// The beginning of a line of which nothing is known yet.
    beginning: Vec<u8>,
    line: Line,
    /// The last byte was a CR: an LF now belongs to it.
    after_cr: bool,
    /// The event that is coming has data that may be JSON, and so many bytes.
    event: Option<usize>,
    events: usize,
    junk: usize,
    taken: usize,
}

/// What a line is.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
enum Line {
    /// Its beginning does not tell yet.
    #[default]
    Unknown,
    /// A comment: a sign of life.
    Comment,
    /// Data of an event.
    Data,
    /// What is in no event but for the event's name: many of them mean nothing.
    Other,
}

impl Intake {
    /// How many bytes whole events had.
    pub fn events(&self) -> usize {
        self.events
    }

    /// How many bytes since the last event are neither comments nor may become an event.
    pub fn junk(&self) -> usize {
        self.junk + self.beginning.len()
    }

    /// How many bytes have come in all.
    pub fn taken(&self) -> usize {
        self.taken
    }

    /// Takes bytes in.
    pub fn push(&mut self, bytes: &[u8]) {
        self.taken += bytes.len();
        let mut rest = bytes;
        while let Some(first) = rest.first() {
            if std::mem::take(&mut self.after_cr) && *first == b'\n' {
                rest = rest.get(1..).unwrap_or_default();
                continue;
            }
            let end = memchr::memchr2(b'\n', b'\r', rest).unwrap_or(rest.len());
            let (part, after) = rest.split_at(end);
            self.part(part);
            let Some((ending, after)) = after.split_first() else { return };
            self.after_cr = *ending == b'\r';
            self.end_line();
            rest = after;
        }
    }

    fn part(&mut self, part: &[u8]) {
        let mut part = part;
        if self.line == Line::Unknown {
            let (head, rest) = part.split_at(part.len().min(BEGINNING - self.beginning.len()));
            self.beginning.extend_from_slice(head);
            part = rest;
            self.line = self.known();
            if self.line == Line::Unknown {
                return;
            }
            let length = std::mem::take(&mut self.beginning).len();
            self.weigh(length);
        }
        self.weigh(part.len());
    }

    /// What the line is, as far as its beginning tells.
    fn known(&self) -> Line {
        let begun = self.beginning.as_slice();
        let full = begun.len() == BEGINNING;
        match begun.strip_prefix(FIELD).map(|value| value.trim_ascii_start().first()) {
            _ if begun.first() == Some(&b':') => Line::Comment,
            Some(Some(b'{' | b'[')) => Line::Data,
            Some(Some(_)) if self.event.is_some() => Line::Data,
            Some(None) if !full => Line::Unknown,
            None if !full && FIELD.starts_with(begun) => Line::Unknown,
            _ => Line::Other,
        }
    }

    fn weigh(&mut self, bytes: usize) {
        match self.line {
            Line::Unknown | Line::Comment => {}
            Line::Data => *self.event.get_or_insert(0) += bytes,
            Line::Other => self.junk += bytes,
        }
    }

    fn end_line(&mut self) {
        let length = std::mem::take(&mut self.beginning).len();
        match std::mem::take(&mut self.line) {
            Line::Unknown if length == 0 => {
                if let Some(event) = self.event.take() {
                    self.events += event;
                    self.junk = 0;
                }
            }
            Line::Unknown => self.junk += length,
            Line::Comment | Line::Data | Line::Other => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Intake;

    /// The bytes of whole events, and the junk, with the bytes given in pieces of `size`.
    fn weigh(text: &str, size: usize) -> (usize, usize) {
        let mut intake = Intake::default();
        text.as_bytes().chunks(size).for_each(|piece| intake.push(piece));
        assert_eq!(intake.taken(), text.len());
        (intake.events(), intake.junk())
    }

    #[test]
    fn events_comments_and_junk_are_told_apart_at_every_cut() {
        let table = [
            ("", (0, 0)),
            (": a comment of any length is a sign of life\n\n: and another\r\n\r\n", (0, 0)),
            ("\n\r\n\n", (0, 0)),
            ("data: {\"a\":1}\n\n", (13, 0)),
            ("event: x\ndata: {\"a\":1}\n\n", (13, 0)),
            ("event: x\rdata:[1,\rdata: 2]\r\r", (16, 0)),
            ("data:\ndata: {\"a\":\ndata: 1}\n\n", (19, 0)),
            ("data:   \t {\"a\":1}\n\n", (17, 0)),
            ("data: {\"a\": \"a beginning is enough, the end may be far", (0, 0)),
            ("event: x\n\n", (0, 8)),
            ("event: x\n\ndata: {}\n\nid: 7\n\n", (8, 5)),
            ("data: not JSON\n\n", (0, 14)),
            ("data: a line without an end, and more and more of it", (0, 52)),
            ("{\"json\":\"lines\"}\n{\"json\":\"lines\"}\n", (0, 32)),
            ("dat", (0, 3)),
            ("<p>data: {}</p>\n", (0, 15)),
        ];
        for (text, expected) in table {
            for size in 1..=text.len().max(1) {
                assert_eq!(weigh(text, size), expected, "{text:?} by {size}");
            }
        }
    }
}
