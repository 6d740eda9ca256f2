//! The timers of one attempt: until the first byte, until content, between two reads, and in all.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

use crate::engine::Timeouts;
use crate::engine::failure::{Failure, FailureKind, Phase};

/// Watches over one attempt. One timer for all limits: it runs to the nearest of them.
#[derive(Debug)]
pub struct Timers {
    limits: Timeouts,
    /// When the attempt began: `first_byte` and `total` count from here.
    begun: Instant,
    /// When the answer began: `first_content` counts from here.
    answered: Option<Instant>,
    phase: Phase,
    /// What it means when the timer runs out.
    threat: FailureKind,
    sleep: Pin<Box<Sleep>>,
}

impl Timers {
    /// The attempt begins now.
    pub fn begin(limits: Timeouts) -> Self {
        let begun = Instant::now();
        let phase = Phase::FirstByte;
        let sleep = Box::pin(sleep_until(begun));
        let mut timers =
            Self { limits, begun, answered: None, phase, threat: FailureKind::TotalTimeout, sleep };
        timers.arm(begun);
        timers
    }

    /// Something was read, and this is how far the answer has come now.
    pub fn read(&mut self, phase: Phase) {
        let now = Instant::now();
        if phase != Phase::FirstByte {
            self.answered.get_or_insert(now);
        }
        self.phase = phase;
        self.arm(now);
    }

    /// Ready when a limit has run out, with the failure that this is.
    pub fn poll_failure(&mut self, cx: &mut Context<'_>) -> Poll<Failure> {
        self.sleep.as_mut().poll(cx).map(|()| {
            let text = format!("{} ({})", self.threat.doc(), Seconds(self.limit()));
            Failure::new(self.threat, text).in_phase(self.phase)
        })
    }

    /// Resolves when a limit has run out.
    pub async fn failure(&mut self) -> Failure {
        std::future::poll_fn(|cx| self.poll_failure(cx)).await
    }

    fn arm(&mut self, now: Instant) {
        let total = (self.begun + self.limits.total, FailureKind::TotalTimeout);
        let content = self.answered.unwrap_or(now) + self.limits.first_content;
        let idle = (now + self.limits.idle, FailureKind::IdleTimeout);
        let (at, threat) = match self.phase {
            Phase::FirstByte => {
                nearest([total, (self.begun + self.limits.first_byte, FailureKind::FirstByteTimeout)])
            }
            Phase::Content => nearest([total, (content, FailureKind::FirstContentTimeout), idle]),
            Phase::Idle => nearest([total, idle]),
        };
        self.threat = threat;
        self.sleep.as_mut().reset(at);
    }

    fn limit(&self) -> Duration {
        match self.threat {
            FailureKind::FirstByteTimeout => self.limits.first_byte,
            FailureKind::FirstContentTimeout => self.limits.first_content,
            FailureKind::IdleTimeout => self.limits.idle,
            _ => self.limits.total,
        }
    }
}

/// The earliest; where two come at once, the later one of the list says more.
fn nearest<const N: usize>(all: [(Instant, FailureKind); N]) -> (Instant, FailureKind) {
    let never = (Instant::now() + Duration::from_secs(86_400), FailureKind::TotalTimeout);
    all.into_iter().fold(never, |best, next| if next.0 <= best.0 { next } else { best })
}

/// A limit as people write it.
struct Seconds(Duration);

impl std::fmt::Display for Seconds {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.0.subsec_millis() == 0 {
            write!(out, "{} s", self.0.as_secs())
        } else {
            write!(out, "{} ms", self.0.as_millis())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::{advance, timeout};

    fn timers() -> Timers {
        let s = Duration::from_secs;
        Timers::begin(Timeouts {
            connect: s(1),
            first_byte: s(10),
            first_content: s(20),
            idle: s(5),
            total: s(60),
        })
    }

    /// What runs out next, and how many seconds from now.
    async fn runs_out(timers: &mut Timers) -> (FailureKind, u64) {
        let before = Instant::now();
        let failure = timeout(Duration::from_secs(100), timers.failure()).await.unwrap();
        (failure.kind, before.elapsed().as_secs())
    }

    #[tokio::test(start_paused = true)]
    async fn the_phase_says_which_limit_counts() {
        let mut t = timers();
        assert_eq!(runs_out(&mut t).await, (FailureKind::FirstByteTimeout, 10));
        let mut t = timers();
        t.read(Phase::Content);
        assert_eq!(runs_out(&mut t).await, (FailureKind::IdleTimeout, 5));
        let mut t = timers();
        t.read(Phase::Idle);
        assert_eq!(runs_out(&mut t).await, (FailureKind::IdleTimeout, 5));
    }

    #[tokio::test(start_paused = true)]
    async fn signs_of_life_without_content_do_not_help_for_ever() {
        let mut t = timers();
        for _ in 0..6 {
            t.read(Phase::Content);
            advance(Duration::from_secs(3)).await;
        }
        t.read(Phase::Content);
        assert_eq!(runs_out(&mut t).await, (FailureKind::FirstContentTimeout, 2));
    }

    #[tokio::test(start_paused = true)]
    async fn the_whole_is_limited_too() {
        let mut t = timers();
        for _ in 0..14 {
            t.read(Phase::Idle);
            advance(Duration::from_secs(4)).await;
        }
        t.read(Phase::Idle);
        assert_eq!(runs_out(&mut t).await, (FailureKind::TotalTimeout, 4));
    }
}
