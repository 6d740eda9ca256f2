//! Protocol files and mapping files, as far as they are no templates.

use super::names::{header, single_path, url_path, uses};
use super::providers::known_protocol;
use crate::config::model::{Mapping, Protocol, Rules};
use crate::text::diagnostic::{Diagnostic, Diagnostics, did_you_mean};
use crate::text::path::{self, Path, Segment};
use crate::text::units::StatusSet;
use crate::text::yaml::Node;

/// What every mapping can read of a provider, without a parameter of that name.
const ALWAYS: &[&str] = &["name", "model"];

pub fn check(rules: &Rules, diags: &mut Diagnostics) {
    for protocol in &rules.protocols {
        one(protocol, diags);
        like(rules, protocol, diags);
    }
    for mapping in &rules.mappings {
        let pair = &mapping.mapping;
        known_protocol(rules, &pair.from, diags);
        known_protocol(rules, &pair.to, diags);
        if pair.from.value == pair.to.value {
            let diagnostic = Diagnostic::error("bad-mapping", "a mapping leads from one protocol to another");
            diags.push(diagnostic.at(pair.to.span).label("the same protocol"));
        }
        parts(rules, mapping, diags);
        parameters(mapping, diags);
        for (name, _) in mapping.headers.iter().chain(mapping.returned.iter()) {
            header(&name.text, false, name.span, diags);
        }
    }
}

fn one(protocol: &Protocol, diags: &mut Diagnostics) {
    url_path(&protocol.send.path, diags);
    for path in protocol.model.iter().chain(&protocol.messages).chain(&protocol.streaming) {
        single_path(path, diags);
    }
    for path in protocol.usage.iter().flat_map(|usage| &usage.at) {
        single_path(path, diags);
        let is_nameless = |path: Path| !matches!(path.segments().last(), Some(Segment::Name(_)));
        if path::parse(path).is_ok_and(|path| path.is_single() && is_nameless(path)) {
            let diagnostic = Diagnostic::error("bad-path", "an object with counts is told by its name");
            let help = "end it with the name, as in `$.usage`";
            diags.push(diagnostic.at(path.span).label("this path ends with none").help(help));
        }
    }
    for (name, _) in protocol.headers.iter().chain(protocol.error_headers.iter()) {
        header(&name.text, false, name.span, diags);
    }
    if let Some(auth) = &protocol.auth {
        header(&auth.header, false, auth.header.span, diags);
    }
    for name in protocol.forward.iter().chain(&protocol.returned) {
        header(name, true, name.span, diags);
    }
    for name in protocol.error_types.names() {
        if name.text != "default" && StatusSet::parse(&name.text).is_err() {
            let message = format!("`{}` is not a status", name.text);
            let diagnostic = Diagnostic::error("bad-status", message).at(name.span).label("not a status");
            diags.push(diagnostic.help("write 429, 5xx, 500-504 or default"));
        }
    }
    resumes(protocol, diags);
    if let (Some(streaming), None) = (&protocol.streaming, &protocol.stream) {
        let message = format!("`{}` has streams, but does not say how they look", protocol.protocol.value);
        let diagnostic = Diagnostic::error("missing-key", message).at(streaming.span);
        diags.push(diagnostic.label("a request can ask for one").help("write `stream:`"));
    }
}

/// A protocol that completes another one says all itself.
fn like(rules: &Rules, protocol: &Protocol, diags: &mut Diagnostics) {
    let Some(like) = &protocol.like else { return };
    known_protocol(rules, like, diags);
    let base = rules.protocol(&like.value);
    if let Some((base, of)) = base.and_then(|base| Some((base, base.like.as_ref()?))) {
        let message = format!("`{}` is itself like another protocol", like.value);
        let diagnostic =
            Diagnostic::error("bad-like", message).at(like.span).label("cannot complete this one");
        let diagnostic = diagnostic.note(base.protocol.span, "here");
        diags.push(diagnostic.help(format!("write `like: {}`, or leave it out and say all here", of.value)));
    }
}

/// What is resumed is a text.
fn resumes(protocol: &Protocol, diags: &mut Diagnostics) {
    let Some(resumes) = &protocol.resumes else { return };
    if protocol.stream.as_ref().is_none_or(|stream| stream.text.is_none()) {
        let message =
            format!("`{}` does not say which words a stream's events hold", protocol.protocol.value);
        let diagnostic = Diagnostic::error("missing-key", message).at(resumes.span);
        diags.push(diagnostic.label("nothing could be resumed").help("write `text` under `stream`"));
    }
}

/// What a mapping must have to be of use.
fn parts(rules: &Rules, mapping: &Mapping, diags: &mut Diagnostics) {
    let streams = rules.protocol(&mapping.mapping.from).is_some_and(|protocol| protocol.stream.is_some());
    let needed = [
        ("request", mapping.request.is_some(), true),
        ("response", mapping.response.is_some(), true),
        ("stream", mapping.stream.is_some(), streams),
    ];
    for (key, there, wanted) in needed {
        if wanted && !there {
            let message = format!("a mapping needs `{key}`");
            let diagnostic = Diagnostic::error("missing-key", message).at(mapping.span);
            diags.push(diagnostic.label(format!("`{key}` is missing here")));
        }
    }
}

/// Parameters that are read but not declared.
fn parameters(mapping: &Mapping, diags: &mut Diagnostics) {
    let declared: Vec<&str> =
        mapping.parameters.names().map(|key| key.text.as_str()).chain(ALWAYS.iter().copied()).collect();
    let parts = [
        &mapping.fragments,
        &mapping.request,
        &mapping.keep,
        &mapping.response,
        &mapping.error,
        &mapping.stream,
    ];
    super::parameters::defaults(mapping, diags);
    let headers = mapping
        .headers
        .iter()
        .chain(mapping.returned.iter())
        .chain(mapping.losses.iter())
        .map(|(_, node): (_, &Node)| node);
    let mut used = Vec::new();
    parts.into_iter().flatten().chain(headers).for_each(|node| uses(node, "$provider.", &mut used));
    let mut told = Vec::new();
    for (name, node) in used {
        if declared.contains(&name.as_str()) || told.contains(&name) {
            continue;
        }
        let message = format!("the mapping has no parameter `{name}`");
        let span = crate::config::record::head_span(node);
        let diagnostic = Diagnostic::error("unknown-parameter", message).at(span).label("read here");
        diags.push(match did_you_mean(&name, declared.iter().copied()) {
            Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
            None => diagnostic.help("declare it under `parameters`"),
        });
        told.push(name);
    }
}
