//! What the client is given: headers, and errors in its own protocol.

use super::{Answer, AnswerBody, Event, Plan, Whole};
use crate::engine::exchange::Exchange;
use crate::engine::failure::{Failure, FailureKind};
use crate::engine::headers;
use crate::engine::mapping::{ErrorParts, error_doc};
use crate::engine::names::{MAPPING, View};
use crate::engine::protocol::{ErrorText, Wording};
use crate::engine::provider::KeySource;
use crate::engine::route::Way;
use crate::engine::worded;
use crate::text::json::JsonKind;
use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER};
use http::{HeaderMap, StatusCode};

/// Who answered.
const PROVIDER: HeaderName = HeaderName::from_static("x-rulegate-provider");
/// Attempts made.
const ATTEMPTS: HeaderName = HeaderName::from_static("x-rulegate-attempts");
/// The last rule that decided something.
const RULE: HeaderName = HeaderName::from_static("x-rulegate-rule");
/// What of the request the provider did not get, by the names that the mapping gives it.
const DROPPED: HeaderName = HeaderName::from_static("x-rulegate-dropped");
/// The rules in force.
const VERSION: HeaderName = HeaderName::from_static("x-rulegate-rules-version");
/// What stands in a header where there is no provider or no rule to name.
const NOBODY: HeaderValue = HeaderValue::from_static("-");
/// A provider's finer form of `retry-after`.
const RETRY_AFTER_MS: HeaderName = HeaderName::from_static("retry-after-ms");

/// Puts the router's own headers on an answer that went through no plan; what is there already stays.
pub fn sign(headers: &mut HeaderMap, version: &str) {
    headers.entry(PROVIDER).or_insert(NOBODY);
    headers.entry(ATTEMPTS).or_insert(HeaderValue::from_static("0"));
    headers.entry(RULE).or_insert(NOBODY);
    if let Ok(version) = HeaderValue::from_str(version) {
        headers.entry(VERSION).or_insert(version);
    }
}

impl Plan {
    /// A provider's whole answer.
    pub(super) fn whole(&mut self, way: usize, whole: Whole) -> Answer {
        let has_no_body =
            |status: &StatusCode| matches!(*status, StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT);
        let status = StatusCode::from_u16(whole.status).ok().filter(|status| !has_no_body(status));
        let status = status.unwrap_or(StatusCode::OK);
        let mut headers = self.provider_headers(way, &whole.headers, "application/json");
        if self.way(way).is_some_and(|way| way.mapping.is_none() && way.protocol.answers_bytes) {
            own_type(&whole.headers, &mut headers);
        }
        self.provided(way, status, headers, AnswerBody::Whole(whole.body))
    }

    /// A provider's stream.
    pub(super) fn stream(&mut self, way: usize, exchange: Box<Exchange>) -> Answer {
        let mut headers = self.provider_headers(way, exchange.headers(), "text/event-stream");
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        if exchange.is_raw() {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
            own_type(exchange.headers(), &mut headers);
        }
        self.provided(way, StatusCode::OK, headers, AnswerBody::Stream(exchange))
    }

    fn provided(&mut self, way: usize, status: StatusCode, headers: HeaderMap, body: AnswerBody) -> Answer {
        let answer = Answer { status, headers, body, provider: None, attempts: 0, rule: None, reason: None };
        let answer = self.signed(answer, Some(self.provider_name(way)));
        self.answered(answer)
    }

    /// Notes that the client got an answer.
    pub(super) fn answered(&mut self, answer: Answer) -> Answer {
        // Nobody waits for a probe's answer.
        if self.probe.is_some() {
            return answer;
        }
        self.events.push(Event::Answered {
            provider: answer.provider.clone(),
            status: answer.status.as_u16(),
            attempts: answer.attempts,
            rule: answer.rule.clone(),
        });
        answer
    }

    /// Puts the router's own headers on an answer.
    pub(super) fn signed(&self, mut answer: Answer, provider: Option<String>) -> Answer {
        let mut put = |name: HeaderName, value: &str| {
            if let Ok(value) = HeaderValue::from_str(value) {
                answer.headers.insert(name, value);
            }
        };
        if let Some(provider) = &provider {
            put(PROVIDER, provider);
        }
        if let Some(rule) = &self.last_rule {
            put(RULE, rule);
        }
        let current = self.current.as_ref().filter(|_| provider.is_some());
        let dropped = current.map(|current| current.dropped.join(", ")).unwrap_or_default();
        if !dropped.is_empty() {
            put(DROPPED, &dropped);
        }
        put(ATTEMPTS, &self.attempts.to_string());
        put(VERSION, &self.engine.version);
        answer.provider = provider;
        answer.attempts = self.attempts;
        answer.rule = self.last_rule.clone();
        answer
    }

    /// An error in the client's protocol. `exhausted`: all that could be tried has been; `retry_after`: seconds
    /// until somebody is free again.
    pub(super) fn error(
        &self,
        way: usize,
        failure: &Failure,
        read: &ErrorText,
        exhausted: bool,
        retry_after: Option<i64>,
    ) -> Answer {
        let name = self.provider_name(way);
        let status = failure.client_status();
        let said = read.message.as_deref().unwrap_or(&failure.message);
        let message = failure.named(&name).unwrap_or_else(|| match failure.kind {
            FailureKind::Status | FailureKind::InStream | FailureKind::Mapping | FailureKind::Lossy => {
                said.to_owned()
            }
            _ => format!("{name}: {said}"),
        });
        let wording = Wording {
            status,
            kind: failure.error_type.as_deref(),
            message: &message,
            details: failure.details.as_deref(),
            retry_after,
            exhausted,
            id: &self.incoming.id,
        };
        let client = self.route().and_then(|route| route.protocol.as_ref());
        let mut answer = Answer::by_router(StatusCode::BAD_GATEWAY, Bytes::new());
        let is_said = (failure.kind == FailureKind::Status || read.is_error()) && !failure.is_of_odd_status();
        let from_provider = self.way(way).filter(|_| is_said).and_then(|way| {
            let same = way.mapping.is_none();
            if same { as_it_came(way, failure, read) } else { self.mapped(way, failure, read) }
        });
        let (status, body) = match from_provider {
            Some((mapped_status, body, headers)) => {
                answer.headers.extend(headers);
                (mapped_status.unwrap_or(status), body)
            }
            None => (status, worded(client, &wording)),
        };
        if let Some(client) = client {
            client.error_headers(&wording, &mut answer.headers);
        }
        answer.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Some(seconds) = retry_after {
            answer.headers.remove(RETRY_AFTER_MS);
            answer.headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        answer.status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY);
        answer.body = AnswerBody::Whole(body);
        self.signed(answer, Some(name))
    }

    /// The provider's error, translated.
    fn mapped(&self, way: &Way, failure: &Failure, read: &ErrorText) -> Option<ErrorParts> {
        let mapping = way.mapping.as_ref()?;
        let error = mapping.error.as_ref()?;
        let provider = self.engine.providers.get(way.provider)?;
        let provider_doc = way.document(provider, &self.model);
        let error_doc = error_doc(failure, read);
        let view = View {
            doc: read.doc.as_ref(),
            request: Some(&self.doc),
            provider: Some(&provider_doc),
            header: Some(&failure.headers),
            status: Some(failure.client_status()),
            model: Some(&self.model),
            now: Some(self.incoming.now),
            id: Some(&self.incoming.id),
            error: Some(&error_doc),
            ..View::default()
        };
        let kept = mapping.keep(&View { doc: Some(&self.doc), ..view.clone() });
        error.map(&mut mapping.env(&view, &kept))
    }

    fn provider_headers(&self, way: usize, from: &HeaderMap, content_type: &'static str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        if let Some(way) = self.way(way) {
            match &way.mapping {
                None => way.protocol.returned.copy(from, &mut headers),
                Some(mapping) if mapping.returned.is_empty() => {}
                Some(mapping) => {
                    let view = View {
                        request: Some(&self.doc),
                        header: Some(from),
                        model: Some(&self.model),
                        now: Some(self.incoming.now),
                        id: Some(&self.incoming.id),
                        ..View::default()
                    };
                    headers::write(&mapping.returned, &mut view.env(MAPPING, mapping.slots), &mut headers);
                }
            }
        }
        let provider =
            self.way(way).and_then(|way| Some((self.engine.providers.get(way.provider)?, way.key)));
        let key = provider.and_then(|(provider, key)| provider.keys.get(key)).map(|key| &key.source);
        if let Some(KeySource::Value(key)) = key {
            let quoting = headers.values_mut().filter(|value| key.is_unmistakably_in(value.as_bytes()));
            quoting.for_each(|value| *value = HeaderValue::from_static("[key]"));
        }
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        headers
    }

    /// The answer to a question that should not have been asked.
    pub(super) fn nothing(&self) -> Answer {
        let protocol = self.route().and_then(|route| route.protocol.as_ref());
        let status = StatusCode::INTERNAL_SERVER_ERROR;
        self.engine.word(protocol, status, "the request has been answered already", &self.incoming.id)
    }
}

/// Lets an answer keep the type that its provider says.
fn own_type(from: &HeaderMap, headers: &mut HeaderMap) {
    if let Some(said) = from.get(CONTENT_TYPE) {
        headers.insert(CONTENT_TYPE, said.clone());
    }
}

/// The provider's error as it came, if client and provider speak the same.
fn as_it_came(way: &Way, failure: &Failure, read: &ErrorText) -> Option<ErrorParts> {
    let doc = read.doc.as_ref().filter(|doc| read.is_error() && doc.root().kind() == JsonKind::Object)?;
    let mut headers = HeaderMap::new();
    way.protocol.returned.copy(&failure.headers, &mut headers);
    Some((None, doc.bytes(), headers))
}
