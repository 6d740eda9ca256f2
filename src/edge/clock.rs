//! The two things that the engine may not take for itself: the time, and chance.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustls::crypto::ring;
use tokio::time::{Instant, sleep};

use crate::engine::Ms;

/// The longest single sleep. A machine that slept, or a clock that was set, is noticed within this time.
const NAP: Duration = Duration::from_secs(30);
/// Letters of a request's id. 32 of them, so that five random bits choose one without favour.
const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
/// Length of a request's id.
const ID_LENGTH: usize = 24;

/// Where "now" comes from.
#[derive(Clone, Copy, Debug, Default)]
pub enum Clock {
    /// The machine's calendar clock, as providers mean it in "until 10 o'clock".
    #[default]
    Wall,
    /// Counts from a given moment with tokio's timer, which tests can pause and advance.
    Timer {
        /// When it began.
        origin: Instant,
        /// The calendar time of that moment.
        at: Ms,
    },
}

impl Clock {
    /// A clock that tests move by moving tokio's timer.
    pub fn timer(at: Ms) -> Self {
        Self::Timer { origin: Instant::now(), at }
    }

    /// Now, in milliseconds since the epoch.
    pub fn now(&self) -> Ms {
        match self {
            Self::Wall => {
                let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                Ms::try_from(since.as_millis()).unwrap_or(Ms::MAX)
            }
            Self::Timer { origin, at } => {
                at.saturating_add(Ms::try_from(origin.elapsed().as_millis()).unwrap_or(Ms::MAX))
            }
        }
    }

    /// Sleeps until this clock shows `until`.
    pub async fn sleep_until(&self, until: Ms) {
        loop {
            let left = until.saturating_sub(self.now());
            let Ok(left @ 1..) = u64::try_from(left) else { return };
            sleep(Duration::from_millis(left).min(NAP)).await;
        }
    }
}

/// A new request id: 24 letters and digits, not to be guessed.
pub fn request_id() -> String {
    let mut bytes = [0u8; ID_LENGTH];
    fill(&mut bytes);
    bytes.iter().map(|byte| char::from(LETTERS[usize::from(byte % 32)])).collect()
}

/// A seed for what the engine decides by chance.
pub fn seed() -> u64 {
    let mut bytes = [0u8; 8];
    fill(&mut bytes);
    u64::from_ne_bytes(bytes)
}

fn fill(bytes: &mut [u8]) {
    // The system's source fails only where nothing else works either; zeros are then as good as anything.
    let _ = ring::default_provider().secure_random.fill(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_long_and_differ() {
        let (one, other) = (request_id(), request_id());
        assert_eq!(one.len(), 24);
        assert!(one.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()));
        assert_ne!(one, other);
        assert_ne!(seed(), seed());
    }

    #[tokio::test(start_paused = true)]
    async fn the_timer_clock_follows_virtual_time() {
        let clock = Clock::timer(1_000);
        clock.sleep_until(3_601_000).await;
        assert_eq!(clock.now(), 3_601_000);
        clock.sleep_until(5).await;
        assert_eq!(clock.now(), 3_601_000);
    }
}
