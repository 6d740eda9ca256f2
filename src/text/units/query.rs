//! The query of a url: parameters by name, escaped.

use percent_encoding::{AsciiSet, CONTROLS, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use std::fmt::Write;

/// What is escaped in a parameter: all but letters, digits and `-._~`.
const PARAMETER: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// What would end a path, or is no character of a url.
const PATH: &AsciiSet =
    &CONTROLS.add(b' ').add(b'"').add(b'#').add(b'<').add(b'>').add(b'?').add(b'`').add(b'{').add(b'}');

/// A path in which nothing ends it.
pub fn path_text(path: &str) -> String {
    utf8_percent_encode(path, PATH).to_string()
}

/// A url with parameters in its query. Each takes the place of all those of its name, which go; without a value they only
/// go. All others stay as they are.
pub fn with_query(url: &str, set: &[(&str, Option<String>)]) -> String {
    let (base, query) = url.split_once('?').unwrap_or((url, ""));
    let is_set = |part: &str| {
        let name = part.split('=').next().unwrap_or_default().replace('+', " ");
        let name = percent_decode_str(&name).decode_utf8_lossy();
        set.iter().any(|(known, _)| *known == name)
    };
    let mut out = base.to_owned();
    let mut mark = '?';
    for part in query.split('&').filter(|part| !part.is_empty() && !is_set(part)) {
        out.push(mark);
        out.push_str(part);
        mark = '&';
    }
    for (name, value) in set.iter().filter_map(|(name, value)| Some((name, value.as_ref()?))) {
        let escaped = |text| utf8_percent_encode(text, PARAMETER);
        let _ = write!(out, "{mark}{}={}", escaped(name), escaped(value));
        mark = '&';
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{path_text, with_query};

    #[test]
    fn a_parameter_takes_the_place_of_those_of_its_name() {
        let version = [("api-version", Some("2024-10-21".to_owned()))];
        let table = [
            ("http://a/b", "http://a/b?api-version=2024-10-21"),
            ("http://a/b?beta=true", "http://a/b?beta=true&api-version=2024-10-21"),
            ("http://a/b?api-version=1&x=%20&api%2Dversion=2", "http://a/b?x=%20&api-version=2024-10-21"),
            ("http://a/b?&&api-version", "http://a/b?api-version=2024-10-21"),
        ];
        for (url, made) in table {
            assert_eq!(with_query(url, &version), made);
        }
        let odd = [("beta", None), ("a b", Some("x&y=z#?/\u{e9}+".to_owned()))];
        assert_eq!(
            with_query("http://a?beta=true&a+b=1", &odd),
            "http://a?a%20b=x%26y%3Dz%23%3F%2F%C3%A9%2B"
        );
        assert_eq!(with_query("http://a?beta=true", &odd[..1]), "http://a");
    }

    #[test]
    fn a_path_ends_where_it_ends() {
        assert_eq!(path_text("/m/a?b=c#d e%20f"), "/m/a%3Fb=c%23d%20e%20f");
        assert_eq!(path_text("/v1beta/models/x:go/@y"), "/v1beta/models/x:go/@y");
    }
}
