use super::*;

fn json(text: &str) -> String {
    let mut out = Vec::new();
    parse(FileId(0), text).unwrap().to_json_bytes(&mut out);
    String::from_utf8(out).unwrap()
}

#[test]
fn words_mean_what_yaml_1_2_says() {
    assert_eq!(
        json("a: no\nb: 1.50\nc: 0x1F\nd: \"12\"\ne: [1, {x: y}]\n404: z\ni:\n"),
        r#"{"a":"no","b":1.50,"c":31,"d":"12","e":[1,{"x":"y"}],"404":"z","i":null}"#
    );
}
