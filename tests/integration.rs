//! All integration tests in one binary, so that it links once.

mod support;

mod edge_admin;
mod edge_reload;
mod edge_requests;
mod upstream;

mod recordings;
mod rules;
