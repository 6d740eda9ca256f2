//! The timers of one attempt: until the first byte, until content, between two reads, until a whole answer is there, in
//! all; how long a stream is held back, when silence is an end, and when the client wants a sign of life.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

use crate::engine::Timeouts;
use crate::engine::exchange::Awaits;
use crate::engine::failure::{Failure, FailureKind};

/// What the time has come for.
#[derive(Debug)]
pub enum Alarm {
    /// A limit has run out, with the failure that this is.
    Failed(Failure),
    /// The provider has been silent for the time that it may be after all has been said.
    Quiet,
    /// What is held back has been held for long enough.
    Gate,
    /// The client has heard nothing for long enough.
    Ping,
}

/// What the timer is waiting for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Due {
    Limit(FailureKind),
    Quiet,
    Gate,
    Ping,
}

/// Watches over one attempt. One timer for everything: it runs to the nearest of all moments.
#[derive(Debug)]
pub struct Timers {
    limits: Timeouts,
    /// When the attempt began: `first_byte`, `whole` and `total` count from here.
    begun: Instant,
    /// When the answer began: `first_content` counts from here.
    answered: Option<Instant>,
    /// When its content began: the gate counts from here.
    content: Option<Instant>,
    /// When something was read last.
    read: Instant,
    awaits: Awaits,
    /// How long content is held back; `None`: no limit, or none any more.
    hold: Option<Duration>,
    /// When silence is to be looked at.
    quiet: Option<Instant>,
    /// Silence towards the client, and when there has been enough of it.
    ping: Option<(Duration, Instant)>,
    due: Due,
    sleep: Pin<Box<Sleep>>,
}

impl Timers {
    /// The attempt begins now, and waits for this. Its content is held back for `hold` at most.
    pub fn begin(limits: Timeouts, awaits: Awaits, hold: Option<Duration>) -> Self {
        let begun = Instant::now();
        let mut timers = Self {
            limits,
            begun,
            answered: None,
            content: None,
            read: begun,
            awaits,
            hold,
            quiet: None,
            ping: None,
            due: Due::Limit(FailureKind::TotalTimeout),
            sleep: Box::pin(sleep_until(begun)),
        };
        timers.arm();
        timers
    }

    /// The head was read. An answer that is waited for as a whole may turn out to be something else.
    pub fn head(&mut self, awaits: Awaits) {
        if self.awaits == Awaits::Whole {
            self.read(awaits, None);
        }
    }

    /// Something was read, and this is waited for now. `grace`: how long the provider may be silent before that is
    /// looked at.
    pub fn read(&mut self, awaits: Awaits, grace: Option<Duration>) {
        self.read = Instant::now();
        if awaits != Awaits::FirstByte {
            self.answered.get_or_insert(self.read);
        }
        if awaits == Awaits::More {
            self.content.get_or_insert(self.read);
        }
        self.awaits = awaits;
        self.quiet = grace.map(|grace| self.read + grace);
        self.arm();
    }

    /// The client has been given something; after `every` it wants to hear again. That is no life of the provider's.
    pub fn gave(&mut self, every: Duration) {
        self.ping = Some((every, Instant::now() + every));
        self.arm();
    }

    /// The answer is the client's: nothing is held back any more.
    pub fn released(&mut self) {
        self.hold = None;
        self.arm();
    }

    /// Ready when the time has come for something.
    pub fn poll_alarm(&mut self, cx: &mut Context<'_>) -> Poll<Alarm> {
        ready!(self.sleep.as_mut().poll(cx));
        let alarm = match self.due {
            Due::Limit(kind) => {
                let text = format!("{} ({})", kind.doc(), Seconds(self.limit(kind)));
                // A limit that has run out stays so: the timer is not set again.
                return Poll::Ready(Alarm::Failed(Failure::new(kind, text)));
            }
            Due::Quiet => {
                self.quiet = None;
                Alarm::Quiet
            }
            Due::Gate => {
                self.hold = None;
                Alarm::Gate
            }
            Due::Ping => {
                self.ping = self.ping.map(|(every, _)| (every, Instant::now() + every));
                Alarm::Ping
            }
        };
        self.arm();
        Poll::Ready(alarm)
    }

    /// Resolves when the time has come for something.
    pub async fn alarm(&mut self) -> Alarm {
        std::future::poll_fn(|cx| self.poll_alarm(cx)).await
    }

    fn arm(&mut self) {
        let limit = |at, kind| (Some(at), Due::Limit(kind));
        let total = limit(self.begun + self.limits.total, FailureKind::TotalTimeout);
        let first_byte = limit(self.begun + self.limits.first_byte, FailureKind::FirstByteTimeout);
        let answered = self.answered.unwrap_or(self.read);
        let content = limit(answered + self.limits.first_content, FailureKind::FirstContentTimeout);
        let idle = limit(self.read + self.limits.idle, FailureKind::IdleTimeout);
        let gate = (self.content.zip(self.hold).map(|(at, hold)| at + hold), Due::Gate);
        let (quiet, ping) = ((self.quiet, Due::Quiet), (self.ping.map(|(_, at)| at), Due::Ping));
        let whole = limit(self.begun + self.limits.whole, FailureKind::WholeTimeout);
        let limits: &[_] = match self.awaits {
            Awaits::FirstByte => &[total, first_byte],
            Awaits::Content => &[total, content, idle],
            Awaits::More => &[total, idle],
            Awaits::Whole => &[total, whole],
        };
        // Where two come at once, the later one of the list says more, and what is no failure comes first.
        let mut best = (self.begun + NEVER, Due::Limit(FailureKind::TotalTimeout));
        for (at, due) in limits.iter().chain(&[ping, gate, quiet]) {
            if let Some(at) = at.filter(|at| *at <= best.0) {
                best = (at, *due);
            }
        }
        self.due = best.1;
        self.sleep.as_mut().reset(best.0);
    }

    fn limit(&self, kind: FailureKind) -> Duration {
        match kind {
            FailureKind::FirstByteTimeout => self.limits.first_byte,
            FailureKind::FirstContentTimeout => self.limits.first_content,
            FailureKind::IdleTimeout => self.limits.idle,
            FailureKind::WholeTimeout => self.limits.whole,
            _ => self.limits.total,
        }
    }
}

/// Longer than any attempt takes.
const NEVER: Duration = Duration::from_secs(30 * 86_400);

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
mod tests;
