//! docs/errors.md lists every code of a finding, with what is said of a mistake in `tests/bad/`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use regex::Regex;

use crate::support::Document;

/// Codes of mistakes that cannot stand in a rules file by itself: in a file with keys, of a path on a machine, of a
/// variable's value, in rules that are read again, or too long to show.
const NOT_IN_A_FILE: [(&str, &str, &str); 9] = [
    ("bad-value", "error", "the value of `API_KEY` has a line break in it"),
    (
        "kept-value",
        "warning",
        "the variable `API_KEY` is not set any more, so it keeps the value that it had",
    ),
    (
        "lost-key",
        "error",
        "`claude_pro` works now, and would be left without a key: CLAUDE_API_KEY is not set",
    ),
    ("too-many-files", "error", "the rules include more than 1000 files"),
    ("no-client-key", "error", "no client has a key, so nobody can get in"),
    (
        "open-to-all",
        "error",
        "rules that are read again would open a router that listens beyond this machine",
    ),
    ("secret-twice", "warning", "a name is set twice in a file with keys"),
    ("unknown-repair", "error", "there is no repair of that name"),
    ("use-depth", "error", "fragments nest more than 24 deep"),
];

fn files(folder: &Path, ending: &str, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, ending, found);
        } else if path.extension().is_some_and(|known| known == ending) {
            found.push(path);
        }
    }
    found.sort();
}

/// All codes that the program can give.
fn codes() -> Vec<String> {
    let mut sources = Vec::new();
    files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), "rs", &mut sources);
    let given = Regex::new(r#"\b(?:error|warning)\(\s*"([a-z]+(?:-[a-z]+)*)"\s*,"#).unwrap();
    let mut codes = Vec::new();
    for path in sources.iter().filter(|path| !path.ends_with("tests.rs")) {
        let text = std::fs::read_to_string(path).unwrap();
        let code = text.split("#[cfg(test)]\nmod ").next().unwrap();
        codes.extend(given.captures_iter(code).map(|found| found[1].to_owned()));
    }
    codes
}

/// What is said in `tests/bad/`: severity and message of the first finding of each code.
fn said() -> BTreeMap<String, (String, String)> {
    let mut corpus = Vec::new();
    files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bad"), "txt", &mut corpus);
    let title = Regex::new(r"(?m)^(error|warning)\[([a-z-]+)\]: (.*)$").unwrap();
    let mut said = BTreeMap::new();
    for path in corpus {
        let text = std::fs::read_to_string(&path).unwrap();
        for found in title.captures_iter(&text) {
            let line = (found[1].to_owned(), found[3].to_owned());
            said.entry(found[2].to_owned()).or_insert(line);
        }
    }
    said
}

#[test]
fn every_code_has_its_line() {
    let said = said();
    let mut table = String::from("\n| code | | for example |\n| --- | --- | --- |\n");
    let mut without = Vec::new();
    let codes: BTreeSet<String> = codes().into_iter().chain(said.keys().cloned()).collect();
    assert!(codes.len() > 80);
    for code in codes {
        let other = NOT_IN_A_FILE.iter().find(|(known, ..)| *known == code);
        let other = other.map(|(_, severity, message)| ((*severity).to_owned(), (*message).to_owned()));
        match said.get(&code).cloned().or(other) {
            Some((severity, message)) => {
                table.push_str(&format!("| `{code}` | {severity} | {} |\n", message.replace('|', "\\|")));
            }
            None => without.push(code),
        }
    }
    assert!(without.is_empty(), "without a mistake in tests/bad: {without:?}");
    let page = Document::open("docs/errors.md");
    page.expect(vec![(page.part("codes"), format!("{table}\n"))]);
}
