//! JSON without white space between its tokens.

use super::{Json, JsonKind};

/// Writes a value's tokens with `write`, each as it stands in the document. It recurs as deep as the document, which
/// the reader bounds.
pub fn write_compact(node: Json<'_>, out: &mut Vec<u8>, write: fn(&mut Vec<u8>, &str)) {
    match node.kind() {
        JsonKind::Array => {
            out.push(b'[');
            for (count, item) in node.items().enumerate() {
                if count > 0 {
                    out.push(b',');
                }
                write_compact(item, out, write);
            }
            out.push(b']');
        }
        JsonKind::Object => {
            out.push(b'{');
            for (count, (name, value)) in node.entries_raw().enumerate() {
                if count > 0 {
                    out.push(b',');
                }
                write(out, name.raw());
                out.push(b':');
                write_compact(value, out, write);
            }
            out.push(b'}');
        }
        _ => write(out, node.raw()),
    }
}
