use super::*;
use crate::config::files::Memory;
use crate::config::model::Key;

fn no_env(_: &str) -> Option<String> {
    None
}

fn load_in(files: &[(&str, &str)], env: &dyn Fn(&str) -> Option<String>) -> (Loaded, String) {
    let loaded = load(&Memory::new(files.iter().copied()), Path::new("rules.yaml"), env);
    let said = loaded.diagnostics.render(&loaded.sources, false);
    (loaded, said)
}

#[test]
fn the_rules_inside_the_program_load_with_nothing_around_them() {
    let loaded = load(&Memory::default(), Path::new(builtin::MAIN), &no_env);
    assert_eq!(loaded.diagnostics.render(&loaded.sources, false), "");
    let rules = loaded.rules.unwrap();
    assert!(!rules.providers.is_empty() && !rules.protocols.is_empty() && !rules.mappings.is_empty());
    assert!(rules.providers.iter().all(|(_, provider)| matches!(provider.key.value, Key::Unset(_))));
    assert_eq!(loaded.files, [PathBuf::from("tokens.txt")]);
    assert_eq!(loaded.hash.len(), 64);
}
