//! Forms of files (multipart/form-data, RFC 7578): which parts a body has, and where their contents stand in it. Nothing is
//! decoded, and each byte is gone through a fixed number of times.

use std::ops::Range;

use memchr::memmem::{self, Finder};

use super::json::{Doc, write_str};

/// The most parts of a form.
const MOST_PARTS: usize = 256;
/// The longest head of a part, in bytes.
const LONGEST_HEAD: usize = 16 << 10;
/// The longest boundary, in bytes, says RFC 2046.
const LONGEST_BOUNDARY: usize = 70;
/// A longer text of a field, in bytes, is not looked at; nor is what comes after so much in all.
const LONGEST_TEXT: usize = 64 << 10;

/// The parts of a form, in their order.
#[derive(Debug)]
pub struct Form {
    parts: Vec<Part>,
}

/// One part of a form.
#[derive(Debug)]
struct Part {
    /// The field's name.
    name: String,
    /// The file's name, if it is a file.
    file: Option<String>,
    /// Where its content stands in the body.
    content: Range<usize>,
}

/// The boundary of a form's parts, out of its content type; `None` if that is the type of something else.
pub fn boundary(content_type: &[u8]) -> Option<Vec<u8>> {
    let end = memchr::memchr(b';', content_type).unwrap_or(content_type.len());
    let media_type = content_type.get(..end)?.trim_ascii();
    media_type
        .eq_ignore_ascii_case(b"multipart/form-data")
        .then(|| parameter(content_type, "boundary").unwrap_or_default())
}

impl Form {
    /// Finds the parts of a form. The error says what is wrong with the body.
    pub fn parse(body: &[u8], boundary: &[u8]) -> Result<Form, String> {
        if boundary.is_empty() || boundary.len() > LONGEST_BOUNDARY {
            let most = format!("a boundary of at most {LONGEST_BOUNDARY} characters");
            return Err(format!("the content-type of a form has to name {most}"));
        }
        let shown = String::from_utf8_lossy(boundary);
        let line = [b"\r\n--", boundary].concat();
        let finder = Finder::new(&line);
        // The first one may stand at the very beginning.
        let first =
            line.get(2..).and_then(|line| body.strip_prefix(line)).and_then(|rest| ending(body, rest));
        let mut at = match first.or_else(|| next(body, 0, &finder).map(|(_, end)| end)) {
            None => return Err(format!("the form has no part: its boundary {shown:?} is not in the body")),
            Some(Ending::Last) => return Err("the form has no part".to_owned()),
            Some(Ending::Part(at)) => at,
        };
        let mut parts = Vec::new();
        loop {
            let Some((end, ending)) = next(body, at, &finder) else {
                return Err(format!("the form is not complete: its last boundary \"{shown}--\" is missing"));
            };
            if parts.len() == MOST_PARTS {
                return Err(format!("the form has more than {MOST_PARTS} parts"));
            }
            parts.push(
                Part::read(body, at..end)
                    .map_err(|wrong| format!("part {} of the form {wrong}", parts.len() + 1))?,
            );
            match ending {
                Ending::Last => return Ok(Form { parts }),
                Ending::Part(next) => at = next,
            }
        }
    }

    /// The fields as an object: texts, of which `true` and `false` are no texts, and of files and what is long the `filename`
    /// and the `size`. A name that several parts have is a list.
    pub fn doc(&self, body: &[u8]) -> Doc {
        let mut names: Vec<&str> = Vec::new();
        for part in &self.parts {
            if !names.contains(&part.name.as_str()) {
                names.push(&part.name);
            }
        }
        let mut out = b"{".to_vec();
        for name in names {
            if out.len() > 1 {
                out.push(b',');
            }
            write_str(&mut out, name);
            out.push(b':');
            let values: Vec<&Part> = self.parts.iter().filter(|part| part.name == name).collect();
            let is_list = values.len() > 1;
            out.extend_from_slice(if is_list { b"[" } else { b"" });
            for (place, part) in values.into_iter().enumerate() {
                if place > 0 {
                    out.push(b',');
                }
                part.write(body, &mut out);
            }
            out.extend_from_slice(if is_list { b"]" } else { b"" });
        }
        out.push(b'}');
        Doc::from_vec(out).unwrap_or_else(|_| Doc::null())
    }

    /// The body with another text in the first field of that name, every other byte as it was; `None` if there is no such field.
    pub fn with(&self, body: &[u8], name: &str, text: &str) -> Option<Vec<u8>> {
        let field = self.parts.iter().find(|part| part.name == name && part.file.is_none())?;
        let (before, after) = (body.get(..field.content.start)?, body.get(field.content.end..)?);
        Some([before, text.as_bytes(), after].concat())
    }
}

impl Part {
    fn read(body: &[u8], range: Range<usize>) -> Result<Part, &'static str> {
        let whole = body.get(range.clone()).unwrap_or_default();
        let beginning = whole.get(..whole.len().min(LONGEST_HEAD)).unwrap_or_default();
        let end = memmem::find(beginning, b"\r\n\r\n").ok_or("has no end of its headers")?;
        let head = beginning.get(..end).unwrap_or_default();
        let disposition = head.split(|byte| *byte == b'\n').find_map(|line| {
            let (name, value) = line.split_at_checked(memchr::memchr(b':', line)?)?;
            name.trim_ascii().eq_ignore_ascii_case(b"content-disposition").then_some(value.trim_ascii())
        });
        let disposition = disposition.ok_or("has no content-disposition")?;
        let text =
            |name: &str| parameter(disposition, name).map(|it| String::from_utf8_lossy(&it).into_owned());
        let name = text("name").ok_or("has no name")?;
        let file = text("filename").or_else(|| text("filename*"));
        Ok(Part { name, file, content: range.start + end + 4..range.end })
    }

    fn write(&self, body: &[u8], out: &mut Vec<u8>) {
        let content = body.get(self.content.clone()).unwrap_or_default();
        let is_short = self.file.is_none() && content.len() + out.len() <= LONGEST_TEXT;
        match std::str::from_utf8(content) {
            Ok("true" | "false") if self.file.is_none() => out.extend_from_slice(content),
            Ok(text) if is_short => write_str(out, text),
            _ => {
                out.push(b'{');
                if let Some(file) = &self.file {
                    out.extend_from_slice(b"\"filename\":");
                    write_str(out, file);
                    out.push(b',');
                }
                out.extend_from_slice(format!("\"size\":{}}}", content.len()).as_bytes());
            }
        }
    }
}

/// What a boundary's line ends.
#[derive(Clone, Copy)]
enum Ending {
    /// A part begins there.
    Part(usize),
    /// The form is over.
    Last,
}

/// Where the next boundary's line begins, and what it ends. Bytes that only begin like one are content.
fn next(body: &[u8], from: usize, finder: &Finder<'_>) -> Option<(usize, Ending)> {
    let rest = body.get(from..)?;
    finder.find_iter(rest).find_map(|at| {
        let after = rest.get(at + finder.needle().len()..)?;
        Some((from + at, ending(body, after)?))
    })
}

/// What stands behind a boundary: `after` is the end of the body from there on.
fn ending(body: &[u8], after: &[u8]) -> Option<Ending> {
    if after.starts_with(b"--") {
        return Some(Ending::Last);
    }
    let blank = after.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    let rest = after.get(blank..)?.strip_prefix(b"\r\n")?;
    Some(Ending::Part(body.len() - rest.len()))
}

/// A parameter of a header's value: of `form-data; name="a"` the `name` is `a`.
fn parameter(value: &[u8], wanted: &str) -> Option<Vec<u8>> {
    let mut rest = value;
    while let Some(at) = memchr::memchr(b';', rest) {
        rest = rest.get(at + 1..)?;
        let end = memchr::memchr2(b'=', b';', rest)?;
        let Some((b'=', after)) = rest.get(end..)?.split_first() else { continue };
        let name = rest.get(..end)?.trim_ascii();
        let (text, left) = match after.trim_ascii_start().split_first() {
            Some((b'"', quoted)) => unquoted(quoted),
            _ => {
                let end = memchr::memchr(b';', after).unwrap_or(after.len());
                let (text, left) = after.split_at(end);
                (text.trim_ascii().to_vec(), left)
            }
        };
        if name.eq_ignore_ascii_case(wanted.as_bytes()) {
            return Some(text);
        }
        rest = left;
    }
    None
}

/// A quoted text up to its end, and what comes after it. A backslash stands before a quote or another one.
fn unquoted(quoted: &[u8]) -> (Vec<u8>, &[u8]) {
    let (mut text, mut at) = (Vec::new(), 0);
    while let Some(byte) = quoted.get(at) {
        at += 1;
        match (byte, quoted.get(at)) {
            (b'"', _) => break,
            (b'\\', Some(next @ (b'"' | b'\\'))) => {
                text.push(*next);
                at += 1;
            }
            _ => text.push(*byte),
        }
    }
    (text, quoted.get(at..).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::{Form, boundary};

    fn form(body: &str) -> Result<String, String> {
        let body = body.replace('\n', "\r\n");
        Form::parse(body.as_bytes(), b"AaB").map(|form| form.doc(body.as_bytes()).text().to_owned())
    }

    #[test]
    fn a_boundary_is_read_out_of_a_content_type() {
        for (content_type, expected) in [
            ("multipart/form-data; boundary=AaB", Some("AaB")),
            ("Multipart/Form-Data; charset=utf-8; Boundary=\"A a;B\"; x=y", Some("A a;B")),
            ("multipart/form-data;boundary= AaB ;", Some("AaB")),
            ("multipart/form-data; boundary=\"a\\\"b\\\\c\"", Some("a\"b\\c")),
            ("multipart/form-data; boundary", Some("")),
            ("multipart/form-data", Some("")),
            ("application/json; boundary=AaB", None),
            ("", None),
        ] {
            let found = boundary(content_type.as_bytes());
            assert_eq!(found.as_deref(), expected.map(str::as_bytes), "{content_type}");
        }
    }

    #[test]
    fn fields_are_texts_and_files_their_names_and_sizes() {
        let field = "Content-Disposition: form-data; name=";
        for (body, expected) in [
            (format!("--AaB\n{field}\"model\"\n\nm-1\n--AaB--\n"), r#"{"model":"m-1"}"#),
            (format!("before\n--AaB \t\n{field}model\n\nm\n--AaB--after"), r#"{"model":"m"}"#),
            (
                format!(
                    "--AaB\n{field}\"a\"; filename=\"ä;\\\".mp3\"\nContent-Type: audio/mpeg\n\n12345\n--AaB--"
                ),
                r#"{"a":{"filename":"ä;\".mp3","size":5}}"#,
            ),
            (
                format!(
                    "--AaB\n{field}\"l[]\"\n\none\n--AaB\n{field}\"s\"\n\ntrue\n--AaB\n{field}\"l[]\"\n\n\n--AaB--"
                ),
                r#"{"l[]":["one",""],"s":true}"#,
            ),
            (
                format!("--AaB\n{field}\"a\"\n\n1\n--AaBC\n--AaB-\n--Aa\n--AaB--"),
                "{\"a\":\"1\\r\\n--AaBC\\r\\n--AaB-\\r\\n--Aa\"}",
            ),
        ] {
            assert_eq!(form(&body).unwrap(), expected, "{body}");
        }
    }

    #[test]
    fn what_is_no_form_says_why() {
        let field = "Content-Disposition: form-data; name=\"a\"";
        for (body, expected) in [
            ("{}".to_owned(), "the form has no part: its boundary \"AaB\" is not in the body"),
            ("--AaB--\n".to_owned(), "the form has no part"),
            (
                format!("--AaB\n{field}\n\n1"),
                "the form is not complete: its last boundary \"AaB--\" is missing",
            ),
            (format!("--AaB\n{field}\n--AaB--"), "part 1 of the form has no end of its headers"),
            ("--AaB\nX: y\n\n1\n--AaB--".to_owned(), "part 1 of the form has no content-disposition"),
            (
                "--AaB\nContent-Disposition: form-data\n\n1\n--AaB--".to_owned(),
                "part 1 of the form has no name",
            ),
            (
                format!("{}--AaB--", format!("--AaB\n{field}\n\n\n").repeat(257)),
                "the form has more than 256 parts",
            ),
        ] {
            assert_eq!(form(&body).unwrap_err(), expected, "{body}");
        }
        for boundary in [String::new(), "x".repeat(71)] {
            let wrong = Form::parse(b"", boundary.as_bytes()).unwrap_err();
            assert_eq!(wrong, "the content-type of a form has to name a boundary of at most 70 characters");
        }
    }

    #[test]
    fn a_field_is_exchanged_and_nothing_else() {
        let body = "--b\r\nContent-Disposition: form-data; name=\"model\"; filename=\"model\"\r\n\r\nfile\r\n\
                    --b\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nold\r\n--b--\r\n";
        let form = Form::parse(body.as_bytes(), b"b").unwrap();
        let made = form.with(body.as_bytes(), "model", "longer").unwrap();
        assert_eq!(String::from_utf8(made).unwrap(), body.replace("old", "longer"));
        assert!(form.with(body.as_bytes(), "other", "x").is_none());
    }
}
