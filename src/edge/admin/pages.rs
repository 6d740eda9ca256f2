//! The admin pages about what was decided: `/-/decisions`, `/-/rules` and `/-/metrics`.

use http::header::CONTENT_TYPE;
use http::{HeaderValue, Response, StatusCode, Uri};
use serde_json::{Value, json};

use super::{ReplyBody, error, json_answer};
use crate::edge::decisions::Wanted;
use crate::edge::log_writer::LogWriter;
use crate::edge::metrics::{self, Gauge, Hits};
use crate::edge::reload::rules::Ready;
use crate::edge::router::Router;
use crate::text::units::instant_text;

/// How many decisions are shown to who does not say.
const USUAL: usize = 50;
/// Prometheus' text format.
const EXPOSITION: HeaderValue = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");

/// `GET /-/decisions`: the latest ones, newest first.
pub(super) fn decisions(router: &Router, uri: &Uri) -> Response<ReplyBody> {
    match wanted(uri.query().unwrap_or_default()) {
        Ok(wanted) => {
            let found = router.world().decisions.last(&wanted);
            let page = json!({ "decisions": found.iter().map(|it| it.to_json()).collect::<Vec<_>>() });
            json_answer(StatusCode::OK, &page)
        }
        Err(text) => error(StatusCode::BAD_REQUEST, &text),
    }
}

/// `GET /-/decisions/ID`: one of them.
pub(super) fn decision(router: &Router, uri: &Uri) -> Response<ReplyBody> {
    let id = uri.path().rsplit('/').next().unwrap_or_default();
    match router.world().decisions.find(id) {
        Some(found) => json_answer(StatusCode::OK, &found.to_json()),
        None => {
            let text = "no such decision is kept (any more); `decisions: { keep: ... }` in the rules says how many are";
            error(StatusCode::NOT_FOUND, text)
        }
    }
}

/// What a query asks for.
fn wanted(query: &str) -> Result<Wanted, String> {
    let mut wanted = Wanted { last: USUAL, rule: None, provider: None, failed: None };
    for part in query.split('&').filter(|part| !part.is_empty()) {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        match name {
            "last" => {
                wanted.last = value.parse().map_err(|_| format!("`last` is a number, not {value:?}"))?;
            }
            "rule" => wanted.rule = Some(decoded(value)),
            "provider" => wanted.provider = Some(decoded(value)),
            "failed" => {
                let failed = value.parse();
                wanted.failed = Some(failed.map_err(|_| "`failed` is true or false".to_owned())?);
            }
            other => return Err(format!("there is no {other:?}; there are last, rule, provider, failed")),
        }
    }
    Ok(wanted)
}

/// A part of a query with its `%41` and `+` undone.
fn decoded(text: &str) -> String {
    let mut out = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        let digits = after.get(..2).filter(|_| *byte == b'%').and_then(|two| std::str::from_utf8(two).ok());
        match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(value) => {
                out.push(value);
                rest = after.get(2..).unwrap_or_default();
            }
            None => out.push(if *byte == b'+' { b' ' } else { *byte }),
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// `GET /-/rules`: every failover rule, and how often it decided.
pub(super) fn rules(router: &Router, ready: &Ready) -> Response<ReplyBody> {
    let metrics = &router.world().metrics;
    let mut names: Vec<String> = Vec::new();
    let engine = &ready.engine;
    let pairs = engine.routes.iter().flat_map(|route| (0..engine.providers.len()).map(move |it| (route, it)));
    for rule in pairs.flat_map(|(route, provider)| engine.failover(route, provider)) {
        if !names.contains(&rule.name) {
            names.push(rule.name.clone());
        }
    }
    let mut shown: Vec<Value> = names.iter().map(|name| hits(name, &metrics.hits(name), true)).collect();
    let gone = metrics.rules().into_iter().filter(|name| !names.contains(name));
    shown.extend(gone.map(|name| hits(&name, &metrics.hits(&name), false)));
    let page = json!({ "rules_version": ready.engine.version, "rules": shown });
    json_answer(StatusCode::OK, &page)
}

fn hits(rule: &str, hits: &Hits, in_force: bool) -> Value {
    let after = |word: &str| hits.after.get(word).copied().unwrap_or_default();
    json!({
        "rule": rule,
        "in_force": in_force,
        "fired": hits.fired.values().sum::<u64>(),
        "providers": hits.fired,
        "shadow": hits.shadow.values().sum::<u64>(),
        "last": hits.last.map(instant_text),
        "after": {
            "answered": after("answered"),
            "failed": after("failed"),
            "again": after("again"),
            "returned": after("returned"),
            "otherwise": after("otherwise"),
            "left": after("left"),
            "probe": after("probe"),
        },
    })
}

/// `GET /-/metrics`: all of it for Prometheus.
pub(super) fn metrics(router: &Router, ready: &Ready) -> Response<ReplyBody> {
    let world = router.world();
    let last = router.last_reload();
    let now = world.clock.now();
    let health = world.stores.health().clone();
    let usable = ready.engine.providers.iter().map(|provider| {
        let is = provider.has_key() && health.is_usable(&provider.name, now);
        (vec![("provider", provider.name.as_str())], f64::from(u8::from(is)))
    });
    let gauges = [
        Gauge {
            name: "rulegate_provider_usable",
            help: "1 if requests go to the provider, 0 if it is cooling down or has no key.",
            values: usable.collect(),
        },
        Gauge {
            name: "rulegate_rules_info",
            help: "The version of the rules in force; always 1.",
            values: vec![(vec![("version", &ready.engine.version)], 1.0)],
        },
        Gauge {
            name: "rulegate_last_reload_ok",
            help: "1 if the rules' files hold what runs, 0 if they were refused.",
            values: vec![(Vec::new(), f64::from(u8::from(last.ok)))],
        },
        Gauge {
            name: "rulegate_last_reload_timestamp_seconds",
            help: "When the rules' files were last read.",
            values: vec![(Vec::new(), last.at as f64 / 1000.0)],
        },
    ];
    let lost = world.log.as_ref().map_or(0, LogWriter::lost);
    let mut response = Response::new(ReplyBody::whole(metrics::page(&world.metrics, lost, &gauges)));
    response.headers_mut().insert(CONTENT_TYPE, EXPOSITION);
    response
}
