//! `rulegate run`: starts the router, and stops it gently when asked to.

use std::path::PathBuf;
use std::sync::Arc;

use super::examine::{readable, usual};
use super::{Outcome, RunArguments, log};
use crate::edge::{self, Options, StartError, stop};
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
    options.listen = arguments.listen.map(|address| address.to_string());
    tracing::info!("the rules are {}", rules.display());
    serve(options, |_| ())
}

/// Starts a router, calls `started` with where it listens, and serves until a signal says that it is enough.
pub(super) fn serve(mut options: Options, started: impl FnOnce(std::net::SocketAddr)) -> Outcome {
    options.proof = Some(Arc::new(rule_tests::prove));
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            complain!("rulegate: {error}");
            return Outcome::Wrong;
        }
    };
    let log = options.log.clone();
    let running = match runtime.block_on(edge::serve(options)) {
        Ok(running) => running,
        Err(error) => {
            // What was logged before comes before.
            let _ = log.map(|log| log.flush(log::LAST_LINES));
            match error {
                StartError::Rules(text) => {
                    complain!("{}\n\nrulegate: these rules are not run", text.trim_end());
                }
                error => complain!("rulegate: {error}"),
            }
            return Outcome::Wrong;
        }
    };
    started(running.local_addr());
    runtime.block_on(stop::wanted());
    tracing::info!("stopping: streams under way may end, a second signal ends them");
    let cut = runtime.block_on(stop::unless_wanted(running.shutdown()));
    match cut {
        Some(0) => tracing::info!("stopped"),
        Some(cut) => tracing::warn!("stopped; {cut} connections had to be cut"),
        None => tracing::warn!("stopped at once"),
    }
    Outcome::Well
}
