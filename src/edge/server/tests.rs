//! The server on a real socket, asked by clients that behave and clients that do not.

use super::*;
use bytes::Bytes;
use futures_util::stream;
use http_body_util::BodyExt;
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::net::SocketAddr;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::sync::{Notify, oneshot};

mod heads;

/// Answers by path, so that each test can ask for the trouble it wants.
#[derive(Default)]
struct Paths {
    /// Lets `/wait` and the rest of `/stream` go on.
    go: Notify,
    entered: Notify,
    /// Told when a request was dropped unanswered.
    dropped: Arc<Notify>,
    limits: ServerLimits,
}

struct TellDrop(Arc<Notify>);

impl Drop for TellDrop {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}

impl Handler for Paths {
    async fn handle(self: Arc<Self>, request: Request<Incoming>) -> Response<ReplyBody> {
        match request.uri().path() {
            "/panic" => panic!("on purpose"),
            "/echo" => {
                let body = request.into_body().collect().await.unwrap().to_bytes();
                Response::new(ReplyBody::whole(body))
            }
            "/wait" => {
                let _told = TellDrop(self.dropped.clone());
                self.entered.notify_one();
                self.go.notified().await;
                Response::new(ReplyBody::whole("waited"))
            }
            "/stream" => {
                let chunks = stream::unfold(0, move |n| {
                    let this = self.clone();
                    async move {
                        match n {
                            0 => Some((Ok(Bytes::from("first ")), 1)),
                            1 => {
                                this.go.notified().await;
                                Some((Ok(Bytes::from("second")), 2))
                            }
                            _ => None,
                        }
                    }
                });
                Response::new(ReplyBody::stream(Box::pin(chunks), Bytes::new))
            }
            "/endless" => {
                let told = TellDrop(self.dropped.clone());
                let chunks =
                    stream::unfold(told, |told| async { Some((Ok(Bytes::from(vec![b'x'; 8192])), told)) });
                Response::new(ReplyBody::stream(Box::pin(chunks), Bytes::new))
            }
            "/panic-later" => {
                let chunks = stream::unfold(0, |n: i32| async move {
                    assert!(n < 1, "on purpose");
                    Some((Ok(Bytes::from("first ")), n + 1))
                });
                let last_words = || Bytes::from("event: error\n\n");
                match request.uri().query() {
                    Some(_) => Response::new(ReplyBody::stream(Box::pin(chunks), last_words)),
                    None => Response::new(ReplyBody::stream(Box::pin(chunks), Bytes::new)),
                }
            }
            "/long" => Response::new(ReplyBody::whole(vec![b'x'; 8 << 20])),
            _ => Response::new(ReplyBody::whole("hello")),
        }
    }

    fn panicked(&self, _: &str) -> Response<ReplyBody> {
        let mut response = Response::new(ReplyBody::whole("sorry"));
        *response.status_mut() = http::StatusCode::INTERNAL_SERVER_ERROR;
        response
    }

    fn limits(&self) -> ServerLimits {
        self.limits
    }

    fn tls(&self) -> Option<Arc<ServerConfig>> {
        None
    }

    fn cut_off(&self) {}
}

struct Running {
    address: SocketAddr,
    paths: Arc<Paths>,
    stop: Option<oneshot::Sender<()>>,
    ended: tokio::task::JoinHandle<usize>,
}

async fn start() -> Running {
    start_with(ServerLimits::default()).await
}

async fn start_with(limits: ServerLimits) -> Running {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let paths = Arc::new(Paths { limits, ..Paths::default() });
    let (stop, stopped) = oneshot::channel();
    let ended = tokio::spawn(run(listener, paths.clone(), async move {
        let _ = stopped.await;
    }));
    Running { address, paths, stop: Some(stop), ended }
}

impl Running {
    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    async fn send(&self, text: &str) -> TcpStream {
        let mut stream = self.connect().await;
        stream.write_all(text.as_bytes()).await.unwrap();
        stream
    }

    fn stop(&mut self) {
        self.stop.take().unwrap().send(()).unwrap();
    }
}

/// Reads until the text has come.
async fn until(stream: &mut (impl AsyncRead + Unpin), text: &str) -> String {
    let mut seen = Vec::new();
    loop {
        let so_far = String::from_utf8_lossy(&seen).into_owned();
        if so_far.contains(text) {
            return so_far;
        }
        assert!(stream.read_buf(&mut seen).await.unwrap() > 0, "ended at {so_far:?}");
    }
}

async fn rest(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let mut seen = Vec::new();
    let _ = stream.read_to_end(&mut seen).await;
    String::from_utf8_lossy(&seen).into_owned()
}

const GET: &str = "GET / HTTP/1.1\r\nhost: x\r\n\r\n";

#[tokio::test]
async fn a_connection_serves_many_requests_and_a_panic_ends_only_its_own() {
    let server = start().await;
    let mut stream = server.send("GET /panic HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert!(until(&mut stream, "sorry").await.starts_with("HTTP/1.1 500"));
    stream.write_all(GET.as_bytes()).await.unwrap();
    assert!(until(&mut stream, "hello").await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn a_panic_while_streaming_cuts_the_answer_and_no_other() {
    let server = start().await;
    let mut stream = server.send("GET /panic-later HTTP/1.1\r\nhost: x\r\n\r\n").await;
    let seen = rest(&mut stream).await;
    assert!(!seen.ends_with("0\r\n\r\n"), "{seen}");
    assert!(until(&mut server.send(GET).await, "hello").await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn a_stream_that_panics_ends_with_its_last_words_and_other_requests_go_on() {
    let server = start().await;
    let mut stream =
        server.send("GET /panic-later?say HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await;
    let seen = rest(&mut stream).await;
    assert!(seen.contains("first ") && seen.ends_with("event: error\n\n\r\n0\r\n\r\n"), "{seen}");
    let (mut sender, _connection) = server.http2().await;
    let waiting = tokio::spawn(sender.send_request(get("/wait")));
    server.paths.entered.notified().await;
    let told = sender.send_request(get("/panic-later?say")).await.unwrap().into_body().collect().await;
    assert_eq!(told.unwrap().to_bytes(), "first event: error\n\n");
    let cut = match sender.send_request(get("/panic-later")).await {
        Ok(answer) => answer.into_body().collect().await.map(|_| ()),
        Err(error) => Err(error),
    };
    assert!(cut.is_err(), "nothing to say: never a made-up end");
    server.paths.go.notify_one();
    assert_eq!(waiting.await.unwrap().unwrap().status(), 200);
}

#[tokio::test]
async fn connections_over_the_limit_are_told_so_and_there_is_room_again() {
    let server = start_with(ServerLimits { connections_per_address: 2, ..ServerLimits::default() }).await;
    let mut kept = server.send(GET).await;
    until(&mut kept, "hello").await;
    let mut second = server.send(GET).await;
    until(&mut second, "hello").await;
    let told = rest(&mut server.send(GET).await).await;
    assert!(told.starts_with("HTTP/1.1 503") && told.contains("retry-after: 1\r\n"), "{told}");
    drop(second);
    // The server hears of it in its own time.
    while !until(&mut server.send(GET).await, "\r\n\r\n").await.starts_with("HTTP/1.1 200") {
        tokio::task::yield_now().await;
    }
    kept.write_all(GET.as_bytes()).await.unwrap();
    until(&mut kept, "hello").await;
}

#[tokio::test]
async fn beyond_the_limit_nobody_hangs_however_many_refused_connections_stay_open() {
    let server = start_with(ServerLimits { connections: 1, ..ServerLimits::default() }).await;
    let mut kept = server.send(GET).await;
    until(&mut kept, "hello").await;
    let mut refused = Vec::new();
    for _ in 0..2 * crowd::TOLD_AT_ONCE {
        refused.push(server.connect().await);
    }
    let told = rest(&mut server.connect().await).await;
    assert!(told.is_empty() || told.starts_with("HTTP/1.1 503"), "{told}");
    let mut told = 0;
    for stream in &mut refused {
        told += usize::from(rest(stream).await.starts_with("HTTP/1.1 503"));
    }
    assert!(told >= crowd::TOLD_AT_ONCE, "{told}");
    drop(refused);
    kept.write_all(GET.as_bytes()).await.unwrap();
    until(&mut kept, "hello").await;
}

#[tokio::test]
async fn a_client_that_stops_taking_one_answer_of_many_loses_that_one() {
    let server =
        start_with(ServerLimits { write: Duration::from_millis(300), ..ServerLimits::default() }).await;
    let (mut sender, _connection) = server.http2().await;
    let long = sender.send_request(get("/long")).await.unwrap();
    let endless = sender.send_request(get("/endless")).await.unwrap();
    server.paths.dropped.notified().await;
    assert_eq!(sender.send_request(get("/")).await.unwrap().status(), 200);
    assert!(endless.into_body().collect().await.is_err());
    assert!(long.into_body().collect().await.is_err());
}

#[tokio::test]
async fn a_long_answer_that_is_taken_arrives() {
    let server = start().await;
    let (mut sender, _connection) = server.http2().await;
    let long = sender.send_request(get("/long")).await.unwrap();
    assert_eq!(long.headers()["content-length"], (8 << 20).to_string());
    assert_eq!(long.into_body().collect().await.unwrap().to_bytes().len(), 8 << 20);
}

#[tokio::test]
async fn a_client_that_gives_up_all_that_it_asks_is_let_go() {
    let server = start().await;
    let (sender, connection) = server.http2().await;
    let ask = || {
        let mut sender = sender.clone();
        tokio::spawn(async move {
            sender.ready().await?;
            tokio::time::timeout(Duration::from_millis(1), sender.send_request(get("/wait"))).await.ok();
            hyper::Result::Ok(())
        })
    };
    while !connection.is_finished() {
        let asked: Vec<_> = (0..50).map(|_| ask()).collect();
        for asked in asked {
            let _ = asked.await;
        }
    }
    assert!(until(&mut server.send(GET).await, "hello").await.starts_with("HTTP/1.1 200"));
}

#[tokio::test(start_paused = true)]
async fn an_http2_connection_without_requests_is_closed_in_the_end() {
    let server = start().await;
    let (mut sender, connection) = server.http2().await;
    assert_eq!(sender.send_request(get("/")).await.unwrap().status(), 200);
    let begun = tokio::time::Instant::now();
    let _ = connection.await.unwrap();
    assert!(begun.elapsed() >= ServerLimits::default().idle, "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_client_that_asks_first_is_told_to_go_on() {
    let server = start().await;
    let head = "POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\nexpect: 100-continue\r\n\r\n";
    let mut stream = server.send(head).await;
    assert!(until(&mut stream, "\r\n\r\n").await.starts_with("HTTP/1.1 100 "));
    stream.write_all(b"ok").await.unwrap();
    assert!(until(&mut stream, "ok").await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn chunked_bodies_and_head_requests_are_understood() {
    let server = start().await;
    let chunked =
        "POST /echo HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n1\r\nd\r\n0\r\n\r\n";
    assert!(until(&mut server.send(chunked).await, "abcd").await.contains("content-length: 4"));
    let mut stream = server.send("HEAD / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await;
    let seen = rest(&mut stream).await;
    assert!(seen.contains("content-length: 5") && seen.ends_with("\r\n\r\n"), "{seen}");
}

type Http2 = hyper::client::conn::http2::SendRequest<http_body_util::Full<Bytes>>;

impl Running {
    /// An HTTP/2 connection, and what tells that it has ended.
    async fn http2(&self) -> (Http2, tokio::task::JoinHandle<hyper::Result<()>>) {
        let io = TokioIo::new(self.connect().await);
        let (sender, connection) =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await.unwrap();
        (sender, tokio::spawn(connection))
    }
}

fn get(path: &str) -> Request<http_body_util::Full<Bytes>> {
    Request::get(format!("http://x{path}")).body(Bytes::new().into()).unwrap()
}

#[tokio::test]
async fn http2_without_tls_is_spoken_too() {
    let server = start().await;
    let (mut sender, _connection) = server.http2().await;
    for (path, status, text) in [("/echo", 200, "hi"), ("/panic", 500, "sorry"), ("/", 200, "hello")] {
        let request = Request::post(format!("http://x{path}")).body("hi".into()).unwrap();
        let response = sender.send_request(request).await.unwrap();
        assert_eq!(response.status(), status);
        assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), text);
    }
}

#[tokio::test]
async fn too_many_headers_are_refused() {
    let server = start().await;
    let many: String = (0..=MAX_HEADERS).map(|n| format!("h{n}: 1\r\n")).collect();
    let mut stream = server.send(&format!("GET / HTTP/1.1\r\n{many}\r\n")).await;
    assert!(rest(&mut stream).await.starts_with("HTTP/1.1 431"));
    let long = "v".repeat(2 * MAX_HEADER_BYTES);
    let mut stream = server.send(&format!("GET / HTTP/1.1\r\nlong: {long}\r\n\r\n")).await;
    assert!(rest(&mut stream).await.starts_with("HTTP/1.1 431"));
}

#[tokio::test(start_paused = true)]
async fn silent_and_slow_clients_are_let_go() {
    let server = start().await;
    for begun in ["", "PRI * HT", "GET / HTTP/1.1\r\nhost:"] {
        let mut stream = server.send(begun).await;
        assert!(!rest(&mut stream).await.contains("200"), "{begun}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_is_kept_for_a_while() {
    let server = start().await;
    let mut stream = server.send(GET).await;
    until(&mut stream, "hello").await;
    sleep(Duration::from_secs(90)).await;
    stream.write_all(GET.as_bytes()).await.unwrap();
    until(&mut stream, "hello").await;
    assert_eq!(rest(&mut stream).await, "", "closed in the end, without a word");
}

#[tokio::test]
async fn a_client_that_goes_away_drops_its_request() {
    let server = start().await;
    let stream = server.send("GET /wait HTTP/1.1\r\nhost: x\r\n\r\n").await;
    server.paths.entered.notified().await;
    drop(stream);
    server.paths.dropped.notified().await;
}

#[tokio::test]
async fn stopping_lets_running_streams_end_and_takes_nothing_new() {
    let mut server = start().await;
    let mut stream = server.send("GET /stream HTTP/1.1\r\nhost: x\r\n\r\n").await;
    let mut idle = server.send(GET).await;
    until(&mut idle, "hello").await;
    until(&mut stream, "first ").await;
    server.stop();
    assert_eq!(rest(&mut idle).await, "");
    assert!(TcpStream::connect(server.address).await.is_err());
    server.paths.go.notify_one();
    assert!(rest(&mut stream).await.contains("second\r\n0\r\n\r\n"));
    assert_eq!(server.ended.await.unwrap(), 0);
}

#[tokio::test(start_paused = true)]
async fn stopping_does_not_wait_for_ever() {
    let mut server = start().await;
    let mut stream = server.send("GET /wait HTTP/1.1\r\nhost: x\r\n\r\n").await;
    server.paths.entered.notified().await;
    server.stop();
    assert_eq!(server.ended.await.unwrap(), 1);
    assert_eq!(rest(&mut stream).await, "");
}
