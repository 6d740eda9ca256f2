//! The table of commands says what the program's help says.

use crate::support::{Document, Folder, program};

#[test]
fn the_table_of_commands_is_what_their_help_says() {
    let folder = Folder::new();
    let help = |arguments: &[&str]| {
        let output = program(folder.path()).args(arguments).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let all = help(&["--help"]);
    let commands = all.split("Commands:").nth(1).unwrap().split("\n\n").next().unwrap();
    let commands = commands.lines().filter_map(|line| line.split_whitespace().next());
    let commands: Vec<&str> = commands.filter(|name| *name != "help").collect();
    let page = Document::open("docs/commands.md").text;
    let rows: Vec<Vec<&str>> = page
        .lines()
        .filter(|line| line.starts_with("| `rulegate "))
        .map(|line| line.trim_matches(['|', ' ']).split(" | ").map(str::trim).collect())
        .collect();
    assert_eq!(rows.len(), commands.len(), "{commands:?}");
    for (name, row) in commands.iter().zip(&rows) {
        let text = help(&[name, "--help"]);
        let [command, _, json, url, codes] = row.as_slice() else { panic!("{row:?}") };
        assert!(
            command.starts_with(&format!("`rulegate {name}")),
            "{command} stands where {name} does in the help"
        );
        let said = |flag: &str| if text.contains(flag) { "yes" } else { "-" };
        assert_eq!((*json, *url), (said("--json"), said("--url")), "{name}");
        assert!(text.contains("Examples:") && text.contains("Exit codes:"), "{name}:\n{text}");
        for code in ["0", "1", "2"] {
            assert!(
                !codes.is_empty()
                    && (*codes == "0, 1, 2" || !text.contains(&format!("; {code} ")) || codes.contains(code)),
                "{name}: {codes}"
            );
        }
    }
}
