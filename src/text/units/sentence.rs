//! A time in the middle of a text: "Your limit will reset at 2026-09-12 00:35:41".

use super::clock::{in_words, is_length};
use super::instant::instant_from;

/// More of a text is not looked at: an error that says when says it early.
const READ: usize = 4096;
/// The longest time in words, `tomorrow at 7:30 am Pacific time` and more.
const MOST_WORDS: usize = 8;
/// A text that speaks of more times than this is no error of a limit.
const MOST_CUES: usize = 32;

/// What leads to a time, in small letters. A time alone says nothing: "30 requests / 5h" is none.
const CUES: [&str; 27] = [
    "reset",
    "resets",
    "resetting",
    "refresh",
    "refreshes",
    "renews",
    "retry",
    "again",
    "back",
    "available",
    "wait",
    "until",
    "till",
    "lifted",
    "ends",
    "expires",
    "resume",
    "resumes",
    "access",
    "retry-after",
    "重置",
    "重试",
    "恢复",
    "刷新",
    "等待",
    "请于",
    "请在",
];

/// Words between a cue and its time.
const BETWEEN: [&str; 16] = [
    "in", "at", "on", "after", "for", "by", "from", "until", "it", "again", "is", "will", "be", "your",
    "time", "of",
];

/// What a text says of a time to come.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Mention<'t> {
    /// The moment that it names, in milliseconds since the Unix epoch, and the words that do. Of several the latest; a
    /// length of time counts before a moment of the calendar, whose day and zone may have to be guessed.
    At(i64, &'t str),
    /// Words that look like a time and are none that is known.
    Unclear(&'t str),
}

/// The time in a text that says when to come back; `None` if it speaks of none. `zone` as in [`in_words`].
pub fn mentioned<'t>(text: &'t str, now_ms: i64, zone: Option<&str>) -> Option<Mention<'t>> {
    let text = text.get(..floor(text, READ)).unwrap_or(text);
    let words = words(text);
    let mut found: Option<(bool, i64, &str)> = None;
    let mut unclear = None;
    let cues = words.iter().enumerate().filter(|(_, word)| is_cue(text, word));
    for (place, _) in cues.take(MOST_CUES) {
        let rest = words.get(place + 1..).unwrap_or_default();
        let skipped = rest.iter().take_while(|word| BETWEEN.contains(&bare(text, word).as_str())).count();
        let rest = rest.get(skipped.min(4)..).unwrap_or_default();
        let (after, before) = (longest(text, rest, now_ms, zone), behind(text, &words, place, now_ms, zone));
        for (moment, said) in after.into_iter().chain(before) {
            let rank = (is_length(said), moment);
            if moment > now_ms && found.is_none_or(|(is_length, latest, _)| rank > (is_length, latest)) {
                found = Some((rank.0, moment, said));
            }
        }
        let is_read = after.is_some() || before.is_some();
        if let Some((begin, end)) = rest.first().filter(|word| !is_read && looks_like_time(text, word)) {
            let last = rest.iter().take(3).next_back().map_or(*end, |word| word.1);
            unclear = unclear.or_else(|| text.get(*begin..last));
        }
    }
    found.map(|(_, moment, said)| Mention::At(moment, said)).or(unclear.map(Mention::Unclear))
}

/// The longest run of words that is a time, from the first word on.
fn longest<'t>(
    text: &'t str,
    words: &[(usize, usize)],
    now_ms: i64,
    zone: Option<&str>,
) -> Option<(i64, &'t str)> {
    let begin = words.first()?.0;
    let ends = words.iter().take(MOST_WORDS).map(|word| word.1).rev();
    ends.filter_map(|end| read(text.get(begin..end)?, now_ms, zone)).next()
}

/// In Chinese the time stands before its verb: `请在 30 秒后重试`.
fn behind<'t>(
    text: &'t str,
    words: &[(usize, usize)],
    place: usize,
    now_ms: i64,
    zone: Option<&str>,
) -> Option<(i64, &'t str)> {
    let (begin, end) = words.get(place)?;
    if text.get(*begin..*end)?.is_ascii() {
        return None;
    }
    let first = place.saturating_sub(MOST_WORDS);
    words.get(first..place)?.iter().find_map(|word| read(text.get(word.0..*begin)?, now_ms, zone))
}

fn read<'t>(said: &'t str, now_ms: i64, zone: Option<&str>) -> Option<(i64, &'t str)> {
    let said =
        said.trim_matches(|sign: char| sign.is_whitespace() || ",.;:!?\"'`]}。，；！将会后".contains(sign));
    // A bare number is no time: nothing says of what.
    if said.bytes().all(|byte| byte.is_ascii_digit() && said.len() < 10) {
        return None;
    }
    in_words(said, now_ms, zone).or_else(|| instant_from(said, now_ms)).map(|moment| (moment, said))
}

/// Whether a word begins like a time, with a digit.
fn looks_like_time(text: &str, word: &(usize, usize)) -> bool {
    let word = bare(text, word);
    word.starts_with(|sign: char| sign.is_ascii_digit())
}

fn is_cue(text: &str, word: &(usize, usize)) -> bool {
    CUES.contains(&bare(text, word).as_str())
}

/// A word without the signs around it, in small letters.
fn bare(text: &str, (begin, end): &(usize, usize)) -> String {
    let word = text.get(*begin..*end).unwrap_or_default();
    word.trim_matches(|sign: char| !sign.is_alphanumeric()).to_lowercase()
}

/// The places of words: what stands between white space, dashes, brackets and quotes; verbs in Chinese stand alone.
fn words(text: &str) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    let mut begin = None;
    let mut rest = 0;
    for (place, sign) in text.char_indices() {
        if place < rest {
            continue;
        }
        let verb = (!sign.is_ascii())
            .then(|| {
                CUES.iter()
                    .find(|cue| !cue.is_ascii() && text.get(place..).is_some_and(|it| it.starts_with(**cue)))
            })
            .flatten();
        if sign.is_whitespace() || "—–·|[]{}\"".contains(sign) || verb.is_some() {
            if let Some(begin) = begin.take() {
                found.push((begin, place));
            }
            if let Some(verb) = verb {
                found.push((place, place + verb.len()));
                rest = place + verb.len();
            }
        } else if begin.is_none() {
            begin = Some(place);
        }
    }
    if let Some(begin) = begin {
        found.push((begin, text.len()));
    }
    found
}

fn floor(text: &str, most: usize) -> usize {
    let mut end = most.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    end
}

#[cfg(test)]
mod tests {
    use super::{Mention, mentioned};
    use crate::text::units::{instant_from, instant_text};
    use proptest::prelude::*;

    /// A Tuesday in winter, noon in UTC.
    const NOW: &str = "2026-01-20T12:00:00Z";

    fn now() -> i64 {
        instant_from(NOW, 0).unwrap()
    }

    fn read(text: &str) -> Option<String> {
        match mentioned(text, now(), None)? {
            Mention::At(moment, _) => Some(instant_text(moment)),
            Mention::Unclear(said) => Some(format!("? {said}")),
        }
    }

    #[test]
    fn errors_say_when_to_come_back() {
        let table = [
            ("Your quota will reset after 27h41m36s.", "2026-01-21T15:41:36Z"),
            (
                "Free quota used (30 requests / 5h). Resets at 10:00 UTC. Top up for more.",
                "2026-01-21T10:00:00Z",
            ),
            ("Come back in 3h 47m — resets at midnight Pacific.", "2026-01-20T15:47:00Z"),
            ("Resets at 10:00 UTC, or try again at 11:00 UTC.", "2026-01-21T11:00:00Z"),
            ("Come back in 3h 47m.", "2026-01-20T15:47:00Z"),
            (
                "[1308][Usage limit reached for 5 hour. Your limit will reset at 2026-09-12 00:35:41][20260912aaaa0001]",
                "2026-09-12T00:35:41Z",
            ),
            ("Your limit will reset at 2026-09-09 03:30:06", "2026-09-09T03:30:06Z"),
            ("Upgrade to Pro or try again at Aug 20, 2026, 7:38 AM.", "2026-08-20T07:38:00Z"),
            ("Rate limit reached for m. Please try again in 6m0s. Visit the page.", "2026-01-20T12:06:00Z"),
            ("It refreshes at 8am tomorrow Asia/Shanghai", "2026-01-21T00:00:00Z"),
            ("Your limit resets at 00:00 UTC on February 1.", "2026-02-01T00:00:00Z"),
            ("Please try again in 26.604s.", "2026-01-20T12:00:26.604Z"),
            ("Please wait about 3 hours before you send more", "2026-01-20T15:00:00Z"),
            ("You will regain access on 2026-02-01 at 00:00 UTC.", "2026-02-01T00:00:00Z"),
            ("5-hour limit reached ∙ resets 8pm (Europe/Paris)", "2026-01-20T19:00:00Z"),
            ("Please retry after 2026-01-20T13:00:00Z", "2026-01-20T13:00:00Z"),
            ("请求频率过高，请在 30 秒后重试", "2026-01-20T12:00:30Z"),
            ("用量已达上限，将在 2026-01-21 08:00:00 重置。", "2026-01-21T08:00:00Z"),
            ("额度不足，请于2小时后重试", "2026-01-20T14:00:00Z"),
            ("Try again at 35:99 today", "? 35:99 today"),
        ];
        for (text, moment) in table {
            assert_eq!(read(text).as_deref(), Some(moment), "{text}");
        }
    }

    #[test]
    fn a_time_that_is_over_is_a_time() {
        assert_eq!(read("Your limit will reset at 2025-12-31 00:35:41"), None);
    }

    #[test]
    fn other_texts_say_nothing() {
        for text in [
            "",
            "Rate limit exceeded",
            "You sent 30 requests in 5h, which is too much",
            "Please try again later.",
            "Please wait until your plan renews",
            "Resets 5 counters of 12 at once and again and again",
        ] {
            assert!(!matches!(mentioned(text, now(), None), Some(Mention::At(..))), "{text}");
        }
    }

    /// Times as texts say them, with the seconds from [`NOW`] that they mean.
    fn times() -> impl Strategy<Value = (String, i64)> {
        let unit = prop::sample::select(vec![
            (1, vec!["s", " s", " seconds", " secs"]),
            (60, vec!["m", " min", " minutes", " mins"]),
            (3600, vec!["h", " hours", " hrs"]),
            (86_400, vec!["d", " days"]),
            (604_800, vec!["w", " weeks"]),
        ]);
        let lead = prop::sample::select(vec!["", "about ", "approximately ", "~"]);
        let length = (lead, 2i64..50, unit, any::<prop::sample::Index>()).prop_map(
            |(lead, count, (size, names), which)| {
                (format!("{lead}{count}{}", which.get(&names)), count * size)
            },
        );
        let compound = (1i64..90, 0i64..60, 0i64..60, prop::sample::select(vec!["", " ", ", "]));
        let compound = compound.prop_map(|(hours, minutes, seconds, between)| {
            let text = format!("{hours}h{between}{minutes}m{between}{seconds}s");
            (text, hours * 3600 + minutes * 60 + seconds)
        });
        let iso = (0i64..9, 1i64..24, 0i64..60).prop_map(|(days, hours, minutes)| {
            let days_text = if days > 0 { format!("{days}D") } else { String::new() };
            (format!("P{days_text}T{hours}H{minutes}M"), days * 86_400 + hours * 3600 + minutes * 60)
        });
        // Noon is what it is now: midnight of a date is half a day before.
        let date = (1i64..900).prop_map(|days| {
            let text = instant_text(now() + days * 86_400_000);
            (text.get(..10).unwrap().to_owned(), days * 86_400 - 43_200)
        });
        let zone = prop::sample::select(vec![
            ("", 0),
            (" UTC", 0),
            (" PST", -8),
            (" (Asia/Tokyo)", 9),
            (" UTC+8", 8),
            ("+01:00", 1),
        ]);
        let moment = (60i64..100_000_000, zone).prop_map(|(after, (name, hours))| {
            let local = instant_text(now() + (after + hours * 3600) * 1000);
            (format!("{}{name}", local.trim_end_matches('Z').replace('T', " ")), after)
        });
        prop_oneof![length, compound, iso, date, moment]
    }

    proptest! {
        #[test]
        fn the_time_is_found_in_any_such_sentence(
            (said, after) in times(),
            cue in prop::sample::select(vec!["resets in", "will reset at", "Try again in", "please retry after", "Come back in", "available again at", "wait", "until"]),
            before in prop::sample::select(vec!["", "Usage limit reached for 5 hour. ", "429: 30 requests / 5h; "]),
            behind in prop::sample::select(vec!["", ".", ". Visit https://example.com/2026 for more.", "; 12 of 50 left", "]"]),
        ) {
            let text = format!("{before}{cue} {said}{behind}");
            prop_assert_eq!(read(&text), Some(instant_text(now() + after * 1000)), "{}", text);
        }

        #[test]
        fn never_panics(text in "(?s).{0,200}|(reset|again|重试|[0-9:]{0,5}|in| |pm|[年月日]){0,40}") {
            let _ = mentioned(&text, now(), None);
        }
    }
}
