//! `rulegate health`: asks a running router whether it is well, so that a container needs no other program for it.

use super::{HealthArguments, Outcome};

/// Asks, and prints the answer's body.
pub(super) fn health(arguments: &HealthArguments) -> Outcome {
    let router = arguments.router.or_at(arguments.address.as_ref());
    let path = if arguments.ready { "/v1/health?ready" } else { "/v1/health" };
    match router.ask(&format!("GET {path}"), "") {
        Ok(body) => {
            say!("{}", body.trim_end());
            Outcome::Well
        }
        Err(wrong) if wrong.status == Some(503) && arguments.ready => {
            say!("{}", wrong.body.trim_end());
            complain!("rulegate health: no provider can answer; `rulegate status` says why");
            Outcome::Wrong
        }
        Err(wrong) => {
            complain!("rulegate health: {}", wrong.told);
            Outcome::Wrong
        }
    }
}
