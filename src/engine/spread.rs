//! How requests are shared out among providers of the same priority: by weight, by load, or by a value of theirs.

use super::actions::scramble;
use crate::config::model::SpreadBy;
use crate::language::Template;

/// How a route shares requests out.
pub struct Spread {
    /// By what.
    pub by: SpreadBy,
    /// For `sticky`: the value that decides, over [`super::names::ROUTING`].
    pub(super) on: Option<Template>,
}

/// Where a provider stands for one draw: the smallest number comes first. With the same `draw`, one that has
/// twice the weight comes first twice as often, and that another one is missing changes nothing between the
/// rest (weighted rendezvous hashing).
pub fn rank(draw: u64, name: &str, weight: u32) -> f64 {
    let mixed = scramble(name.bytes().fold(draw, |hash, byte| scramble(hash ^ u64::from(byte))));
    // Between 0 and 1, and neither of them.
    let share = ((mixed >> 12) as f64 + 0.5) / (1u64 << 52) as f64;
    -share.ln() / f64::from(weight.max(1))
}

/// The draw that belongs to a value of a request: always the same one.
pub fn draw_of(value: &str) -> u64 {
    value.bytes().fold(0x5eed, |hash, byte| scramble(hash ^ u64::from(byte)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first(draw: u64, providers: &[(&'static str, u32)]) -> &'static str {
        let ranked = providers.iter().map(|(name, weight)| (rank(draw, name, *weight), *name));
        ranked.min_by(|one, other| one.0.total_cmp(&other.0)).map_or("", |(_, name)| name)
    }

    #[test]
    fn each_comes_first_as_often_as_its_weight_says() {
        let times = |name: &str| (0..4000).filter(|draw| first(*draw, &[("a", 1), ("b", 3)]) == name).count();
        assert!((900..1100).contains(&times("a")), "{}", times("a"));
        assert_eq!(times("a") + times("b"), 4000);
    }

    #[test]
    fn a_value_keeps_its_place_when_another_provider_goes() {
        let all = [("a", 1), ("b", 1), ("c", 1)];
        for user in 0..200 {
            let draw = draw_of(&format!("user-{user}"));
            let chosen = first(draw, &all);
            let without_c = first(draw, &all[..2]);
            assert!(chosen == "c" || chosen == without_c);
        }
    }
}
