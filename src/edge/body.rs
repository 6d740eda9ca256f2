//! The body of an answer on its way to a client: empty, whole, or pulled chunk by chunk.
//!
//! A streaming body is *pulled*: hyper asks for the next chunk only when it has room to write one. So
//! a slow client slows the provider down instead of filling memory, and a client that goes away drops
//! the body, which drops the call to the provider with it.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::Stream;
use http_body::{Body, Frame, SizeHint};

use super::work;
use crate::text::units::Redactor;

/// Chunks of a streaming answer. An error cuts the connection, so that the client cannot take a cut
/// answer for a whole one.
pub type Chunks = Pin<Box<dyn Stream<Item = io::Result<Bytes>> + Send>>;
/// Words the error with which an answer ends that the router itself broke, in the client's protocol. Empty where the
/// protocol has none.
pub type LastWords = Box<dyn FnOnce() -> Bytes + Send>;

/// The body of an answer.
pub enum ReplyBody {
    /// Nothing to send (left).
    Empty,
    /// All bytes at once; the length is told to the client.
    Whole(Bytes),
    /// Chunks as they come; each is written as soon as the client can take it.
    Stream(Chunks, Option<LastWords>),
    /// What a stream ends with that the router broke; nothing: it is cut off.
    Broken(Bytes),
}

impl ReplyBody {
    /// A body with all its bytes known.
    pub fn whole(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        if bytes.is_empty() { Self::Empty } else { Self::Whole(bytes) }
    }

    /// An answer that comes by and by. If making it panics, it ends with `last_words`, and never as if it were whole.
    pub fn stream(chunks: Chunks, last_words: impl FnOnce() -> Bytes + Send + 'static) -> Self {
        Self::Stream(chunks, Some(Box::new(last_words)))
    }

    /// The same body without these keys, if all its bytes are known.
    #[must_use]
    pub fn without(self, keys: &Redactor) -> Self {
        match self {
            Self::Whole(bytes) => match work::at_once(bytes.len(), || keys.redacted(&bytes)) {
                Some(clean) => Self::Whole(clean.into()),
                None => Self::Whole(bytes),
            },
            other => other,
        }
    }

    /// The next `size` bytes, if all bytes are known and there are more than that.
    pub fn piece(&mut self, size: usize) -> Option<Bytes> {
        match self {
            Self::Whole(bytes) if bytes.len() > size => Some(bytes.split_to(size)),
            _ => None,
        }
    }

    /// Number of bytes, if it is known.
    pub fn len(&self) -> Option<u64> {
        match self {
            Self::Empty => Some(0),
            Self::Whole(bytes) => Some(bytes.len() as u64),
            Self::Stream(..) | Self::Broken(_) => None,
        }
    }

    /// True for a body without bytes.
    pub fn is_empty(&self) -> bool {
        self.len() == Some(0)
    }
}

impl Body for ReplyBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        match &mut *self {
            Self::Empty => Poll::Ready(None),
            Self::Whole(bytes) => {
                let bytes = std::mem::take(bytes);
                *self = Self::Empty;
                Poll::Ready(Some(Ok(Frame::data(bytes))))
            }
            Self::Broken(last) if last.is_empty() => {
                *self = Self::Empty;
                Poll::Ready(Some(Err(io::Error::other("an internal error broke this answer off"))))
            }
            Self::Broken(last) => {
                let last = std::mem::take(last);
                *self = Self::Empty;
                Poll::Ready(Some(Ok(Frame::data(last))))
            }
            Self::Stream(chunks, last_words) => {
                // On HTTP/2 a panic here would end every request of the connection, not only this one.
                if let Ok(polled) = catch_unwind(AssertUnwindSafe(|| chunks.as_mut().poll_next(cx))) {
                    return polled.map(|chunk| chunk.map(|chunk| chunk.map(Frame::data)));
                }
                let word = last_words.take();
                let last = catch_unwind(AssertUnwindSafe(|| word.map_or_else(Bytes::new, |word| word())));
                // What the broken stream holds may be as it should not be, and dropping that may panic, too.
                let broken = std::mem::replace(&mut *self, Self::Broken(last.unwrap_or_default()));
                let _ = catch_unwind(AssertUnwindSafe(|| drop(broken)));
                self.poll_frame(cx)
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Empty)
    }

    fn size_hint(&self) -> SizeHint {
        self.len().map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}
