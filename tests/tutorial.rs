//! The tutorial does what it says: its files are laid out step by step, and every command is run.

use crate::support::{Folder, lay_out, program, tutorial};

/// The most lines of YAML that the tutorial may take, blank ones not counted.
const LINES: usize = 80;

/// What the program prints when it is called like this.
fn printed(folder: &Folder, line: &str) -> String {
    let mut words = line.split_whitespace().peekable();
    let mut variables = Vec::new();
    while let Some((name, value)) = words.peek().and_then(|word| word.split_once('=')) {
        variables.push((name, value));
        words.next();
    }
    assert_eq!(words.next(), Some("rulegate"), "{line}");
    let output = program(folder.path()).args(words).envs(variables).output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{line}\n{error}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn every_command_of_the_tutorial_prints_what_stands_there() {
    let document = tutorial();
    let folder = Folder::new();
    let mut current = Vec::new();
    let mut lines = 0;
    for block in document.blocks() {
        lay_out(&block, &folder);
        if block.language() == "yaml" {
            assert!(block.kind().ends_with(".yaml"), "line {}: of which file?", block.line);
            lines += block.text.lines().filter(|line| !line.trim().is_empty()).count();
        }
        if block.language() == "console" {
            let command = block.text.lines().next().unwrap();
            let line = command.strip_prefix("$ ").unwrap();
            current.push((block.range, format!("{command}\n{}", printed(&folder, line))));
        }
    }
    assert!(current.len() > 5);
    assert!(lines < LINES, "{lines} lines of YAML");
    document.expect(current);
}

#[test]
fn the_rules_of_the_tutorial_check_and_pass_their_tests() {
    let folder = Folder::new();
    tutorial().blocks().iter().for_each(|block| lay_out(block, &folder));
    crate::rules::engine(&folder.file("rules.yaml"));
    assert_eq!(printed(&folder, "rulegate test rules.yaml"), "ok rules.yaml: 2 tests\n");
}
