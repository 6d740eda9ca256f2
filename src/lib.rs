//! rulegate: a proxy in front of LLM providers that is told by YAML what to do.
//!
//! The modules stand on one another in one direction only:
//! `text <- language <- config <- engine <- edge`, with `proof` and `cli` on top.
//! ARCHITECTURE.md has the map and the invariants.

#![forbid(unsafe_code)]

pub mod cli;
pub mod config;
pub mod edge;
pub mod engine;
pub mod language;
pub mod proof;
pub mod text;
