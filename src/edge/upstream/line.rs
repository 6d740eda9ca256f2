//! A connection to a provider, and what is known of it.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use http::Extensions;
use hyper::rt::{Read, Write};
use hyper_util::client::legacy::connect::{CaptureConnection, Connected, Connection};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

use crate::engine::failure::FailureKind;

/// After so many timeouts in a row a connection that many requests share is given up.
const TIMEOUTS: u32 = 3;

/// What is known of one connection.
#[derive(Debug)]
pub(super) struct Line {
    born: Instant,
    /// Bytes that came from the provider, TLS taken off.
    read: AtomicU64,
    answered: AtomicBool,
    /// How many requests on it have timed out since one was answered to the end.
    timeouts: AtomicU32,
    /// Whether it is HTTP/2: requests share it.
    shared: bool,
    open: Arc<AtomicUsize>,
}

impl Line {
    /// The connection that is described, if it is one of ours.
    pub fn of(connected: Option<&Connected>) -> Option<Arc<Line>> {
        let mut extras = Extensions::new();
        connected?.get_extras(&mut extras);
        extras.remove::<Arc<Line>>()
    }

    /// How many bytes have been read from it.
    pub fn read(&self) -> u64 {
        self.read.load(Ordering::Relaxed)
    }

    /// Whether it stood already at that moment, or has answered since.
    pub fn is_older(&self, moment: Instant) -> bool {
        self.born < moment || self.answered.load(Ordering::Relaxed)
    }

    /// Whether requests share it.
    pub fn is_shared(&self) -> bool {
        self.shared
    }

    /// The head of an answer has come.
    pub fn answers(&self) {
        self.answered.store(true, Ordering::Relaxed);
    }

    /// An answer has come to its end.
    pub fn works(&self) {
        self.timeouts.store(0, Ordering::Relaxed);
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.open.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The connection that a call goes over, once there is one.
#[derive(Clone, Default)]
pub struct Wire(Arc<Mutex<Option<InUse>>>);

/// The connection, and whether all of the request's body was taken.
type InUse = (CaptureConnection, Arc<AtomicBool>);

impl Wire {
    /// A call begins; `sent` is set when all of its body was taken.
    pub(super) fn begin(&self, captured: CaptureConnection, sent: Arc<AtomicBool>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((captured, sent));
    }

    /// The call has timed out. A connection of HTTP/2 may answer pings and yet never anything else, so it is given up
    /// when requests on it time out again and again, and at once when one could not even be sent: the next request
    /// opens another, and those that run on it may end.
    pub fn timed_out(&self, kind: FailureKind) {
        let held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((captured, sent)) = held.as_ref() else { return };
        let connected = captured.connection_metadata();
        let Some(line) = Line::of(connected.as_ref()).filter(|line| line.shared) else { return };
        let unsent = !sent.load(Ordering::Relaxed);
        let silent = matches!(
            kind,
            FailureKind::FirstByteTimeout
                | FailureKind::FirstContentTimeout
                | FailureKind::WholeTimeout
                | FailureKind::IdleTimeout
        );
        if !silent && !unsent {
            return;
        }
        let before = line.timeouts.fetch_add(1, Ordering::Relaxed);
        if unsent || before + 1 >= TIMEOUTS {
            let why = if unsent { "it takes no request" } else { "its requests time out" };
            tracing::debug!("a connection to a provider is given up: {why}");
            connected.as_ref().inspect(|it| it.poison());
        }
    }
}

/// Reads and writes bytes, encrypted or not.
pub(super) trait Pipe: Read + Write + Send + Unpin + 'static {}

impl<T: Read + Write + Send + Unpin + 'static> Pipe for T {}

/// An open connection.
pub(super) struct Open {
    pipe: TokioIo<Box<dyn Pipe>>,
    line: Arc<Line>,
    /// Whether requests name their whole address, for a proxy to see.
    forwarded: bool,
}

impl Open {
    /// A connection that stands now.
    pub fn new(pipe: Box<dyn Pipe>, shared: bool, forwarded: bool, open: Arc<AtomicUsize>) -> Self {
        open.fetch_add(1, Ordering::Relaxed);
        let line = Line {
            born: Instant::now(),
            read: AtomicU64::new(0),
            answered: AtomicBool::new(false),
            timeouts: AtomicU32::new(0),
            shared,
            open,
        };
        Self { pipe: TokioIo::new(pipe), line: Arc::new(line), forwarded }
    }
}

impl Connection for Open {
    fn connected(&self) -> Connected {
        let connected = Connected::new().proxy(self.forwarded).extra(self.line.clone());
        if self.line.shared { connected.negotiated_h2() } else { connected }
    }
}

impl AsyncRead for Open {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.pipe).poll_read(cx, buf);
        self.line.read.fetch_add((buf.filled().len() - before) as u64, Ordering::Relaxed);
        polled
    }
}

impl AsyncWrite for Open {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.pipe).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.pipe).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.pipe).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.pipe.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.pipe).poll_write_vectored(cx, bufs)
    }
}
