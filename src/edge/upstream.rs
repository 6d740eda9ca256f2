//! Calls to providers. The only file that knows the HTTP client.
//!
//! A call does what it is told and nothing on its own account: no redirect is followed (it would carry a
//! key to a host that nobody named), no proxy variable obeyed, nothing decompressed, no cookie kept.
//! Dropping a call, or a reply's body, closes it.

use std::collections::HashMap;
use std::error::Error as StdError;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_util::Stream;
use http::{HeaderMap, Method};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::redirect::Policy;
use reqwest::{Client, ClientBuilder, Proxy};
use rustls::ClientConfig;

use crate::engine::failure::{Failure, FailureKind};

/// An idle connection is kept for so long; most providers close theirs after a minute or more.
const POOL_IDLE: Duration = Duration::from_secs(50);
/// A connection on which even a ping gets no answer for so long is dead.
const PING_EVERY: Duration = Duration::from_secs(20);

/// One call to a provider.
#[derive(Debug)]
pub struct Call {
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
    /// As the rules say: `None` or `none`: straight; `env`: by the usual variables; else the proxy's address.
    pub proxy: Option<String>,
}

/// What a provider answers: the head; the body comes after it.
pub struct Reply {
    /// The status code.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body as it arrives.
    pub body: ReplyStream,
}

/// Why a call came to nothing, or its answer to no end.
#[derive(Debug)]
pub struct Fault {
    /// The kind that rules know.
    pub kind: FailureKind,
    /// For people. Holds no address, since keys are put in there too.
    pub message: String,
}

impl Fault {
    fn new(kind: FailureKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        Failure::new(fault.kind, fault.message)
    }
}

/// A reply's body. An error ends it.
pub struct ReplyStream(Pin<Box<dyn Stream<Item = reqwest::Result<Bytes>> + Send>>);

impl Stream for ReplyStream {
    type Item = Result<Bytes, Fault>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.as_mut().poll_next(cx).map(|chunk| chunk.map(|c| c.map_err(|error| fault(&error))))
    }
}

/// All connections to providers. Outlives the rules, so that a reload loses no connection.
#[derive(Default)]
pub struct Upstream {
    clients: Mutex<HashMap<ClientKind, Client>>,
    /// The system's trusted certificates, read when the first `https` address is called.
    tls: OnceLock<Result<ClientConfig, String>>,
}

/// What cannot be said per call, and so asks for a client of its own.
#[derive(Clone, PartialEq, Eq, Hash)]
struct ClientKind {
    connect: Duration,
    proxy: Option<String>,
    encrypted: bool,
}

impl Upstream {
    /// No connection yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sends a call and waits for the head of its answer. Any status is an answer.
    pub async fn send(&self, call: Call) -> Result<Reply, Fault> {
        let url = reqwest::Url::parse(&call.url).map_err(|error| {
            Fault::new(FailureKind::Connect, format!("the provider's url is no url: {error}"))
        })?;
        let encrypted = url.scheme() == "https";
        let client = self.client(ClientKind { connect: call.connect, proxy: call.proxy, encrypted })?;
        let request = client.request(call.method, url).headers(call.headers).body(call.body);
        let response = request.send().await.map_err(|error| fault(&error))?;
        let (parts, body) = http::Response::from(response).into_parts();
        let body = ReplyStream(Box::pin(http_body_util::BodyDataStream::new(body)));
        Ok(Reply { status: parts.status.as_u16(), headers: parts.headers, body })
    }

    fn client(&self, kind: ClientKind) -> Result<Client, Fault> {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = clients.get(&kind) {
            return Ok(client.clone());
        }
        let tls = if kind.encrypted { self.tls()? } else { no_tls()? };
        let client = builder(&kind, tls).and_then(ClientBuilder::build).map_err(|error| {
            Fault::new(FailureKind::Connect, format!("cannot call providers: {}", chain(&error)))
        })?;
        clients.insert(kind, client.clone());
        Ok(client)
    }

    fn tls(&self) -> Result<ClientConfig, Fault> {
        let made = self.tls.get_or_init(|| {
            let provider = Arc::new(rustls::crypto::ring::default_provider());
            let config = ClientConfig::builder_with_provider(provider.clone())
                .with_safe_default_protocol_versions()
                .and_then(|config| {
                    let verifier = rustls_platform_verifier::Verifier::new(provider)?;
                    Ok(config.dangerous().with_custom_certificate_verifier(Arc::new(verifier)))
                })
                .map_err(|error| error.to_string())?;
            let mut config = config.with_no_client_auth();
            config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
            Ok(config)
        });
        made.clone().map_err(|error| Fault::new(FailureKind::Tls, error))
    }
}

/// A configuration that trusts nobody, for addresses without encryption: the system's certificates cost time
/// and memory, and may not even be installed.
fn no_tls() -> Result<ClientConfig, Fault> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| Fault::new(FailureKind::Tls, error.to_string()))?;
    Ok(config.with_root_certificates(rustls::RootCertStore::empty()).with_no_client_auth())
}

fn builder(kind: &ClientKind, tls: ClientConfig) -> reqwest::Result<ClientBuilder> {
    let builder = Client::builder()
        .tls_backend_preconfigured(tls)
        .dns_resolver(SystemNames)
        .redirect(Policy::none())
        .referer(false)
        .connect_timeout(kind.connect)
        .tcp_nodelay(true)
        .tcp_keepalive(PING_EVERY)
        .pool_idle_timeout(POOL_IDLE)
        .http2_keep_alive_interval(PING_EVERY)
        .http2_keep_alive_timeout(PING_EVERY)
        .http2_adaptive_window(true);
    Ok(match kind.proxy.as_deref() {
        None | Some("none") => builder.no_proxy(),
        Some("env") => builder,
        Some(address) => builder.no_proxy().proxy(Proxy::all(address)?),
    })
}

/// The system's name service, with errors that can be told from those of connecting.
struct SystemNames;

impl Resolve for SystemNames {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await.map_err(NoAddress)?;
            let found: Vec<SocketAddr> = found.collect();
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

/// A name without an address.
#[derive(Debug)]
struct NoAddress(io::Error);

impl std::fmt::Display for NoAddress {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(out)
    }
}

impl StdError for NoAddress {}

/// The client's error as a failure that rules can name.
fn fault(error: &reqwest::Error) -> Fault {
    Fault::new(kind_of(error), chain(error))
}

fn kind_of(error: &reqwest::Error) -> FailureKind {
    let mut in_io = None;
    for cause in causes(error) {
        if cause.is::<NoAddress>() {
            return FailureKind::Dns;
        }
        if cause.is::<rustls::Error>() {
            return FailureKind::Tls;
        }
        if let Some(io) = cause.downcast_ref::<io::Error>() {
            in_io = Some(io.kind());
        }
    }
    if error.is_connect() {
        // A proxy that answers 407, a port that nobody listens on, a network that is not there.
        return if error.is_timeout() { FailureKind::ConnectTimeout } else { FailureKind::Connect };
    }
    match in_io {
        Some(
            io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted | io::ErrorKind::BrokenPipe,
        ) => FailureKind::Reset,
        Some(_) => FailureKind::Closed,
        None if causes(error)
            .any(|cause| cause.downcast_ref::<hyper::Error>().is_some_and(breaks_protocol)) =>
        {
            FailureKind::Malformed
        }
        None if causes(error).any(is_closed) => FailureKind::Closed,
        None => FailureKind::Reset,
    }
}

fn breaks_protocol(error: &hyper::Error) -> bool {
    error.is_parse() || error.is_parse_status()
}

fn is_closed(cause: &(dyn StdError + 'static)) -> bool {
    cause
        .downcast_ref::<hyper::Error>()
        .is_some_and(|error| error.is_incomplete_message() || error.is_closed() || error.is_canceled())
}

fn causes(error: &reqwest::Error) -> impl Iterator<Item = &(dyn StdError + 'static)> {
    std::iter::successors(error.source(), |cause: &&(dyn StdError + 'static)| {
        // An `io::Error` names as its source not what it wraps, but the source of that.
        let wrapped = cause.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        wrapped.map(|inner| inner as &(dyn StdError + 'static)).or_else(|| (*cause).source())
    })
}

/// The causes of an error in one line, without the address: it may hold what somebody took for a secret.
fn chain(error: &reqwest::Error) -> String {
    let mut said: Vec<String> = Vec::new();
    for cause in causes(error) {
        let text = cause.to_string();
        if !said.iter().any(|earlier| earlier.contains(&text)) {
            said.push(text);
        }
    }
    if said.is_empty() { "the call failed".to_owned() } else { said.join(": ") }
}

#[cfg(test)]
mod tests;
