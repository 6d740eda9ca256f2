//! Stream programs: events of one protocol in, events of another out, block after block.
//!
//! `program`, `kinds` and `steps` compile the YAML, `machine` runs it over the events of one stream, `blocks` keeps fragments that
//! arrive interleaved and must leave as whole blocks, one open at a time, `emit` frames what leaves.

mod blocks;
mod emit;
mod kinds;
mod machine;
mod program;
mod steps;

#[cfg(test)]
mod tests;

pub use machine::StreamMachine;
pub use program::{Framing, StreamProgram};
