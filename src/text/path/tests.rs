use super::*;
use crate::text::json::Doc;

fn select(path: &str, json: &str) -> String {
    let doc = Doc::parse(json.to_owned()).unwrap();
    let mut out = Vec::new();
    parse(path).unwrap_or_else(|why| panic!("{path}: {why}")).select(doc.root(), doc.root(), &mut out);
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
        ("$.a[-1]", r#"{"a":[1,2,3]}"#, "3"),
        ("$.a[::-2]", r#"{"a":[1,2,3]}"#, "3 1"),
        ("$.a[?@.id == $.want].v", r#"{"want":2,"a":[{"id":1,"v":"x"},{"id":2.0,"v":"y"}]}"#, r#""y""#),
        (
            "$.a[?length(@.s) > 1.5e0 && !match(@.s, 'x.')]",
            r#"{"a":[{"s":"ab"},{"s":"xy"},{"s":"a"}]}"#,
            r#"{"s":"ab"}"#,
        ),
        ("$.a[?count(@.*) == 0]", r#"{"a":[[],[1],{}]}"#, "[] {}"),
    ];
    for (path, json, expected) in cases {
        assert_eq!(select(path, json), expected, "{path}");
    }
}

#[test]
fn mistakes_are_explained_at_their_place() {
    let cases = [
        ("a.b", 0, "a path begins with `$`"),
        ("$.a[?@.id in ['1']]", 10, "`in` is no operator"),
        ("$.a b", 3, "only `.` or `[` can follow here"),
        ("$.a[", 3, "this `[` is never closed"),
        ("$.", 2, "a name must follow the dot"),
        ("$.a[?@.x = 1]", 9, "this is not a path from here on"),
        ("$m[?@.id == $x.id]", 12, "inside a filter only `$` and `@` can be named"),
    ];
    for (path, offset, message) in cases {
        let error = parse(path).unwrap_err();
        assert_eq!((error.offset, error.message.as_str()), (offset, message), "{path}");
    }
}
