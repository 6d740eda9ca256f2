//! Reads a request's body whole, within a limit of size and of time.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http::header::{CONTENT_LENGTH, EXPECT};
use http_body::Body;
use http_body_util::BodyExt;
use tokio::time::{Instant, timeout_at};

use super::pace::Pace;

/// How long a client that sends too much may go on sending before it is answered. Most clients read no
/// answer while they write, and would report a broken connection instead of the 413.
const DRAIN: Duration = Duration::from_secs(5);
/// The same where the router has no room: its answer does not wait long.
const BRIEF_DRAIN: Duration = Duration::from_millis(250);
/// Room made in advance at most, so that a lie in `content-length` costs nothing.
const RESERVE: u64 = 1 << 20;

/// How long a body may take.
#[derive(Clone, Copy, Debug)]
pub struct Time {
    /// The longest silence, and the least rate on average.
    pub pace: Pace,
    /// From its first byte to its last.
    pub total: Duration,
}

/// Why a body could not be had.
#[derive(Debug, PartialEq, Eq)]
pub enum BodyError {
    /// More than the limit, in bytes.
    TooLarge {
        /// The limit that was passed.
        limit: u64,
    },
    /// It did not come in the time given.
    Slow,
    /// The client went away, or sent something that is no body.
    Broken,
    /// All requests in flight together take as much memory as they may.
    Overload,
}

/// Reads a whole body of at most `limit` bytes; gives up when it does not come in `time`, and when `take` finds no room
/// for so many bytes more.
pub async fn read<B>(
    headers: &HeaderMap,
    body: B,
    limit: u64,
    time: Time,
    take: impl FnMut(usize) -> bool,
) -> Result<Bytes, BodyError>
where
    B: Body<Data = Bytes> + Unpin,
{
    let announced =
        headers.get(CONTENT_LENGTH).and_then(|v| v.to_str().ok()).and_then(|v| v.parse::<u64>().ok());
    if announced.is_some_and(|length| length > limit) {
        discard(headers, body).await;
        return Err(BodyError::TooLarge { limit });
    }
    collect(body, announced.unwrap_or(0).min(RESERVE), limit, time, take).await
}

/// Lets a client finish sending what nobody wants, so that it comes to read its answer.
pub async fn discard<B: Body<Data = Bytes> + Unpin>(headers: &HeaderMap, body: B) {
    // A client that asked first has sent nothing yet, and reading on would tell it to.
    if !headers.contains_key(EXPECT) {
        drain(body, DRAIN).await;
    }
}

/// The same for a moment only.
pub async fn discard_briefly<B: Body<Data = Bytes> + Unpin>(headers: &HeaderMap, body: B) {
    if !headers.contains_key(EXPECT) {
        drain(body, BRIEF_DRAIN).await;
    }
}

async fn collect<B>(
    mut body: B,
    reserve: u64,
    limit: u64,
    time: Time,
    mut take: impl FnMut(usize) -> bool,
) -> Result<Bytes, BodyError>
where
    B: Body<Data = Bytes> + Unpin,
{
    let mut first = Bytes::new();
    let mut all = BytesMut::new();
    let (mut pace, end) = (time.pace, Instant::now() + time.total);
    loop {
        let asked = Instant::now();
        let frame = match timeout_at(end.min(asked + pace.left()), body.frame()).await {
            Err(_) => return Err(BodyError::Slow),
            Ok(Some(Err(_))) => return Err(BodyError::Broken),
            Ok(Some(Ok(frame))) => frame,
            Ok(None) => break,
        };
        pace.waited(asked.elapsed());
        let Ok(data) = frame.into_data() else { continue };
        pace.moved(data.len());
        if (first.len() + all.len() + data.len()) as u64 > limit {
            drain(body, DRAIN).await;
            return Err(BodyError::TooLarge { limit });
        }
        if !take(data.len()) {
            drain(body, BRIEF_DRAIN).await;
            return Err(BodyError::Overload);
        }
        // A body that comes in one piece is not copied.
        if all.is_empty() && first.is_empty() {
            first = data;
            continue;
        }
        if all.is_empty() {
            all.reserve((reserve as usize).max(first.len() + data.len()));
            all.extend_from_slice(&std::mem::take(&mut first));
        }
        all.extend_from_slice(&data);
    }
    Ok(if all.is_empty() { first } else { all.freeze() })
}

/// Reads and forgets what still comes within this time.
async fn drain<B: Body<Data = Bytes> + Unpin>(mut body: B, time: Duration) {
    let end = Instant::now() + time;
    while let Ok(Some(Ok(_))) = timeout_at(end, body.frame()).await {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::stream;
    use http_body_util::{Empty, Full, StreamBody};

    /// As is usual: 30 s of silence, 500 bytes a second, ten minutes.
    fn time() -> Time {
        Time { pace: Pace::new(Duration::from_secs(30), 500), total: Duration::from_secs(600) }
    }

    /// A body whose pieces come one after each `pause`, and how long it was read.
    async fn paced(piece: &'static str, count: usize, pause: Duration) -> (Result<Bytes, BodyError>, u64) {
        let pieces = stream::iter(std::iter::repeat_n(piece, count));
        let slow = futures_util::StreamExt::then(pieces, move |piece| async move {
            tokio::time::sleep(pause).await;
            Ok::<_, std::io::Error>(http_body::Frame::data(Bytes::from(piece)))
        });
        let begun = Instant::now();
        let read = read(&HeaderMap::new(), StreamBody::new(Box::pin(slow)), 1 << 30, time(), |_| true).await;
        (read, begun.elapsed().as_secs())
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_trickles_is_given_up_and_a_slow_one_is_not() {
        assert_eq!(paced("x", 1000, Duration::from_secs(10)).await, (Err(BodyError::Slow), 30));
        let (slow, took) = paced("0123456789", 500, Duration::from_millis(20)).await;
        assert_eq!((slow.map(|body| body.len()), took), (Ok(5000), 10));
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_never_ends_is_given_up() {
        let (read, took) = paced("0123456789abcdef", usize::MAX, Duration::from_millis(20)).await;
        assert_eq!((read, took), (Err(BodyError::Slow), 600));
    }

    fn announcing(length: &str) -> HeaderMap {
        HeaderMap::from_iter([(CONTENT_LENGTH, length.parse().unwrap())])
    }

    fn pieces(
        parts: &'static [&'static str],
    ) -> impl Body<Data = Bytes, Error = std::convert::Infallible> + Unpin {
        StreamBody::new(stream::iter(parts.iter().map(|p| Ok(http_body::Frame::data(Bytes::from(*p))))))
    }

    #[tokio::test]
    async fn pieces_are_joined_up_to_the_limit_and_no_further() {
        let read = |limit| read_pieces(&["ab", "cd", "e"], limit);
        assert_eq!(read(5).await, Ok(Bytes::from("abcde")));
        assert_eq!(read(4).await, Err(BodyError::TooLarge { limit: 4 }));
        let none = super::read(&HeaderMap::new(), Empty::<Bytes>::new(), 0, time(), |_| true).await;
        assert_eq!(none, Ok(Bytes::new()));
    }

    async fn read_pieces(parts: &'static [&'static str], limit: u64) -> Result<Bytes, BodyError> {
        read(&HeaderMap::new(), pieces(parts), limit, time(), |_| true).await
    }

    #[tokio::test]
    async fn an_announced_length_over_the_limit_is_refused_before_it_is_stored() {
        let body = Full::new(Bytes::from_static(b"12345678"));
        assert_eq!(
            read(&announcing("8"), body, 7, time(), |_| true).await,
            Err(BodyError::TooLarge { limit: 7 })
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_stops_sending_is_given_up() {
        let silent = StreamBody::new(stream::pending::<Result<http_body::Frame<Bytes>, std::io::Error>>());
        assert_eq!(read(&HeaderMap::new(), silent, 10, time(), |_| true).await, Err(BodyError::Slow));
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_sends_too_much_for_ever_is_answered_after_a_while() {
        let endless =
            stream::repeat_with(|| Ok::<_, std::io::Error>(http_body::Frame::data(Bytes::from("xx"))));
        let paced = futures_util::StreamExt::then(endless, |frame| async {
            tokio::time::sleep(Duration::from_millis(100)).await;
            frame
        });
        let body = StreamBody::new(Box::pin(paced));
        assert_eq!(
            read(&HeaderMap::new(), body, 3, time(), |_| true).await,
            Err(BodyError::TooLarge { limit: 3 })
        );
    }
}
