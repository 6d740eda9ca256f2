//! Schedules in cron's notation. The only file that names the cron crate.

use std::fmt;

use croner::parser::{CronParser, Seconds, Year};
use jiff::Timestamp;
use jiff::tz::{TimeZone, TimeZoneDatabase};

/// A schedule: five fields (minute, hour, day of month, month, day of week) or `@hourly`, `@daily`,
/// `@weekly`, `@monthly`, `@yearly`, in a time zone.
///
/// When clocks are put forward, a time that does not exist is taken at the first moment after the gap,
/// and a repeating one (`*/5`) goes on after it; when clocks are put back, a fixed time comes once and
/// a repeating one goes through both hours.
#[derive(Clone)]
pub struct Cron {
    schedule: croner::Cron,
    zone: TimeZone,
}

impl Cron {
    /// Reads a schedule. `zone` is a name of the IANA database such as `Europe/Berlin`; without it, UTC.
    ///
    /// The database is the one built into the program, so that the same rules mean the same everywhere.
    pub fn parse(text: &str, zone: Option<&str>) -> Result<Cron, String> {
        let zone = match zone {
            Some(name) => Cron::zone(name)?,
            None => TimeZone::UTC,
        };
        let schedule = CronParser::builder()
            .seconds(Seconds::Disallowed)
            .year(Year::Disallowed)
            .build()
            .parse(text)
            .map_err(|error| format!("`{}` is not a schedule: {}", text.trim(), plain_words(&error)))?;
        let cron = Cron { schedule, zone };
        match cron.next_after(0) {
            Some(_) => Ok(cron),
            None => Err(format!("the schedule `{}` never comes", text.trim())),
        }
    }

    fn zone(name: &str) -> Result<TimeZone, String> {
        let zones = TimeZoneDatabase::bundled();
        zones.get(name).map_err(|_| {
            let known: Vec<String> = zones.available().map(|name| name.as_str().to_owned()).collect();
            match crate::text::diagnostic::did_you_mean(name, known.iter().map(String::as_str)) {
                Some(meant) => format!("no time zone is called `{name}`; did you mean `{meant}`?"),
                None => format!("no time zone is called `{name}`; write one like `Europe/Berlin`, or `UTC`"),
            }
        })
    }

    /// The first moment of the schedule after `ms`, both in milliseconds since the Unix epoch; nothing
    /// when there is none within the years that calendars cover.
    pub fn next_after(&self, ms: i64) -> Option<i64> {
        let from = Timestamp::from_millisecond(ms).ok()?.to_zoned(self.zone.clone());
        let next = self.schedule.find_next_occurrence(&from, false).ok()?;
        Some(next.timestamp().as_millisecond())
    }

    /// The schedule as it was written.
    pub fn as_str(&self) -> &str {
        self.schedule.as_str()
    }
}

impl fmt::Debug for Cron {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cron({} {})", self.as_str(), self.zone.iana_name().unwrap_or("?"))
    }
}

impl PartialEq for Cron {
    fn eq(&self, other: &Cron) -> bool {
        self.schedule == other.schedule && self.zone == other.zone
    }
}

fn plain_words(error: &croner::errors::CronError) -> String {
    use croner::errors::CronError;
    match error {
        CronError::EmptyPattern => "it is empty".to_owned(),
        CronError::InvalidPattern(text)
        | CronError::IllegalCharacters(text)
        | CronError::ComponentError(text) => text.trim_end_matches('.').to_owned(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::Cron;
    use crate::text::units::{instant_from, instant_text};

    fn at(text: &str) -> i64 {
        instant_from(text, 0).unwrap()
    }

    fn next(cron: &str, zone: Option<&str>, after: &str, count: usize) -> Vec<String> {
        let cron = Cron::parse(cron, zone).unwrap();
        std::iter::successors(cron.next_after(at(after)), |ms| cron.next_after(*ms))
            .take(count)
            .map(instant_text)
            .collect()
    }

    #[test]
    fn comes_again_and_again() {
        assert_eq!(
            next("0-4 * * * *", None, "2026-03-01T10:03:30Z", 3),
            ["2026-03-01T10:04:00Z", "2026-03-01T11:00:00Z", "2026-03-01T11:01:00Z"]
        );
        assert_eq!(
            next("@daily", Some("Asia/Shanghai"), "2026-03-01T10:00:00Z", 1),
            ["2026-03-01T16:00:00Z"]
        );
        assert_eq!(next("0 9 * * mon", None, "2026-03-01T10:00:00Z", 1), ["2026-03-02T09:00:00Z"]);
    }

    #[test]
    fn clocks_that_are_put_forward_and_back() {
        let berlin = Some("Europe/Berlin");
        // 02:30 does not exist on 29 March 2026: it comes when the clock shows 03:00.
        assert_eq!(
            next("30 2 * * *", berlin, "2026-03-28T12:00:00Z", 2),
            ["2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"]
        );
        // 02:30 exists twice on 25 October 2026: it comes once.
        assert_eq!(
            next("30 2 * * *", berlin, "2026-10-24T12:00:00Z", 2),
            ["2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"]
        );
    }

    #[test]
    fn says_what_is_wrong() {
        for text in ["", "* * * *", "* * * * * *", "61 * * * *", "x * * * *", "@often", "0 0 30 2 *"] {
            assert!(Cron::parse(text, None).is_err(), "{text}");
        }
        let wrong = Cron::parse("* * * * *", Some("Europe/Berln")).unwrap_err();
        assert!(wrong.contains("did you mean `Europe/Berlin`?"), "{wrong}");
    }
}
