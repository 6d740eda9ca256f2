//! One outcome before the rules: what they see, what they say, what that does to the provider.

use super::event::CoolDownStep;
use super::recovered::kept;
use super::{Event, Level, Plan};
use crate::engine::Ms;
use crate::engine::actions::{self, Do};
use crate::engine::failure::{Failure, FailureKind, Phase};
use crate::engine::health::{Aside, Health, Lane, Wanted};
use crate::engine::judge::cooling::Cooling;
use crate::engine::judge::{self, Facts, Judged, Rule, Rules, Shown};
use crate::engine::mapping::error_doc;
use crate::engine::protocol::ErrorText;
use crate::engine::provider::OwnKey;
use crate::text::units::instant_text;
use http::HeaderMap;
use std::cell::RefCell;
use std::sync::Arc;

/// Of so many rules the words go into a record: the last ones, since the very last is the one that fired.
const MOST_SAID: usize = 64;

/// An outcome to be judged.
#[derive(Clone, Copy)]
pub(super) struct Case<'c> {
    /// The way's place in the route.
    pub way: usize,
    /// What went wrong; `None` for a good answer.
    pub kind: Option<FailureKind>,
    pub status: Option<u16>,
    /// The status that came, where that is another one.
    pub came: Option<u16>,
    pub headers: &'c HeaderMap,
    pub body: &'c [u8],
    pub read: &'c ErrorText,
    pub now: Ms,
    /// How far the attempt had come.
    pub phase: Phase,
    /// Had the client begun to read?
    pub committed: bool,
}

impl<'c> Case<'c> {
    /// The case of a failure.
    pub fn of(way: usize, failure: &'c Failure, read: &'c ErrorText, now: Ms) -> Case<'c> {
        let Failure { kind, status, headers, body, phase, .. } = failure;
        let (kind, status, phase) = (Some(*kind), *status, *phase);
        // Before the head there is none.
        let came = failure.came.filter(|came| *came > 0 && status != Some(*came));
        Case { way, kind, status, came, headers, body, read, now, phase, committed: false }
    }
}

impl Plan {
    /// Reads what a provider said in a failure, and fills in what the failure itself does not know: the status
    /// that an error inside a good answer stands for, and its message. Keys are struck out.
    pub(super) fn understood(&self, way: usize, mut failure: Failure) -> (Failure, ErrorText) {
        self.hide_keys(way, &mut failure);
        let mut read = self.read(way, &failure);
        failure.status = failure.status.or(read.status);
        read.error = Some(error_doc(&failure, &read));
        if let Some(message) = read.message.as_ref().filter(|_| read.is_error()) {
            failure.message.clone_from(message);
            failure.is_quoted = true;
        }
        let kind = read.kind.as_deref().or(read.code.as_deref());
        failure.said = self.said(way, kind, read.message.as_deref());
        (failure, read)
    }

    /// What the provider's rules say.
    pub(super) fn judge(&mut self, case: &Case<'_>) -> Option<Arc<Rule>> {
        let engine = self.engine.clone();
        let provider = engine.providers.get(self.way(case.way)?.provider)?;
        let facts = self.facts(case, &provider.name);
        let shown = match self.trace {
            // Nor are a provider's words told in a log at debug, if the rules keep them out.
            true if self.rehearsal || engine.keeping.errors => Shown::Everything,
            true => Shown::Nothing,
            false if engine.keeping.errors => Shown::Errors,
            false => Shown::Nothing,
        };
        let hide = |text: &str| self.without_keys(case.way, text);
        let judged = Judged::new(&facts, &engine.texts).showing(shown, &hide);
        let rules = self.rules(case.way)?;
        let in_shadow = RefCell::new(Vec::new());
        let is_spent = |rule: &Rule| {
            if rule.shadow {
                in_shadow.borrow_mut().push(self.would(rule, &judged));
            }
            self.is_spent(case, rule)
        };
        let rule = judge::judge(rules, &judged, is_spent, None).cloned();
        // Of what does not fail the record has nothing to tell, so nothing is written for it.
        let is_failure = !matches!(case.kind, None | Some(FailureKind::Lossy));
        if self.trace || (self.record && (is_failure || rule.is_some())) {
            let most = if self.trace { usize::MAX } else { MOST_SAID };
            let is_spent = |rule: &Rule| self.is_spent(case, rule);
            let (first, said) = judge::said(rules, &judged, is_spent, rule.as_ref(), most);
            for (place, judge::Said { rule, fired: matched, why }) in said.into_iter().enumerate() {
                let (provider, place) = (provider.name.clone(), first + place);
                self.events.push(Event::Verdict { provider, place, rule, matched, why });
            }
        }
        let fired = rule.as_ref().map(|rule| Event::Fired {
            provider: provider.name.clone(),
            rule: rule.name.clone(),
            action: rule.action.name(),
            would: None,
            level: rule.log.unwrap_or(Level::Debug),
        });
        self.events.extend(in_shadow.into_inner().into_iter().chain(fired));
        rule
    }

    /// What a rule in shadow would have done.
    fn would(&self, rule: &Rule, judged: &Judged<'_>) -> Event {
        let facts = judged.facts();
        let until = rule.cooling.as_ref().and_then(|cooling| {
            let captures = self.engine.texts.captures(&rule.when, judged);
            cooling.until(facts, captures.as_ref(), facts.now)
        });
        let aside = match until {
            _ if rule.down => Some("until a probe finds it well".to_owned()),
            until => until.map(|until| format!("until {}", instant_text(until))),
        };
        let after = rule.cooling.as_ref().and_then(|cooling| cooling.after);
        let after = after.map(|after| format!(" after {after}")).unwrap_or_default();
        let aside = aside.map(|until| format!(", and let {} cool down {until}{after}", facts.provider));
        Event::Fired {
            provider: facts.provider.to_owned(),
            rule: rule.name.clone(),
            action: rule.action.name(),
            would: Some(aside.unwrap_or_default()),
            level: rule.log.unwrap_or(Level::Info),
        }
    }

    /// When the answer says that what the rule is about is over.
    pub(super) fn stated(&self, case: &Case<'_>, rule: &Rule) -> Option<Ms> {
        let name = self.provider_name(case.way);
        let facts = self.facts(case, &name);
        let captures = self.engine.texts.captures(&rule.when, &Judged::new(&facts, &self.engine.texts));
        rule.cooling.as_ref()?.stated(&facts, captures.as_ref(), case.now)
    }

    /// The rules for what comes over a way.
    pub(super) fn rules(&self, way: usize) -> Option<&Rules> {
        let own = self.way(way)?.rules.as_deref();
        own.or_else(|| self.provider_at(way).map(|provider| &provider.rules))
    }

    /// The key that a way's requests are sent with.
    fn used_key(&self, way: usize) -> Option<&OwnKey> {
        self.provider_at(way).zip(self.way(way)).and_then(|(provider, way)| provider.key(way.key))
    }

    pub(super) fn facts<'a>(&'a self, case: &Case<'a>, provider: &'a str) -> Facts<'a> {
        let current = self.current.as_ref();
        Facts {
            failure: case.kind,
            status: case.status,
            came: case.came,
            headers: case.headers,
            body: case.body,
            read: case.read,
            answer: current.and_then(|current| current.words.as_deref()),
            unheard: current.and_then(|current| current.unheard),
            request: &self.doc,
            counts: &self.counts,
            model: &self.model,
            provider_doc: current.map(|current| &current.provider_doc),
            provider,
            key: self.used_key(case.way).map_or("", |key| key.name.as_str()),
            sent_key: self.used_key(case.way).map(|key| &key.doc),
            zone: self.provider_at(case.way).and_then(|provider| provider.zone.as_deref()),
            route: self.route().map(|it| it.facts(self.holes.as_ref())).unwrap_or_default(),
            phase: case.phase,
            committed: case.committed,
            attempt: current.map_or(1, |current| current.number),
            dropped: current.map_or(&[], |current| current.dropped.as_slice()),
            now: case.now,
            chance: actions::chance(self.incoming.seed, self.attempts),
        }
    }

    /// Has a repair been made already, or would it change nothing? Then the rules that follow decide.
    fn is_spent(&self, case: &Case<'_>, rule: &Rule) -> bool {
        match &rule.action {
            Do::Repair { patch, otherwise: None } => {
                self.repaired.contains(&(case.way, *patch)) || self.mend(case, rule, *patch).is_none()
            }
            _ => false,
        }
    }

    /// Keeps the error for the health page.
    pub(super) fn remember(
        &mut self,
        case: &Case<'_>,
        failure: &Failure,
        rule: Option<&Rule>,
        health: &mut Health,
    ) {
        // What the mapping refuses is not the provider's failure.
        if failure.kind == FailureKind::Mapping {
            return;
        }
        health.failed(&self.provider_name(case.way), kept(case, failure, rule));
        if self.probe.is_some() {
            health.probed(&self.lane(case.way), false, 1, case.now);
        }
    }

    /// Takes the rule's effects: on the provider, and on all that use its key if the rule says so.
    pub(super) fn put_aside(&mut self, case: &Case<'_>, rule: &Rule, health: &mut Health) {
        let engine = self.engine.clone();
        let Some(provider) = self.provider_at(case.way).and_then(|it| engine.provider(&it.name)) else {
            return;
        };
        let Some(provider) = engine.providers.get(provider) else {
            return;
        };
        let cooling = rule.cooling.as_ref();
        let until = cooling.and_then(|cooling| {
            let facts = self.facts(case, &provider.name);
            let captures = engine.texts.captures(&rule.when, &Judged::new(&facts, &engine.texts));
            let until = cooling.until(&facts, captures.as_ref(), case.now)?;
            let is_stated = cooling.stated(&facts, captures.as_ref(), case.now).is_some();
            // What does not come later when it is asked later is a moment of the calendar.
            let later = cooling.until(&facts, captures.as_ref(), case.now.saturating_add(1));
            let end = End { until, is_stated, is_moment: is_stated && later == Some(until) };
            Some((end, cooling.from(&facts, captures.as_ref(), case.now)))
        });
        if let Some((cooling, (end, from))) = cooling.zip(until) {
            let Some(seen) = self.is_proven(case, rule, cooling, end.is_stated, health) else {
                return;
            };
            let from = seen.map_or(from.clone(), |seen| format!("{seen}; {from}"));
            self.events.push(Event::Reckoned { provider: provider.name.clone(), from });
            self.cool_down(case, rule, cooling, end, health);
        }
        if rule.down && !self.is_spared(provider.name.as_str(), rule, case.now, health) {
            let is_new = health.down(&provider.name, &rule.name, Some(rule.meaning), case.now);
            let step = if is_new { CoolDownStep::Begins } else { CoolDownStep::GoesOn };
            health.caused_by(&provider.name, None, &self.incoming.id);
            let (provider, rule) = (provider.name.clone(), rule.name.clone());
            self.events.push(Event::CoolDown { provider, key: None, model: None, until: None, rule, step });
        }
    }

    /// Whether enough has gone wrong for the rule's cool down: `None` if not; else what it was, if the rule counts. What
    /// the answer states needs no proof.
    #[allow(clippy::option_option)]
    fn is_proven(
        &mut self,
        case: &Case<'_>,
        rule: &Rule,
        cooling: &Cooling,
        is_stated: bool,
        health: &mut Health,
    ) -> Option<Option<String>> {
        let Some(after) = cooling.after.filter(|_| !is_stated) else {
            return Some(None);
        };
        let lane = self.lane(case.way);
        let aside = aside(cooling, &lane);
        let counting = health.count(&lane, &aside, &rule.name, after, case.now);
        if counting.is_enough {
            return Some(Some(counting.said));
        }
        let key = self.key_name(case.way).filter(|_| cooling.scope.is_of_key());
        let (provider, rule) = (self.provider_name(case.way), rule.name.clone());
        self.events.push(Event::Counted { provider, key, model: aside.model, seen: counting.said, rule });
        None
    }

    /// Are as many out already as may be? Then the rule's guess that this one is, too, counts for nothing.
    fn is_spared(&mut self, provider: &str, rule: &Rule, now: Ms, health: &Health) -> bool {
        let most = self.engine.recovery.most_out;
        let is_spared = health.guessed_out(provider, now) >= most;
        if is_spared {
            let (provider, rule) = (provider.to_owned(), rule.name.clone());
            self.events.push(Event::Spared { provider, rule, most });
        }
        is_spared
    }

    /// Puts aside what the scope says, and tells it of all providers that this concerns.
    fn cool_down(&mut self, case: &Case<'_>, rule: &Rule, cooling: &Cooling, end: End, health: &mut Health) {
        let End { until, is_stated, is_moment } = end;
        let engine = self.engine.clone();
        let scope = cooling.scope;
        let lane = self.lane(case.way);
        let aside = aside(cooling, &lane);
        let is_guess = cooling.is_guess(is_stated) && aside.model.is_none();
        let name = lane.provider.to_owned();
        if is_guess && self.is_spared(&name, rule, case.now, health) {
            return;
        }
        let lane = self.lane(case.way);
        // What the answer says is not for guessing.
        let repeats = if is_stated { 0 } else { health.repeats(&aside, case.now) };
        let until = cooling.grown(until, repeats, case.now);
        let trials = cooling.trials.unwrap_or(engine.recovery.trials);
        let meaning = Some(rule.meaning);
        let wanted = Wanted { until, rule: &rule.name, meaning, trials, is_guess, is_stated, is_moment };
        let mut concerned = Vec::new();
        for provider in &engine.providers {
            let key = provider.keys.iter().position(|key| key.id == lane.key);
            if provider.name == lane.provider || (key.is_some() && scope.is_of_key()) {
                let key = key.filter(|_| scope.is_of_key()).and_then(|place| provider.key_name(place));
                concerned.push((provider.name.clone(), key.map(str::to_owned)));
            }
        }
        let model = aside.model.clone();
        let before = health.pause_of(&aside).cloned();
        let until = health.put_aside(aside.clone(), wanted, case.now);
        let step = CoolDownStep::after(before.as_ref(), &rule.name, until, case.now);
        let by = health.pause_of(&aside).map_or_else(|| rule.name.clone(), |pause| pause.rule.clone());
        health.caused_by(&name, Some(&aside), &self.incoming.id);
        for (provider, key) in concerned {
            let (model, rule) = (model.clone(), by.clone());
            self.events.push(Event::CoolDown { provider, key, model, until: Some(until), rule, step });
        }
    }
}

/// The end of a cool down.
#[derive(Clone, Copy)]
struct End {
    until: Ms,
    /// Does the answer itself say it?
    is_stated: bool,
    /// Is it a moment of the calendar, and not some time from now?
    is_moment: bool,
}

/// What a cool down on this way is about.
fn aside(cooling: &Cooling, lane: &Lane<'_>) -> Aside {
    let scope = cooling.scope;
    let aside = if scope.is_of_key() { Aside::key(lane.key) } else { Aside::provider(lane.provider) };
    if scope.is_of_model() { aside.with_model(&lane.model) } else { aside }
}
