mod oracle;

use super::*;
use crate::text::json::Doc;

fn path(text: &str) -> Path {
    parse(text).unwrap_or_else(|why| panic!("{text}: {why}"))
}

fn select(text: &str, json: &str) -> String {
    let doc = Doc::parse(json.to_owned()).unwrap();
    let mut out = Vec::new();
    path(text).select(doc.root(), doc.root(), &mut out);
    out.iter().map(|json| json.raw()).collect::<Vec<_>>().join(" ")
}

#[test]
fn paths_select() {
    let cases = [
        ("$", r#"{"a":1}"#, r#"{"a":1}"#),
        ("$.a[0].b", r#"{"a":[{"b":1}]}"#, "1"),
        ("$header.retry-after", r#"{"retry-after":"7"}"#, r#""7""#),
        (
            "$msg.content[?@.type == 'tool_result']",
            r#"{"content":[{"type":"text"},{"type":"tool_result"}]}"#,
            r#"{"type":"tool_result"}"#,
        ),
        ("$..x", r#"{"x":[{"x":1}],"y":{"x":2}}"#, r#"[{"x":1}] 1 2"#),
        (
            "$.messages[*].content[?@.type=='image'].source",
            r#"{"messages":[{"content":"t"},{"content":[{"type":"image","source":1}]}]}"#,
            "1",
        ),
        ("$.x['a-b']", r#"{"x":{"a-b":3}}"#, "3"),
        ("$.x.a-b", r#"{"x":{"a-b":3}}"#, "3"),
        ("$.größe", r#"{"größe":3}"#, "3"),
        (r#"$["it's \u00e9\n"]"#, r#"{"it's é\n":1}"#, "1"),
        ("$['x in y']", r#"{"x in y":1}"#, "1"),
        ("$.a[-1]", r#"{"a":[1,2,3]}"#, "3"),
        ("$.a[::-2]", r#"{"a":[1,2,3]}"#, "3 1"),
        ("$.a[1:9007199254740991]", r#"{"a":[1,2,3]}"#, "2 3"),
        ("$.a[-9007199254740991:1:9007199254740991]", r#"{"a":[1,2,3]}"#, "1"),
        ("$.a[:2, 0, 'x']", r#"{"a":[1,2,3]}"#, "1 2 1"),
        // RFC 9535: the selectors in turn for each value, not each selector for all values.
        ("$[*]['b','a']", r#"[{"a":1,"b":2},{"a":3,"b":4}]"#, "2 1 4 3"),
        ("$.a[?@.id == $.want].v", r#"{"want":2,"a":[{"id":1,"v":"x"},{"id":2.0,"v":"y"}]}"#, r#""y""#),
        (
            "$.a[?length(@.s) > 1.5e0 && !match(@.s, 'x.')]",
            r#"{"a":[{"s":"ab"},{"s":"xy"},{"s":"a"}]}"#,
            r#"{"s":"ab"}"#,
        ),
        ("$.a[?count(@.*) == 0]", r#"{"a":[[],[1],{}]}"#, "[] {}"),
        ("$[?@[?@.a]]", r#"[[{"a":1}],[{"b":1}]]"#, r#"[{"a":1}]"#),
        ("$[?value(@..n) == 1e2]", r#"[{"a":{"n":100}},{"n":100,"a":{"n":100}}]"#, r#"{"a":{"n":100}}"#),
        ("$[?@ == $[1]]", "[9007199254740992,9007199254740993]", "9007199254740993"),
        ("$[?@.a == @.b]", r#"[{"a":[1]},{"a":[1],"b":[1.0]},{}]"#, r#"{"a":[1],"b":[1.0]} {}"#),
        ("$[?search(@, 'b.d')]", r#"["abcd","ab\rd"]"#, r#""abcd""#),
        ("$[?@<'b']", r#"["a","b",1,null]"#, r#""a""#),
        ("$[?@>=true]", "[true,false,1]", "true"),
        (r#"$[?@=="\u0061"]"#, r#"["a","\u0061","b"]"#, r#""a" "\u0061""#),
    ];
    for (path, json, expected) in cases {
        assert_eq!(select(path, json), expected, "{path}");
    }
}

#[test]
fn paths_say_what_they_are() {
    for (text, root, single, root_only) in [
        ("$", "", true, true),
        ("$msg", "msg", true, true),
        ("$a-b.c", "a-b", true, false),
        ("$.a['b'][-1]", "", true, false),
        ("$.a[*]", "", false, false),
        ("$['a','b']", "", false, false),
        ("$..a", "", false, false),
    ] {
        let path = path(text);
        assert_eq!(
            (path.root.as_str(), path.is_single(), path.is_root_only()),
            (root, single, root_only),
            "{text}"
        );
        assert_eq!(path.to_string(), text);
    }
    assert!(matches!(path("$.a[1]").segments(), [Segment::Name(name), Segment::Index(1)] if **name == *"a"));
}

#[test]
fn the_root_in_a_filter_is_the_document() {
    let doc = Doc::parse(r#"{"want":2,"a":[{"id":1},{"id":2}]}"#).unwrap();
    let list = doc.root().get("a").unwrap();
    let path = path("$item[?@.id == $.want]");
    assert_eq!(path.first(list, doc.root()).unwrap().raw(), r#"{"id":2}"#);
    assert!(path.first(list, list).is_none());
    assert!(path.walk(list).is_none());
}

#[test]
fn mistakes_are_explained_at_their_place() {
    let cases = [
        ("", 0, "a path begins with `$`"),
        ("a.b", 0, "a path begins with `$`"),
        ("$5", 1, "only `.` or `[` can follow here"),
        ("$.a[?@.id in ['1']]", 10, "`in` is no operator"),
        ("$.a[?@.id == 1 and @.b]", 15, "`and` is no operator"),
        ("$.a b", 3, "only `.` or `[` can follow here"),
        ("$.a ", 3, "only `.` or `[` can follow here"),
        ("$.a:", 3, "only `.` or `[` can follow here"),
        ("$.a$.b", 3, "only `.` or `[` can follow here"),
        ("$.a[", 3, "this `[` is never closed"),
        ("$.a]", 3, "this `]` closes nothing"),
        ("$['a]", 2, "this ' is never closed"),
        ("$.", 2, "a name must follow the dot"),
        ("$.é..", 6, "a name must follow the dot"),
        ("$.a.[0]", 3, "a dot before `[`"),
        ("$.a.0", 4, "a name after a dot cannot begin with a digit"),
        ("$.a[b]", 4, "`b` means nothing here"),
        ("$.a[?size(@.b) == 1]", 5, "there is no function `size`"),
        ("$.a[?in(@.b, $.c)]", 5, "there is no function `in`"),
        ("$.é[?@.x = 1]", 10, "this is not a path from here on"),
        ("$m[?@.id == $x.id]", 12, "inside a filter only `$` and `@` can be named"),
        ("$.é[?length(@.*) == 1]", 6, "a function got a path that may select several values"),
        ("$[?@.a && length(@.a)]", 10, "length(), count() and value() give a value to compare"),
        ("$[?match(@.a, @.b)]", 3, "the pattern of match() and search() must be a quoted text"),
        ("$[99999999999999999]", 2, "this is not a path from here on"),
    ];
    for (path, offset, message) in cases {
        let error = parse(path).expect_err(path);
        assert_eq!((error.offset, error.message.as_str()), (offset, message), "{path}: {error}");
    }
    assert!(
        parse("$[?match(@.a, '(')]").unwrap_err().message.starts_with("the pattern `(` is not a regular")
    );
}

#[test]
fn no_path_takes_long_to_refuse() {
    for hostile in [
        format!("$[?{}", "length(".repeat(500)),
        format!("$[?{}@.x{}", "count(@[?".repeat(4), ")])".repeat(4)),
        format!("${}", ".a".repeat(2000)),
        format!("$[?{}@.x == 1", "(".repeat(200)),
        format!("$[?{}@.x = 1{}]", "(".repeat(30), ")".repeat(30)),
        format!("${}1{}", "[?@".repeat(31), "]".repeat(31)),
        "$".repeat(100_000),
    ] {
        assert!(parse(&hostile).is_err(), "{hostile}");
    }
    let long = format!("${}", "[*]".repeat(64));
    assert!(path(&long).first(Doc::null().root(), Doc::null().root()).is_none());
}
