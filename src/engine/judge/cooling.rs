//! The arithmetic of cool downs: from what an answer says to a moment, within bounds.

use super::Facts;
pub use crate::config::model::CoolDownScope;
use crate::engine::Ms;
pub use crate::engine::health::evidence::{After, Counted};
use crate::engine::names::{COOLING, View};
use crate::language::Template;
use crate::text::json::Doc;
use crate::text::units::{self, Mention, RateLimit, duration_text};
use serde_json::Value;
use std::time::Duration;

/// A cool down as a rule has it.
pub struct Cooling {
    /// Where the answer says until when; the latest moment counts.
    pub until: Vec<Source>,
    /// Whether the first source that names a moment decides, and not the latest moment.
    pub first: bool,
    /// The time zone of times that name none; `None` is the provider's.
    pub zone: Option<String>,
    /// Up to so much is added by chance.
    pub jitter: Option<Duration>,
    /// A fixed time, which counts beside the sources.
    pub fixed: Option<Duration>,
    /// The time when nothing else gives one.
    pub otherwise: Option<Duration>,
    /// No less than this.
    pub at_least: Option<Duration>,
    /// No more than this.
    pub at_most: Option<Duration>,
    /// What is put aside.
    pub scope: CoolDownScope,
    /// How many times longer a time that the rule says is at each repetition.
    pub grow: u32,
    /// How much has to go wrong first, where the answer does not say the time.
    pub after: Option<After>,
    /// How many requests at once may try whether all is well afterwards; `None`: as the rules say for all.
    pub trials: Option<u32>,
}

/// As much of a text that is no time is quoted, in characters.
const LONGEST_QUOTE: usize = 60;

/// What an answer says of a time.
#[derive(Default)]
struct Said {
    /// The latest moment to come, and what names it.
    latest: Option<(Ms, String)>,
    /// Where something stands that looks like a time and is none, for people.
    unclear: Option<String>,
}

/// One place in an answer that may say when.
pub struct Source {
    /// The value, over [`COOLING`].
    pub value: Template,
    /// Whether a bare number counts milliseconds: the name of the place ends in `ms`.
    pub in_ms: bool,
    /// How it is written, if it is one path, or which one it looks at.
    written: Option<String>,
}

impl Source {
    /// A source; `path` is how it is written if it is one path, whose last word tells the unit of bare numbers, and
    /// `inner` the path that it looks at if it is more than that.
    pub fn new(path: Option<&str>, inner: Option<&str>, value: Template) -> Source {
        let path = path.filter(|path| path.starts_with('$'));
        let last = path.and_then(|path| path.rsplit(['.', '-', '_']).next());
        let in_ms = last.is_some_and(|word| word.eq_ignore_ascii_case("ms") || word.ends_with("Ms"));
        let written = path.or_else(|| inner.filter(|path| path.starts_with('$'))).map(str::to_owned);
        Source { value, in_ms, written }
    }
}

impl Cooling {
    /// The end of the cool down, seen at `now`; `None` if nothing gives one. Moments in the past are ignored.
    pub fn until(&self, facts: &Facts<'_>, captures: Option<&Value>, now: Ms) -> Option<Ms> {
        let stated = self.stated(facts, captures, now);
        let fixed = self.fixed.map(|time| now.saturating_add(millis(time)));
        let otherwise = || self.otherwise.map(|time| now.saturating_add(millis(time)));
        let until = stated.max(fixed).or_else(otherwise)?;
        let more = self.jitter.map_or(0, |jitter| millis(jitter.mul_f64(facts.chance)));
        Some(self.clamp(until.saturating_add(more), now))
    }

    /// The latest moment to come that the answer names.
    pub fn stated(&self, facts: &Facts<'_>, captures: Option<&Value>, now: Ms) -> Option<Ms> {
        self.read(facts, captures, now).latest.map(|(moment, _)| moment)
    }

    /// What the answer says of a time.
    fn read(&self, facts: &Facts<'_>, captures: Option<&Value>, now: Ms) -> Said {
        let mut told = Said::default();
        if self.until.is_empty() {
            return told;
        }
        let captures = captures.and_then(|groups| Doc::parse(groups.to_string().into_bytes()).ok());
        let view = View { captures: captures.as_ref(), ..facts.view() };
        let mut env = view.env(COOLING, COOLING.len());
        let zone = self.zone.as_deref().or(facts.zone);
        for source in &self.until {
            let Ok(value) = source.value.value(&mut env) else {
                continue;
            };
            // A path may select several places: each of them is one more source.
            for item in value.items() {
                let Some(text) = item.to_text() else { continue };
                let place = source.written.as_deref().unwrap_or("a template");
                let exact = || moment(&text, source.in_ms, now).map(|at| (at, text.trim()));
                let in_words = || units::in_words(&text, now, zone).map(|at| (at, text.trim()));
                // A text in which a time is found may say anything else besides.
                let unclear = &mut told.unclear;
                let mentioned = || match units::mentioned(&text, now, zone)? {
                    Mention::At(at, said) => Some((at, said)),
                    Mention::Unclear(said) => {
                        let said: String = said.chars().take(LONGEST_QUOTE).collect();
                        unclear.get_or_insert_with(|| {
                            format!("{place} says is understood as no time: {said:?}")
                        });
                        None
                    }
                };
                let named = match RateLimit::parse(&text) {
                    // What remains of a limit is no time, whatever numbers stand there.
                    Some(limit) => limit.ends_in.map(|time| (now.saturating_add(millis(time)), text.trim())),
                    None => exact().or_else(in_words).or_else(mentioned),
                };
                let named = named.filter(|(at, _)| *at > now);
                let named = named.map(|(at, said)| {
                    let read = if units::has_no_zone(said, now) {
                        format!(" (read in {})", zone.unwrap_or("UTC"))
                    } else {
                        String::new()
                    };
                    (at, format!("{place} says {said}{read}"))
                });
                let is_later = |at: Ms| told.latest.as_ref().is_none_or(|it| at > it.0);
                if named.as_ref().is_some_and(|(at, _)| is_later(*at)) {
                    told.latest = named;
                }
            }
            if self.first && told.latest.is_some() {
                break;
            }
        }
        told
    }

    /// What the end of the cool down was reckoned from, for people.
    pub fn from(&self, facts: &Facts<'_>, captures: Option<&Value>, now: Ms) -> String {
        let after = |time: Duration| now.saturating_add(millis(time));
        let fixed = self.fixed.map(|time| (after(time), format!("`for` says {}", duration_text(time))));
        let Said { latest, unclear } = self.read(facts, captures, now);
        let latest = latest.into_iter().chain(fixed).max_by_key(|it| it.0);
        let (until, from) = match (latest, self.otherwise) {
            (Some(latest), _) => latest,
            (None, Some(time)) => {
                let why = match unclear {
                    Some(unclear) => format!(", since what {unclear}"),
                    None if self.until.is_empty() => String::new(),
                    None => ", since the answer names no moment to come".to_owned(),
                };
                (after(time), format!("`else` says {}{why}", duration_text(time)))
            }
            (None, None) => return "nothing says until when".to_owned(),
        };
        let from = match self.jitter {
            Some(jitter) => format!("{from}, and up to {} more by chance", duration_text(jitter)),
            None => from,
        };
        let bound = match (self.at_least, self.at_most) {
            (_, Some(most)) if until > after(most) => format!("at most {}", duration_text(most)),
            (Some(least), _) if until < after(least) => format!("at least {}", duration_text(least)),
            _ => return from,
        };
        format!("{from}; {bound}")
    }

    /// The end of the `repeats`-th repetition, which the rule may let last longer; `until` is that of a first one.
    pub fn grown(&self, until: Ms, repeats: u32, now: Ms) -> Ms {
        if self.grow < 2 || repeats == 0 {
            return until;
        }
        let factor = Ms::from(self.grow).saturating_pow(repeats.min(64));
        self.clamp(now.saturating_add(until.saturating_sub(now).saturating_mul(factor)), now)
    }

    /// Is it about a provider that is out of order, for as long as the rule thinks? Limits of keys, and what
    /// answers say themselves (`is_stated`), are certain.
    pub fn is_guess(&self, is_stated: bool) -> bool {
        !self.scope.is_of_key() && !is_stated
    }

    fn clamp(&self, until: Ms, now: Ms) -> Ms {
        let at_least = self.at_least.map_or(until, |time| until.max(now.saturating_add(millis(time))));
        self.at_most.map_or(at_least, |time| at_least.min(now.saturating_add(millis(time))))
    }
}

/// The moment that a text names: an instant in any usual form, or a time from `now`.
pub fn moment(text: &str, in_ms: bool, now: Ms) -> Option<Ms> {
    let text = text.trim();
    if in_ms && let Ok(number) = text.parse::<f64>() {
        // More than a century of milliseconds is an instant.
        let is_instant = number > 1e11;
        return (number.is_finite() && number >= 0.0)
            .then(|| if is_instant { number as Ms } else { now.saturating_add(number.ceil() as Ms) });
    }
    units::instant_from(text, now)
}

/// A duration in milliseconds, as far as they go.
pub fn millis(time: Duration) -> Ms {
    Ms::try_from(time.as_millis()).unwrap_or(Ms::MAX)
}
