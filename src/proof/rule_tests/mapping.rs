//! One test of a mapping: a document goes through the compiled mapping, without a plan around it.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use http::HeaderMap;

use super::compare::{self, cut};
use super::given::{headers, text_or_json};
use super::{Findings, ID, NOW, Wrong};
use crate::config::model;
use crate::engine::exchange::Job;
use crate::engine::failure::{Failure, FailureKind};
use crate::engine::mapping::{Mapping, body, error_doc};
use crate::engine::names::View;
use crate::engine::{Engine, provider};
use crate::language::{Fail, Template, stream::StreamMachine};
use crate::text::json::Doc;
use crate::text::sse::SseDecoder;
use crate::text::yaml::{Kind, Node};

/// The word that stands for a failure in what is expected.
const FAIL: &str = "fail";

/// Runs one test.
pub fn run(engine: &Engine, from: &model::Mapping, test: &model::MappingTest) -> Findings {
    let mut found = Findings::default();
    let ends = (from.mapping.from.value.as_str(), from.mapping.to.value.as_str());
    let mapping = engine.mappings.iter().find(|it| (it.from.as_str(), it.to.as_str()) == ends);
    let mut wrong = |message: &str| found.wrong.push(Wrong::new(test.name.span, message));
    let Some(mapping) = mapping else {
        wrong("the mapping could not be compiled");
        return found;
    };
    examine(&Fixture::new(engine, mapping, test), &mut found.wrong);
    found
}

/// The same with the mapping as it is built for a provider with the test's parameters.
#[cfg(test)]
pub fn run_for_provider(
    engine: &Engine,
    rules: &model::Rules,
    from: &model::Mapping,
    test: &model::MappingTest,
) -> Findings {
    let mut found = Findings::default();
    let ends = (from.mapping.from.value.as_str(), from.mapping.to.value.as_str());
    let general = engine.mappings.iter().find(|it| (it.from.as_str(), it.to.as_str()) == ends);
    let parameters = provider_doc(test, &general.map_or_else(Vec::new, |it| it.parameters.clone()), "");
    let own = Arc::new(crate::engine::build::known_mapping(rules, engine, from, parameters));
    examine(&Fixture::new(engine, &own, test), &mut found.wrong);
    found
}

fn examine(fixture: &Fixture<'_>, wrong: &mut Vec<Wrong>) {
    let test = fixture.test;
    if let Some(node) = &test.response {
        fixture.response(node, wrong);
    } else if let Some(node) = &test.error {
        fixture.error(node, wrong);
    } else if let Some(node) = &test.stream {
        fixture.stream(node, wrong);
    } else {
        fixture.request(wrong);
    }
}

/// The world around the document: the request before it, the provider, the protocols.
struct Fixture<'t> {
    test: &'t model::MappingTest,
    mapping: &'t Arc<Mapping>,
    job: Job,
    headers: HeaderMap,
}

impl<'t> Fixture<'t> {
    fn new(engine: &Engine, mapping: &'t Arc<Mapping>, test: &'t model::MappingTest) -> Self {
        let protocol = |name: &str| engine.protocol(name).cloned().unwrap_or_default();
        let (client, provider) = (protocol(&mapping.from), protocol(&mapping.to));
        let request = test.request.as_ref().map_or_else(Doc::null, document);
        let asked = client.model.as_ref().and_then(|path| path.walk(request.root()));
        let asked = asked.and_then(|model| model.str()).unwrap_or_default().into_owned();
        let named = test.model.as_ref().map_or(&asked, |model| &model.value);
        let streaming = client.streaming.as_ref().and_then(|path| path.walk(request.root())?.bool());
        let (headers, provider_doc) =
            (headers(&test.headers), provider_doc(test, &mapping.parameters, named));
        let view = View {
            doc: Some(&request),
            request: Some(&request),
            provider: Some(&provider_doc),
            header: Some(&headers),
            model: Some(&asked),
            now: Some(NOW),
            id: Some(ID),
            ..View::default()
        };
        let kept = mapping.keep(&view);
        let upstream = mapping.request.as_ref().and_then(|template| {
            // Where the answer is tested, the request before it may be no more than a few of its members.
            body(template, &mut mapping.env(&view, &kept)).ok().map(Bytes::from)
        });
        let job = Job {
            client,
            provider,
            mapping: Some(mapping.clone()),
            kept,
            streaming: streaming == Some(true),
            whole: streaming != Some(true),
            upstream: upstream.unwrap_or_default(),
            request: request.clone(),
            provider_doc,
            model: asked,
            notices: None,
            dropped: Vec::new(),
            id: ID.to_owned(),
            now: NOW,
            limits: engine.limits,
            known: Default::default(),
            keys: Vec::new(),
            gate: Default::default(),
            resumes: false,
            upstream_doc: OnceLock::new(),
        };
        Fixture { test, mapping, job, headers }
    }

    /// The client's request becomes the provider's.
    fn request(&self, wrong: &mut Vec<Wrong>) {
        let view = View { doc: Some(&self.job.request), upstream: None, status: None, ..self.view(200) };
        self.whole(self.mapping.request.as_ref(), &view, wrong);
    }

    /// The provider's answer becomes the client's.
    fn response(&self, node: &Node, wrong: &mut Vec<Wrong>) {
        let doc = document(node);
        let view = View { doc: Some(&doc), ..self.view(self.status(200)) };
        self.whole(self.mapping.response.as_ref(), &view, wrong);
    }

    fn view(&self, status: u16) -> View<'_> {
        self.job.view(&self.headers, status)
    }

    fn status(&self, otherwise: u16) -> u16 {
        self.test.status.as_ref().map_or(otherwise, |status| status.value)
    }

    /// A whole document through one template.
    fn whole(&self, template: Option<&Template>, view: &View<'_>, wrong: &mut Vec<Wrong>) {
        let expected = &self.test.expect;
        let Some(template) = template else {
            // Without a template the body goes as it is.
            return compare_bytes(expected, view.doc.map_or("", Doc::text).as_bytes(), wrong);
        };
        let made = body(template, &mut self.mapping.env(view, &self.job.kept));
        match (made, expected_fail(expected)) {
            (Err(fail), Some(expected)) => failure(expected, Some(&fail), wrong),
            (Ok(_), Some(expected)) => failure(expected, None, wrong),
            (Ok(made), None) => compare_bytes(expected, &made, wrong),
            (Err(fail), None) => wrong.push(Wrong::new(self.test.name.span, failed(&fail))),
        }
    }

    /// The provider's error becomes the client's. `error` is `{status, headers, body}` or the body alone.
    fn error(&self, node: &Node, wrong: &mut Vec<Wrong>) {
        let words = ["status", "headers", "body"];
        let is_table = node.get("body").is_some()
            && node.as_map().is_some_and(|map| map.iter().all(|(key, _)| words.contains(&key.text.as_str())));
        let number = |node: &Node| match &node.kind {
            Kind::Number(raw) => raw.parse::<u16>().ok(),
            _ => None,
        };
        let stated = node.get("status").filter(|_| is_table).and_then(number);
        let status = stated.unwrap_or_else(|| self.status(500));
        let mut headers = self.headers.clone();
        for (name, value) in node.get("headers").filter(|_| is_table).and_then(Node::as_map).unwrap_or(&[]) {
            let name = http::HeaderName::from_bytes(name.text.as_bytes());
            let value = http::HeaderValue::from_bytes(&text_or_json(value));
            if let (Ok(name), Ok(value)) = (name, value) {
                headers.append(name, value);
            }
        }
        let raw: Bytes = text_or_json(node.get("body").filter(|_| is_table).unwrap_or(node)).into();
        let read = self.job.provider.read_error(&raw, &headers, Some(status));
        let said = Failure {
            status: Some(status),
            headers: headers.clone(),
            body: raw,
            ..Failure::new(FailureKind::Status, read.message.clone().unwrap_or_default())
        };
        let error = error_doc(&said, &read);
        let view = View { doc: read.doc.as_ref(), error: Some(&error), ..self.job.view(&headers, status) };
        let mut env = self.mapping.env(&view, &self.job.kept);
        let Some((mapped, body, made)) = self.mapping.error.as_ref().and_then(|error| error.map(&mut env))
        else {
            wrong.push(Wrong::new(self.test.name.span, "the mapping makes no error of this"));
            return;
        };
        for (key, expected) in self.test.expect.as_map().unwrap_or_default() {
            match key.text.as_str() {
                "status" => {
                    let got = mapped.unwrap_or(status);
                    if number(expected) != Some(got) {
                        wrong.push(Wrong::new(expected.span, format!("the status is {got}")));
                    }
                }
                "body" => compare_bytes(expected, &body, wrong),
                "headers" => header_values(expected, &made, wrong),
                other => {
                    wrong.push(Wrong::new(key.span, format!("of an error, `{other}` cannot be expected")))
                }
            }
        }
    }

    /// The provider's events become the client's. Where the stream fails, `{ fail: … }` is the last thing expected.
    fn stream(&self, node: &Node, wrong: &mut Vec<Wrong>) {
        let (Some(program), Some(events)) = (&self.mapping.stream, node.as_list()) else {
            wrong.push(Wrong::new(node.span, "a stream is a list, and the mapping must have a `stream`"));
            return;
        };
        let base = self.job.base(program, &self.headers, self.status(200));
        let mut machine = StreamMachine::new(program.clone());
        let done = self.job.provider.stream.as_ref().and_then(|shape| shape.done.as_deref());
        for event in events {
            match event.as_str() {
                Some(text) if Some(text) == done => machine.done(&base),
                _ => machine.event(&base, None, &text_or_json(event)),
            }
        }
        machine.eof(&base);
        let output = machine.take_output();
        let expected = self.test.expect.as_list().unwrap_or_default();
        let (events, fail) = match expected.last().and_then(|last| Some((last, expected_fail(last)?))) {
            Some((_, fail)) => (expected.get(..expected.len() - 1).unwrap_or_default(), Some(fail)),
            None => (expected, None),
        };
        let got = data_of(&output, self.job.client.stream.as_ref().and_then(|shape| shape.done.as_deref()));
        let list = Node { span: self.test.expect.span, kind: Kind::List(events.to_vec().into()) };
        match Doc::parse(got) {
            Ok(doc) => compare::value(&list, doc.root(), "$", wrong),
            Err(error) => {
                wrong.push(Wrong::new(self.test.name.span, format!("an event is no JSON: {error}")));
            }
        }
        match (fail, machine.failure()) {
            (Some(expected), got) => failure(expected, got, wrong),
            (None, Some(fail)) => wrong.push(Wrong::new(self.test.name.span, failed(fail))),
            (None, None) => {}
        }
    }
}

/// `$provider`: the test's parameters, and a name if they do not give one.
fn provider_doc(test: &model::MappingTest, defaults: &[(String, Vec<u8>)], model: &str) -> Doc {
    let name = test.with.get("name").and_then(Node::as_str).unwrap_or("provider");
    let given = test.with.iter().filter(|(key, _)| key.text != "name");
    let with: Vec<(String, Vec<u8>)> = given.map(|(key, node)| (key.text.clone(), json(node))).collect();
    provider::document(name, &with, defaults, model)
}

fn json(node: &Node) -> Vec<u8> {
    let mut out = Vec::new();
    node.to_json_bytes(&mut out);
    out
}

fn document(node: &Node) -> Doc {
    Doc::parse(text_or_json(node)).unwrap_or_else(|_| Doc::null())
}

fn compare_bytes(expected: &Node, got: &[u8], wrong: &mut Vec<Wrong>) {
    match Doc::parse(got.to_vec()) {
        Ok(doc) => compare::value(expected, doc.root(), "$", wrong),
        Err(error) => {
            let text = cut(&String::from_utf8_lossy(got));
            wrong.push(Wrong::new(expected.span, format!("what came is no JSON ({error}): {text}")));
        }
    }
}

/// What `{ fail: … }` expects.
fn expected_fail(node: &Node) -> Option<&Node> {
    match node.as_map() {
        Some([(key, fail)]) if key.text == FAIL => Some(fail),
        _ => None,
    }
}

fn failed(fail: &Fail) -> String {
    format!("it fails with status {}: {}", fail.status, fail.message)
}

/// A failure against those of its parts that are expected.
fn failure(expected: &Node, got: Option<&Fail>, wrong: &mut Vec<Wrong>) {
    let Some(fail) = got else {
        wrong.push(Wrong::new(expected.span, "a failure was expected, and nothing failed"));
        return;
    };
    let details = fail.details.as_ref().map(|raw| String::from_utf8_lossy(raw).into_owned());
    let parts = [
        ("status", Some(Doc::parse(fail.status.to_string().into_bytes()))),
        ("type", fail.kind.as_ref().map(|kind| Ok(Doc::of_str(kind)))),
        ("message", Some(Ok(Doc::of_str(&fail.message)))),
        ("details", details.map(Doc::from_string)),
    ];
    for (key, node) in expected.as_map().unwrap_or_default() {
        match parts.iter().find(|(name, _)| *name == key.text) {
            Some((name, Some(Ok(part)))) => compare::value(node, part.root(), name, wrong),
            Some((name, _)) => wrong.push(Wrong::new(key.span, format!("the failure has no {name}"))),
            None => {
                wrong.push(Wrong::new(key.span, "a failure has status, type, message and details, no more"));
            }
        }
    }
}

fn header_values(expected: &Node, got: &HeaderMap, wrong: &mut Vec<Wrong>) {
    for (name, node) in expected.as_map().unwrap_or_default() {
        let value = got.get(name.text.as_str()).map(|value| String::from_utf8_lossy(value.as_bytes()));
        match (value, node.is_null()) {
            (None, true) => {}
            (Some(value), false) => compare::value(node, Doc::of_str(&value).root(), &name.text, wrong),
            (None, false) => wrong.push(Wrong::new(name.span, format!("there is no header {}", name.text))),
            (Some(value), true) => {
                wrong.push(Wrong::new(name.span, format!("no such header is expected, it is {value}")));
            }
        }
    }
}

/// The data of all events but the one that ends a stream, as a list.
fn data_of(output: &[u8], done: Option<&str>) -> Vec<u8> {
    let mut list = b"[".to_vec();
    let mut each = |event: crate::text::sse::SseEvent<'_>| {
        if done.is_some_and(|done| done.as_bytes() == event.data) {
            return;
        }
        if list.len() > 1 {
            list.push(b',');
        }
        list.extend_from_slice(event.data);
    };
    let mut decoder = SseDecoder::new(usize::MAX);
    let read = decoder.push(output, &mut each).and_then(|()| decoder.finish(&mut each));
    let _ = read;
    list.push(b']');
    list
}
