//! `rulegate clear`: tells a running router that a provider is well again.

use super::ask::{Place, ask};
use super::{ClearArguments, Outcome};

/// Asks, and prints the answer's body.
pub(super) fn clear(arguments: &ClearArguments) -> Outcome {
    let (name, place) = (&arguments.name, Place::or_usual(arguments.address.as_ref()));
    if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || "_-.".contains(c)) {
        complain!("rulegate clear: {name:?} cannot be the name of a provider");
        return Outcome::Unusable;
    }
    let key = std::env::var("RULEGATE_ADMIN_KEY").ok().filter(|key| !key.is_empty());
    let line = format!("POST /-/providers/{name}/clear");
    match ask(&place, &arguments.tls, &line, key.as_deref()) {
        Ok((200, body)) => {
            say!("{}", body.trim_end());
            Outcome::Well
        }
        Ok((status, body)) => {
            complain!("rulegate clear: {place} answers {status}: {}", body.trim_end());
            Outcome::Wrong
        }
        Err(error) => {
            complain!("rulegate clear: no answer from {place}: {error}");
            Outcome::Wrong
        }
    }
}
