//! Finds known keys in what others say, as they are and in the disguises in which gateways and error pages quote them.
//!
//! A text is read once into a [plain form](plain). In that form one automaton looks for the beginnings and the ends of all keys, as
//! they are, as base64 at each of its three alignments, and as hex; what it finds is extended as far as it is the key.

mod digests;
mod plain;

use std::ops::Range;
use std::sync::OnceLock;

use aho_corasick::AhoCorasick;
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;

use self::plain::Plain;
use super::Secret;

/// What stands in the place of a key.
const MARK: &[u8] = b"[key]";
/// So much of a key, in bytes, is a secret by itself. Shorter keys are looked for as they are, only.
const PART: usize = 12;
/// So much of a key must be shown beyond a beginning that all keys of a kind have in common.
const BEYOND: usize = 4;

/// Takes known keys out of texts.
#[derive(Debug, Default)]
pub struct Redactor {
    secrets: Vec<Secret>,
    /// SHA-256 of keys of which no more is known.
    digests: Vec<[u8; 32]>,
    /// Made at the first text: most routers never need it.
    disguises: OnceLock<Option<Disguises>>,
}

impl Redactor {
    /// Looks for these.
    pub fn new(secrets: impl IntoIterator<Item = Secret>) -> Redactor {
        let mut known: Vec<Secret> = Vec::new();
        for secret in secrets {
            if !known.contains(&secret) {
                known.push(secret);
            }
        }
        Redactor { secrets: known, ..Redactor::default() }
    }

    /// Looks also for keys of which only these digests (SHA-256) are known: as they are, and as words of their own.
    #[must_use]
    pub fn with_digests(mut self, digests: impl IntoIterator<Item = [u8; 32]>) -> Redactor {
        self.digests.extend(digests);
        self
    }

    /// Whether this is one of the keys that are looked for.
    pub fn knows(&self, secret: &Secret) -> bool {
        self.secrets.contains(secret)
    }

    /// The text with `[key]` wherever one of the keys stands in it, also altered or in part; `None` if none does. Takes time
    /// in proportion to the text.
    pub fn redacted(&self, text: &[u8]) -> Option<Vec<u8>> {
        let mut out = None;
        for secret in &self.secrets {
            if let Some(clean) = secret.hidden_in(out.as_deref().unwrap_or(text)) {
                out = Some(clean);
            }
        }
        let disguises = self.disguises.get_or_init(|| Disguises::of(&self.secrets));
        let found =
            disguises.as_ref().and_then(|disguises| disguises.hidden_in(out.as_deref().unwrap_or(text)));
        let out = found.or(out);
        digests::hidden_in(&self.digests, out.as_deref().unwrap_or(text)).or(out)
    }

    /// The same for a text.
    pub fn redacted_text(&self, text: &str) -> Option<String> {
        self.redacted(text.as_bytes()).map(|clean| String::from_utf8_lossy(&clean).into_owned())
    }
}

/// All forms of all keys, and what finds them.
#[derive(Debug)]
struct Disguises {
    forms: Vec<Vec<u8>>,
    finder: AhoCorasick,
    /// For each pattern of the finder: of which forms it is a part, and where in them it begins.
    parts: Vec<Vec<(usize, usize)>>,
}

impl Disguises {
    fn of(secrets: &[Secret]) -> Option<Disguises> {
        let (mut forms, mut patterns, mut parts) = (Vec::new(), Vec::<Vec<u8>>::new(), Vec::<Vec<_>>::new());
        for secret in secrets.iter().filter(|secret| secret.text.len() >= PART) {
            let key = secret.text.as_bytes();
            let head = PART.max(common(&secret.text) + BEYOND).min(key.len());
            let plain = (key.to_vec(), head, PART);
            // In forms a plus sign is a space, and a space is nothing here.
            let spaced: Vec<u8> = key.iter().copied().filter(|byte| *byte != b'+').collect();
            let spaced = (spaced.len() < key.len()).then_some((spaced, head, PART));
            let hex = (
                key.iter().flat_map(|byte| format!("{byte:02x}").into_bytes()).collect(),
                2 * head,
                2 * PART,
            );
            let base64 = (0..3).map(|offset| (in_base64(key, offset), letters(head), letters(PART)));
            for (form, head, tail) in [plain, hex].into_iter().chain(spaced).chain(base64) {
                let form = Plain::of(&form, false).bytes;
                // Less is left of a key that is no ASCII.
                if form.len() < PART {
                    continue;
                }
                let (head, tail) = (head.min(form.len()), form.len().saturating_sub(tail));
                for (from, part) in [(0, form.get(..head)), (tail, form.get(tail..))] {
                    let part = part.unwrap_or_default();
                    let place = patterns.iter().position(|pattern| pattern == part).unwrap_or_else(|| {
                        patterns.push(part.to_vec());
                        parts.push(Vec::new());
                        parts.len() - 1
                    });
                    parts.get_mut(place)?.push((forms.len(), from));
                }
                forms.push(form);
            }
        }
        let finder = AhoCorasick::new(&patterns).ok()?;
        (!forms.is_empty()).then_some(Disguises { forms, finder, parts })
    }

    fn hidden_in(&self, text: &[u8]) -> Option<Vec<u8>> {
        if !self.finder.is_match(&Plain::of(text, false).bytes) {
            return None;
        }
        let plain = Plain::of(text, true);
        let mut found: Vec<Range<usize>> = Vec::new();
        for hit in self.finder.find_overlapping_iter(&plain.bytes) {
            if found.last().is_some_and(|last| last.end >= hit.end()) {
                continue;
            }
            let parts = self.parts.get(hit.pattern().as_usize()).into_iter().flatten();
            let mut range = hit.range();
            for (form, from) in parts {
                let form = self.forms.get(*form).map(Vec::as_slice).unwrap_or_default();
                let (before, after) = form.split_at((*from).min(form.len()));
                let back = common_end(before, plain.bytes.get(..hit.start()).unwrap_or_default());
                let ahead = common_start(after, plain.bytes.get(hit.start()..).unwrap_or_default());
                range = range.start.min(hit.start() - back)..range.end.max(hit.start() + ahead);
            }
            while let Some(last) = found.pop_if(|last| last.end >= range.start) {
                range.start = range.start.min(last.start);
            }
            found.push(range);
        }
        let mut out = Vec::with_capacity(text.len());
        let mut from = 0;
        for range in found {
            let (start, end) = (plain.start(range.start), plain.end(range.end));
            out.extend_from_slice(text.get(from..start).unwrap_or_default());
            out.extend_from_slice(MARK);
            from = end;
        }
        out.extend_from_slice(text.get(from..).unwrap_or_default());
        Some(out)
    }
}

fn common_start(one: &[u8], other: &[u8]) -> usize {
    one.iter().zip(other).take_while(|(one, other)| one == other).count()
}

fn common_end(one: &[u8], other: &[u8]) -> usize {
    one.iter().rev().zip(other.iter().rev()).take_while(|(one, other)| one == other).count()
}

/// The length of what a key begins with like others of its kind: short words of letters and digits, each with a dash.
fn common(key: &str) -> usize {
    const LONGEST: usize = 6;
    let mut length = 0;
    for word in key.split_inclusive(['-', '_']) {
        if word.len() > LONGEST || !word.ends_with(['-', '_']) {
            break;
        }
        length += word.len();
    }
    length
}

/// What is the same in any base64 of a text in which the key begins `offset` bytes after a multiple of three.
fn in_base64(key: &[u8], offset: usize) -> Vec<u8> {
    let text = [vec![0; offset], key.to_vec()].concat();
    let written = STANDARD_NO_PAD.encode(&text).into_bytes();
    // The first letters hold bits of what stands before the key; the last one may hold bits of what follows.
    let (first, last) = ((offset * 8).div_ceil(6), text.len() * 8 / 6);
    written.get(first..last).unwrap_or_default().to_vec()
}

/// How many letters of base64 are certain where so many bytes are.
fn letters(bytes: usize) -> usize {
    (bytes * 8).saturating_sub(10) / 6
}

#[cfg(test)]
mod tests;
