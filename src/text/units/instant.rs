//! Moments as servers write them. Besides the schedules, the only file that names the time crate.

use jiff::civil::DateTime;
use jiff::fmt::strtime;
use jiff::tz::{Offset, TimeZone};
use jiff::{Timestamp, Zoned};

use super::duration;

/// Numbers below this are seconds from now: a server that says "in three years" is not believed to.
const EPOCH_SECONDS: f64 = 1e8;
/// Numbers from here on are milliseconds since the epoch: as seconds they would be the year 5138.
const EPOCH_MILLIS: f64 = 1e11;

/// Reads a moment in any of the notations that servers use for "come back then", as milliseconds since
/// the Unix epoch. `now_ms` is where the relative ones count from.
///
/// Understood are seconds since the epoch, milliseconds since the epoch (above 10^11), seconds from now
/// (below 10^8), durations from now (`26.604s`, `6m0s`), RFC 3339 and the three notations of an HTTP date.
/// The whole text must be one of these.
pub fn instant_from(text: &str, now_ms: i64) -> Option<i64> {
    let text = text.trim();
    if text.starts_with(|sign: char| sign.is_ascii_digit()) {
        number(text, now_ms).or_else(|| from_now(text, now_ms)).or_else(|| rfc_3339(text))
    } else {
        http_date(text)
    }
}

/// A moment in RFC 3339, in UTC, to the second, or to the millisecond if it has some: `2026-03-01T10:00:00Z`.
pub fn instant_text(ms: i64) -> String {
    match Timestamp::from_millisecond(ms) {
        Ok(moment) => moment.to_string(),
        Err(_) => format!("{ms}ms"),
    }
}

/// The present moment on this machine's clock and in its zone (or that of `TZ`), with microseconds and the offset:
/// `2026-03-01T12:00:00.000000+02:00`.
pub fn local_now_text() -> String {
    Zoned::now().strftime("%Y-%m-%dT%H:%M:%S%.6f%:z").to_string()
}

/// By how many minutes the clock of this machine's zone (or that of `TZ`) is ahead of UTC at a moment.
pub fn local_offset(ms: i64) -> i32 {
    let moment = Timestamp::from_millisecond(ms).unwrap_or_default();
    TimeZone::system().to_offset(moment).seconds() / 60
}

/// A moment as a clock shows it that is `offset` minutes ahead of UTC, in minutes: `12:03Z`, `14:03+02:00`; with the date,
/// if that is not the one of `now_ms`.
pub fn clock_text(ms: i64, offset: i32, now_ms: i64) -> String {
    let zone = Offset::from_seconds(offset.saturating_mul(60)).map_or(TimeZone::UTC, TimeZone::fixed);
    let at = |ms: i64| Timestamp::from_millisecond(ms).unwrap_or_default().to_zoned(zone.clone());
    let (moment, now) = (at(ms), at(now_ms));
    let date = if moment.date() == now.date() { "" } else { "%Y-%m-%d " };
    let ending = if offset == 0 { "Z" } else { "%:z" };
    moment.strftime(&format!("{date}%H:%M{ending}")).to_string()
}

fn number(text: &str, now_ms: i64) -> Option<i64> {
    if !text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
        return None;
    }
    let value: f64 = text.parse().ok()?;
    let millis = if value >= EPOCH_MILLIS { value } else { value * 1000.0 };
    // Every moment that a calendar knows is far below 2^53 milliseconds, where numbers are still exact.
    let whole = millis.round() as i64;
    let moment = if value < EPOCH_SECONDS { now_ms.checked_add(whole)? } else { whole };
    in_calendar(moment)
}

fn from_now(text: &str, now_ms: i64) -> Option<i64> {
    let length = duration(text).ok()?;
    let moment = now_ms.checked_add(i64::try_from(length.as_millis()).ok()?)?;
    in_calendar(moment)
}

fn rfc_3339(text: &str) -> Option<i64> {
    // The parser also takes ISO 8601's other notations; a server that means a moment writes all of this.
    let full = text.len() >= "2026-03-01T10:00:00Z".len() && text.as_bytes().get(4) == Some(&b'-');
    if !full {
        return None;
    }
    text.parse::<Timestamp>().ok().map(Timestamp::as_millisecond)
}

/// The notation of today, then the two that RFC 9110 still wants understood.
fn http_date(text: &str) -> Option<i64> {
    const FORMS: [&str; 3] =
        ["%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y"];
    FORMS.iter().find_map(|form| {
        let civil: DateTime = strtime::parse(form, text).ok()?.to_datetime().ok()?;
        TimeZone::UTC.to_timestamp(civil).ok().map(Timestamp::as_millisecond)
    })
}

/// The moment, if calendars know it: the years up to 9999.
fn in_calendar(ms: i64) -> Option<i64> {
    Timestamp::from_millisecond(ms).ok().map(Timestamp::as_millisecond)
}

#[cfg(test)]
mod tests {
    use super::{clock_text, instant_from, instant_text};
    use proptest::prelude::*;

    const NOW: i64 = 1_755_800_000_000;

    fn read(text: &str) -> Option<i64> {
        instant_from(text, NOW)
    }

    #[test]
    fn numbers() {
        assert_eq!(read("1755806400"), Some(1_755_806_400_000));
        assert_eq!(read("1755806400.25"), Some(1_755_806_400_250));
        assert_eq!(read("1755806400123"), Some(1_755_806_400_123));
        assert_eq!(read("3600"), Some(NOW + 3_600_000));
        assert_eq!(read("0"), Some(NOW));
        assert_eq!(read("26.604"), Some(NOW + 26_604));
    }

    #[test]
    fn durations() {
        assert_eq!(read("26.604s"), Some(NOW + 26_604));
        assert_eq!(read("6m0s"), Some(NOW + 360_000));
        assert_eq!(read("1h2m3.5s"), Some(NOW + 3_723_500));
        assert_eq!(read("120ms"), Some(NOW + 120));
    }

    #[test]
    fn dates() {
        let moment = Some(784_111_777_000);
        assert_eq!(read("1994-11-06T08:49:37Z"), moment);
        assert_eq!(read("1994-11-06T09:49:37+01:00"), moment);
        assert_eq!(read("1994-11-06T08:49:37.000Z"), moment);
        assert_eq!(read("Sun, 06 Nov 1994 08:49:37 GMT"), moment);
        assert_eq!(read("Sunday, 06-Nov-94 08:49:37 GMT"), moment);
        assert_eq!(read("Sun Nov  6 08:49:37 1994"), moment);
    }

    #[test]
    fn nothing_else() {
        let others = [
            "",
            "soon",
            "-5",
            "+5",
            "1e9",
            "10 minutes",
            "3600 ",
            "3600, 60",
            "1755806400|",
            "1.2.3",
            "1994-11-06",
            "08:49:37",
            "1994-11-06T08:49:37",
            "1994-11-06T08:49:37Z and more",
            "Mon, 06 Nov 1994 08:49:37 GMT",
            "Sun, 06 Nov 1994 08:49:37 GMT+1",
            "Sun, 06 Nov 1994 08:49:37 CET",
            "99999999999999999999",
            "inf",
            "nan",
        ];
        let read: Vec<_> = others.iter().filter(|text| read(text).is_some()).collect();
        // Space around the text is no part of it.
        assert_eq!(read, [&"3600 "]);
    }

    #[test]
    fn clocks() {
        let day = 24 * 3_600_000;
        assert_eq!(clock_text(NOW, 0, NOW + 3_600_000), "18:13Z");
        assert_eq!(clock_text(NOW, 330, NOW), "23:43+05:30");
        assert_eq!(clock_text(NOW, -120, NOW + day), "2025-08-21 16:13-02:00");
        // The next day begins where the clock hangs.
        assert_eq!(clock_text(NOW, 360, NOW - 3_600_000), "2025-08-22 00:13+06:00");
        assert_eq!(clock_text(i64::MAX, i32::MAX, i64::MIN), "00:00+00:00");
    }

    proptest! {
        #[test]
        fn reads_what_it_writes(ms in 0i64..4_102_444_800_000) {
            prop_assert_eq!(instant_from(&instant_text(ms), 0), Some(ms));
        }

        #[test]
        fn never_panics(text in "\\PC{0,40}", now in any::<i64>()) {
            let _ = instant_from(&text, now);
        }
    }
}
