//! Connections from the pool that die, over HTTP/1.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;

use tokio::sync::Barrier;

use super::*;

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

/// A provider that answers the first request of each connection, and does `then` when the second has come. It counts
/// its connections.
async fn answers_once(then: &'static [u8]) -> (String, Arc<AtomicUsize>) {
    answers_together(1, then).await
}

/// The same; the first `together` answers wait until as many requests have arrived.
async fn answers_together(together: usize, then: &'static [u8]) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap());
    let (count, all) = (Arc::new(AtomicUsize::new(0)), Arc::new(Barrier::new(together)));
    let counter = count.clone();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let (before, all) = (counter.fetch_add(1, Ordering::SeqCst), all.clone());
            tokio::spawn(async move {
                request(&mut stream).await;
                if before < together {
                    all.wait().await;
                }
                stream.write_all(ANSWER).await.unwrap();
                request(&mut stream).await;
                stream.write_all(then).await.unwrap();
            });
        }
    });
    (url, count)
}

async fn answer(upstream: &Upstream, url: &str) -> Result<Vec<u8>, FailureKind> {
    let reply = upstream.send(call(url.to_owned()), &Wire::default()).await.map_err(|fault| fault.kind)?;
    let body: Vec<_> = reply.body.map(|chunk| chunk.unwrap()).collect().await;
    Ok(body.concat())
}

#[tokio::test]
async fn a_call_on_a_kept_connection_that_is_closed_is_made_once_more() {
    let (url, count) = answers_once(b"").await;
    let upstream = Upstream::new();
    for opened in [1, 2, 3] {
        assert_eq!(answer(&upstream, &url).await, Ok(b"ok".to_vec()));
        assert_eq!(count.load(Ordering::SeqCst), opened, "the connection of a second try is not kept");
    }
}

/// The second try is on a connection of its own, not on the next dying one of the pool.
#[tokio::test]
async fn twenty_kept_connections_that_are_closed_at_once_fail_nobody() {
    let (url, count) = answers_together(20, b"").await;
    let upstream = Upstream::new();
    for opened in [20, 40] {
        let calls = (0..20).map(|_| answer(&upstream, &url));
        let answers = futures_util::future::join_all(calls).await;
        assert!(answers.iter().all(|answer| *answer == Ok(b"ok".to_vec())), "{answers:?}");
        assert_eq!(count.load(Ordering::SeqCst), opened);
    }
}

#[tokio::test]
async fn a_byte_of_an_answer_is_an_answer() {
    for (then, kind) in
        [(&b"HTTP/1.1 200 O"[..], FailureKind::Closed), (b"SMTP ready\r\n\r\n", FailureKind::Malformed)]
    {
        let (url, count) = answers_once(then).await;
        let upstream = Upstream::new();
        assert_eq!(answer(&upstream, &url).await, Ok(b"ok".to_vec()));
        assert_eq!(answer(&upstream, &url).await, Err(kind));
        assert_eq!(count.load(Ordering::SeqCst), 1);
    }
}

#[tokio::test]
async fn what_dies_on_a_new_connection_is_a_failure() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let closing = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        request(&mut stream).await;
        drop(stream);
        // Whoever tries again waits here.
        listener
    });
    assert_eq!(answer(&Upstream::new(), &url).await, Err(FailureKind::Closed));
    let listener = closing.await.unwrap();
    let again = poll_fn(|cx| Poll::Ready(listener.poll_accept(cx).is_ready())).await;
    assert!(!again, "it was tried again");
}

#[tokio::test]
async fn connections_of_a_provider_that_left_the_rules_are_closed() {
    let (told, closed) = oneshot::channel();
    let url = provider(async move |mut stream| {
        stream.write_all(ANSWER).await.unwrap();
        let mut rest = Vec::new();
        assert_eq!(stream.read_to_end(&mut rest).await.unwrap(), 0);
        told.send(()).unwrap();
    })
    .await;
    let (upstream, link) = (Upstream::new(), Link::default());
    assert_eq!(answer(&upstream, &url).await, Ok(b"ok".to_vec()));
    upstream.keep_only([(url.as_str(), &link)].into_iter());
    assert_eq!(upstream.pools.lock().unwrap().len(), 1);
    upstream.keep_only(std::iter::empty());
    assert_eq!(upstream.pools.lock().unwrap().len(), 0);
    closed.await.unwrap();
    assert_eq!(upstream.open.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_connection_is_kept_after_a_compressed_answer() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let body = b"\x1f\x8b\x08\0\0\0\0\0\0\x03\xcb\xcf\x06\0\x47\xdd\xdc\x79\x02\0\0\0";
        for _ in 0..3 {
            request(&mut stream).await;
            let head = format!(
                "HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: {}\r\n\r\n",
                body.len()
            );
            stream.write_all(head.as_bytes()).await.unwrap();
            stream.write_all(body).await.unwrap();
        }
    });
    let upstream = Upstream::new();
    for _ in 0..3 {
        assert_eq!(answer(&upstream, &url).await, Ok(b"ok".to_vec()));
    }
}
