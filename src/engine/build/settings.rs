//! The plain settings of the rules in the engine's words.

use crate::config::model::{self, Spanned};
use crate::engine::provider::{KeySource, OwnKey};
use crate::engine::route::{Gate, GateMode};
use crate::engine::{Limits, Recovery};
use crate::text::json::{Doc, write_str};

/// A provider's keys: the several ones, or the one, or that there is none.
pub(super) fn keys(rules: &model::Rules, provider: &str, from: &model::Provider) -> Vec<OwnKey> {
    let made = |name: String, written: &Spanned<model::Key>| {
        let filled = rules.filled.iter().filter(|(at, _)| *at == written.span);
        let variables: Vec<&str> = filled.map(|(_, variable)| variable.as_str()).collect();
        OwnKey::new(name, key(&written.value), &variables, provider, from.account())
    };
    if from.keys.is_empty() {
        return vec![made("key1".to_owned(), &from.key)];
    }
    from.keys.iter().enumerate().map(|(place, it)| made(it.name(place), &it.0.key)).collect()
}

fn key(key: &model::Key) -> KeySource {
    match key {
        model::Key::Value(secret) => KeySource::Value(secret.clone()),
        model::Key::Client => KeySource::Client,
        model::Key::None => KeySource::None,
        model::Key::Unset(names) => KeySource::Unset(names.clone()),
    }
}

pub(super) fn recovery(from: &model::Recovery, providers: usize) -> Recovery {
    let share = from.at_most_out.and_then(|share| usize::try_from(share.0).ok());
    let most_out = share.map_or(providers, |percent| providers * percent / 100).max(1);
    let clear_outdated = from.on_rule_removed == model::OnRuleRemoved::Clear;
    Recovery { trials: from.trials, most_out, clear_outdated }
}

pub(super) fn limits(from: &model::Limits) -> Limits {
    let size = |size: &model::ByteSize| usize::try_from(size.0).unwrap_or(usize::MAX);
    let count = |count: &Option<Spanned<u32>>| count.as_ref().map(|count| count.value as usize);
    Limits {
        body: size(&from.body),
        answer: size(&from.answer),
        event: size(&from.event),
        held: size(&from.held),
        shutdown: from.shutdown,
        head_time: from.head_time,
        body_time: from.body_time,
        min_rate: from.min_rate.0,
        connections: count(&from.connections),
        connections_per_address: count(&from.connections_per_address),
        in_flight: from.in_flight.as_ref().map(|most| size(&most.value)),
        requests: count(&from.requests),
    }
}

/// How a route holds streams back; where it does not say, as the limits do.
pub(super) fn gate(from: Option<&model::Gate>, limits: &model::Limits) -> Gate {
    let held = self::limits(limits).held;
    let Some(from) = from else { return Gate { mode: GateMode::On, bytes: held, time: None } };
    let mode = match from.mode {
        model::GateMode::On => GateMode::On,
        model::GateMode::Shadow => GateMode::Shadow,
        model::GateMode::Off => GateMode::Off,
    };
    let bytes = from.bytes.map_or(held, |size| usize::try_from(size.0).unwrap_or(usize::MAX));
    Gate { mode, bytes, time: from.time.as_ref().map(|time| time.value) }
}

/// Texts as a JSON list.
pub(super) fn list_doc(items: &[String]) -> Doc {
    let mut out = b"[".to_vec();
    for (count, item) in items.iter().enumerate() {
        if count > 0 {
            out.push(b',');
        }
        write_str(&mut out, item);
    }
    out.push(b']');
    Doc::parse(out).unwrap_or_else(|_| Doc::null())
}
