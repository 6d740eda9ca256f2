//! A provider in compiled form: where it is, what it speaks, whose key it takes, which rules judge it.

use super::Timeouts;
use super::headers::ListEdit;
use super::judge::Rules;
use super::names::{OUTGOING, View};
use super::protocol::{Auth, HeaderList, Headers, Protocol};
use crate::language::{Patch, Template};
use crate::text::json::{Doc, write_str};
use crate::text::units::{Glob, Secret};
use std::borrow::Cow;
use std::sync::Arc;

/// Who answers requests.
#[derive(Default)]
pub struct Provider {
    /// Its name in the rules.
    pub name: String,
    /// Where it is, without a slash at the end.
    pub url: String,
    /// The protocols that it speaks, the preferred one first.
    pub speaks: Vec<Arc<Protocol>>,
    /// Its key.
    pub key: KeySource,
    /// What its requests may take.
    pub timeouts: Timeouts,
    /// Whether it is always asked for a stream.
    pub force_stream: bool,
    /// The proxy on the way to it, as the rules write it.
    pub proxy: Option<String>,
    /// By protocol, where it is not the protocol's own. Over [`OUTGOING`].
    pub(super) paths: Vec<(String, Template)>,
    pub(super) models: Vec<ModelRule>,
    pub(super) with: Vec<(String, Vec<u8>)>,
    pub(super) auth: Option<Auth>,
    pub(super) headers: Headers,
    pub(super) drop_headers: HeaderList,
    pub(super) header_lists: Vec<ListEdit>,
    /// The last word on what is sent. It sees what repairs see.
    pub(super) patch: Option<Patch>,
    /// Its own rules, and those of all.
    pub(super) rules: Rules,
    /// How many of the rules are its own.
    pub(super) own_rules: usize,
}

/// Which of the client's models are called what.
pub(super) struct ModelRule {
    /// The client's names.
    pub pattern: Glob,
    /// The provider's name.
    pub name: Template,
    /// The same, where it does not depend on the client's.
    pub fixed: Option<String>,
}

/// Where a provider's key comes from.
#[derive(Clone, Default)]
pub enum KeySource {
    /// The rules have it.
    Value(Secret),
    /// The caller's own credential is passed on.
    Client,
    /// It takes none.
    #[default]
    None,
    /// It should come from these variables, which are not set.
    Unset(Vec<String>),
}

impl Provider {
    /// Can it be asked at all?
    pub fn has_key(&self) -> bool {
        !matches!(self.key, KeySource::Unset(_))
    }

    /// What to set so that it can be asked; empty if nothing is missing.
    pub fn missing_key_hint(&self) -> String {
        match &self.key {
            KeySource::Unset(names) => format!("no key: set {}", names.join(" and ")),
            _ => String::new(),
        }
    }

    /// The provider's own name of a model.
    pub fn model<'a>(&'a self, asked: &'a str) -> Cow<'a, str> {
        self.named(asked).0
    }

    /// The provider's own name of a model, and the rule that gave it.
    pub(super) fn named<'a>(&'a self, asked: &'a str) -> (Cow<'a, str>, Option<usize>) {
        let fits = |rule: &ModelRule| rule.pattern.matches(asked);
        let Some((place, rule)) = self.models.iter().enumerate().find(|(_, rule)| fits(rule)) else {
            return (Cow::Borrowed(asked), None);
        };
        if let Some(fixed) = &rule.fixed {
            return (Cow::Borrowed(fixed), Some(place));
        }
        let view = View { model: Some(asked), ..View::default() };
        let value = rule.name.value(&mut view.env(OUTGOING, OUTGOING.len())).ok();
        let name = value.as_ref().and_then(|value| value.to_text()).map(Cow::into_owned);
        (name.map_or(Cow::Borrowed(asked), Cow::Owned), Some(place))
    }

    /// `$provider`: defaults, overlaid by the provider's parameters, its `name`, and `model`.
    pub(super) fn document(&self, defaults: &[(String, Vec<u8>)], model: &str) -> Doc {
        document(&self.name, &self.with, defaults, model)
    }
}

/// `$provider` of a provider with this name and these parameters, as JSON.
pub(crate) fn document(
    name: &str,
    with: &[(String, Vec<u8>)],
    defaults: &[(String, Vec<u8>)],
    model: &str,
) -> Doc {
    let own = |name: &str| with.iter().any(|(own, _)| own == name);
    let mut out = b"{\"name\":".to_vec();
    write_str(&mut out, name);
    out.extend_from_slice(b",\"model\":");
    write_str(&mut out, model);
    for (name, value) in with.iter().chain(defaults.iter().filter(|(name, _)| !own(name))) {
        out.push(b',');
        write_str(&mut out, name);
        out.push(b':');
        out.extend_from_slice(value);
    }
    out.push(b'}');
    Doc::parse(out).unwrap_or_else(|_| Doc::null())
}
