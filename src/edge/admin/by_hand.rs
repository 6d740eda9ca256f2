//! What a person decides: who goes first, and that a provider is well again.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use hyper::body::Incoming;
use serde_json::{Value, json};

use super::{BODY_TIME, MOST, error, error_page, json_answer};
use crate::edge::body::ReplyBody;
use crate::edge::compression;
use crate::edge::pace::Pace;
use crate::edge::reload::rules::Ready;
use crate::edge::request_body::{self, BodyError};
use crate::edge::router::Router;
use crate::edge::state;
use crate::edge::telemetry::OneLine;
use crate::engine::Ms;
use crate::engine::health::clear::{Cleared, NotThere};
use crate::engine::health::{AUTO, Pause};
use crate::engine::plan::event::Part;
use crate::text::diagnostic::did_you_mean;
use crate::text::units::{duration, instant_text};

/// What the body of a switch is.
const SHAPE: &str =
    "send {\"provider\": \"NAME\"}, with \"for\": \"2h\" if it is for some time, or {\"provider\": \"auto\"}";

/// What the body of a clear is.
const CLEAR_SHAPE: &str =
    "send nothing, to clear all of the provider, or {\"key\": \"NAME\", \"model\": \"NAME\"}, either or both";

/// The provider in `/-/providers/NAME/clear`.
pub(super) fn cleared(path: &str) -> Option<&str> {
    let name = path.strip_prefix("/-/providers/")?.strip_suffix("/clear")?;
    (!name.is_empty() && !name.contains('/')).then_some(name)
}

/// Ends the cool-downs of a provider, or those of one of its keys or models.
pub(super) async fn clear(
    router: &Arc<Router>,
    ready: &Ready,
    request: Request<Incoming>,
) -> Response<ReplyBody> {
    let path = request.uri().path().to_owned();
    let name = cleared(&path).unwrap_or_default();
    let engine = &ready.engine;
    let Some(provider) = engine.provider(name).and_then(|place| engine.providers.get(place)) else {
        let names: Vec<&str> = engine.providers.iter().map(|provider| provider.name.as_str()).collect();
        return unknown(name, &names);
    };
    let body = match body(request, CLEAR_SHAPE).await {
        Ok(body) => body,
        Err(refused) => return refused,
    };
    let wanted = match to_clear(&body) {
        Ok(wanted) => wanted,
        Err(text) => return error(StatusCode::BAD_REQUEST, &text),
    };
    let world = router.world();
    let now = world.clock.now();
    let (ended, still, current) = {
        let mut health = world.stores.health();
        let ended = health.clear(provider, &wanted, now);
        (ended, health.cooling_down(provider, now), health.current(engine, now).map(str::to_owned))
    };
    let ended = match ended {
        Ok(ended) => ended,
        Err(missing) => return not_there(name, &wanted, &missing),
    };
    let part = Part(wanted.key.as_deref(), wanted.model.as_deref());
    if let Some(pause) = &ended {
        let rule = &pause.rule;
        tracing::warn!("{name}{part} is in use again: by hand (it was cooling down by rule {rule})");
    }
    let was = ended.as_ref().map(cooling);
    let mut page = json!({
        "status": "ok",
        "provider": name,
        "key": wanted.key,
        "model": wanted.model,
        "was": was,
        "still_cooling_down": still,
        "current_provider": current,
    });
    save(router, &mut page).await;
    json_answer(StatusCode::OK, &page)
}

/// The key and the model out of `{"key": "work", "model": "opus"}`; no body for all.
fn to_clear(body: &[u8]) -> Result<Cleared, String> {
    if body.trim_ascii().is_empty() {
        return Ok(Cleared::default());
    }
    let value: Value =
        serde_json::from_slice(body).map_err(|error| format!("this is no JSON ({error}); {CLEAR_SHAPE}"))?;
    let fields = value.as_object().ok_or(CLEAR_SHAPE)?;
    if let Some(other) = fields.keys().find(|name| !["key", "model"].contains(&name.as_str())) {
        return Err(format!("there is no {other:?} here; {CLEAR_SHAPE}"));
    }
    let text = |name: &str| match fields.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if !text.is_empty() => Ok(Some(text.clone())),
        Some(_) => Err(CLEAR_SHAPE.to_owned()),
    };
    Ok(Cleared { key: text("key")?, model: text("model")? })
}

fn not_there(provider: &str, wanted: &Cleared, missing: &NotThere) -> Response<ReplyBody> {
    let (what, name, names) = match missing {
        NotThere::Key(names) => ("key", &wanted.key, names),
        NotThere::Model(names) => ("model", &wanted.model, names),
    };
    let name = name.as_deref().unwrap_or_default();
    let text = format!("{provider} has no {what} {name:?}; there are {}", names.join(", "));
    let mut page = error_page(StatusCode::NOT_FOUND, &text);
    page[format!("{what}s")] = json!(names);
    json_answer(StatusCode::NOT_FOUND, &page)
}

/// A cool-down that was ended.
fn cooling(pause: &Pause) -> Value {
    json!({ "rule": pause.rule, "until": pause.until.map(instant_text) })
}

/// Sees to it that what was decided survives a sudden end of the router, and says in the answer whether it does.
async fn save(router: &Arc<Router>, page: &mut Value) {
    match state::save(router).await {
        Ok(saved) => page["saved"] = json!(saved),
        Err(reason) => {
            tracing::warn!("this is in force, but not saved yet: {}", OneLine(&reason));
            page["saved"] = json!(false);
            page["warning"] = json!(format!("in force, but not saved yet: {reason}"));
        }
    }
}

/// Makes a provider the first choice, for some time if that is said, or gives the choice back to the rules.
pub(super) async fn switch(
    router: &Arc<Router>,
    ready: &Ready,
    request: Request<Incoming>,
) -> Response<ReplyBody> {
    let body = match body(request, SHAPE).await {
        Ok(body) => body,
        Err(refused) => return refused,
    };
    let (wanted, time) = match wanted(&body) {
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
    let until = time.map(|time| now.saturating_add(Ms::try_from(time.as_millis()).unwrap_or(Ms::MAX)));
    let (before, switched, chosen) = {
        let mut health = world.stores.health();
        let before = health.current(engine, now).unwrap_or_default().to_owned();
        let switched = health.switch_until(engine, &wanted, until, now);
        (before, switched, health.chosen(now).map(|choice| choice.provider.clone()))
    };
    match switched {
        Ok((current, ended)) => {
            let until = chosen.as_ref().and(until).map(instant_text);
            let whose = match (&chosen, &until) {
                (Some(_), Some(until)) => format!("by hand, until {until}"),
                (Some(_), None) => "by hand".to_owned(),
                (None, _) => "the choice is the rules' again".to_owned(),
            };
            let over =
                ended.as_ref().map(|pause| format!("; it no longer cools down by rule {}", pause.rule));
            let over = over.unwrap_or_default();
            if before == current {
                tracing::warn!("{current} stays the first choice: {whose}{over}");
            } else {
                tracing::warn!("switched from {before} to {current}: {whose}{over}");
            }
            let mut page = json!({
                "status": "ok",
                "provider": wanted,
                "current_provider": current,
                "previous_provider": before,
                "manual": chosen,
                "manual_until": until,
                "ended": ended.as_ref().map(cooling),
            });
            save(router, &mut page).await;
            json_answer(StatusCode::OK, &page)
        }
        Err(missing) => unknown(&wanted, &missing.names),
    }
}

fn unknown<T: AsRef<str>>(name: &str, names: &[T]) -> Response<ReplyBody> {
    let listed: Vec<&str> = names.iter().map(AsRef::as_ref).collect();
    let near = did_you_mean(name, listed.iter().copied()).map(|near| format!("; did you mean {near}?"));
    let text =
        format!("there is no provider {name:?}; there are {}{}", listed.join(", "), near.unwrap_or_default());
    let mut page = error_page(StatusCode::NOT_FOUND, &text);
    page["providers"] = json!(listed);
    json_answer(StatusCode::NOT_FOUND, &page)
}

/// A request's body, or the answer to one that cannot be read.
async fn body(request: Request<Incoming>, shape: &str) -> Result<Bytes, Response<ReplyBody>> {
    let (parts, body) = request.into_parts();
    let time = request_body::Time { pace: Pace::new(BODY_TIME, 0), total: BODY_TIME };
    let read = request_body::read(&parts.headers, body, MOST, time, |_| true).await;
    read.map_err(|refused| {
        let (status, text) = match refused {
            BodyError::Undecodable(_) => refused.told(),
            _ => (StatusCode::BAD_REQUEST, format!("the body could not be read; {shape}")),
        };
        let mut answer = error(status, &text);
        compression::tell_supported(&mut answer);
        answer
    })
}

/// The provider's name, and for how long, out of `{"provider": "name", "for": "2h"}`.
fn wanted(body: &[u8]) -> Result<(String, Option<Duration>), String> {
    let value: Value =
        serde_json::from_slice(body).map_err(|error| format!("this is no JSON ({error}); {SHAPE}"))?;
    let time = match value.get("for") {
        None | Some(Value::Null) => None,
        Some(Value::String(text)) => Some(duration(text).map_err(|reason| format!("{reason}; {SHAPE}"))?),
        Some(_) => return Err(SHAPE.to_owned()),
    };
    match value.get("provider").and_then(Value::as_str) {
        Some(AUTO) if time.is_some() => Err(SHAPE.to_owned()),
        Some(name) if !name.is_empty() && time != Some(Duration::ZERO) => Ok((name.to_owned(), time)),
        _ => Err(SHAPE.to_owned()),
    }
}
