//! One text for all values that are equal: for looking values up instead of comparing each with each.

use super::{Json, JsonKind, number, write_str};

impl Json<'_> {
    /// The value as text that is the same for equal values and for no others: numbers in one spelling, members in
    /// order. It recurs as deep as the document, which the reader bounds.
    pub fn write_canonical(self, out: &mut Vec<u8>) {
        match self.kind() {
            JsonKind::Null | JsonKind::Bool => out.extend_from_slice(self.bytes()),
            JsonKind::Number => number::write_canonical(self.raw(), out),
            JsonKind::String => write_str(out, &self.str().unwrap_or_default()),
            JsonKind::Array => {
                out.push(b'[');
                for item in self.items() {
                    item.write_canonical(out);
                    out.push(b',');
                }
                out.push(b']');
            }
            JsonKind::Object => {
                let mut entries: Vec<_> = self.entries().collect();
                // Stable: of a name that stands twice the order counts.
                entries.sort_by(|(one, _), (other, _)| one.cmp(other));
                out.push(b'{');
                for (name, value) in entries {
                    write_str(out, &name);
                    out.push(b':');
                    value.write_canonical(out);
                    out.push(b',');
                }
                out.push(b'}');
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Doc;
    use proptest::prelude::*;

    fn canonical(text: &str) -> String {
        let mut out = Vec::new();
        Doc::parse(text.to_owned()).unwrap().root().write_canonical(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn equal_values_have_one_text() {
        for (one, other, equal) in [
            (r#"{"a":1,"b":[2]}"#, r#"{ "b": [2.0], "a": 1e0 }"#, true),
            (r#""\u0061""#, r#""a""#, true),
            ("[0]", "[-0.0]", true),
            ("100000000000000000001", "100000000000000000002", false),
            ("1e400", "10e399", true),
            (r#"["1"]"#, "[1]", false),
            ("[[1],2]", "[[1,2]]", false),
            ("{}", "[]", false),
        ] {
            assert_eq!(canonical(one) == canonical(other), equal, "{one} {other}");
        }
    }

    fn document() -> impl Strategy<Value = String> {
        let leaf = prop_oneof![
            Just("1".to_owned()),
            Just("1.0".to_owned()),
            Just("10e-1".to_owned()),
            Just(r#""a""#.to_owned()),
            Just(r#""\u0061""#.to_owned()),
            Just("null".to_owned()),
        ];
        leaf.prop_recursive(3, 12, 3, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..3)
                    .prop_map(|items| format!("[{}]", items.join(","))),
                proptest::collection::vec(("[ab]", inner), 0..3).prop_map(|entries| {
                    let entries: Vec<_> = entries.iter().map(|(k, v)| format!("\"{k}\":{v}")).collect();
                    format!("{{{}}}", entries.join(","))
                }),
            ]
        })
    }

    proptest! {
        #[test]
        fn it_tells_apart_what_comparing_does(one in document(), other in document()) {
            let equal = Doc::parse(one.clone()).unwrap() == Doc::parse(other.clone()).unwrap();
            prop_assert_eq!(canonical(&one) == canonical(&other), equal, "{} {}", one, other);
        }
    }
}
