//! Calls to providers. The only place that knows the HTTP client.
//!
//! A call does what it is told and nothing on its own account, with one exception: no redirect is followed (it would
//! carry a key to a host that nobody named), no proxy variable is obeyed unless the rules say so, no cookie is kept.
//! Dropping a call, or a reply's body, closes it.
//!
//! The exception: a call over a connection from the pool that dies before a byte of the answer is made once more, on a
//! new connection. What is certain and what is inferred when that happens is written in [`lost`].

use std::collections::{HashMap, HashSet};
use std::future::poll_fn;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, HeaderValue, PROXY_AUTHORIZATION};
use http::uri::{Authority, Scheme};
use http::{HeaderMap, Method, Request, Uri};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::capture_connection;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::time::Instant;

use self::connect::{Connector, basic};
use self::line::Line;
pub use self::line::Wire;
use self::outgoing::Outgoing;
pub use self::reply::{Reply, ReplyStream};
use self::tls::Roots;
use crate::engine::failure::{Failure, FailureKind};
use crate::engine::link::Link;

mod connect;
mod line;
mod lost;
mod outgoing;
mod reply;
mod tls;

/// An idle connection is kept for so long; most providers close theirs after a minute or more.
const POOL_IDLE: Duration = Duration::from_secs(50);
/// As many idle connections are kept to one provider.
const MOST_IDLE: usize = 32;
/// While more connections than this are open to all providers, an answer's connection is closed after it. So no more
/// than this are ever idle.
const MOST_OPEN: usize = 256;
/// A connection on which even a ping gets no answer for so long is dead.
const PING_EVERY: Duration = Duration::from_secs(20);
/// A pool that nobody has used for so long is forgotten.
const FORGOTTEN: Duration = Duration::from_secs(600);
/// One call to a provider.
pub struct Call {
    /// The request's id, for the log.
    pub id: String,
    /// The request's method.
    pub method: Method,
    /// The full address.
    pub url: String,
    /// The headers; `host`, `content-length` and, if there is none, `accept` are added.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
    /// Limit for the connection to stand, TLS included.
    pub connect: Duration,
    /// The way to the provider.
    pub link: Arc<Link>,
    /// `name:password` for the proxy on that way.
    pub proxy_login: Option<HeaderValue>,
}

/// Why a call came to nothing, or its answer to no end.
#[derive(Debug)]
pub struct Fault {
    /// The kind that rules know.
    pub kind: FailureKind,
    /// For people, in plain words. Holds no address, since keys are put in there too.
    pub message: String,
    /// What the libraries say of it, for the log; may be empty.
    pub cause: String,
}

impl Fault {
    fn new(kind: FailureKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), cause: String::new() }
    }

    /// The failure that this is for the request `id`; the libraries' words go to the log.
    pub fn failure(self, id: &str) -> Failure {
        if !self.cause.is_empty() {
            tracing::debug!("[{id}] {}: {}", self.kind.name(), self.cause);
        }
        Failure::new(self.kind, self.message)
    }

    /// The same, where a proxy stands in between.
    fn through(mut self, link: &Link) -> Self {
        if link.proxy.is_some() && self.kind.is_of_connecting() {
            self.message.push_str(" (by way of its proxy)");
        }
        self
    }
}

/// All connections to providers. Outlives the rules, so that a reload loses no connection.
#[derive(Default)]
pub struct Upstream {
    pools: Mutex<HashMap<PoolKey, Entry>>,
    roots: Roots,
    /// How many connections are open, to all providers.
    open: Arc<AtomicUsize>,
}

/// What calls have to have in common to share connections.
#[derive(Clone, PartialEq, Eq, Hash)]
struct PoolKey {
    scheme: Scheme,
    authority: Authority,
    connect: Duration,
    link: String,
}

struct Entry {
    pool: Pool,
    used: Instant,
}

/// The connections for calls that can share them.
#[derive(Clone)]
struct Pool {
    /// Keeps connections, and reuses them.
    kept: Client<Connector, Outgoing>,
    /// Opens a connection for each call.
    fresh: Client<Connector, Outgoing>,
    /// What a proxy is told with each request, because nothing is tunnelled through it.
    authorization: Option<HeaderValue>,
}

impl Upstream {
    /// No connection yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sends a call and waits for the head of its answer. Any status is an answer. `wire` is told which connection the
    /// call goes over.
    pub async fn send(&self, call: Call, wire: &Wire) -> Result<Reply, Fault> {
        let uri = address(&call.url)?;
        let pool = self.pool(&call, &uri)?;
        let request = || request(&call, &uri, &pool);
        match self.once(&pool.kept, request(), wire).await {
            Err(lost) if lost.untouched => {
                let (id, host) = (&call.id, uri.authority().map_or("", Authority::as_str));
                let why = lost.fault.cause;
                tracing::debug!(
                    "[{id}] a kept connection to {host} was lost before the answer ({why}): once more, on a new one"
                );
                self.once(&pool.fresh, request(), wire).await.map_err(|lost| lost.fault.through(&call.link))
            }
            answered => answered.map_err(|lost| lost.fault.through(&call.link)),
        }
    }

    /// Closes the connections that none of these links needs: idle ones at once, others when their answer ends. Each
    /// link stands beside the address of its provider.
    pub fn keep_only<'l>(&self, links: impl Iterator<Item = (&'l str, &'l Link)>) {
        let wanted: HashSet<(Authority, &str)> = links
            .filter_map(|(url, link)| {
                Some((url.parse::<Uri>().ok()?.authority()?.clone(), link.label.as_str()))
            })
            .collect();
        let mut pools = self.pools.lock().unwrap_or_else(PoisonError::into_inner);
        pools.retain(|key, _| wanted.contains(&(key.authority.clone(), key.link.as_str())));
    }

    async fn once(
        &self,
        client: &Client<Connector, Outgoing>,
        mut request: Request<Outgoing>,
        wire: &Wire,
    ) -> Result<Reply, Lost> {
        let begun = Instant::now();
        let sent = request.body().ended.clone();
        let captured = capture_connection(&mut request);
        wire.begin(captured.clone(), sent);
        let mut sending = pin!(client.request(request));
        // The connection, and how much had been read from it when the call got it.
        let mut had = None;
        let answered = poll_fn(|cx| {
            let polled = sending.as_mut().poll(cx);
            if had.is_none() {
                had = Line::of(captured.connection_metadata().as_ref()).map(|line| (line.read(), line));
            }
            polled
        });
        let response = match answered.await {
            Ok(response) => response,
            Err(error) => {
                let fault = lost::fault(&error);
                let untouched = lost::is_untouched(&error, fault.kind, had.as_ref(), begun);
                return Err(Lost { fault, untouched });
            }
        };
        let line = had.map(|(_, line)| line);
        if let Some(line) = &line {
            line.answers();
            if !line.is_shared() && self.open.load(Ordering::Relaxed) > MOST_OPEN {
                captured.connection_metadata().as_ref().inspect(|it| it.poison());
            }
        }
        Ok(Reply::new(response, line))
    }

    fn pool(&self, call: &Call, uri: &Uri) -> Result<Pool, Fault> {
        let no_host = || Fault::new(FailureKind::Connect, "the provider's url names no host");
        let scheme = uri.scheme().ok_or_else(no_host)?.clone();
        let authority = uri.authority().ok_or_else(no_host)?.clone();
        let key = PoolKey { scheme, authority, connect: call.connect, link: call.link.label.clone() };
        let now = Instant::now();
        let mut pools = self.pools.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) = pools.get_mut(&key) {
            entry.used = now;
            return Ok(entry.pool.clone());
        }
        let encrypted = key.scheme == Scheme::HTTPS;
        let config = if encrypted || connect::needs_tls(&call.link) {
            self.roots.config(call.link.tls.as_deref())?
        } else {
            tls::none()?
        };
        let login = call.proxy_login.as_ref();
        let connector =
            Connector::new(&call.link, login, encrypted, config, call.connect, self.open.clone())?;
        let authorization = connector.forwards().then(|| login.and_then(basic)).flatten();
        let pool =
            Pool { kept: client(MOST_IDLE, connector.clone()), fresh: client(0, connector), authorization };
        pools.retain(|_, entry| now.duration_since(entry.used) < FORGOTTEN);
        pools.insert(key, Entry { pool: pool.clone(), used: now });
        Ok(pool)
    }
}

/// A call that got no head of an answer.
struct Lost {
    fault: Fault,
    /// Whether it may be made once more, as [`lost`] has it.
    untouched: bool,
}

fn client(most_idle: usize, connector: Connector) -> Client<Connector, Outgoing> {
    Client::builder(TokioExecutor::new())
        .timer(TokioTimer::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(POOL_IDLE)
        .pool_max_idle_per_host(most_idle)
        // It would take the next connection of the pool, which may be dying as well.
        .retry_canceled_requests(false)
        .http2_keep_alive_interval(PING_EVERY)
        .http2_keep_alive_timeout(PING_EVERY)
        .http2_adaptive_window(true)
        .build(connector)
}

fn request(call: &Call, uri: &Uri, pool: &Pool) -> Request<Outgoing> {
    let mut request = Request::new(Outgoing::new(call.body.clone()));
    *request.method_mut() = call.method.clone();
    *request.uri_mut() = uri.clone();
    *request.headers_mut() = call.headers.clone();
    let headers = request.headers_mut();
    headers.entry(ACCEPT).or_insert(HeaderValue::from_static("*/*"));
    if let Some(authorization) = &pool.authorization {
        headers.insert(PROXY_AUTHORIZATION, authorization.clone());
    }
    request
}

/// Reads an address. What may not stand in one, such as a space in a model's name, is put as `%` and its code.
fn address(url: &str) -> Result<Uri, Fault> {
    let escaped = |url: &str| {
        let wrong = |byte: &u8| !byte.is_ascii_graphic() || b"\"<>\\^`{|}".contains(byte);
        let mut out = String::with_capacity(url.len());
        for byte in url.bytes() {
            if wrong(&byte) { out.push_str(&format!("%{byte:02X}")) } else { out.push(char::from(byte)) }
        }
        out
    };
    let read = url.parse::<Uri>().or_else(|_| escaped(url).parse::<Uri>());
    read.map_err(|error| Fault::new(FailureKind::Connect, format!("the provider's url is no url: {error}")))
}

#[cfg(test)]
mod tests;
