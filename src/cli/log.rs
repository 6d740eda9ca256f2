//! Where the log goes: standard error, and only the router's own lines.

use tracing_subscriber::EnvFilter;

use super::Level;
use super::style::Style;

/// Starts the log. `asked` is the command line's level; without one `RULEGATE_LOG` decides, else `info`.
///
/// Only the router's own lines are let through, at every level: what a library would say of a connection could
/// contain what was sent over it.
pub(super) fn start(asked: Option<Level>) {
    let variable = std::env::var("RULEGATE_LOG").ok();
    let level = asked.or_else(|| variable.as_deref().and_then(named)).unwrap_or(Level::Info);
    let started = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(format!("rulegate={}", name(level))))
        .with_writer(std::io::stderr)
        .with_ansi(Style::stderr().colours())
        .with_target(false)
        .try_init();
    if started.is_ok() && asked.is_none() && variable.as_deref().is_some_and(|text| named(text).is_none()) {
        tracing::warn!("RULEGATE_LOG is none of error, warn, info, debug, trace: info is used");
    }
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
