//! Paths in rules that lead to files that are no rules: nothing of them comes out.

use std::path::Path;

use crate::support::rules::two;
use crate::support::{Folder, Router, Settings, program, refusing};

/// In each planted file, in every form in which it might be quoted.
const PLANTED: &str = "hunter2xyzzy";

/// What `check` and `test`, a start and a reload say of rules that include this file, too.
async fn said(folder: Folder, included: &str) -> String {
    let (address, _port) = refusing();
    let good = two(&address, &address);
    let bad = good.replace("include: [", &format!("include: [ \"{included}\","));
    folder.write("rules.yaml", &bad);
    let mut said = String::new();
    for command in [&["check"][..], &["test"], &["run", "--listen", "127.0.0.1:0"]] {
        let mut program = program(folder.path());
        let file: &[&str] = if command[0] == "run" { &["--rules", "rules.yaml"] } else { &["rules.yaml"] };
        let output = program.args(command).args(file).output().unwrap();
        assert_ne!(output.status.code(), Some(0), "{command:?} with {included}");
        said.push_str(&String::from_utf8_lossy(&output.stdout));
        said.push_str(&String::from_utf8_lossy(&output.stderr));
    }
    let mut settings = Settings::rules(good.clone());
    settings.log = "trace";
    folder.write("rules.yaml", &good);
    let router = Router::inside(folder, settings).await;
    router.folder.write("rules.yaml", &bad);
    let reload = router.client().post("/-/reload", "").await;
    assert_eq!(reload.status, 422, "{included}: {}", reload.text());
    said.push_str(&reload.text());
    said.push_str(&router.client().get("/-/config").await.text());
    router.logged(&["rules"]).await;
    said + &router.log()
}

fn link(folder: &Folder, to: &Path, name: &str) {
    std::os::unix::fs::symlink(to, folder.file(name)).unwrap();
}

/// Files as other programs have them, outside of the folder of the rules.
fn planted() -> Folder {
    let outside = Folder::new();
    outside.write("shadow", &format!("root:$6${PLANTED}:19000:0:99999:7:::\nx: {PLANTED}\n"));
    outside.write("kube.yaml", &format!("users:\n- user: {{ token: {PLANTED} }}\n"));
    outside.write("broken.yaml", &format!("token: \"{PLANTED}\n  - [ {PLANTED}\n"));
    outside.write("rules-like.yaml", &format!("listen: 127.0.0.1:1\nmodels: {{ a: {PLANTED} }}\n"));
    outside.write("answer.json", &format!("{{\"id\":\"{PLANTED}\"}}\n"));
    outside
}

#[tokio::test]
async fn nothing_of_a_file_that_is_no_rules_is_shown() {
    let outside = planted();
    let at = |name: &str| outside.file(name).display().to_string();
    for path in [at("shadow"), at("kube.yaml"), at("broken.yaml"), at("rules-like.yaml"), "tokens.txt".into()]
    {
        let folder = Folder::new();
        folder.write("tokens.txt", &format!("some_key={PLANTED}\n{PLANTED}\n"));
        let said = said(folder, &path).await;
        assert!(!said.contains(PLANTED), "{path}: {said}");
        assert!(said.contains(path.rsplit('/').next().unwrap()), "the file is named: {said}");
    }
}

#[tokio::test]
async fn a_link_in_the_folder_leads_no_further() {
    let outside = planted();
    for (name, target) in [("part.yaml", "shadow"), ("part.yaml", "kube.yaml"), ("part.yaml", "broken.yaml")]
    {
        let folder = Folder::new();
        link(&folder, &outside.file(target), name);
        let said = said(folder, name).await;
        assert!(!said.contains(PLANTED) && said.contains(name), "{target}: {said}");
    }
}

#[tokio::test]
async fn a_catalogue_file_that_is_a_link_is_none() {
    let outside = planted();
    let folder = Folder::new();
    std::fs::create_dir(folder.file("catalog")).unwrap();
    link(&folder, &outside.file("shadow"), "catalog/mine.yaml");
    folder.write("rules.yaml", "providers: { a: { uses: catalog/mine, key: none } }\nroutes: []\n");
    let output = program(folder.path()).args(["check", "rules.yaml"]).output().unwrap();
    let said =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(!said.contains(PLANTED) && said.contains("is no rules file"), "{said}");
}

#[test]
fn a_test_is_given_nothing_from_outside_and_no_keys() {
    let outside = planted();
    let answer = outside.file("answer.json").display().to_string();
    for (file, linked) in [(answer.as_str(), false), ("answer.json", true), ("tokens.txt", false)] {
        let folder = Folder::new();
        folder.write("tokens.txt", &format!("some_key={PLANTED}\n"));
        if linked {
            link(&folder, &outside.file("answer.json"), "answer.json");
        }
        let rules = format!(
            "secrets: [ tokens.txt ]\n{}\ntests:\n  - name: shown\n    request: {{ model: m, messages: [] }}\n    given: {{ first: {{ file: \"{file}\" }} }}\n    expect: {{ body: {{ $.id: other }} }}\n",
            two("http://127.0.0.1:1", "http://127.0.0.1:1")
        );
        folder.write("rules.yaml", &rules);
        let output = program(folder.path()).args(["test", "rules.yaml"]).output().unwrap();
        let said =
            String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        assert_ne!(output.status.code(), Some(0), "{said}");
        assert!(!said.contains(PLANTED) && said.contains("cannot be read"), "{file}: {said}");
    }
}

#[test]
fn rules_from_elsewhere_are_used_all_the_same() {
    let outside = Folder::new();
    outside.write("shared.yaml", "models: [ shared ]\n");
    let folder = Folder::new();
    let rules = two("http://127.0.0.1:1", "http://127.0.0.1:1");
    let path = outside.file("shared.yaml").display().to_string();
    folder.write("rules.yaml", &rules.replace("include: [", &format!("include: [ \"{path}\",")));
    let output = program(folder.path()).args(["check", "rules.yaml"]).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stdout));
}
