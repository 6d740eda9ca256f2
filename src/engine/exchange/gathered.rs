//! What was read to its end, or put together out of a stream, before anybody is answered with it.

use super::{Body, Exchange, Progress, Seen, whole};
use crate::engine::failure::{Failure, FailureKind, Phase};
use crate::engine::plan::Outcome;
use bytes::Bytes;

impl Exchange {
    /// A body has been read to its end.
    pub(super) fn gathered(&mut self, body: Bytes) -> Progress {
        if !self.is_good() {
            return self.failed(whole::error(&self.job, self.status, &self.headers, body));
        }
        // Where an answer may be anything, it need not be the stream that was asked for.
        let may_be_whole = self.job.mapping.is_none() && self.job.provider.answers_bytes;
        if self.job.streaming && !may_be_whole {
            return match whole::as_stream(&self.job, self.status, &self.headers, body.clone()) {
                Ok((output, usage)) => {
                    self.usage.update(usage);
                    self.listen_whole(&body);
                    self.output = output;
                    self.ended(Seen::Ended)
                }
                Err(failure) => self.failed(*failure),
            };
        }
        match whole::answer(&self.job, self.status, &self.headers, body) {
            Ok(whole) => Progress::Done(Outcome::Whole(whole)),
            Err(failure) => self.failed(*failure),
        }
    }

    /// Takes in what a stream has come to that is to be one whole answer.
    pub(super) fn folded(&mut self, seen: Seen) -> Progress {
        let Body::Folding(machine) = &mut self.body else { return Progress::More };
        match seen {
            Seen::Failed(failure) | Seen::Told(failure) => self.failed(failure),
            Seen::Ended => {
                let mut body = Vec::new();
                machine.take_output(&mut body);
                self.body = Body::Over;
                self.gathered(body.into())
            }
            Seen::Nothing | Seen::Content if machine.taken_in() > self.job.limits.answer => {
                let message =
                    format!("the provider's answer is longer than {} bytes", self.job.limits.answer);
                self.broke(Failure::new(FailureKind::Malformed, message))
            }
            Seen::Content => {
                self.content = true;
                self.phase = Phase::Idle;
                Progress::More
            }
            Seen::Nothing => self.junk().map_or(Progress::More, |junk| self.failed(junk)),
        }
    }
}
