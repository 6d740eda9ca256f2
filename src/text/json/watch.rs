//! Whether a text that comes in pieces may be a whole object by now, without reading it again for each piece.

/// Follows the brackets of a text. It costs as much as the pieces are long, and says when reading the whole is worth it.
#[derive(Clone, Copy, Debug, Default)]
pub struct ObjectWatch {
    depth: u64,
    in_string: bool,
    /// The last byte was a backslash in a string.
    escaping: bool,
    begun: bool,
    /// Its last bracket has closed.
    closed: bool,
    /// Something stands where nothing may: it will never be an object.
    broken: bool,
}

impl ObjectWatch {
    /// Takes in the next piece.
    pub fn saw(&mut self, piece: &str) {
        for byte in piece.bytes() {
            match byte {
                _ if self.escaping => self.escaping = false,
                b'\\' if self.in_string => self.escaping = true,
                b'"' if self.begun && !self.closed => self.in_string = !self.in_string,
                _ if self.in_string => {}
                b' ' | b'\t' | b'\r' | b'\n' => {}
                _ if self.closed => self.broken = true,
                b'{' | b'[' if self.begun || byte == b'{' => {
                    self.begun = true;
                    self.depth += 1;
                }
                _ if !self.begun => self.broken = true,
                b'}' | b']' => {
                    self.depth -= 1;
                    self.closed = self.depth == 0;
                }
                _ => {}
            }
        }
    }

    /// Whether all that came may be one whole object. False is certain.
    pub fn may_be_whole(&self) -> bool {
        self.closed && !self.broken
    }
}

#[cfg(test)]
mod tests {
    use super::super::is_complete_object;
    use super::ObjectWatch;
    use proptest::prelude::*;

    fn may_be_whole(pieces: &[&str]) -> bool {
        let mut watch = ObjectWatch::default();
        pieces.iter().for_each(|piece| watch.saw(piece));
        watch.may_be_whole()
    }

    #[test]
    fn an_object_is_whole_when_its_last_bracket_closes() {
        assert!(may_be_whole(&["{", "}"]));
        assert!(may_be_whole(&[" {\"a\":[1,{\"b\\\"}\"", ":2}]}\n"]));
        assert!(!may_be_whole(&["{\"a\":\"}"]));
        assert!(!may_be_whole(&["{\"a\":{}"]));
        assert!(!may_be_whole(&["{}", "{}"]));
        assert!(!may_be_whole(&["[{}]"]));
        assert!(!may_be_whole(&[""]));
    }

    proptest! {
        #[test]
        fn it_never_denies_a_whole_object(text in r#"[ {}\[\]"\\a:,1]{0,12}"#, inner in "[a-z\\PC]{0,6}") {
            if is_complete_object(&text) {
                prop_assert!(may_be_whole(&[&text]));
            }
            let object = format!(" {{\"{}\": [{{}}, \"\\\\\\\"}}\"]}} ", inner.replace(['"', '\\'], ""));
            if is_complete_object(&object) {
                for at in (0..object.len()).filter(|at| object.is_char_boundary(*at)) {
                    let (one, two) = object.split_at(at);
                    prop_assert!(may_be_whole(&[one, two]), "{object} at {at}");
                }
            }
        }
    }
}
