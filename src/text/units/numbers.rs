//! Sets of whole numbers, as rules write them: `above 3`, `5`, one of several.

/// A set of whole numbers: ranges in ascending order, both ends included, with a gap between any two.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct NumberSet(Vec<(u64, u64)>);

impl NumberSet {
    /// The numbers from `first` to `last`, both included; none if they are the wrong way round.
    pub fn range(first: u64, last: u64) -> NumberSet {
        NumberSet(if first <= last { vec![(first, last)] } else { Vec::new() })
    }

    /// This number alone.
    pub fn only(number: u64) -> NumberSet {
        NumberSet::range(number, number)
    }

    /// All numbers.
    pub fn all() -> NumberSet {
        NumberSet::range(0, u64::MAX)
    }

    /// The numbers above this one.
    pub fn above(number: u64) -> NumberSet {
        number.checked_add(1).map_or_else(NumberSet::default, |next| NumberSet::range(next, u64::MAX))
    }

    /// The numbers below this one.
    pub fn below(number: u64) -> NumberSet {
        number.checked_sub(1).map_or_else(NumberSet::default, |last| NumberSet::range(0, last))
    }

    /// Whether there is no number in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the number is in it.
    pub fn contains(&self, number: u64) -> bool {
        self.0.iter().any(|(first, last)| (*first..=*last).contains(&number))
    }

    /// What is in either.
    pub fn or(mut self, other: NumberSet) -> NumberSet {
        self.0.extend(other.0);
        self.0.sort_unstable();
        let mut joined: Vec<(u64, u64)> = Vec::with_capacity(self.0.len());
        for (first, last) in self.0 {
            match joined.last_mut() {
                Some((_, end)) if first <= end.saturating_add(1) => *end = last.max(*end),
                _ => joined.push((first, last)),
            }
        }
        NumberSet(joined)
    }

    /// What is in both.
    pub fn and(self, other: NumberSet) -> NumberSet {
        self.not().or(other.not()).not()
    }

    /// What is not in it.
    #[allow(clippy::should_implement_trait, reason = "`and` and `or` are no operators either")]
    pub fn not(self) -> NumberSet {
        let mut gaps = Vec::with_capacity(self.0.len() + 1);
        let mut next = Some(0);
        for (first, last) in self.0 {
            if let (Some(from), Some(to)) = (next, first.checked_sub(1))
                && from <= to
            {
                gaps.push((from, to));
            }
            next = last.checked_add(1);
        }
        gaps.extend(next.map(|from| (from, u64::MAX)));
        NumberSet(gaps)
    }
}

/// A number for people, its thousands apart: `12,345`.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::NumberSet;
    use proptest::prelude::*;

    /// A set, and what it has to contain.
    fn set() -> impl Strategy<Value = NumberSet> {
        let edge = prop_oneof![0..12u64, u64::MAX - 3..=u64::MAX];
        let one = (edge.clone(), edge).prop_map(|(first, last)| NumberSet::range(first, last));
        proptest::collection::vec(one, 0..4)
            .prop_map(|all| all.into_iter().fold(NumberSet::default(), NumberSet::or))
    }

    proptest! {
        #[test]
        fn sets_are_what_their_numbers_are(one in set(), other in set()) {
            for number in (0..14).chain(u64::MAX - 5..=u64::MAX) {
                let (a, b) = (one.contains(number), other.contains(number));
                prop_assert_eq!(one.clone().or(other.clone()).contains(number), a || b);
                prop_assert_eq!(one.clone().and(other.clone()).contains(number), a && b);
                prop_assert_eq!(one.clone().not().contains(number), !a);
            }
            prop_assert_eq!(one.clone().not().not(), one.clone());
            prop_assert!(one.clone().and(one.not()).is_empty());
        }
    }

    #[test]
    fn ends_are_where_they_should_be() {
        assert!(NumberSet::above(3).contains(4) && !NumberSet::above(3).contains(3));
        assert!(NumberSet::below(3).contains(2) && !NumberSet::below(3).contains(3));
        assert!(NumberSet::below(0).is_empty() && NumberSet::above(u64::MAX).is_empty());
        assert!(NumberSet::above(5).and(NumberSet::below(6)).is_empty());
    }
}
