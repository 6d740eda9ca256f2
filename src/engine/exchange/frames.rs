//! Cuts a byte stream after whole SSE frames, so that a stream that passes through unchanged is never left in
//! the middle of one: an error can follow at any time, and the client can read it.

/// Holds back the bytes of the frame that is not complete yet.
#[derive(Debug, Default)]
pub struct Frames {
    pending: Vec<u8>,
    /// How many of the pending bytes are known to hold no frame's end.
    searched: usize,
}

impl Frames {
    /// Takes bytes in and gives `each` the whole frames that are there now, as they came, if there are any.
    pub fn push(&mut self, bytes: &[u8], mut each: impl FnMut(&[u8])) {
        if self.pending.is_empty() {
            // The usual case: a read ends where a frame ends, and nothing is copied.
            let end = last_end(bytes, 0);
            let (whole, rest) = bytes.split_at(end.min(bytes.len()));
            if !whole.is_empty() {
                each(whole);
            }
            self.keep(rest);
            return;
        }
        self.pending.extend_from_slice(bytes);
        let end = last_end(&self.pending, self.searched.saturating_sub(3));
        if end == 0 {
            self.searched = self.pending.len();
            return;
        }
        let mut whole = std::mem::take(&mut self.pending);
        let rest = whole.split_off(end.min(whole.len()));
        each(&whole);
        self.keep(&rest);
    }

    /// The bytes held back.
    pub fn pending(&self) -> &[u8] {
        &self.pending
    }

    fn keep(&mut self, rest: &[u8]) {
        self.pending.clear();
        self.pending.extend_from_slice(rest);
        self.searched = rest.len();
    }
}

/// The place after the last blank line; 0 if there is none. `from`: nothing is to be found before it.
fn last_end(bytes: &[u8], from: usize) -> usize {
    let mut end = 0;
    let mut line_start = None;
    let mut at = from;
    while let Some(found) = bytes.get(at..).and_then(|rest| memchr::memchr2(b'\n', b'\r', rest)) {
        let here = at + found;
        let is_crlf = bytes.get(here) == Some(&b'\r') && bytes.get(here + 1) == Some(&b'\n');
        // A `\r` at the very end may be half of a line end; the next bytes tell.
        let is_half = bytes.get(here) == Some(&b'\r') && here + 1 == bytes.len();
        let next = here + if is_crlf { 2 } else { 1 };
        if line_start == Some(here) && !is_half {
            end = next;
        }
        line_start = Some(next);
        at = next;
    }
    end
}

#[cfg(test)]
mod tests {
    use super::Frames;

    /// All whole frames and what is left over, with the bytes given in pieces of `size`.
    fn run(text: &str, size: usize) -> (String, String) {
        let mut frames = Frames::default();
        let mut whole = Vec::new();
        for piece in text.as_bytes().chunks(size) {
            frames.push(piece, |bytes| whole.extend_from_slice(bytes));
        }
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (text(&whole), text(frames.pending()))
    }

    #[test]
    fn whole_frames_leave_at_every_cut() {
        let table = [
            ("data: a\n\ndata: b", "data: a\n\n", "data: b"),
            ("data: a\r\n\r\ndata: b\r\n", "data: a\r\n\r\n", "data: b\r\n"),
            ("data: a\r\rdata: b\n\n", "data: a\r\rdata: b\n\n", ""),
            (": ping\n\nevent: x\ndata: y\n\n", ": ping\n\nevent: x\ndata: y\n\n", ""),
            ("data: a\ndata: b\n", "", "data: a\ndata: b\n"),
        ];
        for (text, whole, rest) in table {
            for size in 1..=text.len() {
                assert_eq!(run(text, size), (whole.to_owned(), rest.to_owned()), "{text:?} by {size}");
            }
        }
    }

    #[test]
    fn half_a_line_end_at_the_end_waits() {
        let mut frames = Frames::default();
        let mut whole = Vec::new();
        frames.push(b"data: a\n\r", |bytes| whole.extend_from_slice(bytes));
        assert!(whole.is_empty());
        frames.push(b"\ndata: b", |bytes| whole.extend_from_slice(bytes));
        assert_eq!(whole, b"data: a\n\r\n");
        assert_eq!(frames.pending(), b"data: b");
    }
}
