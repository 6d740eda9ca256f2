//! Where the log goes: standard error, and only the router's own lines.

use std::fmt;
use std::io::{self, Write};
use std::time::Duration;

use clap::ValueEnum;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};

use super::Level;
use super::style::Style;
use crate::edge::LogWriter;
use crate::text::units::local_now_text;

/// How long the process waits at its end for the last lines of the log.
pub(super) const LAST_LINES: Duration = Duration::from_secs(1);

/// The log as long as it is needed. Dropping it writes the last lines.
pub(super) struct Log {
    writer: Option<LogWriter>,
    clock: Clock,
}

impl Log {
    /// What writes it.
    pub(super) fn writer(&self) -> Option<LogWriter> {
        self.writer.clone()
    }

    /// Whether its lines bear the time of this machine's zone.
    pub(super) fn is_local(&self) -> bool {
        self.clock == Clock::Local
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        if let Some(writer) = &self.writer {
            writer.flush(LAST_LINES);
        }
    }
}

/// How the log is written.
#[derive(clap::Args, Clone, Copy, Debug, Default)]
pub(super) struct LogArguments {
    /// How much the log says [default: $RULEGATE_LOG, else info]
    #[arg(long, value_name = "LEVEL")]
    log: Option<Level>,
    /// For people, or one JSON object a line for programs [default: $RULEGATE_LOG_FORMAT, else text]
    #[arg(long, value_name = "FORMAT")]
    log_format: Option<Format>,
    /// Which time the lines bear [default: $RULEGATE_LOG_TIME, else utc]
    #[arg(long, value_name = "CLOCK")]
    log_time: Option<Clock>,
}

/// What a line of the log looks like.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    /// Words, and `name=value` where there are numbers to look for
    Text,
    /// One JSON object a line
    Json,
}

/// Which time the lines of the log bear.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
enum Clock {
    /// Coordinated Universal Time
    Utc,
    /// The time of this machine's zone, or of $TZ, with its offset
    Local,
}

impl FormatTime for Clock {
    fn format_time(&self, out: &mut Writer<'_>) -> fmt::Result {
        match self {
            Clock::Utc => SystemTime.format_time(out),
            Clock::Local => out.write_str(&local_now_text()),
        }
    }
}

/// What was asked for: on the command line, else in a variable, else as usual. Complains of a variable that is no
/// such word.
fn chosen<T: ValueEnum + Copy>(asked: Option<T>, variable: &str, usual: T, wrong: &mut Vec<String>) -> T {
    let said = std::env::var(variable).ok().filter(|text| asked.is_none() && !text.is_empty());
    let known = said.as_deref().map(|text| T::from_str(text, true));
    if let Some(Err(_)) = known {
        let words = T::value_variants().iter().filter_map(ValueEnum::to_possible_value);
        let words: Vec<String> = words.map(|word| word.get_name().to_owned()).collect();
        wrong.push(format!("{variable} is none of {}", words.join(", ")));
    }
    asked.or(known.and_then(Result::ok)).unwrap_or(usual)
}

/// Starts the log.
///
/// Only the router's own lines are let through, at every level: what a library would say of a connection could
/// contain what was sent over it.
pub(super) fn start(asked: LogArguments) -> Log {
    let mut wrong = Vec::new();
    let level = chosen(asked.log, "RULEGATE_LOG", Level::Info, &mut wrong);
    let format = chosen(asked.log_format, "RULEGATE_LOG_FORMAT", Format::Text, &mut wrong);
    let clock = chosen(asked.log_time, "RULEGATE_LOG_TIME", Clock::Utc, &mut wrong);
    let writer = match LogWriter::start(output()) {
        Ok(writer) => writer,
        Err(error) => {
            complain!("rulegate: there is no log: {error}");
            return Log { writer: None, clock };
        }
    };
    let lines = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(format!("rulegate={}", name(level))))
        .with_writer(writer.clone())
        // Else it would say so on standard error, and stop the thread that logs if that is what does not work.
        .log_internal_errors(false)
        .with_timer(clock)
        .with_target(false);
    let started = match format {
        Format::Text => lines.with_ansi(Style::stderr().colours()).try_init(),
        Format::Json => {
            lines.json().flatten_event(true).with_current_span(false).with_span_list(false).try_init()
        }
    };
    if started.is_ok() {
        wrong.iter().for_each(|wrong| tracing::warn!("{wrong}: what is usual is used"));
    }
    Log { writer: Some(writer), clock }
}

/// Standard error by a handle of its own: a log that is stuck must not hold the lock of the common one.
fn output() -> Box<dyn Write + Send> {
    #[cfg(unix)]
    if let Ok(own) = std::os::fd::AsFd::as_fd(&io::stderr()).try_clone_to_owned() {
        return Box::new(std::fs::File::from(own));
    }
    Box::new(io::stderr())
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
