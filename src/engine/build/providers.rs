//! Compiles providers.

use super::{Build, Repairs, json_bytes, settings};
use crate::config::check::own_tls;
use crate::config::{model, proxies};
use crate::engine::build::compile;
use crate::engine::headers::ListEdit;
use crate::engine::judge::{Rule, Rules};
use crate::engine::link::Link;
use crate::engine::names::{OUTGOING, ROUTING};
use crate::engine::protocol::{self, Protocol};
use crate::engine::provider::{ModelRule, Provider};
use crate::language::Patch;
use crate::text::diagnostic::Diagnostics;
use crate::text::units::Secret;
use crate::text::yaml::{Kind, Node};
use std::sync::Arc;

impl Build<'_> {
    pub(super) fn provider(
        &mut self,
        name: &str,
        from: &model::Provider,
        protocols: &[Arc<Protocol>],
        common: &[Arc<Rule>],
        repairs: &Repairs,
    ) -> Provider {
        let own_repairs = self.repairs(&from.repairs);
        let own = self.failover(&from.failover, &[&own_repairs, repairs]);
        let rules: Vec<Arc<Rule>> = own.iter().chain(common).cloned().collect();
        let scope = self.scope(OUTGOING);
        let auth = from.auth.as_ref().and_then(|auth| self.auth(auth, &scope));
        let headers = self.headers(&from.headers, &scope);
        let mut models = Vec::new();
        for rule in &from.models.0 {
            let fixed = rule.to.as_str().filter(|name| !name.contains('$')).map(str::to_owned);
            let name = compile::template(&rule.to, &scope, self.diags);
            models.extend(name.map(|name| ModelRule { pattern: rule.from.clone(), name, fixed }));
        }
        let mut paths = Vec::new();
        for (protocol, path) in from.paths.iter() {
            let path = self.text(&path.value, path.span, &scope);
            paths.extend(path.map(|path| (protocol.text.clone(), path)));
        }
        let mut query = Vec::new();
        for (name, value) in from.query.iter() {
            let value = compile::template(value, &scope, self.diags);
            query.extend(value.map(|value| (name.text.clone(), value)));
        }
        let mut hidden = Vec::new();
        for (_, node) in from.headers.iter().chain(from.query.iter()) {
            self.filled(node, &mut hidden);
        }
        scope.finish(self.diags);
        let timeouts = match &from.timeouts {
            Some(own) => own.or(&self.rules.timeouts),
            None => self.rules.timeouts.clone(),
        };
        let with = from.with.iter().map(|(name, node)| (name.text.clone(), json_bytes(node))).collect();
        // What is wrong with them was found by `check`.
        let proxy = proxies::to(self.rules, from).ok().flatten();
        let tls = from.tls.as_ref().and_then(|tls| own_tls(self.rules, tls, &mut Diagnostics::new()));
        Provider {
            name: name.to_owned(),
            url: from.url.value.trim_end_matches('/').to_owned(),
            speaks: from
                .speaks
                .iter()
                .filter_map(|name| protocols.iter().find(|it| it.name == name.value).cloned())
                .collect(),
            keys: settings::keys(self.rules, name, from),
            rotate: from.rotate,
            priority: from.priority,
            zone: from.zone.as_ref().map(|zone| zone.value.clone()),
            weight: from.weight.value,
            timeouts: protocol::timeouts(&timeouts),
            force_stream: from.force_stream.as_ref().is_some_and(|it| it.value),
            link: Arc::new(Link::new(proxy, tls)),
            paths,
            query,
            hidden,
            models,
            with,
            auth,
            headers,
            drop_headers: self.header_list(&from.drop_headers),
            header_lists: self.list_edits(&from.header_lists),
            patch: self.patch(from.patch.as_ref()),
            rules: Rules::new(rules),
            own_rules: own.len(),
        }
    }

    pub(super) fn patch(&mut self, node: Option<&Node>) -> Option<Patch> {
        let scope = self.scope(ROUTING);
        let patch = compile::patch(node?, &scope, self.diags);
        scope.finish(self.diags);
        patch
    }

    /// What variables have put into a template.
    fn filled(&self, node: &Node, found: &mut Vec<Secret>) {
        match &node.kind {
            Kind::String(text) if self.rules.filled.iter().any(|(at, _)| *at == node.span) => {
                found.push(Secret::new(text.as_str()));
            }
            Kind::List(items) => items.iter().for_each(|item| self.filled(item, found)),
            Kind::Map(entries) => entries.iter().for_each(|(_, value)| self.filled(value, found)),
            _ => {}
        }
    }

    pub(super) fn list_edits(&mut self, table: &model::Table<model::ListEdit>) -> Vec<ListEdit> {
        let mut edits = Vec::new();
        for (name, from) in table.iter() {
            edits.extend(self.header_name(&name.text, name.span).map(|name| ListEdit {
                name,
                add: from.add.iter().map(|item| item.value.clone()).collect(),
                drop: from.drop.clone(),
                keep: from.keep.clone(),
            }));
        }
        edits
    }
}
