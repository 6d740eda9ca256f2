//! Keys: a provider's, a client's, the admin's; and who may send requests at all.

use std::net::IpAddr;

use serde_json::{Value, json};

use super::callers::{Host, Network, Origin};
use crate::config::record::{FromNode, Schemas, wrong_type};
use crate::config::values::Spanned;
use crate::config::variables;
use crate::text::diagnostic::{Diagnostic, Diagnostics, Span};
use crate::text::units::Secret;
use crate::text::yaml::{Kind, Node};

/// A key that a provider wants.
#[derive(Clone, Debug, PartialEq)]
pub enum Key {
    /// This one.
    Value(Secret),
    /// `client`: whatever credential the caller sent, to this provider only.
    Client,
    /// `none`, or nothing said: no credential is sent.
    None,
    /// The variables it should come from are not set; their names, for telling people what to set.
    Unset(Vec<String>),
}

impl FromNode for Key {
    fn from_node(node: &Node, diags: &mut Diagnostics) -> Option<Self> {
        match secret(node, diags)? {
            Found::Unset(names) => Some(Key::Unset(names)),
            Found::Text("client") => Some(Key::Client),
            Found::Text("none") => Some(Key::None),
            Found::Text(text) => Some(Key::Value(Secret::new(text))),
        }
    }

    fn absent(_: Span) -> Option<Self> {
        Some(Key::None)
    }

    fn schema(_: &mut Schemas) -> Value {
        json!({ "type": "string", "examples": ["${API_KEY}", "client", "none"] })
    }
}

/// A key that a client proves itself with.
#[derive(Clone, Debug, PartialEq)]
pub enum ClientKey {
    /// `sha256:...`: the digest of the key.
    Digest([u8; 32]),
    /// The key itself, from a variable.
    Value(Secret),
    /// `none`: no key here, as in `${NAME:-none}`.
    None,
    /// The variables it should come from are not set.
    Unset(Vec<String>),
}

impl FromNode for ClientKey {
    fn from_node(node: &Node, diags: &mut Diagnostics) -> Option<Self> {
        let text = match secret(node, diags)? {
            Found::Unset(names) => return Some(ClientKey::Unset(names)),
            Found::Text("none") => return Some(ClientKey::None),
            Found::Text(text) => text,
        };
        let Some(digits) = text.strip_prefix("sha256:") else {
            return Some(ClientKey::Value(Secret::new(text)));
        };
        let digest = digest(digits);
        if digest.is_none() {
            let diagnostic = Diagnostic::error("bad-key", "a digest is `sha256:` and 64 hexadecimal digits");
            diags.push(diagnostic.at(node.span).label("not a digest"));
        }
        digest.map(ClientKey::Digest)
    }

    fn schema(_: &mut Schemas) -> Value {
        json!({ "type": "string", "examples": ["sha256:...", "${RULEGATE_KEY}", "${RULEGATE_KEY:-none}"] })
    }
}

fn digest(digits: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    if digits.len() != 64 || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    for (place, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(digits.get(2 * place..2 * place + 2)?, 16).ok()?;
    }
    Some(bytes)
}

enum Found<'n> {
    Text(&'n str),
    Unset(Vec<String>),
}

/// A secret's text. The loader has put values in the place of variables; what is marked is not set.
fn secret<'n>(node: &'n Node, diags: &mut Diagnostics) -> Option<Found<'n>> {
    let text = match &node.kind {
        Kind::String(text) => text,
        // A key of digits only is a key all the same.
        Kind::Number(raw) => raw,
        _ => {
            wrong_type(node, "a key is wanted here", diags);
            return None;
        }
    };
    if let Some(unset) = text.strip_prefix(variables::UNSET) {
        return Some(Found::Unset(variables::names(unset)));
    }
    if text.trim().is_empty() {
        diags.push(Diagnostic::error("bad-key", "a key is wanted here").at(node.span).label("this is empty"));
        return None;
    }
    Some(Found::Text(text.trim()))
}

/// Where to listen, as it is written: whether it is an address is judged with the rules as a whole.
#[derive(Clone, Debug)]
pub struct Listen(pub String);

impl FromNode for Listen {
    fn from_node(node: &Node, diags: &mut Diagnostics) -> Option<Self> {
        match &node.kind {
            // A port alone.
            Kind::Number(raw) => Some(Listen(raw.clone())),
            _ => String::from_node(node, diags).map(Listen),
        }
    }

    fn schema(schemas: &mut Schemas) -> Value {
        String::schema(schemas)
    }
}

/// The address at which something outside publishes the router's port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Published(pub Option<IpAddr>);

impl FromNode for Published {
    fn from_node(node: &Node, diags: &mut Diagnostics) -> Option<Self> {
        let read = match node.as_str() {
            Some("none") => Some(None),
            Some("localhost") => Some(Some(IpAddr::from([127, 0, 0, 1]))),
            text => text.and_then(|text| text.parse().ok()).map(Some),
        };
        if read.is_none() {
            let diagnostic = Diagnostic::error("bad-published", "an address without a port is wanted here");
            let help = "write the address that stands in front of the ports, such as 127.0.0.1, or `none`";
            diags.push(diagnostic.at(node.span).label("not an address").help(help));
        }
        read.map(Published)
    }

    fn schema(_: &mut Schemas) -> Value {
        json!({ "type": "string", "examples": ["127.0.0.1", "none"] })
    }
}

crate::config::record::record! {
    /// Who may send requests, and from where.
    pub struct Access: "`access`" {
        /// Lets everybody in who reaches the port; `access: open` is short for it.
        open: bool = false,
        /// The keys of clients: as digests (`sha256:` and 64 hexadecimal digits) or from variables.
        keys: Option<Vec<Spanned<ClientKey>>>,
        /// Web pages that may use the router, by their exact origins: https://chat.example, http://localhost:* for
        /// every port, `*` for all pages where keys are asked for. Browsers are told so (CORS). Default: none.
        origins: Vec<Spanned<Origin>>,
        /// Names and addresses that the router is asked by, besides those of loopback and the one it listens at.
        hosts: Vec<Spanned<Host>>,
        /// Proxies in front of the router whose word on the client's address is taken: addresses, networks such as
        /// 172.16.0.0/12, or `loopback`.
        trusted_proxies: Vec<Spanned<Network>>,
    }
}

impl Access {
    /// Tells its keys apart without giving any away.
    pub fn key_labels(&self) -> Vec<String> {
        let label = |key: &Spanned<ClientKey>| match &key.value {
            ClientKey::Value(secret) => secret.label("rules"),
            other => format!("{other:?}"),
        };
        self.keys.iter().flatten().map(label).collect()
    }

    /// Whether all keys are left out, in so many words (`none`): as if there were no `keys`.
    pub fn leaves_keys_out(&self) -> bool {
        let Some(keys) = &self.keys else { return true };
        !keys.is_empty() && keys.iter().all(|key| key.value == ClientKey::None)
    }
}

/// `access`: the word `open`, or a mapping.
#[derive(Clone, Debug)]
pub struct AccessOrOpen(pub Access);

impl FromNode for AccessOrOpen {
    fn from_node(node: &Node, diags: &mut Diagnostics) -> Option<Self> {
        if node.as_str() == Some("open") {
            let (origins, hosts, trusted_proxies) = Default::default();
            let access = Access { span: node.span, open: true, keys: None, origins, hosts, trusted_proxies };
            return Some(AccessOrOpen(access));
        }
        if node.as_map().is_none() {
            wrong_type(node, "`access` is the word `open`, or a mapping such as `{ keys: [...] }`", diags);
            return None;
        }
        Access::from_node(node, diags).map(AccessOrOpen)
    }

    fn schema(schemas: &mut Schemas) -> Value {
        json!({ "anyOf": [{ "const": "open" }, Access::schema(schemas)] })
    }
}
