//! Words that look like a key although nobody here knows them: for what the router itself shows of others' texts.
//!
//! A word is taken for a key by where it stands (after `Bearer`, after `key` or `token`) or by what it is: a beginning such as
//! `sk-`, a signed token, a long mixture of letters and digits. Ids of requests, UUIDs, names of models and moments stay
//! readable; so do digests, unless they are called a key.

use std::ops::Range;

/// What stands in the place of such a word.
const MARK: &str = "[key]";
/// How many words may stand between `key` and the key itself.
const NEAR: u8 = 3;
/// The least length of a key that is only known by where it stands.
const NAMED: usize = 16;
/// The least that follows a key's beginning.
const BEGUN: usize = 20;
/// The least length of a word that is taken for a key wherever it stands.
const ANYWHERE: usize = 32;

/// What says that a key follows.
const KEY_WORDS: [&str; 9] =
    ["key", "apikey", "token", "secret", "password", "authorization", "credential", "credentials", "jwt"];
/// What says that something else follows, which people need to read.
const ID_WORDS: [&str; 12] = [
    "request",
    "requestid",
    "id",
    "trace",
    "organization",
    "org",
    "project",
    "model",
    "session",
    "user",
    "response",
    "url",
];
/// What may follow `Bearer` that is no key.
const AFTER_BEARER: [&str; 22] = [
    "token",
    "tokens",
    "auth",
    "authentication",
    "authorization",
    "scheme",
    "realm",
    "key",
    "keys",
    "credentials",
    "header",
    "format",
    "prefix",
    "is",
    "was",
    "in",
    "and",
    "or",
    "not",
    "required",
    "error",
    "missing",
];

/// The text with `[key]` in the place of each such word; `None` if there is none.
pub fn without_keys(text: &str) -> Option<String> {
    let mut out = String::new();
    let (mut from, mut place) = (0, Place::default());
    for range in words(text) {
        let word = text.get(range.clone()).unwrap_or_default();
        if place.is_key(word) {
            out.push_str(text.get(from..range.start).unwrap_or_default());
            out.push_str(MARK);
            from = range.end;
        }
    }
    (from > 0).then(|| out + text.get(from..).unwrap_or_default())
}

/// The words of a text: letters, digits, and what keys have between them.
fn words(text: &str) -> impl Iterator<Item = Range<usize>> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.+~".contains(byte);
        let rest = text.as_bytes().get(at..)?;
        let start = at + rest.iter().position(is_part)?;
        let rest = text.as_bytes().get(start..)?;
        at = start + rest.iter().position(|byte| !is_part(byte)).unwrap_or(rest.len());
        let word = text.get(start..at)?;
        // A sentence's end is no part of its last word.
        Some(start..start + word.trim_end_matches(['.', '-']).len().max(1))
    })
}

/// What the words so far let one expect.
#[derive(Default)]
struct Place {
    /// In so many words a key may come.
    near: u8,
    after_bearer: bool,
}

impl Place {
    fn is_key(&mut self, word: &str) -> bool {
        let is_named = std::mem::take(&mut self.near);
        let after_bearer = std::mem::take(&mut self.after_bearer);
        let plain = word.to_ascii_lowercase();
        if is_signed(word) || has_keys_beginning(word) || is_mixed_anywhere(word) {
            return true;
        }
        if plain == "bearer" {
            self.after_bearer = true;
            return false;
        }
        if after_bearer && !AFTER_BEARER.contains(&plain.as_str()) {
            return true;
        }
        let mut parts = plain.split(['-', '_', '.']);
        let last = parts.next_back().unwrap_or_default();
        if KEY_WORDS.contains(&last) {
            self.near = NEAR + 1;
        } else if is_named > 0 && word.len() >= NAMED && !is_id(word) && (is_mixed(word) || is_digest(word)) {
            return true;
        } else if !ID_WORDS.contains(&last) {
            self.near = is_named.saturating_sub(1);
        }
        false
    }
}

/// Whether it is a signed token: three parts in base64, of which the first begins a JSON object.
fn is_signed(word: &str) -> bool {
    word.starts_with("eyJ") && word.split('.').filter(|part| part.len() >= 4).count() >= 3
}

/// Whether it begins like a key, `sk-` or `api_`, and has enough of letters and digits behind that.
fn has_keys_beginning(word: &str) -> bool {
    let Some((beginning, rest)) = word.split_once(['-', '_']) else { return false };
    let beginning = beginning.to_ascii_lowercase();
    let is_short = beginning.len() <= 3 && beginning.ends_with('k');
    let is_named = ["key", "api", "pat", "token", "secret"].iter().any(|end| beginning.ends_with(end));
    let letters = beginning.bytes().all(|byte| byte.is_ascii_alphabetic());
    let has = |is: fn(&u8) -> bool| rest.as_bytes().iter().any(is);
    letters
        && (is_short || is_named)
        && rest.len() >= BEGUN
        && !is_uuid(rest)
        && has(u8::is_ascii_digit)
        && has(u8::is_ascii_alphabetic)
        && changes(rest) >= 3
}

/// Whether its longest part is too long and too mixed for anything else.
fn is_mixed_anywhere(word: &str) -> bool {
    let is_long = |part: &str| {
        let has = |is: fn(&u8) -> bool| part.as_bytes().iter().any(is);
        part.len() >= ANYWHERE
            && has(u8::is_ascii_digit)
            && has(u8::is_ascii_uppercase)
            && has(u8::is_ascii_lowercase)
    };
    word.split(['-', '_', '.', '+', '~']).any(is_long)
}

/// Whether small and large letters and digits follow each other as in no name.
fn is_mixed(word: &str) -> bool {
    changes(word) >= 4 && changes(word) * 5 >= word.len()
}

/// Whether it is 32 or more hexadecimal digits: to people a digest, unless it is called a key.
fn is_digest(word: &str) -> bool {
    word.len() >= 32 && word.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Whether it says by its beginning that it names a request, or is a UUID.
fn is_id(word: &str) -> bool {
    let beginning = word.split(['-', '_']).next().unwrap_or_default();
    ["req", "request", "msg", "call", "resp", "run", "trace", "org", "proj"].contains(&beginning)
        || is_uuid(word)
}

fn is_uuid(word: &str) -> bool {
    let mut lengths =
        word.split('-').map(|part| (part.len(), part.bytes().all(|byte| byte.is_ascii_hexdigit())));
    [8, 4, 4, 4, 12].iter().all(|length| lengths.next() == Some((*length, true))) && lengths.next().is_none()
}

/// How often small letters, large letters and digits follow one another.
fn changes(word: &str) -> usize {
    let kind = |byte: u8| match byte {
        b'0'..=b'9' => 1,
        b'A'..=b'Z' => 2,
        b'a'..=b'z' => 3,
        _ => 0,
    };
    let pairs =
        word.as_bytes().windows(2).filter_map(|pair| Some((kind(*pair.first()?), kind(*pair.last()?))));
    pairs.filter(|(one, other)| *one > 0 && *other > 0 && one != other).count()
}
