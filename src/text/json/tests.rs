use super::*;

#[test]
fn reads_a_chat_body() {
    let doc = Doc::parse(
        r#" {"model":"m","messages":[{"role":"user","content":"h\u00e9 \"x\"\n"}],"n":1.0,"t":true} "#,
    )
    .unwrap();
    let root = doc.root();
    assert_eq!(root.kind(), JsonKind::Object);
    assert_eq!(root.len(), 4);
    assert_eq!(root.get("model").unwrap().str(), Some(Cow::Borrowed("m")));
    let message = root.get("messages").unwrap().at(-1).unwrap();
    assert_eq!(message.get("content").unwrap().str().unwrap(), "hé \"x\"\n");
    assert_eq!(root.get("n").unwrap().i64(), Some(1));
    assert_eq!(root.get("n").unwrap().raw(), "1.0");
    assert_eq!(root.get("t").unwrap().bool(), Some(true));
    assert!(root.get("absent").is_none());
}

#[test]
fn errors_name_the_place() {
    let error = Doc::parse("{\n  \"é\": ,}").unwrap_err();
    assert_eq!(error.to_string(), "expected a value at byte 10 (line 2, column 8)");
}
