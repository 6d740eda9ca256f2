//! Rules on top of those inside the program: what a file says of a provider comes before what the shipped rules say of it.

use super::Loader;
use crate::config::builtin;
use crate::config::files::Place;
use crate::config::overlay::overlay;
use crate::config::record::FromNode;
use crate::text::diagnostic::Diagnostics;
use crate::text::yaml::{Key, Kind, Node};

/// What has a name of its own in rules, so that a file can say it again.
const NAMED: [&str; 2] = ["providers", "repairs"];
/// The list of rules, which have names, too.
const FAILOVER: &str = "failover";

impl Loader<'_> {
    /// Lays under each provider of a file on disk what the shipped rules that it includes say of one of that name.
    pub(super) fn over_shipped(&mut self, place: &Place, node: &mut Node) {
        if matches!(place, Place::Builtin(_)) {
            return;
        }
        let included = node.get("include").map(|it| Vec::<String>::from_node(it, &mut Diagnostics::new()));
        for pattern in included.flatten().unwrap_or_default() {
            let Place::Builtin(name) = place.beside(&pattern) else { continue };
            if builtin::text(&name).is_none() {
                continue;
            }
            let Ok(Some((file, shipped))) = self.open(&Place::Builtin(name)) else { continue };
            self.laid_under.push(file);
            if let (Some(own), Some(theirs)) = (entry(node, "providers"), shipped.get("providers")) {
                for (key, provider) in own {
                    if let Some(base) = theirs.get(&key.text).filter(|_| provider.as_map().is_some()) {
                        overlay(provider, base);
                    }
                }
            }
            for part in NAMED {
                let names = node.get(part).and_then(Node::as_map).unwrap_or_default();
                self.said_again.extend(names.iter().map(|(key, _)| (part, key.text.clone())));
            }
            let rules = node.get(FAILOVER).and_then(Node::as_list).unwrap_or_default();
            self.said_again
                .extend(rules.iter().filter_map(rule_name).map(|name| (FAILOVER, name.to_owned())));
        }
    }

    /// Takes out of shipped rules what the file that includes them says itself, and their tests: these are about the shipped
    /// rules alone, and an own rule may well mean the opposite.
    pub(super) fn without_said_again(&mut self, place: &Place, node: &mut Node) {
        if !matches!(place, Place::Builtin(_)) || *place == self.main {
            return;
        }
        let is_said_again =
            |part: &str, name: &str| self.said_again.iter().any(|(of, it)| *of == part && it == name);
        for part in NAMED {
            if let Some(entries) = entry(node, part) {
                entries.retain(|(key, _)| !is_said_again(part, &key.text));
            }
        }
        let Kind::Map(parts) = &mut node.kind else { return };
        if parts.iter().any(|(key, _)| key.text == "routes") {
            parts.retain(|(key, _)| key.text != "tests");
            self.laid_under.push(node.span.file);
        }
        if let Some((_, Node { kind: Kind::List(rules), .. })) =
            parts.iter_mut().find(|(key, _)| key.text == FAILOVER)
        {
            rules.retain(|rule| !rule_name(rule).is_some_and(|name| is_said_again(FAILOVER, name)));
        }
    }
}

fn rule_name(rule: &Node) -> Option<&str> {
    rule.get("name").and_then(Node::as_str)
}

fn entry<'n>(node: &'n mut Node, name: &str) -> Option<&'n mut Vec<(Key, Node)>> {
    let Kind::Map(entries) = &mut node.kind else { return None };
    match entries.iter_mut().find(|(key, _)| key.text == name) {
        Some((_, Node { kind: Kind::Map(inner), .. })) => Some(inner),
        _ => None,
    }
}
