//! YAML: a tree whose every place is one of the text, or a finding that can be shown.

use rulegate::text::diagnostic::{Diagnostics, Sources, Span};
use rulegate::text::yaml::{Kind, Node, parse};

/// Reads the bytes as a YAML document.
pub fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let mut sources = Sources::new();
    let file = sources.add("fuzz.yaml", text);
    match parse(file, text) {
        Ok(node) => tree(&sources, &node, &mut 100_000),
        Err(found) => {
            let mut all = Diagnostics::new();
            all.push(found);
            shown(&sources, &all);
        }
    }
}

/// Holds that each finding names a place of its text and can be shown.
pub fn shown(sources: &Sources, findings: &Diagnostics) {
    for finding in findings.iter() {
        assert!(!finding.message.is_empty(), "a finding says something");
        let spans = finding.span.iter().chain(finding.notes.iter().map(|(span, _)| span));
        spans.for_each(|span| place(sources, *span));
        assert!(!finding.one_line(sources).is_empty());
    }
    if !findings.is_empty() {
        assert!(!findings.render(sources, false).is_empty());
        assert!(!findings.to_json(sources).is_null());
    }
}

/// A place must lie in the text, between characters.
fn place(sources: &Sources, span: Span) {
    let text = sources.text(span.file);
    let (start, end) = (span.start as usize, span.end as usize);
    assert!(start <= end && end <= text.len(), "{start}..{end} of {} bytes", text.len());
    assert!(text.is_char_boundary(start) && text.is_char_boundary(end), "{start}..{end} cuts a character");
}

/// An alias may stand for a large part of the tree, so that not all of it is walked.
fn tree(sources: &Sources, node: &Node, left: &mut usize) {
    if *left == 0 {
        return;
    }
    *left -= 1;
    place(sources, node.span);
    match &node.kind {
        Kind::List(items) => items.iter().for_each(|item| tree(sources, item, left)),
        Kind::Map(entries) => entries.iter().for_each(|(key, value)| {
            place(sources, key.span);
            tree(sources, value, left);
        }),
        _ => {}
    }
}
