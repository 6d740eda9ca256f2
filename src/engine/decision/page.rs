//! A record as JSON: what `/-/decisions` answers with. The README lists the keys.

use super::{Attempted, Decision};
use crate::engine::Ms;
use crate::engine::failure::Phase;
use crate::engine::usage::Usage;
use crate::text::units::instant_text;
use serde_json::{Value, json};

impl Decision {
    /// The record as JSON. Moments are RFC 3339; what ends in `_ms` counts milliseconds.
    pub fn to_json(&self) -> Value {
        let mut candidates: Vec<Value> = self
            .candidates
            .iter()
            .map(|candidate| {
                let why = candidate.passed_over.iter().map(|why| passed_over(&why.reason, why.until));
                json!({
                    "provider": candidate.provider,
                    "eligible": candidate.passed_over.is_empty(),
                    "why_not": why.collect::<Vec<_>>(),
                })
            })
            .collect();
        candidates.extend(self.left_out.iter().map(|(provider, reason)| {
            json!({ "provider": provider, "eligible": false, "why_not": [passed_over(reason, None)] })
        }));
        json!({
            "id": self.id,
            "at": instant_text(self.at),
            "rules_version": self.rules_version,
            "request": format!("{} {}", self.method, self.path),
            "route": self.route,
            "routes_passed_over": self.routes_passed_over.iter()
                .map(|(route, why)| json!({ "route": route, "why": why }))
                .collect::<Vec<_>>(),
            "client": self.client,
            "protocol": self.protocol,
            "model": self.model,
            "streaming": self.streaming,
            "probe": self.probe,
            "failed": self.failed(),
            "candidates": candidates,
            "attempts": self.attempts.iter().map(|attempt| self.attempt(attempt)).collect::<Vec<_>>(),
            "exhausted": self.exhausted,
            "otherwise": self.otherwise,
            "answer": self.answer.as_ref().map(|answer| json!({
                "status": answer.status,
                "provider": answer.provider,
                "rule": answer.rule,
                "attempts": answer.attempts,
                "after_ms": self.since(answer.at),
            })),
            "stream": self.stream.as_ref().map(|stream| json!({
                "ended": stream.how,
                "reason": stream.reason,
                "after_ms": self.since(stream.at),
            })),
            "usage": usage(self.usage(), Some(self.usage_is_partial())),
            "refused": self.refused,
            "client_left_after_ms": self.client_left.map(|at| self.since(at)),
            "prompt": self.prompt.as_ref().map(|prompt| String::from_utf8_lossy(prompt)),
        })
    }

    fn attempt(&self, attempt: &Attempted) -> Value {
        let said = attempt
            .said
            .iter()
            .map(|verdict| json!({ "rule": verdict.rule, "fired": verdict.fired, "why": verdict.why }));
        let cool_downs = attempt.cool_downs.iter().map(|cool_down| {
            json!({
                "provider": cool_down.provider,
                "key": cool_down.key,
                "model": cool_down.model,
                "until": cool_down.until.map(instant_text),
                "rule": cool_down.rule,
                "begins": cool_down.begins,
            })
        });
        json!({
            "number": attempt.number,
            "provider": attempt.provider,
            "key": attempt.key,
            "model": attempt.model,
            "dropped": attempt.dropped,
            "after_ms": self.since(attempt.began),
            "took_ms": attempt.ended.map(|ended| ended.saturating_sub(attempt.began)),
            "outcome": match (attempt.ended, attempt.failure) {
                (None, _) => None,
                (Some(_), failure) => Some(failure.unwrap_or("answered")),
            },
            "status": attempt.status,
            "phase": attempt.phase.filter(|_| attempt.failure.is_some()).map(phase),
            "what": attempt.what,
            "error": attempt.error.as_ref().map(|it| json!({ "type": it.kind, "message": it.message })),
            "rules": said.collect::<Vec<_>>(),
            "rules_left_out": attempt.unsaid,
            "shadow": attempt.shadows.iter().map(|it| json!({ "rule": it.rule, "would": it.would })).collect::<Vec<_>>(),
            "rule": attempt.rule,
            "action": attempt.action,
            "repair": attempt.repair,
            "waits_ms": attempt.again_at.zip(attempt.ended).map(|(at, ended)| at.saturating_sub(ended)),
            "cool_down_from": attempt.cool_down_from,
            "evidence": attempt.evidence,
            "cool_downs": cool_downs.collect::<Vec<_>>(),
            "usage": usage(attempt.usage, None),
            "events_left_out": (attempt.left_out.count() > 0).then(|| json!({
                "unreadable": attempt.left_out.unreadable,
                "empty": attempt.left_out.empty,
            })),
        })
    }

    fn since(&self, moment: Ms) -> Ms {
        moment.saturating_sub(self.at)
    }
}

fn passed_over(reason: &str, until: Option<Ms>) -> Value {
    json!({ "reason": reason, "until": until.filter(|until| *until < Ms::MAX).map(instant_text) })
}

/// The counts that were told, and whether there may be more; null where none were.
fn usage(usage: Usage, partial: Option<bool>) -> Value {
    if usage.is_empty() {
        return Value::Null;
    }
    let counts = Usage::NAMES.into_iter().zip(usage.counts());
    let counts = counts.filter_map(|(name, count)| Some((name.to_owned(), json!(count?))));
    counts.chain(partial.map(|partial| ("partial".to_owned(), json!(partial)))).collect()
}

/// How far an attempt had come, as rules call its timers.
fn phase(phase: Phase) -> &'static str {
    match phase {
        Phase::FirstByte => "first_byte",
        Phase::Content => "first_content",
        Phase::Idle => "idle",
    }
}
