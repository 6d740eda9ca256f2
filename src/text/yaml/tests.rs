use proptest::prelude::*;

use super::*;
use crate::text::diagnostic::{Diagnostics, Sources};

fn json(text: &str) -> String {
    let mut out = Vec::new();
    parse(FileId(0), text).unwrap_or_else(|found| panic!("{text:?}: {found:?}")).to_json_bytes(&mut out);
    String::from_utf8(out).unwrap()
}

/// The code, the text under the mark, and everything said.
fn wrong(text: &str) -> (&'static str, String, String) {
    let mut sources = Sources::new();
    let file = sources.add("x.yaml", text);
    let found = parse(file, text).expect_err(text);
    let marked = sources.slice(found.span.unwrap()).to_owned();
    let said = format!("{}; {}; {}", found.message, found.label, found.help.join("; "));
    (found.code, marked, said)
}

fn rendered(text: &str) -> String {
    let mut sources = Sources::new();
    let file = sources.add("x.yaml", text);
    let mut found = Diagnostics::new();
    found.push(parse(file, text).expect_err(text));
    found.render(&sources, false)
}

#[test]
fn words_mean_what_yaml_1_2_says() {
    assert_eq!(
        json("a: [no, yes, on, off, y, N]\nb: [true, False, TRUE, tRue]\nc: [~, null, Null, ]\nd:\n"),
        r#"{"a":["no","yes","on","off","y","N"],"b":[true,false,true,"tRue"],"c":[null,null,null],"d":null}"#
    );
    assert_eq!(
        json(r#"["12", 'no', "null", 2026-03-01, 10:30, 1.2.3, "é\n\u00e9"]"#),
        "[\"12\",\"no\",\"null\",\"2026-03-01\",\"10:30\",\"1.2.3\",\"é\\né\"]"
    );
    assert_eq!(json("a: |\n  one\n  two\nb: >-\n  one\n  two\n"), r#"{"a":"one\ntwo\n","b":"one two"}"#);
}

#[test]
fn numbers_keep_their_text() {
    assert_eq!(
        json("[1.50, 0, -0, 1e999, 18446744073709551616999, 1E-5, 0.10]"),
        "[1.50,0,-0,1e999,18446744073709551616999,1E-5,0.10]"
    );
    // What JSON would not read is put as JSON writes it.
    assert_eq!(json("[+1, .5, 1., -.5e3, 0x1F, 0o17]"), "[1,0.5,1,-0.5e3,31,15]");
    // What is no number in JSON is a word.
    assert_eq!(
        json("[007, 1_000, .inf, .nan, 0x, 0xZ, 0x+1, 1e, 1e+, '-', ., +, 00.5, 1.5.2, 0b1]"),
        r#"["007","1_000",".inf",".nan","0x","0xZ","0x+1","1e","1e+","-",".","+","00.5","1.5.2","0b1"]"#
    );
}

#[test]
fn keys_are_words_whatever_they_look_like() {
    assert_eq!(
        json("404: a\ntrue: b\nnull: c\n~: d\n1.50: e\n\"x y\": f\n<: g\n"),
        r#"{"404":"a","true":"b","null":"c","~":"d","1.50":"e","x y":"f","<":"g"}"#
    );
}

#[test]
fn paths_and_variables_stand_in_blocks_without_quotes() {
    assert_eq!(
        json(
            "a: $.x[0].y\nb:\n  - $.x[?@.type == 'a']\nc: ${PORT:-8000}\nwhen: { $.error.type: x, $.a: { is: y } }\n"
        ),
        r#"{"a":"$.x[0].y","b":["$.x[?@.type == 'a']"],"c":"${PORT:-8000}","when":{"$.error.type":"x","$.a":{"is":"y"}}}"#
    );
}

#[test]
fn an_empty_document_is_an_empty_mapping() {
    for text in ["", "\n\n", "# nothing\n", "---\n", "\u{feff}", "---\n# nothing\n...\n"] {
        assert_eq!(json(text), "{}", "{text:?}");
    }
    assert_eq!(json("null"), "null");
    assert_eq!(json("just words"), r#""just words""#);
}

#[test]
fn every_key_and_value_knows_its_place() {
    let text = "\u{feff}é: {a: [1, \"b\" ], c: ü } # x\nlist:\n  - one\n  - k: |\n      text\n\nlast:\n";
    let root = parse(FileId(3), text).unwrap();
    let slice = |span: Span| {
        assert_eq!(span.file, FileId(3));
        &text[span.start as usize..span.end as usize]
    };
    let first = root.get("é").unwrap();
    assert_eq!(slice(root.key("é").unwrap().span), "é");
    assert_eq!(slice(first.span), "{a: [1, \"b\" ], c: ü }");
    assert_eq!(slice(first.get("a").unwrap().span), "[1, \"b\" ]");
    assert_eq!(slice(first.get("a").unwrap().as_list().unwrap()[1].span), "\"b\"");
    assert_eq!(slice(first.get("c").unwrap().span), "ü");
    let list = root.get("list").unwrap();
    assert_eq!(slice(list.span).trim_end(), "- one\n  - k: |\n      text");
    assert_eq!(slice(list.as_list().unwrap()[1].span).trim_end(), "k: |\n      text");
    assert_eq!(slice(root.get("last").unwrap().span), "");
    assert!(slice(root.span).starts_with("é:") && slice(root.span).trim_end().ends_with("last"));
}

#[test]
fn line_ends_of_windows() {
    assert_eq!(json("a: 1\r\nb:\r\n  - |\r\n    x\r\n    y\r\n"), r#"{"a":1,"b":["x\ny\n"]}"#);
    assert_eq!(wrong("a: 1\r\na: 2\r\n").1, "a");
}

#[test]
fn a_word_of_several_lines_has_no_slip_in_its_folded_text() {
    // Line ends of one byte, of two, and a key in several lines: places in the folded word are none of the text.
    for text in ["a\r\r\r\u{feff}\r\n", "a\r\r\u{feff}", "a\r\n\r\n  \u{3000}\r\n", "? a\n\n  b\u{a0}\n: 1\n"]
    {
        if let Err(found) = parse(FileId(0), text) {
            let span = found.span.unwrap();
            assert!(text.get(span.start as usize..span.end as usize).is_some(), "{text:?}: {found:?}");
        }
    }
}

#[test]
fn anchors_aliases_and_merge_keys() {
    let text =
        "base: &b {x: 1, y: 2}\none:\n  z: 0\n  <<: *b\n  y: 3\nmany: {<<: [{x: 5}, *b], w: 1}\nsame: *b\n";
    assert_eq!(
        json(text),
        r#"{"base":{"x":1,"y":2},"one":{"z":0,"x":1,"y":3},"many":{"x":5,"y":2,"w":1},"same":{"x":1,"y":2}}"#
    );
    // In quotes it is a key like any other.
    assert_eq!(json("\"<<\": {a: 1}"), r#"{"<<":{"a":1}}"#);
    // The later of two anchors of one name counts.
    assert_eq!(json("[&a 1, *a, &a 2, *a]"), "[1,1,2,2]");
    assert!(wrong("<<: 1").2.starts_with("`<<` merges mappings, and this is a number"));
    assert!(wrong("<<: [{a: 1}, 2]").2.contains("a number"));
    assert!(wrong("a: &x [*x]").2.starts_with("an alias inside the value that it stands for"));
    assert!(wrong("<<: {a: 1}\n<<: {b: 1}").2.starts_with("the key `<<` stands twice"));
}

#[test]
fn what_aliases_make_is_bounded() {
    let mut laughs = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    let mut chain = "a0: &a0 [x]\n".to_owned();
    for level in 1..200 {
        let last = level - 1;
        laughs += &format!("a{level}: &a{level} [{}]\n", vec![format!("*a{last}"); 10].join(", "));
        chain += &format!("a{level}: &a{level} [*a{last}]\n");
    }
    assert!(wrong(&laughs).2.starts_with("aliases make more than 100000 values"));
    assert!(wrong(&chain).2.starts_with("values stand too deep in one another"));
}

#[test]
fn depth_is_bounded() {
    let flow = |depth: usize| format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
    let block = |depth: usize| (0..depth).map(|at| format!("{}a:\n", " ".repeat(at))).collect::<String>();
    assert!(parse(FileId(0), &flow(DEPTH)).is_ok());
    assert!(parse(FileId(0), &block(DEPTH)).is_ok());
    for text in
        [flow(DEPTH + 1), block(DEPTH + 1), "[".repeat(100_000), "- ".repeat(100_000), "{a: ".repeat(100_000)]
    {
        let (_, _, said) = wrong(&text);
        assert!(said.starts_with("values stand too deep in one another"), "{said}");
    }
}

#[test]
fn tags() {
    assert_eq!(
        json("[!!str 1, ! 2, !!int \"3\", !!float 1.5, !!bool true, !!null ~]"),
        r#"["1","2",3,1.5,true,null]"#
    );
    assert_eq!(json("a: !!map {b: !!seq [1]}"), r#"{"a":{"b":[1]}}"#);
    assert_eq!(wrong("a: !not x").0, "yaml-unknown-tag");
    assert_eq!(wrong("a: !not x").1, "!not");
    assert_eq!(wrong("a: !!binary x").1, "!!binary");
    assert_eq!(wrong("a: !!seq {}").1, "!!seq");
    assert!(wrong("a: !!int x").2.starts_with("`x` is not what its tag `!!int` says"));
}

/// Yaml, what is marked, and a part of what is said.
const TRAPS: &[(&str, &str, &str)] = &[
    ("a: {$.id}", "$.id", "write \"{$.id}\" for a text, or $.id for the value itself"),
    ("a: {b: {$.id}}", "$.id", "a text that begins with `{` needs quotes"),
    ("a: {$.x}/{$.y}", "$.x", "a text that begins with `{` needs quotes"),
    ("a: {b, c}", "b", "the key `b` has no value"),
    ("a: {b:c}", "b:c", "a colon needs a space after it; YAML reads this as one word; write `b: ...`"),
    ("a:b\nc: 1", "a:b", "write `a: ...`"),
    ("- a:b\n  c: 1", "a:b", "write `a: ...`"),
    ("a: {b：1}", "：", "write `:` and a space after it"),
    ("a: [b， c]", "，", "write `,`"),
    ("a: b ＃ c", "＃", "write `#`"),
    ("a:\u{a0}b\nc: 1", "\u{a0}", "write an ordinary space"),
    ("a: “b”", "“", "on both sides"),
    ("a: {b: {{C}}}", "{{C}}", "write \"${C}\""),
    ("a: {b: c: d}", "c: d", "write \"c: d\""),
    ("a: {$.b[*]: 1}", "$.b[*]", "write \"$.b[*]\""),
    ("a: [$.x[0], 1]", "$.x[0]", "write \"$.x[0]\""),
    ("a: {b: $.x[0].y, c: 1}", "$.x[0].y", "write \"$.x[0].y\""),
    ("a: {b: $.x[?@.t == 'u, v'].w}", "$.x[?@.t == 'u, v'].w", "write \"$.x[?@.t == 'u, v'].w\""),
    ("a: {b: $.x[?@.t == \"u\"], c: 1}", "$.x[?@.t == \"u\"]", "write '$.x[?@.t == \"u\"]'"),
    ("a: [x, $.y[?(@.i == 0)] ]", "$.y[?(@.i == 0)]", "a path with `[` inside `[ ]` or `{ }` needs quotes"),
    ("a: [${X}, b]", "${X}", "write \"${X}\""),
    ("a: {key: ${KEY:-x}}", "${KEY:-x}", "write \"${KEY:-x}\""),
    ("a: { *: x }", "*:", "needs quotes"),
    ("a: *b*", "*b*", "for a text, write \"*b*\""),
    ("- *", "*", "needs quotes"),
    ("a: !not x", "!not", "a text that begins with `!` needs quotes"),
    ("a: \"\\d+\"", "\"", "in single quotes"),
    ("a: @x", "@", "a text cannot begin with @"),
    ("a: `x`", "`", "put the text in quotes"),
    ("a: %x", "%", "a text cannot begin with %"),
    ("%YAML 1.1\n---\na: 1", "%", "a text cannot begin with %"),
    ("a:\n\tb: 1", "\t", "indent with spaces"),
    ("a: 1\n\tb: 2", "\t", "indent with spaces"),
    ("a:\n  - b\n\t- c", "\t", "indent with spaces"),
    ("a: 1\nb: 2\na: 3", "a", "the key `a` stands twice in one mapping"),
    ("a: 1\n\"a\": 3", "\"a\"", "the key `a` stands twice in one mapping"),
    ("{a: 1, a: 2}", "a", "again here"),
    ("a: x: y", ":", "put a text that contains `: ` in quotes"),
    ("a: 1\n  b: 2", ":", "check the indentation"),
    ("no colon\nb: 1", ":", "the key above it ends with a colon and a space"),
    ("a:\n  b: 1\n c: 2", "c", "expected a key here"),
    ("- a\nb: 1", "b", "a mapping and a list cannot stand side by side"),
    ("a: - b", "-", "begin it on a line of its own"),
    ("a: 'it's'", "s", "'it''s'"),
    ("a: \"x\" y", "y", "text after the closing quote"),
    ("a: 'x", "'", "this quote is never closed"),
    ("a: {x: 1", "{", "this bracket is never closed"),
    ("a: [1, , 2]", ",", "a value is missing before this comma"),
    ("a: ]", "]", "this bracket closes nothing"),
    ("a: [1}", "[", "this bracket is closed by `}`"),
    ("a: [-, b]", "-", "a text cannot begin with -"),
    ("a: [\"x\" y]", "y", "text after the closing quote"),
    ("--- 1\n--- 2", "---", "a file holds one document"),
    ("? [1]\n: x", "[", "a key must be a word or a text in quotes"),
    ("{a: 1}: 2", "{", "a key must be a word or a text in quotes"),
    ("&a x: *a\n*a : 1", "*a", "a key must be a word or a text in quotes"),
    (": 1", "", "a key is missing before this colon"),
];

#[test]
fn each_trap_is_marked_and_explained() {
    for (text, mark, part) in TRAPS {
        let (_, marked, said) = wrong(text);
        assert_eq!(marked, *mark, "{text:?} says {said}");
        assert!(said.contains(part), "{text:?} says {said}");
    }
}

#[test]
fn a_forgotten_bracket_is_shown_beside_the_error() {
    assert_eq!(
        rendered("a: [1, 2\nb: 1\n"),
        "\
error[yaml-syntax]: this key cannot stand here
 --> x.yaml:2:2
  |
1 | a: [1, 2
  |    - this bracket is still open
2 | b: 1
  |  ^ the key before this colon
  |
  = help: check the indentation, and that the key above it ends with a colon and a space
"
    );
}

#[test]
fn a_duplicate_key_shows_both_places() {
    assert_eq!(
        rendered("a: 1\nb: 2\na: 3\n"),
        "\
error[yaml-duplicate-key]: the key `a` stands twice in one mapping
 --> x.yaml:3:1
  |
1 | a: 1
  | - first here
2 | b: 2
3 | a: 3
  | ^ again here
"
    );
}

fn any_json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<f64>().prop_map(Into::into),
        "\\PC{0,12}".prop_map(Into::into),
        "[ -~\\n\\t]{0,12}".prop_map(Into::into),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Into::into),
            prop::collection::btree_map("\\PC{1,6}", inner, 0..4)
                .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    /// JSON is YAML.
    #[test]
    fn reads_json(value in any_json()) {
        let text = value.to_string();
        prop_assert_eq!(json(&text), text.clone());
        let pretty = serde_json::to_string_pretty(&value).unwrap();
        prop_assert_eq!(json(&pretty), text);
    }

    /// Whatever comes is read or refused with a place inside the text; and a refusal can be drawn.
    #[test]
    fn any_text_is_read_or_refused(text in "([a-c:\\-\\[\\]{}$.,'\"*&!#|>?%@`~0-1é\\t\\r\\n ]|: |\n  |\\PC){0,60}") {
        let mut sources = Sources::new();
        let file = sources.add("x", text.as_str());
        match parse(file, &text) {
            Ok(root) => spans_fit(&root, &text)?,
            Err(found) => {
                let span = found.span.unwrap();
                prop_assert!(text.get(span.start as usize..span.end as usize).is_some());
                let mut all = Diagnostics::new();
                all.push(found);
                prop_assert!(all.render(&sources, true).contains("--> "));
            }
        }
    }
}

fn spans_fit(node: &Node, text: &str) -> Result<(), TestCaseError> {
    prop_assert!(text.get(node.span.start as usize..node.span.end as usize).is_some(), "{:?}", node);
    match &node.kind {
        Kind::List(items) => items.iter().try_for_each(|item| spans_fit(item, text)),
        Kind::Map(entries) => entries.iter().try_for_each(|(_, value)| spans_fit(value, text)),
        _ => Ok(()),
    }
}
