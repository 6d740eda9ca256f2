use super::*;

#[test]
fn a_finding_looks_as_rustc_draws_it() {
    let mut sources = Sources::new();
    let file = sources.add("rules.yaml", "a: 1\nb: x\n");
    let mut found = Diagnostics::new();
    found.error("unknown-key", Span::new(file, 5, 6), "unknown key `b`").label("here").help("try `c`");
    assert_eq!(
        found.render(&sources, false),
        "error[unknown-key]: unknown key `b`\n --> rules.yaml:2:1\n  |\n2 | b: x\n  | ^ here\n  |\n  = help: try `c`\n"
    );
}
