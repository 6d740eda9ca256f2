//! Patterns that only say of which letters a text is made, and how many they are, as those of names do. Whether a text
//! fits such a one takes a look at each of its letters, and no automaton.

use regex_syntax::hir::{Class, Hir, HirKind, Look};

/// So many letters, all of them these.
#[derive(Debug)]
pub(super) struct Letters {
    /// Those of ASCII, by their number.
    these: [bool; 128],
    least: usize,
    most: usize,
}

impl Letters {
    /// What a pattern says, if that is all: `^[a-z]{1,8}$`.
    pub(super) fn of(pattern: &Hir) -> Option<Letters> {
        let HirKind::Concat(parts) = pattern.kind() else { return None };
        let [start, repeated, end] = parts.as_slice() else { return None };
        let (HirKind::Look(Look::Start), HirKind::Look(Look::End)) = (start.kind(), end.kind()) else {
            return None;
        };
        let HirKind::Repetition(repeated) = repeated.kind() else { return None };
        let HirKind::Class(class) = repeated.sub.kind() else { return None };
        let mut these = [false; 128];
        let mut add = |first: u32, last: u32| {
            let range = these.get_mut(first as usize..=last as usize);
            range.map(|range| range.fill(true))
        };
        match class {
            Class::Unicode(class) => {
                class.iter().try_for_each(|range| add(range.start().into(), range.end().into()))?;
            }
            Class::Bytes(class) => {
                class.iter().try_for_each(|range| add(range.start().into(), range.end().into()))?;
            }
        }
        let most = repeated.max.map_or(usize::MAX, |most| most as usize);
        Some(Letters { these, least: repeated.min as usize, most })
    }

    /// Whether a text fits. `None` if it has letters outside of ASCII: some of these count as others where case is left
    /// aside, and belong to classes that were read without them.
    pub(super) fn fit(&self, text: &str) -> Option<bool> {
        let is_one = |byte: u8| self.these.get(usize::from(byte)).copied();
        let known = text.bytes().try_fold(true, |fits, byte| is_one(byte).map(|is_one| fits && is_one))?;
        Some(known && (self.least..=self.most).contains(&text.len()))
    }
}

#[cfg(test)]
mod tests {
    use crate::text::pattern::Pattern;
    use proptest::prelude::*;

    #[test]
    fn only_patterns_of_letters_are_such() {
        for (pattern, is_such) in [
            ("^[A-Za-z0-9_-]{1,64}$", true),
            ("^[a-z]+$", true),
            (r"^\d*$", true),
            ("(?i)^[a-k]+$", true),
            ("^[a-z]$", false),
            ("[a-z]+", false),
            ("^[^a]+$", false),
            ("(?m)^[a-z]+$", false),
            ("^[a-z]+?x$", false),
            ("^(?:ab)+$", false),
            ("^[a-zä]+$", false),
        ] {
            let parsed = Pattern::parse(pattern).unwrap();
            assert_eq!(parsed.0.letters.is_some(), is_such, "{pattern}");
        }
    }

    proptest! {
        /// The library is the judge.
        #[test]
        fn agrees_with_the_library(
            pattern in r"(\(\?i\))?\^(\[a-k_-\]|\\d|\\w|\[0-9s\])(\+|\*|\{1,4\}|\{2\}|\+\?)\$",
            text in "[a-kAS0-9_\u{212A}\u{17F}é٣ \n-]{0,6}",
        ) {
            let parsed = Pattern::parse(&pattern).unwrap();
            prop_assert!(parsed.0.letters.is_some());
            prop_assert_eq!(parsed.is_match(&text), regex::Regex::new(&pattern).unwrap().is_match(&text));
        }
    }
}
