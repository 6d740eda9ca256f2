//! `rulegate run`: starts the router, and stops it gently when asked to.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use super::examine::{readable, usual};
use super::{Outcome, RunArguments, log};
use crate::config::model::Host;
use crate::edge::{self, Options, StartError, Stopped, descriptors, telemetry};
use crate::proof::rule_tests;

/// Runs the router until it is told to stop.
pub(super) fn run(arguments: &RunArguments) -> Outcome {
    let log = log::start(arguments.log);
    let variable = std::env::var_os("RULEGATE_RULES").filter(|path| !path.is_empty()).map(PathBuf::from);
    let rules = arguments.rules.clone().or(variable).unwrap_or_else(usual);
    if let Err(error) = readable(&rules) {
        complain!("rulegate: {}: {error}", rules.display());
        return Outcome::Unusable;
    }
    let mut options = Options::new(&rules);
    let state = std::env::var("RULEGATE_STATE").ok().filter(|path| !path.is_empty());
    options.state = arguments.state.clone().or(state);
    options.log = log.writer();
    options.local_time = log.is_local();
    options.listen = match listen(arguments.listen) {
        Ok(listen) => listen,
        Err(outcome) => return outcome,
    };
    tracing::info!("the rules are {}", rules.display());
    serve(options, |_| ())
}

/// Where to listen instead of where the rules say: the option, else `$RULEGATE_LISTEN`.
pub(super) fn listen(option: Option<SocketAddr>) -> Result<Option<String>, Outcome> {
    if let Some(address) = option {
        return Ok(Some(address.to_string()));
    }
    let variable = std::env::var("RULEGATE_LISTEN").ok().map(|said| said.trim().to_owned());
    let Some(said) = variable.filter(|said| !said.is_empty()) else { return Ok(None) };
    if Host::with_port(&said).is_some_and(|(_, port)| port.is_some()) {
        return Ok(Some(said));
    }
    complain!(
        "rulegate: RULEGATE_LISTEN is no address with a port: {said:?}; write for example 127.0.0.1:8000"
    );
    Err(Outcome::Unusable)
}

/// Starts a router, calls `started` with where it listens, and serves until a signal says that it is enough.
pub(super) fn serve(mut options: Options, started: impl FnOnce(SocketAddr)) -> Outcome {
    telemetry::quiet_panics();
    options.proof = Some(Arc::new(rule_tests::prove));
    options.descriptors = descriptors::raise();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            complain!("rulegate: {error}");
            return Outcome::Wrong;
        }
    };
    let log = options.log.clone();
    let outcome = runtime.block_on(edge::until_stopped(options, started));
    // A file that does not end, or a disk that does not answer, keeps nobody waiting.
    runtime.shutdown_background();
    // What was logged before comes before.
    if let (Err(_) | Ok(Stopped::Failed), Some(log)) = (&outcome, &log) {
        log.flush(log::LAST_LINES);
    }
    match outcome {
        Ok(Stopped::Asked) => Outcome::Well,
        Ok(Stopped::Failed) => {
            complain!("rulegate: the router failed");
            Outcome::Wrong
        }
        Err(StartError::Rules(text)) => {
            complain!("{}\n\nrulegate: these rules are not run", text.trim_end());
            Outcome::Wrong
        }
        Err(error @ StartError::Address { .. }) => {
            complain!("rulegate: {error}; say another address with --listen HOST:PORT or RULEGATE_LISTEN");
            Outcome::Wrong
        }
    }
}
