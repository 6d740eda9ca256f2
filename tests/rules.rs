//! The shipped rules and the examples, as ops people get them: they check, and they compile.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rulegate::config::check::check;
use rulegate::config::files::Disk;
use rulegate::config::load::load;
use rulegate::config::model::Rules;
use rulegate::engine::{Engine, build};
use rulegate::proof::rule_tests::prove;
use rulegate::text::diagnostic::Diagnostics;

/// The shipped rules, the tests of their failover rules, and every example.
fn files() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = vec![root.join("rules/rules.yaml"), root.join("tests/rules/failover.yaml")];
    let examples = std::fs::read_dir(root.join("examples")).unwrap();
    files.extend(examples.map(|entry| entry.unwrap().path().join("rules.yaml")));
    files.sort();
    files
}

/// The engine of a file, with some key in each variable for one; or everything there is to complain about.
pub fn engine(file: &Path) -> Result<Arc<Engine>, String> {
    engine_and_tests(file, |_, _, _| ())
}

/// The same, after its tests.
fn engine_and_tests(
    file: &Path,
    tests: impl Fn(&Rules, &Arc<Engine>, &mut Diagnostics),
) -> Result<Arc<Engine>, String> {
    let mut loaded = load(&Disk, file, &|name| name.ends_with("_KEY").then(|| "some-key".to_owned()));
    let mut engine = None;
    if let Some(rules) = &loaded.rules {
        check(rules, &mut loaded.diagnostics);
        engine = build(rules, &loaded.hash, &mut loaded.diagnostics).map(Arc::new);
        if let Some(engine) = &engine {
            tests(rules, engine, &mut loaded.diagnostics);
        }
    }
    match engine {
        Some(engine) if loaded.diagnostics.is_empty() => Ok(engine),
        _ => Err(format!("{}\n{}", file.display(), loaded.diagnostics.render(&loaded.sources, false))),
    }
}

#[test]
fn the_shipped_rules_and_all_examples_check_compile_and_pass_their_tests() {
    let found: Vec<String> = files().iter().filter_map(|file| engine_and_tests(file, prove).err()).collect();
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

#[test]
fn every_example_says_what_it_is() {
    for file in files().iter().filter(|file| file.components().any(|part| part.as_os_str() == "examples")) {
        let readme = std::fs::read_to_string(file.with_file_name("README.md")).unwrap();
        assert!(readme.starts_with("# ") && readme.contains("rulegate run"), "{}", file.display());
    }
}
