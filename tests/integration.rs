//! All integration tests in one binary, so that it links once.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

mod config_corpus;
mod edge_admin;
mod edge_reload;
mod edge_requests;
mod recordings;
mod rules;
mod upstream;
