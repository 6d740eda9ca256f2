//! The page of promises: every test that it names exists.

use std::collections::BTreeSet;
use std::path::Path;

use regex::Regex;

use crate::support::Document;

/// The names of all functions under a folder.
fn functions(folder: &Path, found: &mut BTreeSet<String>) {
    let function = Regex::new(r"(?m)^\s*(?:async )?fn (\w+)\(").unwrap();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            functions(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            let text = std::fs::read_to_string(&path).unwrap();
            found.extend(function.captures_iter(&text).map(|capture| capture[1].to_owned()));
        }
    }
}

#[test]
fn every_promise_names_tests_that_exist_or_none() {
    let page = Document::open("docs/reliability.md").text;
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut known = BTreeSet::new();
    ["src", "tests", "benches"].iter().for_each(|folder| functions(&root.join(folder), &mut known));
    let quoted = Regex::new("`([^`]+)`").unwrap();
    let mut findings = Vec::new();
    let mut promises = 0;
    let promised = page.split("\n## ").find(|part| part.starts_with("The promises")).unwrap();
    let rows = promised.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| ---"));
    for row in rows.filter(|row| !row.starts_with("| promise |")) {
        promises += 1;
        let held_by = row.trim_end_matches(" |").rsplit(" | ").next().unwrap_or_default();
        let names: Vec<&str> =
            quoted.captures_iter(held_by).map(|capture| capture.get(1).unwrap().as_str()).collect();
        if names.is_empty() && held_by != "-" {
            findings.push(format!("names neither a test nor `-`: {row}"));
        }
        let function = |name: &str| name.rsplit("::").next().unwrap_or_default().to_owned();
        findings.extend(
            names
                .iter()
                .filter(|name| !known.contains(&function(name)))
                .map(|name| format!("no test {name}")),
        );
    }
    assert!(promises > 40, "the table of promises is read");
    assert!(findings.is_empty(), "docs/reliability.md:\n  {}", findings.join("\n  "));
}
