//! Heads that come slowly, over connections in memory: what is written there has come before the time goes on.

use super::*;
use tokio::io::{DuplexStream, duplex, split};

/// Sends a piece each second until the server closes. What it said, and after how long.
async fn trickled(stream: DuplexStream, pieces: impl IntoIterator<Item = Vec<u8>>) -> (String, Duration) {
    let begun = tokio::time::Instant::now();
    let (mut from, mut to) = split(stream);
    let mut said = Vec::new();
    for piece in pieces {
        if to.write_all(&piece).await.is_err() {
            break;
        }
        let end = sleep(Duration::from_secs(1));
        tokio::pin!(end);
        loop {
            tokio::select! {
                read = from.read_buf(&mut said) => match read {
                    Ok(count) if count > 0 => {}
                    _ => return (String::from_utf8_lossy(&said).into_owned(), begun.elapsed()),
                },
                () = &mut end => break,
            }
        }
    }
    panic!("all of it was taken; {:?} came", String::from_utf8_lossy(&said))
}

/// For heads, shorter than for idle connections.
const HEAD: Duration = Duration::from_secs(3);

/// A connection in memory: what is written there has come before the time goes on.
fn connect() -> DuplexStream {
    let (near, far) = duplex(64 << 10);
    let limits = ServerLimits { head: HEAD, ..ServerLimits::default() };
    let peer = Peer(SocketAddr::from(([127, 0, 0, 1], 9)));
    tokio::spawn(async move {
        let (_open, closing) = watch::channel(false);
        connection::serve(near, peer, Arc::new(Paths::default()), limits, closing).await;
    });
    far
}

/// The same after it was answered, and was idle for longer than a head may take.
async fn kept() -> DuplexStream {
    let mut stream = connect();
    stream.write_all(GET.as_bytes()).await.unwrap();
    until(&mut stream, "hello").await;
    sleep(2 * HEAD).await;
    stream
}

fn bytes(text: &str) -> impl Iterator<Item = Vec<u8>> {
    text.bytes().map(|byte| vec![byte])
}

#[tokio::test(start_paused = true)]
async fn a_head_that_trickles_is_not_waited_for_the_first_or_a_later_one() {
    for is_later in [true, false] {
        let stream = if is_later { kept().await } else { connect() };
        let (said, time) = trickled(stream, bytes(GET)).await;
        assert!(said.starts_with("HTTP/1.1 408 ") && said.contains("\r\nconnection: close\r\n"), "{said:?}");
        assert!(said.contains("head_time") && (HEAD..=HEAD + HEAD / 3).contains(&time), "{time:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_time_of_a_head_begins_with_its_first_byte() {
    let mut stream = kept().await;
    let (idle, second) = (ServerLimits::default().idle, Duration::from_secs(1));
    sleep(idle - 2 * HEAD - second).await;
    let (begun, rest) = GET.split_at(9);
    stream.write_all(begun.as_bytes()).await.unwrap();
    sleep(HEAD - second).await;
    stream.write_all(rest.as_bytes()).await.unwrap();
    until(&mut stream, "hello").await;
}

const PREFACE: &str = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

fn frame(kind: u8, flags: u8, stream: u8, body: &[u8]) -> Vec<u8> {
    [&[0, 0, body.len() as u8, kind, flags, 0, 0, 0, stream], body].concat()
}

#[tokio::test(start_paused = true)]
async fn a_head_of_http2_that_trickles_is_not_waited_for_either() {
    // GET / at x; then the beginning of a header whose name is long.
    let get = [0x82, 0x86, 0x84, 0x41, 1, b'x'];
    let settings = [PREFACE.as_bytes(), &frame(4, 0, 0, b"")].concat();
    let asked = [settings.clone(), frame(1, 5, 1, &get)].concat();
    let whole = frame(1, 5, 3, &get).into_iter().map(|byte| vec![byte]);
    let continued = std::iter::once(frame(1, 1, 3, &[&get[..], &[0, 0x7f, 0xff, 1]].concat()));
    let continued = continued.chain((0..200).map(|_| frame(9, 0, 3, b"x")));
    let heads: [(&[u8], Vec<Vec<u8>>); 4] = [
        (b"", bytes(PREFACE).collect()),
        (&settings, whole.clone().collect()),
        (&asked, whole.collect()),
        (&asked, continued.collect()),
    ];
    for (at, (before, head)) in heads.into_iter().enumerate() {
        let mut stream = connect();
        stream.write_all(before).await.unwrap();
        if before.len() > settings.len() {
            until(&mut stream, "hello").await;
            sleep(2 * HEAD).await;
        }
        let (_, time) = trickled(stream, head).await;
        assert!((HEAD..=HEAD + HEAD / 3).contains(&time), "{at}: {time:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_on_which_nothing_is_asked_is_closed_soon_whatever_it_speaks() {
    let hello = [PREFACE.as_bytes(), &frame(4, 0, 0, b"")].concat();
    for said in [&b""[..], &hello] {
        let mut stream = connect();
        stream.write_all(said).await.unwrap();
        let begun = tokio::time::Instant::now();
        rest(&mut stream).await;
        assert!((HEAD..=HEAD + HEAD / 3).contains(&begun.elapsed()), "{said:?}: {:?}", begun.elapsed());
    }
}
