//! Records of decisions, from a running router or out of a file.

use std::net::{SocketAddr, ToSocketAddrs};

use serde_json::Value;

use super::Problem;
use crate::cli::Outcome;
use crate::cli::health::get;

/// Asks a router for a record.
pub(super) fn fetch(url: &str, id: &str) -> Result<String, Problem> {
    let failed = |text: String| Problem::Say(Outcome::Wrong, text);
    let address = address(url).map_err(|text| Problem::Say(Outcome::Unusable, text))?;
    let path = match id {
        "last" => "/-/decisions?last=1".to_owned(),
        id if id.bytes().all(|byte| byte.is_ascii_alphanumeric()) => format!("/-/decisions/{id}"),
        id => return Err(Problem::Say(Outcome::Unusable, format!("{id:?} cannot be a request's id"))),
    };
    let key = std::env::var("RULEGATE_ADMIN_KEY").ok();
    match get(address, &path, key.as_deref()) {
        Ok((200, body)) => Ok(body),
        Ok((status, body)) => Err(failed(format!("{url} answers {status}: {}", said(&body)))),
        Err(error) => Err(failed(format!("no answer from {url}: {error}"))),
    }
}

/// Where a router is. Only plain HTTP: what is shown is for who sits on its machine, or in its network.
fn address(url: &str) -> Result<SocketAddr, String> {
    if url.starts_with("https://") {
        return Err("only http:// addresses can be asked; fetch the record with another program and give it with --decision".to_owned());
    }
    let host = url.strip_prefix("http://").unwrap_or(url).trim_end_matches('/');
    let host = if host.contains(':') { host.to_owned() } else { format!("{host}:80") };
    let mut found = host.to_socket_addrs().map_err(|error| format!("{url}: {error}"))?;
    found.next().ok_or_else(|| format!("{url} has no address"))
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
    if record["attempts"].is_array() { Ok(record) } else { Err("this is no record of a decision".to_owned()) }
}
