//! The one place where outcomes are judged: ordered rules over facts, the first that fires decides.

pub mod cooling;
pub mod counts;
mod gate;
mod index;
pub mod notices;
pub mod texts;
pub mod when;
mod why;

#[cfg(test)]
mod tests;

use super::actions::Do;
use super::failure::{Failure, FailureKind, Phase};
use super::names::{FAILOVER, Names, ROUTING, View};
use super::plan::Level;
use super::protocol::ErrorText;
use super::{Engine, Ms};
use crate::config::model;
use crate::language::scope::Env;
use crate::language::value::{Type, Val};
use crate::text::diagnostic::Span;
use crate::text::json::Doc;
use crate::text::path::Path;
use cooling::Cooling;
use counts::Counts;
use http::HeaderMap;
use index::Index;
use notices::Notices;
use std::borrow::Cow;
use std::cell::OnceCell;
use std::sync::Arc;
use texts::{Found, Texts};
use when::{Test, Where};

/// How much of an error's text regular expressions look at, in bytes.
const LOOKED_AT: usize = 64 * 1024;

/// One failover rule, compiled.
pub struct Rule {
    /// Its name.
    pub name: String,
    /// Where that stands in the rules.
    pub at: Span,
    /// Which answers leave a provider alone by it, and for how long: equal for what means the same, wherever it stands.
    pub meaning: u64,
    /// What it looks at.
    pub when: Test,
    /// The same for good answers, if it judges them: those parts that name a good status.
    pub good: Option<Test>,
    /// Whether it also judges requests before they are sent: its condition names what is dropped.
    pub sees_losses: bool,
    /// What to do.
    pub action: Do,
    /// For how long to leave the provider alone.
    pub cooling: Option<Cooling>,
    /// Whether the provider is down until a probe finds it well.
    pub down: bool,
    /// Whether the provider that answers instead becomes the first choice.
    pub switch: bool,
    /// How loudly the log tells that it fired.
    pub log: Option<Level>,
    /// Whether it comes after all rules that do not say so.
    pub last: bool,
    /// Whether it only tells what it would have done.
    pub shadow: bool,
    /// The error for the client when nobody is left to be asked: its place in the engine's refusals.
    pub exhausted: Option<usize>,
}

impl Rule {
    /// Does it put the provider aside?
    pub fn puts_aside(&self) -> bool {
        self.cooling.is_some() || self.down
    }

    /// Does it put only the key aside, so that another key of the same provider may answer?
    pub fn blames_key(&self) -> bool {
        !self.down && self.cooling.as_ref().is_some_and(|cooling| cooling.scope.is_of_key())
    }
}

/// The rules for one provider's outcomes, in order, and the lists by which they are found.
#[derive(Default)]
pub struct Rules {
    /// The patterns of those that look at the words of answers, if there are any.
    pub notices: Option<Arc<Notices>>,
    all: Vec<Arc<Rule>>,
    index: Index,
    sees: Sees,
}

/// Which good answers rules judge.
#[derive(Clone, Copy, Default)]
enum Sees {
    /// None.
    #[default]
    Nothing,
    /// Those whose words may be a limit notice.
    Notices,
    /// All.
    Everything,
}

impl Rules {
    /// These rules. They are found when [`Rules::seal`] has made the lists.
    pub fn new(all: Vec<Arc<Rule>>) -> Rules {
        Rules { all, ..Rules::default() }
    }

    /// These rules, which are not sealed yet, with those of a route, which come after the `own` first of the provider:
    /// ready to be found.
    pub fn with_route(&self, route: &[Arc<Rule>], own: usize, provider: &str, texts: &Texts) -> Rules {
        let (first, last) = self.all.split_at(own.min(self.all.len()));
        let mut rules = Rules::new(first.iter().chain(route).chain(last).cloned().collect());
        rules.seal(provider, texts);
        rules
    }

    /// Puts those that come last behind the others, and makes the lists for what `provider` does; `texts` has the patterns
    /// of all rules.
    pub fn seal(&mut self, provider: &str, texts: &Texts) {
        self.all.sort_by_key(|rule| rule.last);
        self.index = Index::new(&self.all, provider, texts);
        let mut patterns = Vec::new();
        self.all.iter().for_each(|rule| rule.when.patterns(&mut patterns));
        let answers = patterns.into_iter().filter(|(scope, _)| *scope == Where::Answer);
        let answers: Vec<&str> = answers.filter_map(|(_, at)| Some(texts.pattern(at)?.as_str())).collect();
        self.notices = Notices::new(&answers).map(Arc::new);
        let good: Vec<&Test> = self.all.iter().filter_map(|rule| rule.good.as_ref()).collect();
        self.sees = match good.iter().all(|test| test.needs_answer()) {
            true if good.is_empty() => Sees::Nothing,
            true => Sees::Notices,
            false => Sees::Everything,
        };
    }

    /// All of them.
    pub fn all(&self) -> &[Arc<Rule>] {
        &self.all
    }

    /// Whether any of them may have something to say of a good answer; `words` are those of a short one.
    pub fn see_good(&self, words: Option<&str>) -> bool {
        match self.sees {
            Sees::Nothing => false,
            Sees::Notices => {
                words.zip(self.notices.as_ref()).is_some_and(|(words, notices)| notices.may_begin(words))
            }
            Sees::Everything => true,
        }
    }
}

/// What is judged.
#[derive(Clone, Copy)]
pub struct Facts<'a> {
    /// What went wrong; `None` for a good answer.
    pub failure: Option<FailureKind>,
    /// The status, if the provider gave one or its error text names one.
    pub status: Option<u16>,
    /// The status that came, where that is another one: the error stands inside a good answer.
    pub came: Option<u16>,
    /// The provider's headers.
    pub headers: &'a HeaderMap,
    /// The provider's text.
    pub body: &'a [u8],
    /// The words of a good answer, if it is short and over.
    pub answer: Option<&'a str>,
    /// Why a good answer has no such words, for people.
    pub unheard: Option<&'static str>,
    /// The text as the provider's protocol reads it.
    pub read: &'a ErrorText,
    /// The client's body.
    pub request: &'a Doc,
    /// What can be counted in it.
    pub counts: &'a Counts,
    /// The model that the client asked for.
    pub model: &'a str,
    /// `$provider`.
    pub provider_doc: Option<&'a Doc>,
    /// The provider's name.
    pub provider: &'a str,
    /// The name of the provider's key, if it has several.
    pub key: &'a str,
    /// `$sent_key`.
    pub sent_key: Option<&'a Doc>,
    /// The time zone of times in the provider's answers that name none; `None` is UTC.
    pub zone: Option<&'a str>,
    /// Where the request came in.
    pub route: RouteFacts<'a>,
    /// The number of the attempt at this provider, from 1.
    pub attempt: u32,
    /// How far the attempt had come.
    pub phase: Phase,
    /// Had the client begun to read the answer?
    pub committed: bool,
    /// What the mapping dropped from the request.
    pub dropped: &'a [String],
    /// When it was seen.
    pub now: Ms,
    /// From 0 to below 1: how much of a cool down's `jitter` is added.
    pub chance: f64,
}

/// What rules may ask of a route.
#[derive(Clone, Copy, Default)]
pub struct RouteFacts<'a> {
    /// Its name, if it has one.
    pub name: Option<&'a str>,
    /// Its path.
    pub path: &'a str,
    /// What stands in the path's holes.
    pub holes: Option<&'a Doc>,
    /// Where requests of its protocol have their messages.
    pub messages: Option<&'a Path>,
}

impl<'a> Facts<'a> {
    /// How far the attempt had come, in the words of the rules.
    pub fn stage(&self) -> model::Phase {
        match self.phase {
            _ if self.failure.is_some_and(FailureKind::is_of_connecting) => model::Phase::Connect,
            Phase::FirstByte if self.status.is_none() => model::Phase::FirstByte,
            Phase::FirstByte | Phase::Content => model::Phase::FirstContent,
            Phase::Idle => model::Phase::Stream,
        }
    }

    /// One number of the request.
    pub fn count(&self, count: model::Count) -> Option<u64> {
        self.counts.of(count, self.request, self.route.messages)
    }

    /// The facts' values by name.
    pub fn view(&self) -> View<'a> {
        View {
            doc: self.read.doc.as_ref(),
            request: Some(self.request),
            provider: self.provider_doc,
            header: Some(self.headers),
            status: self.status.or(self.came),
            model: Some(self.model),
            now: Some(self.now),
            error: self.read.error.as_ref(),
            attempt: Some(self.attempt),
            path: self.route.holes,
            sent_key: self.sent_key,
            ..View::default()
        }
    }

    /// The text that regular expressions look at.
    pub fn text(&self) -> Cow<'a, str> {
        let bytes = self.body.get(..LOOKED_AT).unwrap_or(self.body);
        // The usual text is sound, and that is found out faster than what to do if it is not.
        std::str::from_utf8(bytes).map_or_else(|_| String::from_utf8_lossy(bytes), Cow::Borrowed)
    }

    /// The error's message, where it reads otherwise than in the text: with the escapes of JSON undone.
    pub fn message(&self) -> Option<&'a str> {
        self.read.message.as_deref().filter(|_| memchr::memchr(b'\\', self.body).is_some())
    }
}

/// What of the values that rules look at is told to people.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Shown {
    /// None of them.
    #[default]
    Nothing,
    /// What a provider said of a failure.
    Errors,
    /// Of a request what can be no part of a prompt: its path, its headers, and numbers.
    Request,
    /// Also what was asked and answered.
    Everything,
}

/// Facts while they are judged: what is costly is found out once, when first asked for.
pub struct Judged<'a> {
    pub(super) facts: &'a Facts<'a>,
    patterns: &'a Texts,
    names: Names,
    shown: Shown,
    hide: Option<&'a dyn Fn(&str) -> String>,
    env: OnceCell<Env<'a>>,
    text: OnceCell<Cow<'a, str>>,
    in_text: OnceCell<Found>,
    in_unescaped: OnceCell<Found>,
    in_message: OnceCell<Found>,
    in_answer: OnceCell<Found>,
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
            patterns: texts,
            shown: Shown::default(),
            hide: None,
            env: OnceCell::new(),
            text: OnceCell::new(),
            in_text: OnceCell::new(),
            in_unescaped: OnceCell::new(),
            in_message: OnceCell::new(),
            in_answer: OnceCell::new(),
        }
    }

    /// The same, where so much of what rules look at may be told; `hide` strikes keys out of a text.
    pub fn showing(self, shown: Shown, hide: &'a dyn Fn(&str) -> String) -> Self {
        Judged { shown, hide: Some(hide), ..self }
    }

    /// Whether what stands at this path may be told, which is `value`.
    fn shows(&self, path: &str, value: &Val<'_>) -> bool {
        const CREDENTIALS: [&str; 5] = ["authorization", "api-key", "cookie", "token", "secret"];
        let is_header = path.starts_with("$header");
        if is_header && CREDENTIALS.iter().any(|name| path.to_ascii_lowercase().contains(name)) {
            return false;
        }
        match self.shown {
            Shown::Nothing => false,
            Shown::Errors => self.facts.failure.is_some() && !path.starts_with("$request"),
            Shown::Request => {
                is_header
                    || path.starts_with("$path")
                    || !matches!(value.kind(), Type::String | Type::List | Type::Object)
            }
            Shown::Everything => true,
        }
    }

    /// The beginning of the text that patterns of this kind look at, for people, if it may be told; empty: there is none.
    fn shown_text(&self, scope: Where) -> Option<String> {
        let hide = self.hide.filter(|_| self.shown == Shown::Everything)?;
        let message = self.facts.read.message.as_deref();
        let text = match scope {
            Where::Text => message.filter(|text| !text.is_empty()).unwrap_or_else(|| self.text()),
            Where::Message => message.unwrap_or_default(),
            Where::Answer => self.facts.answer.unwrap_or_default(),
        };
        Some(why::shortened(text, hide))
    }

    /// What is judged.
    pub fn facts(&self) -> &'a Facts<'a> {
        self.facts
    }

    fn env(&self) -> &Env<'a> {
        self.env.get_or_init(|| self.facts.view().env(self.names, self.names.len()))
    }

    fn text(&self) -> &str {
        self.text.get_or_init(|| self.facts.text())
    }

    /// The texts that patterns of this kind look at, with what might match there.
    fn texts(&self, scope: Where) -> [Option<(&str, &Found)>; 2] {
        match scope {
            Where::Text => {
                let message = self.facts.message().map(|text| (text, self.search(text, &self.in_unescaped)));
                [Some((self.text(), self.search(self.text(), &self.in_text))), message]
            }
            Where::Answer => [self.facts.answer.map(|text| (text, self.search(text, &self.in_answer))), None],
            Where::Message => {
                let message = self.facts.read.message.as_deref();
                [message.map(|text| (text, self.search(text, &self.in_message))), None]
            }
        }
    }

    fn search<'j>(&self, text: &str, cell: &'j OnceCell<Found>) -> &'j Found {
        cell.get_or_init(|| self.patterns.search(text))
    }

    /// Does the pattern match one of the texts that it looks at?
    fn matches(&self, scope: Where, pattern: u32) -> bool {
        let mut texts = self.texts(scope).into_iter().flatten();
        texts.any(|(text, found)| self.patterns.is_match(pattern, found, text))
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

/// Finds the first rule that fires. `is_spent`, asked of each rule whose condition holds: one that has nothing left
/// to do for this request is passed over, as are those in shadow. `said`, where it is wanted, gets what every rule said up to the one that fired.
pub fn judge<'r>(
    rules: &'r Rules,
    judged: &Judged<'_>,
    is_spent: impl Fn(&Rule) -> bool,
    said: Option<&mut Vec<Said>>,
) -> Option<&'r Arc<Rule>> {
    match said {
        None => {
            let mut likely = rules.index.walk(judged).filter_map(|place| rules.all.get(place));
            likely.find(|rule| rule.holds(judged) && !is_spent(rule) && !rule.shadow)
        }
        Some(said) => rules.all.iter().find(|rule| {
            said.push(rule.say(judged, &is_spent));
            said.last().is_some_and(|said| said.fired)
        }),
    }
}

/// What the rules say up to the one that `fired` (all of them, if none did), the last `most` of them. Also: the
/// place of the first of these. Costs a text for each, so it is for failures only.
pub fn said(
    rules: &Rules,
    judged: &Judged<'_>,
    is_spent: impl Fn(&Rule) -> bool,
    fired: Option<&Arc<Rule>>,
    most: usize,
) -> (usize, Vec<Said>) {
    let is_it = |rule: &Arc<Rule>| fired.is_some_and(|fired| Arc::ptr_eq(rule, fired));
    let end = rules.all.iter().position(is_it).map_or(rules.all.len(), |place| place + 1);
    let begin = end.saturating_sub(most);
    let heard = rules.all.get(begin..end).unwrap_or_default();
    (begin, heard.iter().map(|rule| rule.say(judged, &is_spent)).collect())
}

impl Rule {
    /// What it asks of an outcome of this kind; `None` if that is not its business.
    fn test(&self, failure: Option<FailureKind>) -> Option<&Test> {
        match failure {
            None => self.good.as_ref(),
            Some(FailureKind::Lossy) => Some(&self.when).filter(|_| self.sees_losses),
            Some(_) => Some(&self.when),
        }
    }

    fn holds(&self, judged: &Judged<'_>) -> bool {
        self.test(judged.facts.failure).is_some_and(|test| test.holds(judged))
    }

    fn say(&self, judged: &Judged<'_>, is_spent: &impl Fn(&Rule) -> bool) -> Said {
        let holds = self.holds(judged);
        let is_spent = holds && is_spent(self);
        let why = match (self.test(judged.facts.failure), judged.facts.failure) {
            (Some(test), _) if holds && self.shadow => {
                format!("it would, but is in shadow: {}", test.why(judged))
            }
            (Some(_), _) if is_spent => "it has done for this request what it can".to_owned(),
            (Some(test), _) => test.why(judged),
            (None, None) => "it names no good status, so good answers are not its business".to_owned(),
            (None, Some(_)) => "nothing has been sent yet, and it does not ask what is dropped".to_owned(),
        };
        Said { rule: self.name.clone(), fired: holds && !is_spent && !self.shadow, why }
    }
}

/// What happens when no rule fires: the next provider for what is no answer at all, nor an error that a client could be
/// given, else back to the client.
pub fn default_action(failure: &Failure) -> Do {
    let is_next = failure.kind.is_next_by_default() || failure.is_of_odd_status();
    if is_next { Do::Next } else { Do::Return }
}
