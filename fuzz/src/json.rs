//! The JSON tape: it reads what serde_json reads, and the same.

use rulegate::text::json::{Doc, Json, JsonKind, write_compact};
use serde_json::{Map, Value};

/// Reads the bytes with both and compares.
pub fn run(data: &[u8]) {
    let theirs = serde_json::from_slice::<Value>(data);
    let doc = match Doc::parse(data.to_vec()) {
        Ok(doc) => doc,
        Err(error) => {
            assert!(error.offset <= data.len() && error.line >= 1 && error.column >= 1, "{error}");
            assert!(theirs.is_err(), "serde_json reads it: {error}");
            return;
        }
    };
    let mut compact = Vec::new();
    write_compact(doc.root(), &mut compact, |out, text| out.extend_from_slice(text.as_bytes()));
    let again = Doc::from_vec(compact).expect("what is written compactly is JSON");
    assert!(again == doc, "writing it compactly changes nothing");
    // Not by both: halves of surrogates, numbers beyond f64, a byte order mark, more than 128 levels.
    let Ok(theirs) = theirs else { return };
    assert_eq!(rebuilt(doc.root()), theirs);
    every(doc.root(), &mut |json| {
        assert_eq!(doc.node(json.index()).raw(), json.raw());
        assert_eq!(&doc.bytes()[json.range()], json.raw().as_bytes());
    });
}

/// The tape as the other library's value; of members of one name it keeps the last.
pub fn rebuilt(json: Json<'_>) -> Value {
    match json.kind() {
        JsonKind::Array => json.items().map(rebuilt).collect(),
        JsonKind::Object => {
            let mut map = Map::new();
            for (name, value) in json.entries() {
                map.insert(name.into(), rebuilt(value));
            }
            Value::Object(map)
        }
        JsonKind::String => Value::String(json.str().expect("a string has a text").into_owned()),
        _ => serde_json::from_str(json.raw()).expect("a scalar is JSON by itself"),
    }
}

fn every(json: Json<'_>, each: &mut impl FnMut(Json<'_>)) {
    each(json);
    for child in json.children() {
        every(child, each);
    }
}
