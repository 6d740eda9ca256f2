//! Signs that a terminal, a log viewer or an editor would not show as they are: they break lines, move the cursor or turn
//! the writing around, and may come from anywhere.

use std::borrow::Cow;
use std::fmt::Write;

/// Returns whether `sign` is such a sign. Line breaks and tabs are.
pub fn is_hidden(sign: char) -> bool {
    sign.is_control()
        || matches!(
            sign,
            '\u{2028}' | '\u{2029}'                    // line breaks beyond ASCII
                | '\u{61c}' | '\u{200e}' | '\u{200f}'  // directions
                | '\u{202a}'..='\u{202e}'
                | '\u{2066}'..='\u{2069}'
        )
}

/// `text` with a mark in the place of each such sign; line breaks and tabs stay.
pub fn visible(text: &str) -> Cow<'_, str> {
    let hidden = |sign: char| is_hidden(sign) && !matches!(sign, '\n' | '\t');
    if text.contains(hidden) { Cow::Owned(text.replace(hidden, "\u{fffd}")) } else { Cow::Borrowed(text) }
}

/// The same for a source whose places must stay where they are: a mark takes three bytes, so it stands for signs of
/// three bytes only. Those are all that a line of a YAML file can hold, but for rare ones of two.
pub fn visible_in_place(text: &str) -> Cow<'_, str> {
    let hidden = |sign: char| is_hidden(sign) && sign.len_utf8() == 3;
    if text.contains(hidden) { Cow::Owned(text.replace(hidden, "\u{fffd}")) } else { Cow::Borrowed(text) }
}

/// A JSON text with each such sign beyond ASCII written as `\uXXXX`. In ASCII JSON escapes them itself, and outside of
/// strings there are none.
pub fn visible_json(json: String) -> String {
    let hidden = |sign: char| is_hidden(sign) && !sign.is_ascii_whitespace();
    if !json.contains(hidden) {
        return json;
    }
    let mut out = String::with_capacity(json.len() + 16);
    for sign in json.chars() {
        if hidden(sign) {
            let _ = write!(out, "\\u{:04x}", u32::from(sign));
        } else {
            out.push(sign);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRICKY: &str = "a\u{2028}b\u{202e}c\u{1b}[31m\u{7f}\u{85}d";

    #[test]
    fn what_is_shown_is_one_line_that_reads_forward() {
        assert_eq!(visible(TRICKY), "a\u{fffd}b\u{fffd}c\u{fffd}[31m\u{fffd}\u{fffd}d");
        assert!(matches!(visible("plain\n\ttext é 漢"), Cow::Borrowed(_)));
        assert_eq!(visible_in_place(TRICKY).len(), TRICKY.len());
    }

    #[test]
    fn escaped_json_means_the_same() {
        let written = serde_json::json!({ TRICKY: [TRICKY] });
        let shown = visible_json(written.to_string());
        assert!(!shown.contains(is_hidden), "{shown}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&shown).unwrap(), written);
    }
}
