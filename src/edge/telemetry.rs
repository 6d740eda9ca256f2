//! The log: one line per thing that happened, with its reason. No key is ever in it, and of a prompt only what a provider
//! quotes in an error, unless the rules keep that out (`decisions: { errors: false }`).
//!
//! INFO is normal work, recoveries and reloads; WARN a provider that another had to stand in for; ERROR a
//! request that no provider answered, and lines that the log itself lost. DEBUG adds each attempt and each rule's verdict.

use std::fmt::{self, Display, Write};

use crate::engine::Ms;
use crate::engine::decision::Decision;
use crate::engine::plan::{Event, Level};
use crate::text::visible::is_hidden;

/// The longest text that goes into one line, in characters.
const LONGEST: usize = 300;
/// The longest event in one: it may hold a provider's words, and names from the rules before and after them.
const LONGEST_EVENT: usize = 450;
/// The longest list of changed things in one line.
const LONGEST_LIST: usize = 2000;

/// Replaces the standard report of a panic, which may quote a prompt or a key, by its place only.
pub fn quiet_panics() {
    std::panic::set_hook(Box::new(|panic| match panic.location() {
        Some(place) => tracing::error!("internal error at {}:{}", place.file(), place.line()),
        None => tracing::error!("internal error"),
    }));
}

/// Is anybody reading what each rule said?
pub fn wants_verdicts() -> bool {
    tracing::enabled!(tracing::Level::DEBUG)
}

/// Writes what happened to one request.
pub fn tell(request: &str, events: &[Event]) {
    for event in events {
        let line = Within(event, LONGEST_EVENT);
        match event.level() {
            Level::Debug => tracing::debug!("[{request}] {line}"),
            Level::Info => tracing::info!("[{request}] {line}"),
            Level::Warn => tracing::warn!("[{request}] {line}"),
            Level::Error => tracing::error!("[{request}] {line}"),
        }
    }
}

/// Writes the one line that every request has: what became of it, with all that a program may look for in fields.
pub fn request(decision: &Decision) {
    let answer = decision.answer.as_ref();
    let ended = decision.stream.as_ref();
    let text = |text: &str| OneLine(text).to_string();
    let since = |at: Option<Ms>| at.map(|at| at.saturating_sub(decision.at));
    let route = format!("{} {}", decision.method, decision.route.as_deref().unwrap_or(&decision.path));
    let asked = || decision.attempts.iter().filter(|attempt| attempt.number > 0);
    let sent = asked().next_back().and_then(|attempt| attempt.model.as_deref());
    let over = ended.map(|stream| stream.at).or(decision.client_left).or(answer.map(|answer| answer.at));
    let usage = decision.usage();
    let left_out: u64 = decision.attempts.iter().map(|attempt| attempt.left_out.count()).sum();
    let is_partial = !usage.is_empty() && decision.usage_is_partial();
    tracing::info!(
        id = decision.id,
        status = answer.map(|answer| answer.status),
        provider = answer.and_then(|answer| answer.provider.as_deref()),
        route = text(&route),
        model = Some(&decision.model).filter(|model| !model.is_empty()).map(|model| text(model)),
        sent = sent.map(text),
        attempts = asked().count(),
        rule = answer.and_then(|answer| answer.rule.as_deref()),
        tokens_in = usage.input,
        cache_read = usage.cache_read,
        cache_write = usage.cache_write,
        tokens_out = usage.output,
        reasoning = usage.reasoning,
        tokens_partial = is_partial.then_some(true),
        first_ms = since(answer.map(|answer| answer.at)),
        took_ms = since(over),
        stream = ended.map(|stream| stream.how),
        client_left = decision.client_left.map(|_| true),
        events_left_out = Some(left_out).filter(|count| *count > 0),
        client = decision.client.as_deref(),
        refused = decision.refused.as_deref().map(text),
        "request"
    );
}

/// Shows anything as one line of bounded length: what a provider says must not be able to forge a second line.
pub struct OneLine<T>(pub T);

impl<T: Display> Display for OneLine<T> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}", Within(&self.0, LONGEST))
    }
}

/// Shows what may be many names as one line of bounded length.
pub struct LongLine<T>(pub T);

impl<T: Display> Display for LongLine<T> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}", Within(&self.0, LONGEST_LIST))
    }
}

/// The same, of so many characters.
struct Within<T>(T, usize);

impl<T: Display> Display for Within<T> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut line = Line { out, left: self.1 };
        write!(line, "{}", self.0)
    }
}

/// ` from ADDRESS` in a line of the log, where the client's address is known.
pub struct FromAddress(pub Option<std::net::IpAddr>);

impl Display for FromAddress {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |address| write!(out, " from {address}"))
    }
}

struct Line<'a, 'b> {
    out: &'a mut fmt::Formatter<'b>,
    left: usize,
}

impl Write for Line<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for c in text.chars() {
            match self.left {
                0 => return Ok(()),
                1 => self.out.write_char('…')?,
                _ if is_hidden(c) => self.out.write_char(' ')?,
                _ => self.out.write_char(c)?,
            }
            self.left -= 1;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_stays_one_line_of_bounded_length() {
        assert_eq!(OneLine("a\r\nb\u{1b}[31m\u{2028}\u{202e}").to_string(), "a  b [31m  ");
        let long = OneLine("é".repeat(1000)).to_string();
        assert_eq!((long.chars().count(), long.ends_with('…')), (LONGEST, true));
        let fits = "x".repeat(LONGEST - 1);
        assert_eq!(OneLine(&fits).to_string(), fits);
    }
}
