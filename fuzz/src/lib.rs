//! What is fed with bytes from strangers, and what must hold for any bytes at all. A target panics where a promise is
//! broken; who finds the bytes is another's affair: `tests/fuzz.rs` mutates the corpus on any Rust, libFuzzer (`just
//! fuzz`) looks for new paths through the code.

pub mod compression;
pub mod exchange;
pub mod json;
pub mod path;
pub mod rules;
pub mod sse;
pub mod state;
pub mod yaml;

/// A target: from bytes to nothing, or to a panic.
pub type Target = fn(&[u8]);

/// All targets, by the names of their folders in `corpus/`.
pub const TARGETS: [(&str, Target); 8] = [
    ("compression", compression::run),
    ("exchange", exchange::run),
    ("json", json::run),
    ("path", path::run),
    ("rules", rules::run),
    ("sse", sse::run),
    ("state", state::run),
    ("yaml", yaml::run),
];

/// Cuts bytes into pieces as a network might; the bytes themselves say where, so that an input always gives the same.
pub fn pieces(bytes: &[u8]) -> Vec<&[u8]> {
    let mut state = bytes.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let mut pieces = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        // Mostly a few bytes, now and then a packet.
        let most = if (state >> 60) == 0 { 1500 } else { 1 + ((state >> 40) % 24) as usize };
        let (piece, after) = rest.split_at(most.min(rest.len()));
        pieces.push(piece);
        rest = after;
    }
    pieces
}
