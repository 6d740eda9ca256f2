//! Cool downs, switches and standings in virtual time.

use super::evidence::Counted;
use super::*;
use std::time::Duration;

const DAY: Ms = 86_400_000;

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
    health.down("one", "dead", None, 5);
    assert_eq!(health.free_at("one", 6), Some(Ms::MAX));
    assert!(!health.probed(&one, true, 2, 10));
    assert!(!health.probed(&one, false, 2, 20));
    assert!(!health.probed(&one, true, 2, 30));
    assert!(health.probed(&one, true, 2, 40));
    assert!(health.is_usable("one", 40));
}

#[test]
fn when_the_clock_is_set_lengths_of_time_go_with_it_and_moments_stay() {
    for by in [DAY, -DAY] {
        let (mut health, now) = (Health::new(), 20_000 * DAY);
        let then = now + by;
        health.cool_down("guess", now + 30_000, "r", now);
        for (name, is_moment) in [("stated", false), ("moment", true)] {
            let until = now + 40_000;
            let wanted = Wanted {
                until,
                rule: "r",
                meaning: None,
                trials: 1,
                is_guess: false,
                is_stated: true,
                is_moment,
            };
            health.put_aside(Aside::provider(name), wanted, now);
        }
        let counted = Lane { provider: "counted", key: "", model: "".into() };
        let after = After { needed: 2, counted: Counted::All, within: Some(Duration::from_secs(30)) };
        assert!(!health.count(&counted, &Aside::provider("counted"), "r", after, now).is_enough);
        health.switch = Some(Switch { provider: "guess".to_owned(), since: now, until: Some(now + 5_000) });
        // A pause that has run out, and a request that tries whether all is well.
        let trial = Lane { provider: "trial", key: "", model: "".into() };
        let wanted = Wanted {
            until: now,
            rule: "r",
            meaning: None,
            trials: 1,
            is_guess: true,
            is_stated: false,
            is_moment: false,
        };
        health.put_aside(Aside::provider("trial"), wanted, now - 10_000);
        health.engage(&trial, now + 60_000, now);
        health.asked("guess");

        health.move_lengths(by);
        assert_eq!(health.free_at("guess", then), Some(then + 30_000));
        assert_eq!(health.free_at("stated", then), Some(then + 40_000));
        assert_eq!(health.free_at("moment", then), (by < 0).then_some(now + 40_000));
        assert!(health.is_chosen("guess", then + 4_999) && !health.is_chosen("guess", then + 5_000));
        assert!(health.on_trial(&trial, then).is_some() && health.on_trial(&trial, then + 60_000).is_none());
        health.disengage(&trial, then + 60_000);
        assert!(health.on_trial(&trial, then).is_none());
        assert!(health.count(&counted, &Aside::provider("counted"), "r", after, then + 29_999).is_enough);
    }
}

#[test]
fn a_state_from_the_future_shows_that_the_clock_was_set_back() {
    let (mut health, now) = (Health::new(), 20_000 * DAY);
    health.cool_down("one", now + 30_000, "r", now);
    let read = || Health::from_state(&health.to_state()).unwrap();
    let (mut back, mut later) = (read(), read());
    assert_eq!(back.resume(now - DAY), Some(-DAY));
    assert_eq!(back.free_at("one", now - DAY), Some(now - DAY + 30_000));
    assert_eq!(later.resume(now + 5_000), None);
    assert_eq!(later.free_at("one", now + 5_000), Some(now + 30_000));
}
