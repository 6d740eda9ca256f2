//! JSON paths: any text is read or refused, and what a path selects is what the library's own evaluator selects.

use jsonpath_rust::parser::parse_json_path;
use jsonpath_rust::query::js_path_process;
use rulegate::text::json::Doc;
use rulegate::text::path::parse;
use serde_json::Value;

/// The first line is the path, the rest the document.
pub fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (path, document) = text.split_once('\n').unwrap_or((text, "{}"));
    let ours = match parse(path) {
        Ok(ours) => ours,
        Err(error) => {
            assert!(error.offset <= path.len(), "{path:?}: {error:?}");
            return;
        }
    };
    let Ok(doc) = Doc::from_string(document.to_owned()) else { return };
    let mut found = Vec::new();
    ours.select(doc.root(), doc.root(), &mut found);
    let first = ours.first(doc.root(), doc.root()).map(|json| json.index());
    assert_eq!(first, found.first().map(|json| json.index()), "first and all: {path}");
    if ours.is_single() {
        assert_eq!(ours.walk(doc.root()).map(|json| json.index()), first, "walked: {path}");
        assert!(found.len() <= 1, "{path}");
    }
    // Filters are compared by the property tests beside the code, which know where the library strays from the RFC.
    let Ok(value) = serde_json::from_str::<Value>(document) else { return };
    if path.contains('?') || !path.starts_with('$') || has_twins(&doc, &value) {
        return;
    }
    let Ok(theirs) = parse_json_path(path) else { return };
    let Ok(theirs) = js_path_process(&theirs, &value) else { return };
    let mut theirs: Vec<String> = theirs.iter().map(|found| found.val.to_string()).collect();
    let mut ours: Vec<String> = found.iter().map(|json| super::json::rebuilt(*json).to_string()).collect();
    theirs.sort();
    ours.sort();
    assert_eq!(ours, theirs, "{path} over {document}");
}

/// Whether an object has two members of one name, of which the two readers take different ones.
fn has_twins(doc: &Doc, value: &Value) -> bool {
    fn count(value: &Value) -> usize {
        match value {
            Value::Array(items) => 1 + items.iter().map(count).sum::<usize>(),
            Value::Object(members) => 1 + members.values().map(count).sum::<usize>(),
            _ => 1,
        }
    }
    fn ours(json: rulegate::text::json::Json<'_>) -> usize {
        1 + json.children().map(ours).sum::<usize>()
    }
    ours(doc.root()) != count(value)
}
