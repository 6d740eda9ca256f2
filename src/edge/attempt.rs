//! One attempt: sends its request and feeds what comes back to its exchange, until there is an outcome.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use tokio::time::timeout;

use super::budget::Share;
use super::timers::{Alarm, Timers};
use super::upstream::{Call, ReplyStream, Upstream, Wire};
use super::work::Work;
use crate::engine::exchange::{Exchange, Progress};
use crate::engine::failure::{Failure, FailureKind};
use crate::engine::link::Link;
use crate::engine::plan::{Attempt, Outcome};

/// How an attempt went.
pub struct Ended {
    /// For the plan.
    pub outcome: Outcome,
    /// What still comes after a stream's first content, to be read while the client is answered.
    pub rest: Option<Rest>,
}

/// The unread part of an answer. Dropping it closes the call.
pub struct Rest {
    /// The bytes to come.
    pub body: ReplyStream,
    /// Still running.
    pub timers: Timers,
    /// What they come over.
    pub wire: Wire,
}

/// What an attempt needs besides the connection.
pub struct Means<'a> {
    /// Turns at long work.
    pub work: &'a Work,
    /// What the request takes of the memory that all share.
    pub share: Option<&'a mut Share>,
    /// How long the request is, in bytes: its tape may have to be laid again.
    pub size: usize,
}

/// How long a provider may take to end an answer that is complete.
const TAIL: Duration = Duration::from_millis(500);

impl Rest {
    /// Reads the untidy end of an answer that is complete already, so that its connection can be used again.
    pub async fn finish(mut self) {
        let tail = async { while let Some(Ok(_)) = self.body.next().await {} };
        let _ = timeout(TAIL, tail).await;
    }
}

/// Makes one attempt. Dropping the future closes the call.
pub async fn run(upstream: &Upstream, attempt: Attempt, link: Arc<Link>, means: Means<'_>) -> Ended {
    let Attempt { request, mut exchange, hold, .. } = attempt;
    let mut timers = Timers::begin(request.timeouts, exchange.awaits(), hold);
    let call = Call {
        id: exchange.job().id.clone(),
        method: request.method,
        url: request.url,
        headers: request.headers,
        body: request.body,
        connect: request.timeouts.connect,
        link,
        proxy_login: request.proxy_login,
    };
    let wire = Wire::default();
    let sent = tokio::select! {
        sent = upstream.send(call, &wire) => sent.map_err(|fault| fault.failure(&exchange.job().id)),
        failure = limit(&mut timers) => {
            wire.timed_out(failure.kind);
            Err(failure)
        }
    };
    match sent {
        Err(failure) => finish(exchange.broke(failure)),
        Ok(reply) => match exchange.head(reply.status, &reply.headers) {
            Progress::More => {
                timers.head(exchange.awaits());
                read(exchange, Rest { body: reply.body, timers, wire }, means).await
            }
            Progress::Commit => committed(exchange, Rest { body: reply.body, timers, wire }),
            Progress::Done(outcome) => Ended { outcome, rest: None },
        },
    }
}

async fn read(mut exchange: Exchange, mut rest: Rest, means: Means<'_>) -> Ended {
    let Means { work, mut share, size } = means;
    let mut held = 0;
    let ended = loop {
        let progress = tokio::select! {
            biased;
            chunk = rest.body.next() => match chunk {
                Some(Ok(bytes)) => {
                    held += bytes.len();
                    if let Some(share) = &mut share {
                        share.hold(bytes.len());
                    }
                    // What is gathered is gone through at its end.
                    let weight = if exchange.is_gathering() { bytes.len() } else { size + held };
                    let progress = work.on(weight, || exchange.feed(&bytes)).await;
                    rest.timers.read(exchange.awaits(), exchange.grace());
                    progress
                }
                Some(Err(fault)) => {
                    let failure = fault.failure(&exchange.job().id);
                    let progress = work.on(size + held, || exchange.broke(failure)).await;
                    break last(progress, exchange, rest);
                }
                None => break last(work.on(size + held, || exchange.eof()).await, exchange, rest),
            },
            alarm = rest.timers.alarm() => match alarm {
                Alarm::Failed(failure) => {
                    rest.wire.timed_out(failure.kind);
                    break last(exchange.broke(failure), exchange, rest);
                }
                Alarm::Gate => exchange.release(),
                Alarm::Quiet => exchange.quiet(),
                Alarm::Ping => Progress::More,
            },
        };
        match progress {
            Progress::More => {}
            Progress::Commit => break committed(exchange, rest),
            Progress::Done(outcome) => break Ended { outcome, rest: None },
        }
    };
    if let Some(share) = share {
        share.give_back(held);
    }
    ended
}

/// The first limit that runs out while nothing can come yet.
async fn limit(timers: &mut Timers) -> Failure {
    loop {
        if let Alarm::Failed(failure) = timers.alarm().await {
            return failure;
        }
    }
}

fn committed(exchange: Exchange, mut rest: Rest) -> Ended {
    rest.timers.released();
    Ended { outcome: Outcome::Streaming(Box::new(exchange)), rest: Some(rest) }
}

/// Nothing more comes. A whole answer that is to be given as a stream is translated now, and a stream whose
/// good end came just before its connection broke is answered with.
fn last(progress: Progress, exchange: Exchange, rest: Rest) -> Ended {
    match progress {
        Progress::Commit => committed(exchange, rest),
        end => finish(end),
    }
}

/// The exchange was told that nothing more comes, so it has to say what that means.
fn finish(progress: Progress) -> Ended {
    let outcome = match progress {
        Progress::Done(outcome) => outcome,
        Progress::More | Progress::Commit => Outcome::Failed(Failure::new(FailureKind::CutOff, "")),
    };
    Ended { outcome, rest: None }
}
