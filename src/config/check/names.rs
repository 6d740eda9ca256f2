//! Small judgements on texts: addresses, urls, header names, paths.

use std::net::{IpAddr, SocketAddr};

use http::{HeaderName, Uri};

use crate::config::values::Spanned;
use crate::config::variables;
use crate::text::diagnostic::{Diagnostic, Diagnostics};
use crate::text::path;
use crate::text::yaml::{Kind, Node};

/// Whether nobody but this machine can reach the address; `None` if it is no address with a port.
pub fn is_loopback(listen: &str) -> Option<bool> {
    if let Ok(address) = listen.parse::<SocketAddr>() {
        return Some(address.ip().is_loopback());
    }
    let (host, port) = listen.rsplit_once(':')?;
    port.parse::<u16>().ok()?;
    let named =
        !host.is_empty() && host.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_'));
    // 127.1 and the like are names to a resolver; nobody should have to know what it makes of them.
    let number = host.parse::<IpAddr>().is_err() && host.chars().all(|c| c.is_ascii_digit() || c == '.');
    (named && !number).then_some(host.eq_ignore_ascii_case("localhost"))
}

/// What is wrong with a url that has one.
const HAS_QUERY: &str = "it has a query";

/// A url of a provider, if it is one; else it is reported.
pub fn url(text: &Spanned<String>, schemes: &[&str], diags: &mut Diagnostics) -> Option<Uri> {
    let uri = text.parse::<Uri>().ok();
    let variable = variables::foreign_within(text);
    let reason = match &uri {
        _ if variable.is_some() => "this is not how a variable is written here",
        Some(uri) if !uri.scheme_str().is_some_and(|scheme| schemes.contains(&scheme)) => {
            "it has to begin with http:// or https://"
        }
        Some(uri) if uri.authority().is_some_and(|it| it.as_str().contains('@')) => {
            "a name and a password have no place in it"
        }
        Some(uri) if uri.host().is_none_or(str::is_empty) => "it names no host",
        Some(uri) if uri.query().is_some() => HAS_QUERY,
        Some(_) if text.contains('#') => "it has a fragment",
        Some(_) => return uri,
        None => "this is no url",
    };
    let diagnostic = Diagnostic::error("bad-url", "a url is wanted here").at(text.span).label(reason);
    diags.push(match variable {
        Some(name) => diagnostic.help(format!("write `${{{name}}}`")),
        None if reason == HAS_QUERY => {
            diagnostic.help("write its parameters beside it: `query: { api-version: \"2024-10-21\" }`")
        }
        None => diagnostic.help("write for example https://api.example.com"),
    });
    None
}

/// Reports a text that is not a header's name; `patterns` lets `*` and `?` pass.
pub fn header(text: &str, patterns: bool, span: crate::text::diagnostic::Span, diags: &mut Diagnostics) {
    let name = if patterns { text.replace(['*', '?'], "x") } else { text.to_string() };
    if HeaderName::from_bytes(name.as_bytes()).is_err() {
        let diagnostic = Diagnostic::error("bad-header", format!("`{text}` cannot be a header's name"));
        diags.push(diagnostic.at(span).label("letters, digits and `-`"));
    }
}

/// Reports a text that is not a path on this router or a provider.
pub fn url_path(text: &Spanned<String>, diags: &mut Diagnostics) {
    let reason = if !text.starts_with('/') {
        "it has to begin with `/`"
    } else if text.contains(['?', '#']) {
        "a path has no query"
    } else if text.contains(char::is_whitespace) {
        "a path has no spaces"
    } else {
        return;
    };
    let message = format!("`{}` is not a path", text.value);
    diags.push(Diagnostic::error("bad-path", message).at(text.span).label(reason));
}

/// Reports a text that is not a JSON path to one place.
pub fn single_path(text: &Spanned<String>, diags: &mut Diagnostics) {
    match path::parse(text) {
        Ok(path) if path.is_single() => {}
        Ok(_) => {
            let diagnostic =
                Diagnostic::error("bad-path", "a path to one place is wanted here").at(text.span);
            diags.push(diagnostic.label("this may lead to several").help("use names and indexes only"));
        }
        Err(error) => {
            let diagnostic = Diagnostic::error("bad-path", "this is not a path").at(text.span);
            diags.push(diagnostic.label(error.message.to_string()));
        }
    }
}

/// The names that follow `root` (`$provider.`, `$match.`) anywhere in a template, with the nodes they stand in.
pub fn uses<'n>(node: &'n Node, root: &str, found: &mut Vec<(String, &'n Node)>) {
    match &node.kind {
        Kind::String(text) => names_after(text, root, |name| found.push((name, node))),
        Kind::List(items) => items.iter().for_each(|item| uses(item, root, found)),
        Kind::Map(entries) => {
            for (key, value) in entries {
                names_after(&key.text, root, |name| found.push((name, node)));
                uses(value, root, found);
            }
        }
        _ => {}
    }
}

fn names_after(text: &str, root: &str, mut see: impl FnMut(String)) {
    // Most texts have no name at all.
    if !text.contains('$') {
        return;
    }
    for part in text.split(root).skip(1) {
        let end =
            part.find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '-'))).unwrap_or(part.len());
        if let Some(name) = part.get(..end).filter(|name| !name.is_empty()) {
            see(name.to_string());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_told_apart() {
        for loopback in ["127.0.0.1:8000", "127.9.9.9:1", "[::1]:8000", "localhost:0"] {
            assert_eq!(is_loopback(loopback), Some(true), "{loopback}");
        }
        for open in ["0.0.0.0:8000", "[::]:80", "192.168.1.2:1", "router.lan:80"] {
            assert_eq!(is_loopback(open), Some(false), "{open}");
        }
        for wrong in ["8000", ":8000", "127.0.0.1", "127.0.0.1:99999", "a b:1", "127.1:80", "http://x:1"] {
            assert_eq!(is_loopback(wrong), None, "{wrong}");
        }
    }
}
