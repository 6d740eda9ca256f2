//! The rules inside the program: every file under rules/, so that it runs in an empty folder.

/// What a path begins with that means a file inside the program.
pub const PREFIX: &str = "builtin:";

/// The main file inside the program.
pub const MAIN: &str = "builtin:rules.yaml";

/// What the line of a file has that tells editors where its schema is.
pub const SCHEMA: &str = "yaml-language-server: $schema=";

/// All files by name, sorted; names have `/` between folders and no prefix.
pub const FILES: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/builtin_rules.rs"));

/// The text of the file `name` (without prefix).
pub fn text(name: &str) -> Option<&'static str> {
    FILES.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
}

/// Whether a file inside the program holds this very text, but for the line that tells an editor where the schema is.
pub fn holds(text: &str) -> bool {
    FILES.iter().any(|(_, known)| below_schema(known) == below_schema(text))
}

fn below_schema(text: &str) -> &str {
    text.split_once('\n').filter(|(line, _)| line.contains(SCHEMA)).map_or(text, |(_, rest)| rest)
}

/// The text of a file inside the program without its tests, which stand last in it.
pub fn without_tests(text: &str) -> &str {
    text.find("\ntests:\n").and_then(|at| text.get(..=at)).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::diagnostic::FileId;
    use crate::text::yaml::{self, Node};
    use std::fs;
    use std::path::Path;

    fn walk(folder: &Path, found: &mut Vec<String>, root: &Path) {
        for entry in fs::read_dir(folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, found, root);
            } else {
                found.push(path.strip_prefix(root).unwrap().to_string_lossy().replace('\\', "/"));
            }
        }
    }

    #[test]
    fn every_file_of_the_rules_is_in_the_table_and_no_other() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("rules");
        let mut found = Vec::new();
        walk(&root, &mut found, &root);
        found.retain(|name| !name.ends_with(".txt") && !name.ends_with(".md") && !name.contains("/."));
        found.sort();
        let table: Vec<&str> = FILES.iter().map(|(name, _)| *name).collect();
        assert_eq!(table, found);
        for (name, text) in FILES {
            assert_eq!(*text, fs::read_to_string(root.join(name)).unwrap(), "{name}");
        }
    }

    #[test]
    fn the_name_of_a_file_says_which_protocol_or_mapping_it_has() {
        for (name, text) in FILES {
            let node = yaml::parse(FileId(0), text).unwrap();
            let word = |of: &Node, key: &str| of.get(key).and_then(Node::as_str).unwrap().to_owned();
            if let Some(mapping) = node.get("mapping") {
                let (from, to) = (word(mapping, "from"), word(mapping, "to"));
                assert_eq!(*name, format!("mappings/{from}--{to}.yaml"));
            } else if node.get("protocol").is_some() {
                assert_eq!(*name, format!("protocols/{}.yaml", word(&node, "protocol")));
            }
        }
    }

    #[test]
    fn tests_stand_last_in_every_file() {
        let entries = |text: &str| {
            let node = yaml::parse(FileId(0), text).unwrap();
            node.as_map().unwrap().to_vec()
        };
        for (name, text) in FILES {
            let mut all = entries(text);
            all.retain(|(key, _)| key.text != "tests");
            assert_eq!(entries(without_tests(text)), all, "{name}");
        }
    }

    #[test]
    fn a_file_with_keys_is_never_built_in() {
        assert!(FILES.iter().all(|(name, _)| !name.ends_with(".txt")));
    }
}
