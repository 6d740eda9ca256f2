//! Events in words, for the log and for people who trace a request.

use super::{CoolDownStep, Event};
use crate::engine::Ms;
use crate::text::units::instant_text;
use std::fmt;

/// ` (rule NAME)`, or nothing.
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

/// Until when a cool-down lasts.
struct Until(Option<Ms>);

impl fmt::Display for Until {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(until) => write!(out, "until {}", instant_text(until)),
            None => write!(out, "until a probe finds it well"),
        }
    }
}

/// `1 attempt`, `2 attempts`.
struct Attempts(u32);

impl fmt::Display for Attempts {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} attempt{}", self.0, if self.0 == 1 { "" } else { "s" })
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
            Event::Retry { provider, rule, repair, reason, .. } => {
                let repair =
                    repair.as_ref().map(|repair| format!(" after repair {repair}")).unwrap_or_default();
                write!(out, "asking {provider} again{repair}: {reason}{}", By(Some(rule)))
            }
            Event::Reckoned { provider, from } => write!(out, "{provider}: the cool-down: {from}"),
            Event::Counted { provider, key, model, seen, rule } => {
                let part = Part(key.as_deref(), model.as_deref());
                write!(out, "{provider}{part}: {seen}: no cool-down yet{}", By(Some(rule)))
            }
            Event::CoolDown { provider, key, model, until, rule, step } => {
                let part = Part(key.as_deref(), model.as_deref());
                let (still, how) = match step {
                    CoolDownStep::Begins => ("", ""),
                    CoolDownStep::Again => ("", " again"),
                    CoolDownStep::Longer => ("", " longer,"),
                    CoolDownStep::GoesOn => ("still ", ""),
                };
                write!(
                    out,
                    "{provider}{part} is {still}cooling down{how} {}{}",
                    Until(*until),
                    By(Some(rule))
                )
            }
            Event::ProbeFailed { provider, reason, cooling: Some(until) } => {
                write!(out, "the probe of {provider} failed, still cooling down {}: {reason}", Until(*until))
            }
            Event::ProbeFailed { provider, reason, cooling: None } => {
                write!(out, "the probe of {provider} failed: {reason}")
            }
            Event::Spared { provider, rule, most } => {
                write!(
                    out,
                    "{provider} stays in use, the ejection limit is reached: {most} out already{}",
                    By(Some(rule))
                )
            }
            Event::Recovered { provider, reason } => write!(out, "{provider} is well again: {reason}"),
            Event::Answered { provider, status, attempts, rule } => {
                let rule = By(rule.as_deref());
                match (provider, attempts) {
                    (Some(provider), number) => {
                        write!(out, "{status} from {provider} at attempt {number}{rule}")
                    }
                    (None, 0) => write!(out, "{status} from the router, no provider was asked{rule}"),
                    (None, number) => {
                        write!(out, "{status} from the router after {}{rule}", Attempts(*number))
                    }
                }
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
                let rule = By(rule.as_deref());
                write!(out, "{to} resumes the stream of {from} after {said} characters{rule}")
            }
            Event::NotResumed { from } => write!(out, "no provider resumes the stream of {from}"),
            Event::Refused { by, message } => write!(out, "refused by {by}: {message}"),
            Event::Otherwise { reason: None, .. } => {
                write!(out, "no provider could be asked, the route's `otherwise` answers")
            }
            Event::Otherwise { attempts, reason: Some(reason) } => {
                write!(
                    out,
                    "no provider answered after {}, the route's `otherwise` does: {reason}",
                    Attempts(*attempts)
                )
            }
            Event::NoAnswer { status, attempts: 0, reason } => {
                write!(out, "no provider could be asked, the client gets {status}: {reason}")
            }
            Event::NoAnswer { status, attempts, reason } => {
                write!(
                    out,
                    "no provider answered, the client gets {status} after {}: {reason}",
                    Attempts(*attempts)
                )
            }
        }
    }
}
