//! `32MiB`, `64KB`, `1024`.

const UNITS: [(&str, u64); 8] = [
    ("b", 1),
    ("kb", 1_000),
    ("mb", 1_000_000),
    ("gb", 1_000_000_000),
    ("kib", 1 << 10),
    ("mib", 1 << 20),
    ("gib", 1 << 30),
    ("", 1),
];

/// Reads a number of bytes: whole, with `KB`, `MB`, `GB` (thousands) or `KiB`, `MiB`, `GiB` (1024s) in
/// any case, or bare.
pub fn byte_size(text: &str) -> Result<u64, String> {
    let text = text.trim();
    let number_length = text.find(|sign: char| !sign.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(number_length).unwrap_or((text, ""));
    let unit = unit.trim().to_ascii_lowercase();
    let Some(bytes) = UNITS.iter().find(|(name, _)| *name == unit).map(|(_, bytes)| *bytes) else {
        return Err(match unit.as_str() {
            "k" | "m" | "g" => {
                let letter = unit.to_uppercase();
                format!("`{text}` can be read in two ways: write `{letter}iB` (1024s) or `{letter}B` (1000s)")
            }
            _ => format!("`{text}` is not a size: write a whole number and a unit, as in `32MiB` or `64KB`"),
        });
    };
    if number.is_empty() {
        return Err(format!("expected a size such as `32MiB`, found `{text}`"));
    }
    number
        .parse::<u64>()
        .ok()
        .and_then(|number| number.checked_mul(bytes))
        .ok_or_else(|| format!("`{text}` is too large"))
}

#[cfg(test)]
mod tests {
    use super::byte_size;

    #[test]
    fn reads_sizes() {
        assert_eq!(byte_size("1024"), Ok(1024));
        assert_eq!(byte_size("32MiB"), Ok(32 << 20));
        assert_eq!(byte_size("64 kb"), Ok(64_000));
        assert_eq!(byte_size("1gib"), Ok(1 << 30));
        assert_eq!(byte_size("0"), Ok(0));
    }

    #[test]
    fn refuses_the_rest() {
        assert!(byte_size("64K").unwrap_err().contains("`KiB`"));
        for text in ["", "MiB", "-1", "1.5MiB", "1TB", "99999999999999999999", "99999999999999GiB"] {
            assert!(byte_size(text).is_err(), "{text}");
        }
    }
}
