//! Compiles protocol files.

use super::Build;
use crate::config::model;
use crate::engine::build::compile;
use crate::engine::names::{self, INCOMING, MAPPING, OUTGOING, RESUMED, RESUMING, ROUTING, WORDING};
use crate::engine::protocol::{Auth, HeaderList, Protocol, Resume, StreamShape, TypeOfStatus};
use crate::engine::usage::UsageReader;
use crate::language::scope::Scope;
use crate::language::stream::{Framing, StreamProgram};
use crate::language::{Condition, Guarded, Patch};
use crate::text::diagnostic::Diagnostics;
use crate::text::path::{self, Path, Segment};
use crate::text::units::{Glob, StatusSet};
use crate::text::yaml::{Key, Kind, Node};
use memchr::memmem::Finder;
use std::sync::Arc;

impl Build<'_> {
    pub(super) fn protocol(&mut self, from: &model::Protocol) -> Protocol {
        let (outgoing, incoming, wording) = (self.scope(OUTGOING), self.scope(INCOMING), self.scope(WORDING));
        names::answers(&incoming);
        let mut made = Protocol {
            name: from.protocol.value.clone(),
            path: self.text(&from.send.path.value, from.send.path.span, &outgoing),
            method: http::Method::from_bytes(from.send.method.as_bytes()).unwrap_or(http::Method::POST),
            forward_query: matches!(from.query, model::Query::Forward),
            auth: from.auth.as_ref().and_then(|auth| self.auth(auth, &outgoing)),
            headers: self.headers(&from.headers, &outgoing),
            forward: self.header_list(&from.forward),
            returned: self.header_list(&from.returned),
            model: from.model.as_ref().and_then(|path| self.path(path)),
            messages: from.messages.as_ref().and_then(|path| self.path(path)),
            takes_forms: matches!(from.body, model::RequestBody::Form),
            answers_bytes: matches!(from.answer, model::AnswerKind::Bytes),
            exact_models: matches!(from.models, model::WhichModels::Named),
            model_suffixes: from.model_suffixes.iter().map(|suffix| suffix.value.clone()).collect(),
            streaming: from.streaming.as_ref().and_then(|path| self.path(path)),
            stream: from.stream.as_ref().map(|stream| self.stream_shape(stream, &incoming, &wording)),
            whole: self.condition(from.whole.as_ref(), &incoming),
            text: self.template(from.text.as_ref(), &incoming),
            usage: from.usage.as_ref().map(|usage| self.usage(usage)),
            fold: self.program(from, from.fold.as_ref(), true),
            unfold: self.program(from, from.unfold.as_ref(), false),
            resume: from.resumes.as_ref().and_then(|resumes| self.resume(from, resumes)),
            ask_stream: from.streaming.as_ref().and_then(|path| self.ask_stream(path)),
            ..Protocol::default()
        };
        for (key, node) in from.error.iter() {
            let template = compile::template(node, &incoming, self.diags);
            match key.text.as_str() {
                "type" => made.reader.kind = template,
                "code" => made.reader.code = template,
                "message" => made.reader.message = template,
                "status" => made.reader.status = template,
                _ => self.unknown_part(key),
            }
        }
        made.wording.body = self.template(from.errors.as_ref(), &wording);
        made.wording.headers = self.headers(&from.error_headers, &wording);
        for (key, kind) in from.error_types.iter() {
            made.wording.types.extend(self.type_of_status(key, &kind.value));
        }
        // The default comes last, wherever it stands.
        made.wording.types.sort_by_key(|known| known.statuses.is_none());
        for scope in [outgoing, incoming, wording] {
            scope.finish(self.diags);
        }
        made
    }

    fn stream_shape(&mut self, from: &model::StreamShape, incoming: &Scope, wording: &Scope) -> StreamShape {
        StreamShape {
            event: from.event.as_ref().map(|name| name.value.clone()),
            done: from.done.as_ref().map(|text| text.value.clone()),
            write_done: from.write_done,
            content: self.condition(from.content.as_ref(), incoming),
            text: self.template(from.text.as_ref(), incoming),
            end: self.condition(from.end.as_ref(), incoming),
            end_hint: from.end.as_ref().and_then(hint),
            error_hints: from.error.as_ref().map(hints).unwrap_or_default(),
            error: self.condition(from.error.as_ref(), incoming).map(Guarded::condition),
            own_error: self.condition(from.own_error.as_ref(), incoming),
            finish: self.condition(from.finish.as_ref(), incoming),
            stop: self.template(from.stop.as_ref(), wording),
            grace: from.grace,
            ping: self.template(from.ping.as_ref(), wording),
            ping_every: from.ping_every,
            failed: self.template(from.failed.as_ref(), wording),
        }
    }

    /// Where the counts of tokens stand.
    fn usage(&mut self, from: &model::UsageShape) -> UsageReader {
        let scope = self.scope(INCOMING);
        names::answers(&scope);
        let parts = [&from.input, &from.cache_read, &from.cache_write, &from.output, &from.reasoning];
        let counts = parts.map(|node| self.template(node.as_ref(), &scope));
        scope.finish(self.diags);
        let at: Vec<Path> = from.at.iter().filter_map(|path| self.path(path)).collect();
        let mut names: Vec<&str> = at
            .iter()
            .filter_map(|path| match path.segments().last() {
                Some(Segment::Name(name)) => Some(&**name),
                _ => None,
            })
            .collect();
        names.sort_unstable();
        names.dedup();
        let names = names.iter().map(|name| Finder::new(&format!("\"{name}\"")).into_owned()).collect();
        UsageReader { at, names, counts }
    }

    /// `fold` or `unfold`.
    fn program(
        &mut self,
        from: &model::Protocol,
        node: Option<&Node>,
        folds: bool,
    ) -> Option<Arc<StreamProgram>> {
        let framing = framing(from.stream.as_ref().filter(|_| !folds), folds);
        StreamProgram::compile(node?, self.scope(MAPPING), framing, self.diags).map(Arc::new)
    }

    /// How a stream that broke off is resumed.
    fn resume(&mut self, protocol: &model::Protocol, from: &model::Resumption) -> Option<Resume> {
        let scope = self.scope(RESUMED);
        let when = self.condition(from.when.as_ref(), &scope);
        let request = compile::patch(&from.request, &scope, self.diags);
        scope.finish(self.diags);
        let framing = framing(protocol.stream.as_ref(), false);
        let stream = StreamProgram::compile(&from.stream, self.scope(RESUMING), framing, self.diags);
        Some(Resume { when, request: request?, stream: Arc::new(stream?) })
    }

    /// The patch that makes a request ask for a stream.
    fn ask_stream(&mut self, path: &model::Spanned<String>) -> Option<Patch> {
        let node = |kind| Node { span: path.span, kind };
        let key = |text: &str| Key { text: text.to_owned(), span: path.span };
        let set = node(Kind::Map(vec![(key(&path.value), node(Kind::Bool(true)))].into()));
        let edit = node(Kind::Map(vec![(key("set"), set)].into()));
        let scope = self.scope(ROUTING);
        // What is wrong with the path is told once, where it is read.
        let mut ignored = Diagnostics::new();
        compile::patch(&node(Kind::List(vec![edit].into())), &scope, &mut ignored)
    }

    fn unknown_part(&mut self, key: &Key) {
        let known = ["type", "code", "message", "status"];
        self.diags
            .error("unknown-key", key.span, format!("an error has no `{}`", key.text))
            .did_you_mean(&key.text, known)
            .help(format!("it has {}", known.join(", ")));
    }

    fn type_of_status(&mut self, key: &Key, kind: &str) -> Option<TypeOfStatus> {
        let kind = kind.to_owned();
        if key.text == "default" {
            return Some(TypeOfStatus { statuses: None, exact: None, kind });
        }
        match StatusSet::parse(&key.text) {
            Ok(statuses) => {
                Some(TypeOfStatus { statuses: Some(statuses), exact: key.text.parse().ok(), kind })
            }
            Err(message) => {
                self.diags.error("bad-status", key.span, message).help("or `default`, for all others");
                None
            }
        }
    }

    pub(super) fn auth(&mut self, from: &model::Auth, scope: &Scope) -> Option<Auth> {
        let header = self.header_name(&from.header.value, from.header.span);
        let value = compile::template(&from.value, scope, self.diags);
        Some(Auth { header: header?, value: value? })
    }

    pub(super) fn header_list(&mut self, names: &[model::Spanned<String>]) -> HeaderList {
        let mut globs = Vec::new();
        for name in names {
            match Glob::parse(&name.value.to_ascii_lowercase()) {
                Ok(glob) => globs.push(glob),
                Err(message) => drop(self.diags.error("bad-pattern", name.span, message)),
            }
        }
        HeaderList(globs)
    }

    pub(super) fn condition(&mut self, node: Option<&Node>, scope: &Scope) -> Option<Condition> {
        compile::condition(node?, scope, self.diags)
    }

    /// A path into a request's body to one value.
    fn path(&mut self, from: &model::Spanned<String>) -> Option<Path> {
        match path::parse(&from.value) {
            Ok(path) if path.root.is_empty() && path.is_single() => Some(path),
            Ok(_) => {
                let message = "a path to one place in the body is wanted here, such as `$.model`";
                self.diags.error("bad-path", from.span, message);
                None
            }
            Err(error) => {
                self.diags.error("bad-path", from.span, error.message);
                None
            }
        }
    }
}

/// How the events are framed that a client gets; of a fold, not at all.
fn framing(stream: Option<&model::StreamShape>, folds: bool) -> Framing {
    let done = stream.filter(|shape| shape.write_done).and_then(|shape| shape.done.as_ref());
    Framing {
        event: stream.and_then(|shape| shape.event.as_ref()).map(|name| name.value.clone()),
        done: done.map(|text| text.value.clone()),
        folds,
    }
}

/// Texts of which one stands in every document for which a condition holds: what a path must equal, or the last name in a
/// path that must be there; of several alternatives one each.
fn hints(condition: &Node) -> Vec<Finder<'static>> {
    let last_name = |path: &str| {
        let name = path.rsplit(['.', '$']).next().unwrap_or_default();
        let is_name =
            !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        is_name.then(|| Finder::new(name).into_owned())
    };
    match &condition.kind {
        Kind::Map(entries) => match entries.iter().find(|(key, _)| key.text == "any") {
            Some((_, Node { kind: Kind::List(any), .. })) => any.iter().flat_map(hints).collect(),
            _ => {
                let named = || entries.iter().find(|(key, _)| key.text.starts_with("$."));
                hint(condition).or_else(|| last_name(&named()?.0.text)).into_iter().collect()
            }
        },
        _ => condition.as_str().and_then(last_name).into_iter().collect(),
    }
}

/// A text that stands in every document for which a condition holds: the longest one that a path must equal.
fn hint(condition: &Node) -> Option<Finder<'static>> {
    let Kind::Map(entries) = &condition.kind else {
        return None;
    };
    let equal =
        entries.iter().filter(|(key, _)| key.text.starts_with('$')).filter_map(|(_, value)| value.as_str());
    // What JSON may write in several ways is of no use.
    let plain = |text: &&str| {
        !text.starts_with('$')
            && !text.is_empty()
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-. ".contains(&byte))
    };
    let text = equal.filter(plain).max_by_key(|text| text.len())?;
    Some(Finder::new(text).into_owned())
}
