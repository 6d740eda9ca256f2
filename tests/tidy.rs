//! The invariants of ARCHITECTURE.md that the text of the project can be asked about.

use std::path::{Path, PathBuf};

use regex::Regex;

/// The modules in the order in which they stand on one another: each may name those before it. `proof` and `edge` stand
/// side by side: neither names the other.
const STOREYS: [&str; 7] = ["text", "language", "config", "engine", "proof", "edge", "cli"];

/// Crates that might be exchanged, each with the one place (file, or file and folder of that name) that may name it.
const HOMES: [(&str, &str); 12] = [
    ("granit_parser", "text/yaml"),
    ("jsonpath_rust", "text/path"),
    ("croner", "text/units"),
    ("jiff", "text/units"),
    ("annotate_snippets", "text/diagnostic"),
    ("hyper_rustls", "edge/upstream"),
    ("h2", "edge/upstream"),
    ("flate2", "edge/compression"),
    ("brotli_decompressor", "edge/compression"),
    ("zstd_safe", "edge/compression"),
    ("notify", "edge/reload"),
    ("clap", "cli"),
];

/// The only files in which a secret is readable: where it is compared, and where it is sent.
const READERS: [&str; 2] = ["edge/access.rs", "engine/plan/request.rs"];

/// Files and folders that are tables of plain data: these alone may grow.
const TABLES: [&str; 2] = ["language/directives/", "language/matchers.rs"];

/// Files that are longer than they should be, and how long they may stay until they are divided. Nothing is added here.
const STILL_LONG: [(&str, usize); 4] = [
    ("config/values.rs", 425),
    ("engine/exchange.rs", 397),
    ("engine/plan/outcome.rs", 410),
    ("language/value.rs", 391),
];

/// The longest a file may be, its tests aside.
const LINES: usize = 350;

/// A source file of the project.
struct Source {
    /// Below `src/`, with `/`.
    name: String,
    text: String,
}

impl Source {
    /// The code without the tests at its end and without comments.
    fn code(&self) -> String {
        let code = self.text.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
        code.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
    }

    /// The storey it belongs to; the crate's own two files belong to none.
    fn storey(&self) -> Option<usize> {
        let first = self.name.split('/').next().unwrap_or_default().trim_end_matches(".rs");
        STOREYS.iter().position(|storey| *storey == first)
    }

    fn is_tests(&self) -> bool {
        self.name.ends_with("/tests.rs")
            || self.name.ends_with("/testing.rs")
            || self.name.contains("/tests/")
    }
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// All files below a folder, without what is built, fetched or hidden by the version control.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if ["target", ".git", "node_modules", ".venv", "proptest-regressions"].contains(&name.as_str()) {
            continue;
        }
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn sources() -> Vec<Source> {
    let src = root().join("src");
    files(&src)
        .into_iter()
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .map(|path| Source {
            name: path.strip_prefix(&src).unwrap().to_string_lossy().replace('\\', "/"),
            text: std::fs::read_to_string(&path).unwrap(),
        })
        .collect()
}

/// Fails with every finding at once.
fn none(what: &str, findings: Vec<String>) {
    assert!(findings.is_empty(), "{what}:\n  {}", findings.join("\n  "));
}

/// Lines of `text` that the pattern matches, as `name:line: text`.
fn matches(name: &str, text: &str, pattern: &Regex) -> Vec<String> {
    let lines = text.lines().enumerate().filter(|(_, line)| pattern.is_match(line));
    lines.map(|(number, line)| format!("{name}:{}: {}", number + 1, line.trim())).collect()
}

#[test]
fn no_vendor_is_named_in_the_program() {
    let vendor = Regex::new("(?i)anthropic|claude|openai|deepseek|moonshot|kimi|gemini").unwrap();
    let mut findings = Vec::new();
    for path in files(&root().join("src")) {
        let name = path.strip_prefix(root()).unwrap().to_string_lossy().into_owned();
        if vendor.is_match(&name) {
            findings.push(name.clone());
        }
        findings.extend(matches(&name, &String::from_utf8_lossy(&std::fs::read(&path).unwrap()), &vendor));
    }
    none("a vendor's name under src/", findings);
}

#[test]
fn arrows_between_modules_point_one_way() {
    let named = Regex::new(r"\bcrate::(\w+)").unwrap();
    let mut findings = Vec::new();
    for source in sources() {
        let Some(own) = source.storey() else { continue };
        for capture in named.captures_iter(&source.code()) {
            let target = STOREYS.iter().position(|storey| *storey == &capture[1]);
            let sideways = STOREYS[own] == "edge" && &capture[1] == "proof";
            if sideways || target.is_some_and(|target| target > own) {
                findings.push(format!("{} names crate::{}", source.name, &capture[1]));
            }
        }
    }
    none("an arrow against the order text <- language <- config <- engine <- proof <- edge <- cli", findings);
}

#[test]
fn engine_and_language_touch_nothing_outside() {
    let outside = Regex::new(
        r"\.await\b|\basync\b|\bInstant\b|\bSystemTime\b|std::(fs|net|env|thread|process)\b|\btokio\b|\brand\b|\breqwest\b|\bhyper\b",
    )
    .unwrap();
    let pure = sources().into_iter().filter(|source| {
        ["text/", "language/", "engine/"].iter().any(|storey| source.name.starts_with(storey))
            && !source.is_tests()
    });
    none(
        "a clock, file, socket, environment or wait",
        pure.flat_map(|s| matches(&s.name, &s.code(), &outside)).collect(),
    );
}

#[test]
fn only_edge_waits() {
    let waits = Regex::new(r"\.await\b|\basync (fn|move|\{)").unwrap();
    let others =
        sources().into_iter().filter(|source| !source.name.starts_with("edge/") && !source.is_tests());
    // The command line's start of the runtime is a `block_on`, which is no await.
    none(
        "asynchronous code outside edge/",
        others.flat_map(|s| matches(&s.name, &s.code(), &waits)).collect(),
    );
}

#[test]
fn nothing_panics_on_purpose_outside_tests() {
    let panics = Regex::new(r"\.unwrap\(\)|\.expect\(|\b(panic|todo|unimplemented|unreachable)!\(").unwrap();
    let findings = sources().into_iter().filter(|source| !source.is_tests());
    none("may panic", findings.flat_map(|s| matches(&s.name, &s.code(), &panics)).collect());
}

#[test]
fn a_secret_is_readable_in_two_files_only() {
    let exposed = Regex::new(r"\.expose\(\)").unwrap();
    let others = sources().into_iter().filter(|s| !READERS.contains(&s.name.as_str()) && !s.is_tests());
    none("a secret is read", others.flat_map(|s| matches(&s.name, &s.code(), &exposed)).collect());
}

#[test]
fn every_module_begins_with_a_sentence() {
    let bare = sources().into_iter().filter(|source| {
        let first = source.text.lines().next().unwrap_or_default();
        !source.is_tests() && (!first.starts_with("//! ") || first.len() < 20)
    });
    none("does not begin with a //! sentence", bare.map(|source| source.name).collect());
}

#[test]
fn files_stay_small() {
    let mut findings = Vec::new();
    for source in sources() {
        let code = source.text.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
        let lines = code.lines().count();
        let still =
            STILL_LONG.iter().find(|(name, _)| *name == source.name).map_or(LINES, |(_, lines)| *lines);
        let table = TABLES.iter().any(|table| source.name.starts_with(table));
        if lines > still && !table && !source.is_tests() {
            findings.push(format!("{}: {lines} lines without its tests", source.name));
        }
    }
    none("longer than a file should be", findings);
}

#[test]
fn an_exchangeable_crate_has_one_home() {
    let homes = HOMES.map(|(name, home)| {
        (name, home, Regex::new(&format!(r"\b{name}::|use {name}\b|\b{name}!")).unwrap())
    });
    let mut findings = Vec::new();
    for source in sources() {
        let code = source.code();
        for (name, home, named) in &homes {
            let at_home =
                source.name.trim_end_matches(".rs") == *home || source.name.starts_with(&format!("{home}/"));
            if !at_home && code.contains(name) && named.is_match(&code) {
                findings.push(format!("{} names {name}, whose place is {home}", source.name));
            }
        }
    }
    none("a foreign crate away from its home", findings);
}

#[test]
fn no_machine_is_named() {
    let machine =
        Regex::new(r"(^|[^A-Za-z0-9])/(work|farm|root|home/\w+|tmp/(wt|house|bash_jobs))(/|\b)").unwrap();
    let mut findings = Vec::new();
    for path in files(&root()) {
        let name = path.strip_prefix(root()).unwrap().to_string_lossy().into_owned();
        if name == "tests/tidy.rs" || name.ends_with(".lock") {
            continue;
        }
        findings.extend(matches(&name, &String::from_utf8_lossy(&std::fs::read(&path).unwrap()), &machine));
    }
    none("a path of one machine", findings);
}

/// Every document of the project, by its path.
fn documents() -> Vec<String> {
    let markdown =
        files(&root()).into_iter().filter(|path| path.extension().is_some_and(|ending| ending == "md"));
    markdown.map(|path| path.strip_prefix(root()).unwrap().to_string_lossy().into_owned()).collect()
}

/// The lines of a document's shell blocks, a continued line joined with the next.
fn shell_lines(document: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let mut inside = false;
    let joined = document.replace("\\\n", " ");
    for line in joined.lines() {
        if line.trim_start().starts_with("```") {
            inside = ["```sh", "```bash", "```console"].contains(&line.trim());
        } else if inside {
            lines.push(line.trim().trim_start_matches("$ ").to_owned());
        }
    }
    lines
}

#[test]
fn commands_in_the_documents_exist() {
    let justfile = std::fs::read_to_string(root().join("justfile")).unwrap();
    let mut findings = Vec::new();
    for name in documents() {
        let document = std::fs::read_to_string(root().join(&name)).unwrap();
        for line in shell_lines(&document) {
            let line = line.split(" #").next().unwrap_or_default().trim().trim_end_matches(" &");
            let own = line
                .strip_prefix("rulegate")
                .or_else(|| line.split_once("cargo run --release --").map(|(_, rest)| rest));
            let known = match (own, line.strip_prefix("just ")) {
                (Some(rest), _) => rulegate::cli::accepts(rest.split_whitespace()),
                (_, Some(recipe)) => {
                    let name = recipe.split(' ').next().unwrap_or_default();
                    justfile.lines().any(|line| line.split([' ', ':']).next() == Some(name))
                }
                _ => true,
            };
            if !known {
                findings.push(format!("{name}: {line}"));
            }
        }
    }
    none("a command that does not exist", findings);
}

#[test]
fn files_that_the_documents_point_to_exist() {
    let link = Regex::new(r"\]\(([^)#]+)").unwrap();
    let mut findings = Vec::new();
    for name in documents() {
        let path = root().join(&name);
        let document = std::fs::read_to_string(&path).unwrap();
        for capture in link.captures_iter(&document) {
            let target = &capture[1];
            if !target.contains("://") && !path.with_file_name(target).exists() {
                findings.push(format!("{name} points to {target}"));
            }
        }
    }
    none("a link to nowhere", findings);
}
