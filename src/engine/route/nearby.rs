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
        if let Some(meant) = did_you_mean(path, paths()) {
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

/// How many parts at their ends a known path and the asked one have in common, and what to change in the base URL
/// that the client was given, so that the rest is the same, too.
fn base_url(known: &str, asked: &[&str]) -> Option<(usize, String)> {
    if asked.len() > MOST_PARTS {
        return None;
    }
    let parts: Vec<&str> = known.split('/').filter(|part| !part.is_empty()).collect();
    let common =
        parts.iter().rev().zip(asked.iter().rev()).take_while(|(ours, theirs)| ours == theirs).count();
    if common == 0 {
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
    Some((common, format!("did you mean {known}? Then give the client the base URL {change}")))
}

#[cfg(test)]
mod tests {
    use super::base_url;

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
        assert_eq!(advice("/v1/messages", &"/messages".repeat(17)), None);
    }
}
