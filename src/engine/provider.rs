//! A provider in compiled form: where it is, what it speaks, whose key it takes, which rules judge it.

use super::Timeouts;
use super::headers::ListEdit;
use super::judge::Rules;
use super::link::Link;
use super::names::{OUTGOING, View};
use super::protocol::{Auth, HeaderList, Headers, Protocol};
pub use crate::config::model::Rotate;
use crate::language::{Patch, Template};
use crate::text::json::{Doc, write_str};
use crate::text::units::{Glob, Secret};
use serde_json::json;
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
    /// Its keys; never none, but perhaps one that is [`KeySource::None`].
    pub keys: Vec<OwnKey>,
    /// Which of its keys is taken first.
    pub rotate: Rotate,
    /// Its place in the order, if the rules give it a number; those with the same one may share requests.
    pub priority: Option<i64>,
    /// The time zone of times in its answers that name none; `None` is UTC.
    pub zone: Option<String>,
    /// Its share beside others with the same priority.
    pub weight: u32,
    /// What its requests may take.
    pub timeouts: Timeouts,
    /// Whether it is always asked for a stream.
    pub force_stream: bool,
    /// The way to it.
    pub link: Arc<Link>,
    /// By protocol, where it is not the protocol's own. Over [`OUTGOING`].
    pub(super) paths: Vec<(String, Template)>,
    /// What variables put into its headers and its query: struck out wherever it is quoted.
    pub(super) hidden: Vec<Secret>,
    /// Parameters for the query of its requests. Over [`OUTGOING`].
    pub(super) query: Vec<(String, Template)>,
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

/// One of a provider's keys.
#[derive(Clone, Debug)]
pub struct OwnKey {
    /// What it is called: in the log, on the health page, in tests.
    pub name: String,
    /// Where it comes from.
    pub source: KeySource,
    /// What tells it from others, with no secret in it: the same for the same key in the same account.
    pub id: String,
    /// `$sent_key`: what rules may know of it.
    pub doc: Doc,
}

impl OwnKey {
    /// A key of the provider `provider` in `account`; `variables` are those that its value is made of. (The same key elsewhere is another account, or none: simulated
    /// providers take anything.) What callers send is not looked at: all of it counts as one key of the provider.
    pub fn new(name: String, source: KeySource, variables: &[&str], provider: &str, account: &str) -> OwnKey {
        let id = match &source {
            KeySource::Value(secret) => secret.label(account),
            KeySource::Unset(names) => Secret::new(names.join(" ")).label(account),
            KeySource::Client => format!("client@{provider}"),
            KeySource::None => format!("none@{provider}"),
        };
        let of = match &source {
            KeySource::Unset(names) => names.join(" and "),
            _ => variables.join(" and "),
        };
        let (from, told) = match &source {
            KeySource::Value(_) if variables.is_empty() => ("rules", "written in the rules"),
            KeySource::Value(_) | KeySource::Unset(_) => ("rules", of.as_str()),
            KeySource::Client => ("client", "the caller's own"),
            KeySource::None => ("none", "none is set"),
        };
        let doc = json!({ "from": from, "name": name, "source": told });
        let doc = Doc::parse(doc.to_string().into_bytes()).unwrap_or_else(|_| Doc::null());
        OwnKey { name, source, id, doc }
    }

    /// Can it be used?
    pub fn is_set(&self) -> bool {
        !matches!(self.source, KeySource::Unset(_))
    }
}

/// Where a provider's key comes from.
#[derive(Clone, Debug, Default)]
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
        self.keys.iter().any(OwnKey::is_set)
    }

    /// The key at this place.
    pub fn key(&self, place: usize) -> Option<&OwnKey> {
        self.keys.get(place)
    }

    /// Does it use the key of that id?
    pub fn has_key_id(&self, id: &str) -> bool {
        self.keys.iter().any(|key| key.id == id)
    }

    /// The name of the key at this place, if there are several to be told apart.
    pub fn key_name(&self, place: usize) -> Option<&str> {
        self.keys.get(place).filter(|_| self.keys.len() > 1).map(|key| key.name.as_str())
    }

    /// All names of models that the provider is asked for, if the rules fix them: whatever a client asks for,
    /// it is one of these.
    pub fn fixed_models(&self) -> Option<Vec<&str>> {
        if self.speaks.iter().any(|protocol| protocol.exact_models) {
            return None;
        }
        let all = self.models.iter().position(|rule| matches!(rule.pattern.as_str(), "*" | "**"))?;
        self.models.iter().take(all + 1).map(|rule| rule.fixed.as_deref()).collect()
    }

    /// What to set so that it can be asked; empty if nothing is missing.
    pub fn missing_key_hint(&self) -> String {
        if self.has_key() {
            return String::new();
        }
        let names = self.keys.iter().filter_map(|key| match &key.source {
            KeySource::Unset(names) => Some(names.join(" and ")),
            _ => None,
        });
        format!("no key: set {}", names.collect::<Vec<_>>().join(" or "))
    }

    /// The provider's own name of a model, in that protocol.
    pub fn model<'a>(&'a self, asked: &'a str, protocol: &Protocol) -> Cow<'a, str> {
        self.named(asked, protocol).0
    }

    /// The provider's own name of a model, and the rule that gave it.
    pub(super) fn named<'a>(&'a self, asked: &'a str, protocol: &Protocol) -> (Cow<'a, str>, Option<usize>) {
        let fits = |rule: &ModelRule| match (protocol.exact_models, rule.pattern.literal()) {
            (true, literal) => literal == Some(asked),
            (false, _) => rule.pattern.matches(asked),
        };
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
