//! Events in words, for the log and for people who trace a request.

use super::Event;
use crate::text::units::instant_text;
use std::fmt;

/// ` by rule NAME`, or nothing.
struct By<'a>(Option<&'a str>);

impl fmt::Display for By<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |rule| write!(out, " (rule {rule})"))
    }
}

/// ` (key NAME) for MODEL`, or as much of it as there is.
pub struct Part<'a>(pub Option<&'a str>, pub Option<&'a str>);

impl fmt::Display for Part<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |key| write!(out, " (key {key})"))?;
        self.1.map_or(Ok(()), |model| write!(out, " for {model}"))
    }
}

impl fmt::Display for Event {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Event::Candidates { order } => write!(out, "in order: {}", order.join(", ")),
            Event::Attempt { number, provider, key, model, dropped } => {
                write!(out, "attempt {number}: asking {provider}{}", Part(key.as_deref(), None))?;
                model.as_ref().map_or(Ok(()), |model| write!(out, " for {model}"))?;
                if dropped.is_empty() { Ok(()) } else { write!(out, ", without {}", dropped.join(", ")) }
            }
            Event::Skipped { provider, reason, .. } => write!(out, "{provider} is passed over: {reason}"),
            Event::Outcome { provider, what, .. } => write!(out, "{provider}: {what}"),
            Event::Decided { provider, rule, action } => {
                write!(out, "{provider}: {action}{}", By(rule.as_deref()))
            }
            Event::Fired { provider, rule, action, would: None, .. } => {
                write!(out, "rule {rule} fires for {provider}: {action}")
            }
            Event::Fired { provider, rule, action, would: Some(would), .. } => {
                write!(out, "rule {rule} (in shadow) would do for {provider}: {action}{would}")
            }
            Event::Switched { to, rule } => write!(out, "{to} goes first from now on{}", By(Some(rule))),
            Event::Verdict { provider, rule, matched, why, .. } => {
                let verb = if *matched { "fires" } else { "does not fire" };
                write!(out, "rule {rule} {verb} for {provider}: {why}")
            }
            Event::Failover { from, to, rule, reason } => {
                write!(out, "{from} -> {to}: {reason}{}", By(rule.as_deref()))
            }
            Event::Retry { provider, rule, repair: Some(repair), .. } => {
                write!(out, "asking {provider} again after repair {repair}{}", By(Some(rule)))
            }
            Event::Retry { provider, rule, repair: None, .. } => {
                write!(out, "asking {provider} again{}", By(Some(rule)))
            }
            Event::Reckoned { provider, from } => write!(out, "{provider}: the cool down: {from}"),
            Event::Counted { provider, key, model, seen, rule } => {
                let part = Part(key.as_deref(), model.as_deref());
                write!(out, "{provider}{part}: {seen}: no cool down yet{}", By(Some(rule)))
            }
            Event::CoolDown { provider, key, model, until, rule } => {
                write!(out, "{provider}{} is cooling down until ", Part(key.as_deref(), model.as_deref()))?;
                match until {
                    Some(until) => write!(out, "{}{}", instant_text(*until), By(Some(rule))),
                    None => write!(out, "a probe finds it well{}", By(Some(rule))),
                }
            }
            Event::Spared { provider, rule, most } => {
                write!(out, "{provider} stays in use, since {most} are out already{}", By(Some(rule)))
            }
            Event::Recovered { provider, reason } => write!(out, "{provider} is well again: {reason}"),
            Event::Answered { provider, status, attempts, rule } => {
                let who = provider.as_deref().unwrap_or("the router");
                write!(out, "{status} from {who} at attempt {attempts}{}", By(rule.as_deref()))
            }
            Event::Gate { provider, shadow, what } => {
                let shadow = if *shadow { " (shadow)" } else { "" };
                write!(out, "gate for {provider}{shadow}: {what}")
            }
            Event::StreamEnded { provider } => write!(out, "the stream of {provider} is complete"),
            Event::BrokenStream { provider, reason } => {
                write!(out, "the stream of {provider} broke while the client was reading: {reason}")
            }
            Event::Resumed { from, to, rule, said } => {
                write!(
                    out,
                    "{to} goes on with the stream of {from} after {said} characters{}",
                    By(rule.as_deref())
                )
            }
            Event::NotResumed { from } => write!(out, "nobody goes on with the stream of {from}"),
            Event::Refused { by, message } => write!(out, "refused by {by}: {message}"),
            Event::NoAnswer { status, attempts, reason } => {
                write!(
                    out,
                    "no provider answered, the client gets {status} after {attempts} attempts: {reason}"
                )
            }
        }
    }
}
