//! Lets go of a client that stopped reading, or reads too slowly, which would otherwise keep its provider's call open
//! for ever.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use hyper::rt::{Read, ReadBufCursor, Write};
use tokio::time::{Instant, Sleep, sleep};

use super::pace::Pace;

/// A connection whose writes fail when they wait for too long, or move too little.
pub struct StallGuard<T> {
    inner: T,
    pace: Pace,
    /// Runs while a write waits; made at the first wait, then reused.
    timer: Option<Pin<Box<Sleep>>>,
    /// Since when a write waits.
    waiting: Option<Instant>,
}

impl<T> StallGuard<T> {
    /// Guards `inner`: a write that waits longer than `pace` allows fails with `TimedOut`.
    pub fn new(inner: T, pace: Pace) -> Self {
        Self { inner, pace, timer: None, waiting: None }
    }

    /// Passes on what a write said, keeping the time while it says "not yet". `moved`: the bytes it wrote.
    fn judge<R>(
        &mut self,
        wrote: Poll<io::Result<R>>,
        moved: impl FnOnce(&R) -> usize,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<R>> {
        if let Poll::Ready(wrote) = &wrote {
            if let Some(since) = self.waiting.take() {
                self.pace.waited(since.elapsed());
            }
            self.pace.moved(wrote.as_ref().map_or(0, moved));
        }
        if wrote.is_ready() {
            return wrote;
        }
        let left = self.pace.left();
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep(left)));
        if self.waiting.is_none() {
            let now = Instant::now();
            self.waiting = Some(now);
            timer.as_mut().reset(now + left);
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
        self.judge(wrote, |count| *count, cx)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.inner).poll_flush(cx);
        self.judge(flushed, |()| 0, cx)
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
        self.judge(wrote, |count| *count, cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper_util::rt::TokioIo;
    use std::future::poll_fn;
    use std::time::Duration;

    #[tokio::test(start_paused = true)]
    async fn a_write_fails_when_nobody_reads_and_only_then() {
        let (near, mut far) = tokio::io::duplex(4);
        let mut io = StallGuard::new(TokioIo::new(near), Pace::new(Duration::from_secs(10), 0));
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

    #[tokio::test(start_paused = true)]
    async fn a_reader_that_sips_is_let_go_too() {
        let (near, mut far) = tokio::io::duplex(1);
        let mut io = StallGuard::new(TokioIo::new(near), Pace::new(Duration::from_secs(10), 500));
        let sips = tokio::spawn(async move {
            for _ in 0..1000 {
                tokio::time::sleep(Duration::from_secs(4)).await;
                if tokio::io::AsyncReadExt::read_exact(&mut far, &mut [0]).await.is_err() {
                    return;
                }
            }
        });
        let begun = Instant::now();
        let error = loop {
            if let Err(error) = poll_fn(|cx| Pin::new(&mut io).poll_write(cx, b"abcd")).await {
                break error;
            }
        };
        assert_eq!((error.kind(), begun.elapsed().as_secs()), (io::ErrorKind::TimedOut, 10));
        sips.abort();
    }
}
