//! The health page: all standings at one moment, as JSON.

use super::evidence::Tally;
use super::pauses::Whose;
use super::{Aside, Health, Pause, Standing};
use crate::engine::{Engine, Ms, Provider};
use crate::text::units::instant_text;
use serde_json::{Map, Value, json};

/// An error as it is remembered, for the health page.
#[derive(Clone, Debug)]
pub struct KeptError {
    /// When it was seen.
    pub at: Ms,
    /// The failure's kind by name.
    pub kind: &'static str,
    /// The provider's status, or the one that its error text stands for; `None` where it gave none.
    pub status: Option<u16>,
    /// What happened, for people.
    pub message: String,
    /// The rule that decided, if one did.
    pub rule: Option<String>,
}

impl Health {
    /// The body of `GET /v1/health`: `{status, current_provider, manual, providers: {name: standing},
    /// details: {name: {...}}, rules_version}`. Times are RFC 3339. `status` is `healthy` while some provider can
    /// answer, else `unhealthy`.
    pub fn snapshot(&self, engine: &Engine, now: Ms) -> Value {
        let mut providers = Map::new();
        let mut details = Map::new();
        let mut usable = false;
        for provider in &engine.providers {
            let has_key = provider.has_key();
            let standing = if has_key { self.standing(&provider.name, now) } else { Standing::Down };
            usable |= has_key && self.is_usable(&provider.name, now);
            providers.insert(provider.name.clone(), json!(standing.name()));
            details.insert(provider.name.clone(), self.detail(provider, standing, now));
        }
        json!({
            "status": if usable { "healthy" } else { "unhealthy" },
            "current_provider": self.current(engine, now),
            "manual": self.chosen(now).map(|switch| &switch.provider),
            "manual_until": self.chosen(now).and_then(|switch| switch.until).map(instant_text),
            "providers": providers,
            "details": details,
            "rules_version": engine.version,
        })
    }

    /// What of a provider cools down: which key by name, which model, until when, by which rule.
    pub fn cooling_down(&self, provider: &Provider, now: Ms) -> Vec<Value> {
        self.pauses_of(provider, now).map(|(aside, pause)| told(provider, aside, pause, now)).collect()
    }

    fn detail(&self, provider: &Provider, standing: Standing, now: Ms) -> Value {
        let known = self.provider(&provider.name);
        let pause = self.pause(&provider.name, now);
        let mut detail = json!({
            "status": standing.name(),
            "since": pause.map(|pause| pause.since).or(known.and_then(|known| known.since)).map(instant_text),
            "until": pause.and_then(|pause| pause.until).map(instant_text),
            "rule": pause.map(|pause| &pause.rule),
            "request": pause.and_then(|pause| pause.request.as_ref()),
            "attempts": known.map_or(0, |known| known.attempts),
            "failures": known.map_or(0, |known| known.failures),
            "last_success": known.and_then(|known| known.last_success).map(instant_text),
            "last_probe": known.and_then(|known| known.last_probe).map(instant_text),
            "last_error": known.and_then(|known| known.last_error.as_ref()).map(|error| json!({
                "at": instant_text(error.at),
                "kind": error.kind,
                "status": error.status,
                "message": error.message,
                "rule": error.rule,
            })),
        });
        if let Some(outdated) = pause.and_then(|pause| told_outdated(pause, now))
            && let Some(fields) = detail.as_object_mut()
        {
            fields.insert("outdated".to_owned(), outdated);
        }
        let paused: Vec<Value> = self
            .pauses_of(provider, now)
            .filter_map(|(aside, pause)| part(provider, aside, pause, now))
            .collect();
        if !paused.is_empty()
            && let Some(fields) = detail.as_object_mut()
        {
            fields.insert("paused".to_owned(), paused.into());
        }
        let evidence: Vec<Value> = self
            .evidence_of(provider)
            .filter_map(|(aside, rule, tally)| counted(provider, aside, rule, tally, now))
            .collect();
        if !evidence.is_empty()
            && let Some(fields) = detail.as_object_mut()
        {
            fields.insert("evidence".to_owned(), evidence.into());
        }
        if !provider.has_key()
            && let Some(fields) = detail.as_object_mut()
        {
            fields.insert("reason".to_owned(), json!(provider.missing_key_hint()));
        }
        detail
    }
}

/// The name of the key that a pause is about, if it is about one of several.
pub(super) fn key_of<'a>(provider: &'a Provider, aside: &Aside) -> Option<&'a str> {
    let key = match &aside.whose {
        Whose::Key(id) => provider.keys.iter().position(|key| key.id == *id),
        Whose::Provider(_) => None,
    };
    key.and_then(|place| provider.key_name(place))
}

/// Failures that are not yet enough for a cool down, if any count still.
fn counted(provider: &Provider, aside: &Aside, rule: &str, tally: &Tally, now: Ms) -> Option<Value> {
    let count = tally.count(now);
    let mut shown = Map::new();
    let parts = [("key", key_of(provider, aside)), ("model", aside.model.as_deref())];
    shown.extend(parts.into_iter().filter_map(|(name, part)| Some((name.to_owned(), json!(part?)))));
    shown.insert("rule".to_owned(), json!(rule));
    shown.insert("failures".to_owned(), json!(count));
    shown.insert("needed".to_owned(), json!(tally.after.needed));
    shown.insert("seen".to_owned(), json!(tally.said(count)));
    (count > 0).then_some(shown.into())
}

/// A pause of less than the whole provider: of which key by name, for which model, until when.
fn part(provider: &Provider, aside: &Aside, pause: &Pause, now: Ms) -> Option<Value> {
    let is_part = key_of(provider, aside).is_some() || aside.model.is_some();
    is_part.then(|| told(provider, aside, pause, now))
}

fn told(provider: &Provider, aside: &Aside, pause: &Pause, now: Ms) -> Value {
    let mut shown = Map::new();
    let parts = [("key", key_of(provider, aside)), ("model", aside.model.as_deref())];
    shown.extend(parts.into_iter().filter_map(|(name, part)| Some((name.to_owned(), json!(part?)))));
    shown.insert("since".to_owned(), json!(instant_text(pause.since)));
    shown.insert("until".to_owned(), json!(pause.until.map(instant_text)));
    shown.insert("rule".to_owned(), json!(pause.rule));
    shown.insert("request".to_owned(), json!(pause.request));
    shown.extend(told_outdated(pause, now).map(|outdated| ("outdated".to_owned(), outdated)));
    shown.into()
}

/// That the rules in force no longer have the rule that began a pause.
fn told_outdated(pause: &Pause, now: Ms) -> Option<Value> {
    let outdated = pause.outdated?;
    Some(json!({
        "rule": outdated.fate.word(),
        "since": instant_text(outdated.since.at),
        "text": format!("the rule `{}` is {}", pause.rule, outdated.told(now)),
    }))
}
