//! What a failover rule can do: the table of actions, and their compiled form.

use crate::language::Template;
use http::StatusCode;
use std::time::Duration;

/// One action as people know it.
#[derive(Clone, Copy, Debug)]
pub struct ActionEntry {
    /// The word in `do:`.
    pub name: &'static str,
    /// What may stand beside it.
    pub companions: &'static [&'static str],
    /// One sentence for the documentation.
    pub doc: &'static str,
    /// A rule that uses it.
    pub example: &'static str,
}

/// All actions, in the order of the documentation.
pub const ACTIONS: &[ActionEntry] = &[
    ActionEntry {
        name: "next",
        companions: &[],
        doc: "The next provider is asked; the last one's failure goes to the client.",
        example: "{ name: quota, when: { status: 429 }, do: next, cool_down: 1h }",
    },
    ActionEntry {
        name: "return",
        companions: &[],
        doc: "This answer goes to the client, in the client's protocol.",
        example: "{ name: callers-mistake, when: { status: [400, 413, 422] }, do: return }",
    },
    ActionEntry {
        name: "retry",
        companions: &["backoff", "at_most", "then"],
        doc: "The same provider is asked again, so many times, after a wait that doubles, or the `retry-after` of the answer if that is not over `at_most` (10s); `then` tells what comes after.",
        example: "{ name: overloaded, when: { status: [503, 529] }, do: { retry: 2, backoff: 500ms, then: next } }",
    },
    ActionEntry {
        name: "wait",
        companions: &["then"],
        doc: "If the answer says how long to wait (`cool_down.until`, else its `retry-after`) and that is short, it is waited out and the same provider asked again; else `then`.",
        example: "{ name: short-limit, when: { status: 429 }, do: { wait: { at_most: 5s }, then: next }, cool_down: { until: [ $header.retry-after ], else: 30s } }",
    },
    ActionEntry {
        name: "repair",
        companions: &["then", "else"],
        doc: "The named patch changes the request and the same provider is asked again, once; afterwards `else` holds, or the rules that follow.",
        example: "{ name: signature, when: { status: 400, text: signature }, do: { repair: strip-thinking, then: retry } }",
    },
    ActionEntry {
        name: "refuse",
        companions: &[],
        doc: "The client gets an error with this status and these words, in its own protocol. No other provider is asked.",
        example: "{ name: not-here, when: { status: 451 }, do: { refuse: { status: 403, message: \"{$model} is not for this country.\" } } }",
    },
];

/// The action of that name.
pub fn action(name: &str) -> Option<&'static ActionEntry> {
    ACTIONS.iter().find(|action| action.name == name)
}

/// An error in words of the rules' own.
pub struct Refusal {
    /// Its status.
    pub status: StatusCode,
    /// What the client is told.
    pub message: Template,
    /// Its type; `None` is what the client's protocol calls the status.
    pub kind: Option<String>,
    /// After how many seconds it makes sense to ask again.
    pub retry_after: Option<i64>,
}

/// An action in compiled form.
#[derive(Clone, PartialEq, Debug)]
pub enum Do {
    /// Ask the next provider.
    Next,
    /// Answer the client with this.
    Return,
    /// Ask again.
    Retry {
        /// How often at most.
        times: u32,
        /// The first wait; it doubles each time.
        backoff: Duration,
        /// The longest single wait.
        at_most: Duration,
        /// [`Do::Next`] or [`Do::Return`].
        then: Box<Do>,
    },
    /// Wait for as long as the answer says, then ask again.
    Wait {
        /// The longest wait.
        at_most: Duration,
        /// How often at most.
        times: u32,
        /// [`Do::Next`] or [`Do::Return`].
        then: Box<Do>,
    },
    /// Change the request, then ask again, once.
    Repair {
        /// The patch's place in the engine's repairs.
        patch: usize,
        /// What to do when it has been tried: [`Do::Next`], [`Do::Return`], or what the following rules say.
        otherwise: Option<Box<Do>>,
    },
    /// Give the client an error in words of the rules' own: its place in the engine's refusals.
    Refuse(usize),
}

impl Do {
    /// Whether the client gets an error at once, the provider's or the rules' own.
    pub fn answers(&self) -> bool {
        matches!(self, Do::Return | Do::Refuse(_))
    }

    /// The word that people know it by.
    pub fn name(&self) -> &'static str {
        match self {
            Do::Next => "next",
            Do::Return => "return",
            Do::Retry { .. } => "retry",
            Do::Wait { .. } => "wait",
            Do::Repair { .. } => "repair",
            Do::Refuse(_) => "refuse",
        }
    }
}

/// The wait before retry number `count` (from 1), drawn from `seed`: the backoff doubled for each retry, and up
/// to a quarter more so that many requests do not come back at once; never more than `at_most`.
pub fn wait(backoff: Duration, at_most: Duration, count: u32, seed: u64) -> Duration {
    let doubled = backoff.saturating_mul(1 << count.saturating_sub(1).min(16)).min(at_most);
    doubled.mul_f64(1.0 + chance(seed, count) / 4.0).min(at_most)
}

/// A number from 0 to below 1, drawn from `seed` for draw number `count`.
pub fn chance(seed: u64, count: u32) -> f64 {
    (scramble(seed.wrapping_add(u64::from(count))) >> 11) as f64 / (1u64 << 53) as f64
}

/// A well mixed number out of a seed (the finaliser of SplitMix64).
pub(super) fn scramble(seed: u64) -> u64 {
    let mut mixed = seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_and_never_fall_below_the_backoff() {
        let backoff = Duration::from_millis(100);
        for seed in 0..200 {
            for (count, least) in [(1, 100), (2, 200), (3, 400)] {
                let waited = wait(backoff, Duration::from_secs(10), count, seed).as_millis();
                assert!((least..=least * 5 / 4).contains(&waited), "{waited} for retry {count}");
            }
        }
        assert_eq!(wait(Duration::from_secs(9), Duration::from_secs(3), 9, 1), Duration::from_secs(3));
    }
}
