//! The moment at which requests under way must end, because the router stops and their time is over.

use std::future::Future;

use tokio::sync::watch;

/// What requests are told that are cut off.
pub const REASON: &str = "the router is stopping";

/// Tells all requests under way when their time is over.
pub struct Stopping(watch::Sender<bool>);

impl Default for Stopping {
    fn default() -> Self {
        Self(watch::channel(false).0)
    }
}

impl Stopping {
    /// Ends all requests under way, each with an error in its protocol; also those that still come.
    pub fn cut_off(&self) {
        self.0.send_replace(true);
    }

    /// Resolves when the time of requests is over.
    pub fn is_over(&self) -> impl Future<Output = ()> + Send + 'static {
        let mut told = self.0.subscribe();
        async move {
            if told.wait_for(|over| *over).await.is_err() {
                std::future::pending().await
            }
        }
    }
}
