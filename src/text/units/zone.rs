//! Time zones by the names that servers use for them: IANA names, abbreviations, offsets, everyday words.

use jiff::tz::{Offset, TimeZone, TimeZoneDatabase};

/// Abbreviations with one meaning among the texts of providers, in minutes east of UTC. Those of North America are RFC
/// 5322's. `CST` is America's there; where China's is meant, a rule says `zone: Asia/Shanghai`.
const FIXED: [(&str, i32); 22] = [
    ("utc", 0),
    ("gmt", 0),
    ("z", 0),
    ("wet", 0),
    ("est", -300),
    ("edt", -240),
    ("cst", -360),
    ("cdt", -300),
    ("mst", -420),
    ("mdt", -360),
    ("pst", -480),
    ("pdt", -420),
    ("cet", 60),
    ("cest", 120),
    ("bst", 60),
    ("eet", 120),
    ("eest", 180),
    ("msk", 180),
    ("sgt", 480),
    ("hkt", 480),
    ("jst", 540),
    ("kst", 540),
];

/// Words for a region's own time, whatever it is on that day.
const REGIONS: [(&str, &str); 11] = [
    ("pt", "America/Los_Angeles"),
    ("pacific", "America/Los_Angeles"),
    ("mt", "America/Denver"),
    ("mountain", "America/Denver"),
    ("ct", "America/Chicago"),
    ("central", "America/Chicago"),
    ("et", "America/New_York"),
    ("eastern", "America/New_York"),
    ("beijing", "Asia/Shanghai"),
    ("北京时间", "Asia/Shanghai"),
    ("北京", "Asia/Shanghai"),
];

/// Whether there is a time zone of that name.
pub fn is_zone(name: &str) -> bool {
    find_zone(name).is_some()
}

/// The time zone of that name, if there is one.
pub(super) fn find_zone(name: &str) -> Option<TimeZone> {
    let small = name.trim().to_lowercase();
    let small = small.strip_suffix(" time").unwrap_or(&small);
    if let Some((_, minutes)) = FIXED.iter().find(|(it, _)| *it == small) {
        return fixed(*minutes);
    }
    if let Some((_, region)) = REGIONS.iter().find(|(it, _)| *it == small) {
        return TimeZoneDatabase::bundled().get(region).ok();
    }
    let offset = small.strip_prefix("utc").or_else(|| small.strip_prefix("gmt")).unwrap_or(small);
    offset_minutes(offset).and_then(fixed).or_else(|| TimeZoneDatabase::bundled().get(small).ok())
}

/// Splits a zone off the end of a text: `8pm (Europe/Paris)`, `8pm UTC`, `08:00 Pacific time`, `08:00 UTC+8`,
/// `08:00:00+08:00`.
pub(super) fn split_zone(text: &str) -> (&str, Option<&str>) {
    if let Some((front, name)) = text.strip_suffix(')').and_then(|text| text.rsplit_once('(')) {
        return (front.trim_end(), Some(name));
    }
    let without_time = text.strip_suffix(" time").unwrap_or(text);
    if let Some((front, name)) = without_time.rsplit_once(' ')
        && name.starts_with(|sign: char| !sign.is_ascii_digit())
        && is_zone(name)
    {
        return (front.trim_end(), Some(name));
    }
    // An offset, or a `z`, stands right behind the time.
    let place = text.rfind(['+', '-']).filter(|place| text.get(..*place).is_some_and(|it| it.contains(':')));
    let place = place.or_else(|| text.ends_with('z').then(|| text.len() - 1));
    match place.and_then(|place| text.split_at_checked(place)) {
        Some((front, name)) if front.ends_with(|sign: char| sign.is_ascii_digit()) && is_zone(name) => {
            (front, Some(name))
        }
        _ => (text, None),
    }
}

fn fixed(minutes: i32) -> Option<TimeZone> {
    Offset::from_seconds(minutes * 60).ok().map(TimeZone::fixed)
}

/// `+8`, `-0330`, `+08:00` in minutes.
fn offset_minutes(text: &str) -> Option<i32> {
    let (sign, rest) = match text.as_bytes().first()? {
        b'+' => (1, text.get(1..)?),
        b'-' => (-1, text.get(1..)?),
        _ => return None,
    };
    let (hours, minutes) = match rest.split_once(':') {
        Some((hours, minutes)) if minutes.len() == 2 => (hours, minutes),
        Some(_) => return None,
        None if rest.len() == 4 => rest.split_at_checked(2)?,
        None => (rest, "00"),
    };
    let is_number = |it: &str| (1..=2).contains(&it.len()) && it.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number(hours) || !is_number(minutes) {
        return None;
    }
    let (hours, minutes): (i32, i32) = (hours.parse().ok()?, minutes.parse().ok()?);
    (hours <= 14 && minutes < 60).then_some(sign * (60 * hours + minutes))
}

#[cfg(test)]
mod tests {
    use super::{is_zone, split_zone};

    #[test]
    fn zones_have_many_names() {
        for name in [
            "UTC",
            "gmt",
            "Europe/Paris",
            "PST",
            "Pacific",
            "Pacific time",
            "UTC+8",
            "GMT-3",
            "+08:00",
            "北京时间",
        ] {
            assert!(is_zone(name), "{name}");
        }
        for name in ["", "Europe/Nowhere", "more", "+", "+99", "+8:5", "UTC+", "8", "-"] {
            assert!(!is_zone(name), "{name}");
        }
    }

    #[test]
    fn a_zone_stands_at_the_end() {
        let table = [
            ("8pm (Europe/Paris)", ("8pm", Some("Europe/Paris"))),
            ("8pm utc", ("8pm", Some("utc"))),
            ("8pm pacific time", ("8pm", Some("pacific"))),
            ("08:00:00+08:00", ("08:00:00", Some("+08:00"))),
            ("2026-01-02 08:00z", ("2026-01-02 08:00", Some("z"))),
            ("2026-01-02", ("2026-01-02", None)),
            ("2026-01-02 08:00", ("2026-01-02 08:00", None)),
            ("8pm", ("8pm", None)),
        ];
        for (text, parts) in table {
            assert_eq!(split_zone(text), parts, "{text}");
        }
    }
}
