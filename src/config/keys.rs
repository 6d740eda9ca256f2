//! Where keys stand in a rules file: they may be missing, and no diagnostic shows them.

use std::ops::Range;

use crate::text::yaml::Node;

/// All scalars of a rules file that are keys.
pub fn all(node: &Node) -> Vec<&Node> {
    let providers = node.get("providers").and_then(Node::as_map).unwrap_or_default();
    let of_catalog = node.get("provider");
    let providers = providers.iter().map(|(_, provider)| provider).chain(of_catalog);
    providers.flat_map(of_provider).chain(of_clients(node)).collect()
}

/// The key of a provider, and its several ones.
fn of_provider(provider: &Node) -> impl Iterator<Item = &Node> {
    let several = provider.get("keys").and_then(Node::as_list).unwrap_or_default();
    let several = several.iter().map(|item| item.get("key").unwrap_or(item));
    provider.get("key").into_iter().chain(several)
}

/// Where providers are reached.
pub fn addresses(node: &Node) -> impl Iterator<Item = &Node> {
    let providers = node.get("providers").and_then(Node::as_map).unwrap_or_default();
    let providers = providers.iter().map(|(_, provider)| provider).chain(node.get("provider"));
    providers.filter_map(|provider| provider.get("url"))
}

/// The keys that clients prove themselves with.
pub fn of_access(node: &Node) -> &[Node] {
    let clients = node.get("access").and_then(|access| access.get("keys"));
    clients.and_then(Node::as_list).unwrap_or_default()
}

/// The proxies on the way to providers.
pub fn proxies(node: &Node) -> impl Iterator<Item = &Node> {
    let providers = node.get("providers").and_then(Node::as_map).unwrap_or_default();
    let parts = providers.iter().map(|(_, provider)| provider).chain(node.get("provider")).chain([node]);
    parts.filter_map(|part| part.get("proxy"))
}

/// Whether a proxy's name and password stand in the file itself.
pub fn has_literal_login(proxy: &Node) -> bool {
    let login = proxy.as_str().and_then(|text| text.rsplit_once('@')).map(|(login, _)| login);
    login.is_some_and(|login| !login.contains("${"))
}

/// The keys that clients and the admin prove themselves with.
pub fn of_clients(node: &Node) -> Vec<&Node> {
    of_access(node).iter().chain(node.get("admin_key")).collect()
}

/// Whether a key stands in the file itself, where diagnostics would show it.
pub fn is_literal(node: &Node) -> bool {
    node.as_map().is_none() && node.as_list().is_none() && !node.as_str().is_some_and(is_harmless)
}

/// Whether a key is as long as real ones are: servers of one's own take any word.
pub fn is_long(key: &str) -> bool {
    key.len() >= 20 && !key.contains(char::is_whitespace)
}

/// Where the first of some variables can be set in a file: the line, and which file.
pub fn line(variables: &str) -> String {
    let first = variables.split(' ').next().unwrap_or_default().to_ascii_lowercase();
    format!(
        "the line `{first}=...` in a file of `secrets`: usually tokens.txt, beside the rules or in the current folder"
    )
}

/// Whether anybody may see what is written as a key.
fn is_harmless(text: &str) -> bool {
    matches!(text.trim(), "" | "client" | "none") || text.starts_with("sha256:") || text.contains("${")
}

/// What looks like a key in a text that cannot be read as YAML.
pub fn lookalikes(text: &str) -> Vec<Range<usize>> {
    // With a colon that is none, too.
    const ONE: [&str; 2] = ["key:", "key："];
    const SEVERAL: [&str; 2] = ["keys:", "keys："];
    let mut found = Vec::new();
    for (name, key) in ONE.iter().flat_map(|key| text.match_indices(key)) {
        let line = text.get(name + key.len()..).unwrap_or("").lines().next().unwrap_or("");
        let value = line.trim_start();
        let start = name + key.len() + line.len() - value.len();
        let value = value.split([',', '}', '#']).next().unwrap_or("").trim_end();
        if !is_harmless(value) {
            found.push(start..start + value.len());
        }
    }
    for (name, keys) in SEVERAL.iter().flat_map(|keys| text.match_indices(keys)) {
        let start = name + keys.len();
        for word in words(list(text.get(start..).unwrap_or(""))) {
            found.push(start + word.start..start + word.end);
        }
    }
    found
}

/// The list that a text begins with: up to the closing bracket, or line by line as long as they are items.
fn list(text: &str) -> &str {
    if text.trim_start_matches(' ').starts_with('[') {
        return text.get(..text.find(']').unwrap_or(text.len())).unwrap_or("");
    }
    let is_item = |line: &&str| line.trim().is_empty() || line.trim_start().starts_with('-');
    let length = text.split_inclusive('\n').take_while(is_item).map(str::len).sum();
    text.get(..length).unwrap_or("")
}

/// The words of a list that are long enough to be keys and are no names of something.
fn words(list: &str) -> Vec<Range<usize>> {
    const SHORTEST: usize = 8;
    let mut found = Vec::new();
    let mut at = 0;
    for part in list.split_inclusive([' ', ',', '[', '}', '\n', '"', '\'']) {
        let word = part.trim_end_matches([' ', ',', '[', '}', '\n', '"', '\'']);
        if word.len() >= SHORTEST && !word.ends_with(':') && !is_harmless(word) {
            found.push(at..at + word.len());
        }
        at += part.len();
    }
    found
}

#[cfg(test)]
mod tests {
    use super::lookalikes;

    #[test]
    fn keys_in_a_text_that_is_no_yaml_are_found() {
        let found =
            |text: &str| lookalikes(text).into_iter().map(|at| text[at].to_owned()).collect::<Vec<_>>();
        assert_eq!(found("a: { key: sk-12345, x: y }\nb:\n  key: sk-6 # mine"), ["sk-12345", "sk-6"]);
        assert_eq!(
            found("keys: [ sk-12345678, ${A_VARIABLE}, { name: w, key: sk-2 } ]"),
            ["sk-2", "sk-12345678"]
        );
        assert_eq!(
            found("keys:\n  - sk-12345678\n  - 'sk-87654321'\nurl: http://a.test"),
            ["sk-12345678", "sk-87654321"]
        );
    }
}
