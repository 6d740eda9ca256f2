//! Moments as programs tell them to people: `12 minutes`, `8pm (Europe/Paris)`, `Oct 6, 1:30pm`, `2026-09-12 00:35`.

use super::zone::{find_zone, is_zone, split_zone};
use jiff::civil::{Date, DateTime, Time, Weekday};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan, Zoned};

/// Units as people write them, in seconds.
const UNITS: [(&str, f64); 25] = [
    ("ms", 0.001),
    ("millisecond", 0.001),
    ("s", 1.0),
    ("sec", 1.0),
    ("second", 1.0),
    ("秒钟", 1.0),
    ("秒", 1.0),
    ("m", 60.0),
    ("min", 60.0),
    ("minute", 60.0),
    ("分钟", 60.0),
    ("分", 60.0),
    ("h", 3600.0),
    ("hr", 3600.0),
    ("hour", 3600.0),
    ("个小时", 3600.0),
    ("小时", 3600.0),
    ("d", 86_400.0),
    ("day", 86_400.0),
    ("天", 86_400.0),
    ("日", 86_400.0),
    ("w", 604_800.0),
    ("week", 604_800.0),
    ("周", 604_800.0),
    ("个星期", 604_800.0),
];

/// Words that say that a length of time is not exact, or that one follows.
const LEAD: [&str; 12] = [
    "in",
    "after",
    "within",
    "about",
    "approximately",
    "approx",
    "around",
    "roughly",
    "another",
    "less than",
    "~",
    "约",
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

/// Reads a time from now (`12 minutes`, `about 1 hour and 5 minutes`, `PT3H`) or a moment: a time of day (`8pm`, `7:30 am`,
/// `20:15:00`, `midnight`), a day (`Oct 6`, `tomorrow`, `Monday`, `2026-09-12`, `2026年9月12日`), or a day with a time
/// behind it or in front, and a zone after that (`8pm (Europe/Paris)`, `00:35 UTC+8`), as milliseconds since the Unix epoch. `zone`
/// holds where none is named; without one it is UTC. A time of day without a day is the next one after `now_ms`. The
/// whole text has to be read; case does not matter.
pub fn in_words(text: &str, now_ms: i64, zone: Option<&str>) -> Option<i64> {
    let small = text.trim().trim_end_matches(['.', '。']).to_lowercase();
    if let Some(seconds) = length(&small) {
        return now_ms.checked_add((seconds * 1000.0).round() as i64);
    }
    let (text, named) = split_zone(&small);
    let spaced = spaced(text);
    let words: Vec<&str> =
        spaced.split([' ', ',']).filter(|word| !matches!(*word, "" | "at" | "on" | "the")).collect();
    let in_front = time_in_front(&words);
    let named = in_front.and_then(|(_, zone, _)| zone).or(named);
    let zone = named.or(zone).map_or(Some(TimeZone::UTC), find_zone)?;
    let now = Timestamp::from_millisecond(now_ms).ok()?.to_zoned(zone);
    let day = words.get(..words.len().checked_sub(1)?)?;
    let (day, time) = match (in_front, time(words.last()?), words.as_slice()) {
        (Some((time, _, day)), _, _) => (day, time),
        (None, Some(time), _) => (day, time),
        // `7:30 am`
        (None, None, [day @ .., hour, half @ ("am" | "pm")]) => (day, time(&format!("{hour}{half}"))?),
        // A day alone begins at midnight.
        (None, None, day) => (day, Time::midnight()),
    };
    let moment = on_day(day, time, &now)?;
    Some(moment.timestamp().as_millisecond())
}

/// Whether a text is a length of time: it means the same in every zone, on every day.
pub(super) fn is_length(text: &str) -> bool {
    length(&text.trim().to_lowercase()).is_some()
}

/// Whether a text is a time that means another moment in another zone: it names none itself.
pub fn has_no_zone(text: &str, now_ms: i64) -> bool {
    in_words(text, now_ms, None) != in_words(text, now_ms, Some("+05:45"))
}

/// A time in front of its day, and the zone that may stand between them: `8am tomorrow`, `00:00 UTC on October 1`.
fn time_in_front<'w>(words: &'w [&'w str]) -> Option<(Time, Option<&'w str>, &'w [&'w str])> {
    let (time, rest) = match words {
        [hour, half @ ("am" | "pm"), rest @ ..] => (time(&format!("{hour}{half}"))?, rest),
        [word, rest @ ..] => (time(word)?, rest),
        [] => return None,
    };
    match rest {
        [] => None,
        [zone, day @ ..] if !day.is_empty() && is_zone(bare_zone(zone)) => {
            Some((time, Some(bare_zone(zone)), day))
        }
        day => Some((time, None, day)),
    }
}

fn bare_zone(word: &str) -> &str {
    word.trim_matches(['(', ')'])
}

/// Dates of digits as words of their own: `2026-09-12T00:35` and `2026年9月12日00:35` as `2026-09-12 00:35`.
fn spaced(text: &str) -> String {
    let text = text.replace(['年', '月'], "-").replace('日', " ");
    match text.split_once('t') {
        Some((date, time)) if date.len() == 10 && date.ends_with(|sign: char| sign.is_ascii_digit()) => {
            format!("{date} {time}")
        }
        _ => text,
    }
}

/// A length of time in seconds: numbers and units one after the other, or ISO 8601's notation, in small letters.
fn length(text: &str) -> Option<f64> {
    let mut rest = text.trim();
    while let Some(after) = LEAD.iter().find_map(|word| rest.strip_prefix(word)) {
        rest = after.trim_start_matches([' ', '.']);
    }
    let rest = rest.strip_suffix("from now").or_else(|| rest.strip_suffix("later")).unwrap_or(rest);
    let rest = rest.trim_end_matches([' ', '后']);
    let seconds = match rest.strip_prefix('p') {
        Some(iso) => {
            // Only behind `t` are `m` minutes; months have no length of their own.
            let (days, times) = iso.split_once('t').unwrap_or((iso, ""));
            let is_known = !days.contains(['m', 'y']) && !iso.contains(' ');
            is_known.then(|| units(&format!("{days}{times}")))??
        }
        None => match rest.split_once(' ') {
            Some(("a" | "an" | "one", unit)) => units(&format!("1{unit}"))?,
            _ => units(rest)?,
        },
    };
    (seconds <= LONGEST).then_some(seconds)
}

fn units(text: &str) -> Option<f64> {
    let mut rest = text;
    let mut seconds = 0.0;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest.find(|sign: char| !(sign.is_ascii_digit() || sign == '.')).unwrap_or(rest.len());
        let (number, after) = rest.split_at_checked(digits)?;
        let after = after.trim_start();
        let letters = after.find(|sign: char| !sign.is_alphabetic()).unwrap_or(after.len());
        let (unit, after) = after.split_at_checked(letters)?;
        let is_unit = |name: &str| unit == name || (name.len() > 1 && unit.strip_suffix('s') == Some(name));
        let (_, size) = UNITS.iter().find(|(name, _)| is_unit(name))?;
        seconds += number.parse::<f64>().ok()? * size;
        let after = after.trim_start_matches([' ', ',']);
        rest = after.strip_prefix("and ").unwrap_or(after).trim_start();
    }
    Some(seconds)
}

/// `8pm`, `7:30am`, `20:15`, `20:15:30.5`, `noon`.
fn time(word: &str) -> Option<Time> {
    match word {
        "midnight" => return Some(Time::midnight()),
        "noon" => return Time::new(12, 0, 0, 0).ok(),
        _ => {}
    }
    let half =
        word.strip_suffix("am").map(|rest| (rest, 0)).or(word.strip_suffix("pm").map(|rest| (rest, 12)));
    let (clock, half) = half.map_or((word, None), |(rest, more)| (rest, Some(more)));
    let mut parts = clock.splitn(3, ':');
    let hour = digits(parts.next()?)?;
    let minute = match parts.next() {
        Some(minute) if minute.len() == 2 => digits(minute)?,
        Some(_) => return None,
        // A number alone is no time of day.
        None if half.is_some() => 0,
        None => return None,
    };
    let second = parts.next().map_or(Some(0), |seconds| {
        let (whole, fraction) = seconds.split_once('.').unwrap_or((seconds, ""));
        let is_number = whole.len() == 2 && fraction.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| digits(whole))?
    })?;
    let hour = match half {
        Some(more) if (1..=12).contains(&hour) => hour % 12 + more,
        Some(_) => return None,
        None => hour,
    };
    Time::new(hour, minute, second, 0).ok()
}

fn digits(text: &str) -> Option<i8> {
    let is_number = (1..=2).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().ok())?
}

/// `2026-09-12`, `2026/9/12`.
fn date(word: &str) -> Option<Date> {
    let mut parts = word.split(['-', '/']);
    let (year, month, day) = (parts.next()?, digits(parts.next()?)?, digits(parts.next()?)?);
    let is_year = year.len() == 4 && parts.next().is_none();
    is_year.then(|| Date::new(year.parse().ok()?, month, day).ok())?
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
        [word] if word.starts_with(|sign: char| sign.is_ascii_digit()) => at(date(word)?),
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
            ("about 3 hours", "2026-01-20T15:00:00Z"),
            ("in approximately 2 weeks", "2026-02-03T12:00:00Z"),
            ("an hour", "2026-01-20T13:00:00Z"),
            ("27h41m36s", "2026-01-21T15:41:36Z"),
            ("99696.5s", "2026-01-21T15:41:36.5Z"),
            ("PT3H47M", "2026-01-20T15:47:00Z"),
            ("P1DT1M", "2026-01-21T12:01:00Z"),
            ("10 minutes from now", "2026-01-20T12:10:00Z"),
            ("3小时5分钟后", "2026-01-20T15:05:00Z"),
            ("10:00 UTC", "2026-01-21T10:00:00Z"),
            ("midnight Pacific", "2026-01-21T08:00:00Z"),
            ("midnight pacific time", "2026-01-21T08:00:00Z"),
            ("8pm PST", "2026-01-21T04:00:00Z"),
            ("8am CET", "2026-01-21T07:00:00Z"),
            ("noon", "2026-01-21T12:00:00Z"),
            ("8am tomorrow", "2026-01-21T08:00:00Z"),
            ("8am tomorrow Asia/Shanghai", "2026-01-21T00:00:00Z"),
            ("00:00 UTC on October 1, 2026", "2026-10-01T00:00:00Z"),
            ("7:38 AM on Aug 20th", "2026-08-20T07:38:00Z"),
            ("9am (Europe/Paris) on 2026-02-01", "2026-02-01T08:00:00Z"),
            ("10:00 PST Monday", "2026-01-26T18:00:00Z"),
            ("midnight UTC on 2026/2/1", "2026-02-01T00:00:00Z"),
            ("2026-09-12 00:35:41", "2026-09-12T00:35:41Z"),
            ("2026-09-12T00:35", "2026-09-12T00:35:00Z"),
            ("2026-09-12 00:35:41 (UTC+8)", "2026-09-11T16:35:41Z"),
            ("2026-09-12 00:35:41+08:00", "2026-09-11T16:35:41Z"),
            ("2026/9/12 00:35 EST", "2026-09-12T05:35:00Z"),
            ("2026年9月12日 00:35 北京时间", "2026-09-11T16:35:00Z"),
            ("2026-09-12", "2026-09-12T00:00:00Z"),
            ("Aug 20, 2026, 7:38 AM", "2026-08-20T07:38:00Z"),
            ("Aug 20th, 2026 7:38 AM", "2026-08-20T07:38:00Z"),
        ];
        for (text, moment) in table {
            assert_eq!(read(text, None).as_deref(), Some(moment), "{text}");
        }
        assert_eq!(read("8pm", Some("Asia/Tokyo")).as_deref(), Some("2026-01-21T11:00:00Z"));
        let beijing = read("2026-09-12 00:35:41", Some("Asia/Shanghai"));
        assert_eq!(beijing.as_deref(), Some("2026-09-11T16:35:41Z"));
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
            "8pm 9pm",
            "8pm UTC soon",
            "am tomorrow",
            "minutes",
            "1 hour ago",
            "-3 hours",
            "1e9 s",
            "99999999999 days",
            "Monday Tuesday 9am",
            "P1M",
            "P",
            "PT",
            "2026-13-01",
            "2026-09-12 25:00",
            "2026-09-12 7",
            "09-12",
            "an",
            "about",
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
