//! An honest guess at how many tokens a document's texts make, without any model's vocabulary.

use crate::text::json::{Json, JsonKind};

/// What one member or item costs beyond its text: separators and role marks of a chat template.
const PER_STRING: f64 = 1.0;

/// ASCII text makes a token of about four characters; other scripts make about one a character and a half.
const ASCII_PER_TOKEN: f64 = 4.0;
const OTHER_PER_TOKEN: f64 = 1.5;

/// Long unbroken texts such as base64 pictures are not read as text by any model; they count as much as this.
const OPAQUE_LENGTH: usize = 4096;
const OPAQUE_TOKENS: f64 = 1600.0;

/// The estimate for all strings below `node`, rounded up.
pub fn estimate(node: Json<'_>) -> i64 {
    let mut sum = 0.0;
    visit(node, &mut sum);
    sum.ceil() as i64
}

fn visit(node: Json<'_>, sum: &mut f64) {
    match node.kind() {
        JsonKind::String => {
            let text = node.raw();
            if text.len() > OPAQUE_LENGTH && !text.as_bytes().iter().any(|byte| byte.is_ascii_whitespace()) {
                *sum += OPAQUE_TOKENS;
                return;
            }
            let ascii = text.bytes().filter(u8::is_ascii).count().saturating_sub(2);
            let other = text.chars().filter(|c| !c.is_ascii()).count();
            *sum += PER_STRING + ascii as f64 / ASCII_PER_TOKEN + other as f64 / OTHER_PER_TOKEN;
        }
        JsonKind::Array => node.items().for_each(|item| visit(item, sum)),
        JsonKind::Object => node.entries().for_each(|(_, value)| visit(value, sum)),
        _ => {}
    }
}
