//! What a provider answers, its compression taken off.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_util::Stream;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH};
use http::{HeaderMap, Response};
use http_body::Body;
use hyper::body::Incoming;

use super::line::Line;
use super::{Fault, lost};
use crate::edge::compression::{Decoder, Next, Undecodable};
use crate::engine::failure::FailureKind;

/// What a provider answers: the head; the body comes after it.
pub struct Reply {
    /// The status code.
    pub status: u16,
    /// The headers. Of a compressed body they do not tell that it was, nor how long.
    pub headers: HeaderMap,
    /// The body as it arrives.
    pub body: ReplyStream,
}

/// A reply's body, decoded. An error ends it. A piece may be empty: then something came that holds nothing by itself.
pub struct ReplyStream {
    body: Incoming,
    line: Option<Arc<Line>>,
    /// Only where the body is compressed.
    decoder: Option<Box<Decoder>>,
}

impl Reply {
    /// An answer whose head has come over this connection.
    pub(super) fn new(response: Response<Incoming>, line: Option<Arc<Line>>) -> Self {
        let (parts, body) = response.into_parts();
        let mut headers = parts.headers;
        let decoder = Decoder::of(&headers).map(Box::new);
        if decoder.is_some() {
            headers.remove(CONTENT_ENCODING);
            headers.remove(CONTENT_LENGTH);
        }
        let body = ReplyStream { body, line, decoder };
        Reply { status: parts.status.as_u16(), headers, body }
    }
}

impl ReplyStream {
    /// The next bytes as they came.
    fn poll_raw(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Fault>>> {
        loop {
            return match Pin::new(&mut self.body).poll_frame(cx) {
                Poll::Pending => Poll::Pending,
                Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                    Ok(data) => Poll::Ready(Some(Ok(data))),
                    Err(_) => continue,
                },
                Poll::Ready(Some(Err(error))) => Poll::Ready(Some(Err(lost::fault_of(&error)))),
                Poll::Ready(None) => {
                    if let Some(line) = self.line.take() {
                        line.works();
                    }
                    Poll::Ready(None)
                }
            };
        }
    }

    /// The next bytes that the decoder makes of them.
    fn poll_decoded(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Fault>>> {
        match self.decode(cx) {
            Poll::Ready(Some(Ok(bytes))) if bytes.is_empty() => {}
            decoded => return decoded,
        }
        match ready!(self.poll_raw(cx)) {
            Some(Ok(data)) => {
                if let Some(decoder) = &mut self.decoder {
                    decoder.push(data);
                }
                self.decode(cx)
            }
            Some(Err(fault)) => Poll::Ready(Some(Err(fault))),
            None => {
                let whole = self.decoder.take().map_or(Ok(()), |decoder| decoder.finish());
                Poll::Ready(whole.err().map(|error| Err(fault(&error))))
            }
        }
    }

    /// What the bytes so far hold; empty if that is nothing.
    fn decode(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Fault>>> {
        Poll::Ready(match self.decoder.as_mut().map(|decoder| decoder.decode()) {
            None => None,
            Some(Ok(Next::Piece(piece))) => Some(Ok(piece)),
            Some(Ok(Next::Hungry)) => Some(Ok(Bytes::new())),
            Some(Ok(Next::Later)) => {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            Some(Err(error)) => Some(Err(fault(&error))),
        })
    }
}

impl Stream for ReplyStream {
    type Item = Result<Bytes, Fault>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.decoder.is_some() { self.poll_decoded(cx) } else { self.poll_raw(cx) }
    }
}

/// What rules know it as.
fn fault(error: &Undecodable) -> Fault {
    let kind = match error {
        Undecodable::Cut(_) => FailureKind::CutOff,
        _ => FailureKind::Malformed,
    };
    Fault::new(kind, format!("the provider's answer {error}"))
}
