//! An answer that may be anything: a sound, a picture, plain text. It is passed on as it comes, unread, unless it begins like
//! JSON, events or a web page.

use super::passing::Passing;
use super::sniff::{Sniffed, sniff};
use super::{Body, Exchange, Progress, Seen};
use crate::engine::failure::{Failure, FailureKind};
use http::header::CONTENT_TYPE;

/// Where so many bytes do not tell what they are, they are nothing that is looked at.
const LONGEST_BEGINNING: usize = 1024;

impl Exchange {
    /// What is done with a good answer at first.
    pub(super) fn opened(&self) -> Body {
        if self.job.mapping.is_none() && self.job.provider.answers_bytes {
            Body::Opening(Vec::new())
        } else {
            Body::Sniffing(Vec::new(), 0)
        }
    }

    /// Begins with an answer whose first bytes these are.
    pub(super) fn begin(&mut self, start: Vec<u8>) -> Progress {
        let is = |kind: &str| self.media_type().starts_with(kind);
        let is_media = ["audio/", "image/", "video/"].into_iter().any(is);
        let sniffed = if is_media { Sniffed::Other } else { sniff(&start) };
        let (is_text, says_events) = (is("text/plain"), is("text/event-stream"));
        self.body = match sniffed {
            Sniffed::Unsure if start.len() < LONGEST_BEGINNING => {
                self.body = Body::Opening(start);
                return Progress::More;
            }
            Sniffed::Json => Body::Gathering(Vec::new()),
            Sniffed::Html if !is_text => {
                self.is_junk = true;
                Body::Gathering(Vec::new())
            }
            Sniffed::Events if self.job.provider.stream.is_some() && (self.job.streaming || says_events) => {
                Body::Passing(Passing::new(self.job.limits.event))
            }
            _ => Body::Raw,
        };
        self.feed(&start)
    }

    /// All has come of an answer of which nothing tells what it is.
    pub(super) fn begun_and_ended(&mut self, body: Vec<u8>) -> Progress {
        if body.is_empty() {
            return self.failed(Failure::new(FailureKind::Empty, ""));
        }
        self.body = Body::Raw;
        self.output = body;
        self.ended(Seen::Ended)
    }

    /// The answer broke off. No words of an error fit into such bytes: the connection ends, so that the client can tell.
    pub(super) fn torn(&mut self, failure: Failure) -> Progress {
        let failure = Failure { came: Some(self.status), ..failure.in_phase(self.phase) };
        self.is_torn = true;
        self.finished = true;
        self.failure = Some(failure);
        Progress::More
    }

    /// Whether the answer broke off and has no end that the client could tell.
    pub fn is_torn(&self) -> bool {
        self.is_torn
    }

    /// Whether the answer is passed on unread.
    pub fn is_raw(&self) -> bool {
        matches!(self.body, Body::Raw)
    }

    /// What the provider says that its answer is, in small letters.
    fn media_type(&self) -> String {
        let said = self.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        said.unwrap_or_default().trim().to_ascii_lowercase()
    }
}
