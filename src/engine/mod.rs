//! One request's life as a state machine, told by compiled rules, without a clock, a socket or chance.
//!
//! [`Engine`] is the rules in compiled form and never changes; [`plan::Plan`] takes one request through it;
//! [`exchange::Exchange`] reads one provider's answer; [`health::Health`] is what outlives both.

pub mod exchange;
pub mod failure;
pub mod health;
pub mod plan;

use std::time::Duration;

/// A moment, in milliseconds since the Unix epoch.
pub type Ms = i64;

/// The rules in compiled form. Immutable: a request keeps the one it began with.
#[derive(Debug, Default)]
pub struct Engine {
    /// The first characters of the rules' hash.
    pub version: String,
    /// Where to listen, `host:port`.
    pub listen: String,
    /// The providers in the order of the file.
    pub providers: Vec<Provider>,
    by_priority: Vec<usize>,
}

/// One provider, compiled.
#[derive(Debug, Default)]
pub struct Provider {
    /// Its name in the rules.
    pub name: String,
    /// What its requests may take.
    pub timeouts: Timeouts,
}

/// How long the stages of an attempt may take.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Timeouts {
    /// Until the connection stands.
    pub connect: Duration,
    /// Until the first byte of the answer.
    pub first_byte: Duration,
    /// Until a stream's first content.
    pub first_content: Duration,
    /// Between two reads.
    pub idle: Duration,
    /// For the whole attempt.
    pub total: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        let s = Duration::from_secs;
        Timeouts { connect: s(5), first_byte: s(60), first_content: s(120), idle: s(120), total: s(600) }
    }
}

impl Engine {
    /// The place of the provider of that name.
    pub fn provider(&self, name: &str) -> Option<usize> {
        self.providers.iter().position(|provider| provider.name == name)
    }

    /// The providers' places, the first choice first.
    pub fn by_priority(&self) -> &[usize] {
        &self.by_priority
    }
}

impl Provider {
    /// Can it be asked at all?
    pub fn has_key(&self) -> bool {
        true
    }

    /// What to set so that it can be asked.
    pub fn missing_key_hint(&self) -> String {
        String::new()
    }
}
