//! `rulegate health`: asks a running router whether it is well, so that a container needs no other program for it.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::Duration;

use super::{HealthArguments, Outcome};

/// How long to wait for the connection, and again for the answer.
const PATIENCE: Duration = Duration::from_secs(3);

/// Asks, and prints the answer's body.
pub(super) fn health(arguments: &HealthArguments) -> Outcome {
    let address = router(arguments.address);
    match get(address, "/v1/health", None) {
        Ok((200, body)) => {
            say!("{body}");
            Outcome::Well
        }
        Ok((status, body)) => {
            complain!("rulegate health: {address} answers {status}: {body}");
            Outcome::Wrong
        }
        Err(error) => {
            complain!("rulegate health: no answer from {address}: {error}");
            Outcome::Wrong
        }
    }
}

/// Where the router is: there, where it listens by default, or at the usual address.
pub(super) fn router(given: Option<SocketAddr>) -> SocketAddr {
    let listen = std::env::var("RULEGATE_LISTEN").ok();
    let address = given.or_else(|| listen.as_deref()?.parse().ok());
    reachable(address.unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 8000))))
}

/// Where to ask a router that listens there: on every address means on loopback too.
fn reachable(listen: SocketAddr) -> SocketAddr {
    let host = match listen.ip() {
        IpAddr::V4(host) if host.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(host) if host.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        host => host,
    };
    SocketAddr::new(host, listen.port())
}

/// Status and body of what a router answers to `GET path`, asked with this admin key, if there is one.
///
/// # Errors
/// If there is no answer.
pub(super) fn get(
    address: SocketAddr,
    path: &str,
    admin_key: Option<&str>,
) -> std::io::Result<(u16, String)> {
    ask(address, &format!("GET {path}"), admin_key)
}

/// The same for any method: `line` is the method and the path. Nothing is sent with it.
///
/// # Errors
/// If there is no answer.
pub(super) fn ask(
    address: SocketAddr,
    line: &str,
    admin_key: Option<&str>,
) -> std::io::Result<(u16, String)> {
    let key = admin_key.filter(|key| !key.contains(['\r', '\n']));
    let key = key.map(|key| format!("x-admin-key: {key}\r\n")).unwrap_or_default();
    let mut connection = TcpStream::connect_timeout(&address, PATIENCE)?;
    connection.set_read_timeout(Some(PATIENCE))?;
    // HTTP/1.0: the answer comes unchunked, and ends with the connection. In one piece, so that a server that
    // answers at the first bytes does not break the rest.
    connection.write_all(
        format!("{line} HTTP/1.0\r\nhost: {address}\r\n{key}content-length: 0\r\n\r\n").as_bytes(),
    )?;
    let mut answer = String::new();
    connection.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok());
    status
        .map(|status| (status, body.to_owned()))
        .ok_or_else(|| std::io::Error::other("that is no HTTP answer"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_address_includes_loopback() {
        let at = |text: &str| text.parse::<SocketAddr>().map(reachable).map(|address| address.to_string());
        assert_eq!(at("0.0.0.0:8000"), Ok("127.0.0.1:8000".to_owned()));
        assert_eq!(at("[::]:8000"), Ok("[::1]:8000".to_owned()));
        assert_eq!(at("127.0.0.2:9"), Ok("127.0.0.2:9".to_owned()));
    }

    #[test]
    fn the_answer_is_read_to_its_end() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = std::thread::spawn(move || {
            let (mut connection, _) = listener.accept().unwrap();
            let mut request = [0; 512];
            let count = connection.read(&mut request).unwrap();
            connection.write_all(b"HTTP/1.0 200 OK\r\n\r\n{\"status\":\"ok\"}").unwrap();
            String::from_utf8_lossy(&request[..count]).into_owned()
        });
        assert_eq!(get(address, "/v1/health", Some("k")).unwrap(), (200, "{\"status\":\"ok\"}".to_owned()));
        let request = server.join().unwrap();
        assert!(request.starts_with("GET /v1/health HTTP/1.0\r\n"));
        assert!(request.contains("\r\nx-admin-key: k\r\n") && request.ends_with("\r\n\r\n"), "{request}");
    }
}
