//! The header `RateLimit` as the IETF drafts it: what remains of each limit, and in how many seconds it begins anew.

use std::time::Duration;

/// What the header says of limits of which nothing remains.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RateLimit {
    /// In how long all of them have begun anew; `None`: something remains of each, or no time is said.
    pub ends_in: Option<Duration>,
}

impl RateLimit {
    /// Reads `"minute";r=0;t=30, "day";r=9;t=5000`, or `limit=100, remaining=0, reset=30` of older drafts; `None` if it is
    /// neither.
    pub fn parse(text: &str) -> Option<RateLimit> {
        let limits = match older(text) {
            Some(limit) => vec![limit],
            None => split(text, ',').map(limit).collect::<Option<Vec<_>>>()?,
        };
        let used_up = limits.into_iter().filter(|(remaining, _)| *remaining == 0);
        Some(RateLimit { ends_in: used_up.filter_map(|(_, reset)| reset).max().map(Duration::from_secs) })
    }
}

/// What remains of one limit, and when it begins anew: `"day";r=9;t=5000`.
fn limit(text: &str) -> Option<(u64, Option<u64>)> {
    let mut parts = split(text, ';').map(str::trim);
    let is_name = |name: &&str| name.starts_with('"') || !name.contains(['=', ' ']);
    parts.next().filter(|name| !name.is_empty()).filter(is_name)?;
    let (mut remaining, mut reset) = (None, None);
    for part in parts {
        match part.split_once('=') {
            Some(("r", number)) => remaining = Some(number.parse().ok()?),
            Some(("t", number)) => reset = Some(number.parse().ok()?),
            _ => {}
        }
    }
    Some((remaining?, reset))
}

fn older(text: &str) -> Option<(u64, Option<u64>)> {
    let field = |wanted: &str| {
        let mut fields = split(text, ',').filter_map(|field| field.trim().split_once('='));
        fields.find(|(name, _)| *name == wanted)?.1.split(';').next()?.trim().parse().ok()
    };
    Some((field("remaining")?, Some(field("reset")?)))
}

/// The parts of a text between signs that stand outside of quotes.
fn split(text: &str, at: char) -> impl Iterator<Item = &str> {
    let mut is_quoted = false;
    text.split(move |sign| {
        is_quoted ^= sign == '"';
        sign == at && !is_quoted
    })
}

#[cfg(test)]
mod tests {
    use super::RateLimit;
    use proptest::prelude::*;

    #[test]
    fn the_limits_that_are_used_up_say_how_long() {
        let table = [
            (r#""default";r=0;t=30"#, Some(Some(30))),
            (r#""default"; r=0; pk=:cHNjCg==:; t=30"#, Some(Some(30))),
            ("default;t=30;r=0", Some(Some(30))),
            (r#""a, b;c";r=0;t=30"#, Some(Some(30))),
            (r#""minute";r=0;t=40, "day";r=2;t=5000"#, Some(Some(40))),
            (r#""minute";r=0;t=40,"hour";r=0;t=9,"day";r=0;t=5000"#, Some(Some(5000))),
            (r#""default";r=5;t=30"#, Some(None)),
            (r#""default";r=0"#, Some(None)),
            ("limit=100, remaining=0, reset=30", Some(Some(30))),
            ("limit=100;w=60, remaining=0, reset=30", Some(Some(30))),
            ("limit=100, remaining=1, reset=30", Some(None)),
            (r#""default";q=100;w=60"#, None),
            (r#""default";r=many;t=30"#, None),
            ("30", None),
            ("", None),
            ("2026-09-12T00:35:41Z", None),
            ("Resets at 10:00 UTC; r=0", None),
        ];
        for (text, expected) in table {
            let read = RateLimit::parse(text).map(|it| it.ends_in.map(|time| time.as_secs()));
            assert_eq!(read, expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(text in "[a-z\";=, 0-9]{0,60}") {
            let _ = RateLimit::parse(&text);
        }
    }
}
