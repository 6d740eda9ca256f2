//! What stands at `/`, where people look first and clients ask whether anybody is there.

use std::net::SocketAddr;

use http::header::{ACCEPT, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST, VARY};
use http::request::Parts;
use http::{HeaderValue, Method, Response};
use serde_json::json;

use crate::edge::body::ReplyBody;
use crate::text::visible::visible_json;

/// The page, in which `ADDRESS` is where the router is found.
const PAGE: &str = include_str!("../../../docs/home.html");
/// Nothing but its own styles is loaded, and it stands in no other page.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'",
);

/// Whether a request that no rule takes is for this page.
pub(super) fn is_asked(parts: &Parts) -> bool {
    parts.uri.path() == "/" && matches!(parts.method, Method::GET | Method::HEAD)
}

/// Says what this is and where to go on: to a browser as a page, to programs as JSON. `bound` is where it listens.
pub(super) fn answer(parts: &Parts, bound: SocketAddr, is_tls: bool) -> Response<ReplyBody> {
    let accept = parts.headers.get(ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    let (kind, text) = if accept.contains("text/html") {
        ("text/html; charset=utf-8", PAGE.replace("ADDRESS", &address(parts, bound, is_tls)))
    } else {
        let about = json!({
            "name": env!("CARGO_PKG_NAME"),
            "version": env!("CARGO_PKG_VERSION"),
            "health": "/v1/health",
            "decisions": "/-/decisions",
            "rules": "/-/rules",
        });
        ("application/json", visible_json(about.to_string()) + "\n")
    };
    let mut response = Response::new(ReplyBody::whole(text));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(CONTENT_SECURITY_POLICY, POLICY);
    headers.insert(VARY, HeaderValue::from_static("accept"));
    response
}

/// The URL that whoever asks found the router at.
fn address(parts: &Parts, bound: SocketAddr, is_tls: bool) -> String {
    let host = parts.headers.get(HOST).and_then(|host| host.to_str().ok());
    let host = parts.uri.authority().map(|authority| authority.as_str()).or(host);
    let is_plain = |host: &&str| {
        host.bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b':' | b'[' | b']'))
    };
    let host = host.filter(is_plain).map_or_else(|| bound.to_string(), str::to_owned);
    let scheme = if is_tls { "https" } else { "http" };
    format!("{scheme}://{host}")
}
