//! The machine's calendar clock is set: what lasts for some time lasts as long as it would have.

use super::Health;
use crate::engine::Ms;

impl Health {
    /// The clock was set by `by` milliseconds. All that lasts for some time goes with it, and so does all that is over; a
    /// moment that an answer named, such as ten o'clock, stays where it is.
    pub fn move_lengths(&mut self, by: Ms) {
        let move_it = |time: &mut Ms| *time = time.saturating_add(by);
        self.pauses.move_lengths(by);
        self.evidence.move_times(by);
        for known in self.providers.values_mut() {
            known.last_error.iter_mut().for_each(|error| move_it(&mut error.at));
            known.down.iter_mut().for_each(|down| move_it(&mut down.since));
            let times = [&mut known.last_success, &mut known.since, &mut known.last_probe];
            times.into_iter().flatten().for_each(move_it);
        }
        if let Some(switch) = &mut self.switch {
            move_it(&mut switch.since);
            switch.until.iter_mut().for_each(move_it);
        }
        self.limited.values_mut().for_each(move_it);
    }

    /// Takes up what was known before a restart. What happened later than `now` shows that the clock was set back
    /// meanwhile; then lengths of time go with it. Returns by how much that was at least.
    pub fn resume(&mut self, now: Ms) -> Option<Ms> {
        let of_providers = self.providers.values().flat_map(|known| {
            let error = known.last_error.as_ref().map(|error| error.at);
            [known.last_success, known.since, known.last_probe, error].into_iter().flatten()
        });
        let of_pauses = self.pauses.all().map(|(_, pause)| pause.since);
        let switched = self.switch.iter().map(|switch| switch.since);
        let latest =
            of_providers.chain(of_pauses).chain(switched).chain(self.limited.values().copied()).max()?;
        let by = now.saturating_sub(latest);
        (by < 0).then(|| {
            self.move_lengths(by);
            by
        })
    }
}
