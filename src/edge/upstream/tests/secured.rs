//! Encrypted connections: HTTP/2 that dies or stalls, certificates of one's own, and proxies.

use std::sync::atomic::{AtomicUsize, Ordering};

use h2::server::SendResponse;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::*;
use crate::config::certificates::{OwnTls, certificates, identity, roots};
use crate::text::units::ProxyAddress;

/// Certificates in PEM: an authority's, and a certificate that it signed for `localhost`, with its key.
struct Certificates {
    ca: String,
    certificate: String,
    key: String,
}

fn issue() -> Certificates {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let ca = params.self_signed(&key).unwrap().pem();
    let issuer = Issuer::new(params, key);
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
    let certificate = params.signed_by(&key, &issuer).unwrap().pem();
    Certificates { ca, certificate, key: key.serialize_pem() }
}

fn acceptor(own: &Certificates, clients: Option<&Certificates>, protocol: &[u8]) -> TlsAcceptor {
    let ring = Arc::new(rustls::crypto::ring::default_provider());
    let builder =
        ServerConfig::builder_with_provider(ring.clone()).with_safe_default_protocol_versions().unwrap();
    let builder = match clients {
        None => builder.with_no_client_auth(),
        Some(clients) => {
            let mut store = RootCertStore::empty();
            store.add(CertificateDer::from_pem_slice(clients.ca.as_bytes()).unwrap()).unwrap();
            let verifier =
                WebPkiClientVerifier::builder_with_provider(Arc::new(store), ring).build().unwrap();
            builder.with_client_cert_verifier(verifier)
        }
    };
    let chain = vec![CertificateDer::from_pem_slice(own.certificate.as_bytes()).unwrap()];
    let key = PrivateKeyDer::from_pem_slice(own.key.as_bytes()).unwrap();
    let mut config = builder.with_single_cert(chain, key).unwrap();
    config.alpn_protocols = vec![protocol.to_vec()];
    TlsAcceptor::from(Arc::new(config))
}

fn trusting(own: &Certificates, proxy: Option<&str>) -> Arc<Link> {
    let tls = OwnTls { roots: roots(own.ca.as_bytes()).unwrap(), identity: None };
    Arc::new(Link::new(proxy.map(|proxy| ProxyAddress::parse(proxy).unwrap()), Some(tls)))
}

fn over(url: &str, link: &Arc<Link>) -> Call {
    let login = link.proxy.as_ref().and_then(|proxy| proxy.login.as_ref());
    let proxy_login = login.map(|login| HeaderValue::from_str(login.expose()).unwrap());
    Call { link: link.clone(), proxy_login, ..call(url.to_owned()) }
}

/// A provider of HTTP/1 that answers each connection's first request with `200`.
async fn plain(own: &Certificates, clients: Option<&Certificates>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (port, acceptor) = (listener.local_addr().unwrap().port(), acceptor(own, clients, b"http/1.1"));
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            request(&mut stream).await;
            stream
                .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
                .await
                .unwrap();
            let _ = stream.shutdown().await;
        }
    });
    port
}

/// What a test does with a request: the connection's and the request's number, and what answers it.
type Deed = fn(usize, usize, &mut SendResponse<Bytes>) -> Then;

enum Then {
    GoOn,
    Close,
    GoAway,
}

/// A provider of HTTP/2, which tells of each request on which connection it came, as soon as its head is there.
async fn shared(own: &Certificates, window: u32, deed: Deed) -> (String, mpsc::UnboundedReceiver<usize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://localhost:{}/v1", listener.local_addr().unwrap().port());
    let (acceptor, count) = (acceptor(own, None, b"h2"), AtomicUsize::new(0));
    let (tell, told) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let stream = acceptor.accept(stream).await.unwrap();
            let number = count.fetch_add(1, Ordering::SeqCst);
            tokio::spawn(one_shared(stream, number, window, deed, tell.clone()));
        }
    });
    (url, told)
}

async fn one_shared(
    stream: TlsStream<TcpStream>,
    number: usize,
    window: u32,
    deed: Deed,
    tell: mpsc::UnboundedSender<usize>,
) {
    let mut builder = h2::server::Builder::new();
    builder.initial_window_size(window);
    let mut connection = builder.handshake::<_, Bytes>(stream).await.unwrap();
    let mut held = Vec::new();
    let mut nth = 0;
    while let Some(Ok((request, mut respond))) = connection.accept().await {
        let then = deed(number, nth, &mut respond);
        nth += 1;
        held.push((request, respond));
        let _ = tell.send(number);
        match then {
            Then::GoOn => {}
            Then::Close => return,
            Then::GoAway => connection.abrupt_shutdown(h2::Reason::NO_ERROR),
        }
    }
}

fn answered(respond: &mut SendResponse<Bytes>) -> Then {
    respond.send_response(http::Response::new(()), true).unwrap();
    Then::GoOn
}

/// Sends a call, and how it went.
async fn outcome(upstream: &Upstream, call: Call) -> Result<u16, FailureKind> {
    let sent = upstream.send(call, &Wire::default()).await;
    sent.map(|reply| reply.status).map_err(|fault| fault.kind)
}

#[tokio::test]
async fn a_shared_connection_that_is_closed_or_refuses_costs_nobody_a_failure() {
    let own = issue();
    let deeds: [Deed; 2] = [
        |connection, nth, respond| if (connection, nth) == (0, 1) { Then::Close } else { answered(respond) },
        |connection, nth, respond| {
            if (connection, nth) == (0, 1) {
                respond.send_reset(h2::Reason::REFUSED_STREAM);
                return Then::GoOn;
            }
            answered(respond)
        },
    ];
    for deed in deeds {
        let (url, mut told) = shared(&own, 1 << 16, deed).await;
        let (upstream, link) = (Upstream::new(), trusting(&own, None));
        for _ in 0..2 {
            assert_eq!(outcome(&upstream, over(&url, &link)).await, Ok(200));
        }
        assert_eq!([told.recv().await, told.recv().await, told.recv().await], [Some(0), Some(0), Some(1)]);
    }
}

/// What a provider did with a request on a new connection it did with the request.
#[tokio::test]
async fn a_new_shared_connection_that_is_closed_is_a_failure() {
    let own = issue();
    let (url, _told) = shared(&own, 1 << 16, |_, _, _| Then::Close).await;
    let failed = outcome(&Upstream::new(), over(&url, &trusting(&own, None))).await;
    assert!(matches!(failed, Err(FailureKind::Closed | FailureKind::Reset)), "{failed:?}");
    let (url, _told) = shared(&own, 1 << 16, |_, _, _| Then::GoAway).await;
    let failed = outcome(&Upstream::new(), over(&url, &trusting(&own, None))).await;
    assert!(failed.is_err(), "{failed:?}");
}

/// Makes a call that times out as soon as its head has come to the provider; on which connection that was.
async fn times_out(
    upstream: &Upstream,
    call: Call,
    told: &mut mpsc::UnboundedReceiver<usize>,
) -> Option<usize> {
    let wire = Wire::default();
    let number = tokio::select! {
        _ = upstream.send(call, &wire) => panic!("it answers nothing"),
        number = told.recv() => number,
    };
    wire.timed_out(FailureKind::FirstByteTimeout);
    number
}

#[tokio::test]
async fn a_shared_connection_whose_requests_time_out_is_given_up() {
    let own = issue();
    let (url, mut told) = shared(&own, 1 << 16, |_, _, _| Then::GoOn).await;
    let (upstream, link) = (Upstream::new(), trusting(&own, None));
    // A request that the provider has let in is sent whole before its head is told of: no body, no window.
    let mut on = Vec::new();
    for _ in 0..4 {
        let call = Call { body: Bytes::new(), ..over(&url, &link) };
        on.push(times_out(&upstream, call, &mut told).await);
    }
    assert_eq!(on, [Some(0), Some(0), Some(0), Some(1)]);
}

#[tokio::test]
async fn a_shared_connection_that_takes_no_request_is_given_up_at_once() {
    let own = issue();
    let (url, mut told) = shared(&own, 0, |_, _, _| Then::GoOn).await;
    let (upstream, link) = (Upstream::new(), trusting(&own, None));
    // What fits into the window that HTTP/2 begins with may be gone before the provider has said that it gives none.
    let large = || Call { body: Bytes::from(vec![b' '; 200_000]), ..over(&url, &link) };
    assert_eq!(times_out(&upstream, large(), &mut told).await, Some(0));
    assert_eq!(times_out(&upstream, large(), &mut told).await, Some(1));
}

#[tokio::test]
async fn an_own_authority_is_trusted_and_nobody_else() {
    let (own, other) = (issue(), issue());
    let url = format!("https://localhost:{}/", plain(&own, None).await);
    let upstream = Upstream::new();
    assert_eq!(outcome(&upstream, over(&url, &trusting(&own, None))).await, Ok(200));
    assert_eq!(outcome(&upstream, over(&url, &trusting(&other, None))).await, Err(FailureKind::Tls));
}

#[tokio::test]
async fn a_client_certificate_is_shown_to_who_asks_for_it() {
    let (own, clients) = (issue(), issue());
    let url = format!("https://localhost:{}/", plain(&own, Some(&clients)).await);
    let chain = certificates(clients.certificate.as_bytes()).unwrap();
    let tls = OwnTls {
        roots: roots(own.ca.as_bytes()).unwrap(),
        identity: Some(identity(chain, clients.key.as_bytes()).unwrap()),
    };
    let known = Arc::new(Link::new(None, Some(tls)));
    let upstream = Upstream::new();
    assert_eq!(outcome(&upstream, over(&url, &known)).await, Ok(200));
    assert!(outcome(&upstream, over(&url, &trusting(&own, None))).await.is_err());
    let wrong = identity(certificates(own.certificate.as_bytes()).unwrap(), clients.key.as_bytes());
    assert_eq!(wrong.unwrap_err(), "the key does not fit the certificate");
}

/// Passes bytes both ways between a client and a port of this machine.
async fn pass(mut client: TcpStream, port: u16) {
    let mut to = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let _ = tokio::io::copy_bidirectional(&mut client, &mut to).await;
}

/// A proxy of HTTP: what it is asked goes to `port`, if the password is right; `GET` and the like it answers itself.
async fn http_proxy(port: u16) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let host = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut head = Vec::new();
            while !head.windows(4).any(|end| end == b"\r\n\r\n") {
                assert!(stream.read_buf(&mut head).await.unwrap() > 0);
            }
            let head = String::from_utf8(head).unwrap();
            // `me:p@ss`
            if !head.to_lowercase().contains("proxy-authorization: basic bwu6cebzcw==") {
                stream.write_all(b"HTTP/1.1 407 No\r\ncontent-length: 0\r\n\r\n").await.unwrap();
            } else if head.starts_with("CONNECT localhost:") {
                stream.write_all(b"HTTP/1.1 200 Go\r\n\r\n").await.unwrap();
                tokio::spawn(pass(stream, port));
            } else {
                assert!(head.starts_with("POST http://far.example/v1 HTTP/1.1\r\n"), "{head}");
                stream.write_all(b"HTTP/1.1 203 Mine\r\ncontent-length: 0\r\n\r\n").await.unwrap();
            }
        }
    });
    host.to_string()
}

#[tokio::test]
async fn a_proxy_of_http_is_told_who_comes() {
    let own = issue();
    let port = plain(&own, None).await;
    let (url, host) = (format!("https://localhost:{port}/"), http_proxy(port).await);
    let upstream = Upstream::new();
    let known = trusting(&own, Some(&format!("http://me:p%40ss@{host}")));
    assert_eq!(outcome(&upstream, over(&url, &known)).await, Ok(200));
    assert_eq!(outcome(&upstream, over("http://far.example/v1", &known)).await, Ok(203));
    let unknown = trusting(&own, Some(&format!("http://me:hidden@{host}")));
    let Err(fault) = upstream.send(over(&url, &unknown), &Wire::default()).await else { panic!("it let in") };
    assert_eq!(fault.kind, FailureKind::Connect);
    assert!(!fault.message.contains("hidden") && fault.message.contains("proxy"), "{}", fault.message);
}

/// A SOCKS proxy: it lets `me` in, tells which kind of address it was given, and passes all on to `port`.
async fn socks_proxy(port: u16) -> (String, mpsc::UnboundedReceiver<u8>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let host = listener.local_addr().unwrap();
    let (tell, told) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut exact = async |length: usize| {
                let mut bytes = vec![0; length];
                stream.read_exact(&mut bytes).await.unwrap();
                bytes
            };
            assert_eq!(exact(3).await, [5, 1, 2]);
            stream.write_all(&[5, 2]).await.unwrap();
            let mut exact = async |length: usize| {
                let mut bytes = vec![0; length];
                stream.read_exact(&mut bytes).await.unwrap();
                bytes
            };
            assert_eq!(exact(9).await, b"\x01\x02me\x04p@ss");
            stream.write_all(&[1, 0]).await.unwrap();
            let mut head = [0; 4];
            stream.read_exact(&mut head).await.unwrap();
            let length = match head[3] {
                1 => 4,
                3 => usize::from(stream.read_u8().await.unwrap()),
                _ => 16,
            };
            let mut address = vec![0; length + 2];
            stream.read_exact(&mut address).await.unwrap();
            tell.send(head[3]).unwrap();
            stream.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]).await.unwrap();
            tokio::spawn(pass(stream, port));
        }
    });
    (host.to_string(), told)
}

#[tokio::test]
async fn a_socks_proxy_is_told_a_name_or_an_address() {
    let own = issue();
    let port = plain(&own, None).await;
    let (url, (host, mut told)) = (format!("https://localhost:{port}/"), socks_proxy(port).await);
    let upstream = Upstream::new();
    for (scheme, by_name) in [("socks5", false), ("socks5h", true)] {
        let link = trusting(&own, Some(&format!("{scheme}://me:p%40ss@{host}")));
        assert_eq!(outcome(&upstream, over(&url, &link)).await, Ok(200), "{scheme}");
        assert_eq!(told.recv().await == Some(3), by_name, "{scheme}");
    }
}
