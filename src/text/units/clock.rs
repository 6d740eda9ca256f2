//! Moments as programs tell them to people: `12 minutes`, `8pm (Europe/Paris)`, `Oct 6, 1:30pm`.

use jiff::civil::{Date, DateTime, Time, Weekday};
use jiff::tz::{TimeZone, TimeZoneDatabase};
use jiff::{Timestamp, ToSpan, Zoned};

/// Units as people write them, in seconds.
const UNITS: [(&str, f64); 13] = [
    ("ms", 0.001),
    ("millisecond", 0.001),
    ("s", 1.0),
    ("sec", 1.0),
    ("second", 1.0),
    ("m", 60.0),
    ("min", 60.0),
    ("minute", 60.0),
    ("h", 3600.0),
    ("hr", 3600.0),
    ("hour", 3600.0),
    ("d", 86_400.0),
    ("day", 86_400.0),
];

const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];

const WEEKDAYS: [(&str, Weekday); 7] = [
    ("monday", Weekday::Monday),
    ("tuesday", Weekday::Tuesday),
    ("wednesday", Weekday::Wednesday),
    ("thursday", Weekday::Thursday),
    ("friday", Weekday::Friday),
    ("saturday", Weekday::Saturday),
    ("sunday", Weekday::Sunday),
];

/// A century: longer than anybody waits, and far from every overflow.
const LONGEST: f64 = 100.0 * 366.0 * 86_400.0;

/// Reads a time from now (`12 minutes`, `1 hour and 5 minutes`) or a time of day (`8pm`, `7:30 am`, `20:15`), with a
/// day in front of it (`Oct 6, 1pm`, `tomorrow at 8am`, `Monday 9am`) and a zone after it (`8pm (Europe/Paris)`), as
/// milliseconds since the Unix epoch. `zone` holds where none is named; without one it is UTC. A time of day
/// without a day is the next one after `now_ms`. The whole text has to be read; of case nothing depends.
pub fn in_words(text: &str, now_ms: i64, zone: Option<&str>) -> Option<i64> {
    let text = text.trim().trim_end_matches('.');
    if let Some(seconds) = length(text) {
        return now_ms.checked_add((seconds * 1000.0).round() as i64);
    }
    let (text, named) = match text.strip_suffix(')').and_then(|text| text.split_once('(')) {
        Some((text, named)) => (text.trim(), Some(named.trim())),
        None => without_zone(text),
    };
    let zone = named.or(zone).map_or(Some(TimeZone::UTC), find_zone)?;
    let now = Timestamp::from_millisecond(now_ms).ok()?.to_zoned(zone);
    let small = text.to_ascii_lowercase();
    let words: Vec<&str> =
        small.split([' ', ',']).filter(|word| !matches!(*word, "" | "at" | "on" | "the")).collect();
    let day = words.get(..words.len().checked_sub(1)?)?;
    let moment = match (time(words.last()?), words.as_slice()) {
        (Some(time), _) => on_day(day, time, &now)?,
        // `7:30 am`
        (None, [day @ .., hour, half @ ("am" | "pm")]) => on_day(day, time(&format!("{hour}{half}"))?, &now)?,
        // A day alone begins at midnight.
        (None, day) => on_day(day, Time::midnight(), &now)?,
    };
    Some(moment.timestamp().as_millisecond())
}

/// Whether there is a time zone of that name.
pub fn is_zone(name: &str) -> bool {
    find_zone(name).is_some()
}

fn find_zone(name: &str) -> Option<TimeZone> {
    if ["utc", "gmt", "z"].iter().any(|it| name.eq_ignore_ascii_case(it)) {
        return Some(TimeZone::UTC);
    }
    TimeZoneDatabase::bundled().get(name).ok()
}

/// Splits a zone off the end: `8pm Europe/Paris`, `8pm UTC`.
fn without_zone(text: &str) -> (&str, Option<&str>) {
    match text.rsplit_once(' ') {
        Some((front, name)) if name.contains('/') || name.eq_ignore_ascii_case("utc") => (front, Some(name)),
        _ => (text, None),
    }
}

/// A length of time in seconds: numbers and units one after the other.
fn length(text: &str) -> Option<f64> {
    let small = text.to_ascii_lowercase();
    let mut rest = small.trim();
    let mut seconds = 0.0;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest.find(|sign: char| !(sign.is_ascii_digit() || sign == '.')).unwrap_or(rest.len());
        let (number, after) = rest.split_at_checked(digits)?;
        let after = after.trim_start();
        let letters = after.find(|sign: char| !sign.is_ascii_alphabetic()).unwrap_or(after.len());
        let (unit, after) = after.split_at_checked(letters)?;
        let is_unit = |name: &str| unit == name || (name.len() > 1 && unit.strip_suffix('s') == Some(name));
        let (_, size) = UNITS.iter().find(|(name, _)| is_unit(name))?;
        seconds += number.parse::<f64>().ok()? * size;
        let after = after.trim_start_matches([' ', ',']);
        rest = after.strip_prefix("and ").unwrap_or(after).trim_start();
    }
    (seconds <= LONGEST).then_some(seconds)
}

/// `8pm`, `7:30am`, `20:15`.
fn time(word: &str) -> Option<Time> {
    let half =
        word.strip_suffix("am").map(|rest| (rest, 0)).or(word.strip_suffix("pm").map(|rest| (rest, 12)));
    let (clock, half) = half.map_or((word, None), |(rest, more)| (rest, Some(more)));
    let (hour, minute) = match clock.split_once(':') {
        Some((hour, minute)) if minute.len() == 2 => (hour, digits(minute)?),
        Some(_) => return None,
        // A number alone is no time of day.
        None if half.is_some() => (clock, 0),
        None => return None,
    };
    let hour = digits(hour)?;
    let hour = match half {
        Some(more) if (1..=12).contains(&hour) => hour % 12 + more,
        Some(_) => return None,
        None => hour,
    };
    Time::new(hour, minute, 0, 0).ok()
}

fn digits(text: &str) -> Option<i8> {
    (text.len() <= 2 && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse().ok())?
}

/// The next moment after `now` that is at this time on such a day.
fn on_day(day: &[&str], time: Time, now: &Zoned) -> Option<Zoned> {
    let at = |date: Date| now.time_zone().to_zoned(DateTime::from_parts(date, time)).ok();
    let after = |moment: &Zoned| moment > now;
    let today = now.date();
    match day {
        [] => at(today).filter(after).or_else(|| at(today.tomorrow().ok()?)),
        ["today"] => at(today),
        ["tomorrow"] => at(today.tomorrow().ok()?),
        [name] => {
            let (_, weekday) = WEEKDAYS.iter().find(|(full, _)| is_short_for(name, full))?;
            let days = weekday.since(today.weekday());
            let date = today.checked_add(i64::from(days).days()).ok()?;
            at(date).filter(after).or_else(|| at(date.checked_add(7.days()).ok()?))
        }
        [month, number] | [month, number, _] => {
            let (month, number) = if is_month(month) { (month, number) } else { (number, month) };
            let month = MONTHS.iter().position(|full| is_short_for(month, full))?;
            let month = i8::try_from(month + 1).ok()?;
            let number = number.trim_end_matches(|sign: char| sign.is_ascii_alphabetic());
            let number = digits(number)?;
            if let [_, _, year] = day {
                let year = (year.len() == 4).then(|| year.parse().ok())??;
                return at(Date::new(year, month, number).ok()?);
            }
            let in_year = |year: i16| Date::new(year, month, number).ok().and_then(at);
            in_year(today.year()).filter(after).or_else(|| in_year(today.year() + 1))
        }
        _ => None,
    }
}

fn is_month(word: &str) -> bool {
    MONTHS.iter().any(|full| is_short_for(word, full))
}

/// `oct`, `oct.` and `october`.
fn is_short_for(word: &str, full: &str) -> bool {
    let word = word.trim_end_matches('.');
    word.len() >= 3 && full.starts_with(word)
}

#[cfg(test)]
mod tests {
    use super::in_words;
    use crate::text::units::{instant_from, instant_text};
    use proptest::prelude::*;

    /// A Tuesday in winter, noon in UTC.
    const NOW: &str = "2026-01-20T12:00:00Z";

    fn read(text: &str, zone: Option<&str>) -> Option<String> {
        in_words(text, instant_from(NOW, 0).unwrap(), zone).map(instant_text)
    }

    #[test]
    fn moments_in_words() {
        let table = [
            ("12 minutes", "2026-01-20T12:12:00Z"),
            ("1 second", "2026-01-20T12:00:01Z"),
            ("2 hrs", "2026-01-20T14:00:00Z"),
            ("1.5 hours", "2026-01-20T13:30:00Z"),
            ("1 hour and 5 minutes", "2026-01-20T13:05:00Z"),
            ("3 Days, 4 Hours", "2026-01-23T16:00:00Z"),
            ("500 ms", "2026-01-20T12:00:00.5Z"),
            ("8pm", "2026-01-20T20:00:00Z"),
            ("8pm (Europe/Paris)", "2026-01-20T19:00:00Z"),
            ("8pm (UTC)", "2026-01-20T20:00:00Z"),
            ("8PM Europe/Paris", "2026-01-20T19:00:00Z"),
            ("1pm (Europe/Paris)", "2026-01-21T12:00:00Z"),
            ("7:30 am (America/New_York)", "2026-01-20T12:30:00Z"),
            ("12am", "2026-01-21T00:00:00Z"),
            ("12pm", "2026-01-21T12:00:00Z"),
            ("20:15", "2026-01-20T20:15:00Z"),
            ("tomorrow at 8am", "2026-01-21T08:00:00Z"),
            ("Oct 6, 1pm (Europe/Berlin)", "2026-10-06T11:00:00Z"),
            ("October 6 at 1:05pm", "2026-10-06T13:05:00Z"),
            ("6 Oct 1pm", "2026-10-06T13:00:00Z"),
            ("Jan 3, 9am", "2027-01-03T09:00:00Z"),
            ("Jan 3rd, 2026, 9am", "2026-01-03T09:00:00Z"),
            ("Monday 9am", "2026-01-26T09:00:00Z"),
            ("Tue 9am", "2026-01-27T09:00:00Z"),
            ("Tuesday 1pm", "2026-01-20T13:00:00Z"),
            ("Mar 1 (America/Los_Angeles)", "2026-03-01T08:00:00Z"),
        ];
        for (text, moment) in table {
            assert_eq!(read(text, None).as_deref(), Some(moment), "{text}");
        }
        assert_eq!(read("8pm", Some("Asia/Tokyo")).as_deref(), Some("2026-01-21T11:00:00Z"));
        assert_eq!(read("8pm (UTC)", Some("Asia/Tokyo")).as_deref(), Some("2026-01-20T20:00:00Z"));
    }

    #[test]
    fn nothing_else() {
        for text in [
            "",
            "8",
            "13pm",
            "0am",
            "8:5pm",
            "25:00",
            "8pm (Europe/Nowhere)",
            "soon",
            "12",
            "1 fortnight",
            "Oct 32, 1pm",
            "Feb 30 1pm",
            "Smarch 3 1pm",
            "8pm and more",
            "8pm8pm",
            "minutes",
            "1 hour ago",
            "-3 hours",
            "1e9 s",
            "99999999999 days",
            "Monday Tuesday 9am",
        ] {
            assert_eq!(read(text, None), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(text in "[0-9a-z :,./()]{0,30}|\\PC{0,30}", now in any::<i64>()) {
            let _ = in_words(&text, now, None);
        }
    }
}
