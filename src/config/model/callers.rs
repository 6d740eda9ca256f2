//! Where requests come from, as rules name it: hosts, origins of web pages, networks of proxies.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde_json::{Value, json};

use crate::config::record::{FromNode, Schemas, wrong_type};
use crate::text::diagnostic::{Diagnostic, Diagnostics};
use crate::text::yaml::Node;

/// Names by which containers reach the machine they run on; nobody can register them.
const MACHINE_OF_CONTAINERS: [&str; 2] = ["host.docker.internal", "host.containers.internal"];

/// A host without its port: an address, or a name in lower case without a trailing dot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Host {
    /// An IP address, as it was written.
    Address(IpAddr),
    /// A name.
    Name(String),
}

impl Host {
    /// Reads `name`, `1.2.3.4` or `[::1]`.
    pub fn parse(text: &str) -> Option<Host> {
        if let Some(inner) = text.strip_prefix('[') {
            let address: Ipv6Addr = inner.strip_suffix(']')?.parse().ok()?;
            return Some(Host::Address(address.into()));
        }
        if let Ok(address) = text.parse::<Ipv4Addr>() {
            return Some(Host::Address(address.into()));
        }
        let name = text.strip_suffix('.').unwrap_or(text);
        let is_letter = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        let right = !name.is_empty() && name.len() <= 253 && name.chars().all(is_letter);
        (right && !name.starts_with('.') && !name.ends_with('.'))
            .then(|| Host::Name(name.to_ascii_lowercase()))
    }

    /// Reads a host and, after a colon, its port.
    pub fn with_port(text: &str) -> Option<(Host, Option<u16>)> {
        let (host, port) = split_port(text);
        let port = match port {
            None | Some("") => None,
            Some(port) => Some(number(port)?),
        };
        Some((Host::parse(host)?, port))
    }

    /// Whether it can only mean the machine that asks: no name that others could point here.
    pub fn is_this_machine(&self) -> bool {
        match self {
            Host::Address(address) => address.to_canonical().is_loopback() || address.is_unspecified(),
            Host::Name(name) => {
                name == "localhost"
                    || name.ends_with(".localhost")
                    || MACHINE_OF_CONTAINERS.contains(&name.as_str())
            }
        }
    }

    /// Whether browsers, which trust the network there, say with every request what kind of page sent it.
    pub fn is_trustworthy(&self) -> bool {
        match self {
            Host::Address(address) => address.is_loopback(),
            Host::Name(name) => name == "localhost" || name.ends_with(".localhost"),
        }
    }
}

/// The text before the last colon that begins a port, and what follows it.
fn split_port(text: &str) -> (&str, Option<&str>) {
    match text.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (text, None),
    }
}

/// Digits only: `parse` alone would take a leading `+`.
fn number<N: std::str::FromStr>(digits: &str) -> Option<N> {
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok()).flatten()
}

/// The web pages that one entry of `origins` means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// `*`: all pages.
    Any,
    /// Pages of one scheme and host.
    Of {
        /// In lower case.
        scheme: String,
        /// Where they come from.
        host: Host,
        /// From which port.
        port: Port,
    },
}

/// A port of an origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Port {
    /// `*`
    Any,
    /// This one; `None` where the scheme has no usual port.
    Is(Option<u16>),
}

impl Origin {
    /// Reads `scheme://host` or `scheme://host:port`.
    pub fn parse(text: &str) -> Option<Origin> {
        let (scheme, rest) = text.split_once("://")?;
        let is_sign = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.');
        if !scheme.starts_with(|c: char| c.is_ascii_alphabetic()) || !scheme.chars().all(is_sign) {
            return None;
        }
        let scheme = scheme.to_ascii_lowercase();
        let (host, port) = split_port(rest);
        let port = match port {
            Some("*") => Port::Any,
            Some(port) => Port::Is(Some(number(port)?)),
            None => Port::Is(usual_port(&scheme)),
        };
        Some(Origin::Of { host: Host::parse(host)?, scheme, port })
    }

    /// Whether a page of `origin`, as a browser sent it, is meant.
    pub fn covers(&self, origin: &str) -> bool {
        match (self, Origin::parse(origin)) {
            (Origin::Any, _) => true,
            (Origin::Of { scheme, host, port: Port::Any }, Some(Origin::Of { scheme: s, host: h, port })) => {
                *scheme == s && *host == h && port != Port::Any
            }
            (wanted, Some(given)) => *wanted == given,
            (_, None) => false,
        }
    }

    /// Whether it is the address of a request to `host` and `port`.
    pub fn is_at(&self, at: &Host, at_port: Option<u16>) -> bool {
        let Origin::Of { scheme, host, port } = self else { return false };
        host == at && *port == Port::Is(at_port.or_else(|| usual_port(scheme)))
    }
}

fn usual_port(scheme: &str) -> Option<u16> {
    match scheme {
        "http" => Some(80),
        "https" => Some(443),
        _ => None,
    }
}

/// Addresses of proxies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Network {
    /// `loopback`: every address of this machine's own.
    Loopback,
    /// An address, and how many of its bits count.
    Of(IpAddr, u8),
}

impl Network {
    /// Reads `loopback`, an address, or an address with `/` and the number of its leading bits.
    pub fn parse(text: &str) -> Option<Network> {
        if text == "loopback" {
            return Some(Network::Loopback);
        }
        let (address, bits) = text.split_once('/').map_or((text, None), |(a, bits)| (a, Some(bits)));
        let address: IpAddr = address.parse().ok()?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.map_or(Some(most), number)?;
        (bits <= most).then_some(Network::Of(address, bits))
    }

    /// Whether `address` belongs to it.
    pub fn contains(&self, address: IpAddr) -> bool {
        let same = |one: u128, other: u128, ignored: u32| {
            one.checked_shr(ignored).unwrap_or(0) == other.checked_shr(ignored).unwrap_or(0)
        };
        match (self, address.to_canonical()) {
            (Network::Loopback, address) => address.is_loopback(),
            (Network::Of(IpAddr::V4(ours), bits), IpAddr::V4(theirs)) => {
                same(ours.to_bits().into(), theirs.to_bits().into(), 32 - u32::from(*bits))
            }
            (Network::Of(IpAddr::V6(ours), bits), IpAddr::V6(theirs)) => {
                same(ours.to_bits(), theirs.to_bits(), 128 - u32::from(*bits))
            }
            _ => false,
        }
    }
}

/// Reads a word by `parse`; `wanted`, `why` and `example` are for whoever wrote something else.
fn read<T>(
    node: &Node,
    (wanted, code): (&str, &'static str),
    why: &str,
    example: &str,
    parse: impl FnOnce(&str) -> Option<T>,
    diags: &mut Diagnostics,
) -> Option<T> {
    let Some(text) = node.as_str() else {
        wrong_type(node, wanted, diags);
        return None;
    };
    let value = parse(text.trim());
    if value.is_none() {
        diags.push(Diagnostic::error(code, wanted).at(node.span).label(why).help(example));
    }
    value
}

impl FromNode for Host {
    fn from_node(node: &Node, diags: &mut Diagnostics) -> Option<Self> {
        let why = "not a name or an address alone";
        let example = "write it without scheme and port, for example router.lan or 192.168.1.2";
        let parse = |text: &str| match text.parse::<Ipv6Addr>() {
            Ok(address) => Some(Host::Address(address.into())),
            Err(_) => Host::parse(text),
        };
        read(node, ("the name of a host is wanted here", "bad-host"), why, example, parse, diags)
    }

    fn schema(_: &mut Schemas) -> Value {
        json!({ "type": "string", "examples": ["router.lan", "192.168.1.2"] })
    }
}

impl FromNode for Origin {
    fn from_node(node: &Node, diags: &mut Diagnostics) -> Option<Self> {
        let why = match node.as_str() {
            Some("null") => "any page can make itself one of the origin `null`",
            Some(text) if text.contains('*') => "`*` stands alone for all pages, or for every port",
            Some(text) if text.contains("://") => "an origin ends after its host and port",
            _ => "it has no `scheme://`",
        };
        let example = "write for example https://chat.example, http://localhost:3000 or http://localhost:*";
        let parse = |text: &str| if text == "*" { Some(Origin::Any) } else { Origin::parse(text) };
        read(node, ("the origin of a web page is wanted here", "bad-origin"), why, example, parse, diags)
    }

    fn schema(_: &mut Schemas) -> Value {
        json!({ "type": "string", "examples": ["https://chat.example", "http://localhost:*"] })
    }
}

impl FromNode for Network {
    fn from_node(node: &Node, diags: &mut Diagnostics) -> Option<Self> {
        let why = "not an address, nor one with the number of its leading bits";
        let example = "write for example 10.0.0.5, 172.16.0.0/12, fd00::/8 or loopback";
        let wanted = ("the address of a proxy is wanted here", "bad-network");
        read(node, wanted, why, example, Network::parse, diags)
    }

    fn schema(_: &mut Schemas) -> Value {
        json!({ "type": "string", "examples": ["loopback", "10.0.0.5", "172.16.0.0/12"] })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_compared_without_case_port_and_trailing_dot() {
        let name = |text: &str| Host::with_port(text).map(|(host, port)| (host, port.unwrap_or(0)));
        assert_eq!(name("LocalHost.:8000"), Some((Host::Name("localhost".into()), 8000)));
        assert_eq!(name("[::1]"), Some((Host::Address(Ipv6Addr::LOCALHOST.into()), 0)));
        assert_eq!(name("a.example:"), name("a.example"));
        for wrong in
            ["", ":80", "a:b", "a:+1", "a:99999", "::1", "[::1", "[a]", "a b", "me@a", "a/", "a..", "."]
        {
            assert_eq!(name(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn only_what_no_foreign_name_server_can_point_here_is_this_machine() {
        let local = |text: &str| Host::with_port(text).is_some_and(|(host, _)| host.is_this_machine());
        for ours in [
            "localhost",
            "a.localhost:1",
            "127.9.9.9",
            "[::1]:8000",
            "[::ffff:127.0.0.1]",
            "0.0.0.0:8000",
            "host.docker.internal",
        ] {
            assert!(local(ours), "{ours}");
        }
        for foreign in [
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "10.0.0.1",
            "[::2]",
            "xlocalhost",
            "2130706433",
        ] {
            assert!(!local(foreign), "{foreign}");
        }
    }

    #[test]
    fn an_origin_covers_itself_and_no_more() {
        let covers = |entry: &str, page: &str| Origin::parse(entry).unwrap().covers(page);
        for (entry, page) in [
            ("https://chat.example", "https://chat.example"),
            ("https://chat.example:443", "https://CHAT.example"),
            ("http://localhost:*", "http://localhost:5173"),
            ("http://localhost:*", "http://localhost"),
            ("http://[::1]:3000", "http://[::1]:3000"),
            ("app://notes.example", "app://notes.example"),
        ] {
            assert!(covers(entry, page), "{entry} {page}");
        }
        for (entry, page) in [
            ("https://chat.example", "http://chat.example"),
            ("https://chat.example", "https://chat.example.evil.example"),
            ("https://chat.example", "https://evil-chat.example"),
            ("https://chat.example", "https://chat.example:8443"),
            ("http://localhost:*", "https://localhost:5173"),
            ("http://localhost:*", "http://localhost:*"),
            ("http://localhost:*", "http://localhost.evil.example:1"),
            ("http://localhost:*", "http://localhost:1@evil.example"),
            ("https://chat.example", "null"),
            ("https://chat.example", ""),
        ] {
            assert!(!covers(entry, page), "{entry} {page}");
        }
        for wrong in [
            "chat.example",
            "https://chat.example/",
            "https://",
            "https://*.example",
            "null",
            "1://a",
            "http://a:b",
        ] {
            assert_eq!(Origin::parse(wrong), None, "{wrong}");
        }
        assert!(Origin::Any.covers("null"));
    }

    #[test]
    fn networks_are_addresses_and_leading_bits() {
        let has = |network: &str, address: &str| {
            Network::parse(network).unwrap().contains(address.parse().unwrap())
        };
        for (network, inside, outside) in [
            ("10.1.2.3", "10.1.2.3", "10.1.2.4"),
            ("10.0.0.0/8", "10.255.0.1", "11.0.0.1"),
            ("172.16.0.0/12", "172.31.0.1", "172.32.0.1"),
            ("172.16.0.0/12", "::ffff:172.17.0.1", "::1"),
            ("fd00::/8", "fdff::1", "fe00::1"),
            ("loopback", "127.3.2.1", "10.0.0.1"),
            ("loopback", "::1", "::2"),
        ] {
            assert!(has(network, inside) && !has(network, outside), "{network}");
        }
        assert!(has("0.0.0.0/0", "9.9.9.9") && has("::/0", "fe80::1") && !has("::/0", "9.9.9.9"));
        for wrong in ["", "10.0.0.0/33", "10.0.0/8", "::/129", "10.0.0.0/-1", "10.0.0.0/", "lan"] {
            assert_eq!(Network::parse(wrong), None, "{wrong}");
        }
    }
}
