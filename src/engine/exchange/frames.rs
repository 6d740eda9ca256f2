//! Cuts a byte stream after whole SSE frames, so that a stream that passes through unchanged is never left in
//! the middle of one: an error can follow at any time, and the client can read it.

use std::ops::ControlFlow;

/// Holds back the bytes of the frame that is not complete yet.
#[derive(Debug, Default)]
pub struct Frames {
    pending: Vec<u8>,
    /// How many of the pending bytes are known to hold no frame's end.
    searched: usize,
}

impl Frames {
    /// Takes bytes in and gives `each` one whole frame after the other, as it came, until it wants no more of them: so what
    /// becomes of a frame does not depend on what came in one read with it.
    pub fn push(&mut self, bytes: &[u8], mut each: impl FnMut(&[u8]) -> ControlFlow<()>) {
        let mut from = 0;
        let joined = if self.pending.is_empty() {
            // The usual case: a read ends where a frame ends, and nothing is copied.
            Vec::new()
        } else {
            from = self.searched.saturating_sub(3);
            self.pending.extend_from_slice(bytes);
            if first_end(&self.pending, from) == 0 {
                self.searched = self.pending.len();
                return;
            }
            std::mem::take(&mut self.pending)
        };
        let mut rest = if joined.is_empty() { bytes } else { &joined };
        loop {
            let end = first_end(rest, from);
            let (frame, after) = rest.split_at(end.min(rest.len()));
            if frame.is_empty() {
                break;
            }
            (rest, from) = (after, 0);
            if each(frame).is_break() {
                rest = &[];
                break;
            }
        }
        self.keep(rest);
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

/// The place after the first blank line behind something; 0 if there is none. `from`: nothing is to be found before it.
fn first_end(bytes: &[u8], from: usize) -> usize {
    let mut line_start = None;
    let mut at = from;
    while let Some(found) = bytes.get(at..).and_then(|rest| memchr::memchr2(b'\n', b'\r', rest)) {
        let here = at + found;
        let is_crlf = bytes.get(here) == Some(&b'\r') && bytes.get(here + 1) == Some(&b'\n');
        // A `\r` at the very end may be half of a line end; the next bytes tell.
        let is_half = bytes.get(here) == Some(&b'\r') && here + 1 == bytes.len();
        let next = here + if is_crlf { 2 } else { 1 };
        if line_start == Some(here) && !is_half {
            return next;
        }
        line_start = Some(next);
        at = next;
    }
    0
}

#[cfg(test)]
mod tests {
    use super::{ControlFlow, Frames};

    fn push(frames: &mut Frames, bytes: &[u8], whole: &mut Vec<u8>) {
        frames.push(bytes, |frame| {
            whole.extend_from_slice(frame);
            ControlFlow::Continue(())
        });
    }

    /// All whole frames and what is left over, with the bytes given in pieces of `size`.
    fn run(text: &str, size: usize) -> (String, String) {
        let mut frames = Frames::default();
        let mut whole = Vec::new();
        for piece in text.as_bytes().chunks(size) {
            push(&mut frames, piece, &mut whole);
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
    fn frames_come_one_by_one_until_no_more_are_wanted() {
        let mut frames = Frames::default();
        let mut seen = Vec::new();
        frames.push(b"\ndata: a\n\n\n: b\r\n\r\ndata: c\n\ndata: d\n\ndat", |frame| {
            seen.push(String::from_utf8_lossy(frame).into_owned());
            if frame.starts_with(b"data: c") { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        assert_eq!(seen, ["\ndata: a\n\n", "\n: b\r\n\r\n", "data: c\n\n"]);
        assert!(frames.pending().is_empty());
    }

    #[test]
    fn half_a_line_end_at_the_end_waits() {
        let mut frames = Frames::default();
        let mut whole = Vec::new();
        push(&mut frames, b"data: a\n\r", &mut whole);
        assert!(whole.is_empty());
        push(&mut frames, b"\ndata: b", &mut whole);
        assert_eq!(whole, b"data: a\n\r\n");
        assert_eq!(frames.pending(), b"data: b");
    }
}
