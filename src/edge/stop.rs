//! The wish to stop: an interrupt at the terminal, or a service manager that asks for it.

use std::future::Future;

/// Waits until somebody wants the process to stop. From the first call on, the signals no longer kill it.
pub async fn wanted() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminate.recv() => {}
            }
            return;
        }
    }
    // Without a way to hear of it there is nothing to wait for; the signal then does what it always does.
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// What comes of the work, or `None` if the wish to stop comes (again) before it is done.
pub async fn unless_wanted<T>(work: impl Future<Output = T>) -> Option<T> {
    tokio::select! {
        done = work => Some(done),
        () = wanted() => None,
    }
}
