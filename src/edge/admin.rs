//! The router's own paths: health, the switch, and everything under `/-/`.

mod pages;

use std::sync::Arc;
use std::time::Duration;

use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use serde_json::{Map, Value, json};

use super::body::ReplyBody;
use super::reload::Status;
use super::reload::rules::Ready;
use super::request_body;
use super::router::{Router, options};
use super::telemetry::OneLine;
use crate::engine::{Engine, KeySource};

/// What there is under `/-/`.
const OWN_PATHS: &str = "there are /-/reload (POST), and with GET /-/config, /-/decisions, /-/decisions/ID, /-/rules and /-/metrics";
/// The most that an admin request says, in bytes.
const MOST: u64 = 64 << 10;
const PATIENCE: Duration = Duration::from_secs(5);

/// A path that no rule can take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Path {
    /// `GET /v1/health`.
    Health,
    /// `POST /v1/switch-provider`.
    Switch,
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
        _ => path.starts_with("/-/").then_some(Path::Unknown),
    }
}

/// Answers a request to one of the router's own paths.
pub async fn answer(
    router: &Arc<Router>,
    ready: &Ready,
    path: Path,
    request: Request<Incoming>,
) -> Response<ReplyBody> {
    let method = match path {
        Path::Health | Path::Config | Path::Decisions | Path::Decision => Method::GET,
        Path::Rules | Path::Metrics => Method::GET,
        Path::Switch | Path::Reload => Method::POST,
        Path::Unknown => request.method().clone(),
    };
    if request.method() == Method::OPTIONS && path != Path::Unknown {
        return options(&[method]);
    }
    if path != Path::Health
        && let Err(denied) = ready.access.admin(request.uri(), request.headers())
    {
        tracing::warn!("{} {} was refused: {}", request.method(), request.uri().path(), denied.message);
        let status = StatusCode::from_u16(denied.status).unwrap_or(StatusCode::FORBIDDEN);
        return error(status, denied.message);
    }
    let asked = if request.method() == Method::HEAD { &Method::GET } else { request.method() };
    if *asked != method {
        return wrong_method(&method);
    }
    match path {
        Path::Health => health(router, ready, &request),
        Path::Switch => switch(router, ready, request).await,
        Path::Reload => reload(router).await,
        Path::Config => json_answer(StatusCode::OK, &config(router, ready)),
        Path::Decisions => pages::decisions(router, request.uri()),
        Path::Decision => pages::decision(router, request.uri()),
        Path::Rules => pages::rules(router, ready),
        Path::Metrics => pages::metrics(router, ready),
        Path::Unknown => error(StatusCode::NOT_FOUND, OWN_PATHS),
    }
}

/// Who is well. Never waits for anybody. Who may not ask the providers learns only that.
fn health(router: &Router, ready: &Ready, request: &Request<Incoming>) -> Response<ReplyBody> {
    let world = router.world();
    let mut page = world.stores.health().snapshot(&ready.engine, world.clock.now());
    if !ready.access.details(request.uri(), request.headers())
        && let Some(fields) = page.as_object_mut()
    {
        fields.remove("details");
    }
    json_answer(StatusCode::OK, &page)
}

async fn switch(router: &Router, ready: &Ready, request: Request<Incoming>) -> Response<ReplyBody> {
    let wanted = match wanted(request).await {
        Ok(wanted) => wanted,
        Err(text) => return error(StatusCode::BAD_REQUEST, &text),
    };
    let engine = &ready.engine;
    let keyless = engine.providers.iter().find(|provider| provider.name == wanted && !provider.has_key());
    if let Some(provider) = keyless {
        let text = format!("{} cannot be used: {}", provider.name, provider.missing_key_hint());
        return error(StatusCode::CONFLICT, &text);
    }
    let world = router.world();
    let now = world.clock.now();
    let mut health = world.stores.health();
    let before = health.current(engine, now).unwrap_or_default().to_owned();
    let switched = health.switch(engine, &wanted, now);
    let chosen = health.chosen().map(|choice| choice.provider.clone());
    drop(health);
    match switched {
        Ok(current) => {
            match &chosen {
                Some(_) => tracing::warn!("switched from {before} to {current}: by hand"),
                None => tracing::warn!("switched from {before} to {current}: the choice is the rules' again"),
            }
            let page =
                json!({ "status": "ok", "provider": wanted, "current_provider": current, "manual": chosen });
            json_answer(StatusCode::OK, &page)
        }
        Err(unknown) => {
            let text = format!("there is no provider {wanted:?}; there are {}", unknown.names.join(", "));
            let mut page = error_page(StatusCode::NOT_FOUND, &text);
            page["providers"] = json!(unknown.names);
            json_answer(StatusCode::NOT_FOUND, &page)
        }
    }
}

/// The provider's name out of `{"provider": "name"}`.
async fn wanted(request: Request<Incoming>) -> Result<String, String> {
    const SHAPE: &str = "send {\"provider\": \"NAME\"}, or {\"provider\": \"auto\"}";
    let (parts, body) = request.into_parts();
    let body = request_body::read(&parts.headers, body, MOST, PATIENCE).await;
    let body = body.map_err(|_| format!("the body could not be read; {SHAPE}"))?;
    let value: Value =
        serde_json::from_slice(&body).map_err(|error| format!("this is no JSON ({error}); {SHAPE}"))?;
    match value.get("provider").and_then(Value::as_str) {
        Some(name) if !name.is_empty() => Ok(name.to_owned()),
        _ => Err(SHAPE.to_owned()),
    }
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
            "proxy": provider.proxy.as_deref().map(without_secrets),
            "timeouts_ms": {
                "connect": millis(timeouts.connect),
                "first_byte": millis(timeouts.first_byte),
                "idle": millis(timeouts.idle),
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
    let mut text = page.to_string();
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
        assert_eq!(shown("user:pass@proxy:8080"), "proxy:8080");
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
