//! Keys in every disguise that is known of, in texts of any kind.

use super::*;
use base64::engine::general_purpose::URL_SAFE;
use proptest::prelude::*;

const KEY: &str = "sk-ant-api03-Zk9qLw7_Rt2XbV5-mN8cPd4s";

fn redacted(text: &str) -> String {
    Redactor::new([Secret::new(KEY)]).redacted_text(text).unwrap_or_else(|| text.to_owned())
}

/// A key in each disguise, by a number: what stands in the text, and what must not be left of it.
fn disguised(key: &str, how: usize, user: &str) -> String {
    let each = |write: &dyn Fn(char) -> String| key.chars().map(write).collect::<String>();
    let split = |by: &str| {
        let (one, other) = key.split_at(key.len() / 2);
        format!("{one}{by}{other}")
    };
    match how {
        0 => key.to_owned(),
        1 => STANDARD_NO_PAD.encode(key),
        2 => STANDARD_NO_PAD.encode(format!("{user}:{key}")),
        3 => URL_SAFE.encode(format!("{user}:{key}")),
        4 => each(&|sign| format!("%{:02X}", u32::from(sign))),
        5 => each(&|sign| format!("%{:02x}", u32::from(sign))),
        6 => each(&|sign| {
            if sign.is_ascii_digit() { sign.into() } else { format!("%25{:02X}", u32::from(sign)) }
        }),
        7 => each(&|sign| format!("\\u{:04x}", u32::from(sign))),
        8 => each(&|sign| {
            if sign.is_ascii_lowercase() { format!("\\\\u{:04X}", u32::from(sign)) } else { sign.into() }
        }),
        9 => split("\n"),
        10 => split(" "),
        11 => split("\u{200b}"),
        12 => split("\u{feff}\\u00ad"),
        13 => split("\u{ad}\\n"),
        14 => key.to_uppercase(),
        15 => key.to_lowercase(),
        16 => each(&|sign| format!("{:02x}", u32::from(sign))),
        17 => each(&|sign| format!("{:02X} ", u32::from(sign))),
        18 => each(&|sign| format!("\\x{:02x}", u32::from(sign))),
        19 => key.get(..key.len() * 3 / 4).unwrap_or(key).to_owned(),
        20 => each(&|sign| format!("&#x{:x};", u32::from(sign))),
        21 => each(&|sign| format!("&#{};", u32::from(sign))),
        22 => each(&|sign| format!("\\{:03o}", u32::from(sign))),
        23 => each(&|sign| format!("%u{:04X}", u32::from(sign))),
        24 => each(&|sign| format!("\\u{{{:x}}}", u32::from(sign))),
        25 => each(&|sign| format!("{sign}\0")),
        26 => each(&|sign| format!("{sign}\u{feff}")),
        27 => each(&|sign| match sign {
            '&' => "&amp;amp;".into(),
            '/' => "&sol;".into(),
            '+' => "&plus;".into(),
            _ => sign.into(),
        }),
        // As a form has it, and as it is read by whoever takes it for one.
        28 => each(&|sign| {
            if sign.is_ascii_alphanumeric() { sign.into() } else { format!("%{:02X}", u32::from(sign)) }
        }),
        29 => key.replace('+', " "),
        30 => each(&|sign| format!("\\\\u0025{:02x}", u32::from(sign))),
        _ => key.get(key.len() / 4..).unwrap_or(key).to_owned(),
    }
}
const DISGUISES: usize = 32;

proptest! {
    #[test]
    fn no_known_key_is_left_in_any_disguise(
        keys in prop::collection::vec("[A-Za-z0-9_+/=.-]{16,200}", 1..4),
        which in any::<prop::sample::Index>(), how in 0..DISGUISES,
        user in "[a-z]{1,3}", before in "\\PC{0,40}", after in "\\PC{0,40}",
    ) {
        let key = &keys[which.index(keys.len())];
        // What a kind of key begins with is no secret.
        prop_assume!(how != 19 || key.len() * 3 / 4 >= common(key) + BEYOND);
        let said = disguised(key, how, &user);
        // `%` in front takes two digits of what may be all that there is of the beginning.
        let between = if how == 19 { " " } else { "" };
        let text = format!("{before}{between}{said}{after}");
        let clean = Redactor::new(keys.iter().map(|key| Secret::new(key.as_str()))).redacted_text(&text);
        let clean = clean.unwrap_or_else(|| panic!("{how}: not found in {text:?}"));
        prop_assert!(!clean.contains(&said), "{how}: {clean:?} of {text:?}");
        // Nor most of it: what touches the key on both sides may hide a letter or two of it.
        let inner = said.get(8..said.len() - 8).filter(|inner| inner.is_ascii() && inner.len() >= 8);
        prop_assert!(inner.is_none_or(|inner| !clean.contains(inner)), "{how}: {clean:?} of {text:?}");
    }

    #[test]
    fn a_key_that_looks_encoded_itself_is_found_as_well(
        key in "[a-z0-9]{9,20}(%[0-9A-F]{2}|%|[+/]|&#x4;|&amp;|&){1,3}[A-Za-z0-9]{12,40}",
        // Neither in part nor split, perhaps within what looks encoded.
        how in (0..DISGUISES).prop_filter("whole", |how| !matches!(how, 9..=13 | 19 | 31..)),
    ) {
        let said = disguised(&key, how, "me");
        let clean = Redactor::new([Secret::new(key.as_str())]).redacted_text(&format!("key: {said}, ok"));
        let clean = clean.unwrap_or_else(|| panic!("{how}: {key} not found in {said:?}"));
        prop_assert!(clean.len() <= "key: dXNlcjo[key]xx==, ok".len(), "{how}: {clean:?} of {said:?}");
    }

    #[test]
    fn a_text_without_a_key_stays_as_it_is(text in "\\PC{0,200}") {
        prop_assert_eq!(redacted(&text), text);
    }
}

#[test]
fn a_key_is_cut_out_and_what_stands_around_it_stays() {
    assert_eq!(redacted(&format!("Bad key {KEY}, try another.")), "Bad key [key], try another.");
    for how in 0..DISGUISES {
        let clean = redacted(&format!("Bad key {}, try another.", disguised(KEY, how, "me")));
        assert!(clean.starts_with("Bad key ") && clean.ends_with(", try another."), "{how}: {clean}");
        assert!(clean.len() <= "Bad key dXNlcjo[key]xx==, try another.".len(), "{how}: {clean}");
    }
}

#[test]
fn a_hint_of_a_key_and_what_all_keys_of_a_kind_begin_with_stay() {
    for text in ["sk-ant-...cPd4s", "keys begin with sk-ant-api03-", "sk-ant-api03-Zk9*******cPd4s"] {
        assert_eq!(redacted(text), text);
    }
    assert_eq!(redacted("sk-ant-api03-Zk9qLw7..."), "[key]...");
    assert_eq!(redacted("...bV5-mN8cPd4s"), "...[key]");
}

#[test]
fn json_stays_json() {
    let body = format!(r#"{{"error":{{"message":"a \"key\"\\ {}\n"}}}}"#, disguised(KEY, 7, ""));
    let clean = redacted(&body);
    assert_eq!(clean, r#"{"error":{"message":"a \"key\"\\ [key]\n"}}"#);
}

#[test]
fn short_keys_are_looked_for_as_they_are() {
    let redactor = Redactor::new([Secret::new("lm-studio")]);
    assert_eq!(redactor.redacted_text("LM Studio: lm-studio").as_deref(), Some("LM Studio: [key]"));
    assert_eq!(redactor.redacted_text("LM-STUDIO"), None);
}

#[test]
fn keys_with_the_same_beginning_are_found_whole() {
    let redactor = Redactor::new(["test-key-0000000000000001", "test-key-0000000000000002"].map(Secret::new));
    assert_eq!(redactor.redacted_text("test\u{ad}-key-0000000000000002!").as_deref(), Some("[key]!"));
}

#[test]
fn a_key_that_is_known_by_its_digest_is_found_as_a_word() {
    use sha2::{Digest, Sha256};
    let redactor = Redactor::default().with_digests([Sha256::digest(KEY).into()]);
    for (before, after) in
        [("", ""), ("/v1/", "?x"), ("key=", "&a=b"), ("\"", "\""), ("It is ", "."), ("(", "...)")]
    {
        let clean = redactor.redacted_text(&format!("{before}{KEY}{after}")).unwrap();
        assert_eq!(clean, format!("{before}[key]{}", after.trim_start_matches('.')));
    }
    assert_eq!(redactor.redacted_text("nothing of the kind, sk-ant-api03-Zk9qLw7"), None);
}
