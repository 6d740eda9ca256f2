//! The cookbook works: every block of it is laid behind the page's head, checked with warnings denied, and its tests are run.

use rulegate::proof::rule_tests;
use rulegate::text::diagnostic::Diagnostics;

use crate::rules::compiled_to_run;
use crate::support::{Block, Document, Folder};

/// The heading that a block stands under, and the place of each heading in the page.
fn headings(page: &Document) -> Vec<(usize, &str)> {
    let starts = page.text.match_indices("\n### ").map(|(at, _)| at + 1);
    starts.map(|at| (at, page.text[at + 4..].lines().next().unwrap())).collect()
}

fn recipes(page: &Document) -> (String, Vec<Block>) {
    let blocks = page.blocks().into_iter().filter(|block| block.language() == "yaml");
    let (head, recipes): (Vec<Block>, Vec<Block>) = blocks.partition(|block| block.kind() == "head");
    assert_eq!(head.len(), 1);
    (head[0].text.clone(), recipes)
}

#[test]
fn every_recipe_of_the_cookbook_checks_and_passes_its_tests() {
    let page = Document::open("docs/cookbook.md");
    let (head, mut recipes) = recipes(&page);
    // The examples on the page of all words are the same kind.
    recipes.extend(Document::open("docs/rules.md").blocks().into_iter().filter(|it| it.language() == "yaml"));
    let folder = Folder::new();
    let authority = rcgen::generate_simple_self_signed(vec!["corp.example".to_owned()]).unwrap();
    folder.write("corp-ca.pem", &authority.cert.pem());
    let mut failed = String::new();
    for (number, block) in recipes.iter().enumerate() {
        let file = folder.write(&format!("{number}.yaml"), &format!("{head}\n{}", block.text));
        let (engine, rules, sources) = compiled_to_run(&file);
        assert_eq!(rules.tests.is_empty(), !block.text.contains("\ntests:"), "line {}", block.line);
        let mut told = Diagnostics::new();
        rule_tests::run(&engine, &rules).tell(&mut told);
        failed += &told.render(&sources, false);
    }
    assert!(failed.is_empty(), "\n{failed}");
    assert!(recipes.len() >= 30);
}

/// What no simulated answer can show is tried by a test in `cookbook_live.rs`.
#[test]
fn every_recipe_has_a_heading_a_place_in_the_contents_and_a_test() {
    let page = Document::open("docs/cookbook.md");
    let (_, recipes) = recipes(&page);
    let headings = headings(&page);
    assert_eq!(headings.len(), recipes.len());
    let mut untested = Vec::new();
    for ((at, heading), block) in headings.iter().zip(&recipes) {
        assert!(*at < block.range.start, "{heading}");
        let anchor = heading.to_lowercase().replace([',', '\''], "").replace(' ', "-");
        assert!(page.text.contains(&format!("(#{anchor})")), "{heading}");
        if !block.text.contains("\ntests:") {
            untested.push(*heading);
        }
    }
    // These are tried on a router that runs.
    let live =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cookbook_live.rs")).unwrap();
    untested.retain(|heading| !live.contains(&format!("recipe(\"{heading}\")")));
    assert!(untested.is_empty(), "{untested:?}");
}
