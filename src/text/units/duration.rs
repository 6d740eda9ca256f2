//! `500ms`, `30s`, `1m30s`, `8d`.

use std::time::Duration;

/// A hundred years: longer than anything a router waits for, and far from every overflow.
const LONGEST: Duration = Duration::from_secs(100 * 366 * 86_400);

const UNITS: [(&str, u64); 9] = [
    ("ns", 1),
    ("us", 1_000),
    ("µs", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60 * 1_000_000_000),
    ("h", 3_600 * 1_000_000_000),
    ("d", 86_400 * 1_000_000_000),
    ("w", 7 * 86_400 * 1_000_000_000),
];

/// Reads a duration: numbers with units (`ns`, `us`, `ms`, `s`, `m`, `h`, `d`, `w`) one after the other.
///
/// Numbers may have a fraction (`1.5h`). Only `0` may stand without a unit.
pub fn duration(text: &str) -> Result<Duration, String> {
    let text = text.trim();
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    if text.is_empty() {
        return Err("expected a duration such as `30s`, found nothing".to_owned());
    }
    let mut total = Duration::ZERO;
    let mut rest = text;
    while !rest.is_empty() {
        let number_length =
            rest.find(|sign: char| !(sign.is_ascii_digit() || sign == '.')).unwrap_or(rest.len());
        let (number, after) = rest.split_at_checked(number_length).unwrap_or((rest, ""));
        let unit_length =
            after.find(|sign: char| sign.is_ascii_digit() || sign == '.').unwrap_or(after.len());
        let (unit, after) = after.split_at_checked(unit_length).unwrap_or((after, ""));
        let Some(nanos) = UNITS.iter().find(|(name, _)| *name == unit).map(|(_, nanos)| *nanos) else {
            return Err(match unit.trim() {
                "" => format!(
                    "`{text}` lacks a unit: write `{text}s` for seconds or `{text}ms` for milliseconds"
                ),
                unit => format!("`{unit}` is no unit of time: use ms, s, m, h or d, as in `1m30s`"),
            });
        };
        let part = times(number, nanos).ok_or_else(|| {
            format!("`{text}` is not a duration: write a number and a unit, as in `30s` or `1m30s`")
        })?;
        total = total.saturating_add(part);
        rest = after;
    }
    if total > LONGEST {
        return Err(format!("`{text}` is more than a hundred years"));
    }
    Ok(total)
}

/// A decimal number of units, each of so many nanoseconds; parts of a nanosecond are dropped.
fn times(number: &str, nanos: u64) -> Option<Duration> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let units: u64 = whole.parse().ok()?;
    if fraction.is_empty() || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let mut total = u128::from(units) * u128::from(nanos);
    let mut place = u128::from(nanos);
    for digit in fraction.bytes() {
        place /= 10;
        total += place * u128::from(digit - b'0');
    }
    let seconds = u64::try_from(total / 1_000_000_000).ok()?;
    let rest = u32::try_from(total % 1_000_000_000).ok()?;
    Some(Duration::new(seconds, rest))
}

/// A duration as people write it, to the millisecond: `1m30s`, `8d`, `0s`.
pub fn duration_text(duration: Duration) -> String {
    let mut rest = duration.as_millis();
    let mut out = String::new();
    for (unit, millis) in [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)] {
        if rest >= millis {
            out.push_str(&format!("{}{unit}", rest / millis));
            rest %= millis;
        }
    }
    if out.is_empty() { "0s".to_owned() } else { out }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_people_write() {
        let millis = |text: &str| duration(text).unwrap().as_millis();
        assert_eq!(millis("0"), 0);
        assert_eq!(millis("500ms"), 500);
        assert_eq!(millis(" 30s "), 30_000);
        assert_eq!(millis("1m30s"), 90_000);
        assert_eq!(millis("1.5h"), 5_400_000);
        assert_eq!(millis("8d"), 8 * 86_400_000);
        assert_eq!(millis("26.604s"), 26_604);
        assert_eq!(millis("0.1s"), 100);
        assert_eq!(duration("2µs"), Ok(Duration::from_micros(2)));
    }

    #[test]
    fn says_what_is_wrong() {
        assert!(duration("30").unwrap_err().contains("`30s`"));
        assert!(duration("30 sec").unwrap_err().contains("`sec` is no unit"));
        assert!(duration("1m30").unwrap_err().contains("lacks a unit"));
        for text in
            ["", "s", "-5s", "1..5s", ".5s", "5.s", "1e3s", "99999999999999999999s", "1000000000000h", "٣s"]
        {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn writes_what_it_reads() {
        for text in ["500ms", "30s", "1m30s", "8d", "1d1h1m1s1ms"] {
            assert_eq!(duration_text(duration(text).unwrap()), text);
        }
        assert_eq!(duration_text(Duration::ZERO), "0s");
    }
}
