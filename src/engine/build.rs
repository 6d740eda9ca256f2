//! From the files as types to the engine: every template, condition and patch is compiled here, once, and all
//! mistakes go to the same diagnostics.

pub(super) mod compile;
mod mappings;
mod protocols;
mod providers;
mod refusals;
mod repairs;
mod rules;
mod settings;

use super::actions::Refusal;
use super::decision::Keeping;
use super::judge::texts::Texts;
use super::judge::when::Test;
use super::mapping::Mapping;
use super::names::{self, EXHAUSTED, Names, ROUTING};
use super::protocol::{Headers, Protocol};
use super::provider::Provider;
use super::route::{Route, Way, left_out};
use super::spread::Spread;
use super::{Engine, Repair, probe};
use crate::config::model;
use crate::language::Template;
use crate::language::scope::{Parts, Scope};
use crate::text::diagnostic::{Diagnostics, Span};
use crate::text::units::PathHoles;
use crate::text::yaml::{Kind, Node};
use http::header::HeaderName;
use std::sync::Arc;

/// How many characters of the rules' hash name their version.
const VERSION: usize = 12;

/// Compiles the rules. `hash` names their content. `None` if anything is wrong; `diags` says what.
pub fn build(rules: &model::Rules, hash: &str, diags: &mut Diagnostics) -> Option<Engine> {
    compiled(rules, hash, None, diags)
}

/// The same once more, with a mapping of its own for each provider: what the provider's parameters decide is
/// decided, and all regular expressions are compiled. It answers the same, sooner, and takes longer to build. `first` is
/// what [`build`] made of these rules; what can be is shared with it.
pub fn build_for_providers(rules: &model::Rules, first: &Engine) -> Option<Engine> {
    compiled(rules, &first.version, Some(first), &mut Diagnostics::new())
}

fn compiled(
    rules: &model::Rules,
    hash: &str,
    first: Option<&Engine>,
    diags: &mut Diagnostics,
) -> Option<Engine> {
    let mut found = Diagnostics::new();
    let mut build = Build {
        rules,
        diags: &mut found,
        texts: Texts::default(),
        repairs: Vec::new(),
        refusals: Vec::new(),
        parts: first.map(|first| first.parts.clone()).unwrap_or_default(),
    };
    let repairs = build.repairs(&rules.repairs);
    let protocols: Vec<Arc<Protocol>> = match first {
        Some(first) => first.protocols.clone(),
        None => rules.protocols.iter().map(|it| Arc::new(build.protocol(it))).collect(),
    };
    let mappings: Vec<Arc<Mapping>> = match first {
        Some(first) => first.mappings.clone(),
        None => rules.mappings.iter().map(|it| Arc::new(build.mapping(it, &protocols))).collect(),
    };
    let common = build.failover(&rules.failover, &[&repairs]);
    let mut providers: Vec<Provider> = rules
        .providers
        .iter()
        .map(|(name, it)| build.provider(&name.text, it, &protocols, &common, &repairs))
        .collect();
    let mut routes: Vec<Route> =
        rules.routes.iter().map(|it| build.route(it, &providers, &protocols, &mappings, &repairs)).collect();
    let probes = probe::build(rules, &routes, &providers, build.diags);
    if first.is_some() && !build.diags.has_errors() {
        build.specialise(&mut routes, &providers, &protocols);
        build.parts.compile_patterns();
    }
    let Build { mut texts, repairs, refusals, parts, .. } = build;
    texts.seal();
    if first.is_some() {
        texts.finder();
    }
    for route in routes.iter_mut().filter(|route| !route.failover.is_empty()) {
        for way in &mut route.ways {
            way.rules = providers
                .get(way.provider)
                .map(|it| Arc::new(it.rules.with_route(&route.failover, it.own_rules, &it.name, &texts)));
        }
    }
    for provider in &mut providers {
        provider.rules.seal(&provider.name, &texts);
    }
    let broken = found.has_errors();
    diags.append_news(found);
    if broken {
        return None;
    }
    let models: Vec<String> = rules.models.iter().map(|name| name.value.clone()).collect();
    let engine = Engine {
        version: hash.chars().take(VERSION).collect(),
        listen: rules.listen.value.clone(),
        published: rules.published.as_ref().map(|published| published.value),
        access: rules.access.as_ref().map(|access| access.value.clone()),
        admin_key: rules.admin_key.as_ref().map(|key| key.value.clone()),
        limits: settings::limits(&rules.limits),
        keeping: Keeping::of(&rules.decisions),
        state: rules.state.as_ref().map(|path| path.value.clone()),
        recovery: settings::recovery(&rules.recovery, providers.len()),
        by_priority: (0..providers.len()).collect(),
        models_doc: settings::list_doc(&models),
        models,
        providers,
        routes,
        probes,
        protocols,
        mappings,
        repairs,
        refusals,
        texts,
        parts,
        redactor: Arc::default(),
        shown: Arc::default(),
    };
    Some(engine.with_redactor())
}

/// A mapping as it is for a provider with these parameters.
#[cfg(test)]
pub(crate) fn known_mapping(
    rules: &model::Rules,
    engine: &Engine,
    from: &model::Mapping,
    parameters: crate::text::json::Doc,
) -> Mapping {
    let mut diags = Diagnostics::new();
    let mut build = Build {
        rules,
        diags: &mut diags,
        texts: Texts::default(),
        repairs: Vec::new(),
        refusals: Vec::new(),
        parts: Parts::default(),
    };
    build.mapping_for(from, &engine.protocols, parameters)
}

/// Repairs by name, and their places; none for one that does not compile, which has been told.
type Repairs = Vec<(String, Option<usize>)>;

/// The state of one build.
struct Build<'b> {
    rules: &'b model::Rules,
    diags: &'b mut Diagnostics,
    texts: Texts,
    repairs: Vec<Repair>,
    refusals: Vec<Refusal>,
    parts: Parts,
}

impl Build<'_> {
    /// A scope with these names, which shares what has compiled before.
    fn scope(&self, names: Names) -> Scope {
        let mut scope = names::scope(names);
        scope.share(&self.parts);
        scope
    }

    fn route(
        &mut self,
        from: &model::Route,
        providers: &[Provider],
        protocols: &[Arc<Protocol>],
        mappings: &[Arc<Mapping>],
        repairs: &Repairs,
    ) -> Route {
        let failover = self.failover(&from.failover, &[repairs]);
        let name = from.name.as_ref().map(|name| name.value.clone());
        let wanted = from.protocol.as_ref().map(|name| name.value.as_str());
        let protocol = wanted.and_then(|name| protocols.iter().find(|it| it.name == name).cloned());
        let order: Vec<usize> = match &from.providers {
            Some(names) => names
                .iter()
                .filter_map(|name| providers.iter().position(|it| it.name == name.value))
                .collect(),
            None => (0..providers.len()).collect(),
        };
        let way = |index: usize| -> Option<Way> {
            let provider = providers.get(index)?;
            let client = protocol.as_ref()?;
            if let Some(same) = provider.speaks.iter().find(|it| it.name == client.name) {
                return Some(Way::new(index, provider, same, None));
            }
            provider.speaks.iter().find_map(|spoken| {
                let fits = |it: &&Arc<Mapping>| it.from == client.name && it.to == spoken.name;
                Some(Way::new(index, provider, spoken, Some(mappings.iter().find(fits)?)))
            })
        };
        let keys = |way: &Way| providers.get(way.provider).map_or(0, |provider| provider.keys.len());
        let ways = order.iter().copied().filter_map(way);
        let ways: Vec<Way> = ways.flat_map(|way| (0..keys(&way)).map(move |key| way.with_key(key))).collect();
        let left_out = match &protocol {
            Some(_) => left_out(providers, &order, &ways),
            None => Arc::from([]),
        };
        let scope = self.scope(ROUTING);
        let when = from.when.as_ref().and_then(|when| self.when(when, &scope)).map(Test::cheapest_first);
        let otherwise = self.template(from.otherwise.as_ref(), &scope);
        let answer = self.template(from.answer.as_ref(), &scope);
        let refuse = from.refuse.as_ref().and_then(|it| self.refusal(it, &scope));
        let spread = from.spread.as_ref().or(self.rules.spread.as_ref());
        let spread = spread.map(|it| Spread { by: it.by, on: self.template(it.on.as_ref(), &scope) });
        scope.finish(self.diags);
        let ending = self.scope(EXHAUSTED);
        let exhausted = from.exhausted.as_ref().and_then(|it| self.refusal(it, &ending));
        ending.finish(self.diags);
        let method = http::Method::from_bytes(from.method.word().as_bytes()).unwrap_or(http::Method::POST);
        let deadline =
            from.deadline.as_ref().or(self.rules.timeouts.deadline.as_ref()).map(|time| time.value);
        Route {
            name,
            path: from.path.value.clone(),
            holes: PathHoles::parse(&from.path.value).unwrap_or_default(),
            quiet: from.quiet && from.answer.is_some(),
            method,
            protocol,
            when,
            failover,
            ways,
            left_out,
            spread,
            gate: settings::gate(from.gate.as_ref(), &self.rules.limits),
            deadline,
            keep_alive: from.keep_alive.as_ref().map(|it| it.every.value),
            resumes: from.resumes,
            otherwise,
            answer,
            refuse,
            exhausted,
        }
    }

    fn template(&mut self, node: Option<&Node>, scope: &Scope) -> Option<Template> {
        compile::template(node?, scope, self.diags)
    }

    /// A template out of a string that stands in the model without its node.
    fn text(&mut self, text: &str, span: Span, scope: &Scope) -> Option<Template> {
        let node = Node { span, kind: Kind::String(text.to_owned()) };
        compile::template(&node, scope, self.diags)
    }

    fn headers(&mut self, table: &model::Table<Node>, scope: &Scope) -> Headers {
        let mut headers = Headers::new();
        for (name, node) in table.iter() {
            let template = compile::template(node, scope, self.diags);
            let name = self.header_name(&name.text, name.span);
            headers.extend(name.zip(template));
        }
        headers
    }

    fn header_name(&mut self, name: &str, span: Span) -> Option<HeaderName> {
        let parsed = HeaderName::from_bytes(name.as_bytes()).ok();
        if parsed.is_none() {
            self.diags.error("bad-header", span, format!("`{name}` cannot be a header's name"));
        }
        parsed
    }
}

fn json_bytes(node: &Node) -> Vec<u8> {
    let mut out = Vec::new();
    node.to_json_bytes(&mut out);
    out
}

#[cfg(test)]
mod tests {
    use crate::config::builtin;
    use crate::config::files::Memory;
    use crate::config::load::load;
    use crate::engine::exchange::Exchange;
    use crate::engine::plan::Plan;
    use crate::engine::{Engine, build};
    use std::path::Path;

    #[test]
    fn the_rules_inside_the_program_build() {
        let variable =
            |name: &str| (!name.starts_with("RULEGATE_PUBLISHED")).then(|| format!("http://{name}.test"));
        let mut loaded = load(&Memory::default(), Path::new(builtin::MAIN), &variable);
        let rules = loaded.rules.take().unwrap();
        let engine = build(&rules, &loaded.hash, &mut loaded.diagnostics);
        assert_eq!(loaded.diagnostics.render(&loaded.sources, false), "");
        let engine = engine.unwrap();
        assert!(
            engine.routes.iter().filter(|route| route.answer.is_none()).any(|route| route.ways.len() == 3)
        );
        assert_eq!(engine.version.len(), 12);
    }

    #[test]
    fn engines_are_shared_and_plans_travel() {
        fn shared<T: Send + Sync>() {}
        fn travels<T: Send>() {}
        shared::<Engine>();
        travels::<Plan>();
        travels::<Exchange>();
    }
}
