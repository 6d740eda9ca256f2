//! Where a provider is: its url, beside the path that its protocol adds.

use super::names::url;
use crate::config::model::{Provider, Rules};
use crate::text::diagnostic::{Diagnostic, Diagnostics};

/// The url, and whether it already has what the protocol adds.
pub fn check(rules: &Rules, provider: &Provider, diags: &mut Diagnostics) {
    let Some(uri) = url(&provider.url, &["http", "https"], diags) else { return };
    let base = uri.path().trim_end_matches('/');
    if let Some((protocol, path, tail)) = endpoint(rules, provider, base) {
        let diagnostic =
            Diagnostic::error("whole-endpoint", "this is a whole endpoint, and not what stands before it");
        let diagnostic = diagnostic.at(provider.url.span).label(format!("requests would go to {base}{path}"));
        let without = base.strip_suffix(tail).unwrap_or(base);
        let first = path.strip_suffix(tail).unwrap_or_default();
        diags.push(diagnostic.help(if without.ends_with(first) {
            format!("leave out `{tail}` at its end: the protocol adds it")
        } else {
            format!("leave out `{tail}` at its end, and write `paths: {{ {protocol}: {tail} }}` beside it")
        }));
        return;
    }
    let Some(last) = base.rsplit('/').next().filter(|last| is_version(last)) else { return };
    for (protocol, path) in spoken(rules, provider) {
        let Some((first, rest)) = path.trim_start_matches('/').split_once('/') else { continue };
        if is_version(first) && first != last {
            let diagnostic =
                Diagnostic::warning("doubled-path", format!("requests would go to {base}{path}"));
            let diagnostic =
                diagnostic.at(provider.url.span).label(format!("`{last}` and `{first}` are two versions"));
            diags.push(
                diagnostic
                    .help(format!("write `paths: {{ {protocol}: /{rest} }}` for a path without `/{first}`")),
            );
            return;
        }
    }
}

/// The protocols that a provider speaks at their own path, and these paths.
fn spoken<'r>(rules: &'r Rules, provider: &'r Provider) -> impl Iterator<Item = (&'r str, &'r str)> {
    let spoken = provider.speaks.iter().filter(|name| provider.paths.get(name).is_none());
    let protocols = spoken.filter_map(|name| rules.protocol(name));
    protocols.map(|protocol| (protocol.protocol.value.as_str(), protocol.send.path.value.as_str()))
}

/// The path of a protocol that the path of a url ends with, with or without its version: the protocol that is spoken,
/// its path, and the end in common.
fn endpoint<'r>(rules: &'r Rules, provider: &'r Provider, base: &str) -> Option<(&'r str, &'r str, &'r str)> {
    let (protocol, path) = spoken(rules, provider).next()?;
    let all = rules.protocols.iter().map(|protocol| protocol.send.path.value.as_str());
    let tails = all.flat_map(|path| {
        let first = path.trim_start_matches('/').split('/').next().unwrap_or_default();
        let short = path.get(first.len() + 1..).filter(|_| is_version(first));
        [Some(path), short]
    });
    let is_tail = |tail: &&str| tail.len() > 1 && !tail.contains('{') && base.ends_with(*tail);
    tails.flatten().filter(is_tail).max_by_key(|tail| tail.len()).map(|tail| (protocol, path, tail))
}

/// `v1`, `v4`, `v1beta`.
fn is_version(segment: &str) -> bool {
    segment.strip_prefix('v').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::is_version;

    #[test]
    fn versions_are_known() {
        assert!(["v1", "v4", "v1beta", "v10"].into_iter().all(is_version));
        assert!(!["v", "vision", "1", "", "chat"].into_iter().any(is_version));
    }
}
