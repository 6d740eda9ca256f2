//! The listening side: connections, HTTP/1.1 and h2c, limits on slow and oversized clients, and an end
//! that lets running answers finish.
//!
//! What a request means is the [`Handler`]'s business. Here stands what keeps one client from hurting
//! the others: a client that says nothing, or dribbles its headers, is let go; a panic in one request
//! is a 500 for that request; a client that stops reading is let go too.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::body::ReplyBody;
use super::stall::StallGuard;

/// Most headers that one request may have; more is a 431.
const MAX_HEADERS: usize = 128;
/// Most bytes of headers (HTTP/2), and of the read and write buffers of one HTTP/1 connection.
const MAX_HEADER_BYTES: usize = 64 * 1024;
/// How long to leave `accept` alone when the machine has no file handle left for a new connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What answers the requests.
pub trait Handler: Send + Sync + 'static {
    /// Answers one request. Dropped, at any await, when the client goes away.
    fn handle(
        self: Arc<Self>,
        request: Request<Incoming>,
    ) -> impl Future<Output = Response<ReplyBody>> + Send;

    /// The answer when `handle` panicked on this path.
    fn panicked(&self, path: &str) -> Response<ReplyBody>;
}

/// How patient the server is.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// For a new connection's first request to arrive.
    pub headers: Duration,
    /// For each further one. Longer, because people think between two requests, and a client that finds its
    /// connection closed at the moment of asking reports an error.
    pub idle: Duration,
    /// For a client to take bytes that wait for it.
    pub write: Duration,
    /// For running answers to end when the server is told to stop.
    pub drain: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            headers: Duration::from_secs(30),
            idle: Duration::from_secs(100),
            write: Duration::from_secs(120),
            drain: Duration::from_secs(30),
        }
    }
}

/// Serves until `stop` resolves, then takes no new connection, lets the running answers end, and cuts
/// what still runs after `patience.drain`. Returns the number of connections that had to be cut.
pub async fn run<H: Handler>(
    listener: TcpListener,
    handler: Arc<H>,
    patience: Patience,
    stop: impl Future<Output = ()>,
) -> usize {
    let graceful = GracefulShutdown::new();
    let mut connections = JoinSet::new();
    let mut stop = pin!(stop);
    loop {
        let accepted = tokio::select! {
            biased;
            () = &mut stop => break,
            Some(_) = connections.join_next() => continue,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) => {
                connections.spawn(connection(stream, handler.clone(), patience, graceful.watcher()));
            }
            Err(error) if belongs_to_one_connection(&error) => {}
            Err(error) => {
                tracing::warn!("cannot accept a connection: {error}");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    // The limit is for all of them together: aborting the tasks drops what they still hold open.
    let ended = timeout(patience.drain, graceful.shutdown()).await.is_ok();
    while connections.try_join_next().is_some() {}
    if ended { 0 } else { connections.len() }
}

async fn connection<H: Handler>(stream: TcpStream, handler: Arc<H>, patience: Patience, watcher: Watcher) {
    // Small events of a stream must leave at once; without this they wait for an acknowledgement.
    let _ = stream.set_nodelay(true);
    let spoke = Arc::new(AtomicBool::new(false));
    let service = service_fn({
        let spoke = spoke.clone();
        move |request: Request<Incoming>| {
            spoke.store(true, Ordering::Relaxed);
            guarded(handler.clone(), request)
        }
    });
    let io = StallGuard::new(TokioIo::new(stream), patience.write);
    let builder = builder(patience);
    let connection = watcher.watch(builder.serve_connection(io, service).into_owned());
    // hyper's own timer is for HTTP/1 only. Whoever sends nothing, or half of the HTTP/2 preface, would
    // otherwise stay for ever.
    let silence = async {
        sleep(patience.headers).await;
        if spoke.load(Ordering::Relaxed) {
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        ended = connection => if let Err(error) = ended {
            tracing::debug!("a connection ended early: {error}");
        },
        () = silence => tracing::debug!("a connection was closed: no request came"),
    }
}

fn builder(patience: Patience) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(patience.idle)
        .max_headers(MAX_HEADERS)
        .max_buf_size(MAX_HEADER_BYTES);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(Duration::from_secs(30))
        .keep_alive_timeout(Duration::from_secs(20))
        .max_header_list_size(MAX_HEADER_BYTES as u32)
        .max_concurrent_streams(256);
    builder
}

/// Runs the handler; a panic in it ends this request only.
async fn guarded<H: Handler>(
    handler: Arc<H>,
    request: Request<Incoming>,
) -> Result<Response<ReplyBody>, Infallible> {
    let path = request.uri().path().to_owned();
    let answer = match caught(handler.clone().handle(request)).await {
        Ok(answer) => answer,
        Err(Panicked) => {
            tracing::error!("a bug stopped a request to {path}; please report it");
            handler.panicked(&path)
        }
    };
    Ok(answer)
}

/// A future panicked.
#[derive(Debug, PartialEq, Eq)]
pub struct Panicked;

/// Awaits `future`, turning a panic inside it into an error. What the future held is dropped.
pub async fn caught<F: Future>(future: F) -> Result<F::Output, Panicked> {
    let mut future = Box::pin(future);
    std::future::poll_fn(move |cx| {
        // The future is never polled again after a panic, so nothing half-changed in it can be seen.
        let polled = catch_unwind(AssertUnwindSafe(|| Pin::as_mut(&mut future).poll(cx)));
        match polled {
            Ok(poll) => poll.map(Ok),
            Err(_) => Poll::Ready(Err(Panicked)),
        }
    })
    .await
}

/// Errors of `accept` that say something about the one connection that was about to come in.
fn belongs_to_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}

#[cfg(test)]
mod tests;
