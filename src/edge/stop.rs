//! The wish to stop: an interrupt at the terminal, or a service manager that asks for it.

use std::io;

#[cfg(unix)]
use tokio::signal::unix::{Signal, SignalKind, signal};

/// The signals that ask for it. From its making on they no longer kill the process, and none is lost between two waits.
pub struct Wish {
    #[cfg(unix)]
    signals: [Signal; 2],
}

impl Wish {
    /// Begins to listen. Must be called within a runtime.
    ///
    /// # Errors
    /// If the system does not let the process hear of signals.
    pub fn listen() -> io::Result<Self> {
        Ok(Self {
            #[cfg(unix)]
            signals: [signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?],
        })
    }

    /// Waits until somebody wants the process to stop, or wants it again.
    pub async fn heard(&mut self) {
        #[cfg(unix)]
        {
            let [terminate, interrupt] = &mut self.signals;
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        }
        #[cfg(not(unix))]
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
