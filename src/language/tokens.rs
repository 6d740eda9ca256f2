//! An honest guess at how many tokens a document's texts make, without any model's vocabulary: it cuts a text where tokenizers
//! cut it (words, digits, marks, white space) and counts each piece by its length. A test holds it against a real tokenizer.

use crate::text::json::{Json, JsonKind};

#[cfg(test)]
mod tests;

/// What one member or item costs beyond its text: separators and role marks of a chat template.
const PER_STRING: f64 = 1.0;

/// What a picture counts, whatever its size in bytes: those who take them scale them down to about so much.
const IMAGE: f64 = 1600.0;

/// Bytes of a base64 document that make a token; no document counts less than a picture.
const DOCUMENT_BYTES: f64 = 64.0;

/// From this depth on the names of members count, too: there stand schemas and the input of tools, which a model reads as they
/// are. What is above is the frame of the protocol.
const DEPTH_OF_NAMES: usize = 4;

/// The estimate for all strings below `node`, rounded up.
pub fn estimate(node: Json<'_>) -> i64 {
    below(node, 1).ceil() as i64
}

fn below(node: Json<'_>, depth: usize) -> f64 {
    match node.kind() {
        JsonKind::String => node.str().map_or(0.0, |text| PER_STRING + string(&text)),
        JsonKind::Array => node.items().map(|item| below(item, depth + 1)).sum(),
        JsonKind::Object => {
            let file = node.get("media_type").and_then(|kind| Some(Media::of(&kind.str()?)));
            let member = |(name, value): (std::borrow::Cow<'_, str>, Json<'_>)| match file.flatten() {
                Some(media) if name == "data" => media.tokens(value.raw().len()),
                _ if depth >= DEPTH_OF_NAMES => text(&name) + below(value, depth + 1),
                _ => below(value, depth + 1),
            };
            node.entries().map(member).sum()
        }
        _ => 0.0,
    }
}

/// What is no text, though it is written as one.
#[derive(Clone, Copy)]
enum Media {
    Image,
    Document,
}

impl Media {
    fn of(kind: &str) -> Option<Media> {
        match kind {
            _ if kind.starts_with("image/") => Some(Media::Image),
            "application/pdf" => Some(Media::Document),
            _ => None,
        }
    }

    fn tokens(self, bytes: usize) -> f64 {
        match self {
            Media::Image => IMAGE,
            Media::Document => (bytes as f64 / DOCUMENT_BYTES).max(IMAGE),
        }
    }
}

fn string(value: &str) -> f64 {
    let media = value.strip_prefix("data:").and_then(|rest| rest.split_once(";base64,"));
    match media.and_then(|(kind, _)| Media::of(kind)) {
        Some(media) => media.tokens(value.len()),
        None => text(value),
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Lower,
    Upper,
    Digit,
    Space,
    Line,
    Mark,
    Other,
}

impl Kind {
    fn of(c: char) -> Kind {
        match c {
            'a'..='z' => Kind::Lower,
            'A'..='Z' => Kind::Upper,
            '0'..='9' => Kind::Digit,
            ' ' | '\t' => Kind::Space,
            '\n' | '\r' => Kind::Line,
            // Accented Latin letters stand inside of words.
            '\u{c0}'..='\u{24f}' | '\u{1e00}'..='\u{1eff}' => Kind::Lower,
            _ if c.is_ascii() => Kind::Mark,
            _ => Kind::Other,
        }
    }
}

/// The tokens of a text, by its runs of characters of one kind.
fn text(text: &str) -> f64 {
    let mut sum = 0.0;
    let (mut kind, mut length) = (Kind::Space, 0_usize);
    for c in text.chars() {
        let next = Kind::of(c);
        if !c.is_ascii() {
            sum += if next == Kind::Lower { 0.35 } else { beyond_ascii(c) };
        }
        if next == kind {
            length += 1;
        } else if kind == Kind::Upper && next == Kind::Lower {
            // The last capital begins the word: `HTTPRequest` is `HTTP` and `Request`.
            sum += run(kind, length - 1, next);
            (kind, length) = (next, 2);
        } else {
            sum += run(kind, length, next);
            (kind, length) = (next, 1);
        }
    }
    sum + run(kind, length, Kind::Line)
}

/// What a run of so many characters counts, before one of the kind `next`.
fn run(kind: Kind, length: usize, next: Kind) -> f64 {
    if length == 0 {
        return 0.0;
    }
    let n = length as f64;
    match kind {
        Kind::Lower if length <= 9 => 1.0,
        Kind::Upper if length <= 4 => 1.0,
        Kind::Lower | Kind::Upper => n / 4.2,
        Kind::Digit => (n / 3.0).ceil(),
        // One blank belongs to the word behind it; many are one token.
        Kind::Space if length == 1 => 0.0,
        Kind::Space => 0.95 + n / 150.0,
        Kind::Line => 0.7 + n / 8.0,
        Kind::Mark => match (length, next) {
            (1, Kind::Lower | Kind::Upper) => 0.45,
            (1, Kind::Digit) => 0.95,
            (1 | 2, _) => n * 0.75,
            _ => 1.3 + n / 64.0,
        },
        Kind::Other => 0.0,
    }
}

/// What one character counts that is neither ASCII nor Latin, by its block in Unicode.
fn beyond_ascii(c: char) -> f64 {
    match u32::from(c) {
        0x0300..=0x036F => 0.5,
        0x0370..=0x052F => 0.32,                                    // Greek, Cyrillic
        0x0530..=0x08FF => 0.45,                                    // Armenian, Hebrew, Arabic
        0x0900..=0x109F => 0.5, // Indic scripts, Thai, Lao, Tibetan, Burmese
        0x2000..=0x206F | 0x3000..=0x30FF | 0xFF00..=0xFFEF => 0.8, // punctuation, kana, wide letters
        0x2190..=0x2BFF => 1.5, // arrows, symbols
        0x3400..=0x9FFF | 0xF900..=0xFAFF => 0.9, // Chinese characters
        0xAC00..=0xD7AF => 0.75, // Hangul
        0x1F000..=0x1FAFF => 1.8, // emoji
        _ => 1.2,
    }
}
