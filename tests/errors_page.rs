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

/// What is said in `tests/bad/`: the first finding of each code, as it is shown.
fn said() -> BTreeMap<String, Finding> {
    let mut corpus = Vec::new();
    files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bad"), "txt", &mut corpus);
    let title = Regex::new(r"(?m)^(error|warning)\[([a-z-]+)\]: (.*)$").unwrap();
    let mut said = BTreeMap::new();
    for path in corpus {
        let text = std::fs::read_to_string(path).unwrap();
        let starts: Vec<usize> = title.find_iter(&text).map(|found| found.start()).collect();
        for (number, found) in title.captures_iter(&text).enumerate() {
            let end = starts.get(number + 1).copied().unwrap_or(text.len());
            let finding = Finding {
                severity: found[1].to_owned(),
                message: found[3].to_owned(),
                shown: text[starts[number]..end].trim_end().to_owned(),
            };
            said.entry(found[2].to_owned()).or_insert(finding);
        }
    }
    for (code, severity, message) in NOT_IN_A_FILE {
        said.entry(code.to_owned()).or_insert(Finding {
            severity: severity.to_owned(),
            message: message.to_owned(),
            shown: format!("{severity}[{code}]: {message}"),
        });
    }
    said
}

struct Finding {
    severity: String,
    message: String,
    /// With its place and its help.
    shown: String,
}

#[test]
fn every_code_has_its_cause_and_cure_and_an_example() {
    let said = said();
    let page = Document::open("docs/errors.md");
    let mut table = String::from("\n| code | | for example |\n| --- | --- | --- |\n");
    let (mut without, mut untold, mut parts) = (Vec::new(), Vec::new(), Vec::new());
    let codes: BTreeSet<String> = codes().into_iter().chain(said.keys().cloned()).collect();
    assert!(codes.len() > 80);
    for code in codes {
        let Some(finding) = said.get(&code) else {
            without.push(code);
            continue;
        };
        let message = finding.message.replace('|', "\\|");
        table.push_str(&format!("| [`{code}`](#{code}) | {} | {message} |\n", finding.severity));
        // Between its heading and its example stands what nobody but a person can say.
        let told = page.text.split_once(&format!("\n### {code}\n"));
        let told = told.and_then(|(_, rest)| rest.split_once("<!-- begin")).map(|(told, _)| told.trim());
        if told.is_none_or(|told| told.len() < 40 || told.contains("###")) {
            untold.push(code);
            continue;
        }
        parts.push((page.part(&code), format!("\n```text\n{}\n```\n\n", finding.shown)));
    }
    assert!(without.is_empty(), "without a mistake in tests/bad: {without:?}");
    assert!(
        untold.is_empty(),
        "in docs/errors.md these have no `### CODE`, cause, cure, `<!-- begin CODE -->` and `<!-- end -->`: {untold:?}"
    );
    parts.push((page.part("codes"), format!("{table}\n")));
    page.expect(parts);
}
