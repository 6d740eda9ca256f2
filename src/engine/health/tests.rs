//! Cool downs, switches and standings in virtual time.

use super::*;

#[test]
fn a_cool_down_is_never_shortened_and_ends_by_itself() {
    let mut health = Health::new();
    assert!(health.is_usable("one", 0));
    assert_eq!(health.cool_down("one", 1_000, "limit", 0), 1_000);
    assert_eq!(health.cool_down("one", 500, "broad", 10), 1_000);
    assert_eq!(health.pause("one", 20).map(|pause| pause.rule.as_str()), Some("limit"));
    assert_eq!(health.cool_down("one", 2_000, "longer", 20), 2_000);
    assert_eq!(health.standing("one", 1_999), Standing::Cooling);
    assert_eq!(health.pause("one", 1_999).map(|pause| pause.since), Some(0));
    assert!(health.is_usable("one", 2_000));
}

#[test]
fn down_lasts_until_enough_probes_were_good() {
    let mut health = Health::new();
    let one = Lane { provider: "one", key: "k", model: "m".into() };
    health.down("one", "dead", 5);
    assert_eq!(health.free_at("one", 6), Some(Ms::MAX));
    assert!(!health.probed(&one, true, 2, 10));
    assert!(!health.probed(&one, false, 2, 20));
    assert!(!health.probed(&one, true, 2, 30));
    assert!(health.probed(&one, true, 2, 40));
    assert!(health.is_usable("one", 40));
}
