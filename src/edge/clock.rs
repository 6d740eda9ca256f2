//! The two things that the engine may not take for itself: the time, and chance.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering::Relaxed};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustls::crypto::ring;
use tokio::time::{Instant, sleep};

use super::router::Router;
use crate::engine::Ms;
use crate::text::units::duration_text;

/// The longest single sleep. A machine that slept, or a clock that was set, is noticed within this time.
const NAP: Duration = Duration::from_secs(30);
/// Letters of a request's id. 32 of them, so that five random bits choose one without favour.
const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
/// Length of a request's id.
const ID_LENGTH: usize = 24;

/// What the calendar clock may be off before it counts as set: less than this is made up for later.
const LEAST_STEP: Ms = 2_000;

/// Where "now" comes from: calendar time, as providers mean it in "until 10 o'clock", that elapses evenly. When somebody
/// sets the machine's clock, [`Clock::stepped`] tells, and nothing changes until [`Clock::follow`].
#[derive(Clone, Debug)]
pub struct Clock {
    source: Source,
    /// The calendar time at its origin, and by how much that was moved since the beginning.
    at: Arc<(Ms, AtomicI64)>,
    /// How long the machine has slept, as far as is known: the monotonic clock stands still meanwhile.
    slept: Arc<AtomicI64>,
}

#[derive(Clone, Debug)]
enum Source {
    /// The machine's clocks.
    Machine { origin: std::time::Instant, up: Option<Ms> },
    /// tokio's timer, which tests can pause and advance, and what a test makes of the calendar clock.
    Timer { origin: Instant, set_by: Arc<AtomicI64> },
}

impl Default for Clock {
    fn default() -> Self {
        Self::machine()
    }
}

impl Clock {
    /// The machine's clock.
    pub fn machine() -> Self {
        Self::new(Source::Machine { origin: std::time::Instant::now(), up: up_time() }, wall())
    }

    /// A clock that tests move by moving tokio's timer.
    pub fn timer(at: Ms) -> Self {
        Self::new(Source::Timer { origin: Instant::now(), set_by: Arc::default() }, at)
    }

    fn new(source: Source, at: Ms) -> Self {
        Self { source, at: Arc::new((at, AtomicI64::new(0))), slept: Arc::default() }
    }

    /// Now, in milliseconds since the epoch.
    pub fn now(&self) -> Ms {
        self.at
            .0
            .saturating_add(self.moved())
            .saturating_add(self.slept.load(Relaxed))
            .saturating_add(self.elapsed())
    }

    /// By how much the calendar clock was set since the beginning, in milliseconds: what elapses does not show in it.
    pub fn moved(&self) -> Ms {
        self.at.1.load(Relaxed)
    }

    /// By how much the machine's calendar clock was set and not yet followed, in milliseconds.
    pub fn stepped(&self) -> Option<Ms> {
        let off = |this: &Self| {
            let wall = match &this.source {
                Source::Machine { .. } => wall(),
                Source::Timer { set_by, .. } => this.at.0 + this.elapsed() + set_by.load(Relaxed),
            };
            wall.saturating_sub(this.now())
        };
        if off(self).abs() < LEAST_STEP {
            return None;
        }
        // A machine that slept has not been set; time has passed.
        if let Source::Machine { up: Some(first), .. } = &self.source
            && let Some(up) = up_time()
        {
            self.slept.store((up - first - self.elapsed()).max(0), Relaxed);
        }
        Some(off(self)).filter(|by| by.abs() >= LEAST_STEP)
    }

    /// Shows the calendar clock's time again after it was set.
    pub fn follow(&self, by: Ms) {
        self.at.1.fetch_add(by, Relaxed);
    }

    /// Sets the calendar clock of a test.
    pub fn set_by(&self, by: Ms) {
        if let Source::Timer { set_by, .. } = &self.source {
            set_by.fetch_add(by, Relaxed);
        }
    }

    fn elapsed(&self) -> Ms {
        let elapsed = match &self.source {
            Source::Machine { origin, .. } => origin.elapsed(),
            Source::Timer { origin, .. } => origin.elapsed(),
        };
        Ms::try_from(elapsed.as_millis()).unwrap_or(Ms::MAX)
    }

    /// Sleeps until this clock shows `until`. Returns false, and earlier, if the clock was set meanwhile.
    pub async fn sleep_until(&self, until: Ms) -> bool {
        let moved = self.moved();
        loop {
            if self.moved() != moved {
                return false;
            }
            let left = until.saturating_sub(self.now());
            let Ok(left @ 1..) = u64::try_from(left) else { return true };
            sleep(Duration::from_millis(left).min(NAP)).await;
        }
    }
}

/// The machine's calendar time, in milliseconds since the epoch.
fn wall() -> Ms {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Ms::try_from(since.as_millis()).unwrap_or(Ms::MAX)
}

/// How long ago the machine started, its sleep included, in milliseconds; `None` where the system does not say.
fn up_time() -> Option<Ms> {
    let text = std::fs::read_to_string("/proc/uptime").ok()?;
    let seconds: f64 = text.split_whitespace().next()?.parse().ok()?;
    Some((seconds * 1000.0) as Ms)
}

/// A length of time as people write it, whatever its direction.
pub fn length(time: Ms) -> String {
    duration_text(Duration::from_millis(time.unsigned_abs()))
}

/// Looks every second whether the machine's calendar clock was set, and lets what is known of providers follow; and whether
/// the time of a choice by hand is over, and tells that.
pub async fn keep(router: Arc<Router>) {
    loop {
        sleep(Duration::from_secs(1)).await;
        router.world().keep_time();
        end_switch(&router);
    }
}

fn end_switch(router: &Router) {
    let (engine, now) = (router.rules().engine.clone(), router.world().clock.now());
    let mut health = router.world().stores.health();
    let Some(over) = health.end_switch(now) else { return };
    let current = health.current(&engine, now).unwrap_or("nobody").to_owned();
    drop(health);
    let over = over.provider;
    if current == over {
        tracing::warn!(
            "{over} stays the first choice: its time by hand is over, the choice is the rules' again"
        );
    } else {
        tracing::warn!(
            "switched from {over} to {current}: the time by hand is over, the choice is the rules' again"
        );
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
        assert!(clock.sleep_until(5).await);
        assert_eq!(clock.now(), 3_601_000);
    }

    #[tokio::test(start_paused = true)]
    async fn a_clock_that_is_set_is_followed_only_when_somebody_says_so() {
        let clock = Clock::timer(1_000_000_000);
        clock.set_by(1_999);
        assert_eq!(clock.stepped(), None);
        for by in [86_400_000, -86_400_000] {
            let before = clock.now();
            clock.set_by(by);
            let step = clock.stepped().unwrap();
            assert_eq!(clock.now(), before);
            assert!((step - by).abs() < 2_000, "{step}");
            let (sleeper, until) = (clock.clone(), clock.now() + 60_000);
            let sleeps = tokio::spawn(async move { sleeper.sleep_until(until).await });
            sleep(Duration::from_secs(1)).await;
            clock.follow(step);
            assert!(!sleeps.await.unwrap());
            assert_eq!(clock.stepped(), None);
        }
        let machine = Clock::machine();
        assert_eq!(machine.stepped(), None);
        assert!((machine.now() - wall()).abs() < 1_000);
    }
}
