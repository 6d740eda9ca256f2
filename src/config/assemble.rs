//! Makes one set of rules of the main file and everything it includes.

use std::collections::BTreeMap;

use super::model::{
    Decisions, Key, Limits, Mapping, Protocol, Recovery, Rules, RulesFile, Spanned, Table, Timeouts,
};
use super::proxies::ProxyVariables;
use crate::text::diagnostic::{Diagnostic, Diagnostics, Span};

/// What was read: the main file first, and what a file includes after that file.
#[derive(Default)]
pub struct Parts {
    /// Rules files.
    pub rules: Vec<RulesFile>,
    /// Protocol files.
    pub protocols: Vec<Protocol>,
    /// Mapping files.
    pub mappings: Vec<Mapping>,
}

/// Puts the parts together. Lists are appended, names must differ, and of what there can be only one the file
/// that includes wins over what it includes. `inside` says of a place that it is inside the program.
pub fn assemble(start: Span, parts: Parts, inside: impl Fn(Span) -> bool, diags: &mut Diagnostics) -> Rules {
    let mut rules = Rules {
        span: start,
        listen: Spanned { value: "127.0.0.1:8000".into(), span: start },
        tls: None,
        models: Vec::new(),
        providers: Table::default(),
        routes: Vec::new(),
        failover: Vec::new(),
        repairs: Table::default(),
        timeouts: Timeouts::standard(start),
        limits: Limits::standard(start),
        decisions: Decisions::standard(start),
        access: None,
        admin_key: None,
        published: None,
        proxy: None,
        proxy_variables: ProxyVariables::default(),
        health: Vec::new(),
        recovery: Recovery::standard(start),
        state: None,
        spread: None,
        tests: Vec::new(),
        protocols: completed(unique(parts.protocols, "the protocol", protocol_name, &inside, diags)),
        mappings: unique(parts.mappings, "the mapping", mapping_name, &inside, diags),
        catalog: Vec::new(),
        files: BTreeMap::new(),
        incomplete: false,
        as_shipped: Vec::new(),
        laid_under: Vec::new(),
        unset: Vec::new(),
        filled: Vec::new(),
    };
    let (mut listen, mut limits, mut decisions, mut timeouts) = (None, None, None, None::<Timeouts>);
    let mut recovery = None;
    for part in parts.rules {
        listen = listen.or(part.listen);
        limits = limits.or(part.limits);
        decisions = decisions.or(part.decisions);
        recovery = recovery.or(part.recovery);
        rules.state = rules.state.or(part.state);
        rules.tls = rules.tls.or(part.tls);
        rules.published = rules.published.or(part.published);
        rules.spread = rules.spread.or(part.spread);
        timeouts = match (timeouts, part.timeouts) {
            (Some(ours), Some(theirs)) => Some(ours.or(&theirs)),
            (ours, theirs) => ours.or(theirs),
        };
        let access = part.access.map(|it| Spanned { value: it.value.0, span: it.span });
        rules.access = rules.access.or(access);
        rules.admin_key = rules.admin_key.or(part.admin_key);
        rules.proxy = rules.proxy.or(part.proxy);
        rules.models.extend(part.models);
        rules.providers.append(part.providers, "the provider", diags);
        rules.routes.extend(part.routes);
        rules.failover.extend(part.failover);
        rules.repairs.append(part.repairs, "the repair", diags);
        rules.health.extend(part.health);
        rules.tests.extend(part.tests);
    }
    if let Some(access) = &mut rules.access
        && access.value.leaves_keys_out()
    {
        access.value.keys = None;
    }
    rules.admin_key = rules.admin_key.filter(|key| key.value != Key::None);
    let listen = listen.map(|it| Spanned { value: it.value.0, span: it.span });
    rules.listen = listen.unwrap_or(rules.listen);
    rules.recovery = recovery.unwrap_or(rules.recovery);
    rules.limits = limits.unwrap_or(rules.limits);
    rules.decisions = decisions.unwrap_or(rules.decisions);
    rules.timeouts = timeouts.map_or(rules.timeouts.clone(), |set| set.or(&rules.timeouts));
    rules.providers.sort_by_rank(|provider| (provider.priority.is_none(), provider.priority));
    rules
}

/// Completes each protocol that is `like` another one by what that one says.
fn completed(mut protocols: Vec<Protocol>) -> Vec<Protocol> {
    fn or<T: Clone>(own: &mut Table<T>, base: &Table<T>) {
        if own.is_empty() {
            own.clone_from(base);
        }
    }
    let bases: Vec<Protocol> = protocols.iter().filter(|it| it.like.is_none()).cloned().collect();
    for own in &mut protocols {
        let Some(like) = &own.like else { continue };
        let Some(base) = bases.iter().find(|base| base.protocol.value == like.value) else { continue };
        own.auth = own.auth.take().or_else(|| base.auth.clone());
        own.model = own.model.take().or_else(|| base.model.clone());
        own.usage = own.usage.take().or_else(|| base.usage.clone());
        own.errors = own.errors.take().or_else(|| base.errors.clone());
        for (own, base) in [(&mut own.forward, &base.forward), (&mut own.returned, &base.returned)] {
            if own.is_empty() {
                own.clone_from(base);
            }
        }
        or(&mut own.headers, &base.headers);
        or(&mut own.error, &base.error);
        or(&mut own.error_headers, &base.error_headers);
        or(&mut own.error_types, &base.error_types);
    }
    protocols
}

fn protocol_name(protocol: &Protocol) -> Spanned<String> {
    protocol.protocol.clone()
}

fn mapping_name(mapping: &Mapping) -> Spanned<String> {
    let pair = &mapping.mapping;
    Spanned { value: format!("{} -> {}", pair.from.value, pair.to.value), span: pair.span }
}

/// Each name once. A file on disk takes the place of one inside the program.
fn unique<T>(
    all: Vec<T>,
    what: &str,
    name: impl Fn(&T) -> Spanned<String>,
    inside: &impl Fn(Span) -> bool,
    diags: &mut Diagnostics,
) -> Vec<T> {
    let mut kept: Vec<(Spanned<String>, T)> = Vec::new();
    for item in all {
        let name = name(&item);
        let Some(first) = kept.iter_mut().find(|(known, _)| known.value == name.value) else {
            kept.push((name, item));
            continue;
        };
        match (inside(first.0.span), inside(name.span)) {
            (true, false) => *first = (name, item),
            (false, true) => {}
            _ => {
                let message = format!("{what} `{}` is defined twice", name.value);
                let diagnostic = Diagnostic::error("defined-twice", message).at(name.span);
                diags.push(diagnostic.label("again here").note(first.0.span, "first here"));
            }
        }
    }
    kept.into_iter().map(|(_, item)| item).collect()
}
