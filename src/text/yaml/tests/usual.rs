//! Usual documents are read as the library reads them.

use std::fs;
use std::path::Path;

use proptest::prelude::*;
use proptest::sample::select;

use super::super::{FileId, parse_any, usual};

/// Reads a text in both ways; whether it is a usual one.
fn is_usual(text: &str) -> bool {
    let Some(read) = usual::parse(FileId(0), text) else { return false };
    match parse_any(FileId(0), text) {
        Ok(judge) => assert_eq!(read, judge, "{text}"),
        Err(found) => panic!("{text}\n{found:?}"),
    }
    true
}

#[test]
fn the_files_of_the_project_are_read_alike() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut folders = vec![root.join("rules"), root.join("examples"), root.join("tests")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "yaml") {
                let is_usual = is_usual(&fs::read_to_string(&path).unwrap());
                assert!(is_usual || !path.starts_with(root.join("rules")), "{path:?}");
            }
        }
    }
}

#[test]
fn what_is_not_usual_is_left_to_the_library() {
    let usual = [
        "a: b",
        "a:\n- b\n-\n- c\nd:\n",
        "- - a\n  - b: c\n    d: e\n- f",
        "a: &x\n  b: c\nd: *x",
        "a: &x {b: c}\nd: { <<: *x }",
        "a: { b: c, \"d\":e, 'f': ''''}\n# x\n",
        "é: { ü: \"\\u00e9\\n\\\"\" }",
        "a: [\n  b, # x\n  c ]",
        "a: b#c\n'd' : e",
        "a",
        "a: &x b\nc: [*x, *x]",
    ];
    for text in usual {
        assert!(is_usual(text), "{text}");
    }
    let others = [
        "",
        "a\nb",
        "[a]",
        "a: |\n  b",
        "a: b\n  c",
        "a: 'b\n  c'",
        "--- a: b",
        "a: !!str b",
        "? a",
        "a:\tb",
        "&x a: b",
        "a: *x",
        "a: b: c",
        "a: [b: c]",
        "a: { b }",
        "a: { b: }",
        "a: [\nb ]",
        "a: \"\\x41\"",
        "a: b\n c: d",
        "a: 'b' c",
        "a: [b] c",
        "a: - b",
        "a: 1\na: 2",
    ];
    for text in others {
        assert!(!is_usual(text), "{text}");
    }
}

/// What documents are made of.
const PARTS: &[&str] = &[
    "a",
    "b c",
    "$.x",
    "k: ",
    "l: ",
    "m:",
    "'q r'",
    "\"s\"",
    "\"t\\n\"",
    "''",
    "'it''s'",
    "[",
    "]",
    "{",
    "}",
    ", ",
    ",",
    "- ",
    "-",
    ": ",
    ":",
    " ",
    "  ",
    "#",
    " # c",
    "\n",
    "\n  ",
    "\n    ",
    "\n- ",
    "\n  - ",
    "&x ",
    "&y",
    "*x",
    "<<: ",
    "1",
    "-2.5",
    "null",
    "~",
    "true",
    "é",
    "|",
    ">",
    "?",
    "! ",
    "%",
    "@",
    "\"",
    "'",
    "http://h/p",
    "x#y",
    "[ a, b ]",
    "{ a: b }",
    "{ a: 1, 'b': [ ] }",
    "[$.a[0]]",
    "\"k\":v",
    "'k' : v",
    ".",
];
const BEGINNINGS: &[&str] =
    &["k: ", "l:", "- ", "- m: ", "- - ", "n : ", "'o': ", "", "-", "*x : ", "- - p: ", "q: &x ", "r: *x"];

fn parts(most: usize) -> impl Strategy<Value = String> {
    prop::collection::vec(select(PARTS), 0..most).prop_map(|parts| parts.concat())
}

proptest! {
    #[test]
    fn whatever_is_usual_is_read_as_the_library_reads_it(text in parts(14)) {
        is_usual(&text);
    }

    #[test]
    fn lines_are_read_as_the_library_reads_them(
        lines in prop::collection::vec((select(&["", "  ", "    ", " "][..]), select(BEGINNINGS), parts(3)), 1..7),
    ) {
        let mut text = String::new();
        for (at, (indent, begin, rest)) in lines.into_iter().enumerate() {
            // No key twice.
            let begin = begin.replace(['k', 'l', 'm', 'n', 'o', 'p', 'q', 'r'], &format!("k{at}"));
            text += &format!("{indent}{begin}{rest}\n");
        }
        is_usual(&text);
    }

    #[test]
    fn brackets_are_read_as_the_library_reads_them(
        within in parts(9), close in select(&["}", "]", " }", "\n  }", " ]"][..]),
    ) {
        is_usual(&format!("a: {{ b: {within}{close}"));
        is_usual(&format!("- [ {within}{close}"));
    }
}
