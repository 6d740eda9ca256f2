//! What the end-to-end tests stand on: a fake upstream, the router as a process, and a small client.
#![allow(dead_code)]

mod client;
pub mod coding;
mod document;
mod folder;
mod reply;
mod router;
pub mod rules;
mod serving;
mod time;
pub mod tls;
mod upstream;

use std::future::Future;
use std::time::Duration;

pub use client::{Answer, Client, Wire};
#[allow(unused_imports)]
pub use document::{Block, Document, lay_out, tutorial};
pub use folder::Folder;
pub use reply::{Gate, Reply};
#[allow(unused_imports)]
pub use router::{Router, Settings, program};
#[allow(unused_imports)]
pub use serving::Serving;
#[allow(unused_imports)]
pub use time::Time;
#[allow(unused_imports)]
pub use upstream::{Received, Upstream};

/// The longest that any single step of a test may take: longer than the cool downs of the tests' rules, so that a
/// connection that a busy machine breaks is waited out. Only a failing test waits this long.
const PATIENCE: Duration = Duration::from_secs(75);

/// Waits for something that must happen, and says what did not happen.
pub async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(PATIENCE, future).await {
        Ok(value) => value,
        Err(_) => panic!("waited {PATIENCE:?} in vain until {what}"),
    }
}

/// A loopback address at which connections are refused. The port stays taken while the guard lives.
pub fn refusing() -> (String, tokio::net::TcpSocket) {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind(([127, 0, 0, 1], 0).into()).unwrap();
    (format!("http://{}", socket.local_addr().unwrap()), socket)
}
