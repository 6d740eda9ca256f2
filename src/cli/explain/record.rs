//! Records of decisions, from a running router or out of a file.

use serde_json::Value;

use super::Problem;
use crate::cli::Outcome;
use crate::cli::ask::{Place, TlsArguments, ask};
use crate::text::visible::is_hidden;

/// Asks a router for a record.
pub(super) fn fetch(url: &str, tls: &TlsArguments, id: &str) -> Result<String, Problem> {
    let failed = |text: String| Problem::Say(Outcome::Wrong, text);
    let place = url.parse::<Place>();
    let place = place.map_err(|text| Problem::Say(Outcome::Unusable, format!("{url}: {text}")))?;
    let path = match id {
        "last" => "/-/decisions?last=1".to_owned(),
        id if id.bytes().all(|byte| byte.is_ascii_alphanumeric()) => format!("/-/decisions/{id}"),
        id => return Err(Problem::Say(Outcome::Unusable, format!("{id:?} cannot be a request's id"))),
    };
    let key = std::env::var("RULEGATE_ADMIN_KEY").ok();
    match ask(&place, tls, &format!("GET {path}"), key.as_deref()) {
        Ok((200, body)) => Ok(body),
        Ok((status, body)) => Err(failed(format!("{url} answers {status}: {}", said(&body)))),
        Err(error) => Err(failed(format!("no answer from {url}: {error}"))),
    }
}

/// An error page's message, or all of it.
fn said(body: &str) -> String {
    let page = serde_json::from_str::<Value>(body).unwrap_or_default();
    page["error"]["message"].as_str().unwrap_or(body.trim()).to_owned()
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
