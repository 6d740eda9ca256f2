//! Lets go of a client that stopped reading, which would otherwise keep its provider's call open for ever.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use hyper::rt::{Read, ReadBufCursor, Write};
use tokio::time::{Instant, Sleep, sleep};

/// A connection whose writes fail when no byte could be written for a while.
pub struct StallGuard<T> {
    inner: T,
    limit: Duration,
    /// Runs while a write waits; made at the first wait, then reused.
    timer: Option<Pin<Box<Sleep>>>,
    waiting: bool,
}

impl<T> StallGuard<T> {
    /// Guards `inner`: a write that waits longer than `limit` fails with `TimedOut`.
    pub fn new(inner: T, limit: Duration) -> Self {
        Self { inner, limit, timer: None, waiting: false }
    }

    /// Passes on what a write said, keeping the time while it says "not yet".
    fn judge<R>(&mut self, wrote: Poll<io::Result<R>>, cx: &mut Context<'_>) -> Poll<io::Result<R>> {
        if wrote.is_ready() {
            self.waiting = false;
            return wrote;
        }
        let limit = self.limit;
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep(limit)));
        if !self.waiting {
            self.waiting = true;
            timer.as_mut().reset(Instant::now() + limit);
        }
        ready!(timer.as_mut().poll(cx));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the client stopped reading")))
    }
}

impl<T: Read + Unpin> Read for StallGuard<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(cx, buf)
    }
}

impl<T: Write + Unpin> Write for StallGuard<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let wrote = Pin::new(&mut self.inner).poll_write(cx, buf);
        self.judge(wrote, cx)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.inner).poll_flush(cx);
        self.judge(flushed, cx)
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
        let wrote = Pin::new(&mut self.inner).poll_write_vectored(cx, bufs);
        self.judge(wrote, cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper_util::rt::TokioIo;
    use std::future::poll_fn;

    #[tokio::test(start_paused = true)]
    async fn a_write_fails_when_nobody_reads_and_only_then() {
        let (near, mut far) = tokio::io::duplex(4);
        let mut io = StallGuard::new(TokioIo::new(near), Duration::from_secs(10));
        for _ in 0..3 {
            let wrote = poll_fn(|cx| Pin::new(&mut io).poll_write(cx, b"abcd")).await.unwrap();
            assert_eq!(wrote, 4);
            // A pause shorter than the limit, between two writes, is nobody's fault.
            tokio::time::sleep(Duration::from_secs(9)).await;
            tokio::io::AsyncReadExt::read_exact(&mut far, &mut [0; 4]).await.unwrap();
        }
        assert_eq!(poll_fn(|cx| Pin::new(&mut io).poll_write(cx, b"abcd")).await.unwrap(), 4);
        let begun = Instant::now();
        let error = poll_fn(|cx| Pin::new(&mut io).poll_write(cx, b"e")).await.unwrap_err();
        assert_eq!((error.kind(), begun.elapsed()), (io::ErrorKind::TimedOut, Duration::from_secs(10)));
    }
}
