//! JSON numbers: their grammar, and comparing them by value without losing digits.

use std::cmp::Ordering;

use super::parse::Flaw;

/// Where the number that begins at `at` ends.
pub(super) fn scan(bytes: &[u8], at: usize) -> Result<usize, Flaw> {
    let digits = |from: usize| {
        let rest = bytes.get(from..).unwrap_or_default();
        from + rest.iter().position(|b| !b.is_ascii_digit()).unwrap_or(rest.len())
    };
    let start = if bytes.get(at) == Some(&b'-') { at + 1 } else { at };
    let mut end = digits(start);
    if end == start {
        return Err(Flaw(start, "expected a digit"));
    }
    if end > start + 1 && bytes.get(start) == Some(&b'0') {
        return Err(Flaw(start, "a number may not begin with 0"));
    }
    if bytes.get(end) == Some(&b'.') {
        let fraction = end + 1;
        end = digits(fraction);
        if end == fraction {
            return Err(Flaw(end, "expected a digit after `.`"));
        }
    }
    if let Some(b'e' | b'E') = bytes.get(end) {
        let sign = usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
        let exponent = end + 1 + sign;
        end = digits(exponent);
        if end == exponent {
            return Err(Flaw(end, "expected a digit in the exponent"));
        }
    }
    Ok(end)
}

/// The number as an integer, when it is one: `3`, `3.0` and `3e0` are, `3.5` is not.
pub(super) fn as_i64(raw: &str) -> Option<i64> {
    if let Ok(n) = raw.parse() {
        return Some(n);
    }
    let decimal = Decimal::read(raw);
    if decimal.digits.is_empty() {
        return Some(0);
    }
    // An i64 has at most 19 digits.
    let zeros = usize::try_from(decimal.exponent).ok().filter(|&n| n + decimal.digits.len() <= 19)?;
    let mut text = String::from(if decimal.negative { "-" } else { "" });
    text.extend(decimal.digits.iter().map(|&d| char::from(d)));
    text.extend(std::iter::repeat_n('0', zeros));
    text.parse().ok()
}

/// Compares two JSON numbers by value, exactly, whatever their size and spelling.
pub fn compare(a: &str, b: &str) -> Ordering {
    if a == b {
        return Ordering::Equal;
    }
    if let (Ok(a), Ok(b)) = (a.parse::<i64>(), b.parse::<i64>()) {
        return a.cmp(&b);
    }
    let (a, b) = (Decimal::read(a), Decimal::read(b));
    let sign = |d: &Decimal| match (d.digits.is_empty(), d.negative) {
        (true, _) => 0,
        (false, true) => -1,
        (false, false) => 1,
    };
    let (sign_a, sign_b) = (sign(&a), sign(&b));
    if sign_a != sign_b || sign_a == 0 {
        return sign_a.cmp(&sign_b);
    }
    let magnitude = a.top().cmp(&b.top()).then_with(|| a.digits.cmp(&b.digits));
    if a.negative { magnitude.reverse() } else { magnitude }
}

/// Writes a number so that equal ones are written alike.
pub(super) fn write_canonical(raw: &str, out: &mut Vec<u8>) {
    let decimal = Decimal::read(raw);
    if decimal.digits.is_empty() {
        return out.push(b'0');
    }
    if decimal.negative {
        out.push(b'-');
    }
    out.extend_from_slice(&decimal.digits);
    out.push(b'e');
    out.extend_from_slice(decimal.exponent.to_string().as_bytes());
}

/// digits × 10^exponent, the digits without zeros at either end. Zero has none.
struct Decimal {
    negative: bool,
    digits: Vec<u8>,
    exponent: i64,
}

impl Decimal {
    fn read(raw: &str) -> Decimal {
        let (negative, raw) = raw.strip_prefix('-').map_or((false, raw), |rest| (true, rest));
        let (mantissa, exponent) = raw.split_once(['e', 'E']).unwrap_or((raw, "0"));
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        // An exponent beyond i64 can only be told apart from another such one by its sign.
        let beyond = if exponent.starts_with('-') { i64::MIN / 2 } else { i64::MAX / 2 };
        let mut exponent = exponent.parse().unwrap_or(beyond).clamp(i64::MIN / 2, i64::MAX / 2);
        let mut digits: Vec<u8> = whole.bytes().chain(fraction.bytes()).skip_while(|&d| d == b'0').collect();
        exponent -= fraction.len() as i64;
        while digits.last() == Some(&b'0') {
            digits.pop();
            exponent += 1;
        }
        Decimal { negative, digits, exponent }
    }

    /// The power of ten just above the first digit: the larger, the larger the number.
    fn top(&self) -> i64 {
        self.exponent + self.digits.len() as i64
    }
}
