//! A catalogue file: what is known of one provider, for rules that use it.

use serde_json::Value;

use super::{Method, Protocol, Provider, Route, RuleTest, Rules, Spanned, Table};
use crate::config::record::{FromNode, Schemas, record, wrong_type};
use crate::text::diagnostic::Diagnostics;
use crate::text::yaml::{Key, Kind, Node};

/// The name of the second provider in the tests of a catalogue file.
const SPARE: &str = "spare";
/// Where nobody is: in tests nothing is sent anywhere.
const NO_URL: &str = "http://provider.invalid";
const SPARE_URL: &str = "http://spare.invalid";
/// A key for the tests.
const SOME_KEY: &str = "catalog";

record! {
    /// What is known of one provider. A provider in the rules `uses` it, and says only what is its own.
    pub struct Catalog: "a catalogue file" {
        /// What the provider is called in the tests of this file; the name of the file.
        catalog: Spanned<String>,
        /// What a provider that uses this file begins with: any of a provider's keys, and `uses` for another
        /// catalogue file that this one adds to.
        provider: ProviderPart,
        /// Examples. There are two providers in them: the one above, which is asked first, and `spare`, which
        /// is the same once more. Only the failover rules of this file are at work.
        tests: Vec<RuleTest>,
    }
}

/// Some of a provider's keys. They are read when it is known what a provider in the rules adds to them.
#[derive(Clone, Debug)]
pub struct ProviderPart(pub Node);

impl FromNode for ProviderPart {
    fn from_node(node: &Node, diags: &mut Diagnostics) -> Option<Self> {
        if node.as_map().is_none() {
            wrong_type(node, "a provider is a mapping", diags);
            return None;
        }
        Some(ProviderPart(node.clone()))
    }

    fn schema(schemas: &mut Schemas) -> Value {
        Provider::schema(schemas);
        let mut part = schemas.definition("Provider");
        if let Value::Object(members) = &mut part {
            members.remove("required");
        }
        schemas.define("ProviderPart", |_| part)
    }
}

impl Catalog {
    /// This file as rules of its own: its provider, a spare one, its tests, and of `rules` the protocols and
    /// mappings. `None` if the provider cannot be read; `diags` says why. `is_main`: nobody else reads the
    /// provider, so that its own url is looked at, too.
    pub fn alone(&self, rules: &Rules, is_main: bool, diags: &mut Diagnostics) -> Option<Rules> {
        let mut node = self.provider.0.clone();
        if !is_main {
            put(&mut node, "url", NO_URL);
        }
        let has_key = node.get("key").is_some_and(|key| !matches!(key.as_str(), Some("client" | "none")));
        if has_key {
            put(&mut node, "key", SOME_KEY);
        }
        let provider = Provider::from_node(&node, diags)?;
        let url = Spanned { value: SPARE_URL.to_owned(), span: provider.url.span };
        let spare = Provider { url, ..provider.clone() };
        let speaks = |name: &str| provider.speaks.iter().any(|spoken| spoken.value == name);
        let mut mappings = rules.mappings.clone();
        mappings.retain(|mapping| speaks(&mapping.mapping.to));
        for mapping in &mut mappings {
            mapping.tests.clear();
        }
        let understood = |protocol: &&Protocol| {
            let name = protocol.protocol.value.as_str();
            speaks(name) || mappings.iter().any(|mapping| mapping.mapping.from.value == name)
        };
        let mut spoken: Vec<&Protocol> = rules.protocols.iter().filter(understood).collect();
        // A test without a path means the first one: a protocol that is more than a question and an answer.
        spoken.sort_by_key(|protocol| protocol.stream.is_none());
        let routes = spoken.into_iter().map(route).collect();
        let mut providers = Table::default();
        providers.push(Key { text: self.catalog.value.clone(), span: self.catalog.span }, provider);
        providers.push(Key { text: SPARE.to_owned(), span: self.catalog.span }, spare);
        Some(Rules {
            span: self.span,
            providers,
            routes,
            mappings,
            tests: self.tests.clone(),
            models: Vec::new(),
            failover: Vec::new(),
            repairs: Table::default(),
            health: Vec::new(),
            catalog: Vec::new(),
            ..rules.clone()
        })
    }
}

/// Where a protocol's own path leads to it.
fn route(protocol: &Protocol) -> Route {
    Route {
        span: protocol.span,
        name: None,
        failover: Vec::new(),
        path: protocol.send.path.clone(),
        method: Method::Post,
        protocol: Some(protocol.protocol.clone()),
        when: None,
        providers: None,
        spread: None,
        gate: None,
        deadline: None,
        keep_alive: None,
        resumes: false,
        optional: false,
        otherwise: None,
        quiet: false,
        answer: None,
        refuse: None,
        exhausted: None,
    }
}

/// Lets a text stand where a key has its value, or where the mapping begins.
fn put(node: &mut Node, name: &str, text: &str) {
    let span = node.get(name).map_or(node.span, |value| value.span);
    let value = Node { span, kind: Kind::String(text.to_owned()) };
    let Kind::Map(entries) = &mut node.kind else { return };
    match entries.iter_mut().find(|(key, _)| key.text == name) {
        Some((_, old)) => *old = value,
        None => entries.push((Key { text: name.to_owned(), span }, value)),
    }
}
