//! Keys of which only the digest is known: a word of a text is one if it has that digest.

use sha2::{Digest, Sha256};

use super::{MARK, PART};

/// Longer words are no keys.
const LONGEST: usize = 512;

/// The text with a mark in the place of each word that has one of these digests; `None` if none has.
pub(super) fn hidden_in(digests: &[[u8; 32]], text: &[u8]) -> Option<Vec<u8>> {
    if digests.is_empty() {
        return None;
    }
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.+~".contains(byte);
    let is_key = |word: &[u8]| {
        (PART..=LONGEST).contains(&word.len()) && digests.contains(&Sha256::digest(word).into())
    };
    let pieces = || text.chunk_by(|one, other| is_part(one) == is_part(other));
    // A sentence's end is no part of its last word.
    let without_end = |word: &[u8]| word.len() - word.iter().rev().take_while(|byte| **byte == b'.').count();
    let found = |word: &[u8]| {
        is_key(word) || word.ends_with(b".") && is_key(word.get(..without_end(word)).unwrap_or_default())
    };
    if !pieces().any(found) {
        return None;
    }
    let mut out = Vec::with_capacity(text.len());
    pieces().for_each(|piece| out.extend_from_slice(if found(piece) { MARK } else { piece }));
    Some(out)
}
