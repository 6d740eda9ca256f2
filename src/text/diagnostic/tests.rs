use super::*;

const RULES: &str = "\
providers:
  first:
    speaks: some.protocol
    cool_dwn: 10s
routes:
\t- { path: /é, providers: [frist] }
";

fn rules() -> (Sources, FileId) {
    let mut sources = Sources::new();
    let file = sources.add("rules.yaml", RULES);
    (sources, file)
}

/// The span of the first `part` of the rules.
fn find(file: FileId, part: &str) -> Span {
    let start = RULES.find(part).unwrap();
    Span::new(file, start, start + part.len())
}

#[test]
fn a_finding_looks_as_rustc_draws_it() {
    let (sources, file) = rules();
    let mut found = Diagnostics::new();
    found
        .error("unknown-key", find(file, "cool_dwn"), "unknown key `cool_dwn`")
        .label("not a key of a provider")
        .did_you_mean("cool_dwn", ["cool_down", "speaks"])
        .help("see the table of keys");
    found.warning("unused", find(file, "first"), "the provider `first` is never used");
    found.push(Diagnostic::error("no-file", "the file `x.yaml` cannot be read"));
    assert_eq!(
        found.render(&sources, false),
        "\
error[unknown-key]: unknown key `cool_dwn`
 --> rules.yaml:4:5
  |
4 |     cool_dwn: 10s
  |     ^^^^^^^^ not a key of a provider
  |
  = help: did you mean `cool_down`?
  = help: see the table of keys

warning[unused]: the provider `first` is never used
 --> rules.yaml:2:3
  |
2 |   first:
  |   ^^^^^

error[no-file]: the file `x.yaml` cannot be read
"
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
    let lines: Vec<String> = found.iter().map(|found| found.one_line(&sources)).collect();
    assert_eq!(lines[0], "a.yaml:1:6: bad `***`, short: key: **************");
    for shown in [found.render(&sources, false), found.to_json(&sources).to_string()] {
        assert!(!shown.contains("sk-in") && !shown.contains("pass"), "{shown}");
        assert!(shown.contains("key: **************") && shown.contains("${URL}") && shown.contains("short"));
    }
}

#[test]
fn other_places_are_shown_in_their_files() {
    let (mut sources, file) = rules();
    let other = sources.add("mappings/a--b.yaml", "mapping: { from: a, to: b }\n");
    let mut found = Diagnostics::new();
    found
        .error("no-such-provider", find(file, "frist"), "no provider is called `frist`")
        .label("in this route")
        .note(find(file, "first:"), "this one is")
        .note(Span::new(other, 0, 7), "wanted by this mapping");
    assert_eq!(
        found.render(&sources, false),
        "\
error[no-such-provider]: no provider is called `frist`
 --> rules.yaml:6:28
  |
2 |   first:
  |   ------ this one is
...
6 |     - { path: /é, providers: [frist] }
  |                               ^^^^^ in this route
  |
 ::: mappings/a--b.yaml:1:1
  |
1 | mapping: { from: a, to: b }
  | ------- wanted by this mapping
"
    );
}

#[test]
fn of_a_long_value_the_beginning_is_drawn() {
    let (sources, file) = rules();
    let mut found = Diagnostics::new();
    let whole = Span::new(file, RULES.find("speaks").unwrap(), RULES.len());
    found.error("x", whole, "wrong").label("all of this");
    assert!(
        found
            .render(&sources, false)
            .contains("3 |     speaks: some.protocol\n  |     ^^^^^^^^^^^^^^^^^^^^^ all of this")
    );
}

#[test]
fn places_at_the_edges_are_drawn() {
    for text in ["", "\n", "a", "a\n", "é", "a\r\nb"] {
        let mut sources = Sources::new();
        let file = sources.add("x", text);
        for start in 0..6 {
            for end in start..7 {
                let mut found = Diagnostics::new();
                found.error("x", Span::new(file, start, end), "wrong").label("here");
                assert!(found.render(&sources, true).contains("here"), "{text:?} {start}..{end}");
                found.to_json(&sources);
            }
        }
    }
    // A file that nobody added.
    let mut found = Diagnostics::new();
    found.error("x", Span::new(FileId(7), 1, 2), "wrong");
    assert!(found.render(&Sources::new(), false).contains("wrong"));
}

#[test]
fn colour_is_only_colour() {
    let (sources, file) = rules();
    let mut found = Diagnostics::new();
    found.error("x", find(file, "speaks"), "wrong").label("here").help("try this");
    let colored = found.render(&sources, true);
    assert!(colored.contains("\u{1b}[1m\u{1b}[91merror[x]"), "{colored:?}");
    let mut plain = String::new();
    let mut parts = colored.split('\u{1b}');
    plain.push_str(parts.next().unwrap());
    for part in parts {
        plain.push_str(part.split_once('m').unwrap().1);
    }
    assert_eq!(plain, found.render(&sources, false));
}

#[test]
fn control_characters_of_a_file_do_not_reach_the_terminal() {
    let mut sources = Sources::new();
    let file = sources.add("x", "a: \u{1b}[2Jb\u{202e}\n");
    let mut found = Diagnostics::new();
    found.error("x", Span::new(file, 3, 4), "the text `\u{1b}[2J`").label("\u{7}").help("\u{1b}c");
    let drawn = found.render(&sources, false);
    assert!(!drawn.contains(['\u{1b}', '\u{7}', '\u{202e}']), "{drawn:?}");
}

#[test]
fn machines_get_json() {
    let (sources, file) = rules();
    let mut found = Diagnostics::new();
    found
        .error("bad-name", find(file, "frist"), "wrong")
        .label("here")
        .note(find(file, "first"), "there")
        .help("try");
    found.push(Diagnostic::warning("no-file", "missing"));
    assert_eq!(
        found.to_json(&sources),
        json!([
            { "severity": "error", "code": "bad-name", "message": "wrong", "file": "rules.yaml", "line": 6, "column": 28,
              "label": "here", "notes": [{ "message": "there", "file": "rules.yaml", "line": 2, "column": 3 }],
              "help": ["try"], "source_line": "\t- { path: /é, providers: [frist] }" },
            { "severity": "warning", "code": "no-file", "message": "missing", "file": null, "line": null, "column": null,
              "label": "", "notes": [], "help": [], "source_line": null },
        ])
    );
}

#[test]
fn findings_are_sorted_and_counted() {
    let (mut sources, file) = rules();
    let other = sources.add("b.yaml", "b: 1\n");
    let mut found = Diagnostics::new();
    found.warning("c", Span::new(other, 0, 1), "third");
    found.warning("b", Span::new(file, 9, 10), "second");
    assert!(!found.has_errors() && found.len() == 2);
    found.error("a", Span::new(file, 2, 3), "first");
    found.sort();
    assert!(found.has_errors());
    assert_eq!(found.iter().map(|found| found.code).collect::<Vec<_>>(), ["a", "b", "c"]);
}

#[test]
fn columns_count_characters() {
    let mut sources = Sources::new();
    let file = sources.add("x", "a\nüé: 1\r\n");
    let colon = Span::new(file, 6, 7);
    assert_eq!((sources.slice(colon), sources.line_col(colon), sources.line(colon)), (":", (2, 3), "üé: 1"));
    assert_eq!(Span::new(file, 2, 6).part(2, 100), Span::new(file, 4, 6));
}

#[test]
fn slips_find_the_name_that_was_meant() {
    let names = [
        "provider",
        "providers",
        "priority",
        "protocol",
        "cool_down",
        "first_byte",
        "idle",
        "do",
        "when",
        "name",
        "url",
        "key",
        "models",
        "$for",
        "$first",
        "$then",
        "max_tokens",
        "request-id",
        "description",
        "retry",
    ];
    let meant = |word: &str| did_you_mean(word, names);
    for (word, name) in [
        ("provder", "provider"),
        ("provdier", "provider"),
        ("provideres", "providers"),
        ("prority", "priority"),
        ("protcool", "protocol"),
        ("cool-down", "cool_down"),
        ("CoolDown", "cool_down"),
        ("cooldwon", "cool_down"),
        ("down_cool", "cool_down"),
        ("tokens_max", "max_tokens"),
        ("firstByte", "first_byte"),
        ("request_id", "request-id"),
        ("URL", "url"),
        ("ulr", "url"),
        ("od", "do"),
        ("wehn", "when"),
        ("nmae", "name"),
        ("model", "models"),
        ("$fist", "$first"),
        ("$fro", "$for"),
        ("$the", "$then"),
        ("desc", "description"),
        ("retry_count", "retry"),
    ] {
        assert_eq!(meant(word), Some(name), "{word}");
    }
    for word in ["", "x", "to", "no", "banana", "k", "-", "temperature", "text", "$"] {
        assert_eq!(meant(word), None, "{word}");
    }
}
