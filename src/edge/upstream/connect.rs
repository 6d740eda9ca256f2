//! How a connection to a provider is opened: straight, or through a proxy.

use std::error::Error as StdError;
use std::fmt;
use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::task::{Context, Poll};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Uri;
use http::header::HeaderValue;
use http::uri::Scheme;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder, MaybeHttpsStream};
use hyper_util::client::legacy::connect::dns::Name;
use hyper_util::client::legacy::connect::proxy::{SocksV5, Tunnel};
use hyper_util::client::legacy::connect::{Connection, HttpConnector};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use tokio::time::timeout;
use tower_service::Service;

use super::Fault;
use super::line::{Open, Pipe};
use crate::engine::failure::FailureKind;
use crate::engine::link::Link;
use crate::text::units::ProxyScheme;

/// How often the system asks whether the other end is still there.
const PROBE_EVERY: Duration = Duration::from_secs(20);

type BoxError = Box<dyn StdError + Send + Sync>;
type Tcp = HttpConnector<SystemNames>;

/// Opens connections to one provider.
#[derive(Clone)]
pub(super) struct Connector {
    path: Path,
    limit: Duration,
    open: Arc<AtomicUsize>,
}

/// The ways to a provider; TLS to it, where it has that, comes over each of them.
#[derive(Clone)]
enum Path {
    Straight(HttpsConnector<Tcp>),
    /// Requests are given to a proxy, which reads them.
    Forwarded(HttpsConnector<Tcp>, Uri),
    Tunnel(HttpsConnector<Tunnel<HttpsConnector<Tcp>>>),
    Socks(HttpsConnector<Socks>),
}

/// Whether a link needs TLS even to a provider that has none.
pub(super) fn needs_tls(link: &Link) -> bool {
    link.proxy.as_ref().is_some_and(|proxy| proxy.scheme == ProxyScheme::Https)
}

impl Connector {
    /// Opens connections over this link, within `limit`. `encrypted`: whether the provider's address is `https`. `open`
    /// counts the connections.
    pub fn new(
        link: &Link,
        login: Option<&HeaderValue>,
        encrypted: bool,
        config: ClientConfig,
        limit: Duration,
        open: Arc<AtomicUsize>,
    ) -> Result<Self, Fault> {
        let mut tcp = HttpConnector::new_with_resolver(SystemNames);
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_keepalive(Some(PROBE_EVERY));
        tcp.set_connect_timeout(Some(limit));
        let builder = || HttpsConnectorBuilder::new().with_tls_config(config.clone()).https_or_http();
        let Some(proxy) = &link.proxy else {
            return Ok(Self {
                path: Path::Straight(builder().enable_all_versions().wrap_connector(tcp)),
                limit,
                open,
            });
        };
        let scheme = if proxy.scheme == ProxyScheme::Https { Scheme::HTTPS } else { Scheme::HTTP };
        let address =
            Uri::builder().scheme(scheme).authority(proxy.host.as_str()).path_and_query("/").build();
        let address = address.map_err(|_| Fault::new(FailureKind::Connect, "the proxy's address is none"))?;
        let path = match proxy.scheme {
            ProxyScheme::Socks5 | ProxyScheme::Socks5h => {
                let mut socks = SocksV5::new(address, tcp);
                if let Some((name, password)) = login.and_then(|it| it.to_str().ok()?.split_once(':')) {
                    socks = socks.with_auth(name.to_owned(), password.to_owned());
                }
                let socks = Socks { inner: socks, by_name: proxy.scheme == ProxyScheme::Socks5h };
                Path::Socks(builder().enable_all_versions().wrap_connector(socks))
            }
            ProxyScheme::Http | ProxyScheme::Https => {
                let to_proxy = builder().enable_http1().wrap_connector(tcp);
                if encrypted {
                    let mut tunnel = Tunnel::new(address, to_proxy);
                    if let Some(basic) = login.and_then(basic) {
                        tunnel = tunnel.with_auth(basic);
                    }
                    Path::Tunnel(builder().enable_all_versions().wrap_connector(tunnel))
                } else {
                    Path::Forwarded(to_proxy, address)
                }
            }
        };
        Ok(Self { path, limit, open })
    }

    /// Whether a proxy reads the requests.
    pub fn forwards(&self) -> bool {
        matches!(self.path, Path::Forwarded(..))
    }

    async fn dial(self, to: Uri) -> Result<Open, BoxError> {
        let forwarded = self.forwards();
        let (pipe, shared) = match self.path {
            Path::Straight(connector) => opened(connector, to).await?,
            Path::Forwarded(connector, proxy) => opened(connector, proxy).await?,
            Path::Tunnel(connector) => opened(connector, to).await?,
            Path::Socks(connector) => opened(connector, to).await?,
        };
        Ok(Open::new(pipe, shared, forwarded, self.open))
    }
}

impl Service<Uri> for Connector {
    type Response = TokioIo<Open>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, to: Uri) -> Self::Future {
        let (this, limit) = (self.clone(), self.limit);
        Box::pin(async move {
            let opened = timeout(limit, this.dial(to)).await.map_err(|_| ConnectTimedOut(limit))?;
            Ok(TokioIo::new(opened?))
        })
    }
}

/// An open connection, and whether requests share it.
async fn opened<C, T>(mut connector: C, to: Uri) -> Result<(Box<dyn Pipe>, bool), BoxError>
where
    C: Service<Uri, Response = MaybeHttpsStream<T>, Error = BoxError>,
    T: Pipe + Connection,
{
    poll_fn(|cx| connector.poll_ready(cx)).await?;
    let stream = connector.call(to).await?;
    let shared = stream.connected().is_negotiated_h2();
    Ok((Box::new(stream), shared))
}

/// A SOCKS proxy, told a name or an address.
#[derive(Clone)]
struct Socks {
    inner: SocksV5<Tcp>,
    by_name: bool,
}

impl Service<Uri> for Socks {
    type Response = TokioIo<tokio::net::TcpStream>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, to: Uri) -> Self::Future {
        let mut this = self.clone();
        Box::pin(async move {
            let port = to.port_u16().unwrap_or(if to.scheme() == Some(&Scheme::HTTP) { 80 } else { 443 });
            let host = to.host().unwrap_or_default();
            let authority = if this.by_name {
                format!("{host}:{port}")
            } else {
                let bare = host.trim_start_matches('[').trim_end_matches(']');
                let found = tokio::net::lookup_host((bare, port)).await.map_err(NoAddress)?.next();
                found.ok_or_else(|| NoAddress(io::ErrorKind::NotFound.into()))?.to_string()
            };
            let to = Uri::builder().scheme("https").authority(authority).path_and_query("/").build()?;
            this.inner.call(to).await.map_err(Into::into)
        })
    }
}

/// The system's name service, with errors that can be told from those of connecting.
#[derive(Clone)]
struct SystemNames;

impl Service<Name> for SystemNames {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = NoAddress;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, NoAddress>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), NoAddress>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await.map_err(NoAddress)?;
            Ok(found.collect::<Vec<_>>().into_iter())
        })
    }
}

/// A name without an address.
#[derive(Debug)]
pub(super) struct NoAddress(io::Error);

impl fmt::Display for NoAddress {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(out)
    }
}

impl StdError for NoAddress {}

/// No connection within this time.
#[derive(Debug)]
pub(super) struct ConnectTimedOut(Duration);

impl fmt::Display for ConnectTimedOut {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "no connection within {} s", self.0.as_secs_f64())
    }
}

impl StdError for ConnectTimedOut {}

/// `name:password` as the header that proxies of HTTP read.
pub(super) fn basic(login: &HeaderValue) -> Option<HeaderValue> {
    let mut value = HeaderValue::try_from(format!("Basic {}", STANDARD.encode(login.as_bytes()))).ok()?;
    value.set_sensitive(true);
    Some(value)
}
