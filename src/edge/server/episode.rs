//! Trouble that comes in bursts: told when it begins, and once more, with a count, when it is over.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// When nothing has happened for so long, it is over.
const QUIET: Duration = Duration::from_secs(10);

/// One kind of trouble.
#[derive(Default)]
pub struct Episode(Option<Open>);

#[derive(Clone, Copy)]
struct Open {
    begun: Instant,
    last: Instant,
    count: u64,
}

impl Episode {
    /// It happened. True the first time, which is to be told.
    pub fn happened(&mut self) -> bool {
        let now = Instant::now();
        let open = self.0.get_or_insert(Open { begun: now, last: now, count: 0 });
        open.count += 1;
        open.last = now;
        open.count == 1
    }

    /// Resolves when it is over, with how often it happened and for how long; never if it does not happen.
    /// Dropping it loses nothing.
    pub async fn over(&mut self) -> (u64, Duration) {
        let Some(open) = self.0 else { return std::future::pending().await };
        sleep_until(open.last + QUIET).await;
        self.0 = None;
        (open.count, open.last - open.begun)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_burst_is_told_twice_however_long_it_is() {
        let mut episode = Episode::default();
        let told: Vec<bool> = (0..3).map(|_| episode.happened()).collect();
        assert_eq!(told, [true, false, false]);
        tokio::time::advance(Duration::from_secs(5)).await;
        assert!(!episode.happened());
        assert_eq!(episode.over().await, (4, Duration::from_secs(5)));
        assert!(episode.happened(), "the next one is told again");
    }
}
