//! Files with keys: `NAME=value` lines that stand in for missing environment variables.

use std::collections::BTreeMap;

use crate::text::diagnostic::{Diagnostic, Diagnostics, Sources, Span};

/// Names, put in one way, and values.
pub type Values = BTreeMap<String, String>;

/// One way to write a name: `my-api-key` and `My_Api_Key` are the same.
pub fn canonical(name: &str) -> String {
    name.to_ascii_uppercase().replace('-', "_")
}

/// Reads the lines into `values`; a name that is there already stays as it is. A line that cannot be read is
/// a warning with its place, and nothing of it is shown. Returns the name in a last line without an end, which may have
/// been read while it was written.
pub fn read(
    shown: &str,
    bytes: &[u8],
    values: &mut Values,
    sources: &mut Sources,
    diags: &mut Diagnostics,
) -> Option<String> {
    let text = String::from_utf8_lossy(bytes);
    let mut last = None;
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    // What diagnostics may show: the same number of lines, all of them empty.
    let blank: String = text.lines().map(|_| '\n').collect();
    let file = sources.add(shown, blank);
    let mut here = Values::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let at = Span::new(file, number, number);
        match entry(line) {
            // An empty value is a place that somebody has yet to fill in.
            Ok((_, "")) => {}
            Ok((name, value)) => {
                last = Some(name.clone());
                if here.insert(name.clone(), value.to_string()).is_some() {
                    let message = format!("`{name}` is set twice in this file");
                    let diagnostic = Diagnostic::warning("secret-twice", message).at(at);
                    diags.push(diagnostic.label("this line wins"));
                }
            }
            Err(reason) => {
                let diagnostic =
                    Diagnostic::warning("bad-secret-line", "this line is not `NAME=value`").at(at);
                diags.push(diagnostic.label(reason).help("its content is not shown, since it may be a key"));
            }
        }
    }
    for (name, value) in here {
        values.entry(name).or_insert(value);
    }
    last.filter(|_| !text.ends_with('\n'))
}

/// Whether a variable may be called so.
pub fn is_name(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
}

fn entry(line: &str) -> Result<(String, &str), &'static str> {
    let line = line.strip_prefix("export").filter(|rest| rest.starts_with([' ', '\t'])).unwrap_or(line);
    let (name, value) = line.split_once('=').ok_or("there is no `=`")?;
    let name = name.trim();
    if name.is_empty() {
        return Err("there is no name before `=`");
    }
    if !is_name(name) {
        return Err("a name has letters, digits and `_` only");
    }
    let value = value.trim();
    for quote in ['"', '\''] {
        if let Some(inner) = value.strip_prefix(quote) {
            let (inner, rest) = inner.split_once(quote).ok_or("the quote is not closed")?;
            let rest = rest.trim_start();
            return match rest.is_empty() || rest.starts_with('#') {
                true => Ok((canonical(name), inner)),
                false => Err("there is more after the closing quote"),
            };
        }
    }
    let value = value.split_once(" #").map_or(value, |(value, _)| value).trim_end();
    Ok((canonical(name), value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(text: &str) -> (Values, String) {
        let (mut values, mut sources, mut diags) = Default::default();
        read("tokens.txt", text.as_bytes(), &mut values, &mut sources, &mut diags);
        (values, diags.render(&sources, false))
    }

    #[test]
    fn lines_are_read_tolerantly() {
        let text = "\u{feff}# keys\r\n\r\n  some_api_key = sk-1=2 \r\nOTHER-Key=\"a b\" # mine\r\n\
                    export THIRD='x'\nempty=\nplain=v # note\n";
        let (values, said) = values(text);
        assert_eq!(said, "");
        let have: Vec<_> = values.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(have, [("OTHER_KEY", "a b"), ("PLAIN", "v"), ("SOME_API_KEY", "sk-1=2"), ("THIRD", "x")]);
    }

    #[test]
    fn a_bad_line_is_named_and_not_shown() {
        let (values, said) = values("A=1\nsk-verysecret\nB: sk-verysecret=\nC=\"sk-verysecret\nA=2\n");
        assert_eq!(values.get("A").map(String::as_str), Some("2"));
        assert_eq!(values.len(), 1);
        for place in ["tokens.txt:2:1", "tokens.txt:3:1", "tokens.txt:4:1", "tokens.txt:5:1"] {
            assert!(said.contains(place), "{place} in {said}");
        }
        assert!(!said.contains("verysecret"), "{said}");
    }
}
