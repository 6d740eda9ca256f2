//! Time that stands still until a test moves it, while sockets go on working.
//!
//! Tokio's paused time moves by itself whenever all tasks wait, also while bytes are on their way through a
//! socket. So it is held fast here; only [`Time::pass`] moves it.

use std::sync::mpsc;
use std::time::Duration;

/// Stopped time. It runs on by itself when this is dropped, so keep it to the end of the test.
pub struct Time {
    _held: mpsc::Sender<()>,
}

impl Time {
    /// Holds the time of a test that began with `start_paused = true`.
    pub fn hold() -> Time {
        let (held, released) = mpsc::channel::<()>();
        // While a blocking task runs, paused time does not move by itself.
        tokio::task::spawn_blocking(move || released.recv());
        Time { _held: held }
    }

    /// Lets time pass, and what was due happen.
    pub async fn pass(&self, time: Duration) {
        tokio::time::advance(time).await;
    }
}
