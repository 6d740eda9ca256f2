//! What was probably meant by a path that leads nowhere, and what to change so that it does.

use super::{Engine, Route};
use crate::text::diagnostic::did_you_mean;

/// As much of a path is repeated to who asked for it, in characters.
const LONGEST: usize = 200;
/// How many parts of a path are compared: a longer one is nobody's slip.
const MOST_PARTS: usize = 16;
/// How many paths are listed.
const MOST_LISTED: usize = 12;

impl Engine {
    /// What a client is told whose path leads nowhere. Mostly its base URL has a part too few or too many.
    pub(in crate::engine) fn no_such_path(&self, path: &str) -> String {
        let shown: String = path.chars().take(LONGEST).collect();
        if let Some((_, advice)) = self.ends_like(path) {
            return format!("there is no {shown} here; {advice}");
        }
        let paths = || self.routes.iter().map(|route| route.path.as_str());
        let filled: Vec<String> = paths().map(|known| filled(known, path)).collect();
        if let Some(meant) = did_you_mean(path, filled.iter().map(String::as_str)) {
            return format!("there is no {shown} here; did you mean {meant}?");
        }
        let mut listed: Vec<&str> = Vec::new();
        for known in paths() {
            if !listed.contains(&known) && listed.len() < MOST_LISTED {
                listed.push(known);
            }
        }
        format!("there is no {shown} here; the rules have {}", listed.join(", "))
    }

    /// The route whose path has most in common with this one at its end, and what to change in the base URL.
    pub(super) fn ends_like(&self, path: &str) -> Option<(&Route, String)> {
        let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).take(MOST_PARTS + 1).collect();
        let found = self.routes.iter().filter_map(|route| Some((route, base_url(&route.path, &parts)?)));
        let (route, (_, advice)) = found.max_by_key(|(_, (common, _))| *common)?;
        Some((route, advice))
    }
}

/// Whether a part of a path is a hole.
fn is_hole(part: &str) -> bool {
    part.starts_with('{') && part.ends_with('}')
}

/// Whether a part of a known path may be this one: a hole is whatever stands there.
pub(super) fn is_part(ours: &str, theirs: &str) -> bool {
    ours == theirs || (is_hole(ours) && !theirs.is_empty())
}

/// A known path with what the asked one of as many parts has in its holes.
fn filled(known: &str, asked: &str) -> String {
    if !known.contains('{') || known.split('/').count() != asked.split('/').count() {
        return known.to_owned();
    }
    let pairs = known.split('/').zip(asked.split('/'));
    let parts: Vec<&str> = pairs.map(|(ours, theirs)| if is_hole(ours) { theirs } else { ours }).collect();
    parts.join("/")
}

/// How many parts at their ends a known path and the asked one have in common, and what to change in the base URL
/// that the client was given, so that the rest is the same, too.
fn base_url(known: &str, asked: &[&str]) -> Option<(usize, String)> {
    if asked.len() > MOST_PARTS {
        return None;
    }
    let parts: Vec<&str> = known.split('/').filter(|part| !part.is_empty()).collect();
    let same = parts.iter().rev().zip(asked.iter().rev()).take_while(|(ours, theirs)| is_part(ours, theirs));
    let mut same: Vec<&&str> = same.map(|(ours, _)| ours).collect();
    // What only a hole has in common says nothing, unless the whole path stands there.
    while same.len() < parts.len() && same.last().is_some_and(|part| is_hole(part)) {
        same.pop();
    }
    let (common, fixed) = (same.len(), same.iter().filter(|part| !is_hole(part)).count());
    if fixed == 0 {
        return None;
    }
    let begin =
        |parts: &[&str]| parts.split_at_checked(parts.len() - common).map(|(before, _)| before.join("/"));
    let (ours, theirs) = (begin(&parts)?, begin(asked)?);
    let change = match (ours.is_empty(), theirs.is_empty()) {
        (true, true) => "without a `/` at its end".to_owned(),
        (true, false) => format!("without its `/{theirs}`"),
        (false, true) => format!("with `/{ours}` at its end"),
        (false, false) => format!("with `/{ours}` in place of `/{theirs}` at its end"),
    };
    let (ours_begin, theirs_end) = (parts.len() - common, asked.len() - common);
    let meant = parts.iter().take(ours_begin).chain(asked.iter().skip(theirs_end)).copied();
    let meant: Vec<&str> = meant.collect();
    let known = format!("/{}", meant.join("/"));
    Some((fixed, format!("did you mean {known}? Then give the client the base URL {change}")))
}

#[cfg(test)]
mod tests {
    use super::{base_url, filled};

    fn advice(known: &str, asked: &str) -> Option<String> {
        let parts: Vec<&str> = asked.split('/').filter(|part| !part.is_empty()).collect();
        base_url(known, &parts).map(|(_, advice)| advice)
    }

    #[test]
    fn the_end_of_a_path_says_what_the_base_url_has_too_much_or_too_little() {
        for (known, asked, change) in [
            ("/v1/messages", "/v1/messages/messages", "with `/v1` in place of `/v1/messages` at its end"),
            ("/v1/messages", "/v1/messages/v1/messages", "without its `/v1/messages`"),
            ("/v1/messages", "/v1/v1/messages", "without its `/v1`"),
            ("/v1/messages", "//messages", "with `/v1` at its end"),
            ("/v1/messages", "/messages", "with `/v1` at its end"),
            ("/v1/messages", "//v1/messages", "without a `/` at its end"),
            ("/v1/messages", "/v1/messages/", "without a `/` at its end"),
            ("/v1/messages", "/proxy/v1/messages", "without its `/proxy`"),
            ("/v1/messages", "/api/messages", "with `/v1` in place of `/api` at its end"),
            ("/v1/chat/completions", "/chat/completions", "with `/v1` at its end"),
            (
                "/v1/chat/completions",
                "/v1/messages/chat/completions",
                "with `/v1` in place of `/v1/messages` at its end",
            ),
        ] {
            let expected = format!("did you mean {known}? Then give the client the base URL {change}");
            assert_eq!(advice(known, asked), Some(expected), "{asked}");
        }
        assert_eq!(advice("/v1/messages", "/v1/message"), None);
        let generate = "/v1beta/models/{call}";
        let hosted = "/cloud/deployments/{name}/chat/completions";
        for (known, asked, meant, change) in [
            (
                generate,
                "/models/g:generateContent",
                "/v1beta/models/g:generateContent",
                "with `/v1beta` at its end",
            ),
            (generate, "/v1beta/v1beta/models/g:x", "/v1beta/models/g:x", "without its `/v1beta`"),
            (generate, "/v1/models/g:x", "/v1beta/models/g:x", "with `/v1beta` in place of `/v1` at its end"),
            (
                hosted,
                "/deployments/d/chat/completions",
                "/cloud/deployments/d/chat/completions",
                "with `/cloud` at its end",
            ),
            (
                hosted,
                "/cloud/deployments/d/cloud/deployments/d/chat/completions",
                "/cloud/deployments/d/chat/completions",
                "without its `/cloud/deployments/d`",
            ),
            (
                hosted,
                "/cloud/deployments/chat/completions",
                hosted,
                "with `/cloud/deployments/{name}` in place of `/cloud/deployments` at its end",
            ),
            (hosted, "/chat/completions", hosted, "with `/cloud/deployments/{name}` at its end"),
            ("/v1/models/{id}", "/v1/v1/models/m", "/v1/models/m", "without its `/v1`"),
        ] {
            let expected = format!("did you mean {meant}? Then give the client the base URL {change}");
            assert_eq!(advice(known, asked), Some(expected), "{asked}");
        }
        assert_eq!(advice("/v1/models/{id}", "/v1/messages/x"), None, "a hole alone is nothing in common");
        assert_eq!(
            filled(hosted, "/cloud/deployment/d/chat/completions"),
            "/cloud/deployments/d/chat/completions"
        );
        assert_eq!(advice("/v1/messages", &"/messages".repeat(17)), None);
    }
}
