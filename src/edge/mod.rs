//! The only asynchronous code: sockets, files, timers and the log.
//!
//! A request's life:
//!
//! 1. [`server`] takes the connection and reads the request's head, whatever version of HTTP it is.
//! 2. [`router`] takes the rules in force, which the request keeps to its end, and looks at the path: its own
//!    are answered by [`admin`]; for the others [`access`] asks for a key, and [`request_body`] reads the body.
//! 3. [`proxy`] begins the engine's plan and does what it says: sends an attempt, waits, or answers.
//! 4. [`attempt`] makes one call through [`upstream`] and feeds what comes back to the engine's exchange, with
//!    [`timers`] in hand, until there is an outcome. The plan judges it, and may want another attempt.
//! 5. A whole answer is given to the client as it is. A stream is given as soon as its content begins, and the
//!    rest is pulled through the exchange as fast as the client reads: [`body`].
//! 6. At any moment the client may go away. Its future is dropped, and with it the call to the provider.
//!
//! Beside the requests run [`reload`], which puts new rules in force, and [`probes`], which asks providers that
//! are down whether they are well again. What they all share, and no reload replaces, is [`proxy::World`].

pub mod access;
pub mod admin;
pub mod attempt;
pub mod body;
pub mod budget;
pub mod clock;
pub mod compression;
pub mod decisions;
pub mod descriptors;
pub mod log_writer;
pub mod metrics;
pub mod pace;
pub mod probes;
pub mod proxy;
pub mod reload;
pub mod request_body;
pub mod router;
pub mod server;
pub mod stall;
pub mod state;
pub mod stop;
pub mod stopping;
pub mod stores;
pub mod telemetry;
pub mod timers;
mod tls;
pub mod upstream;
pub mod work;

mod start;

pub use log_writer::LogWriter;
pub use reload::rules::{Proof, Variables};
pub use start::{Options, Running, StartError, Stopped, serve, until_stopped};
