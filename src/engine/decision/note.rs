//! How a record is written: what each event of a plan adds to it.

use super::{Attempted, Candidate, CoolDown, Decision, PassedOver, Shadow, StreamEnd, Verdict};
use crate::engine::Ms;
use crate::engine::exchange::LeftOutEvents;
use crate::engine::plan::Event;
use crate::engine::usage::Usage;

/// No text of a record is longer, in bytes: what a provider says must not fill the memory.
const LONGEST: usize = 500;

impl Decision {
    /// Takes in what happened at `now`.
    pub fn note(&mut self, event: &Event, now: Ms) {
        match event {
            Event::Candidates { order } => {
                let mut known = std::mem::take(&mut self.candidates);
                self.candidates = order.iter().map(|name| Candidate::of(name)).collect();
                known.retain(|candidate| !order.contains(&candidate.provider));
                self.candidates.extend(known);
            }
            Event::Skipped { provider, reason, until } => self.passed_over(provider, reason, *until),
            Event::Attempt { number, provider, key, model, dropped } => {
                let attempt = Attempted {
                    number: *number,
                    key: key.clone(),
                    model: model.clone(),
                    dropped: dropped.clone(),
                    ..Attempted::of(provider, now)
                };
                self.attempts.push(attempt);
            }
            Event::Outcome { provider, what, failure, status, phase, said } => {
                let is_open = |attempt: &&mut Attempted| attempt.ended.is_none();
                if *failure == Some(Event::CLIENT_LEFT) {
                    self.left(now);
                } else if self.attempts.last_mut().filter(is_open).is_none() {
                    self.attempts.push(Attempted::of(provider, now));
                }
                if let Some(attempt) = self.attempts.last_mut().filter(is_open) {
                    attempt.ended = Some(now);
                    (attempt.failure, attempt.status, attempt.phase) = (*failure, *status, *phase);
                    attempt.what = short(what);
                    attempt.error.clone_from(said);
                }
            }
            Event::Verdict { provider, place, rule, matched, why } => {
                if let Some(attempt) = self.undecided(provider) {
                    if attempt.said.is_empty() {
                        attempt.unsaid = *place;
                    }
                    let (rule, why) = (rule.clone(), short(why));
                    attempt.said.push(Verdict { rule, fired: *matched, why });
                }
            }
            Event::Decided { provider, rule, action } => {
                if let Some(attempt) = self.undecided(provider) {
                    attempt.action = Some(*action);
                    attempt.rule.clone_from(rule);
                }
            }
            Event::Retry { provider, rule, at, repair, .. } => {
                if let Some(attempt) = self.undecided(provider) {
                    attempt.action = Some(if repair.is_some() { "repair" } else { "retry" });
                    attempt.rule = Some(rule.clone());
                    attempt.again_at = Some(*at);
                    attempt.repair.clone_from(repair);
                }
            }
            Event::Reckoned { provider, from } => {
                if let Some(attempt) = self.undecided(provider) {
                    attempt.cool_down_from = Some(short(from));
                }
            }
            Event::Counted { seen, .. } => {
                if let Some(attempt) = self.attempts.last_mut() {
                    attempt.evidence = Some(short(seen));
                }
            }
            Event::CoolDown { provider, key, model, until, rule, step } => {
                if let Some(attempt) = self.attempts.last_mut() {
                    attempt.cool_downs.push(CoolDown {
                        provider: provider.clone(),
                        key: key.clone(),
                        model: model.clone(),
                        until: *until,
                        rule: rule.clone(),
                        begins: step.begins(),
                    });
                }
            }
            Event::NoAnswer { .. } => self.exhausted = true,
            Event::Otherwise { .. } => self.otherwise = true,
            Event::Refused { by, message } => {
                self.refused = Some(short(&format!("refused by {by}: {message}")));
            }
            Event::StreamEnded { .. } => {
                self.stream = Some(StreamEnd { at: now, how: "complete", reason: None });
            }
            Event::BrokenStream { reason, .. } => {
                let reason = Some(short(reason));
                self.stream = Some(StreamEnd { at: now, how: "broken", reason });
            }
            Event::Resumed { .. } => self.stream = None,
            Event::Fired { provider, rule, action, would: Some(would), .. } => {
                if let Some(attempt) = self.undecided(provider) {
                    let (rule, would) = (rule.clone(), short(&format!("{action}{would}")));
                    attempt.shadows.push(Shadow { rule, would });
                }
            }
            Event::Gate { shadow: true, what, .. } => {
                if let Some(attempt) = self.attempts.last_mut() {
                    attempt.shadows.push(Shadow { rule: "gate".to_owned(), would: short(what) });
                }
            }
            Event::Fired { .. } | Event::Switched { .. } | Event::Spared { .. } | Event::Gate { .. } => {}
            Event::Failover { .. } | Event::Recovered { .. } | Event::Answered { .. } => {}
            Event::NotResumed { .. } | Event::ProbeFailed { .. } => {}
        }
    }

    /// The client left: in the middle of a stream, or before it was given anything.
    fn left(&mut self, now: Ms) {
        if self.answer.is_some() {
            self.stream = Some(StreamEnd { at: now, how: Event::CLIENT_LEFT, reason: None });
        } else {
            self.client_left = Some(now);
        }
    }

    fn passed_over(&mut self, provider: &str, reason: &str, until: Option<Ms>) {
        let place = self.candidates.iter().position(|candidate| candidate.provider == provider);
        let place = place.unwrap_or_else(|| {
            self.candidates.push(Candidate::of(provider));
            self.candidates.len() - 1
        });
        let why = PassedOver { reason: short(reason), until };
        if let Some(candidate) = self.candidates.get_mut(place)
            && !candidate.passed_over.contains(&why)
        {
            candidate.passed_over.push(why);
        }
    }

    /// The latest attempt, if it was at this provider and nothing has been decided about it.
    fn undecided(&mut self, provider: &str) -> Option<&mut Attempted> {
        self.attempts.last_mut().filter(|attempt| attempt.provider == provider && attempt.action.is_none())
    }
}

impl Candidate {
    fn of(provider: &str) -> Candidate {
        Candidate { provider: provider.to_owned(), passed_over: Vec::new() }
    }
}

impl Attempted {
    fn of(provider: &str, now: Ms) -> Attempted {
        Attempted {
            number: 0,
            provider: provider.to_owned(),
            key: None,
            model: None,
            dropped: Vec::new(),
            began: now,
            ended: None,
            failure: None,
            status: None,
            phase: None,
            what: String::new(),
            error: None,
            said: Vec::new(),
            unsaid: 0,
            shadows: Vec::new(),
            rule: None,
            action: None,
            again_at: None,
            repair: None,
            cool_down_from: None,
            evidence: None,
            cool_downs: Vec::new(),
            usage: Usage::default(),
            left_out: LeftOutEvents::default(),
        }
    }
}

/// A text, cut to what a record keeps of one.
fn short(text: &str) -> String {
    let end = (0..=LONGEST.min(text.len())).rev().find(|end| text.is_char_boundary(*end)).unwrap_or_default();
    text.get(..end).unwrap_or_default().to_owned()
}
