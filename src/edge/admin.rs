//! The router's own paths: health, the switch, and everything under `/-/`.

mod by_hand;
mod pages;

use std::sync::Arc;
use std::time::Duration;

use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use serde_json::{Map, Value, json};

use super::access::{Caller, Denied};
use super::body::ReplyBody;
use super::reload::Status;
use super::reload::rules::Ready;
use super::router::{Router, options, stranger};
use super::telemetry::{FromAddress, OneLine};
use crate::engine::{Engine, KeySource};
use crate::text::units::instant_text;
use crate::text::visible::visible_json;

/// What there is under `/-/`.
const OWN_PATHS: &str = "there are /-/reload and /-/providers/NAME/clear (POST), and with GET /-/config, /-/decisions, /-/decisions/ID, /-/rules and /-/metrics";
/// The most that an admin request says, in bytes.
const MOST: u64 = 64 << 10;
/// How long an admin request's body may take.
const BODY_TIME: Duration = Duration::from_secs(5);

/// A path that no rule can take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Path {
    /// `GET /v1/health`.
    Health,
    /// `POST /v1/switch-provider`.
    Switch,
    /// `POST /-/providers/NAME/clear`.
    Clear,
    /// `POST /-/reload`.
    Reload,
    /// `GET /-/config`.
    Config,
    /// `GET /-/decisions`.
    Decisions,
    /// `GET /-/decisions/ID`.
    Decision,
    /// `GET /-/rules`.
    Rules,
    /// `GET /-/metrics`.
    Metrics,
    /// Anything else under `/-/`.
    Unknown,
}

/// The router's own path, if it is one.
pub fn path(path: &str) -> Option<Path> {
    match path {
        "/v1/health" => Some(Path::Health),
        "/v1/switch-provider" => Some(Path::Switch),
        "/-/reload" => Some(Path::Reload),
        "/-/config" => Some(Path::Config),
        "/-/decisions" => Some(Path::Decisions),
        "/-/rules" => Some(Path::Rules),
        "/-/metrics" => Some(Path::Metrics),
        _ if path.starts_with("/-/decisions/") => Some(Path::Decision),
        _ if by_hand::cleared(path).is_some() => Some(Path::Clear),
        _ => path.starts_with("/-/").then_some(Path::Unknown),
    }
}

/// Answers a request to one of the router's own paths.
pub async fn answer(
    router: &Arc<Router>,
    ready: &Ready,
    path: Path,
    caller: &Caller,
    request: Request<Incoming>,
) -> Response<ReplyBody> {
    let method = match path {
        Path::Health | Path::Config | Path::Decisions | Path::Decision => Method::GET,
        Path::Rules | Path::Metrics => Method::GET,
        Path::Switch | Path::Clear | Path::Reload => Method::POST,
        Path::Unknown => request.method().clone(),
    };
    let allowed = match path {
        Path::Health => ready.access.health(caller, request.headers()),
        _ => ready.access.admin(caller, request.headers()).map(|()| true),
    };
    let is_known = match allowed {
        Ok(is_known) => is_known,
        Err(denied) => return refuse(caller, &request, denied),
    };
    if request.method() == Method::OPTIONS && path != Path::Unknown {
        return options(&[method]);
    }
    let asked = if request.method() == Method::HEAD { &Method::GET } else { request.method() };
    if *asked != method {
        return wrong_method(&method);
    }
    match path {
        Path::Health => {
            let page = health(router, ready);
            let asks_whether_ready =
                request.uri().query().is_some_and(|query| query.split('&').any(|it| it == "ready"));
            let is_ready = !asks_whether_ready || page["status"] == "healthy";
            let status = if is_ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
            // Whether all is well is all that a stranger, or what watches over the router from elsewhere, learns.
            if is_known {
                json_answer(status, &page)
            } else {
                stranger(json_answer(status, &json!({ "status": page["status"] })))
            }
        }
        Path::Switch => by_hand::switch(router, ready, request).await,
        Path::Clear => by_hand::clear(router, ready, request).await,
        Path::Reload => reload(router).await,
        Path::Config => json_answer(StatusCode::OK, &config(router, ready)),
        Path::Decisions => pages::decisions(router, request.uri()),
        Path::Decision => pages::decision(router, request.uri()),
        Path::Rules => pages::rules(router, ready),
        Path::Metrics => pages::metrics(router, ready),
        Path::Unknown => error(StatusCode::NOT_FOUND, OWN_PATHS),
    }
}

fn refuse(caller: &Caller, request: &Request<Incoming>, denied: Denied) -> Response<ReplyBody> {
    let asked = format!("{} {}", request.method(), request.uri().path());
    tracing::warn!("refused{}: {}: {}", FromAddress(caller.address), denied.message, OneLine(asked));
    let status = StatusCode::from_u16(denied.status).unwrap_or(StatusCode::FORBIDDEN);
    stranger(error(status, denied.message))
}

/// Who is well. Never waits for anybody.
fn health(router: &Router, ready: &Ready) -> Value {
    let world = router.world();
    let mut page = world.stores.health().snapshot(&ready.engine, world.clock.now());
    let last = router.last_reload();
    page["counted_since"] = json!(instant_text(world.began));
    for (name, detail) in page["details"].as_object_mut().into_iter().flatten() {
        let tokens = world.metrics.tokens(name);
        if !tokens.is_empty() {
            detail["tokens"] = json!(tokens);
        }
    }
    page["rules_since"] = json!(instant_text(last.in_force_since));
    if let Some(since) = last.refused_since {
        page["rules_refused"] =
            json!({ "since": instant_text(since), "error": first_error(&last.diagnostics) });
    }
    page
}

/// The first mistake of those that were found, in one line.
fn first_error(found: &Value) -> String {
    let mut errors = found.as_array().into_iter().flatten().filter(|it| it["severity"] == "error");
    let Some(error) = errors.next() else { return String::new() };
    let place = match (error["file"].as_str(), error["line"].as_u64()) {
        (Some(file), Some(line)) => format!("{file}:{line}: "),
        _ => String::new(),
    };
    OneLine(format!("{place}{}", error["message"].as_str().unwrap_or_default())).to_string()
}

async fn reload(router: &Router) -> Response<ReplyBody> {
    match router.reload().reload().await {
        Some(report) if report.status == Status::Refused => {
            json_answer(StatusCode::UNPROCESSABLE_ENTITY, &report.to_json())
        }
        Some(report) => json_answer(StatusCode::OK, &report.to_json()),
        None => error(StatusCode::SERVICE_UNAVAILABLE, "the router is stopping"),
    }
}

/// The rules in force, without their secrets.
fn config(router: &Router, ready: &Ready) -> Value {
    let engine = &ready.engine;
    let last = router.last_reload();
    let routes = engine.routes.iter().map(|route| {
        let protocol = route.protocol.as_ref().map(|protocol| protocol.name.as_str());
        json!({ "path": route.path, "method": route.method.as_str(), "protocol": protocol })
    });
    json!({
        "rules_version": engine.version,
        "listening": router.bound().to_string(),
        "access": ready.access.in_words(),
        "providers": providers(engine),
        "routes": routes.collect::<Vec<_>>(),
        "models": engine.models,
        "limits": {
            "body": engine.limits.body,
            "answer": engine.limits.answer,
            "event": engine.limits.event,
            "held": engine.limits.held,
        },
        "last_reload": { "ok": last.ok, "at": last.at, "diagnostics": last.diagnostics },
    })
}

fn providers(engine: &Engine) -> Value {
    let providers = engine.by_priority().iter().filter_map(|place| engine.providers.get(*place));
    let shown = providers.map(|provider| {
        let keys = match provider.keys.as_slice() {
            [only] => key(&only.source),
            keys => keys.iter().map(|it| (it.name.clone(), key(&it.source))).collect::<Map<_, _>>().into(),
        };
        let timeouts = provider.timeouts;
        json!({
            "name": provider.name,
            "url": without_secrets(&provider.url),
            "speaks": provider.speaks.iter().map(|protocol| protocol.name.as_str()).collect::<Vec<_>>(),
            "key": keys,
            "proxy": provider.link.proxy.as_ref().map(ToString::to_string),
            "timeouts_ms": {
                "connect": millis(timeouts.connect),
                "first_byte": millis(timeouts.first_byte),
                "idle": millis(timeouts.idle),
                "whole": millis(timeouts.whole),
                "total": millis(timeouts.total),
            },
        })
    });
    Value::Array(shown.collect())
}

fn key(source: &KeySource) -> Value {
    match source {
        KeySource::Value(_) => json!("[secret]"),
        KeySource::Client => json!("client"),
        KeySource::None => json!("none"),
        KeySource::Unset(names) => json!({ "unset": names }),
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// An address without a name, a password and a query: people put keys in there.
fn without_secrets(url: &str) -> String {
    let (url, _) = url.split_once(['?', '#']).unwrap_or((url, ""));
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    if scheme.is_empty() { format!("{host}{path}") } else { format!("{scheme}://{host}{path}") }
}

fn wrong_method(right: &Method) -> Response<ReplyBody> {
    let mut response = error(StatusCode::METHOD_NOT_ALLOWED, &format!("this path wants {right}"));
    if let Ok(right) = HeaderValue::from_str(right.as_str()) {
        response.headers_mut().insert(ALLOW, right);
    }
    response
}

fn error(status: StatusCode, text: &str) -> Response<ReplyBody> {
    json_answer(status, &error_page(status, text))
}

fn error_page(status: StatusCode, text: &str) -> Value {
    let kind = match status {
        StatusCode::BAD_REQUEST => "invalid_request_error",
        StatusCode::UNAUTHORIZED => "authentication_error",
        StatusCode::FORBIDDEN => "permission_error",
        StatusCode::NOT_FOUND => "not_found_error",
        StatusCode::METHOD_NOT_ALLOWED => "method_not_allowed",
        StatusCode::CONFLICT => "conflict",
        _ => "api_error",
    };
    json!({ "error": { "type": kind, "message": OneLine(text).to_string() } })
}

fn json_answer(status: StatusCode, page: &Value) -> Response<ReplyBody> {
    let mut text = visible_json(page.to_string());
    text.push('\n');
    let mut response = Response::new(ReplyBody::whole(text));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_shown_without_what_may_be_a_key() {
        let shown = without_secrets;
        assert_eq!(shown("https://user:pass@host:1/v1?key=k#k"), "https://host:1/v1");
        assert_eq!(shown("http://127.0.0.1:9"), "http://127.0.0.1:9");
        assert_eq!(shown("user:pass@host:8080"), "host:8080");
        assert_eq!(shown("https://h/a@b"), "https://h/a@b");
    }

    #[test]
    fn own_paths_are_told_from_those_of_the_rules() {
        assert_eq!(path("/v1/health"), Some(Path::Health));
        assert_eq!(path("/-/anything"), Some(Path::Unknown));
        assert_eq!(path("/v1/messages"), None);
        assert_eq!(path("/-"), None);
    }
}
