//! Puts the files under rules/ into the program, as a table of names and texts.
//!
//! The table is made here so that a new provider, protocol or mapping is a new file and no new line of Rust.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

/// What rules are made of. Anything else in the folder (a file with keys!) stays out of the program.
const ENDINGS: &[&str] = &["yaml", "yml", "json", "sse"];

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=rules");
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default()).join("rules");
    let mut found = Vec::new();
    if root.is_dir() {
        collect(&root, &root, &mut found)?;
    }
    found.sort();
    let mut table = String::from("&[\n");
    for (name, path) in found {
        let _ = writeln!(table, "    ({name:?}, include_str!({:?})),", path.display().to_string());
    }
    table.push_str("]\n");
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default()).join("builtin_rules.rs");
    fs::write(out, table)
}

fn collect(root: &Path, folder: &Path, found: &mut Vec<(String, PathBuf)>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let hidden = path.file_name().is_none_or(|name| name.to_string_lossy().starts_with('.'));
        if hidden {
            continue;
        }
        if path.is_dir() {
            collect(root, &path, found)?;
        } else if path.extension().is_some_and(|ending| ENDINGS.iter().any(|known| ending == *known)) {
            let parts: Vec<_> = path
                .strip_prefix(root)
                .map(|path| path.components().map(|part| part.as_os_str().to_string_lossy()).collect())
                .unwrap_or_default();
            found.push((parts.join("/"), path));
        }
    }
    Ok(())
}
