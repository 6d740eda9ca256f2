//! One attempt's answer, read as it arrives and turned into the client's protocol. No I/O: bytes in, bytes out.

pub mod frames;
mod gate;
mod gathered;
mod intake;
mod job;
mod looks;
mod notice;
mod passing;
mod raw;
mod resuming;
mod seam;
pub mod sniff;
mod time;
mod tokens;
mod translating;
mod whole;

pub use job::Job;
pub use passing::LeftOutEvents;
pub use seam::Seam;
pub use time::Awaits;

use super::failure::{Failure, FailureKind, Phase};
use super::plan::Outcome;
use super::protocol::Wording;
use super::usage::Usage;
use http::HeaderMap;
use intake::Intake;
use notice::Notice;
use passing::Passing;
use seam::Cut;
use sniff::{Sniffed, may_be_json, significant, sniff};
use translating::Translating;

/// How much of an error's body is read, in bytes.
const ERROR_BODY: usize = 1 << 20;

/// What the edge does after giving the exchange something.
#[derive(Debug)]
pub enum Progress {
    /// Feed more.
    More,
    /// The answer can begin: observe `Outcome::Streaming` with this exchange. Go on feeding only once the plan
    /// has answered with it, and only while it is not finished.
    Commit,
    /// The attempt is over: observe this.
    Done(Outcome),
}

/// The reader and translator of one answer.
pub struct Exchange {
    job: Box<Job>,
    phase: Phase,
    status: u16,
    headers: HeaderMap,
    body: Body,
    output: Vec<u8>,
    committed: bool,
    /// Whether the provider has brought content, be it held back as what may be a limit notice.
    begun: bool,
    /// Whether content has been seen that is for the client.
    content: bool,
    /// What came before.
    intake: Intake,
    /// Whether the body cannot be an answer, whatever is still to come of it.
    is_junk: bool,
    finished: bool,
    /// Whether it broke off where no word can be said of that.
    is_torn: bool,
    failure: Option<Failure>,
    notice: Option<Box<Notice>>,
    /// What the output goes through, where another provider may go on with it.
    seam: Option<Box<Seam>>,
    /// What has come through.
    ready: Vec<u8>,
    /// Where the stream broke off.
    cut: Option<Box<Cut>>,
    /// The tokens that it told, where the body no longer keeps them.
    usage: Usage,
    /// What of it was left out, likewise.
    left_out: LeftOutEvents,
}

/// What is done with the bytes.
enum Body {
    /// No head yet.
    Head,
    /// Too few bytes to tell what they are; how many of white space came before them.
    Sniffing(Vec<u8>, usize),
    /// Too few bytes of what may be anything.
    Opening(Vec<u8>),
    /// Passed on unread.
    Raw,
    /// Read to the end, then looked at.
    Gathering(Vec<u8>),
    /// A stream of the client's own protocol.
    Passing(Passing),
    /// A stream of another protocol.
    Translating(Box<Translating>),
    /// A stream where a whole answer is wanted: it becomes one.
    Folding(Box<Translating>),
    /// Nothing more is read.
    Over,
}

impl Exchange {
    /// An exchange before the first byte.
    pub fn new(job: Job) -> Exchange {
        Exchange {
            notice: Notice::new(&job),
            seam: Seam::new(&job),
            ready: Vec::new(),
            cut: None,
            job: Box::new(job),
            phase: Phase::FirstByte,
            status: 0,
            headers: HeaderMap::new(),
            body: Body::Head,
            output: Vec::new(),
            committed: false,
            begun: false,
            content: false,
            intake: Intake::default(),
            is_junk: false,
            finished: false,
            is_torn: false,
            failure: None,
            usage: Usage::default(),
            left_out: LeftOutEvents::default(),
        }
    }

    /// The response's head has arrived.
    pub fn head(&mut self, status: u16, headers: &HeaderMap) -> Progress {
        self.status = status;
        self.headers = headers.clone();
        self.phase = Phase::Content;
        self.body = if self.is_good() { self.opened() } else { Body::Gathering(Vec::new()) };
        Progress::More
    }

    /// Bytes of the body have arrived. After the commit: always [`Progress::More`]; see [`Exchange::take_output`].
    pub fn feed(&mut self, bytes: &[u8]) -> Progress {
        if self.finished {
            return Progress::More;
        }
        if self.phase == Phase::FirstByte {
            self.phase = Phase::Content;
        }
        if matches!(self.body, Body::Passing(_) | Body::Translating(_)) {
            self.listen(bytes);
        }
        let is_stream = matches!(self.body, Body::Passing(_) | Body::Translating(_) | Body::Folding(_));
        if is_stream && !self.content {
            self.intake.push(bytes);
        }
        let seen = match &mut self.body {
            Body::Head | Body::Over => return Progress::More,
            Body::Sniffing(start, blank) => {
                start.extend_from_slice(bytes);
                // White space before an answer means nothing: it is counted, and neither kept nor looked at again.
                let white = start.len() - significant(start).len();
                start.drain(..white);
                let (start, blank) = (std::mem::take(start), *blank + white);
                return self.sniffed(start, blank);
            }
            Body::Opening(start) => {
                start.extend_from_slice(bytes);
                let start = std::mem::take(start);
                return self.begin(start);
            }
            Body::Raw => {
                self.output.extend_from_slice(bytes);
                Seen::Content
            }
            Body::Gathering(body) => {
                body.extend_from_slice(bytes);
                let is_good = (200..300).contains(&self.status);
                let limit = match (is_good, self.is_junk) {
                    (true, false) => self.job.limits.answer,
                    (true, true) => self.job.gate.bytes,
                    (false, _) => ERROR_BODY,
                };
                if body.len() <= limit {
                    return Progress::More;
                }
                if !is_good || self.is_junk {
                    // Of an error, and of what is no answer, the beginning is enough.
                    return self.eof();
                }
                let message = format!("the provider's answer is longer than {limit} bytes");
                return self.broke(Failure::new(FailureKind::Malformed, message));
            }
            Body::Passing(passing) => {
                passing.feed(&self.job, bytes, &mut self.output, !self.content, self.committed)
            }
            Body::Translating(machine) => machine.feed(&self.job, &self.headers, self.status, bytes),
            Body::Folding(machine) => {
                let seen = machine.feed(&self.job, &self.headers, self.status, bytes);
                return self.folded(seen);
            }
        };
        self.saw(seen)
    }

    /// The body has ended in good order.
    pub fn eof(&mut self) -> Progress {
        self.keep_usage();
        match std::mem::replace(&mut self.body, Body::Over) {
            Body::Head => self.broke(Failure::new(FailureKind::Closed, "")),
            Body::Over => Progress::More,
            Body::Sniffing(body, _) | Body::Gathering(body) => self.gathered(body.into()),
            Body::Opening(body) => self.begun_and_ended(body),
            Body::Raw => self.ended(Seen::Ended),
            Body::Passing(mut passing) => {
                let seen = passing.eof(&self.job, &mut self.output, self.committed);
                self.usage.update(passing.usage);
                self.left_out.add(passing.left_out);
                self.ended(seen)
            }
            Body::Translating(mut machine) => {
                let seen = machine.eof(&self.job, &self.headers, self.status);
                self.body = Body::Translating(machine);
                self.ended(seen)
            }
            Body::Folding(mut machine) => {
                let seen = machine.eof(&self.job, &self.headers, self.status);
                self.body = Body::Folding(machine);
                self.folded(seen)
            }
        }
    }

    /// The attempt broke: no connection, a reset, a timer that ran out.
    pub fn broke(&mut self, failure: Failure) -> Progress {
        let failure = failure.in_phase(self.phase);
        self.keep_usage();
        match std::mem::replace(&mut self.body, Body::Over) {
            // The error's status says more than what became of its body.
            Body::Gathering(body) if !self.is_good() => self.gathered(body.into()),
            Body::Raw if self.committed => self.torn(failure),
            Body::Passing(mut passing) if self.committed => {
                let seen = passing.broke(&self.job, &mut self.output, failure);
                self.ended(seen)
            }
            Body::Translating(mut machine) => {
                // The end may have come already, and only the connection's end is untidy.
                let is_good = machine.eof_is_good(&self.job, &self.headers, self.status);
                self.body = Body::Translating(machine);
                if is_good { self.ended(Seen::Ended) } else { self.failed(failure) }
            }
            Body::Folding(mut machine) => {
                let is_good = machine.eof_is_good(&self.job, &self.headers, self.status);
                self.body = Body::Folding(machine);
                if is_good { self.folded(Seen::Ended) } else { self.failed(failure) }
            }
            _ => self.failed(failure),
        }
    }

    fn has_content(&self) -> bool {
        match &self.body {
            Body::Translating(machine) => machine.has_content(),
            Body::Passing(passing) => passing.has_content,
            _ => false,
        }
    }

    fn is_good(&self) -> bool {
        (200..300).contains(&self.status)
    }

    fn sniffed(&mut self, start: Vec<u8>, blank: usize) -> Progress {
        let kind = sniff(&start);
        if kind == Sniffed::Unsure {
            let most = self.job.limits.answer;
            if blank > most {
                let message = format!("there are more than {most} bytes of white space before the answer");
                return self.broke(Failure::new(FailureKind::Malformed, message));
            }
            self.body = Body::Sniffing(start, blank);
            return Progress::More;
        }
        if kind != Sniffed::Events {
            self.is_junk = kind != Sniffed::Json && !may_be_json(&start);
            self.body = Body::Gathering(Vec::new());
            return self.feed(&start);
        }
        if !self.job.streaming {
            let Some(fold) = self.job.provider.fold.clone() else {
                let message = "the provider streams although no stream was asked for";
                return self.broke(Failure::new(FailureKind::Malformed, message));
            };
            self.body = Body::Folding(Box::new(Translating::folding(fold, self.job.limits.event)));
            return self.feed(&start);
        }
        self.body = match self.job.mapping.as_ref().map(|mapping| mapping.stream.clone()) {
            None => Body::Passing(Passing::new(self.job.limits.event)),
            Some(Some(program)) => {
                Body::Translating(Box::new(Translating::new(program, self.job.limits.event)))
            }
            Some(None) => {
                let message = "the mapping says nothing of streams";
                return self.broke(Failure::new(FailureKind::Mapping, message));
            }
        };
        self.feed(&start)
    }

    /// The stream is over, well or not.
    fn ended(&mut self, seen: Seen) -> Progress {
        match seen {
            // What has begun is answered with, however the bytes were cut on their way here.
            Seen::Failed(failure) if !self.committed && self.has_content() => {
                self.commit();
                self.failed(failure);
                return Progress::Commit;
            }
            Seen::Failed(failure) => return self.failed(failure),
            // The client has read of it already.
            Seen::Told(failure) => {
                self.follow();
                if self.cut.is_some() {
                    return self.commit();
                }
                self.failure = Some(Failure { came: Some(self.status), ..failure });
            }
            Seen::Nothing | Seen::Content | Seen::Ended => self.content = true,
        }
        self.finished = true;
        self.commit()
    }

    fn failed(&mut self, failure: Failure) -> Progress {
        let mut failure = Failure { came: Some(self.status), ..failure.in_phase(self.phase) };
        if !self.committed {
            self.body = Body::Over;
            return Progress::Done(Outcome::Failed(failure));
        }
        self.keep_usage();
        self.job.strike_out(&mut failure);
        self.follow();
        self.body = Body::Over;
        let read = self.job.provider.read_error(&failure.body, &self.headers, None);
        let status = failure.status.or(read.status).unwrap_or_else(|| failure.kind.status());
        let named = failure.named(&self.job.provider_name());
        let ours = named.as_deref().unwrap_or(&failure.message);
        let wording = Wording {
            status,
            kind: failure.error_type.as_deref(),
            message: read.message.as_deref().filter(|_| read.is_error()).unwrap_or(ours),
            id: &self.job.id,
            ..Wording::default()
        };
        let event = self.job.client.failed_event(&wording);
        if self.breaks_off(&failure, event.clone()) {
            return Progress::More;
        }
        self.output.extend_from_slice(&event);
        self.failure = Some(failure);
        self.finished = true;
        Progress::More
    }
}

/// What a stream has come to.
enum Seen {
    /// Nothing that matters.
    Nothing,
    /// The first content.
    Content,
    /// The good end.
    Ended,
    /// It broke.
    Failed(Failure),
    /// It broke, and what passed through has told the client.
    Told(Failure),
}
