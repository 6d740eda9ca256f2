//! A provider's parameters: that something reads them, and that their values mean something to it.

use super::names::uses;
use crate::config::model::{Mapping, Parameter, Provider, Rules};
use crate::text::diagnostic::{Diagnostic, Diagnostics, did_you_mean};
use crate::text::yaml::{self, Kind, Node};

/// Parameters that nothing reads, and values that mean nothing.
pub fn check(rules: &Rules, name: &yaml::Key, provider: &Provider, diags: &mut Diagnostics) {
    if provider.with.is_empty() || rules.incomplete {
        return;
    }
    let spoken = |name: &str| provider.speaks.iter().any(|it| it.value == name);
    let mappings = rules.mappings.iter().filter(|mapping| spoken(&mapping.mapping.to));
    let declared = mappings.flat_map(|mapping| mapping.parameters.names()).map(|key| key.text.clone());
    let spoken_protocols = || provider.speaks.iter().filter_map(|name| rules.protocol(name));
    let templates =
        spoken_protocols().flat_map(|protocol| protocol.headers.iter().chain(protocol.error.iter()));
    let auths =
        spoken_protocols().filter_map(|protocol| protocol.auth.as_ref()).chain(provider.auth.as_ref());
    let templates = templates.chain(provider.headers.iter()).map(|(_, node)| node);
    let templates = templates.chain(auths.map(|auth| &auth.value)).chain(&provider.patch);
    let resumes = rules.protocols.iter().filter_map(|protocol| protocol.resumes.as_ref());
    let templates = templates.chain(resumes.map(|resumes| &resumes.request));
    let templates = templates.chain(provider.repairs.iter().map(|(_, repair)| &repair.node));
    let mut used = Vec::new();
    templates.for_each(|node: &Node| uses(node, "$provider.", &mut used));
    let mut read: Vec<String> = declared.chain(used.into_iter().map(|(name, _)| name)).collect();
    read.sort();
    read.dedup();
    for (parameter, node) in provider.with.iter() {
        if read.contains(&parameter.text) {
            value(rules, provider, parameter, node, diags);
            continue;
        }
        let message = format!("nothing reads the parameter `{}` of `{}`", parameter.text, name.text);
        let diagnostic =
            Diagnostic::error("unknown-parameter", message).at(parameter.span).label("read by nothing");
        diags.push(match did_you_mean(&parameter.text, read.iter().map(String::as_str)) {
            Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
            None if read.is_empty() => diagnostic.help("no mapping to its protocol has parameters"),
            None => diagnostic.help(format!("the parameters are: {}", read.join(", "))),
        });
    }
}

/// Defaults that are none of the words that a parameter may be.
pub fn defaults(mapping: &Mapping, diags: &mut Diagnostics) {
    for (name, parameter) in mapping.parameters.iter().filter(|(_, it)| !it.values.is_empty()) {
        let Some(default) = parameter.default.as_ref().filter(|default| !takes(parameter, default)) else {
            continue;
        };
        let words: Vec<&str> = parameter.values.iter().map(|word| word.value.as_str()).collect();
        let message = format!("the parameter `{}` is by default what it cannot be", name.text);
        let diagnostic = Diagnostic::error("bad-parameter", message).at(default.span);
        diags.push(match default.as_str().and_then(|text| did_you_mean(text, words.iter().copied())) {
            Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
            None => diagnostic.help(format!("it is one of {}", words.join(", "))),
        });
    }
}

/// A value that no mapping to the provider's protocols knows.
fn value(rules: &Rules, provider: &Provider, name: &yaml::Key, node: &Node, diags: &mut Diagnostics) {
    let spoken = |to: &str| provider.speaks.iter().any(|it| it.value == to);
    let mappings = rules.mappings.iter().filter(|mapping| spoken(&mapping.mapping.to));
    let declared = mappings.flat_map(|mapping| mapping.parameters.iter());
    let declared = declared.filter(|(key, _)| key.text == name.text).map(|(_, parameter)| parameter);
    let declared: Vec<&Parameter> = declared.collect();
    let told_by_path = node.as_str().is_some_and(|text| text.starts_with('$') || text.contains("{$"));
    if declared.is_empty() || told_by_path || declared.iter().any(|parameter| takes(parameter, node)) {
        return;
    }
    let words = declared.iter().flat_map(|parameter| &parameter.values).map(|word| word.value.as_str());
    let words: Vec<&str> = words.collect();
    let message = match node.as_str() {
        Some(text) => format!("the parameter `{}` cannot be `{text}`", name.text),
        None => format!("the parameter `{}` cannot be {}", name.text, node.type_name()),
    };
    let diagnostic = Diagnostic::error("bad-parameter", message).at(node.span);
    let near = node.as_str().and_then(|text| did_you_mean(text, words.iter().copied()));
    let diagnostic = match near {
        Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
        None if words.is_empty() => {
            let default = declared.iter().find_map(|parameter| parameter.default.as_ref());
            diagnostic.help(format!("it is {}", default.map_or("something else", Node::type_name)))
        }
        None => diagnostic.help(format!("it is one of {}", words.join(", "))),
    };
    let doc = declared.iter().find_map(|parameter| parameter.doc.as_ref());
    diags.push(match doc {
        Some(doc) => diagnostic.help(format!("`{}`: {doc}", name.text)),
        None => diagnostic,
    });
}

/// One of its words, or what its default is.
fn takes(parameter: &Parameter, node: &Node) -> bool {
    if !parameter.values.is_empty() {
        return node.as_str().is_some_and(|text| parameter.values.iter().any(|word| word.value == text));
    }
    match (parameter.default.as_ref().map(|default| &default.kind), &node.kind) {
        (Some(Kind::Bool(_)), kind) => matches!(kind, Kind::Bool(_)),
        (Some(Kind::List(_)), kind) => matches!(kind, Kind::List(_)),
        (Some(Kind::Map(_)), kind) => matches!(kind, Kind::Map(_)),
        _ => true,
    }
}
