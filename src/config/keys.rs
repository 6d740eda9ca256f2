//! Where keys stand in a rules file: they may be missing, and no diagnostic shows them.

use std::ops::Range;

use crate::text::yaml::Node;

/// All scalars of a rules file that are keys.
pub fn all(node: &Node) -> Vec<&Node> {
    let providers = node.get("providers").and_then(Node::as_map).unwrap_or_default();
    let of_providers = providers.iter().filter_map(|(_, provider)| provider.get("key"));
    let of_catalog = node.get("provider").and_then(|provider| provider.get("key"));
    of_providers.chain(of_catalog).chain(of_clients(node)).collect()
}

/// The keys that clients and the admin prove themselves with.
pub fn of_clients(node: &Node) -> Vec<&Node> {
    let clients = node.get("access").and_then(|access| access.get("keys"));
    let clients = clients.and_then(Node::as_list).unwrap_or_default();
    clients.iter().chain(node.get("admin_key")).collect()
}

/// Whether a key stands in the file itself, where diagnostics would show it.
pub fn is_literal(node: &Node) -> bool {
    node.as_map().is_none() && node.as_list().is_none() && !node.as_str().is_some_and(is_harmless)
}

/// Whether anybody may see what is written as a key.
fn is_harmless(text: &str) -> bool {
    matches!(text.trim(), "" | "client" | "none") || text.starts_with("sha256:") || text.contains("${")
}

/// What looks like a key in a text that cannot be read as YAML.
pub fn lookalikes(text: &str) -> Vec<Range<usize>> {
    const NAME: &str = "key:";
    let mut found = Vec::new();
    for (name, _) in text.match_indices(NAME) {
        let line = text.get(name + NAME.len()..).unwrap_or("").lines().next().unwrap_or("");
        let value = line.trim_start();
        let start = name + NAME.len() + line.len() - value.len();
        let value = value.split([',', '}', '#']).next().unwrap_or("").trim_end();
        if !is_harmless(value) {
            found.push(start..start + value.len());
        }
    }
    found
}
