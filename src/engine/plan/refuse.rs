//! Errors in words of the rules' own: a route's, or a failover rule's.

use super::verdict::Case;
use super::{Answer, Event, Plan};
use crate::config::model::LONGEST_MESSAGE;
use crate::engine::actions::Refusal;
use crate::engine::failure::Failure;
use crate::engine::judge::{Judged, Rule};
use crate::engine::names::{EXHAUSTED, REFUSING, ROUTING, View};
use crate::engine::protocol::{ErrorText, Wording};
use crate::engine::worded;
use crate::language::scope::Env;
use crate::text::json::Doc;
use bytes::Bytes;
use http::header::{HeaderValue, RETRY_AFTER};

/// How much is told of what a hole of a message gives, in characters.
const LONGEST_VALUE: usize = 1000;

impl Plan {
    /// The error that the route gives to every request.
    pub(super) fn refused_by_route(&mut self, refusal: &Refusal) -> Answer {
        let message = words(refusal, &mut self.asked().env(ROUTING, ROUTING.len()));
        let answer = self.refusal(refusal, &message, None, false);
        let name = self.route().and_then(|route| route.name.as_deref());
        let by = name.map_or_else(|| "the route".to_owned(), |name| format!("the route {name}"));
        self.events.push(Event::Refused { by, message });
        self.answered(answer)
    }

    /// The error that a rule gives in the place of what a provider did.
    pub(super) fn refused_by_rule(&mut self, case: &Case<'_>, rule: &Rule, place: usize) -> Option<Answer> {
        let engine = self.engine.clone();
        let refusal = engine.refusals.get(place)?;
        let provider = self.provider_name(case.way);
        let facts = self.facts(case, &provider);
        let groups = engine.texts.captures(&rule.when, &Judged::new(&facts, &engine.texts));
        let groups = groups.and_then(|groups| Doc::parse(groups.to_string().into_bytes()).ok());
        let view = View { captures: groups.as_ref(), id: Some(&self.incoming.id), ..facts.view() };
        let message = words(refusal, &mut view.env(REFUSING, REFUSING.len()));
        let message = self.without_keys(case.way, &message);
        let answer = self.refusal(refusal, &message, None, false);
        self.events.push(Event::Refused { by: format!("the rule {}", rule.name), message });
        Some(self.answered(answer))
    }

    /// The error when all have failed: `failure` is that of the first choice.
    pub(super) fn refused_in_the_end(
        &self,
        refusal: &Refusal,
        (way, failure, read): (usize, &Failure, &ErrorText),
        free_in: Option<i64>,
    ) -> Answer {
        let provider = self.provider_name(way);
        let case = Case::of(way, failure, read, self.incoming.now);
        let document =
            self.provider_at(way).zip(self.way(way)).map(|(it, way)| way.document(it, &self.model));
        let facts = self.facts(&case, &provider);
        let view = View { id: Some(&self.incoming.id), provider: document.as_ref(), ..facts.view() };
        let message = words(refusal, &mut view.env(EXHAUSTED, EXHAUSTED.len()));
        self.refusal(refusal, &self.without_keys(way, &message), free_in, true)
    }

    fn refusal(&self, refusal: &Refusal, message: &str, free_in: Option<i64>, exhausted: bool) -> Answer {
        let retry_after = refusal.retry_after.or(free_in);
        let wording = Wording {
            status: refusal.status.as_u16(),
            kind: refusal.kind.as_deref(),
            message,
            retry_after,
            exhausted,
            id: &self.incoming.id,
            ..Wording::default()
        };
        let client = self.route().and_then(|route| route.protocol.as_ref());
        let mut answer = Answer::by_router(refusal.status, Bytes::new());
        answer.body = super::AnswerBody::Whole(worded(client, &wording));
        if let Some(client) = client {
            client.error_headers(&wording, &mut answer.headers);
        }
        if let Some(seconds) = retry_after {
            answer.headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        self.signed(answer, None)
    }
}

/// What the client is told.
fn words(refusal: &Refusal, env: &mut Env<'_>) -> String {
    refusal.message.text_within(env, LONGEST_VALUE, LONGEST_MESSAGE).unwrap_or_default()
}
