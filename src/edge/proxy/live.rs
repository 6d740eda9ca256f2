//! A stream on its way to the client: pulled from the provider, with signs of life where it is silent.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_util::Stream;
use http::StatusCode;

use super::Life;
use crate::edge::attempt::Rest;
use crate::edge::stopping::REASON;
use crate::edge::timers::Alarm;
use crate::edge::work;
use crate::engine::exchange::Exchange;
use crate::engine::failure::{Failure, FailureKind};
use crate::engine::plan::SignOfLife;

/// A streaming answer. Reads from the provider only when the client can take more.
pub(super) struct Live {
    life: Life,
    exchange: Box<Exchange>,
    rest: Option<Rest>,
    /// What the client is sent while the provider is silent.
    sign: Option<SignOfLife>,
    /// Was the client busy with what it was given since we last looked at the provider?
    away: bool,
    ended: bool,
    /// How many bytes may have to be gone through now: those that came since the client was last given any.
    unread: usize,
    /// Ready when the router stops and the time of its streams is over.
    stopping: Pin<Box<dyn Future<Output = ()> + Send>>,
    stopped: bool,
}

impl Stream for Live {
    type Item = io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        if this.rest.is_some() && this.stopping.as_mut().poll(cx).is_ready() {
            this.stop();
        }
        loop {
            this.life.tally(&mut this.exchange);
            let output = this.exchange.take_output();
            if !output.is_empty() {
                this.unread = 0;
                this.away = true;
                return Poll::Ready(Some(Ok(output)));
            }
            if this.is_cut() {
                this.rest = None;
                return Poll::Ready(None);
            }
            if this.exchange.finished() || this.rest.is_none() {
                return Poll::Ready(this.end());
            }
            if let Some(sign) = ready!(this.poll_read(cx)) {
                return Poll::Ready(Some(Ok(sign)));
            }
        }
    }
}

impl Live {
    /// The rest of an answer whose head is the client's.
    pub fn new(life: Life, exchange: Box<Exchange>, rest: Option<Rest>) -> Self {
        let sign = life.plan.sign_of_life();
        let stopping = Box::pin(life.world.stopping.is_over());
        let unread = life.size;
        Self { life, exchange, rest, sign, away: false, ended: false, unread, stopping, stopped: false }
    }

    /// What the client is sent while the provider is silent.
    pub fn sign(&self) -> Option<SignOfLife> {
        self.sign.clone()
    }

    /// Did the stream break off where another provider can go on? Then it has come to no end, and is to be taken apart.
    pub fn is_cut(&self) -> bool {
        self.exchange.cut().is_some()
    }

    /// The request, and the stream that broke off.
    pub fn apart(self) -> (Life, Box<Exchange>) {
        (self.life, self.exchange)
    }

    /// The router stops: the client is told, in its protocol, that nothing more comes.
    fn stop(&mut self) {
        self.rest = None;
        if self.exchange.finished() {
            return;
        }
        self.stopped = true;
        let status = Some(StatusCode::SERVICE_UNAVAILABLE.as_u16());
        self.exchange.broke(Failure { status, ..Failure::new(FailureKind::CutOff, REASON) });
        self.exchange.give_up();
    }

    /// Feeds the exchange with what comes next: bytes, the end, or a failure; or gives a sign of life.
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        let Some(rest) = &mut self.rest else { return Poll::Ready(None) };
        if std::mem::take(&mut self.away) {
            // A client that takes its time holds the provider up; that is not the provider's silence.
            rest.timers.read(self.exchange.awaits(), self.exchange.grace());
            if let Some(sign) = &self.sign {
                rest.timers.gave(sign.every);
            }
        }
        let failure = match Pin::new(&mut rest.body).poll_next(cx) {
            Poll::Ready(Some(Ok(bytes))) => {
                self.unread += bytes.len();
                work::at_once(self.unread, || self.exchange.feed(&bytes));
                self.life.weigh();
                rest.timers.read(self.exchange.awaits(), self.exchange.grace());
                return Poll::Ready(None);
            }
            Poll::Ready(None) => None,
            Poll::Ready(Some(Err(fault))) => Some(fault.failure(&self.exchange.job().id)),
            Poll::Pending => match ready!(rest.timers.poll_alarm(cx)) {
                Alarm::Failed(failure) => {
                    rest.wire.timed_out(failure.kind);
                    Some(failure)
                }
                Alarm::Ping => return Poll::Ready(self.sign.as_ref().map(|sign| sign.bytes.clone())),
                Alarm::Quiet => {
                    self.exchange.quiet();
                    return Poll::Ready(None);
                }
                Alarm::Gate => return Poll::Ready(None),
            },
        };
        self.rest = None;
        work::at_once(self.unread, || match failure {
            Some(failure) => self.exchange.broke(failure),
            None => self.exchange.eof(),
        });
        Poll::Ready(None)
    }

    /// The last item. An answer that has no proper end cuts the connection, so that it is not taken for whole.
    fn end(&mut self) -> Option<io::Result<Bytes>> {
        if self.ended {
            return None;
        }
        self.ended = true;
        // What the provider still sends is of no use, but its connection is.
        if let Some(rest) = self.rest.take()
            && self.exchange.failure().is_none()
        {
            tokio::spawn(rest.finish());
        }
        if !self.exchange.finished() {
            self.exchange.broke(Failure::new(FailureKind::CutOff, ""));
        }
        match self.stopped && self.exchange.failure().is_some() {
            true => self.life.cut_off(),
            false => self.life.ended(&self.exchange),
        }
        (!self.exchange.finished() || self.exchange.is_torn())
            .then(|| Err(io::Error::other("the answer was cut off")))
    }
}
