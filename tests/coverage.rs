//! The page of what is covered is true: every row and every bug has its line, and every test that it names exists.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::rules::{compiled, files};

/// The lines of the page's tables: a row's name, what it is, and what stands in its last column.
fn rows() -> BTreeMap<String, [String; 2]> {
    let page = std::fs::read_to_string(root().join("docs/coverage.md")).unwrap();
    let mut rows = BTreeMap::new();
    for line in page.lines().filter(|line| line.starts_with("| ")) {
        // A bar within a name is escaped.
        let line = line.replace(r"\|", "\u{1}");
        let cells: Vec<String> = line.split('|').map(|cell| cell.trim().replace('\u{1}', "|")).collect();
        let [_, row, what, tests, _] = cells.as_slice() else { panic!("not three columns: {line}") };
        if row == "row" || row.starts_with("---") {
            continue;
        }
        assert!(!what.is_empty(), "{row} does not say what it is");
        assert!(rows.insert(row.clone(), [what.clone(), tests.clone()]).is_none(), "{row} has two lines");
    }
    rows
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// All rows that the page must have.
fn wanted() -> BTreeSet<String> {
    let mut wanted = BTreeSet::new();
    for (part, count) in [("a1.", 51), ("a2.", 21), ("a4.", 20), ("c", 88)] {
        wanted.extend((1..=count).map(|number| format!("{part}{number}")));
    }
    let others = [
        "a1.15b", "a3", "a3.200", "a3.400", "a3.401", "a3.402", "a3.403", "a3.404", "a3.408", "a3.413",
        "a3.429", "a3.500", "a3.503", "a5", "a6", "a7", "b.0", "b.1", "b.2", "b.2.1", "b.2.2", "b.2.3",
        "b.2.4", "b.2.5", "b.2.6", "b.2.7", "b.3", "b.4", "b.5",
    ];
    wanted.extend(others.map(str::to_owned));
    for (provider, count) in ERRORS {
        wanted.extend((1..=count).map(|number| format!("d.{provider}.{number}")));
    }
    wanted
}

/// The rows about providers' errors: whose they are, and how many.
const ERRORS: [(&str, usize); 10] = [
    ("anthropic", 14),
    ("deepseek", 5),
    ("kimi", 7),
    ("openai", 8),
    ("openrouter", 6),
    ("gemini", 5),
    ("azure", 2),
    ("groq", 2),
    ("others", 6),
    ("network", 7),
];

/// A test as it is written: `claude: five hours used up` is one of rules/catalog/claude.yaml.
fn written(reference: &str) -> Option<String> {
    let (file, name) = reference.split_once(": ")?;
    let folders = ["rules/catalog", "tests/rules", "rules"];
    let text = folders
        .iter()
        .find_map(|folder| std::fs::read_to_string(root().join(folder).join(format!("{file}.yaml"))).ok())?;
    let mut tests = text.split("\n  - name: ").skip(1);
    let found = tests.find(|test| {
        let first = test.lines().next().unwrap_or_default();
        first.split("  ").next().is_some_and(|it| it.trim().trim_matches('"') == name)
    });
    found.map(str::to_owned)
}

/// What stands between backticks.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// The names of all tests beside the rules and the mappings, and of all functions of the program and its tests.
fn known() -> BTreeSet<String> {
    let mut known = BTreeSet::new();
    for file in files() {
        let rules = compiled(&file).1;
        known.extend(rules.tests.iter().map(|test| test.name.value.clone()));
        let of_mappings = rules.mappings.iter().flat_map(|mapping| &mapping.tests);
        known.extend(of_mappings.map(|test| test.name.value.clone()));
    }
    let function = regex::Regex::new(r"\bfn ([a-z0-9_]+)").unwrap();
    let mut folders = vec![root().join("src"), root().join("tests")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                let text = std::fs::read_to_string(path).unwrap();
                known.extend(function.captures_iter(&text).map(|found| found[1].to_owned()));
            }
        }
    }
    known
}

#[test]
fn every_row_and_every_bug_has_its_line() {
    let rows: BTreeSet<String> = rows().into_keys().collect();
    assert_eq!(rows, wanted());
}

#[test]
fn every_test_that_is_named_exists() {
    let known = known();
    let mut missing = Vec::new();
    for (row, [_, tests]) in rows() {
        let (named, reason) = tests.split_once("not covered: ").unwrap_or((&tests, ""));
        let named: Vec<&str> = quoted(named).collect();
        assert!(!named.is_empty() || !reason.is_empty(), "{row} has neither a test nor a reason");
        let is_known = |name: &str| known.contains(name) || written(name).is_some();
        let unknown = named.iter().filter(|name| !is_known(name));
        missing.extend(unknown.map(|name| format!("{row}: {name}")));
    }
    assert_eq!(missing, Vec::<String>::new());
}

/// An error that is paraphrased proves nothing: its words stand in a test, beside the rule that they meet.
#[test]
fn the_words_of_providers_stand_in_the_tests_that_are_named() {
    let mut missing = Vec::new();
    for (row, [what, tests]) in rows().into_iter().filter(|(row, _)| row.starts_with("d.")) {
        let tests: Vec<String> = quoted(&tests).filter_map(written).collect();
        let without_rule = tests.iter().filter(|test| !test.contains("rule: "));
        missing.extend(
            without_rule
                .map(|test| format!("{row}: no rule is expected by {}", test.lines().next().unwrap())),
        );
        let words = quoted(&what).filter(|words| !tests.iter().any(|test| test.contains(words)));
        missing.extend(words.map(|words| format!("{row}: {words}")));
    }
    assert_eq!(missing, Vec::<String>::new());
}
