//! The only asynchronous code: sockets, files, timers and the log.

pub mod access;
pub mod body;
pub mod clock;
pub mod request_body;
pub mod server;
pub mod stall;
pub mod upstream;
