//! A client that wants signs of life: its stream begins before anybody has answered, if that takes too long.

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
use super::{Life, respond_with};
use crate::edge::attempt::Rest;
use crate::edge::body::ReplyBody;
use crate::engine::Engine;
use crate::engine::plan::{Answer, AnswerBody, SignOfLife};

/// The request on its way, and whose it is when it has come to an end.
type Asking = Pin<Box<dyn Future<Output = (Life, Answer, Option<Rest>)> + Send>>;

/// Answers as soon as there is an answer, or with the first sign of life if that comes first.
pub(super) async fn answer(mut life: Life, engine: Arc<Engine>, sign: SignOfLife) -> Response<ReplyBody> {
    let (id, opened) = (life.id.clone(), life.plan.opened());
    let mut asking: Asking = Box::pin(async move {
        let (answer, rest) = life.run(&engine, None).await;
        (life, answer, rest)
    });
    tokio::select! {
        biased;
        (life, answer, rest) = &mut asking => return life.answered(answer, rest),
        () = sleep(sign.every) => {}
    }
    let sleep = Box::pin(sleep(sign.every));
    let stream = Waiting { state: State::Asking(asking), sign, sleep, due: true };
    respond_with(&id, opened, ReplyBody::Stream(Box::pin(stream)))
}

/// A stream whose head has been sent. Dropping it ends the call to the provider.
struct Waiting {
    state: State,
    sign: SignOfLife,
    sleep: Pin<Box<Sleep>>,
    /// Is a sign of life to be sent now?
    due: bool,
}

enum State {
    /// Nobody has answered yet.
    Asking(Asking),
    /// Somebody streams.
    Live(Box<Live>),
    /// There is nothing more to say.
    Over,
}

impl Stream for Waiting {
    type Item = io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        if std::mem::take(&mut this.due) {
            this.sleep.as_mut().reset(Instant::now() + this.sign.every);
            return Poll::Ready(Some(Ok(this.sign.bytes.clone())));
        }
        loop {
            match &mut this.state {
                State::Over => return Poll::Ready(None),
                State::Live(live) => return Pin::new(live.as_mut()).poll_next(cx),
                State::Asking(asking) => match asking.as_mut().poll(cx) {
                    Poll::Ready((life, answer, rest)) => {
                        if let Some(last) = this.begin(life, answer, rest) {
                            return Poll::Ready(Some(Ok(last)));
                        }
                    }
                    Poll::Pending => {
                        return this.sleep.as_mut().poll(cx).map(|()| {
                            this.sleep.as_mut().reset(Instant::now() + this.sign.every);
                            Some(Ok(this.sign.bytes.clone()))
                        });
                    }
                },
            }
        }
    }
}

impl Waiting {
    /// Goes over to the answer: a stream goes on from here, anything else is the last event.
    fn begin(&mut self, mut life: Life, mut answer: Answer, rest: Option<Rest>) -> Option<Bytes> {
        if matches!(answer.body, AnswerBody::Whole(_)) {
            life.over();
        }
        life.given(&answer);
        match std::mem::replace(&mut answer.body, AnswerBody::Whole(Bytes::new())) {
            AnswerBody::Stream(exchange) => {
                self.state = State::Live(Box::new(Live::new(life, exchange, rest)));
                None
            }
            whole => {
                answer.body = whole;
                self.state = State::Over;
                let last = life.plan.within_stream(&answer);
                (!last.is_empty()).then_some(last)
            }
        }
    }
}
