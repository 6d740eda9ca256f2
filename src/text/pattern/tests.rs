//! What a pattern tells of itself, against the library's own reading.

use super::{Pattern, is_odd};
use proptest::prelude::*;

/// What patterns are made of, whole and broken.
const PARTS: &[&str] = &[
    "(?i)",
    "(?s:",
    "(?x)",
    "(?i:",
    "(?<a>",
    "(?P<b>",
    "(?:",
    "(",
    ")",
    "|",
    "k",
    "S",
    "sb",
    "limit",
    " ",
    "a",
    "[",
    "]",
    "[k]",
    "[^s]",
    "[a-f]",
    "[a-f&&b-c]",
    r"[a-\d]",
    r"[\w--b]",
    "[[:alpha:]]",
    "[[:^digit:]]",
    r"[^\S]",
    r"\d",
    r"\D",
    r"\w",
    r"\W",
    r"\s",
    r"\S",
    r"\b",
    r"\B",
    r"\b{start}",
    r"\.",
    r"\|",
    r"\n",
    r"\A",
    r"\z",
    r"\Q",
    "*",
    "+",
    "?",
    "+?",
    "{2}",
    "{1,3}",
    "{9",
    "^",
    "$",
    ".",
];

#[test]
fn needles_stand_in_whatever_matches() {
    let table: [(&str, &[&str]); 14] = [
        (r"(?i)usage limit reached\|(?<reset>\d{10})", &["usage limit reached|"]),
        ("(?i)hit your limit|our limit", &["hit your limit", "our limit"]),
        (r"You.?ve hit (your|the) limit", &["ve hit "]),
        ("abc(def)+", &["abc"]),
        ("(abcdef)+x", &["abcdef"]),
        ("(?i)KISS", &["kiss"]),
        (r"\bslow down\b", &["slow down"]),
        ("a+", &[]),
        ("", &[]),
        ("ab?c*", &[]),
        ("(limit)?", &[]),
        ("limit|", &[]),
        ("[abc]limits", &["limits"]),
        ("(?i)größe", &[]),
    ];
    for (text, needles) in table {
        assert_eq!(Pattern::parse(text).unwrap().needles(), needles, "{text}");
    }
}

#[test]
fn what_is_no_pattern_and_what_is_too_large_is_told_in_one_sentence() {
    for (text, part) in
        [("a(b", "unclosed group"), (r"\w{5000}{100}", "size limit"), (r"a\", "incomplete escape")]
    {
        let said = Pattern::parse(text).unwrap_err();
        assert!(said.contains(part) && !said.contains('\n'), "{text}: {said}");
    }
    let pattern = Pattern::parse("(?<a>x)((?<b>y)|z)*").unwrap();
    assert_eq!((pattern.groups(), pattern.group_count()), (&["a".to_owned(), "b".to_owned()][..], 3));
}

#[test]
fn what_asks_for_bytes_or_characters_is_read_as_such() {
    for text in
        [r"\xFF", r"(?-u)\xFF", r"(?i-u:\W)", r"\p{Greek}", r"\p{Nothing}", r"\u{3b1}", "(?i)\u{3b1}", "é"]
    {
        assert!(super::read_lightly(text).is_none(), "{text}");
        assert_eq!(Pattern::parse(text).is_ok(), regex::Regex::new(text).is_ok(), "{text}");
    }
    for text in [r"(?<u>\d+)", r"(?:up)\x", "(?i)usage"] {
        assert_eq!(super::read_lightly(text).is_some(), regex::Regex::new(text).is_ok(), "{text}");
    }
}

proptest! {
    #[test]
    fn reading_lightly_tells_the_same(
        parts in proptest::collection::vec(proptest::sample::select(PARTS), 1..9),
    ) {
        let text = parts.concat();
        if let Some(light) = super::read_lightly(&text) {
            let full = super::read(&text);
            prop_assert!(full.is_ok() && regex::Regex::new(&text).is_ok(), "{text}: {full:?}");
            let full = full.unwrap();
            let told = |parsed| super::told(super::known(parsed));
            prop_assert_eq!(told(&light), told(&full), "{}", text);
            prop_assert!(super::weight(&light, true) >= super::weight(&full, false), "{text}");
        } else {
            prop_assert!(super::read(&text).is_err() && regex::Regex::new(&text).is_err(), "{text}");
        }
    }

    #[test]
    fn no_match_is_without_its_needle(
        parts in proptest::collection::vec("(\\(\\?i:)?(ab|Ks|limit|\\.|\\\\d|x\\?|[a-c]{3}|\\(red\\|blue\\)|é|\\[kK\\])", 1..6),
        text in "[abcKskKs\u{212A}\u{17F}ſlimtredblux 1é.]{0,24}",
    ) {
        let open = parts.iter().filter(|part| part.starts_with("(?i:")).count();
        let pattern = format!("{}{}", parts.concat(), ")".repeat(open));
        if let Ok(pattern) = Pattern::parse(&pattern)
            && pattern.is_match(&text) && !is_odd(&text) && !pattern.needles().is_empty()
        {
            let small = text.to_ascii_lowercase();
            prop_assert!(pattern.needles().iter().any(|needle| small.contains(needle.as_str())));
        }
    }
}
