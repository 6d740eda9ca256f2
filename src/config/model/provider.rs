//! A provider: where it is, what it speaks, how its models are called.

use serde_json::{Value, json};

use super::{Auth, FailoverRule, Key, RequestRepair, Several, Spanned, Table, Timeouts};
use crate::config::record::{FromNode, NOWHERE, Schemas, record, words, wrong_type};
use crate::text::diagnostic::{Diagnostics, Span};
use crate::text::units::Glob;
use crate::text::yaml::Node;

record! {
    /// Somebody who answers requests.
    pub struct Provider: "a provider" {
        /// A catalogue file that knows this provider, as `catalog/NAME`: whatever is not said here, it says.
        /// Entries of `with`, `paths`, `query`, `headers`, `header_lists`, `timeouts` and `repairs` take the place of its
        /// entries of the same name; in `models` and `failover` its entries come after those that stand here.
        uses: Option<Spanned<String>>,
        /// The protocols that it speaks.
        speaks: Several<Spanned<String>>,
        /// Where it is, without the path that the protocol adds.
        url: Spanned<String>,
        /// The path of its requests, by protocol, where it is not the protocol's own.
        paths: Table<Spanned<String>>,
        /// Parameters for the query of its requests, by name, such as `api-version`. Each takes the place of the client's
        /// parameter of that name, if the client's query is passed on; `null` takes that out. Values are escaped; what
        /// comes from a variable is struck out where a provider quotes it, and no query is ever logged.
        query: Table<Node>,
        /// Its key, usually `${NAME}`; `client` passes the caller's own credential on; `none` sends none.
        key: Spanned<Key>,
        /// Several keys, instead of `key`: `${NAME}`, or `{ name: work, key: ${NAME} }`. When one is cooling down,
        /// the next one answers the same request. Without a name they are called key1, key2 and so on. One whose
        /// variable is not set is left out.
        keys: Vec<ProviderKey>,
        /// Which of several keys is taken first.
        rotate: Rotate = Rotate::InOrder,
        /// Whose limits its keys count against. Where a limit uses up a key, all providers with that key in the same
        /// account cool down together. Default: the host of `url`. Behind one gateway, a name for each provider keeps
        /// them apart.
        account: Option<Spanned<String>>,
        /// How models are called here: from a name or pattern that clients use to this provider's name.
        models: Models,
        /// Parameters that mappings read as `$provider.NAME`.
        with: Table<Node>,
        /// Smaller comes first; providers without one come after those with one, in the order of the file.
        priority: Option<i64>,
        /// Its share of the requests beside others with the same priority, when they are spread by weight.
        weight: Spanned<u32> = Spanned { value: 1, span: NOWHERE },
        /// How the key is sent, if not as the protocol says.
        auth: Option<Auth>,
        /// Headers to send, besides those of the protocol.
        headers: Table<Node>,
        /// Headers of the client that are not passed on to this provider.
        drop_headers: Vec<Spanned<String>>,
        /// Headers that are lists with commas, by name: what is put in and taken out. All else that the client
        /// sent stays in them.
        header_lists: Table<ListEdit>,
        /// What is changed in a body before it is sent, whether it was translated or not: a patch, as under
        /// `repairs`. All other bytes stay.
        patch: Option<Node>,
        /// It answers with streams only, so it is always asked for one. A client that wants a whole answer gets the
        /// stream folded into one, as its protocol's `fold` says.
        force_stream: Option<Spanned<bool>>,
        /// How long to wait for what.
        timeouts: Option<Timeouts>,
        /// The time zone of times in its answers that name none, such as Asia/Shanghai. Default UTC.
        zone: Option<Spanned<String>>,
        /// Rules for this provider's answers; they come before the common ones.
        failover: Vec<FailoverRule>,
        /// Patches of a request for its rules, by name; they come before the common ones.
        repairs: Table<RequestRepair>,
        /// A proxy on the way to it: `http://`, `https://`, `socks5://` (names are looked up here) or `socks5h://`
        /// (the proxy looks them up), with `NAME:PASSWORD@` before the host if it wants that; `env` obeys the usual
        /// variables, `none` uses none.
        proxy: Option<Spanned<String>>,
        /// Certificates for its TLS, in files beside the rules.
        tls: Option<ProviderTls>,
    }
}

record! {
    /// Certificates for the TLS of one provider: PEM files, relative to the file that names them. They are read again
    /// when they change.
    pub struct ProviderTls: "`tls` of a provider" {
        /// Who signs its certificate. Then nobody else is trusted, the system's certificates neither.
        ca: Option<Spanned<String>>,
        /// What it is shown of the router: a certificate, and those that lead to its issuer. Needs `key`.
        certificate: Option<Spanned<String>>,
        /// The private key of `certificate`, without a password.
        key: Option<Spanned<String>>,
    }
}

words! {
    /// Which of several keys is taken first.
    pub enum Rotate: "a rotation" {
        /// The first that is not cooling down.
        InOrder = "in_order",
        /// Another one for each request, in turn.
        RoundRobin = "round_robin",
        /// The one whose last limit is longest ago.
        LeastRecentlyLimited = "least_recently_limited",
    }
}

record! {
    /// One of several keys.
    pub struct NamedKey: "a key" {
        /// What logs, the health page and tests call it. Never the key itself.
        name: Option<Spanned<String>>,
        /// The key, usually `${NAME}`, or `client`.
        key: Spanned<Key>,
    }
}

#[allow(clippy::derivable_impls, reason = "the words are declared by a macro")]
impl Default for Rotate {
    fn default() -> Self {
        Rotate::InOrder
    }
}

/// One of several keys: the key itself, or a table that also names it.
#[derive(Clone, Debug)]
pub struct ProviderKey(pub NamedKey);

impl FromNode for ProviderKey {
    fn from_node(node: &Node, diags: &mut Diagnostics) -> Option<Self> {
        if node.as_map().is_some() {
            return NamedKey::from_node(node, diags).map(ProviderKey);
        }
        let key = Spanned::<Key>::from_node(node, diags)?;
        Some(ProviderKey(NamedKey { span: node.span, name: None, key }))
    }

    fn schema(schemas: &mut Schemas) -> Value {
        json!({ "anyOf": [Key::schema(schemas), NamedKey::schema(schemas)] })
    }
}

impl Provider {
    /// Whose limits its keys count against: as it says, or else scheme, host and port of its URL.
    pub fn account(&self) -> &str {
        let url = self.url.value.as_str();
        self.account.as_ref().map_or_else(|| origin(url), |account| account.value.as_str())
    }

    /// Its keys: the several ones, or the one.
    pub fn all_keys(&self) -> impl Iterator<Item = &Spanned<Key>> {
        let only = self.keys.is_empty().then_some(&self.key);
        self.keys.iter().map(|key| &key.0.key).chain(only)
    }
}

/// Scheme, host and port of a URL.
fn origin(url: &str) -> &str {
    let host = url.find("://").map_or(0, |at| at + 3);
    let end = url.get(host..).and_then(|rest| rest.find(['/', '?'])).map_or(url.len(), |at| host + at);
    url.get(..end).unwrap_or(url)
}

impl ProviderKey {
    /// Its name, or `key1` for the first of those without one.
    pub fn name(&self, place: usize) -> String {
        self.0.name.as_ref().map_or_else(|| format!("key{}", place + 1), |name| name.value.clone())
    }
}

record! {
    /// What is put into a header that is a list, and taken out of it.
    pub struct ListEdit: "an edit of a header's list" {
        /// Put at the end unless it is there.
        add: Vec<Spanned<String>>,
        /// Taken out: names or patterns.
        drop: Vec<Glob>,
        /// Only these are left of what the client sent: names or patterns.
        keep: Option<Vec<Glob>>,
    }
}

/// From the names that clients use to the names that a provider uses; the first that fits decides.
#[derive(Clone, Debug, Default)]
pub struct Models(pub Vec<ModelRule>);

/// One line of `models`.
#[derive(Clone, Debug)]
pub struct ModelRule {
    /// What the client asks for.
    pub from: Glob,
    /// Where that stands.
    pub span: Span,
    /// What the provider is asked for: a name, or a text with holes over `$model`.
    pub to: Node,
}

impl FromNode for Models {
    fn from_node(node: &Node, diags: &mut Diagnostics) -> Option<Self> {
        let Some(entries) = node.as_map() else {
            wrong_type(
                node,
                "`models` is a mapping from a client's name or pattern to this provider's name",
                diags,
            );
            return None;
        };
        let mut rules = Vec::new();
        for (key, value) in entries {
            let from = Node { span: key.span, kind: crate::text::yaml::Kind::String(key.text.clone()) };
            let from = Glob::from_node(&from, diags);
            let to = String::from_node(value, diags);
            if let (Some(from), Some(_)) = (from, to) {
                rules.push(ModelRule { from, span: key.span, to: value.clone() });
            }
        }
        Some(Models(rules))
    }

    fn absent(_: Span) -> Option<Self> {
        Some(Models::default())
    }

    fn schema(_: &mut Schemas) -> Value {
        json!({ "type": "object", "additionalProperties": { "type": "string" } })
    }
}
