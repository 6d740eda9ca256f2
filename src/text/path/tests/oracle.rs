//! The library's own evaluator is asked what a path selects.
//!
//! The generated paths keep away from where it strays from RFC 9535 (`tests.rs` holds us to the RFC there): a
//! filter right behind `@`, `count()` of nothing, lists that differ only in the spelling of a number. The order
//! of several selectors over several values is compared as a set.

use jsonpath_rust::parser::parse_json_path;
use jsonpath_rust::query::js_path_process;
use proptest::prelude::*;
use serde_json::Value;

use super::super::parse;
use crate::text::json::Doc;

/// Rich in the few names and places that the paths ask for, so that most of them find something.
fn document(depth: u32) -> BoxedStrategy<Value> {
    let scalar = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-1i64..4).prop_map(Value::from),
        prop_oneof![Just(0.5), Just(-1.5), Just(2.5)].prop_map(Value::from),
        prop_oneof![Just(""), Just("a"), Just("b"), Just("ab"), Just("é\n\"")].prop_map(Value::from),
    ];
    if depth == 0 {
        return scalar.boxed();
    }
    let names = prop_oneof![8 => "[ab]", 2 => Just("c".to_owned()), 1 => Just("a-b".to_owned()), 1 => Just("é".to_owned())];
    prop_oneof![
        1 => scalar,
        3 => prop::collection::vec(document(depth - 1), 0..5).prop_map(Value::from),
        3 => prop::collection::vec((names, document(depth - 1)), 0..6)
            .prop_map(|entries| Value::Object(entries.into_iter().collect())),
    ]
    .boxed()
}

fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        12 => "\\.[ab]",
        1 => Just(".c".to_owned()),
        1 => Just(".é".to_owned()),
        1 => prop_oneof![Just("['a-b']"), Just("[\"a\"]"), Just("[ 'b' ]"), Just("['\\u0061']")].prop_map(str::to_owned),
    ]
}

/// Names without spaces in their brackets: inside comparisons the library's grammar allows none.
fn tight_name() -> impl Strategy<Value = String> {
    name().prop_map(|name| name.replace(' ', ""))
}

fn index() -> impl Strategy<Value = String> {
    (-3i64..4).prop_map(|i| format!("[{i}]"))
}

fn single(from: &'static str) -> impl Strategy<Value = String> {
    prop::collection::vec(prop_oneof![3 => tight_name(), 1 => index()], 0..2)
        .prop_map(move |segments| format!("{from}{}", segments.concat()))
}

fn literal() -> impl Strategy<Value = String> {
    prop_oneof![
        (-1i64..4).prop_map(|n| n.to_string()),
        prop_oneof![
            Just("0.5"),
            Just("25e-1"),
            Just("-1.5"),
            Just("1.0"),
            Just("true"),
            Just("false"),
            Just("null"),
            Just("'a'"),
            Just("\"ab\""),
            Just("''"),
            Just("'é\\n\"'")
        ]
        .prop_map(str::to_owned),
    ]
}

/// A query for a filter; what follows the `@` is no filter.
fn query() -> impl Strategy<Value = String> {
    let wide = prop_oneof![
        tight_name(),
        index(),
        Just(".*".to_owned()),
        Just("[0:2]".to_owned()),
        Just("..a".to_owned()),
        Just("..*".to_owned()),
    ];
    prop_oneof![
        single("@"),
        single("$"),
        prop::collection::vec(wide, 1..3).prop_map(|segments| format!("@{}", segments.concat())),
    ]
}

fn operand() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => single("@"),
        1 => single("$"),
        4 => literal(),
        1 => single("@").prop_map(|of| format!("length({of})")),
        1 => query().prop_map(|of| format!("value( {of})")),
    ]
}

fn filter() -> impl Strategy<Value = String> {
    let comparison = prop_oneof![Just("=="), Just("!="), Just("<"), Just("<="), Just(">"), Just(">=")];
    let pattern = prop_oneof![Just("'a'"), Just("'.'"), Just("'a|ab'"), Just("'[^a.]'"), Just("''")];
    let atom = prop_oneof![
        5 => (operand(), comparison, operand()).prop_map(|(a, op, b)| format!("{a} {op} {b}")),
        1 => (query(), 1..4).prop_map(|(of, n)| format!("count({of})>={n}")),
        2 => (any::<bool>(), query()).prop_map(|(not, of)| format!("{}{of}", if not { "!" } else { "" })),
        2 => (any::<bool>(), single("@"), prop_oneof![Just("match"), Just("search")], pattern)
            .prop_map(|(not, of, f, pattern)| format!("{}{f}({of}, {pattern})", if not { "!" } else { "" })),
    ];
    atom.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 2..4).prop_map(|parts| parts.join(" && ")),
            prop::collection::vec(inner.clone(), 2..4).prop_map(|parts| parts.join("||")),
            (any::<bool>(), inner.clone())
                .prop_map(|(not, inner)| format!("{}({inner})", if not { "!" } else { "" })),
            (tight_name(), inner).prop_map(|(name, inner)| format!("@{name}[?{inner}]")),
        ]
    })
}

fn selector() -> impl Strategy<Value = String> {
    let bound = || prop_oneof![Just(String::new()), (-4i64..5).prop_map(|n| n.to_string())];
    prop_oneof![
        1 => "'[abc]'",
        1 => (-3i64..4).prop_map(|i| i.to_string()),
        1 => Just("*".to_owned()),
        2 => (bound(), bound(), prop_oneof![Just(String::new()), (-2i64..3).prop_map(|n| format!(":{n}"))])
            .prop_map(|(start, end, step)| format!("{start}:{end}{step}")),
        5 => filter().prop_map(|filter| format!("?{filter}")),
    ]
}

fn segment() -> impl Strategy<Value = String> {
    let bracket = || prop::collection::vec(selector(), 1..3).prop_map(|all| format!("[{}]", all.join(", ")));
    prop_oneof![
        2 => name(),
        1 => index(),
        4 => prop_oneof![Just(".*"), Just("[*]")].prop_map(str::to_owned),
        5 => bracket(),
        2 => prop_oneof![Just("..*".to_owned()), "\\.\\.[ab]", bracket().prop_map(|bracket| format!("..{bracket}"))],
    ]
}

proptest! {
    #[test]
    fn selects_what_the_library_selects(
        value in document(4),
        path in prop::collection::vec(segment(), 1..4).prop_map(|segments| format!("${}", segments.concat())),
    ) {
        let theirs = parse_json_path(&path).unwrap_or_else(|why| panic!("{path}: {why}"));
        let theirs = js_path_process(&theirs, &value).unwrap();
        let mut theirs: Vec<_> = theirs.iter().map(|found| found.val.to_string()).collect();

        let doc = Doc::from_string(value.to_string()).unwrap();
        let ours = parse(&path).unwrap_or_else(|why| panic!("{path}: {why}"));
        let mut found = Vec::new();
        ours.select(doc.root(), doc.root(), &mut found);
        prop_assert_eq!(ours.first(doc.root(), doc.root()).map(|json| json.index()), found.first().map(|json| json.index()));
        if ours.is_single() {
            prop_assert_eq!(ours.walk(doc.root()).map(|json| json.index()), found.first().map(|json| json.index()));
        }
        let mut ours: Vec<_> = found.iter().map(|json| json.raw().to_owned()).collect();
        if path.contains(',') {
            theirs.sort();
            ours.sort();
        }
        prop_assert_eq!(ours, theirs, "{} over {}", path, value);
    }

    #[test]
    fn no_text_does_harm(path in "\\$([a-c]|\\.|\\[|\\]|\\?|@|'|\"|\\(|\\)|==|<|!|&&|\\|\\||length|match|count|[0-9-]|\\*|:|,| |é|\\$|\\\\){0,16}") {
        if let Ok(path) = parse(&path) {
            let doc = Doc::parse(r#"{"a":[{"b":1},[2],"c"],"b":{"c":null}}"#).unwrap();
            let mut found = Vec::new();
            path.select(doc.root(), doc.root(), &mut found);
        }
    }
}
