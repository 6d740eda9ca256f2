//! `time`, `days` and `zone` of a condition: together they are one fact.

use super::Spanned;
use crate::config::record::{FromNode, Schemas, wrong_type};
use crate::text::diagnostic::{Diagnostic, Diagnostics, did_you_mean};
use crate::text::units::{DAYS, DaySet, Hours, TimeRange, is_zone};
use crate::text::yaml::{Key, Kind, Node};
use serde_json::{Value, json};

/// The keys that belong together.
pub const KEYS: [&str; 3] = ["time", "days", "zone"];

/// Reads them from a condition. `None` where it has none of them, or where something is wrong with them.
pub fn read(entries: &[(Key, Node)], diags: &mut Diagnostics) -> Option<Hours> {
    let entry = |name: &str| entries.iter().find(|(key, _)| key.text == name);
    let (time, days, zone) = (entry("time"), entry("days"), entry("zone"));
    if let (None, None, Some((key, _))) = (time, days, zone) {
        let diagnostic = Diagnostic::error("missing-key", "`zone` needs `time` or `days` beside it");
        diags.push(
            diagnostic.at(key.span).label("of what?").help("write for example `time: \"22:00-06:00\"`"),
        );
        return None;
    }
    let ranges = match time {
        Some((_, node)) => several(node, diags, range),
        None => Some(Vec::new()),
    };
    let set = match days {
        Some((_, node)) => several(node, diags, day).and_then(|days| days.into_iter().reduce(DaySet::or)),
        None => Some(DaySet::ALL),
    };
    let zone = match zone {
        Some((_, node)) => {
            let zone = Spanned::<String>::from_node(node, diags)?;
            crate::config::check::zone(Some(&zone), diags);
            Some(zone.value).filter(|zone| is_zone(zone)).map(Some)
        }
        None => Some(None),
    };
    Hours::new(ranges?, set?, zone?.as_deref())
}

/// One, or a list of at least one.
fn several<T>(
    node: &Node,
    diags: &mut Diagnostics,
    read: fn(&Node, &mut Diagnostics) -> Option<T>,
) -> Option<Vec<T>> {
    let items = match &node.kind {
        Kind::List(items) if items.is_empty() => {
            let diagnostic = Diagnostic::error("empty-list", "none of nothing ever holds").at(node.span);
            diags.push(diagnostic.label("an empty list").help("leave it out"));
            return None;
        }
        Kind::List(items) => items.to_vec(),
        _ => vec![node.clone()],
    };
    let items: Vec<Option<T>> = items.iter().map(|item| read(item, diags)).collect();
    items.into_iter().collect()
}

fn range(node: &Node, diags: &mut Diagnostics) -> Option<TimeRange> {
    let Some(text) = node.as_str() else {
        wrong_type(node, "a range of times is wanted here, such as \"22:00-06:00\"", diags);
        return None;
    };
    match TimeRange::parse(text) {
        Ok(range) => Some(range),
        Err(reason) => {
            let diagnostic = Diagnostic::error("bad-time", "a range of times is wanted here").at(node.span);
            diags.push(diagnostic.label(reason).help("write for example \"22:00-06:00\""));
            None
        }
    }
}

fn day(node: &Node, diags: &mut Diagnostics) -> Option<DaySet> {
    let Some(text) = node.as_str() else {
        wrong_type(node, "a day is wanted here, such as sat or mon-fri", diags);
        return None;
    };
    match DaySet::parse(text) {
        Ok(days) => Some(days),
        Err(word) => {
            let diagnostic = Diagnostic::error("unknown-day", format!("`{word}` is not a day of the week"));
            let diagnostic = diagnostic.at(node.span).label("no such day");
            diags.push(match did_you_mean(word, DAYS) {
                Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
                None => diagnostic
                    .help("write days as mon, tue, wed, thu, fri, sat, sun, or ranges such as mon-fri"),
            });
            None
        }
    }
}

/// The schema of one of the keys.
pub fn schema(name: &str, schemas: &mut Schemas) -> Value {
    let one = match name {
        "time" => json!({ "type": "string", "examples": ["22:00-06:00"] }),
        "days" => json!({ "type": "string", "examples": ["mon-fri", "sat"] }),
        _ => return String::schema(schemas),
    };
    json!({ "anyOf": [one, { "type": "array", "items": one }] })
}
