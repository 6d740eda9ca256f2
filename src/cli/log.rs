//! Where the log goes: standard error, and only the router's own lines.

use std::io::{self, Write};
use std::time::Duration;

use tracing_subscriber::EnvFilter;

use super::Level;
use super::style::Style;
use crate::edge::LogWriter;

/// How long the process waits at its end for the last lines of the log.
pub(super) const LAST_LINES: Duration = Duration::from_secs(1);

/// The log as long as it is needed. Dropping it writes the last lines.
pub(super) struct Log(Option<LogWriter>);

impl Log {
    /// What writes it.
    pub(super) fn writer(&self) -> Option<LogWriter> {
        self.0.clone()
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        if let Some(writer) = &self.0 {
            writer.flush(LAST_LINES);
        }
    }
}

/// Starts the log. `asked` is the command line's level; without one `RULEGATE_LOG` decides, else `info`.
///
/// Only the router's own lines are let through, at every level: what a library would say of a connection could
/// contain what was sent over it.
pub(super) fn start(asked: Option<Level>) -> Log {
    let variable = std::env::var("RULEGATE_LOG").ok();
    let level = asked.or_else(|| variable.as_deref().and_then(named)).unwrap_or(Level::Info);
    let writer = match LogWriter::start(output()) {
        Ok(writer) => writer,
        Err(error) => {
            complain!("rulegate: there is no log: {error}");
            return Log(None);
        }
    };
    let started = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(format!("rulegate={}", name(level))))
        .with_writer(writer.clone())
        // Else it would say so on standard error, and stop the thread that logs if that is what does not work.
        .log_internal_errors(false)
        .with_ansi(Style::stderr().colours())
        .with_target(false)
        .try_init();
    if started.is_ok() && asked.is_none() && variable.as_deref().is_some_and(|text| named(text).is_none()) {
        tracing::warn!("RULEGATE_LOG is none of error, warn, info, debug, trace: info is used");
    }
    Log(Some(writer))
}

/// Standard error by a handle of its own: a log that is stuck must not hold the lock of the common one.
fn output() -> Box<dyn Write + Send> {
    #[cfg(unix)]
    if let Ok(own) = std::os::fd::AsFd::as_fd(&io::stderr()).try_clone_to_owned() {
        return Box::new(std::fs::File::from(own));
    }
    Box::new(io::stderr())
}

fn named(text: &str) -> Option<Level> {
    clap::ValueEnum::from_str(text, true).ok()
}

fn name(level: Level) -> &'static str {
    match level {
        Level::Error => "error",
        Level::Warn => "warn",
        Level::Info => "info",
        Level::Debug => "debug",
        Level::Trace => "trace",
    }
}
