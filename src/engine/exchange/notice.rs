//! Whether a stream that has come to its first content is an answer, or a limit notice in the place of one.

use super::{Exchange, Job};
use crate::engine::judge::notices::{LARGEST, LONGEST, Notices, TOO_LONG};
use crate::text::json::Doc;
use crate::text::sse::SseDecoder;
use bytes::Bytes;
use std::sync::Arc;

/// Listens to what a stream says until that is decided.
pub struct Notice {
    notices: Arc<Notices>,
    decoder: SseDecoder,
    words: String,
    /// Nothing that could come would make a notice of it.
    decided: bool,
}

impl Notice {
    /// For an attempt whose rules look at the words of answers.
    pub fn new(job: &Job) -> Option<Box<Notice>> {
        let notices = job.notices.clone()?;
        job.provider.stream.as_ref()?.text.as_ref()?;
        let decoder = SseDecoder::new(job.limits.event);
        Some(Box::new(Notice { notices, decoder, words: String::new(), decided: false }))
    }

    fn listen(&mut self, job: &Job, bytes: &[u8]) {
        let Notice { decoder, words, .. } = self;
        let shape = job.provider.stream.as_ref();
        let read = decoder.push(bytes, &mut |event| {
            if let (Some(shape), Ok(doc)) = (shape, Doc::parse(event.data.to_vec())) {
                let said = shape.words(&doc);
                // White space in front is no part of a notice, and would be looked at again with each event.
                words.push_str(if words.is_empty() { said.trim_start() } else { &said });
            }
        });
        let begun = self.words.as_str();
        self.decided =
            read.is_err() || begun.chars().nth(LONGEST).is_some() || !self.notices.may_begin(begun);
    }
}

impl Exchange {
    /// Takes in what may be a notice.
    pub(super) fn listen(&mut self, bytes: &[u8]) {
        if let Some(notice) = self.notice.as_mut().filter(|notice| !self.committed && !notice.decided) {
            notice.listen(&self.job, bytes);
        }
    }

    /// Takes in the words of a whole answer that came where a stream was asked for.
    pub(super) fn listen_whole(&mut self, body: &Bytes) {
        if let Some(notice) = self.notice.as_mut().filter(|_| body.len() <= LARGEST)
            && let Ok(doc) = Doc::parse(body.clone())
        {
            notice.words = self.job.provider.words(&doc);
            notice.decided = notice.words.chars().nth(LONGEST).is_some();
        }
    }

    /// Whether the answer is to be held back although its content has begun. Content without a word, such as
    /// thinking or a call, is no notice.
    pub(super) fn may_be_notice(&self) -> bool {
        self.notice.as_ref().is_some_and(|notice| !notice.decided && !notice.words.is_empty())
    }

    /// The words of an answer that is over and short: what a notice would be. Else why it is none, for people.
    pub fn words(&self) -> Result<&str, &'static str> {
        match &self.notice {
            None => Err("the protocol does not say where an answer has its words"),
            Some(notice) if notice.words.chars().nth(LONGEST).is_some() => Err(TOO_LONG),
            Some(notice) if notice.decided => {
                Err("the answer begins like none of the notices that rules look for")
            }
            Some(_) if !self.finished => Err("the answer was given on before it was over"),
            Some(notice) => Ok(notice.words.trim()),
        }
    }
}
