//! Closes a connection on which the head of a request comes too slowly, whichever request of the connection it is.
//!
//! hyper's own timer is for HTTP/1 only, runs from the end of the last answer, and closes without an answer.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

use super::connection::Requests;

/// What every HTTP/2 connection begins with.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// The length of a frame's header, in bytes.
const FRAME_HEADER: usize = 9;
/// Types of frames that carry a head, and the flag of the last one (RFC 9113, 6.2 and 6.10).
const HEADERS: u8 = 1;
const CONTINUATION: u8 = 9;
const END_HEADERS: u8 = 4;
/// The answer on HTTP/1, where nothing else can be on its way while a head comes. Its path is not known, so it is in
/// no client's protocol.
const TOO_SLOW: &[u8] = b"HTTP/1.1 408 Request Timeout\r\ncontent-type: application/json\r\nconnection: close\r\n\
content-length: 118\r\n\r\n\
{\"error\":{\"type\":\"timeout_error\",\"message\":\"the head of the request did not come in time (`limits: { head_time }`)\"}}\n";

/// A connection whose reads fail when a head has not come within a limit from its first byte.
pub(super) struct HeadGuard<T> {
    inner: T,
    requests: Arc<Requests>,
    limit: Duration,
    reading: Reading,
    /// When the latest head began.
    since: Instant,
    timer: Option<Pin<Box<Sleep>>>,
}

impl<T> HeadGuard<T> {
    pub fn new(inner: T, requests: Arc<Requests>, limit: Duration) -> Self {
        Self { inner, requests, limit, reading: Reading::Preface(0), since: Instant::now(), timer: None }
    }

    fn came(&mut self, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        self.reading.came(bytes);
        let is_head = match &self.reading {
            // Until a request is under way, all that comes is its head.
            Reading::Http1 | Reading::Preface(_) => self.requests.is_idle(),
            Reading::Http2(frames) => frames.is_head,
        };
        if self.requests.head_comes(is_head) {
            self.since = Instant::now();
        }
    }
}

impl<T: AsyncWrite + Unpin> HeadGuard<T> {
    /// Says why the connection ends, as far as that can be done at once.
    fn tell(&mut self, cx: &mut Context<'_>) {
        if matches!(self.reading, Reading::Http1)
            && let Poll::Ready(Ok(_)) = Pin::new(&mut self.inner).poll_write(cx, TOO_SLOW)
        {
            let _ = Pin::new(&mut self.inner).poll_flush(cx);
            let _ = Pin::new(&mut self.inner).poll_shutdown(cx);
        }
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> AsyncRead for HeadGuard<T> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buf.filled().len();
        if let Poll::Ready(read) = Pin::new(&mut this.inner).poll_read(cx, buf) {
            this.came(buf.filled().get(before..).unwrap_or_default());
            return Poll::Ready(read);
        }
        // On HTTP/2 other requests may be under way, and end well; their connection is of no other use by then.
        if !(this.requests.is_idle() && this.requests.has_head()) {
            return Poll::Pending;
        }
        let end = this.since + this.limit;
        let timer = this.timer.get_or_insert_with(|| Box::pin(sleep_until(end)));
        if timer.deadline() != end {
            timer.as_mut().reset(end);
        }
        ready!(timer.as_mut().poll(cx));
        this.tell(cx);
        Poll::Ready(Err(io::Error::new(
            io::ErrorKind::TimedOut,
            "the head of a request did not come in time",
        )))
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for HeadGuard<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write_vectored(cx, bufs)
    }
}

/// Which version a client speaks, as far as its bytes tell.
#[derive(Debug)]
enum Reading {
    /// So many bytes of the preface have come, and nothing else.
    Preface(usize),
    Http1,
    Http2(Frames),
}

impl Reading {
    fn came(&mut self, mut bytes: &[u8]) {
        if let Self::Preface(seen) = self {
            let due = PREFACE.get(*seen..).unwrap_or_default();
            let count = due.len().min(bytes.len());
            let (preface, rest) = bytes.split_at(count);
            bytes = rest;
            if !due.starts_with(preface) {
                *self = Self::Http1;
            } else if count == due.len() {
                *self = Self::Http2(Frames::default());
            } else {
                *seen += count;
            }
        }
        if let Self::Http2(frames) = self {
            frames.came(bytes);
        }
    }
}

/// The frames of an HTTP/2 connection, as far as it matters where heads begin and end.
#[derive(Debug, Default)]
struct Frames {
    header: [u8; FRAME_HEADER],
    /// So many bytes of the header have come.
    seen: usize,
    /// So many bytes of the frame are still to come after its header.
    left: usize,
    /// Whether a head has begun and not ended.
    is_head: bool,
    /// Whether it goes on in another frame.
    goes_on: bool,
}

impl Frames {
    fn came(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            if self.seen < FRAME_HEADER {
                // What kind of frame it is shows later; most come in one piece.
                self.is_head = true;
                let count = (FRAME_HEADER - self.seen).min(bytes.len());
                let (header, rest) = bytes.split_at(count);
                if let Some(room) = self.header.get_mut(self.seen..self.seen + count) {
                    room.copy_from_slice(header);
                }
                (self.seen, bytes) = (self.seen + count, rest);
                if self.seen < FRAME_HEADER {
                    return;
                }
                let [high, middle, low, kind, flags, ..] = self.header;
                self.left = u32::from_be_bytes([0, high, middle, low]) as usize;
                if matches!(kind, HEADERS | CONTINUATION) {
                    self.goes_on = flags & END_HEADERS == 0;
                } else {
                    self.is_head = self.goes_on;
                }
            }
            let count = self.left.min(bytes.len());
            bytes = bytes.get(count..).unwrap_or_default();
            self.left -= count;
            if self.left == 0 {
                (self.seen, self.is_head) = (0, self.goes_on);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_has_the_length_that_it_says() {
        let text = std::str::from_utf8(TOO_SLOW).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.ends_with(&format!("content-length: {}", body.len())), "{}", body.len());
    }

    fn frame(kind: u8, flags: u8, body: &[u8]) -> Vec<u8> {
        [&[0, 0, body.len() as u8, kind, flags, 0, 0, 0, 1], body].concat()
    }

    #[test]
    fn where_heads_begin_and_end_is_seen_however_frames_are_cut() {
        let frames = [
            (frame(4, 0, b""), false),
            (frame(HEADERS, END_HEADERS, b"abc"), false),
            (frame(0, 0, b"data"), false),
            (frame(HEADERS, 1, b"ab"), true),
            (frame(CONTINUATION, 0, b""), true),
            (frame(CONTINUATION, END_HEADERS, b"c"), false),
            (frame(6, 0, &[0; 8]), false),
        ];
        for size in 1..20 {
            let mut reading = Reading::Preface(0);
            PREFACE.chunks(size).for_each(|piece| reading.came(piece));
            for (frame, is_head) in &frames {
                frame.chunks(size).for_each(|piece| reading.came(piece));
                let Reading::Http2(frames) = &reading else { panic!("{reading:?}") };
                assert_eq!(frames.is_head, *is_head, "{frame:?} in pieces of {size}");
            }
        }
    }

    #[test]
    fn a_head_is_one_from_its_first_byte_and_the_body_is_none() {
        let mut frames = Frames::default();
        for (at, byte) in frame(HEADERS, END_HEADERS, b"abc").into_iter().enumerate() {
            frames.came(&[byte]);
            assert_eq!(frames.is_head, at < 11, "{at}");
        }
        for (at, byte) in frame(0, 0, b"abc").into_iter().enumerate() {
            frames.came(&[byte]);
            assert_eq!(frames.is_head, at < 8, "{at}");
        }
    }
}
