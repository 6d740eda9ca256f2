//! Providers: what they speak, where they are, and what is asked of them.

use std::time::Duration;

use super::names::{header, url_path};
use super::parameters;
use super::{addresses, links};
use crate::config::keys::line;
use crate::config::model::{ExpectFacts, Key, Provider, Rules, Timeouts};
use crate::config::record::wrong_type;
use crate::config::values::{Spanned, unknown_name};
use crate::text::diagnostic::{Diagnostic, Diagnostics};
use crate::text::units::Secret;
use crate::text::yaml;

/// The longest name of a key, in characters: a key that stands where its name should be is longer.
const LONGEST_NAME: usize = 32;

pub fn check(rules: &Rules, diags: &mut Diagnostics) {
    if rules.providers.names().next().is_none() && !rules.incomplete {
        let diagnostic = Diagnostic::error("no-providers", "there are no providers").at(rules.span);
        diags.push(diagnostic.help("write `providers:` with at least one"));
    }
    let (mut seen, mut proxies) = (Vec::new(), Vec::new());
    for (name, provider) in rules.providers.iter() {
        name_of(name, diags);
        paths(rules, provider, diags);
        speaks(rules, provider, diags);
        addresses::check(rules, provider, diags);
        odd_keys(provider, diags);
        key(rules, name, provider, diags);
        models(provider, diags);
        if provider.weight.value == 0 {
            let diagnostic =
                Diagnostic::error("bad-weight", "a weight is 1 or more").at(provider.weight.span);
            diags.push(diagnostic.label("never asked"));
        }
        // What came through an alias has been looked at where it was written.
        if !seen.contains(&provider.span) {
            parameters::check(rules, name, provider, diags);
        }
        seen.push(provider.span);
        for (name, _) in provider.headers.iter() {
            header(&name.text, false, name.span, diags);
        }
        for name in &provider.drop_headers {
            header(name, true, name.span, diags);
        }
        super::failover::zone(provider.zone.as_ref(), diags);
        lists(provider, diags);
        folds(rules, provider, diags);
        if let Some(auth) = &provider.auth {
            header(&auth.header, false, auth.header.span, diags);
        }
        if let Some(set) = &provider.timeouts {
            timeouts(rules, set, diags);
            if set.deadline.is_some() {
                let diagnostic =
                    Diagnostic::error("wrong-place", "a provider has no `deadline`").at(set.span);
                diags.push(diagnostic.label("among these").help(
                    "it is for a request, whoever answers: write it under `timeouts` of the rules, or at a route; `total` limits one attempt",
                ));
            }
        }
        links::check(rules, provider, &mut proxies, diags);
    }
    accounts(rules, diags);
    timeouts(rules, &rules.timeouts, diags);
}

/// Providers with one key in one account that nobody named: what is no surprise with two addresses of one service is
/// one behind a gateway.
fn accounts(rules: &Rules, diags: &mut Diagnostics) {
    let mut known: Vec<(&str, &Secret, &str)> = Vec::new();
    for (name, provider) in rules.providers.iter().filter(|(_, provider)| provider.account.is_none()) {
        let (account, mut shared) = (provider.account(), Vec::new());
        for key in provider.all_keys() {
            let Key::Value(secret) = &key.value else { continue };
            let same = |it: &&(&str, &Secret, &str)| it.0 == account && it.1 == secret && it.2 != name.text;
            shared.extend(known.iter().find(same).map(|(_, _, first)| (*first, key.span)));
            known.push((account, secret, &name.text));
        }
        if let Some((first, at)) = shared.first() {
            // A key may stand in the catalogue, where nothing is to be done about it.
            let at = if at.file == name.span.file { at } else { &name.span };
            let message = format!("`{first}` and `{}` have the same key at {account}", name.text);
            let diagnostic = Diagnostic::warning("shared-key", message).at(*at);
            diags.push(diagnostic.label("a limit of this key makes both cool down").help(
                "if they are one account, write the same `account: NAME` for both; behind a gateway that has limits of \
                 its own for each, a different one",
            ));
        }
    }
}

/// Whether a request in `protocol` can be put to the provider, translated if need be.
pub fn understands(rules: &Rules, provider: &Provider, protocol: &str) -> bool {
    provider.speaks.iter().any(|spoken| spoken.value == protocol || rules.mapping(protocol, spoken).is_some())
}

/// The names of all providers, also of those with mistakes.
pub fn names(rules: &Rules) -> impl Iterator<Item = &str> {
    rules.providers.names().map(|key| key.text.as_str())
}

/// Reports a reference to a provider that does not exist.
pub fn known(rules: &Rules, name: &Spanned<String>, diags: &mut Diagnostics) -> bool {
    let known = names(rules).any(|known| known == name.value);
    if !known && !rules.incomplete {
        diags.push(unknown_name("provider", name, names(rules)));
    }
    known
}

/// Reports a reference to a protocol that does not exist.
pub fn known_protocol(rules: &Rules, name: &Spanned<String>, diags: &mut Diagnostics) -> bool {
    let known = rules.protocol(name).is_some();
    if !known && !rules.incomplete {
        diags.push(unknown_name(
            "protocol",
            name,
            rules.protocols.iter().map(|it| it.protocol.value.as_str()),
        ));
    }
    known
}

fn name_of(name: &yaml::Key, diags: &mut Diagnostics) {
    let reserved = name.text == "auto" || ExpectFacts::KEYS.contains(&name.text.as_str());
    let shape = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    if reserved || name.text.is_empty() || !name.text.chars().all(shape) {
        let message = format!("`{}` cannot be the name of a provider", name.text);
        let label =
            if reserved { "this word means something else" } else { "letters, digits, `_`, `-` and `.`" };
        diags.push(Diagnostic::error("bad-name", message).at(name.span).label(label));
    }
}

fn speaks(rules: &Rules, provider: &Provider, diags: &mut Diagnostics) {
    if provider.speaks.is_empty() {
        let diagnostic = Diagnostic::error("no-protocol", "a provider speaks at least one protocol");
        diags.push(diagnostic.at(provider.span).label("this one speaks none"));
    }
    for protocol in provider.speaks.iter() {
        known_protocol(rules, protocol, diags);
    }
    super::twice("the protocol", provider.speaks.iter().map(|it| (it.value.as_str(), it.span)), diags);
}

/// Whoever only streams needs somebody who folds.
fn folds(rules: &Rules, provider: &Provider, diags: &mut Diagnostics) {
    let Some(force) = provider.force_stream.as_ref().filter(|force| force.value) else { return };
    let spoken = || provider.speaks.iter().filter_map(|name| rules.protocol(name));
    let streams = || spoken().filter(|protocol| protocol.stream.is_some());
    if let Some(protocol) = streams().find(|protocol| protocol.fold.is_none()) {
        let message = format!("`{}` does not say how a stream is folded", protocol.protocol.value);
        let diagnostic = Diagnostic::error("no-fold", message).at(force.span);
        diags.push(
            diagnostic.label("needs `fold` in the protocol's file").note(protocol.protocol.span, "here"),
        );
    } else if spoken().next().is_some() && streams().next().is_none() {
        let diagnostic = Diagnostic::error("no-fold", "nothing that this provider speaks has streams");
        diags.push(diagnostic.at(force.span).label("cannot be asked for one"));
    }
}

/// Paths, and the protocols that they are for.
fn paths(rules: &Rules, provider: &Provider, diags: &mut Diagnostics) {
    for (protocol, path) in provider.paths.iter() {
        known_protocol(rules, &Spanned { value: protocol.text.clone(), span: protocol.span }, diags);
        if let Some((path_alone, query)) = path.split_once('?') {
            let message = format!("`{}` is not a path", path.value);
            let diagnostic =
                Diagnostic::error("bad-path", message).at(path.span).label("a path has no query");
            let (name, value) = query.split_once('=').unwrap_or((query, "..."));
            diags.push(diagnostic.help(format!(
                "write `{path_alone}`, and beside `paths`: `query: {{ {name}: \"{value}\" }}`"
            )));
            continue;
        }
        url_path(path, diags);
    }
    for (name, value) in provider.query.iter() {
        if name.text.trim().is_empty() {
            let diagnostic = Diagnostic::error("bad-name", "a parameter of a query has a name").at(name.span);
            diags.push(diagnostic.label("this one has none"));
        }
        if value.as_map().is_some() || value.as_list().is_some() {
            wrong_type(value, "a parameter of a query is a text, a number, `true`, `false` or `null`", diags);
        }
    }
}

/// Keys with what was copied along with them. A provider with its own `auth` may mean it.
fn odd_keys(provider: &Provider, diags: &mut Diagnostics) {
    for key in provider.all_keys().filter(|_| provider.auth.is_none()) {
        let Key::Value(secret) = &key.value else { continue };
        if let Some((label, help)) = secret.oddity() {
            let diagnostic = Diagnostic::warning("odd-key", "a provider will hardly take this for a key");
            diags.push(diagnostic.at(key.span).label(label).help(help));
        }
    }
}

/// Several keys: each a real one, with a name of its own; those that are not set are left out.
fn keys(name: &yaml::Key, provider: &Provider, diags: &mut Diagnostics) {
    if provider.key.value != Key::None {
        let diagnostic = Diagnostic::error("two-keys", "a provider has `key` or `keys`, not both");
        diags.push(diagnostic.at(provider.key.span).label("also here").help("put it first in `keys`"));
    }
    let mut seen: Vec<(String, crate::text::diagnostic::Span)> = Vec::new();
    let is_unset = |key: &Key| matches!(key, Key::Unset(_));
    let none_is_set = provider.keys.iter().all(|key| is_unset(&key.0.key.value));
    for (place, key) in provider.keys.iter().enumerate() {
        let (own, at) = (key.name(place), key.0.name.as_ref().map_or(key.0.span, |name| name.span));
        let shape = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
        if own.is_empty() || own.len() > LONGEST_NAME || !own.chars().all(shape) {
            let diagnostic = Diagnostic::error("bad-name", "this cannot be the name of a key").at(at);
            diags.push(diagnostic.label("up to 32 letters, digits, `_`, `-` and `.`"));
        }
        match seen.iter().find(|(known, _)| *known == own) {
            Some((_, first)) => {
                let diagnostic = Diagnostic::error("named-twice", format!("the key `{own}` is there twice"));
                diags.push(diagnostic.at(at).label("again here").note(*first, "first here"));
            }
            None => seen.push((own.clone(), at)),
        }
        match &key.0.key.value {
            Key::None => {
                let diagnostic = Diagnostic::error("bad-key", "a key is wanted here").at(key.0.key.span);
                diags.push(diagnostic.label("this is none").help("write `key: none` instead of `keys`"));
            }
            Key::Unset(variables) if !none_is_set => {
                let set = variables.join(" and ");
                let message = format!("the key `{own}` of `{}` is left out: {set} is not set", name.text);
                diags.push(Diagnostic::warning("no-key", message).at(key.0.key.span).label("no key"));
            }
            _ => {}
        }
    }
    if none_is_set {
        let unset = provider.keys.iter().filter_map(|key| match &key.0.key.value {
            Key::Unset(variables) => Some(variables.join(" and ")),
            _ => None,
        });
        let set = unset.collect::<Vec<_>>().join(" or ");
        let message = format!("the provider `{}` has no key and is left out: {set} is not set", name.text);
        let at = provider.keys.first().map_or(provider.span, |key| key.0.key.span);
        let diagnostic = Diagnostic::warning("no-key", message).at(at).label("no key");
        diags.push(diagnostic.help(how_to_set(&set)));
    }
}

/// Where to put a key whose variables are not set.
fn how_to_set(variables: &str) -> String {
    format!("set {variables} in the environment, or write {}", line(variables))
}

fn key(rules: &Rules, name: &yaml::Key, provider: &Provider, diags: &mut Diagnostics) {
    if !provider.keys.is_empty() {
        keys(name, provider, diags);
    } else if let Key::Unset(variables) = &provider.key.value {
        let set = variables.join(" and ");
        let message = format!("the provider `{}` has no key and is left out: {set} is not set", name.text);
        let diagnostic = Diagnostic::warning("no-key", message).at(provider.key.span).label("no key");
        diags.push(diagnostic.help(how_to_set(&set)));
        return;
    }
    if provider.auth.is_some() || (provider.key.value == Key::None && provider.keys.is_empty()) {
        return;
    }
    for protocol in provider.speaks.iter().filter_map(|name| rules.protocol(name)) {
        if protocol.auth.is_none() {
            let message = format!("the key of `{}` is not sent", name.text);
            let label = format!("`{}` does not say how", protocol.protocol.value);
            let diagnostic = Diagnostic::warning("unused-key", message).at(provider.key.span).label(label);
            diags.push(diagnostic.help("write `auth: { header: ..., value: ... }` for this provider"));
        }
    }
}

/// Headers that are lists, and what is put into them.
fn lists(provider: &Provider, diags: &mut Diagnostics) {
    for (name, edit) in provider.header_lists.iter() {
        header(&name.text, false, name.span, diags);
        for item in &edit.add {
            let sound = !item.trim().is_empty() && item.chars().all(|c| c.is_ascii_graphic() && c != ',');
            if !sound {
                let message = format!("`{}` cannot be an item of a header's list", item.value);
                let diagnostic = Diagnostic::error("bad-header", message).at(item.span);
                diags.push(diagnostic.label("one word, without commas"));
            }
        }
    }
}

/// Patterns after one that fits everything.
fn models(provider: &Provider, diags: &mut Diagnostics) {
    let rules = &provider.models.0;
    let Some(all) = rules.iter().position(|rule| matches!(rule.from.as_str(), "*" | "**")) else { return };
    let Some(first) = rules.get(all) else { return };
    for rule in rules.iter().skip(all + 1) {
        let message = format!("`{}` is never reached", rule.from.as_str());
        let diagnostic = Diagnostic::warning("unreachable", message).at(rule.span).label("never reached");
        diags.push(diagnostic.note(first.span, "this fits every name").help("write it above"));
    }
}

/// Times of 0, and a time for whole answers that the attempt does not have.
fn timeouts(rules: &Rules, set: &Timeouts, diags: &mut Diagnostics) {
    let spanned = |time: &Option<Spanned<Duration>>| time.as_ref().map(|time| time.value);
    let all = [
        ("connect", set.connect),
        ("first_byte", set.first_byte),
        ("idle", set.idle),
        ("whole", spanned(&set.whole)),
        ("total", spanned(&set.total)),
        ("deadline", spanned(&set.deadline)),
    ];
    for (name, time) in all {
        if time == Some(Duration::ZERO) {
            let message = format!("a timeout of 0 for `{name}` would fail every request");
            diags.push(Diagnostic::error("bad-timeout", message).at(set.span).label("among these"));
        }
    }
    let total = set.total.as_ref().or(rules.timeouts.total.as_ref());
    if let (Some(whole), Some(total)) = (&set.whole, total)
        && whole.value > total.value
    {
        let diagnostic = Diagnostic::error("bad-timeout", "`whole` is longer than `total`").at(whole.span);
        let diagnostic = diagnostic.label("never reached").note(total.span, "each attempt ends before that");
        diags.push(diagnostic.help("make `total` at least as long, or leave it out: then it is"));
    }
}
