//! Records of decisions, from a running router or out of a file.

use serde_json::Value;

use super::Problem;
use crate::cli::Outcome;
use crate::cli::ask::RouterArguments;
use crate::text::visible::is_hidden;

/// Asks a router for a record.
pub(super) fn fetch(router: &RouterArguments, id: &str) -> Result<String, Problem> {
    let path = match id {
        "last" => "/-/decisions?last=1".to_owned(),
        id if id.bytes().all(|byte| byte.is_ascii_alphanumeric()) => format!("/-/decisions/{id}"),
        id => return Err(Problem::Say(Outcome::Unusable, format!("{id:?} cannot be a request's id"))),
    };
    router.ask(&format!("GET {path}"), "").map_err(|wrong| Problem::Say(Outcome::Wrong, wrong.told))
}

/// Asks a router for its latest records in which something failed.
pub(super) fn fetch_failed(router: &RouterArguments) -> Result<Value, Problem> {
    let body = router
        .ask("GET /-/decisions?failed=true&last=20", "")
        .map_err(|wrong| Problem::Say(Outcome::Wrong, wrong.told))?;
    let page = serde_json::from_str(&body).map_err(|error| {
        Problem::Say(Outcome::Wrong, format!("the router's answer is no list of decisions: {error}"))
    })?;
    Ok(shown(page))
}

/// Reads a record, or the first one of a list.
pub(super) fn read(text: &str) -> Result<Value, String> {
    let mut page: Value =
        serde_json::from_str(text).map_err(|error| format!("this is no record of a decision: {error}"))?;
    let record = match page.get_mut("decisions") {
        Some(list) => list.get_mut(0).map(Value::take).ok_or("there is no decision yet")?,
        None => page,
    };
    let record = shown(record);
    if record["attempts"].is_array() { Ok(record) } else { Err("this is no record of a decision".to_owned()) }
}

/// A record whose texts do nothing to a terminal: what clients and providers say may stand in them.
fn shown(value: Value) -> Value {
    match value {
        Value::String(text) => Value::String(text.replace(is_hidden, " ")),
        Value::Array(items) => items.into_iter().map(shown).collect(),
        Value::Object(fields) => {
            fields.into_iter().map(|(name, value)| (name.replace(is_hidden, " "), shown(value))).collect()
        }
        plain => plain,
    }
}
