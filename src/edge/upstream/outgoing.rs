//! A request's body on its way to a provider, in pieces.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

/// A request's body is handed on in pieces of this size, so that it can be told whether the provider takes them.
const PIECE: usize = 64 << 10;

/// A request's body, and whether all of it was taken.
pub(super) struct Outgoing {
    rest: Bytes,
    /// Set when the last piece was taken.
    pub ended: Arc<AtomicBool>,
}

impl Outgoing {
    /// This body, of which nothing was taken.
    pub fn new(body: Bytes) -> Self {
        let ended = Arc::new(AtomicBool::new(body.is_empty()));
        Self { rest: body, ended }
    }
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.rest.is_empty() {
            // The last piece has been taken too: only then is the next one asked for.
            self.ended.store(true, Ordering::Relaxed);
            return Poll::Ready(None);
        }
        let length = self.rest.len().min(PIECE);
        Poll::Ready(Some(Ok(Frame::data(self.rest.split_to(length)))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.ended.load(Ordering::Relaxed)
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.rest.len() as u64)
    }
}
