//! A stream that passes through unchanged, because client and provider speak the same. Until the first content
//! every event is looked at; afterwards only whether it can be read at all, and, at the end, whether it was the good one.

mod sound;

use super::frames::Frames;
use super::{Job, Seen};
use crate::engine::failure::{Failure, FailureKind};
use crate::engine::protocol::{EventKind, StreamShape};
use crate::engine::usage::Usage;
use crate::text::json::Doc;
use crate::text::sse::{SseDecoder, SseEvent};
use bytes::Bytes;
use std::ops::ControlFlow;

pub use sound::LeftOutEvents;
use sound::{Worth, sound_part};

/// Where a passing stream is.
pub struct Passing {
    frames: Frames,
    decoder: SseDecoder,
    /// The longest frame, in bytes.
    limit: usize,
    /// The last two events, the latest last: what follows the good end may be one event more.
    last: [Vec<u8>; 2],
    ended: bool,
    /// Whether content has come: what fails from then on is a failure of an answer that began.
    pub has_content: bool,
    /// The tokens that it told and nobody has taken.
    pub usage: Usage,
    /// What of it was left out and nobody has counted.
    pub left_out: LeftOutEvents,
    /// The error that the client has read behind content, whatever end comes behind it.
    told: Option<Bytes>,
    /// An event behind content could not be read, and nothing has said since how the answer ended.
    has_hole: bool,
}

impl Passing {
    pub fn new(limit: usize) -> Passing {
        Passing {
            frames: Frames::default(),
            decoder: SseDecoder::new(limit),
            limit,
            last: [Vec::new(), Vec::new()],
            ended: false,
            has_content: false,
            usage: Usage::default(),
            left_out: LeftOutEvents::default(),
            told: None,
            has_hole: false,
        }
    }

    /// Takes bytes in; whole frames go to `output` as they are.
    /// `looks`: has no content been seen? `committed`: does the client read already? Then an error is passed on.
    pub fn feed(
        &mut self,
        job: &Job,
        bytes: &[u8],
        output: &mut Vec<u8>,
        looks: bool,
        committed: bool,
    ) -> Seen {
        let Some(shape) = &job.provider.stream else {
            return Seen::Failed(Failure::new(FailureKind::Malformed, "the protocol knows no streams"));
        };
        let Passing { frames, decoder, last, ended, limit, usage, has_content, left_out, told, has_hole } =
            self;
        let reader = job.provider.usage.as_ref();
        let mut seen = Seen::Nothing;
        let mut too_long = false;
        frames.push(bytes, |whole| {
            // A key that was sent stands in nothing that is good for a client, whatever frame it is in.
            let (mut quoted, mut events) = (job.keys.iter().any(|key| key.is_unmistakably_in(whole)), 0);
            let from = output.len();
            output.extend_from_slice(whole);
            let reader = reader.filter(|reader| reader.may_be_in(whole));
            let bare = decoder.bare();
            let mut is_sound = str::from_utf8(whole).is_ok();
            let (mut is_empty, mut is_damaged, mut is_foreign) = (false, false, false);
            let read = decoder.push(whole, &mut |event| {
                let begun = committed || *has_content || *ended;
                if begun || event.data.is_empty() {
                    let worth = Worth::of(shape, event.data);
                    if worth != Worth::Sound {
                        is_sound = false;
                        is_empty = event.data.is_empty();
                        is_damaged = worth == Worth::Damaged;
                        if is_damaged {
                            seen = Seen::Failed(unreadable(event.data));
                        } else if !is_empty && !*ended && shape.finish.is_some() {
                            *has_hole = !is_finished(last, shape);
                        }
                        return;
                    }
                }
                events += 1;
                if let Some(reader) = reader {
                    usage.update(reader.read_event(event.data));
                }
                if begun {
                    match error_in(shape, &event) {
                        None => {}
                        Some(true) => {
                            quoted = true;
                            *told = Some(Bytes::copy_from_slice(event.data));
                        }
                        // The client would take what it does not know for nothing, and the end behind it for a good one.
                        Some(false) => {
                            seen = Seen::Failed(in_stream(Bytes::copy_from_slice(event.data)));
                            is_foreign = true;
                            return;
                        }
                    }
                }
                if matches!(seen, Seen::Failed(_)) {
                } else if looks && matches!(seen, Seen::Nothing) {
                    remember(last, event.data);
                    seen = match look(shape, &event) {
                        Seen::Failed(_) if committed => Seen::Nothing,
                        seen => seen,
                    };
                    *ended |= matches!(seen, Seen::Ended);
                    *has_content |= matches!(seen, Seen::Content);
                } else {
                    remember(last, event.data);
                    *ended |= shape.is_done(event.data) || shape.is_seen_to_end(event.data);
                }
                if *has_hole {
                    let says_end = Doc::parse(event.data.to_vec()).is_ok_and(|doc| shape.is_finish(&doc));
                    *has_hole = !says_end;
                }
            });
            if *has_hole && *ended && !matches!(seen, Seen::Failed(_)) {
                seen = Seen::Failed(Failure::new(
                    FailureKind::Malformed,
                    "an event of the stream could not be read, and no end was told behind it",
                ));
                is_foreign = true;
            }
            too_long |= read.is_err();
            let is_bare = decoder.bare() > bare;
            if is_foreign {
                output.truncate(from);
            } else if !is_sound || is_bare {
                match is_empty || is_bare {
                    // Of a damaged one the failure tells.
                    _ if is_damaged => {}
                    true => left_out.empty += 1,
                    false => left_out.unreadable += 1,
                }
                output.truncate(from);
                sound_part(shape, whole, output);
            }
            // Comments may come for as long as the timeouts let them: there is no use in holding them all.
            if events == 0 && looks && !committed && output.len() > job.gate.bytes {
                output.truncate(from);
            }
            if quoted {
                strike_out(job, output, from);
            }
            // Nobody waits for what comes behind a failure or the end, however much of it is there already.
            if *ended || matches!(seen, Seen::Failed(_)) {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        });
        if too_long || frames.pending().len() > *limit {
            let message = format!("an event of the stream is longer than {limit} bytes");
            return Seen::Failed(Failure::new(FailureKind::Malformed, message));
        }
        match seen {
            Seen::Failed(failure) => Seen::Failed(failure),
            _ if self.ended => self.told.take().map_or(Seen::Ended, |body| Seen::Told(in_stream(body))),
            seen => seen,
        }
    }

    /// The bytes are over.
    pub fn eof(&mut self, job: &Job, output: &mut Vec<u8>, committed: bool) -> Seen {
        let rest = self.frames.pending().to_vec();
        if !rest.is_empty() {
            // The last event may lack its blank line. Give it one if it is whole.
            let mut data = Vec::new();
            let keep = |event: SseEvent<'_>| data = event.data.to_vec();
            let mut keep = keep;
            let read = self.decoder.push(&rest, &mut keep).and_then(|()| self.decoder.finish(&mut keep));
            if read.is_ok() && (Doc::parse(data.clone()).is_ok() || job_is_done(job, &data)) {
                output.extend_from_slice(&rest);
                output.extend_from_slice(b"\n\n");
                remember(&mut self.last, &data);
                if let Some(reader) = &job.provider.usage {
                    self.usage.update(reader.read_event(&data));
                }
            }
        }
        if let Some(seen) = self.good_end(job, output) {
            return seen;
        }
        let never_began = self.last.iter().all(Vec::is_empty);
        let kind = if never_began && !committed { FailureKind::Empty } else { FailureKind::CutOff };
        Seen::Failed(Failure::new(kind, ""))
    }

    /// The connection broke after the commit.
    pub fn broke(&mut self, job: &Job, output: &mut Vec<u8>, failure: Failure) -> Seen {
        self.good_end(job, output).unwrap_or(Seen::Failed(failure))
    }

    /// The provider has been silent for a while: is the answer complete but for its end?
    pub fn quiet(&mut self, job: &Job, output: &mut Vec<u8>) -> Seen {
        match &job.provider.stream {
            Some(shape) if !self.ended && self.is_finished(shape) => {
                shape.write_missing_end(output);
                Seen::Ended
            }
            _ => Seen::Nothing,
        }
    }

    /// Has the provider said that there is no more to come?
    fn is_finished(&self, shape: &StreamShape) -> bool {
        !self.has_hole && is_finished(&self.last, shape)
    }

    /// Has the stream come to an end of its own? One that is only missing its last event gets it.
    fn good_end(&self, job: &Job, output: &mut Vec<u8>) -> Option<Seen> {
        let shape = job.provider.stream.as_ref()?;
        if self.ended {
            return Some(Seen::Ended);
        }
        for data in self.last.iter().rev() {
            if shape.is_done(data) {
                return Some(Seen::Ended);
            }
            let Ok(doc) = Doc::parse(data.clone()) else {
                continue;
            };
            match shape.classify(&doc, None) {
                EventKind::End => return Some(Seen::Ended),
                EventKind::Error => {
                    let body = Bytes::from(data.clone());
                    return Some(Seen::Told(in_stream(body)));
                }
                EventKind::Content | EventKind::Other => {}
            }
        }
        if self.is_finished(shape) {
            shape.write_missing_end(output);
            return Some(Seen::Ended);
        }
        // A protocol without any sign of the end: the end of the bytes is the end.
        let has_sign = shape.end.is_some() || shape.done.is_some();
        let began = self.last.iter().any(|data| !data.is_empty());
        (!has_sign && began).then_some(Seen::Ended)
    }
}

/// What one event before the commit means.
fn look(shape: &StreamShape, event: &SseEvent<'_>) -> Seen {
    if shape.is_done(event.data) {
        return Seen::Ended;
    }
    let body = Bytes::copy_from_slice(event.data);
    let Ok(doc) = Doc::parse(body.clone()) else { return Seen::Failed(unreadable(event.data)) };
    match shape.classify(&doc, event.name) {
        EventKind::Error => Seen::Failed(in_stream(body)),
        EventKind::End => Seen::Ended,
        EventKind::Content => Seen::Content,
        EventKind::Other => Seen::Nothing,
    }
}

/// The failure that an event is which is no JSON.
fn unreadable(data: &[u8]) -> Failure {
    let why = Doc::parse(data.to_vec()).err().map(|error| error.to_string()).unwrap_or_default();
    let failure = Failure::new(FailureKind::Malformed, format!("an event of the stream is no JSON: {why}"));
    Failure { body: Bytes::copy_from_slice(data), ..failure }
}

/// Whether one of these events says how the answer ended.
fn is_finished(last: &[Vec<u8>; 2], shape: &StreamShape) -> bool {
    let said = |data: &Vec<u8>| Doc::parse(data.clone()).is_ok_and(|doc| shape.is_finish(&doc));
    shape.finish.is_some() && last.iter().any(said)
}

/// Whether an event is an error, which may quote a key, and then whether clients know it as one. Anything else may say what
/// it likes.
fn error_in(shape: &StreamShape, event: &SseEvent<'_>) -> Option<bool> {
    if !shape.may_be_error(event.data, event.name) {
        return None;
    }
    let doc = Doc::parse(event.data.to_vec()).ok()?;
    shape.is_error(&doc, event.name).then(|| shape.is_own_error(&doc, event.name))
}

/// Takes the keys out of the output from this place on.
fn strike_out(job: &Job, output: &mut Vec<u8>, from: usize) {
    if let Some(clean) = output.get(from..).and_then(|said| job.redacted(said)) {
        output.truncate(from);
        output.extend_from_slice(&clean);
    }
}

/// The failure that an error event is.
pub fn in_stream(body: Bytes) -> Failure {
    Failure { body, ..Failure::new(FailureKind::InStream, "") }
}

fn job_is_done(job: &Job, data: &[u8]) -> bool {
    job.provider.stream.as_ref().is_some_and(|shape| shape.is_done(data))
}

fn remember(last: &mut [Vec<u8>; 2], data: &[u8]) {
    last.rotate_left(1);
    let [_, latest] = last;
    latest.clear();
    latest.extend_from_slice(data);
}
