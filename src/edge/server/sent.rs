//! An answer on its way out over one connection, which counts as open until its last byte was taken.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep_until};

use super::connection::Open;
use crate::edge::body::ReplyBody;
use crate::edge::pace::Pace;

/// Longer answers are handed over HTTP/2 in pieces of this size, so that it is seen whether the client takes them.
const PIECE: usize = 64 << 10;

/// The body of an answer, and the request that it belongs to.
pub struct Sent {
    body: Held,
    _open: Open,
}

enum Held {
    Plain(ReplyBody),
    Watched(Watched),
}

impl Sent {
    /// An answer over HTTP/1, where whoever watches the connection watches the answer.
    pub fn plain(body: ReplyBody, open: Open) -> Self {
        Self { body: Held::Plain(body), _open: open }
    }

    /// An answer over HTTP/2, where a client may stop taking one answer and go on with the others.
    pub fn watched(body: ReplyBody, pace: Pace, open: Open) -> Self {
        let is_short = body.len().is_some_and(|length| length <= PIECE as u64);
        let body = if is_short { Held::Plain(body) } else { Held::Watched(Watched::new(body, pace)) };
        Self { body, _open: open }
    }
}

impl Body for Sent {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        match &mut self.body {
            Held::Plain(body) => Pin::new(body).poll_frame(cx),
            Held::Watched(watched) => watched.poll(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(&self.body, Held::Plain(body) if body.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        match &self.body {
            Held::Plain(body) => body.size_hint(),
            Held::Watched(watched) => watched.size,
        }
    }
}

/// An answer that is dropped, with the call to its provider, when the client does not take it.
struct Watched {
    shared: Arc<Mutex<Shared>>,
    size: SizeHint,
    watch: AbortHandle,
}

struct Shared {
    body: ReplyBody,
    pace: Pace,
    /// Since when the client has had something to take.
    given: Option<Instant>,
    late: bool,
}

impl Watched {
    fn new(body: ReplyBody, pace: Pace) -> Self {
        let size = body.size_hint();
        let shared = Arc::new(Mutex::new(Shared { body, pace, given: None, late: false }));
        let watch = tokio::spawn(watch(shared.clone())).abort_handle();
        Self { shared, size, watch }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        if shared.late {
            return Poll::Ready(Some(Err(io::Error::new(
                io::ErrorKind::TimedOut,
                "the client stopped reading",
            ))));
        }
        // The answer is asked for when the client has room for it.
        if let Some(given) = shared.given.take() {
            shared.pace.waited(given.elapsed());
        }
        let polled = match shared.body.piece(PIECE) {
            Some(piece) => Poll::Ready(Some(Ok(Frame::data(piece)))),
            None => Pin::new(&mut shared.body).poll_frame(cx),
        };
        if let Poll::Ready(Some(Ok(frame))) = &polled {
            shared.pace.moved(frame.data_ref().map_or(0, Bytes::len));
            shared.given = Some(Instant::now());
        }
        polled
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.watch.abort();
    }
}

async fn watch(shared: Arc<Mutex<Shared>>) {
    loop {
        let next = {
            let mut shared = shared.lock().unwrap_or_else(PoisonError::into_inner);
            let now = Instant::now();
            let next = shared.given.unwrap_or(now) + shared.pace.left();
            if shared.given.is_some() && next <= now {
                shared.late = true;
                let unsent = std::mem::replace(&mut shared.body, ReplyBody::Empty);
                drop((shared, unsent));
                tracing::debug!("an answer was dropped: the client stopped reading it");
                return;
            }
            next
        };
        sleep_until(next).await;
    }
}
