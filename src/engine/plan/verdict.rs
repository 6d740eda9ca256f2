//! One outcome before the rules: what they see, what they say, what that does to the provider.

use super::{Event, Plan};
use crate::engine::Ms;
use crate::engine::actions::Do;
use crate::engine::failure::{Failure, FailureKind};
use crate::engine::health::{Health, KeptError};
use crate::engine::judge::{self, Facts, Judged, Rule};
use crate::engine::names::{ROUTING, View};
use crate::engine::protocol::ErrorText;
use crate::engine::provider::{KeySource, Provider};
use crate::text::json::Doc;
use bytes::Bytes;
use http::HeaderMap;
use std::sync::Arc;

/// An outcome to be judged.
#[derive(Clone, Copy)]
pub(super) struct Case<'c> {
    /// The way's place in the route.
    pub way: usize,
    /// What went wrong; `None` for a good answer.
    pub kind: Option<FailureKind>,
    pub status: Option<u16>,
    pub headers: &'c HeaderMap,
    pub body: &'c [u8],
    pub read: &'c ErrorText,
    pub now: Ms,
}

impl<'c> Case<'c> {
    /// The case of a failure.
    pub fn of(way: usize, failure: &'c Failure, read: &'c ErrorText, now: Ms) -> Case<'c> {
        let Failure { kind, status, headers, body, .. } = failure;
        Case { way, kind: Some(*kind), status: *status, headers, body, read, now }
    }
}

impl Plan {
    /// Reads what a provider said in a failure, and fills in what the failure itself does not know: the status
    /// that an error inside a good answer stands for, and its message. Keys are struck out.
    pub(super) fn understood(&self, way: usize, mut failure: Failure) -> (Failure, ErrorText) {
        self.hide_keys(way, &mut failure);
        let read = self.read(way, &failure);
        failure.status = failure.status.or(read.status);
        if let Some(message) = read.message.as_ref().filter(|_| read.is_error()) {
            failure.message.clone_from(message);
        }
        (failure, read)
    }

    /// What the provider's rules say.
    pub(super) fn judge(&mut self, case: &Case<'_>) -> Option<Arc<Rule>> {
        let engine = self.engine.clone();
        let provider = engine.providers.get(self.way(case.way)?.provider)?;
        let facts = self.facts(case, &provider.name);
        let judged = Judged::new(&facts, &engine.texts);
        let mut said = Vec::new();
        let is_spent = |rule: &Rule| self.is_spent(case.way, rule);
        let rule = judge::judge(&provider.rules, &judged, is_spent, self.trace.then_some(&mut said)).cloned();
        for judge::Said { rule, fired: matched, why } in said {
            self.events.push(Event::Verdict { provider: provider.name.clone(), rule, matched, why });
        }
        rule
    }

    fn facts<'a>(&'a self, case: &Case<'a>, provider: &'a str) -> Facts<'a> {
        let current = self.current.as_ref();
        Facts {
            failure: case.kind,
            status: case.status,
            headers: case.headers,
            body: case.body,
            read: case.read,
            request: &self.doc,
            model: &self.model,
            provider_doc: current.map_or(&self.doc, |current| &current.provider_doc),
            provider,
            attempt: current.map_or(1, |current| current.number),
            dropped: current.map_or(&[], |current| current.dropped.as_slice()),
            now: case.now,
        }
    }

    /// Has a repair been made already, or would it change nothing? Then the rules that follow decide.
    fn is_spent(&self, way: usize, rule: &Rule) -> bool {
        match &rule.action {
            Do::Repair { patch, otherwise: None } => {
                self.repaired.contains(&(way, *patch)) || self.repair(*patch).is_none()
            }
            _ => false,
        }
    }

    /// The latest body with a patch applied; `None` if that changes nothing.
    pub(super) fn repair(&self, patch: usize) -> Option<Bytes> {
        let current = self.current.as_ref()?;
        let repair = self.engine.repairs.get(patch)?;
        let doc = Doc::parse(current.body.clone()).ok()?;
        let view = View {
            doc: Some(&doc),
            request: Some(&self.doc),
            header: Some(&self.incoming.headers),
            model: Some(&self.model),
            provider: Some(&current.provider_doc),
            now: Some(self.incoming.now),
            id: Some(&self.incoming.id),
            ..View::default()
        };
        let body = repair.patch.apply(&doc, &mut view.env(ROUTING, ROUTING.len())).ok()?;
        (body != current.body.as_ref()).then(|| body.into())
    }

    /// Keeps the error for the health page and for later clients.
    pub(super) fn remember(
        &mut self,
        case: &Case<'_>,
        failure: &Failure,
        rule: Option<&Rule>,
        health: &mut Health,
    ) {
        // What the mapping refuses is not the provider's failure.
        if failure.kind == FailureKind::Mapping {
            return;
        }
        let name = self.provider_name(case.way);
        let error = KeptError {
            at: case.now,
            kind: failure.kind.name(),
            status: failure.client_status(),
            headers: failure.headers.clone(),
            body: failure.body.clone(),
            message: case.read.message.clone().unwrap_or_else(|| failure.message.clone()),
            rule: rule.map(|rule| rule.name.clone()),
        };
        health.failed(&name, error);
        if self.probe.is_some() {
            health.probed(&name, false, 1, case.now);
        }
    }

    /// Takes the rule's effects: on the provider, and on all that use its key if the rule says so.
    pub(super) fn put_aside(&mut self, case: &Case<'_>, rule: &Rule, health: &mut Health) {
        let engine = self.engine.clone();
        let Some(provider) = self.provider_at(case.way).and_then(|it| engine.provider(&it.name)) else {
            return;
        };
        let Some(provider) = engine.providers.get(provider) else {
            return;
        };
        let until = rule.cooling.as_ref().and_then(|cooling| {
            let facts = self.facts(case, &provider.name);
            let captures = engine.texts.captures(&rule.when, &Judged::new(&facts, &engine.texts));
            cooling.until(&facts, captures.as_ref(), case.now)
        });
        let by_key = rule.cooling.as_ref().is_some_and(|cooling| cooling.by_key);
        for other in &engine.providers {
            let is_meant = other.name == provider.name || (by_key && same_key(other, provider));
            let Some(until) = until.filter(|_| is_meant) else {
                continue;
            };
            let until = health.cool_down(&other.name, until, &rule.name, case.now);
            let (provider, rule) = (other.name.clone(), rule.name.clone());
            self.events.push(Event::CoolDown { provider, until: Some(until), rule });
        }
        if rule.down {
            health.down(&provider.name, &rule.name, case.now);
            let (provider, rule) = (provider.name.clone(), rule.name.clone());
            self.events.push(Event::CoolDown { provider, until: None, rule });
        }
    }
}

/// Do both take the same key, out of the rules, at the same place? (The same key elsewhere is another account,
/// or none: simulated providers take anything.)
fn same_key(one: &Provider, other: &Provider) -> bool {
    let same = match (&one.key, &other.key) {
        (KeySource::Value(one), KeySource::Value(other)) => one == other,
        _ => false,
    };
    same && origin(&one.url) == origin(&other.url)
}

/// Scheme, host and port of a URL.
fn origin(url: &str) -> &str {
    let host = url.find("://").map_or(0, |at| at + 3);
    let end = url.get(host..).and_then(|rest| rest.find(['/', '?'])).map_or(url.len(), |at| host + at);
    url.get(..end).unwrap_or(url)
}
