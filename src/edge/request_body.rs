//! Reads a request's body whole, its compression taken off, within a limit of size and of time.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_LENGTH, EXPECT};
use http::{HeaderMap, StatusCode};
use http_body::Body;
use http_body_util::BodyExt;
use tokio::task::yield_now;
use tokio::time::{Instant, timeout_at};

use super::compression::{Decoder, Next, Undecodable};
use super::pace::Pace;

/// How long a client that sends too much may go on sending before it is answered. Most clients read no
/// answer while they write, and would report a broken connection instead of the 413.
const DRAIN: Duration = Duration::from_secs(5);
/// The same where the router has no room: its answer does not wait long.
const BRIEF_DRAIN: Duration = Duration::from_millis(250);
/// Room made at once at most.
const BLOCK: usize = 1 << 20;
/// Room made at once at least, where the length is not known.
const LEAST_BLOCK: usize = 16 << 10;

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
    /// Its compression cannot be taken off.
    Undecodable(Undecodable),
}

impl BodyError {
    /// What the client is told, and with which status.
    pub fn told(&self) -> (StatusCode, String) {
        let (status, text) = match self {
            Self::TooLarge { limit } => return (StatusCode::PAYLOAD_TOO_LARGE, too_large(*limit)),
            Self::Undecodable(error) => {
                let status = match error {
                    Undecodable::Unknown(_) | Undecodable::Many => StatusCode::UNSUPPORTED_MEDIA_TYPE,
                    _ => StatusCode::BAD_REQUEST,
                };
                return (status, format!("the request's body {error}"));
            }
            Self::Slow => (StatusCode::REQUEST_TIMEOUT, "the request's body did not come in time"),
            Self::Broken => (StatusCode::BAD_REQUEST, "the request's body could not be read"),
            Self::Overload => (
                StatusCode::SERVICE_UNAVAILABLE,
                "the router is overloaded: the requests in flight take all that they may (`limits: { in_flight: ..., requests: ... }` in the rules); try again soon",
            ),
        };
        (status, text.to_owned())
    }
}

fn too_large(limit: u64) -> String {
    let limit = match limit {
        whole if whole >= 1 << 20 && whole % (1 << 20) == 0 => format!("{} MiB", whole >> 20),
        bytes => format!("{bytes} bytes"),
    };
    format!(
        "the request's body is larger than {limit}, which is the limit (`limits: {{ body: ... }}` in the rules)"
    )
}

/// Reads a whole body, and takes off what its `content-encoding` says, to at most `limit` bytes; gives up when it does
/// not come in `time`, and when `fits` finds no room for so many bytes: all that it takes now, and is going to take.
pub async fn read<B>(
    headers: &HeaderMap,
    body: B,
    limit: u64,
    time: Time,
    fits: impl FnMut(usize) -> bool,
) -> Result<Bytes, BodyError>
where
    B: Body<Data = Bytes> + Unpin,
{
    let announced =
        headers.get(CONTENT_LENGTH).and_then(|v| v.to_str().ok()).and_then(|v| v.parse::<u64>().ok());
    let decoder = Decoder::of(headers);
    let refused = match decoder.as_ref().and_then(Decoder::unsupported) {
        Some(unsupported) => Some(BodyError::Undecodable(unsupported.clone())),
        None => announced.filter(|length| *length > limit).map(|_| BodyError::TooLarge { limit }),
    };
    if let Some(refused) = refused {
        discard(headers, body).await;
        return Err(refused);
    }
    let announced = announced.filter(|_| decoder.is_none()).map(|length| length as usize);
    let gathered =
        Gathered { first: Bytes::new(), blocks: Vec::new(), length: 0, announced, limit, decoder: 0, fits };
    collect(body, decoder, gathered, time).await
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

async fn collect<B, F>(
    mut body: B,
    mut decoder: Option<Decoder>,
    mut gathered: Gathered<F>,
    time: Time,
) -> Result<Bytes, BodyError>
where
    B: Body<Data = Bytes> + Unpin,
    F: FnMut(usize) -> bool,
{
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
        let added = match &mut decoder {
            None => gathered.add(data),
            Some(decoder) => gathered.add_decoded(decoder, data).await,
        };
        if let Err(error) = added {
            drain(body, if error == BodyError::Overload { BRIEF_DRAIN } else { DRAIN }).await;
            return Err(error);
        }
    }
    if let Some(decoder) = decoder {
        decoder.finish().map_err(BodyError::Undecodable)?;
        gathered.decoder = 0;
        gathered.count(0)?;
    }
    Ok(gathered.whole())
}

/// What has come of a body.
struct Gathered<F> {
    /// All of it, where it came in one piece.
    first: Bytes,
    /// Else all of it, in blocks: what grew as a whole would be copied again and again, and each copy that was left behind
    /// would be held by the allocator for a while.
    blocks: Vec<BytesMut>,
    /// How much it is.
    length: usize,
    /// Its length, if the client said it.
    announced: Option<usize>,
    limit: u64,
    /// What its decoder takes, in bytes.
    decoder: usize,
    fits: F,
}

impl<F: FnMut(usize) -> bool> Gathered<F> {
    fn add(&mut self, data: Bytes) -> Result<(), BodyError> {
        let length = self.length + data.len();
        if length as u64 > self.limit {
            return Err(BodyError::TooLarge { limit: self.limit });
        }
        self.count(data.len())?;
        self.length = length;
        // A body that comes in one piece is not copied.
        if length == data.len() {
            self.first = data;
            return Ok(());
        }
        let first = std::mem::take(&mut self.first);
        self.copy(&first, length);
        self.copy(&data, length);
        Ok(())
    }

    /// Puts more bytes into the blocks, of which there are `length` then.
    fn copy(&mut self, mut data: &[u8], length: usize) {
        while !data.is_empty() {
            let room = self.blocks.last().map_or(0, |block| block.capacity() - block.len());
            if room == 0 {
                // Rather few blocks, and yet not much more than there is, so that a lie in `content-length` costs nothing.
                let held = self.blocks.iter().map(BytesMut::len).sum::<usize>();
                let left = self.announced.map_or(usize::MAX, |all| all.saturating_sub(held));
                let usual = if self.announced.is_some() { BLOCK } else { length.clamp(LEAST_BLOCK, BLOCK) };
                self.blocks.push(BytesMut::with_capacity(usual.min(left).max(data.len().min(BLOCK))));
                continue;
            }
            let (now, later) = data.split_at(room.min(data.len()));
            if let Some(block) = self.blocks.last_mut() {
                block.extend_from_slice(now);
            }
            data = later;
        }
    }

    /// Finds room for so many bytes more. The body counts twice, since it is made into another one for a provider.
    fn count(&mut self, more: usize) -> Result<(), BodyError> {
        let length = self.length + more;
        let held = length.max(self.blocks.iter().map(BytesMut::capacity).sum());
        if (self.fits)(held + length + self.decoder) { Ok(()) } else { Err(BodyError::Overload) }
    }

    async fn add_decoded(&mut self, decoder: &mut Decoder, data: Bytes) -> Result<(), BodyError> {
        decoder.push(data);
        loop {
            let next = decoder.decode().map_err(BodyError::Undecodable)?;
            let memory = decoder.memory();
            if std::mem::replace(&mut self.decoder, memory) != memory {
                self.count(0)?;
            }
            match next {
                Next::Piece(piece) => self.add(piece)?,
                Next::Later => yield_now().await,
                Next::Hungry => return Ok(()),
            }
        }
    }

    fn whole(self) -> Bytes {
        let mut blocks = self.blocks;
        match blocks.as_mut_slice() {
            [] => self.first,
            [only] => std::mem::take(only).freeze(),
            blocks => {
                let mut all = BytesMut::with_capacity(self.length);
                // Each is let go as soon as it has been copied.
                blocks.iter_mut().for_each(|block| all.extend_from_slice(&std::mem::take(block)));
                all.freeze()
            }
        }
    }
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

    #[tokio::test]
    async fn what_takes_the_compression_off_counts_while_it_works() {
        let plain = vec![b'x'; 1 << 20];
        let coded = zstd::encode_all(&plain[..], 3).unwrap();
        let headers = HeaderMap::from_iter([(http::header::CONTENT_ENCODING, "zstd".parse().unwrap())]);
        let mut held = Vec::new();
        let fits = |bytes| {
            held.push(bytes);
            true
        };
        let body = read(&headers, Full::new(Bytes::from(coded)), 1 << 30, time(), fits).await.unwrap();
        assert_eq!(body, plain);
        let (most, last) = (held.iter().copied().max().unwrap(), held.pop().unwrap());
        assert!(last >= 2 * plain.len() && most >= last + (1 << 20), "{most} at most, {last} at last");
    }

    #[tokio::test]
    async fn a_body_takes_no_more_room_than_it_announces() {
        const PIECE: &str = "0123456789abcdef";
        let pieces = std::iter::repeat_n(PIECE, 200_000);
        let frames = pieces.map(|piece| Ok::<_, std::io::Error>(http_body::Frame::data(Bytes::from(piece))));
        let body = StreamBody::new(stream::iter(frames));
        let mut most = 0;
        let fits = |bytes| {
            most = most.max(bytes);
            true
        };
        let length = PIECE.len() * 200_000;
        let read = read(&announcing(&length.to_string()), body, 1 << 30, time(), fits).await.unwrap();
        assert_eq!((read.len(), most), (length, 2 * length));
    }
}
