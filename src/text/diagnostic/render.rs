//! Findings drawn as rustc draws them.

use std::ops::Range;

use annotate_snippets::{Annotation, AnnotationKind, Group, Level, Renderer, Snippet};

use super::sources::boundary;
use super::{Diagnostic, FileId, Severity, Sources, Span};
use crate::text::visible::{visible, visible_in_place};

/// All findings, one below the other, each ended by a line break and parted by an empty line.
pub(super) fn render(found: &[Diagnostic], sources: &Sources, color: bool) -> String {
    let renderer = if color { Renderer::styled() } else { Renderer::plain() };
    let mut out = String::new();
    for diagnostic in found {
        if !out.is_empty() {
            out.push('\n');
        }
        out.push_str(&renderer.render(&[group(diagnostic, sources)]));
        out.push('\n');
    }
    out
}

fn group<'a>(diagnostic: &'a Diagnostic, sources: &'a Sources) -> Group<'a> {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let mut group = Group::with_title(level.primary_title(visible(&diagnostic.message)).id(diagnostic.code));
    for file in files(diagnostic) {
        group = group.element(snippet(diagnostic, sources, file));
    }
    group.elements(diagnostic.help.iter().map(|help| Level::HELP.message(visible(help))))
}

/// The files to show, the one with the mistake first.
fn files(diagnostic: &Diagnostic) -> Vec<FileId> {
    let mut files = Vec::new();
    let places = diagnostic.span.iter().chain(diagnostic.notes.iter().map(|(span, _)| span));
    for span in places {
        if !files.contains(&span.file) {
            files.push(span.file);
        }
    }
    files
}

fn snippet<'a>(
    diagnostic: &'a Diagnostic,
    sources: &'a Sources,
    file: FileId,
) -> Snippet<'a, Annotation<'a>> {
    let text = sources.text(file);
    let primary = diagnostic.span.filter(|span| span.file == file).map(|span| {
        let mark = AnnotationKind::Primary.span(first_line(text, span));
        if diagnostic.label.is_empty() { mark } else { mark.label(visible(&diagnostic.label)) }
    });
    let notes = diagnostic
        .notes
        .iter()
        .filter(|(span, _)| span.file == file)
        .map(|(span, note)| AnnotationKind::Context.span(first_line(text, *span)).label(visible(note)));
    Snippet::source(visible_in_place(text))
        .path(visible(sources.name(file)))
        .annotations(primary.into_iter().chain(notes))
}

/// The part of `span` on its first line: a mapping of fifty lines is not drawn, its beginning is.
fn first_line(text: &str, span: Span) -> Range<usize> {
    let start = boundary(text, span.start);
    let end = boundary(text, span.end).max(start);
    let length = text.get(start..end).unwrap_or("").lines().next().unwrap_or("").trim_end().len();
    start..start + length
}
