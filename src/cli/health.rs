//! `rulegate health`: asks a running router whether it is well, so that a container needs no other program for it.

use super::ask::{Place, ask};
use super::{HealthArguments, Outcome};

/// Asks, and prints the answer's body.
pub(super) fn health(arguments: &HealthArguments) -> Outcome {
    let place = Place::or_usual(arguments.address.as_ref());
    match ask(&place, &arguments.tls, "GET /v1/health", None) {
        Ok((200, body)) => {
            say!("{body}");
            Outcome::Well
        }
        Ok((status, body)) => {
            complain!("rulegate health: {place} answers {status}: {body}");
            Outcome::Wrong
        }
        Err(error) => {
            complain!("rulegate health: no answer from {place}: {error}");
            Outcome::Wrong
        }
    }
}
