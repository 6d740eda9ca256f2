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

#[test]
fn what_is_hidden_is_in_no_words_and_what_is_masked_in_no_line() {
    let mut sources = Sources::new();
    let file = sources.add("a.yaml", "key: sk-in-the-file\nurl: ${URL}\n");
    sources.mask(Span::new(file, 5, 19));
    sources.hide("https://user:pass@host", "${URL}");
    sources.hide("short", "${SHORT}");
    let mut found = Diagnostics::new();
    found.error("x", Span::new(file, 5, 19), "bad `sk-in-the-file`, short").label("https://user:pass@host");
    found
        .error("x", Span::new(file, 25, 31), "b")
        .note(Span::new(file, 0, 3), "sk-in-the-file")
        .help("sk-in-the-file");
    for shown in [found.render(&sources, false), found.to_json(&sources).to_string()] {
        assert!(!shown.contains("sk-in") && !shown.contains("pass"), "{shown}");
        assert!(shown.contains("key: **************") && shown.contains("${URL}") && shown.contains("short"));
    }
}
