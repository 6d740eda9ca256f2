//! TLS on the listener: handshakes that do not take too long, and a word for clients that speak plain HTTP.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;
use rustls::sign::SingleCertAndKey;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::config::model::Rules;
use crate::config::tls::identity;
use crate::text::diagnostic::Diagnostics;

/// How long a handshake may take at most, with all that the client has to send for it.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// How long a client may take to read that it should speak TLS.
const TELLING: Duration = Duration::from_secs(1);
/// The first byte of every handshake.
const HANDSHAKE_RECORD: u8 = 0x16;
/// What a client is told that speaks plain HTTP.
const PLAIN: &[u8] = b"HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain\r\nconnection: close\r\n\
content-length: 52\r\n\r\nThis port speaks TLS. Use https:// in the address.\r\n";

/// What the rules say about TLS, as the listener needs it; `None` if they want none.
pub fn config(rules: &Rules, diags: &mut Diagnostics) -> Option<Arc<ServerConfig>> {
    let identity = identity(rules, rules.tls.as_ref()?, diags)?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().ok()?;
    let config = match identity.clients {
        Some(clients) => config.with_client_cert_verifier(clients),
        None => config.with_no_client_auth(),
    };
    let mut config = config.with_cert_resolver(Arc::new(SingleCertAndKey::from(identity.certified)));
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Some(Arc::new(config))
}

/// Shakes hands, in at most `limit`, or less if that is more than a handshake needs. A client that speaks plain HTTP is
/// told so.
///
/// # Errors
/// If that fails, takes too long, or is not wanted by the client.
pub async fn accept(
    stream: TcpStream,
    config: Arc<ServerConfig>,
    limit: Duration,
) -> io::Result<TlsStream<TcpStream>> {
    let shake = async {
        let mut first = [0];
        if stream.peek(&mut first).await? == 1 && first != [HANDSHAKE_RECORD] {
            let _ = timeout(TELLING, tell(stream)).await;
            return Err(io::Error::other("the client speaks no TLS"));
        }
        TlsAcceptor::from(config).accept(stream).await
    };
    timeout(limit.min(HANDSHAKE), shake).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

async fn tell(mut stream: TcpStream) -> io::Result<()> {
    stream.write_all(PLAIN).await?;
    stream.shutdown().await?;
    // Closing on bytes that nobody read would reset the connection, and the answer might not be seen.
    let mut forgotten = [0; 1024];
    while stream.read(&mut forgotten).await? > 0 {}
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_has_the_length_that_it_says() {
        let text = std::str::from_utf8(PLAIN).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.ends_with(&format!("content-length: {}", body.len())), "{}", body.len());
    }

    #[tokio::test(start_paused = true)]
    async fn a_handshake_that_does_not_come_is_given_up() {
        let own = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let key = rustls::pki_types::PrivateKeyDer::Pkcs8(own.signing_key.serialize_der().into());
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let config = config.unwrap().with_no_client_auth();
        let config = Arc::new(config.with_single_cert(vec![own.cert.der().clone()], key).unwrap());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        for (limit, time) in [(HANDSHAKE * 3, HANDSHAKE), (HANDSHAKE / 2, HANDSHAKE / 2)] {
            for begun in [&[][..], &[HANDSHAKE_RECORD, 3, 1]] {
                let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
                client.write_all(begun).await.unwrap();
                let (stream, _) = listener.accept().await.unwrap();
                let asked = tokio::time::Instant::now();
                let error = accept(stream, config.clone(), limit).await.unwrap_err();
                assert_eq!((error.kind(), asked.elapsed()), (io::ErrorKind::TimedOut, time), "{begun:?}");
            }
        }
    }
}
