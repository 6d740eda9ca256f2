//! Asks a running router, over plain HTTP or TLS, and reads its answer.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use serde_json::Value;

mod reply;

use reply::{NO_HTTP, Reply, exchange};

/// How long to wait for a router that says nothing.
const PATIENCE: Duration = Duration::from_secs(5);
/// The same for one that is known to be there and has much to do: rules that are read again are tested first.
const PATIENCE_FOR_WORK: Duration = Duration::from_secs(60);

/// What to do where nobody answers, or somebody else.
const ELSEWHERE: &str = "Say where it is with --url HOST:PORT or RULEGATE_URL";

/// How a router is to be asked that speaks TLS.
#[derive(clap::Args, Clone, Debug, Default)]
pub(super) struct TlsArguments {
    /// Trust the certificates in this file only, and speak TLS [default: $RULEGATE_CA, else what the machine trusts]
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// The name in the router's certificate [default: $RULEGATE_TLS_NAME, else the host that is asked]
    #[arg(long, value_name = "HOST")]
    tls_name: Option<String>,
}

/// The running router that a command is about.
#[derive(clap::Args, Clone, Debug, Default)]
pub(super) struct RouterArguments {
    /// Where the router is: HOST:PORT, or an http:// or https:// address [default: $RULEGATE_URL, else $RULEGATE_LISTEN,
    /// else 127.0.0.1:8000]
    #[arg(long, value_name = "URL")]
    url: Option<Place>,
    #[command(flatten)]
    tls: TlsArguments,
}

impl RouterArguments {
    /// The same, with the place that an older way of writing it gave.
    pub(super) fn or_at(&self, address: Option<&Place>) -> Self {
        Self { url: self.url.clone().or_else(|| address.cloned()), tls: self.tls.clone() }
    }

    /// Where the router is: as said, else what the environment says, else where it listens by default.
    pub(super) fn place(&self) -> Place {
        let variable = |name: &str| std::env::var(name).ok()?.parse().ok();
        let usual = || Place { host: "127.0.0.1".to_owned(), port: 8000, tls: false };
        let said = self.url.clone().or_else(|| variable("RULEGATE_URL"));
        said.or_else(|| variable("RULEGATE_LISTEN")).unwrap_or_else(usual)
    }

    /// Asks the router, with the admin key of `$RULEGATE_ADMIN_KEY`.
    ///
    /// # Errors
    /// What to tell people if there is no answer, or none of status 200; the status, if there is one, and its body.
    pub(super) fn ask(&self, line: &str, body: &str) -> Result<String, NoAnswer> {
        self.ask_within(line, body, PATIENCE)
    }

    /// The same for what may take a router some time, if it is there and answers at all.
    pub(super) fn ask_for_work(&self, line: &str, body: &str) -> Result<String, NoAnswer> {
        match self.ask("GET /v1/health", "") {
            Err(wrong) if wrong.status.is_none() => Err(wrong),
            _ => self.ask_within(line, body, PATIENCE_FOR_WORK),
        }
    }

    fn ask_within(&self, line: &str, body: &str, patience: Duration) -> Result<String, NoAnswer> {
        let place = self.place();
        let key = std::env::var("RULEGATE_ADMIN_KEY").ok().filter(|key| !key.is_empty());
        match ask(&place, &self.tls, line, body, key.as_deref(), patience) {
            Ok(answer) if answer.wants_tls() => {
                let told = format!(
                    "no answer from {place} to {line}: it speaks TLS: https:// is meant. {ELSEWHERE}"
                );
                Err(NoAnswer { status: None, told, body: String::new() })
            }
            Ok(answer) if !answer.is_routers() => {
                let Reply { status, kind, .. } = answer;
                let kind = if kind.is_empty() { "no content-type".to_owned() } else { kind };
                Err(NoAnswer::of_stranger(format!("{place} answered {status} with {kind}")))
            }
            Ok(Reply { status: 200, body, .. }) => Ok(body),
            Ok(Reply { status, body, .. }) => {
                let page = serde_json::from_str::<Value>(&body).unwrap_or_default();
                // What is no router may answer with a whole page.
                let first = body.trim().lines().next().unwrap_or_default();
                let said = page["error"]["message"].as_str().unwrap_or(first).to_owned();
                let told = format!("{place} answers {status}: {said}");
                Err(NoAnswer { status: Some(status), told, body })
            }
            Err(error) if error.kind() == io::ErrorKind::InvalidData && error.to_string() == NO_HTTP => {
                Err(NoAnswer::of_stranger(format!("{place} {NO_HTTP}")))
            }
            Err(error) => {
                let why = match tls_error(&error) {
                    Some(rustls::Error::InvalidMessage(_)) => {
                        "it does not speak TLS: http:// may be meant".to_owned()
                    }
                    _ => error.to_string(),
                };
                let told = format!("no answer from {place} to {line}: {why}; is a router running there?");
                Err(NoAnswer { status: None, told: format!("{told} {ELSEWHERE}"), body: String::new() })
            }
        }
    }
}

/// Why there is no good answer.
pub(super) struct NoAnswer {
    /// The answer's status, if there is one.
    pub(super) status: Option<u16>,
    /// For people.
    pub(super) told: String,
    /// The answer's body.
    pub(super) body: String,
}

impl NoAnswer {
    /// What answers there is not this program.
    fn of_stranger(did: String) -> Self {
        let told = format!("that is no rulegate: {did}. {ELSEWHERE}");
        Self { status: None, told, body: String::new() }
    }
}

fn tls_error(error: &io::Error) -> Option<&rustls::Error> {
    error.get_ref()?.downcast_ref()
}

/// Where a router is: `HOST:PORT`, or a URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// The host's name, or its address.
    host: String,
    port: u16,
    tls: bool,
}

impl FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (tls, rest) = match text.split_once("://") {
            Some(("https", rest)) => (true, rest),
            Some(("http", rest)) => (false, rest),
            Some(_) => return Err("write HOST:PORT, or an http:// or https:// address".to_owned()),
            None => (false, text),
        };
        let authority = rest.trim_end_matches('/');
        let usual = if tls { 443 } else { 80 };
        if let Ok(address) = authority.parse::<SocketAddr>() {
            let host = reachable(address.ip()).to_string();
            return Ok(Self { host, port: address.port(), tls });
        }
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) => {
                (host, port.parse().map_err(|_| format!("`{port}` is not the number of a port"))?)
            }
            None if text.contains("://") => (authority, usual),
            None => return Err("the port is missing: write HOST:PORT".to_owned()),
        };
        if host.is_empty() || !host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.".contains(&byte))
        {
            return Err("write HOST:PORT, or an http:// or https:// address".to_owned());
        }
        Ok(Self { host: host.to_owned(), port, tls })
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        write!(out, "{host}:{}", self.port)
    }
}

/// Where to ask a router that listens there: on every address means on loopback too.
fn reachable(listen: IpAddr) -> IpAddr {
    match listen {
        IpAddr::V4(host) if host.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(host) if host.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        host => host,
    }
}

/// What a router answers. `line`: method and path; `body`: JSON, or nothing; `admin_key` is sent if
/// there is one; `patience`: how long the router may be silent.
///
/// # Errors
/// If there is no answer.
fn ask(
    place: &Place,
    tls: &TlsArguments,
    line: &str,
    body: &str,
    admin_key: Option<&str>,
    patience: Duration,
) -> io::Result<Reply> {
    let key = admin_key.filter(|key| !key.contains(['\r', '\n']));
    let key = key.map(|key| format!("x-admin-key: {key}\r\n")).unwrap_or_default();
    // HTTP/1.0: the answer comes unchunked, and ends with the connection.
    let length = body.len();
    let head = format!("{line} HTTP/1.0\r\nhost: {place}\r\n{key}content-type: application/json\r\n");
    let request = format!("{head}content-length: {length}\r\n\r\n{body}");
    let connection = connect(place, patience)?;
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let ca = tls.ca.clone().or_else(|| variable("RULEGATE_CA").map(PathBuf::from));
    if !place.tls && ca.is_none() {
        return exchange(connection, &request, patience);
    }
    let name = tls.tls_name.clone().or_else(|| variable("RULEGATE_TLS_NAME"));
    let name = ServerName::try_from(name.unwrap_or_else(|| place.host.clone())).map_err(io::Error::other)?;
    let config = trusting(ca.as_deref())?;
    let session = ClientConnection::new(Arc::new(config), name).map_err(io::Error::other)?;
    exchange(StreamOwned::new(session, connection), &request, patience)
}

fn connect(place: &Place, patience: Duration) -> io::Result<TcpStream> {
    let mut last = io::Error::other("it has no address");
    for address in (place.host.as_str(), place.port).to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, PATIENCE) {
            Ok(connection) => {
                connection.set_read_timeout(Some(patience))?;
                connection.set_write_timeout(Some(patience))?;
                return Ok(connection);
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// Trusts the certificates in the file, or what the machine trusts.
fn trusting(ca: Option<&Path>) -> io::Result<ClientConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?;
    let Some(ca) = ca else {
        let verifier = rustls_platform_verifier::Verifier::new(provider).map_err(io::Error::other)?;
        let config = config.dangerous().with_custom_certificate_verifier(Arc::new(verifier));
        return Ok(config.with_no_client_auth());
    };
    let unusable = |error: &dyn std::fmt::Display| io::Error::other(format!("{}: {error}", ca.display()));
    let mut roots = RootCertStore::empty();
    let found = CertificateDer::pem_file_iter(ca).map_err(|error| unusable(&error))?;
    for certificate in found {
        roots.add(certificate.map_err(|error| unusable(&error))?).map_err(|error| unusable(&error))?;
    }
    if roots.is_empty() {
        return Err(unusable(&"there is no certificate in it"));
    }
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};

    #[test]
    fn a_router_is_named_by_its_address_or_its_url() {
        let at = |text: &str| text.parse::<Place>().map(|place| (place.to_string(), place.tls));
        let place = |text: &str, tls| Ok((text.to_owned(), tls));
        assert_eq!(at("0.0.0.0:8000"), place("127.0.0.1:8000", false));
        assert_eq!(at("[::]:8000"), place("[::1]:8000", false));
        assert_eq!(at("127.0.0.2:9"), place("127.0.0.2:9", false));
        assert_eq!(at("http://localhost"), place("localhost:80", false));
        assert_eq!(at("https://router.example/"), place("router.example:443", true));
        assert_eq!(at("https://127.0.0.1:8443"), place("127.0.0.1:8443", true));
        for wrong in ["localhost", "ftp://x:1", "a b:1", "x:port", "https://u:p@host", ""] {
            assert!(at(wrong).is_err(), "{wrong}");
        }
    }

    /// Asks a peer that takes a request, says this, and keeps the connection open until it was asked.
    fn asked(said: &'static [u8], patience: Duration) -> (io::Result<Reply>, String) {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let place = listener.local_addr().unwrap().to_string().parse().unwrap();
        let (done, wait) = std::sync::mpsc::channel::<()>();
        let server = std::thread::spawn(move || {
            let (mut connection, _) = listener.accept().unwrap();
            let mut request = [0; 512];
            let count = connection.read(&mut request).unwrap();
            let _ = connection.write_all(said);
            let _ = wait.recv();
            String::from_utf8_lossy(&request[..count]).into_owned()
        });
        let answer = ask(&place, &TlsArguments::default(), "GET /v1/health", "", Some("k"), patience);
        drop(done);
        (answer, server.join().unwrap())
    }

    #[test]
    fn the_answer_is_read_to_its_end_and_no_further() {
        let answer = b"HTTP/1.0 200 OK\r\nContent-Length: 15\r\n\r\n{\"status\":\"ok\"}and more";
        let (answer, request) = asked(answer, PATIENCE_FOR_WORK);
        let answer = answer.unwrap();
        assert_eq!((answer.status, answer.body.as_str()), (200, "{\"status\":\"ok\"}"));
        assert!(request.starts_with("GET /v1/health HTTP/1.0\r\n"));
        assert!(request.contains("\r\nx-admin-key: k\r\n") && request.ends_with("\r\n\r\n"), "{request}");
    }

    #[test]
    fn a_peer_that_goes_silent_is_given_up_with_what_was_awaited() {
        for (said, text) in [
            (&b""[..], "said nothing"),
            (b"HTTP/1.0 200", "stopped before its end"),
            (b"HTTP/1.0 200 OK\r\ncontent-length: 9\r\n\r\n{", "stopped before its end"),
            (b"HTTP/1.0 200 OK\r\n\r\n{", "stopped before its end"),
        ] {
            let error = asked(said, Duration::from_millis(50)).0.unwrap_err();
            assert!(error.to_string().contains(text), "{said:?}: {error}");
        }
    }
}
