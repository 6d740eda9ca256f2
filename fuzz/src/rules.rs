//! Whole rules: loading, checking and building give rules that run, or findings with places; never neither.

use std::path::Path;

use rulegate::config::check::check;
use rulegate::config::files::Memory;
use rulegate::config::load::load;
use rulegate::engine::build;

/// Reads the bytes as a rules file.
pub fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let files = Memory::new([("rules.yaml", text)]);
    let variables = |name: &str| name.ends_with("_KEY").then(|| "some-key".to_owned());
    let mut loaded = load(&files, Path::new("rules.yaml"), &variables);
    let mut engine = None;
    if let Some(rules) = &loaded.rules {
        check(rules, &mut loaded.diagnostics);
        engine = build(rules, &loaded.hash, &mut loaded.diagnostics);
    }
    super::yaml::shown(&loaded.sources, &loaded.diagnostics);
    assert!(engine.is_some() || loaded.diagnostics.has_errors(), "neither rules nor an error");
}
