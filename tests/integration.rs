//! All integration tests in one binary, so that it links once.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

mod access;
mod callers;
mod config_corpus;
mod coverage;
mod edge_admin;
mod edge_decisions;
mod edge_log;
mod edge_probes;
mod edge_reload;
mod edge_requests;
mod errors_page;
mod explain;
mod failover;
mod foreign_files;
mod fuzz;
mod hostile_heads;
mod interleavings;
mod keys;
mod language_page;
mod limits;
mod log_output;
mod map;
mod new_provider;
mod overload;
mod panics;
mod patience;
mod program;
mod recorded_bodies;
mod recordings;
mod reliability_page;
mod reload;
mod resuming;
mod rules;
mod second_door;
mod second_door_streams;
mod secrets;
mod server;
mod shaky;
mod shipped;
mod shutdown;
mod soak;
mod state;
mod strange_files;
mod streams;
mod switching;
mod tidy;
mod tls;
mod tutorial;
mod upstream;
mod whole_answers;
