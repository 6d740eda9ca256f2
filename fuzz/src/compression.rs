//! Compressed bodies: the same however the network cuts the bytes, in pieces and turns of bounded size.

use bytes::Bytes;
use http::header::{CONTENT_ENCODING, HeaderMap, HeaderValue};
use rulegate::edge::compression::{Decoder, Next};

use super::pieces;

/// What the first byte chooses from.
const CODINGS: [&str; 9] = [
    "gzip",
    "deflate",
    "br",
    "zstd",
    "gzip, br",
    "zstd, deflate",
    "deflate, gzip",
    "br, zstd, gzip, deflate",
    "gzip, unheard-of",
];
/// No more than this is taken of what comes out: what is behind it is more of the same.
const MOST: usize = 4 << 20;

/// The first byte says how the rest is coded.
pub fn run(data: &[u8]) {
    let Some((first, body)) = data.split_first() else { return };
    let coding = CODINGS[usize::from(*first) % CODINGS.len()];
    let whole = decoded(coding, [body]);
    let cut = decoded(coding, pieces(body));
    let bytes = decoded(coding, body.chunks(1));
    // Libzstd compares the length that a frame states with what it holds, but not where the last block is empty and the
    // frame comes in pieces.
    let may_differ = coding.contains("zstd");
    for other in [&cut, &bytes] {
        assert!(may_differ || whole.is_good == other.is_good, "{coding}");
        let (a, b) = (&whole.made, &other.made);
        // What stands before a mistake may be given or not: that depends on where the mistake is found.
        let are_good = whole.is_good && other.is_good;
        let is_same = if are_good { a == b } else { a.starts_with(b) || b.starts_with(a) };
        assert!(is_same, "{coding}: {} and {} bytes", a.len(), b.len());
    }
}

struct Decoded {
    made: Vec<u8>,
    is_good: bool,
}

fn decoded<'a>(coding: &'static str, pieces: impl IntoIterator<Item = &'a [u8]>) -> Decoded {
    let headers = HeaderMap::from_iter([(CONTENT_ENCODING, HeaderValue::from_static(coding))]);
    let mut decoder = Decoder::of(&headers).expect("it is compressed");
    let mut made = Vec::new();
    for piece in pieces {
        decoder.push(Bytes::copy_from_slice(piece));
        // Each byte that comes may hold an end and a beginning, and a turn goes through some bytes at least.
        let mut turns = 0;
        loop {
            match decoder.decode() {
                Ok(Next::Piece(bytes)) => {
                    assert!((1..=32 << 10).contains(&bytes.len()), "a piece of {} bytes", bytes.len());
                    made.extend_from_slice(&bytes);
                }
                Ok(Next::Later) => turns += 1,
                Ok(Next::Hungry) => break,
                Err(_) => return Decoded { made, is_good: false },
            }
            if made.len() > MOST {
                return Decoded { made, is_good: false };
            }
            assert!(turns <= 100 + 2 * (made.len() >> 10) + piece.len(), "{turns} turns for nothing");
        }
    }
    let is_good = decoder.finish().is_ok();
    Decoded { made, is_good }
}
