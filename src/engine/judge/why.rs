//! Why a condition holds or not, for people: what was seen.

use super::when::{Test, Where, kind_of};
use super::{Facts, Judged};
use crate::config::model::Count;
use crate::engine::exchange::sniff::Sniffed;
use crate::engine::failure::FailureKind;
use crate::language::value::{Type, Val};
use crate::text::units::{Glob, grouped};
use std::borrow::Cow;

/// As much of a pattern is shown to people, in characters.
const LONGEST_SHOWN: usize = 80;
/// As much of it keys are looked for in, in characters.
const LONGEST_READ: usize = 1000;
/// As much of what stands at a path, in characters.
const LONGEST_VALUE: usize = 60;

impl Test {
    /// Why it holds or not, for people.
    pub fn why(&self, judged: &Judged<'_>) -> String {
        let holds = self.holds(judged);
        match self {
            Test::Is(value) => format!("it is always {value}"),
            Test::All(parts) if parts.is_empty() => "it asks for nothing".to_owned(),
            Test::All(parts) if holds => joined(parts, judged, ", and "),
            Test::All(parts) => parts
                .iter()
                .find(|part| !part.holds(judged))
                .map_or_else(String::new, |part| part.why(judged)),
            Test::Any(parts) if holds => {
                parts.iter().find(|part| part.holds(judged)).map_or_else(String::new, |part| part.why(judged))
            }
            Test::Any(parts) => joined(parts, judged, ", and "),
            Test::Not(part) if holds => format!("{}, as `not` wants", part.why(judged)),
            Test::Not(part) => format!("{}, which `not` rules out", part.why(judged)),
            fact => fact.why_fact(judged.facts, judged, holds),
        }
    }

    fn why_fact(&self, facts: &Facts<'_>, judged: &Judged<'_>, holds: bool) -> String {
        let is = if holds { "is" } else { "is not" };
        match self {
            Test::Status(set) => match (facts.status, facts.came) {
                (Some(status), Some(came)) if !holds => {
                    format!("neither status {came}, which came, nor {status}, as the error says, is {set}")
                }
                (Some(status), _) if !holds || set.contains(status) => format!("status {status} {is} {set}"),
                (_, Some(came)) => format!("status {came} {is} {set}"),
                _ => format!("there is no status, so it is not {set}"),
            },
            Test::Text(scope, patterns) => {
                let texts = patterns.iter().filter_map(|at| judged.patterns.pattern(*at));
                let texts: Vec<Cow<'_, str>> = texts.map(|pattern| beginning(pattern.as_str())).collect();
                let texts = texts.join("/ or /");
                let name = scope.name();
                let words = *scope == Where::Answer;
                let verb = match (holds, words) {
                    (true, true) => "match",
                    (true, false) => "matches",
                    (false, true) => "do not match",
                    (false, false) => "does not match",
                };
                if words && facts.failure.is_some() {
                    return "what failed is no good answer, and only those have words of an answer"
                        .to_owned();
                }
                if words && facts.answer.is_none() {
                    let reason = facts.unheard.unwrap_or("no words of an answer have come");
                    return format!("there are no words of a short answer: {reason}");
                }
                match judged.shown_text(*scope).filter(|_| !holds) {
                    Some(text) if text.is_empty() => {
                        format!("there is no {name}, so none that matches /{texts}/")
                    }
                    Some(text) => format!("the {name} {text:?} {verb} /{texts}/"),
                    None => format!("the {name} {verb} /{texts}/"),
                }
            }
            Test::Failure(kinds) if facts.failure.is_none() => {
                let names: Vec<&str> = kinds.iter().map(|kind| kind.name()).collect();
                format!("nothing failed, so it is not {}", names.join(" or "))
            }
            Test::Failure(kinds) => {
                let names: Vec<&str> = kinds.iter().map(|kind| kind.name()).collect();
                let failure = facts.failure.map_or("", FailureKind::name);
                format!("failure {failure} {is} {}", names.join(" or "))
            }
            Test::Body(kinds) => {
                let names: Vec<&str> = kinds.iter().map(|kind| body_name(*kind)).collect();
                format!("the body is {}, which {is} {}", body_name(kind_of(facts.body)), names.join(" or "))
            }
            Test::Phase(phases) => {
                let names: Vec<&str> = phases.iter().map(|phase| phase.word()).collect();
                format!("phase {} {is} {}", facts.stage().word(), names.join(" or "))
            }
            Test::Committed(_) if facts.committed => "the client had begun to read".to_owned(),
            Test::Committed(_) => "the client had not begun to read".to_owned(),
            Test::Route(globs) => {
                format!("route {} {is} {}", facts.route.name.unwrap_or(facts.route.path), listed(globs))
            }
            Test::Key(globs) if facts.key.is_empty() => {
                format!("no key was sent, so none of {}", listed(globs))
            }
            Test::Model(globs) if facts.model.is_empty() => {
                format!("the request names no model, so none of {}", listed(globs))
            }
            Test::Key(globs) => format!("key {} {is} {}", facts.key, listed(globs)),
            Test::Model(globs) => format!("model {} {is} {}", facts.model, listed(globs)),
            Test::Provider(names) => format!("provider {} {is} {}", facts.provider, names.join(" or ")),
            Test::Dropped(globs) if facts.dropped.is_empty() => {
                format!("nothing was dropped, so not {}", listed(globs))
            }
            Test::Dropped(globs) => format!("dropped {} {is} {}", facts.dropped.join(", "), listed(globs)),
            Test::Count(count, bounds) => match facts.count(*count) {
                Some(number) => {
                    let (about, of) = match count {
                        Count::Size => ("", "bytes"),
                        Count::Tokens => ("about ", "tokens"),
                        Count::Messages => ("", "messages"),
                    };
                    let of = if number == 1 { of.trim_end_matches('s') } else { of };
                    format!("the request has {about}{} {of}, which {is} {}", grouped(number), bounds.written)
                }
                None => format!("the protocol does not say where its {} are", count.word()),
            },
            Test::Hours(hours) => format!("it is {}, which {is} {hours}", hours.shown(facts.now)),
            Test::Path(condition, written) => {
                let seen = condition.seen(judged.env()).filter(|seen| judged.shows(written, seen));
                match seen {
                    Some(seen) if seen.kind() == Type::Nothing => format!("there is no {written}"),
                    Some(seen) if holds => format!("{written} is {}", shown(&seen, judged)),
                    Some(seen) => format!("{written} is {}, which does not fit", shown(&seen, judged)),
                    None if holds => format!("{written} holds"),
                    None => format!("{written} does not hold"),
                }
            }
            _ => String::new(),
        }
    }
}

fn body_name(kind: Sniffed) -> &'static str {
    match kind {
        Sniffed::Unsure => "empty",
        Sniffed::Json => "json",
        Sniffed::Events => "events",
        Sniffed::Html => "html",
        Sniffed::Other => "text",
    }
}

/// A value for people: the beginning of it, a text in quotes.
fn shown(value: &Val<'_>, judged: &Judged<'_>) -> String {
    let text = value.to_text().unwrap_or(Cow::Borrowed("null"));
    let begin = judged.hide.map_or_else(String::new, |hide| shortened(&text, hide));
    if value.kind() == Type::String { format!("{begin:?}") } else { begin }
}

/// The beginning of a text, without keys.
pub(super) fn shortened(text: &str, hide: &dyn Fn(&str) -> String) -> String {
    // A key is found only where it is whole, so it is looked for before the text is cut.
    let text: String = text.chars().take(LONGEST_READ).collect();
    let text = hide(&text);
    let mut begin: String = text.chars().take(LONGEST_VALUE).collect();
    if begin.len() < text.len() {
        begin.push('…');
    }
    begin
}

/// As much of a pattern as says which one it is.
fn beginning(pattern: &str) -> Cow<'_, str> {
    match pattern.char_indices().nth(LONGEST_SHOWN) {
        Some((end, _)) => Cow::Owned(format!("{}…", pattern.get(..end).unwrap_or_default())),
        None => Cow::Borrowed(pattern),
    }
}

fn joined(parts: &[Test], judged: &Judged<'_>, with: &str) -> String {
    let all: Vec<String> = parts.iter().map(|part| part.why(judged)).collect();
    all.join(with)
}

fn listed(globs: &[Glob]) -> String {
    let all: Vec<&str> = globs.iter().map(Glob::as_str).collect();
    all.join(" or ")
}
