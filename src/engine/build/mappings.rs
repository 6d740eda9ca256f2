//! Compiles mapping files.

use super::{Build, json_bytes};
use crate::config::model;
use crate::engine::build::compile;
use crate::engine::mapping::{MappedError, Mapping};
use crate::engine::names::{self, MAPPING, Name, Part};
use crate::engine::protocol::Protocol;
use crate::engine::provider::Provider;
use crate::engine::route::Route;
use crate::language::scope::{Parts, Scope};
use crate::language::stream::{Framing, StreamProgram};
use crate::language::{Compiler, Condition, Guarded};
use crate::text::diagnostic::{Diagnostics, did_you_mean};
use crate::text::json::Doc;
use crate::text::yaml::{Kind, Node};
use std::sync::Arc;

/// The code of the warning about a fragment that nothing uses.
const UNUSED: &str = "unused-fragment";

/// What of `$provider` is not the same for all requests to a provider.
const OPEN: &[&str] = &["model"];
/// Room for the names inside a mapping's templates, so that the usual one never grows it.
const LOCALS: usize = 24;

impl Build<'_> {
    /// Gives each way of the routes its mapping as it is for the way's provider.
    pub(super) fn specialise(
        &mut self,
        routes: &mut [Route],
        providers: &[Provider],
        protocols: &[Arc<Protocol>],
    ) {
        let mut made: Vec<(usize, Arc<Mapping>, Arc<Mapping>)> = Vec::new();
        for way in routes.iter_mut().flat_map(|route| &mut route.ways) {
            let (Some(general), Some(provider)) = (&way.mapping, providers.get(way.provider)) else {
                continue;
            };
            let known = made.iter().find(|(place, of, _)| *place == way.provider && Arc::ptr_eq(of, general));
            let own = match known {
                Some((_, _, own)) => own.clone(),
                None => {
                    let of_file = |it: &&model::Mapping| {
                        it.mapping.from.value == general.from && it.mapping.to.value == general.to
                    };
                    let Some(from) = self.rules.mappings.iter().find(of_file) else { continue };
                    let parameters = provider.document(&general.parameters, "");
                    let own = Arc::new(self.mapping_for(from, protocols, parameters));
                    made.push((way.provider, general.clone(), own.clone()));
                    own
                }
            };
            way.mapping = Some(own);
        }
    }

    /// A mapping as it is for one provider: conditions on its parameters are decided, and what they rule out is left
    /// out. The mapping itself has compiled without a mistake. `parameters`: `$provider`.
    pub(super) fn mapping_for(
        &mut self,
        from: &model::Mapping,
        protocols: &[Arc<Protocol>],
        parameters: Doc,
    ) -> Mapping {
        let outer = std::mem::replace(self.diags, Diagnostics::new());
        let made = self.compile(from, protocols, Some(&parameters));
        drop(std::mem::replace(self.diags, outer));
        made
    }

    pub(super) fn mapping(&mut self, from: &model::Mapping, protocols: &[Arc<Protocol>]) -> Mapping {
        self.compile(from, protocols, None)
    }

    fn compile(
        &mut self,
        from: &model::Mapping,
        protocols: &[Arc<Protocol>],
        known: Option<&Doc>,
    ) -> Mapping {
        // Templates and the stream have a scope each, with the same fragments: a fragment is unused only if both
        // say so.
        let (mut templates, mut streams) = (Diagnostics::new(), Diagnostics::new());
        let scope = scope(from, known, &self.parts, &mut templates);
        let mut made = Mapping {
            from: from.mapping.from.value.clone(),
            to: from.mapping.to.value.clone(),
            parameters: parameters(from),
            reads_upstream: parts(from).any(|node| mentions(node, "$upstream")),
            slots: scope.len() + LOCALS,
            ..Mapping::default()
        };
        let outer = std::mem::take(self.diags);
        names::part(&scope, Part::Request);
        made.request = self.template(from.request.as_ref(), &scope);
        made.headers = self.headers(&from.headers, &scope);
        for (name, node) in from.losses.iter() {
            let condition = compile::condition(node, &scope, self.diags);
            let condition = condition.filter(|when| !matches!(when, Condition::Is(false)));
            made.losses.extend(condition.map(|it| (name.text.clone(), Guarded::condition(it))));
        }
        if let Some(entries) = from.keep.as_ref().and_then(Node::as_map) {
            let first = scope.len() - entries.len();
            for (place, (_, node)) in entries.iter().enumerate() {
                let template = compile::template(node, &scope, self.diags);
                made.keep.extend(template.map(|template| (first + place, template)));
            }
        }
        names::answers(&scope);
        names::part(&scope, Part::Error);
        made.error = from.error.as_ref().and_then(|node| self.mapped_error(node, &scope));
        names::part(&scope, Part::Response);
        made.response = self.template(from.response.as_ref(), &scope);
        made.returned = self.headers(&from.returned, &scope);
        scope.finish(self.diags);
        templates.append(std::mem::replace(self.diags, outer));

        if let Some(node) = &from.stream {
            let client = protocols.iter().find(|it| it.name == made.from).and_then(|it| it.stream.as_ref());
            let framing = Framing {
                event: client.and_then(|shape| shape.event.clone()),
                done: client.filter(|shape| shape.write_done).and_then(|shape| shape.done.clone()),
                folds: false,
            };
            let mut ignored = Diagnostics::new();
            let scope = self::scope(from, known, &self.parts, &mut ignored);
            names::answers(&scope);
            names::part(&scope, Part::Stream);
            made.stream = StreamProgram::compile(node, scope, framing, &mut streams).map(Arc::new);
        }
        let both = from.stream.is_some();
        let (templates, streams) = (templates.into_vec(), streams.into_vec());
        let same = |one: &crate::text::diagnostic::Diagnostic,
                    in_other: &[crate::text::diagnostic::Diagnostic]| {
            in_other.iter().any(|other| other.code == UNUSED && other.span == one.span)
        };
        let mut unused = Vec::new();
        for found in &templates {
            if found.code != UNUSED || !both || same(found, &streams) {
                self.diags.push(found.clone());
                unused.extend(found.span.filter(|_| found.code == UNUSED));
            }
        }
        for found in streams {
            if found.code != UNUSED {
                self.diags.push(found);
            }
        }
        for (name, body) in from.fragments.as_ref().and_then(Node::as_map).unwrap_or_default() {
            if unused.contains(&body.span) {
                Compiler::new(&scope, self.diags).unused_fragment(&name.text, body);
            }
        }
        made
    }

    /// `error:` is a body's template, or `{ status, body, headers }`.
    fn mapped_error(&mut self, node: &Node, scope: &Scope) -> Option<MappedError> {
        let words = ["status", "body", "headers"];
        let is_table = node
            .as_map()
            .is_some_and(|entries| entries.iter().all(|(key, _)| words.contains(&key.text.as_str())));
        // A slip in one of the words would make a body of them all.
        for (key, _) in node.as_map().unwrap_or_default() {
            let missing = words.iter().copied().filter(|word| node.get(word).is_none());
            if words.contains(&key.text.as_str()) || missing.clone().count() == words.len() {
                continue;
            }
            if let Some(near) = did_you_mean(&key.text, missing) {
                let message = format!("`error` has no `{}`", key.text);
                let help = format!("did you mean `{near}`? (a body with other members stands under `body`)");
                self.diags.error("unknown-key", key.span, message).help(help);
                return None;
            }
        }
        let Some(body) = node.get("body").filter(|_| is_table) else {
            let body = compile::template(node, scope, self.diags)?;
            return Some(MappedError { status: None, body, headers: Vec::new() });
        };
        let body = compile::template(body, scope, self.diags);
        let status = self.template(node.get("status"), scope);
        let mut headers = Vec::new();
        for (name, value) in node.get("headers").and_then(Node::as_map).unwrap_or_default() {
            let template = compile::template(value, scope, self.diags);
            headers.extend(self.header_name(&name.text, name.span).zip(template));
        }
        Some(MappedError { status, body: body?, headers })
    }
}

/// All templates of a mapping.
fn parts(from: &model::Mapping) -> impl Iterator<Item = &Node> {
    [&from.fragments, &from.response, &from.error, &from.stream].into_iter().flatten()
}

/// Does a name stand anywhere in a template?
fn mentions(node: &Node, name: &str) -> bool {
    match &node.kind {
        Kind::String(text) => text.contains(name),
        Kind::List(items) => items.iter().any(|item| mentions(item, name)),
        Kind::Map(entries) => {
            entries.iter().any(|(key, value)| key.text.contains(name) || mentions(value, name))
        }
        _ => false,
    }
}

/// The names of a mapping's templates: the roots, the kept values, the fragments.
fn scope(from: &model::Mapping, known: Option<&Doc>, parts: &Parts, diags: &mut Diagnostics) -> Scope {
    let mut scope = names::scope(MAPPING);
    scope.share(parts);
    if let Some(parameters) = known {
        scope.know(Name::Provider.text(), parameters.clone(), OPEN);
    }
    if let Some(keep) = &from.keep {
        match keep.as_map() {
            Some(entries) => drop(scope.space("keep", entries.iter().map(|(key, _)| key.text.clone()))),
            None => drop(diags.error("wrong-type", keep.span, "`keep` is a mapping of names to templates")),
        }
    }
    if let Some(fragments) = &from.fragments {
        scope.fragments(fragments, diags);
    }
    scope
}

fn parameters(from: &model::Mapping) -> Vec<(String, Vec<u8>)> {
    let with_default = from.parameters.iter().filter_map(|(name, it)| Some((name, it.default.as_ref()?)));
    with_default.map(|(name, default)| (name.text.clone(), json_bytes(default))).collect()
}
