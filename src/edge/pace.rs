//! How long the other side may keep the router waiting: never too long at once, and never too slowly on the whole.

use std::time::Duration;

/// A budget of waiting time. Waiting takes from it, and bytes that move fill it again, up to where it began.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    limit: Duration,
    /// Bytes a second; 0 for no minimum.
    rate: u64,
    left: Duration,
}

impl Pace {
    /// At most `limit` of waiting at once, and on average at least `rate` bytes a second while the router waits.
    pub fn new(limit: Duration, rate: u64) -> Self {
        Self { limit, rate, left: limit }
    }

    /// How long to wait for the next byte.
    pub fn left(&self) -> Duration {
        self.left
    }

    /// So long it was waited.
    pub fn waited(&mut self, time: Duration) {
        self.left = self.left.saturating_sub(time);
    }

    /// So many bytes moved.
    pub fn moved(&mut self, bytes: usize) {
        let earned = match self.rate {
            0 => self.limit,
            rate => Duration::from_millis((bytes as u64).saturating_mul(1000) / rate),
        };
        self.left = self.left.saturating_add(earned).min(self.limit);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(30);
    const PAUSE: Duration = Duration::from_secs(10);

    /// How many bytes come, one each ten seconds, before the budget is used up.
    fn trickled(rate: u64, most: usize) -> usize {
        let mut pace = Pace::new(LIMIT, rate);
        let still = |pace: &mut Pace| {
            pace.waited(PAUSE);
            let is_left = !pace.left().is_zero();
            pace.moved(1);
            is_left
        };
        (0..most).take_while(|_| still(&mut pace)).count()
    }

    #[test]
    fn a_trickle_uses_the_budget_up_and_a_steady_flow_does_not() {
        assert_eq!(trickled(500, 1000), 3);
        assert_eq!(trickled(0, 1000), 1000);
        let mut pace = Pace::new(LIMIT, 500);
        for _ in 0..1000 {
            pace.waited(PAUSE);
            pace.moved(5000);
        }
        assert_eq!(pace.left(), LIMIT);
    }

    #[test]
    fn what_came_quickly_buys_no_longer_silence() {
        let mut pace = Pace::new(LIMIT, 1);
        pace.moved(usize::MAX);
        assert_eq!(pace.left(), LIMIT);
    }
}
