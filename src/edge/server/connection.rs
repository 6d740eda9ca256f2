//! One connection: its requests, its silences, and its end.

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response, Version};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep, sleep_until};

use super::heads::HeadGuard;
use super::sent::Sent;
use super::{Handler, MAX_HEADER_BYTES, MAX_HEADERS, MAX_STREAMS, Panicked, ServerLimits, caught};
use crate::edge::access::Peer;
use crate::edge::pace::Pace;
use crate::edge::stall::StallGuard;
use crate::edge::telemetry::OneLine;

/// How long a connection may take to close that was idle.
const GOODBYE: Duration = Duration::from_secs(10);
/// The same where no request has come at all.
const BRIEF_GOODBYE: Duration = Duration::from_millis(500);
/// So many requests may be given up by their client before they are answered, if no more are answered.
const GIVEN_UP: usize = 200;

/// What is known of one connection's requests.
#[derive(Default)]
pub(super) struct Requests {
    open: AtomicUsize,
    spoke: AtomicBool,
    /// The head of a request has begun to come.
    head: AtomicBool,
    answered: AtomicUsize,
    given_up: AtomicUsize,
    /// A request has come, or has ended; or a head has come that was no request.
    changed: Notify,
    /// The client does little but give its requests up again: each of them costs the router and a provider more than
    /// it costs the client.
    abused: Notify,
}

/// One request under way, until its answer has left or it was dropped.
pub(super) struct Open {
    requests: Arc<Requests>,
    answered: bool,
}

impl Open {
    fn begin(requests: &Arc<Requests>) -> Self {
        requests.open.fetch_add(1, Ordering::Relaxed);
        requests.spoke.store(true, Ordering::Relaxed);
        requests.head.store(false, Ordering::Relaxed);
        requests.changed.notify_one();
        Self { requests: requests.clone(), answered: false }
    }

    fn answered(&mut self) {
        self.answered = true;
        self.requests.answered.fetch_add(1, Ordering::Relaxed);
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        if !self.answered {
            let given_up = self.requests.given_up.fetch_add(1, Ordering::Relaxed) + 1;
            if given_up > GIVEN_UP && given_up > self.requests.answered.load(Ordering::Relaxed) {
                self.requests.abused.notify_one();
            }
        }
        self.requests.open.fetch_sub(1, Ordering::Relaxed);
        self.requests.changed.notify_one();
    }
}

impl Requests {
    pub(super) fn is_idle(&self) -> bool {
        self.open.load(Ordering::Relaxed) == 0
    }

    /// Whether a head is on its way.
    pub(super) fn has_head(&self) -> bool {
        self.head.load(Ordering::Relaxed)
    }

    /// Notes whether a head is on its way. Returns whether it has just begun.
    pub(super) fn head_comes(&self, is_head: bool) -> bool {
        let before = self.head.swap(is_head, Ordering::Relaxed);
        if before && !is_head {
            self.changed.notify_one();
        }
        is_head && !before
    }

    /// Resolves when no request has been under way for too long, and none is on its way.
    async fn silence(&self, limits: &ServerLimits) {
        loop {
            let limit = if self.has_spoken() { limits.idle } else { limits.head };
            let end = Instant::now() + limit;
            tokio::select! {
                () = self.changed.notified() => {}
                () = sleep_until(end), if self.is_idle() => {
                    if !self.has_head() {
                        return;
                    }
                    // It has a limit of its own, and becomes a request, or tells when it does not.
                    self.changed.notified().await;
                }
            }
        }
    }

    fn has_spoken(&self) -> bool {
        self.spoke.load(Ordering::Relaxed)
    }
}

/// Serves one connection to its end. When `closing` becomes true, what is under way may end, and nothing new begins.
pub(super) async fn serve<H: Handler>(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    peer: Peer,
    handler: Arc<H>,
    limits: ServerLimits,
    mut closing: watch::Receiver<bool>,
) {
    let requests = Arc::new(Requests::default());
    let pace = Pace::new(limits.write, limits.min_rate);
    let service = service_fn({
        let requests = requests.clone();
        move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(peer);
            guarded(handler.clone(), request, Open::begin(&requests), pace)
        }
    });
    let stream = HeadGuard::new(stream, requests.clone(), limits.head);
    let io = StallGuard::new(TokioIo::new(stream), pace);
    let builder = builder();
    let mut connection = pin!(builder.serve_connection(io, service));
    tokio::select! {
        ended = connection.as_mut() => return told(ended),
        _ = closing.wait_for(|closing| *closing) => {}
        () = requests.silence(&limits) => tracing::debug!("a connection is closed: nothing came"),
        () = requests.abused.notified() => return abandoned(),
    }
    connection.as_mut().graceful_shutdown();
    let goodbye = if requests.has_spoken() { GOODBYE } else { BRIEF_GOODBYE };
    let idle = async {
        loop {
            if requests.is_idle() {
                tokio::select! {
                    () = sleep(goodbye) => return,
                    () = requests.changed.notified() => {}
                }
            } else {
                requests.changed.notified().await;
            }
        }
    };
    tokio::select! {
        ended = connection => told(ended),
        () = idle => {}
        () = requests.abused.notified() => abandoned(),
    }
}

fn abandoned() {
    tracing::debug!("a connection was closed: too many of its requests were given up by the client");
}

fn told<E: std::fmt::Display>(ended: Result<(), E>) {
    if let Err(error) = ended {
        tracing::debug!("a connection ended early: {}", OneLine(error));
    }
}

fn builder() -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        // What waits for heads is here, for both versions.
        .header_read_timeout(None)
        .max_headers(MAX_HEADERS)
        .max_buf_size(MAX_HEADER_BYTES);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(Duration::from_secs(30))
        .keep_alive_timeout(Duration::from_secs(20))
        .max_header_list_size(MAX_HEADER_BYTES as u32)
        .max_concurrent_streams(MAX_STREAMS);
    builder
}

/// Runs the handler; a panic in it ends this request only.
async fn guarded<H: Handler>(
    handler: Arc<H>,
    request: Request<Incoming>,
    mut open: Open,
    pace: Pace,
) -> Result<Response<Sent>, Infallible> {
    let (path, version) = (request.uri().path().to_owned(), request.version());
    let answer = match caught(handler.clone().handle(request)).await {
        Ok(answer) => answer,
        Err(Panicked) => {
            tracing::error!("an internal error stopped a request to {}; please report it", OneLine(&path));
            handler.panicked(&path)
        }
    };
    open.answered();
    Ok(answer.map(|body| match version {
        Version::HTTP_2 => Sent::watched(body, pace, open),
        _ => Sent::plain(body, open),
    }))
}
