//! What went wrong with a call, and whether it may be made once more without anybody being told.
//!
//! A server may close a connection that idles at any time, and a request may be on its way to it just then. That is
//! nobody's failure, so such a call is made once more, on a new connection. It is done where
//!
//! - it is **certain** that the provider has not begun: the request was never written; or, in HTTP/2, the provider has
//!   refused the stream (`REFUSED_STREAM`) or said by `GOAWAY` that it will not look at it (RFC 9113, 8.7 and 6.8);
//! - it is **inferred**: the connection had been there before the call (it was kept, or had answered others), it was
//!   closed or reset, and not one byte was read from it since the call got it. That is what a server does that closes
//!   idle connections. A server could have begun to work and have crashed; then the request is worked on twice, as
//!   it would be by the failover that follows a lost connection anyway (RFC 9110, 9.2.2, leaves it to clients that
//!   know what their requests do). So it is no more dangerous than what would happen otherwise, and the answer of the
//!   first can no longer arrive.
//!
//! Never after a byte of an answer, a timeout, an answer that breaks the protocol, or on a connection that was opened
//! for this call: whatever dies there is a failure of the provider. And never more than once.

use std::error::Error as StdError;
use std::io;
use std::sync::Arc;

use hyper_util::client::legacy::Error;
use tokio::time::Instant;

use super::Fault;
use super::connect::{ConnectTimedOut, NoAddress};
use super::line::Line;
use crate::engine::failure::FailureKind;

/// A call's error as a failure that rules can name.
pub(super) fn fault(error: &Error) -> Fault {
    // Its own words name no cause.
    match error.source() {
        Some(cause) => told(kind_of(cause, error.is_connect()), cause, false),
        None => Fault::new(FailureKind::Reset, FailureKind::Reset.doc()),
    }
}

/// A body's error as a failure that rules can name.
pub(super) fn fault_of(error: &hyper::Error) -> Fault {
    told(kind_of(error, false), error, true)
}

/// A fault in plain words, and in the libraries' own.
fn told(kind: FailureKind, error: &(dyn StdError + 'static), in_answer: bool) -> Fault {
    let message = match kind {
        FailureKind::Closed if in_answer => {
            "the provider closed the connection in the middle of its answer".to_owned()
        }
        FailureKind::Reset if in_answer => {
            "the connection to the provider broke in the middle of its answer".to_owned()
        }
        FailureKind::Malformed if !in_answer => "the provider's answer is no HTTP".to_owned(),
        _ => match causes(error).find_map(reason) {
            Some(reason) => format!("{}: {reason}", kind.doc()),
            None => kind.doc().to_owned(),
        },
    };
    Fault { cause: chain(error), ..Fault::new(kind, message) }
}

/// Why there is no connection, where that has a name.
fn reason(cause: &(dyn StdError + 'static)) -> Option<String> {
    if let Some(late) = cause.downcast_ref::<ConnectTimedOut>() {
        return Some(late.to_string());
    }
    if let Some(tls) = cause.downcast_ref::<rustls::Error>() {
        return Some(of_tls(tls).to_owned());
    }
    // Of the tunnel's error only the text is public.
    if cause.to_string().ends_with("proxy authorization required") {
        return Some("the proxy wants a name and a password, or others".to_owned());
    }
    let said = match cause.downcast_ref::<io::Error>()?.kind() {
        io::ErrorKind::ConnectionRefused => "connection refused",
        io::ErrorKind::HostUnreachable => "host unreachable",
        io::ErrorKind::NetworkUnreachable => "network unreachable",
        io::ErrorKind::PermissionDenied => "this machine does not allow it",
        _ => return None,
    };
    Some(said.to_owned())
}

fn of_tls(error: &rustls::Error) -> &'static str {
    use rustls::{AlertDescription, CertificateError as Wrong, Error};
    match error {
        Error::InvalidCertificate(Wrong::Expired | Wrong::ExpiredContext { .. }) => {
            "its certificate has expired"
        }
        Error::InvalidCertificate(Wrong::NotValidYet | Wrong::NotValidYetContext { .. }) => {
            "its certificate is not valid yet"
        }
        Error::InvalidCertificate(Wrong::NotValidForName | Wrong::NotValidForNameContext { .. }) => {
            "its certificate is for another name"
        }
        Error::InvalidCertificate(Wrong::UnknownIssuer) => {
            "its certificate comes from an authority that is not trusted here"
        }
        Error::InvalidCertificate(Wrong::Revoked) => "its certificate is revoked",
        Error::InvalidCertificate(_) => "its certificate is not valid",
        Error::InvalidMessage(_) => "it does not speak TLS there",
        Error::AlertReceived(AlertDescription::CertificateRequired) => "it wants a certificate of ours",
        _ => "the two found no common ground",
    }
}

/// Whether a call that was lost may be made once more. `had`: how much had been read from its connection before.
pub(super) fn is_untouched(
    error: &Error,
    kind: FailureKind,
    had: Option<&(u64, Arc<Line>)>,
    begun: Instant,
) -> bool {
    let Some(cause) = error.source() else { return false };
    if causes(cause).filter_map(|cause| cause.downcast_ref::<h2::Error>()).any(was_refused) {
        return true;
    }
    let Some((read, line)) = had.filter(|(_, line)| line.is_older(begun)) else { return false };
    let unwritten =
        causes(cause).any(|it| it.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_canceled));
    let is_lost = matches!(kind, FailureKind::Closed | FailureKind::Reset);
    unwritten || is_lost && line.read() == *read
}

/// Whether the provider said, in HTTP/2, that it has not looked at the request. (Streams that a `GOAWAY` leaves to end
/// fail by other errors.)
fn was_refused(error: &h2::Error) -> bool {
    let refused = error.is_reset() && error.reason() == Some(h2::Reason::REFUSED_STREAM);
    error.is_remote() && (refused || error.is_go_away())
}

fn kind_of(error: &(dyn StdError + 'static), connecting: bool) -> FailureKind {
    let mut in_io = None;
    for cause in causes(error) {
        if cause.is::<NoAddress>() {
            return FailureKind::Dns;
        }
        if cause.is::<rustls::Error>() {
            return FailureKind::Tls;
        }
        if cause.is::<ConnectTimedOut>() {
            return FailureKind::ConnectTimeout;
        }
        if let Some(io) = cause.downcast_ref::<io::Error>() {
            in_io = Some(io.kind());
        }
    }
    if connecting {
        // A proxy that answers 407, a port that nobody listens on, a network that is not there.
        let timed_out = in_io == Some(io::ErrorKind::TimedOut);
        return if timed_out { FailureKind::ConnectTimeout } else { FailureKind::Connect };
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

/// An error, and what caused it.
fn causes<'e>(error: &'e (dyn StdError + 'static)) -> impl Iterator<Item = &'e (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |cause: &&(dyn StdError + 'static)| {
        // An `io::Error` names as its source not what it wraps, but the source of that.
        let wrapped = cause.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        wrapped.map(|inner| inner as &(dyn StdError + 'static)).or_else(|| (*cause).source())
    })
}

/// The causes of an error in one line, without the address: it may hold what somebody took for a secret.
fn chain(error: &(dyn StdError + 'static)) -> String {
    let mut said: Vec<String> = Vec::new();
    for cause in causes(error) {
        let text = cause.to_string();
        if !said.iter().any(|earlier| earlier.contains(&text)) {
            said.push(text);
        }
    }
    said.join(": ")
}
