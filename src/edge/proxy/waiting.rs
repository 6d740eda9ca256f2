//! A stream that begins before anybody has answered, for a client that wants signs of life; and one that broke off,
//! until another provider goes on with it.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::Stream;
use http::Response;
use tokio::time::{Instant, Sleep, sleep};

use super::live::Live;
use super::{Life, last_words, respond_with};
use crate::edge::attempt::Rest;
use crate::edge::body::ReplyBody;
use crate::engine::Engine;
use crate::engine::exchange::Exchange;
use crate::engine::plan::{Answer, AnswerBody, SignOfLife, Step};

/// The request on its way, and whose it is when it has come to an end.
type Asking = Pin<Box<dyn Future<Output = (Life, Answer, Option<Rest>)> + Send>>;

/// Answers as soon as there is an answer, beginning with the step `first`, or with the first sign of life if that comes first.
pub(super) async fn answer(
    life: Life,
    engine: Arc<Engine>,
    first: Step,
    sign: SignOfLife,
) -> Response<ReplyBody> {
    let (id, path, opened) = (life.id.clone(), life.decision.path.clone(), life.plan.opened());
    let mut asking = ask(life, engine.clone(), Some(first));
    tokio::select! {
        biased;
        (life, answer, rest) = &mut asking => return life.answered(engine, answer, rest),
        () = sleep(sign.every) => {}
    }
    let stream = Waiting::new(State::Asking(asking, None), Some(sign), engine.clone());
    let stream = Box::pin(Waiting { due: true, ..stream });
    let last_words = last_words(engine, path, id.clone());
    respond_with(&id, opened, ReplyBody::stream(stream, last_words))
}

fn ask(mut life: Life, engine: Arc<Engine>, first: Option<Step>) -> Asking {
    Box::pin(async move {
        let (answer, rest) = life.run(&engine, first, None).await;
        (life, answer, rest)
    })
}

/// A stream whose head has been sent. Dropping it ends the call to the provider.
pub(super) struct Waiting {
    state: State,
    engine: Arc<Engine>,
    sign: Option<SignOfLife>,
    sleep: Pin<Box<Sleep>>,
    /// Is a sign of life to be sent now?
    due: bool,
}

enum State {
    /// Nobody has answered yet, or nobody goes on yet with this stream.
    Asking(Asking, Option<Box<Exchange>>),
    /// Somebody streams.
    Live(Box<Live>),
    /// There is nothing more to say.
    Over,
}

impl Stream for Waiting {
    type Item = io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        loop {
            if std::mem::take(&mut this.due)
                && let Some(sign) = this.sign()
            {
                return Poll::Ready(Some(Ok(sign)));
            }
            match &mut this.state {
                State::Over => return Poll::Ready(None),
                State::Live(live) => match Pin::new(live.as_mut()).poll_next(cx) {
                    Poll::Ready(None) if live.is_cut() => this.go_on(),
                    polled => return polled,
                },
                State::Asking(asking, _) => match asking.as_mut().poll(cx) {
                    Poll::Ready((life, answer, rest)) => {
                        if let Some(last) = this.begin(life, answer, rest) {
                            return Poll::Ready(Some(Ok(last)));
                        }
                    }
                    Poll::Pending if this.sign.is_none() => return Poll::Pending,
                    Poll::Pending => match this.sleep.as_mut().poll(cx) {
                        Poll::Ready(()) => this.due = true,
                        Poll::Pending => return Poll::Pending,
                    },
                },
            }
        }
    }
}

impl Waiting {
    fn new(state: State, sign: Option<SignOfLife>, engine: Arc<Engine>) -> Self {
        let sleep = Box::pin(sleep(sign.as_ref().map_or_else(Default::default, |sign| sign.every)));
        Self { state, engine, sign, sleep, due: false }
    }

    /// A stream that another provider may go on with if it breaks off.
    pub fn on(live: Live, engine: Arc<Engine>) -> Self {
        let sign = live.sign();
        Self::new(State::Live(Box::new(live)), sign, engine)
    }

    /// The sign of life that is due; the next one is due after the same time.
    fn sign(&mut self) -> Option<Bytes> {
        let sign = self.sign.as_ref()?;
        self.sleep.as_mut().reset(Instant::now() + sign.every);
        Some(sign.bytes.clone())
    }

    /// The stream broke off: asks who goes on with it, if the rules want that.
    fn go_on(&mut self) {
        let State::Live(live) = std::mem::replace(&mut self.state, State::Over) else { return };
        let (mut life, exchange) = live.apart();
        if !life.broke_off(&exchange) {
            return self.give_up(life, exchange);
        }
        if let Some(sign) = &self.sign {
            self.sleep.as_mut().reset(Instant::now() + sign.every);
        }
        self.state = State::Asking(ask(life, self.engine.clone(), None), Some(exchange));
    }

    /// Nobody goes on: what the stream still holds tells the client what broke it.
    fn give_up(&mut self, life: Life, mut exchange: Box<Exchange>) {
        exchange.give_up();
        self.state = State::Live(Box::new(Live::new(life, exchange, None)));
    }

    /// Goes over to the answer: a stream goes on from here, anything else is the last event.
    fn begin(&mut self, mut life: Life, mut answer: Answer, rest: Option<Rest>) -> Option<Bytes> {
        let before = match std::mem::replace(&mut self.state, State::Over) {
            State::Asking(_, before) => before,
            State::Live(_) | State::Over => None,
        };
        if matches!(answer.body, AnswerBody::Whole(_)) && before.is_none() {
            life.over();
        }
        if before.is_none() {
            life.given(&answer);
        }
        match std::mem::replace(&mut answer.body, AnswerBody::Whole(Bytes::new())) {
            AnswerBody::Stream(exchange) => {
                self.state = State::Live(Box::new(Live::new(life, exchange, rest)));
                None
            }
            whole => {
                if let Some(before) = before {
                    self.give_up(life, before);
                    return None;
                }
                answer.body = whole;
                let last = life.plan.within_stream(&answer);
                (!last.is_empty()).then_some(last)
            }
        }
    }
}
