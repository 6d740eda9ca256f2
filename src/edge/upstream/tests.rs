//! Calls to providers that misbehave on a real socket, and what each failure is called.

use std::future::Future;

use super::*;
use futures_util::StreamExt;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

mod kept;
mod secured;

fn call(url: String) -> Call {
    Call {
        id: "id".to_owned(),
        method: Method::POST,
        url,
        headers: HeaderMap::new(),
        body: Bytes::from_static(b"{}"),
        connect: Duration::from_secs(5),
        link: Arc::default(),
        proxy_login: None,
    }
}

/// Reads a request to its end.
async fn request(stream: &mut (impl AsyncRead + Unpin)) {
    let mut seen = Vec::new();
    while !seen.ends_with(b"{}") {
        assert!(stream.read_buf(&mut seen).await.unwrap() > 0);
    }
}

/// A provider that does `then` with the first connection, after having read the request.
async fn provider<F: Future<Output = ()> + Send>(
    then: impl FnOnce(TcpStream) -> F + Send + 'static,
) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        request(&mut stream).await;
        then(stream).await;
    });
    format!("http://{address}/v1")
}

async fn says(text: &'static str) -> String {
    provider(async move |mut stream| stream.write_all(text.as_bytes()).await.unwrap()).await
}

async fn kind(url: String) -> FailureKind {
    match Upstream::new().send(call(url), &Wire::default()).await {
        Err(failure) => failure.kind,
        Ok(mut reply) => loop {
            match reply.body.next().await {
                Some(Ok(_)) => {}
                Some(Err(failure)) => return failure.kind,
                None => panic!("the call succeeded"),
            }
        },
    }
}

#[tokio::test]
async fn an_answer_comes_through_as_it_is_and_no_redirect_is_followed() {
    let url =
        says("HTTP/1.1 307 Elsewhere\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 4\r\n\r\nnope")
            .await;
    let reply = Upstream::new().send(call(url), &Wire::default()).await.unwrap();
    assert_eq!((reply.status, reply.headers["location"].as_bytes()), (307, &b"http://127.0.0.1:1/"[..]));
    let body: Vec<_> = reply.body.map(|chunk| chunk.unwrap()).collect().await;
    assert_eq!(body.concat(), b"nope");
}

#[tokio::test]
async fn a_coding_without_a_body_is_no_failure() {
    for head in ["204 No Content\r\n", "304 Not Modified\r\n", "200 OK\r\ncontent-length: 0\r\n"] {
        let url = provider(async move |mut stream| {
            let head = format!("HTTP/1.1 {head}content-encoding: gzip, unheard-of\r\n\r\n");
            stream.write_all(head.as_bytes()).await.unwrap();
        });
        let reply = Upstream::new().send(call(url.await), &Wire::default()).await.unwrap();
        assert!(!reply.headers.contains_key("content-encoding"));
        let body: Vec<_> = reply.body.map(|chunk| chunk.unwrap()).collect().await;
        assert_eq!(body.concat(), b"");
    }
}

#[tokio::test]
async fn failures_are_told_apart() {
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    assert_eq!(kind(format!("http://{free}/")).await, FailureKind::Connect);
    assert_eq!(kind("http://no-such-host.invalid/".into()).await, FailureKind::Dns);
    assert_eq!(kind(provider(async |_| ()).await).await, FailureKind::Closed);
    let cut = "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf";
    assert_eq!(kind(says(cut).await).await, FailureKind::Closed);
    let cut = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n";
    assert_eq!(kind(says(cut).await).await, FailureKind::Closed);
    let cut = "HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 1\r\n\r\n\x1f";
    assert_eq!(kind(says(cut).await).await, FailureKind::CutOff);
    let cut = "HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 2\r\n\r\n\x1f";
    assert_eq!(kind(says(cut).await).await, FailureKind::Closed);
    let wrong = "HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 2\r\n\r\n{}";
    assert_eq!(kind(says(wrong).await).await, FailureKind::Malformed);
    assert_eq!(kind(says("SMTP ready, go ahead\r\n\r\n").await).await, FailureKind::Malformed);
    assert_eq!(kind("no url".into()).await, FailureKind::Connect);
    let reset = provider(async |stream| {
        // Closing at once, with nothing left to send, is a reset on the wire.
        socket_reset(stream);
    });
    assert_eq!(kind(reset.await).await, FailureKind::Reset);
}

/// Closes a connection by a reset instead of an orderly end.
#[allow(deprecated, reason = "a lingering time of zero does not block, which is what the warning is about")]
fn socket_reset(stream: TcpStream) {
    stream.set_linger(Some(Duration::ZERO)).unwrap();
}

#[tokio::test]
async fn plain_text_where_encryption_is_due_is_a_tls_failure() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest).await;
    });
    let Err(failure) = Upstream::new().send(call(format!("https://{address}/")), &Wire::default()).await
    else {
        panic!()
    };
    assert_eq!(failure.kind, FailureKind::Tls, "{}", failure.message);
}

#[tokio::test]
async fn dropping_the_body_closes_the_call() {
    let (gone, told) = oneshot::channel();
    let url = provider(async move |mut stream| {
        let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nx\r\n";
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest).await;
        gone.send(()).unwrap();
    })
    .await;
    let upstream = Upstream::new();
    let mut reply = upstream.send(call(url), &Wire::default()).await.unwrap();
    assert_eq!(reply.body.next().await.unwrap().unwrap(), "x");
    drop(reply);
    told.await.unwrap();
}

#[tokio::test]
async fn an_error_text_does_not_repeat_the_address() {
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let Err(failure) =
        Upstream::new().send(call(format!("http://{free}/?key=hidden")), &Wire::default()).await
    else {
        panic!()
    };
    assert!(!failure.message.contains("hidden"), "{}", failure.message);
}
