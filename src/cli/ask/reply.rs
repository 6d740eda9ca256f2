//! An answer of HTTP as it is read off a connection, and whether a router gave it.

use std::io::{self, Read, Write};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::text::visible::visible;

/// How long an answer may take that has begun.
const PATIENCE_TO_READ: Duration = Duration::from_secs(30);
/// The longest answer that is read, in bytes: the decisions of a router may be many.
const LONGEST: usize = 64 << 20;
/// The longest head of one.
const LONGEST_HEAD: usize = 64 << 10;
/// With what the names of the router's own headers begin.
const SIGNATURE: &str = "x-rulegate-";
/// What whoever speaks something else did.
pub(super) const NO_HTTP: &str = "answered with what is no HTTP";

/// An answer as it came.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Reply {
    pub(super) status: u16,
    /// Its content type, without parameters; may be empty.
    pub(super) kind: String,
    /// Whether it has one of the router's own headers.
    is_signed: bool,
    pub(super) body: String,
}

impl Reply {
    /// Whether a port that speaks TLS says so, to who does not: as routers do, and most other servers.
    pub(super) fn wants_tls(&self) -> bool {
        let said = self.body.to_ascii_lowercase();
        self.status == 400 && !self.is_signed && (said.contains("https") || said.contains("tls"))
    }

    /// Whether a router answered. It signs what it answers; only to those that it does not let in, and where it is too busy to
    /// read on, it says no more than an error of its own form, and to a stranger whether all is well.
    pub(super) fn is_routers(&self) -> bool {
        if self.is_signed {
            return true;
        }
        let page = serde_json::from_str::<Value>(&self.body).unwrap_or_default();
        match self.status {
            200 => matches!(page["status"].as_str(), Some("healthy" | "unhealthy")),
            400 | 401 | 403 | 408 | 413 | 431 | 503 => page["error"]["message"].is_string(),
            _ => false,
        }
    }
}

/// What comes from whoever speaks something else.
fn no_http() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, NO_HTTP)
}

/// Sends a request, and reads what comes back.
///
/// # Errors
/// If that is no answer of HTTP.
pub(super) fn exchange(
    mut connection: impl Read + Write,
    request: &str,
    patience: Duration,
) -> io::Result<Reply> {
    // In one piece, so that a server that answers at the first bytes does not break the rest.
    connection.write_all(request.as_bytes()).and_then(|()| connection.flush()).map_err(|error| {
        in_time(error, "it did not take the request in time; what listens there may not speak HTTP, or hangs")
    })?;
    let answer = read(connection, patience + PATIENCE_TO_READ)?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let status =
        head.split(' ').nth(1).filter(|_| head.starts_with("HTTP/")).and_then(|code| code.parse().ok());
    let Some(status) = status else {
        return Err(match head.as_bytes() {
            [] => io::Error::other("it closed the connection; if it speaks TLS, https:// is meant"),
            // An alert of TLS.
            [0x15, 3, ..] => io::Error::other("it speaks TLS: https:// may be meant"),
            _ => no_http(),
        });
    };
    let fields = || head.lines().filter_map(|line| line.split_once(':'));
    let kind = fields().find(|(name, _)| name.eq_ignore_ascii_case("content-type"));
    let kind = kind.and_then(|(_, value)| value.split(';').next()).unwrap_or_default();
    Ok(Reply {
        status,
        kind: visible(kind.trim()).into_owned(),
        is_signed: fields().any(|(name, _)| name.to_ascii_lowercase().starts_with(SIGNATURE)),
        body: visible(body).into_owned(),
    })
}

/// Reads an answer to its end: where its head says that it is, or else where the connection ends. Gives up after `limit`.
fn read(mut connection: impl Read, limit: Duration) -> io::Result<String> {
    let begun = Instant::now();
    let (mut answer, mut piece) = (Vec::new(), vec![0; 64 << 10]);
    let mut end = None;
    while end.is_none_or(|end| answer.len() < end) {
        let silent = if answer.is_empty() {
            "it took the request and said nothing in time"
        } else {
            "its answer stopped before its end"
        };
        let count = connection.read(&mut piece).map_err(|error| in_time(error, silent))?;
        if count == 0 {
            break;
        }
        let head_began = answer.len().saturating_sub(3);
        answer.extend_from_slice(piece.get(..count).unwrap_or_default());
        if end.is_none() {
            let found = memchr::memmem::find(answer.get(head_began..).unwrap_or_default(), b"\r\n\r\n");
            let head = found.map(|at| head_began + at + 4);
            if head.is_none() && answer.len() > LONGEST_HEAD {
                return Err(no_http());
            }
            end = head.map(|head| head.saturating_add(length(answer.get(..head).unwrap_or_default())));
        }
        if answer.len() > LONGEST {
            return Err(io::Error::other(format!("its answer has more than {} MiB", LONGEST >> 20)));
        }
        if begun.elapsed() > limit {
            return Err(io::Error::other("its answer comes too slowly"));
        }
    }
    answer.truncate(end.unwrap_or(usize::MAX));
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

/// What a head says of the length of its body, in bytes; without that the body ends with the connection.
fn length(head: &[u8]) -> usize {
    let head = String::from_utf8_lossy(head);
    let mut fields = head.lines().filter_map(|line| line.split_once(':'));
    let said = fields.find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    said.and_then(|(_, length)| length.trim().parse().ok()).unwrap_or(usize::MAX)
}

/// Says `silent` of what did not happen in time.
fn in_time(error: io::Error, silent: &str) -> io::Error {
    match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => {
            io::Error::new(io::ErrorKind::TimedOut, silent)
        }
        _ => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_of_an_answer_is_bounded() {
        let read = |answer: &mut dyn Read| super::read(answer, PATIENCE_TO_READ);
        let endless = read(&mut std::io::repeat(b'x')).unwrap_err();
        assert!(endless.to_string().contains("no HTTP"), "{endless}");
        let begun = &b"HTTP/1.0 200 OK\r\n\r\n"[..];
        let endless = read(&mut begun.chain(std::io::repeat(b'x'))).unwrap_err();
        assert!(endless.to_string().contains("more than 64 MiB"), "{endless}");
        let without_length = read(&mut begun.chain(&b"{}"[..])).unwrap();
        let late = super::read(begun, Duration::ZERO).unwrap_err();
        assert!(late.to_string().contains("too slowly"), "{late}");
        assert!(without_length.ends_with("\r\n\r\n{}"), "{without_length}");
    }
}
