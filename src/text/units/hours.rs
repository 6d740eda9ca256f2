//! Times of day and days of the week: `22:00-06:00`, `mon-fri`.

use super::zone::find_zone;
use jiff::Timestamp;
use jiff::civil::Weekday;
use jiff::tz::TimeZone;
use std::fmt;

/// The days, Monday first.
pub const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
/// The same, spelt out.
const LONG_DAYS: [&str; 7] = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
/// Minutes of a day.
const DAY: u16 = 24 * 60;
/// All days, as bits.
const ALL_DAYS: u8 = 0x7f;

/// From one time of day to another, in minutes from midnight: the first is in it, the second is not. Where the second is
/// the earlier one, the range goes over midnight.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TimeRange {
    begin: u16,
    end: u16,
}

/// Days of the week.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DaySet(u8);

/// Times of day on days of the week, in a time zone. What goes over midnight belongs to the day on which it begins.
#[derive(Clone, Debug)]
pub struct Hours {
    /// None: the whole day.
    ranges: Vec<TimeRange>,
    days: DaySet,
    zone: TimeZone,
    zone_name: String,
}

impl TimeRange {
    /// Reads `22:00-06:00`; `24:00` is the end of a day.
    pub fn parse(text: &str) -> Result<TimeRange, String> {
        let (begin, end) = text
            .split_once(['-', '–'])
            .ok_or_else(|| format!("`{text}` has no end: two times and a `-` are wanted"))?;
        let begin = minutes(begin).filter(|begin| *begin < DAY);
        let begin =
            begin.ok_or_else(|| format!("`{text}` does not begin with a time from 00:00 to 23:59"))?;
        let end =
            minutes(end).ok_or_else(|| format!("`{text}` does not end with a time from 00:00 to 24:00"))?;
        if begin == end {
            return Err(format!("`{text}` is no time at all: for all day write 00:00-24:00"));
        }
        Ok(TimeRange { begin, end })
    }

    fn goes_over_midnight(self) -> bool {
        self.end < self.begin
    }
}

/// `6:00` or `06:00`, as minutes from midnight.
fn minutes(text: &str) -> Option<u16> {
    let (hour, minute) = text.trim().split_once(':')?;
    let digits = |text: &str, least: usize| {
        let is_number = (least..=2).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| text.parse::<u16>().ok()).flatten()
    };
    let (hour, minute) = (digits(hour, 1)?, digits(minute, 2)?);
    let all = hour * 60 + minute;
    (minute < 60 && all <= DAY).then_some(all)
}

impl DaySet {
    /// All days.
    pub const ALL: DaySet = DaySet(ALL_DAYS);

    /// Reads `mon`, `Monday`, or `mon-fri`; what ends before it begins goes over Sunday. The error is the word that is no
    /// day.
    pub fn parse(text: &str) -> Result<DaySet, &str> {
        let Some((first, last)) = text.split_once(['-', '–']) else {
            return day(text).map(|day| DaySet(1 << day));
        };
        let (first, last) = (day(first)?, day(last)?);
        let length = (last + 7 - first) % 7;
        Ok(DaySet((0..=length).fold(0, |days, more| days | 1 << ((first + more) % 7))))
    }

    /// The days of both.
    pub fn or(self, other: DaySet) -> DaySet {
        DaySet(self.0 | other.0)
    }

    fn has(self, day: u8) -> bool {
        self.0 >> day & 1 == 1
    }
}

/// The place of a day in the week, from 0.
fn day(text: &str) -> Result<u8, &str> {
    let small = text.trim().to_ascii_lowercase();
    let is_it = |(short, long): (&&str, &&str)| **short == small || **long == small;
    let place = DAYS.iter().zip(&LONG_DAYS).position(is_it);
    place.and_then(|place| u8::try_from(place).ok()).ok_or(text.trim())
}

impl Hours {
    /// These times on these days; without ranges the whole day, without a zone in UTC. `None` if there is no such zone.
    pub fn new(ranges: Vec<TimeRange>, days: DaySet, zone: Option<&str>) -> Option<Hours> {
        let zone_name = zone.unwrap_or("UTC").to_owned();
        Some(Hours { ranges, days, zone: find_zone(&zone_name)?, zone_name })
    }

    /// Whether it is one of these times, `now_ms` being milliseconds since 1970.
    pub fn hold(&self, now_ms: i64) -> bool {
        let Some((today, time)) = self.local(now_ms) else { return false };
        let yesterday = (today + 6) % 7;
        let fits = |range: &TimeRange| match range.goes_over_midnight() {
            true if time < range.end => self.days.has(yesterday),
            true => time >= range.begin && self.days.has(today),
            false => (range.begin..range.end).contains(&time) && self.days.has(today),
        };
        if self.ranges.is_empty() { self.days.has(today) } else { self.ranges.iter().any(fits) }
    }

    /// What the clocks of its zone show: `Sat 23:15 in Europe/Berlin`.
    pub fn shown(&self, now_ms: i64) -> String {
        let Some((day, time)) = self.local(now_ms) else { return "beyond the calendar".to_owned() };
        let name = DAYS.get(usize::from(day)).copied().unwrap_or_default();
        format!("{name} {:02}:{:02} in {}", time / 60, time % 60, self.zone_name)
    }

    /// The day and the minute of the day, by the clocks of the zone.
    fn local(&self, now_ms: i64) -> Option<(u8, u16)> {
        let now = Timestamp::from_millisecond(now_ms).ok()?.to_zoned(self.zone.clone());
        let day = match now.weekday() {
            Weekday::Monday => 0,
            Weekday::Tuesday => 1,
            Weekday::Wednesday => 2,
            Weekday::Thursday => 3,
            Weekday::Friday => 4,
            Weekday::Saturday => 5,
            Weekday::Sunday => 6,
        };
        let (hour, minute) = (u16::try_from(now.hour()).ok()?, u16::try_from(now.minute()).ok()?);
        Some((day, hour * 60 + minute))
    }
}

impl fmt::Display for Hours {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, TimeRange { begin, end }) in self.ranges.iter().enumerate() {
            let or = if place > 0 { " or " } else { "" };
            write!(out, "{or}{:02}:{:02}-{:02}:{:02}", begin / 60, begin % 60, end / 60, end % 60)?;
        }
        if self.days == DaySet::ALL {
            return Ok(());
        }
        let on = if self.ranges.is_empty() { "" } else { " of " };
        let names = DAYS.iter().zip(0..).filter(|(_, day)| self.days.has(*day)).map(|(name, _)| *name);
        write!(out, "{on}{}", names.collect::<Vec<_>>().join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::units::instant_from;
    use proptest::prelude::*;

    fn hours(ranges: &[&str], days: &str, zone: &str) -> Hours {
        let ranges = ranges.iter().map(|text| TimeRange::parse(text).unwrap()).collect();
        Hours::new(ranges, DaySet::parse(days).unwrap(), Some(zone)).unwrap()
    }

    fn hold(hours: &Hours, at: &str) -> bool {
        hours.hold(instant_from(at, 0).unwrap())
    }

    #[test]
    fn a_night_belongs_to_the_day_on_which_it_begins() {
        // 2026-01-19 is a Monday.
        let nights = hours(&["22:00-06:00"], "mon-fri", "UTC");
        let table = [
            ("2026-01-19T05:59:59Z", false),
            ("2026-01-19T21:59:59Z", false),
            ("2026-01-19T22:00:00Z", true),
            ("2026-01-20T05:59:59Z", true),
            ("2026-01-20T06:00:00Z", false),
            ("2026-01-23T23:00:00Z", true),
            ("2026-01-24T03:00:00Z", true),
            ("2026-01-24T22:00:00Z", false),
            ("2026-01-26T03:00:00Z", false),
        ];
        for (at, holds) in table {
            assert_eq!(hold(&nights, at), holds, "{at}");
        }
        assert_eq!(nights.to_string(), "22:00-06:00 of mon, tue, wed, thu, fri");
        assert_eq!(nights.shown(instant_from("2026-01-24T03:05:00Z", 0).unwrap()), "sat 03:05 in UTC");
    }

    #[test]
    fn days_and_ranges_wrap_and_several_are_one_of_them() {
        let long_weekend = hours(&[], "sat-mon", "UTC");
        let on = |day: u32| hold(&long_weekend, &format!("2026-01-{day}T12:00:00Z"));
        assert_eq!([17, 18, 19, 20, 23].map(on), [true, true, true, false, false]);
        let office = hours(&["9:00-12:00", "13:00-17:30"], "Monday", "UTC");
        let at = |time: &str| hold(&office, &format!("2026-01-19T{time}:00Z"));
        assert_eq!(
            ["08:59", "09:00", "12:00", "13:00", "17:29", "17:30"].map(at),
            [false, true, false, true, true, false]
        );
        let all_day = hours(&["00:00-24:00"], "mon-sun", "UTC");
        assert!(hold(&all_day, "2026-01-19T00:00:00Z") && hold(&all_day, "2026-01-19T23:59:59Z"));
        assert!(hold(&hours(&["22:00-00:00"], "mon", "UTC"), "2026-01-19T23:59:59Z"));
    }

    #[test]
    fn clocks_are_those_of_the_zone_also_when_they_are_put_forward_and_back() {
        let berlin = hours(&["02:00-03:00"], "sun", "Europe/Berlin");
        // In spring, 02:00 to 03:00 does not happen there; in autumn it happens twice.
        let spring = ["2026-03-29T00:30:00Z", "2026-03-29T01:00:00Z", "2026-03-29T01:30:00Z"];
        assert!(spring.iter().all(|at| !hold(&berlin, at)));
        let autumn = ["2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z"];
        assert!(autumn.iter().all(|at| hold(&berlin, at)));
        assert!(!hold(&berlin, "2026-10-24T23:59:00Z") && !hold(&berlin, "2026-10-25T02:00:00Z"));
        assert!(hold(&hours(&["8:00-9:00"], "mon", "UTC+8"), "2026-01-19T00:30:00Z"));
        assert!(Hours::new(Vec::new(), DaySet::ALL, Some("Europe/Nowhere")).is_none());
    }

    #[test]
    fn nothing_else_is_a_range_or_a_day() {
        for text in [
            "",
            "22:00",
            "8-17",
            "24:00-06:00",
            "22:00-24:01",
            "22:60-23:00",
            "8:5-9:00",
            "x-y",
            "-",
            "08:00-08:00",
        ] {
            assert!(TimeRange::parse(text).is_err(), "{text}");
        }
        assert_eq!(DaySet::parse("mon-fry"), Err("fry"));
        assert_eq!(DaySet::parse("someday"), Err("someday"));
    }

    proptest! {
        #[test]
        fn never_panics(text in "[0-9:\\-a-z ]{0,14}|\\PC{0,14}", now in any::<i64>()) {
            let days = DaySet::parse(&text).unwrap_or(DaySet::ALL);
            let ranges = TimeRange::parse(&text).into_iter().collect();
            let hours = Hours::new(ranges, days, Some("Europe/Berlin")).unwrap();
            hours.hold(now);
            hours.shown(now);
        }
    }
}
