//! The one place where outcomes are judged: ordered rules over facts, the first that fires decides.

pub mod cooling;
pub mod when;

#[cfg(test)]
mod tests;

use super::actions::Do;
use super::failure::{Failure, FailureKind};
use super::names::{FAILOVER, Names, ROUTING, View};
use super::protocol::ErrorText;
use super::{Engine, Ms};
use crate::language::scope::Env;
use crate::text::json::Doc;
use cooling::Cooling;
use http::HeaderMap;
use regex::SetMatches;
use std::borrow::Cow;
use std::cell::OnceCell;
use std::sync::Arc;
use when::{Test, Texts};

/// How much of an error's text regular expressions look at, in bytes.
const LOOKED_AT: usize = 64 * 1024;

/// One failover rule, compiled.
pub struct Rule {
    /// Its name.
    pub name: String,
    /// What it looks at.
    pub when: Test,
    /// Whether it also judges good answers: its condition names a status.
    pub sees_good: bool,
    /// Whether it also judges requests before they are sent: its condition names what is dropped.
    pub sees_losses: bool,
    /// What to do.
    pub action: Do,
    /// For how long to leave the provider alone.
    pub cooling: Option<Cooling>,
    /// Whether the provider is down until a probe finds it well.
    pub down: bool,
}

impl Rule {
    /// Does it put the provider aside?
    pub fn puts_aside(&self) -> bool {
        self.cooling.is_some() || self.down
    }
}

/// The rules for one provider's outcomes: its own, then those of all.
pub type Rules = Arc<[Arc<Rule>]>;

/// What is judged.
#[derive(Clone, Copy)]
pub struct Facts<'a> {
    /// What went wrong; `None` for a good answer.
    pub failure: Option<FailureKind>,
    /// The status, if the provider gave one or its error text names one.
    pub status: Option<u16>,
    /// The provider's headers.
    pub headers: &'a HeaderMap,
    /// The provider's text.
    pub body: &'a [u8],
    /// The text as the provider's protocol reads it.
    pub read: &'a ErrorText,
    /// The client's body.
    pub request: &'a Doc,
    /// The model that the client asked for.
    pub model: &'a str,
    /// `$provider`.
    pub provider_doc: &'a Doc,
    /// The provider's name.
    pub provider: &'a str,
    /// The number of the attempt at this provider, from 1.
    pub attempt: u32,
    /// What the mapping dropped from the request.
    pub dropped: &'a [String],
    /// When it was seen.
    pub now: Ms,
}

impl<'a> Facts<'a> {
    /// The facts' values by name.
    pub fn view(&self) -> View<'a> {
        View {
            doc: self.read.doc.as_ref(),
            request: Some(self.request),
            provider: Some(self.provider_doc),
            header: Some(self.headers),
            status: self.status,
            model: Some(self.model),
            now: Some(self.now),
            attempt: Some(self.attempt),
            ..View::default()
        }
    }

    /// The text that regular expressions look at.
    pub fn text(&self) -> Cow<'a, str> {
        String::from_utf8_lossy(self.body.get(..LOOKED_AT).unwrap_or(self.body))
    }

    /// The error's message, where it reads otherwise than in the text: with the escapes of JSON undone.
    pub fn message(&self) -> Option<&'a str> {
        self.read.message.as_deref().filter(|_| memchr::memchr(b'\\', self.body).is_some())
    }
}

/// Facts while they are judged: what is costly is found out once, when first asked for.
pub struct Judged<'a> {
    pub(super) facts: &'a Facts<'a>,
    pub(super) texts: &'a Texts,
    names: Names,
    env: OnceCell<Env<'a>>,
    text: OnceCell<Cow<'a, str>>,
    matches: OnceCell<Option<SetMatches>>,
    in_message: OnceCell<Option<SetMatches>>,
}

impl<'a> Judged<'a> {
    /// Facts of an outcome, about to be judged by failover rules.
    pub fn new(facts: &'a Facts<'a>, texts: &'a Texts) -> Self {
        Judged::over(facts, texts, FAILOVER)
    }

    /// Facts of a request, about to be judged by a route's condition: `$` and `$header` are the client's.
    pub fn for_route(facts: &'a Facts<'a>, texts: &'a Texts) -> Self {
        Judged::over(facts, texts, ROUTING)
    }

    fn over(facts: &'a Facts<'a>, texts: &'a Texts, names: Names) -> Self {
        Judged {
            names,
            facts,
            texts,
            env: OnceCell::new(),
            text: OnceCell::new(),
            matches: OnceCell::new(),
            in_message: OnceCell::new(),
        }
    }

    fn env(&self) -> &Env<'a> {
        self.env.get_or_init(|| self.facts.view().env(self.names, self.names.len()))
    }

    fn text(&self) -> &str {
        self.text.get_or_init(|| self.facts.text())
    }

    /// Does the pattern match the text or the message?
    fn matches(&self, pattern: usize) -> bool {
        let texts = self.texts;
        let in_text = self.matches.get_or_init(|| texts.search(self.text()));
        if texts.found(in_text.as_ref(), pattern, self.text()) {
            return true;
        }
        let Some(message) = self.facts.message() else {
            return false;
        };
        let in_message = self.in_message.get_or_init(|| texts.search(message));
        texts.found(in_message.as_ref(), pattern, message)
    }
}

impl Engine {
    /// The rule that decides about what a provider did, seen by itself: no repair has been made yet.
    pub fn judge(&self, provider: usize, facts: &Facts<'_>) -> Option<&Arc<Rule>> {
        let provider = self.providers.get(provider)?;
        judge(&provider.rules, &Judged::new(facts, &self.texts), |_| false, None)
    }
}

/// What one rule said.
#[derive(Clone, PartialEq, Debug)]
pub struct Said {
    /// The rule.
    pub rule: String,
    /// Did it fire?
    pub fired: bool,
    /// Why, or why not.
    pub why: String,
}

/// Finds the first rule that fires. `is_spent`: a rule that has nothing left to do for this request is passed
/// over. `said`, where it is wanted, gets what every rule said up to the one that fired.
pub fn judge<'r>(
    rules: &'r [Arc<Rule>],
    judged: &Judged<'_>,
    is_spent: impl Fn(&Rule) -> bool,
    mut said: Option<&mut Vec<Said>>,
) -> Option<&'r Arc<Rule>> {
    let failure = judged.facts.failure;
    for rule in rules {
        let applies = match failure {
            None => rule.sees_good,
            Some(FailureKind::Lossy) => rule.sees_losses,
            Some(_) => true,
        };
        let fired = applies && rule.when.holds(judged) && !is_spent(rule);
        if let Some(said) = said.as_deref_mut() {
            let why = if !applies && failure.is_none() {
                "it names no status, so good answers are not its business".to_owned()
            } else if !applies {
                "nothing has been sent yet, and it does not ask what is dropped".to_owned()
            } else if fired || !rule.when.holds(judged) {
                rule.when.why(judged)
            } else {
                "it has done for this request what it can".to_owned()
            };
            said.push(Said { rule: rule.name.clone(), fired, why });
        }
        if fired {
            return Some(rule);
        }
    }
    None
}

/// What happens when no rule fires: the next provider for what is no answer at all, else back to the client.
pub fn default_action(failure: &Failure) -> Do {
    if failure.kind.is_next_by_default() { Do::Next } else { Do::Return }
}
