//! What `rulegate map` prints: JSON for people, and the events of a stream beside their causes.

use super::world::{Asked, World};
use crate::cli::style::Style;
use crate::engine::plan::{Answer, AnswerBody};
use crate::text::json::{Doc, Json, JsonKind, write_str};
use crate::text::sse::SseDecoder;

/// What goes to the standard output.
pub(super) struct Page {
    style: Style,
    steps: bool,
    inputs: usize,
    /// The stream program's state as it was shown last.
    state: Vec<(String, Option<String>)>,
    text: String,
}

impl Page {
    /// An empty page; `steps`: also show how things came about.
    pub fn new(style: Style, steps: bool) -> Page {
        Page { style, steps, inputs: 0, state: Vec::new(), text: String::new() }
    }

    /// Whether steps are shown.
    pub fn steps(&self) -> bool {
        self.steps
    }

    /// All that is to be printed.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Who asks whom, and what the mapping knows.
    pub fn begin(&mut self, world: &World, asked: &Asked) {
        if !self.steps {
            return;
        }
        let pair = &world.mapping.mapping;
        self.step(&format!("{} -> {}", pair.from.value, pair.to.value));
        // Line breaks stand between tokens only: JSON's strings have none.
        let request = String::from_utf8_lossy(&asked.request);
        self.value("$request", &request.lines().map(str::trim).collect::<Vec<_>>().join(" "));
        let job = asked.attempt.exchange.job();
        self.value("$provider", job.provider_doc.text());
        let names = world.mapping.keep.as_ref().and_then(|keep| keep.as_map()).unwrap_or_default();
        for ((name, _), (_, value)) in names.iter().zip(&job.kept) {
            let mut out = Vec::new();
            let written = value.write(&mut out);
            let shown = String::from_utf8_lossy(&out).into_owned();
            self.value(&format!("$keep.{}", name.text), if written { &shown } else { "(nothing)" });
        }
        if !world.mapping.losses.is_empty() {
            let dropped = job.dropped.join(", ");
            self.value("losses", if dropped.is_empty() { "(nothing)" } else { &dropped });
        }
    }

    /// The request to the provider.
    pub fn request(&mut self, asked: &Asked) {
        let request = &asked.attempt.request;
        if self.steps {
            self.step(&format!("{} {}", request.method, request.url));
            for (name, value) in &request.headers {
                let shown = if value.is_sensitive() {
                    "***".into()
                } else {
                    String::from_utf8_lossy(value.as_bytes())
                };
                self.line(&format!("   {name}: {shown}"));
            }
        }
        self.json(&request.body);
    }

    /// What the client is given, in one piece.
    pub fn answer(&mut self, answer: Answer) {
        let status = answer.status.as_u16();
        if self.steps || status >= 400 {
            self.step(&format!("status {status}"));
        }
        match answer.body {
            AnswerBody::Whole(body) => self.json(&body),
            AnswerBody::Stream(mut exchange) => self.output(&exchange.take_output()),
        }
    }

    /// A piece of the provider's stream, or its end.
    pub fn input(&mut self, piece: Option<&[u8]>) {
        if !self.steps {
            return;
        }
        let Some(piece) = piece else {
            self.step("the bytes are over");
            return;
        };
        let mut found = Vec::new();
        events(piece, |name, data| found.push(event(name, data)));
        let text = String::from_utf8_lossy(piece);
        if found.is_empty() && !text.trim().is_empty() {
            // No event: one whole answer, or a comment.
            found.push(text.lines().map(str::trim).collect::<Vec<_>>().join(" "));
        }
        for event in &found {
            self.inputs += 1;
            self.step(&format!("{} <- {event}", self.inputs));
        }
    }

    /// Events for the client.
    pub fn output(&mut self, bytes: &[u8]) {
        if !self.steps {
            self.text.push_str(&String::from_utf8_lossy(bytes));
            return;
        }
        let mut found = Vec::new();
        events(bytes, |name, data| found.push(event(name, data)));
        for event in &found {
            self.line(&format!("   -> {event}"));
        }
    }

    /// What a step has changed in the state of the stream program.
    pub fn state(&mut self, state: Vec<(String, Option<String>)>) {
        if !self.steps || state.is_empty() {
            return;
        }
        let known = std::mem::replace(&mut self.state, state.clone());
        for (name, value) in state.into_iter().filter(|now| !known.contains(now)) {
            // What begins as nothing has not changed.
            if value.is_some() || !known.is_empty() {
                self.value(&format!("$state.{name}"), value.as_deref().unwrap_or("(nothing)"));
            }
        }
    }

    /// Something to know about the step.
    pub fn note(&mut self, text: &str) {
        if self.steps {
            let text = self.style.faint(&format!("   ({text})"));
            self.line(&text);
        }
    }

    fn value(&mut self, name: &str, value: &str) {
        self.line(&format!("   {name} = {value}"));
    }

    fn step(&mut self, text: &str) {
        let text = self.style.strong(text);
        self.line(&text);
    }

    fn line(&mut self, text: &str) {
        self.text.push_str(text);
        self.text.push('\n');
    }

    /// A body; one that is no JSON is shown as it is.
    fn json(&mut self, body: &[u8]) {
        match Doc::parse(body.to_vec()) {
            Ok(doc) => pretty(doc.root(), 0, &mut self.text),
            Err(_) => self.text.push_str(&String::from_utf8_lossy(body)),
        }
        self.text.push('\n');
    }
}

/// JSON with a line for each value; the text of every number and string stays as it is.
fn pretty(value: Json<'_>, depth: usize, out: &mut String) {
    let line = |depth: usize, out: &mut String| {
        out.push('\n');
        out.push_str(&"  ".repeat(depth));
    };
    match value.kind() {
        JsonKind::Array if !value.is_empty() => {
            out.push('[');
            for (at, item) in value.items().enumerate() {
                out.push_str(if at > 0 { "," } else { "" });
                line(depth + 1, out);
                pretty(item, depth + 1, out);
            }
            line(depth, out);
            out.push(']');
        }
        JsonKind::Object if !value.is_empty() => {
            out.push('{');
            for (at, (name, member)) in value.entries().enumerate() {
                out.push_str(if at > 0 { "," } else { "" });
                line(depth + 1, out);
                let mut quoted = Vec::new();
                write_str(&mut quoted, &name);
                out.push_str(&String::from_utf8_lossy(&quoted));
                out.push_str(": ");
                pretty(member, depth + 1, out);
            }
            line(depth, out);
            out.push('}');
        }
        _ => out.push_str(value.raw()),
    }
}

/// The frames of a stream: a blank line ends each; the last one may lack it.
pub(super) fn frames(bytes: &[u8]) -> Vec<&[u8]> {
    let mut frames = Vec::new();
    let (mut start, mut at) = (0, 0);
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        at += line.len();
        if line.trim_ascii().is_empty() {
            frames.extend(bytes.get(start..at));
            start = at;
        }
    }
    frames.extend(bytes.get(start..).filter(|rest| !rest.is_empty()));
    frames
}

fn events(bytes: &[u8], mut each: impl FnMut(Option<&str>, &[u8])) {
    let mut decoder = SseDecoder::new(usize::MAX);
    let mut one = |event: crate::text::sse::SseEvent<'_>| each(event.name, event.data);
    // With no limit nothing is too long.
    let _ = decoder.push(bytes, &mut one).and_then(|()| decoder.finish(&mut one));
}

fn event(name: Option<&str>, data: &[u8]) -> String {
    let data = String::from_utf8_lossy(data);
    name.map_or_else(|| data.to_string(), |name| format!("{name} {data}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_keeps_the_text_of_its_numbers() {
        let doc = Doc::parse(br#"{"a":[1.0,{}],"b":"\u00e4"}"#.to_vec()).unwrap();
        let mut out = String::new();
        pretty(doc.root(), 0, &mut out);
        assert_eq!(out, "{\n  \"a\": [\n    1.0,\n    {}\n  ],\n  \"b\": \"\\u00e4\"\n}");
    }

    #[test]
    fn frames_end_at_blank_lines() {
        let cut = |text: &'static str| frames(text.as_bytes()).iter().map(|it| it.len()).collect::<Vec<_>>();
        assert_eq!(cut("data: a\n\ndata: b\n\n"), [9, 9]);
        assert_eq!(cut("data: a\r\n\r\ndata: b"), [11, 7]);
        assert!(cut("").is_empty());
    }
}
