//! `429`, `5xx`, `500-599`.

use std::fmt;
use std::iter::successors;

const LOWEST: u16 = 100;
const HIGHEST: u16 = 599;
const WORDS: usize = (HIGHEST as usize + 1).div_ceil(64);

/// A set of HTTP status codes from 100 to 599. Asking is one look at a bit.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct StatusSet {
    bits: [u64; WORDS],
}

impl StatusSet {
    /// Reads one code (`429`), one class (`5xx`) or one range (`500-599`).
    pub fn parse(text: &str) -> Result<StatusSet, String> {
        let text = text.trim();
        let wrong = || {
            format!("`{text}` is not a status: write a code (`429`), a class (`5xx`) or a range (`500-599`)")
        };
        if let Some(class) = text.strip_suffix("xx").or_else(|| text.strip_suffix("XX")) {
            let class =
                class.parse::<u16>().ok().filter(|class| (1..=5).contains(class)).ok_or_else(wrong)?;
            return Ok(StatusSet::range(class * 100, class * 100 + 99));
        }
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        let code = |text: &str| {
            let text = text.trim();
            let plain = text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_digit());
            text.parse::<u16>()
                .ok()
                .filter(|code| plain && (LOWEST..=HIGHEST).contains(code))
                .ok_or_else(wrong)
        };
        let (first, last) = (code(first)?, code(last)?);
        if first > last {
            return Err(format!("the range `{text}` ends before it begins"));
        }
        Ok(StatusSet::range(first, last))
    }

    /// All codes from `first` to `last`, both included.
    pub fn range(first: u16, last: u16) -> StatusSet {
        // As many ones as there are codes of this word below `end`.
        let below = |end: u16, place: u16| {
            let ones = end.saturating_sub(place * 64).min(64);
            u64::MAX.checked_shr(u32::from(64 - ones)).unwrap_or(0)
        };
        let mut set = StatusSet::default();
        for (word, place) in set.bits.iter_mut().zip(0u16..) {
            *word = below(last.min(HIGHEST) + 1, place) & !below(first, place);
        }
        set
    }

    /// Whether the code is in the set.
    pub fn contains(&self, code: u16) -> bool {
        self.bits.get(usize::from(code) / 64).is_some_and(|word| word >> (code % 64) & 1 == 1)
    }

    /// The codes of both sets.
    #[must_use]
    pub fn or(mut self, other: StatusSet) -> StatusSet {
        for (word, more) in self.bits.iter_mut().zip(other.bits) {
            *word |= more;
        }
        self
    }

    /// All codes.
    pub fn all() -> StatusSet {
        StatusSet::range(LOWEST, HIGHEST)
    }

    /// The codes that are in both sets.
    #[must_use]
    pub fn and(mut self, other: StatusSet) -> StatusSet {
        for (word, more) in self.bits.iter_mut().zip(other.bits) {
            *word &= more;
        }
        self
    }

    /// The codes that are not in the other set.
    #[must_use]
    pub fn without(mut self, other: StatusSet) -> StatusSet {
        for (word, more) in self.bits.iter_mut().zip(other.bits) {
            *word &= !more;
        }
        self
    }

    /// The codes, in order.
    pub fn codes(&self) -> impl Iterator<Item = u16> + use<> {
        self.bits.into_iter().zip(0u16..).flat_map(|(word, place)| {
            let rest = successors(Some(word), |word| Some(word & word.wrapping_sub(1)));
            rest.take_while(|word| *word != 0).map(move |word| place * 64 + word.trailing_zeros() as u16)
        })
    }

    /// Whether no code is in the set.
    pub fn is_empty(&self) -> bool {
        self.bits.iter().all(|word| *word == 0)
    }

    /// The codes as runs of neighbours, first and last of each.
    fn runs(&self) -> Vec<(u16, u16)> {
        let mut runs: Vec<(u16, u16)> = Vec::new();
        for code in (0..=HIGHEST).filter(|code| self.contains(*code)) {
            match runs.last_mut() {
                Some((_, last)) if *last + 1 == code => *last = code,
                _ => runs.push((code, code)),
            }
        }
        runs
    }
}

impl fmt::Display for StatusSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (first, last)) in self.runs().into_iter().enumerate() {
            if at > 0 {
                f.write_str(", ")?;
            }
            if first == last {
                write!(f, "{first}")?;
            } else if first % 100 == 0 && last == first + 99 {
                write!(f, "{}xx", first / 100)?;
            } else {
                write!(f, "{first}-{last}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for StatusSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StatusSet({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::StatusSet;

    #[test]
    fn reads_codes_classes_and_ranges() {
        let set = StatusSet::parse("5xx").unwrap().or(StatusSet::parse("429").unwrap());
        assert!(set.contains(500) && set.contains(599) && set.contains(429));
        assert!(!set.contains(499) && !set.contains(428) && !set.contains(0) && !set.contains(u16::MAX));
        assert_eq!(set.to_string(), "429, 5xx");
        assert_eq!(StatusSet::parse("500 - 503").unwrap().to_string(), "500-503");
        assert!(StatusSet::default().is_empty() && !set.is_empty());
        let some = StatusSet::range(428, 501);
        assert_eq!(set.and(some).codes().collect::<Vec<_>>(), [429, 500, 501]);
        assert_eq!(some.without(StatusSet::range(430, 599)).to_string(), "428-429");
        assert_eq!(StatusSet::all().codes().count(), 500);
    }

    #[test]
    fn refuses_the_rest() {
        for text in
            ["", "42", "0429", "6xx", "xx", "99", "600", "503-500", "500-", "-500", "+42", "5x", "4xx-5xx"]
        {
            assert!(StatusSet::parse(text).is_err(), "{text}");
        }
    }
}
