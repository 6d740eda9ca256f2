//! The listening side: connections, HTTP/1.1 and HTTP/2, limits on slow, greedy and oversized clients, and an end
//! that lets running answers finish.
//!
//! What a request means is the [`Handler`]'s business. Here stands what keeps one client from hurting
//! the others: a client that says nothing, or dribbles its headers, is let go; a panic in one request
//! is a 500 for that request; a client that stops reading is let go too.

mod connection;
mod crowd;
mod episode;
mod heads;
mod sent;

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::{Request, Response};
use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use self::crowd::Crowd;
use self::episode::Episode;
use super::access::Peer;
use super::body::ReplyBody;
use super::telemetry::OneLine;
use super::tls;

/// Most headers that one request may have; more is a 431.
const MAX_HEADERS: usize = 128;
/// Most bytes of headers (HTTP/2), and of the read and write buffers of one HTTP/1 connection.
const MAX_HEADER_BYTES: usize = 64 * 1024;
/// Most requests at once on one HTTP/2 connection.
const MAX_STREAMS: u32 = 256;
/// How long to leave `accept` alone when the machine has no descriptor left for a new connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// How long requests that were cut off may take to tell their clients.
const FAREWELL: Duration = Duration::from_secs(3);

/// What answers the requests.
pub trait Handler: Send + Sync + 'static {
    /// Answers one request. Dropped, at any await, when the client goes away.
    fn handle(
        self: Arc<Self>,
        request: Request<Incoming>,
    ) -> impl Future<Output = Response<ReplyBody>> + Send;

    /// The answer when `handle` panicked on this path.
    fn panicked(&self, path: &str) -> Response<ReplyBody>;

    /// What holds for a new connection, and for the end.
    fn limits(&self) -> ServerLimits;

    /// TLS for a new connection; `None`: it speaks plain HTTP.
    fn tls(&self) -> Option<Arc<ServerConfig>>;

    /// The time of requests under way is over: each is to end now, with an error in its protocol.
    fn cut_off(&self);
}

/// How patient the server is, and how many clients it takes.
#[derive(Clone, Copy, Debug)]
pub struct ServerLimits {
    /// For a request's head to arrive, from its first byte, and for a new connection's first byte.
    pub head: Duration,
    /// For the first byte of each further one, from the end of the last answer. Longer, because people think between
    /// two requests, and a client that finds its connection closed at the moment of asking reports an error.
    pub idle: Duration,
    /// For a client to take bytes that wait for it.
    pub write: Duration,
    /// Bytes a second that it must take on average while they wait for it.
    pub min_rate: u64,
    /// Connections in all.
    pub connections: usize,
    /// Connections from one address.
    pub connections_per_address: usize,
    /// For running answers to end when the server is told to stop.
    pub drain: Duration,
}

impl Default for ServerLimits {
    fn default() -> Self {
        Self {
            head: Duration::from_secs(30),
            idle: Duration::from_secs(100),
            write: Duration::from_secs(120),
            min_rate: 500,
            connections: 10_000,
            connections_per_address: 5_000,
            drain: Duration::from_secs(30),
        }
    }
}

/// Serves until `stop` resolves, then takes no new connection, lets the running answers end, and cuts what still runs
/// when their time is over. Returns the number of connections that had to be cut.
pub async fn run<H: Handler>(
    listener: TcpListener,
    handler: Arc<H>,
    stop: impl Future<Output = ()>,
) -> usize {
    let (closing, closed) = watch::channel(false);
    let mut connections = JoinSet::new();
    let crowd = Crowd::new();
    let (mut failures, mut refusals) = (Episode::default(), Episode::default());
    let mut pause = Duration::ZERO;
    let mut stop = pin!(stop);
    loop {
        let accepted = tokio::select! {
            biased;
            () = &mut stop => break,
            Some(_) = connections.join_next() => {
                // Its descriptor is free again.
                pause = Duration::ZERO;
                continue;
            }
            (count, time) = failures.over() => {
                tracing::info!("connections are accepted again; {count} times in {time:.0?} it failed");
                continue;
            }
            (count, time) = refusals.over() => {
                tracing::info!("there is room for connections again; {count} were refused in {time:.0?}");
                continue;
            }
            accepted = accept(&listener, pause) => accepted,
        };
        pause = Duration::ZERO;
        match accepted {
            Ok((stream, from)) => {
                let limits = handler.limits();
                let Some(place) = crowd.enter(from.ip(), &limits) else {
                    if refusals.happened() {
                        tracing::warn!(
                            "a connection from {} was refused: as many are open as may be (`limits: {{ connections: {}, connections_per_address: {} }}`)",
                            from.ip(),
                            limits.connections,
                            limits.connections_per_address
                        );
                    }
                    crowd.turn_away(stream);
                    continue;
                };
                let connection = serve(stream, Peer(from), handler.clone(), limits, closed.clone());
                connections.spawn(async move {
                    connection.await;
                    drop(place);
                });
            }
            Err(error) if belongs_to_one_connection(&error) => {}
            Err(error) => {
                if failures.happened() {
                    tracing::warn!("cannot accept connections, they have to wait: {error}");
                }
                pause = ACCEPT_PAUSE;
            }
        }
    }
    drop(listener);
    closing.send_replace(true);
    // The time is for all of them together.
    if timeout(handler.limits().drain, all_ended(&mut connections)).await.is_ok() {
        return 0;
    }
    while connections.try_join_next().is_some() {}
    let cut = connections.len();
    handler.cut_off();
    // Aborting the tasks, which dropping them does, drops what they still hold open.
    let _ = timeout(FAREWELL, all_ended(&mut connections)).await;
    cut
}

async fn accept(listener: &TcpListener, pause: Duration) -> io::Result<(TcpStream, SocketAddr)> {
    if !pause.is_zero() {
        sleep(pause).await;
    }
    listener.accept().await
}

async fn all_ended(connections: &mut JoinSet<()>) {
    while connections.join_next().await.is_some() {}
}

async fn serve<H: Handler>(
    stream: TcpStream,
    peer: Peer,
    handler: Arc<H>,
    limits: ServerLimits,
    mut closing: watch::Receiver<bool>,
) {
    // Small events of a stream must leave at once; without this they wait for an acknowledgement.
    let _ = stream.set_nodelay(true);
    let Some(config) = handler.tls() else {
        return connection::serve(stream, peer, handler, limits, closing).await;
    };
    let shaken = tokio::select! {
        shaken = tls::accept(stream, config, limits.head) => shaken,
        _ = closing.wait_for(|closing| *closing) => return,
    };
    match shaken {
        Ok(stream) => connection::serve(stream, peer, handler, limits, closing).await,
        Err(error) => {
            tracing::debug!("a connection was closed, there was no TLS handshake: {}", OneLine(error))
        }
    }
}

/// A future panicked.
#[derive(Debug, PartialEq, Eq)]
pub struct Panicked;

/// Awaits `future`, turning a panic inside it into an error. What the future held is dropped.
pub async fn caught<F: Future>(future: F) -> Result<F::Output, Panicked> {
    let mut future = Some(Box::pin(future));
    std::future::poll_fn(move |cx| {
        let Some(polled) = future.as_mut() else { return Poll::Ready(Err(Panicked)) };
        // The future is never polled again after a panic, so nothing half-changed in it can be seen.
        match catch_unwind(AssertUnwindSafe(|| Pin::as_mut(polled).poll(cx))) {
            Ok(poll) => poll.map(Ok),
            Err(_) => {
                // What it holds may be as it should not be, and dropping that may panic, too.
                let broken = future.take();
                let _ = catch_unwind(AssertUnwindSafe(|| drop(broken)));
                Poll::Ready(Err(Panicked))
            }
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
