//! Paths of names and positions, as most are: read here, without the library, because rules are full of them.

use super::Segment;
use super::normal::name_length;

/// Longer ones are the library's business, as are their mistakes. It bounds the segments too.
const MAX_BYTES: usize = 120;
/// Digits of a position that surely fits.
const MAX_DIGITS: usize = 15;

/// The root's name and the segments, if there is nothing but names and positions.
pub(super) fn parse(text: &str) -> Option<(String, Vec<Segment>)> {
    let after = text.strip_prefix('$').filter(|_| text.len() <= MAX_BYTES)?;
    let (root, mut rest) = after.split_at_checked(name_length(after))?;
    let mut segments = Vec::new();
    while !rest.is_empty() {
        if let Some(named) = rest.strip_prefix('.') {
            let (name, after) =
                named.split_at_checked(name_length(named)).filter(|(name, _)| !name.is_empty())?;
            segments.push(Segment::Name(name.to_owned()));
            rest = after;
        } else {
            let (position, after) = rest.strip_prefix('[')?.split_once(']')?;
            segments.push(Segment::Index(index(position)?));
            rest = after;
        }
    }
    Some((root.to_owned(), segments))
}

/// A position as RFC 9535 writes it: no leading zero, no plus, no `-0`.
fn index(text: &str) -> Option<i64> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let is_plain =
        !digits.is_empty() && digits.len() <= MAX_DIGITS && digits.bytes().all(|b| b.is_ascii_digit());
    let leads_with_zero = digits.starts_with('0') && text != "0";
    if is_plain && !leads_with_zero { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::super::{lower, normal};
    use super::parse;

    #[test]
    fn what_is_read_here_the_library_reads_alike() {
        let read = ["$", "$a", "$.a", "$a.b-c._d", "$.a[0][-1].b", "$.é", "$x[10]"];
        for text in read {
            let (root, segments) = parse(text).unwrap();
            let normal = normal::normalise(text).unwrap();
            let library = lower::segments(&normal).unwrap();
            assert_eq!(
                (root, format!("{segments:?}")),
                (normal.root.clone(), format!("{library:?}")),
                "{text}"
            );
        }
        for text in
            ["", "a", "$.", "$..a", "$[01]", "$[-0]", "$['a']", "$[*]", "$.a b", "$[0", "$[1:2]", "$.1"]
        {
            assert!(parse(text).is_none(), "{text}");
        }
    }
}
