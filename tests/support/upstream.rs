//! A provider of our own on a real loopback socket, which misbehaves as told and remembers what it was asked.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::reply::{Act, Framing, Reply};
use super::within;

/// A request as it arrived.
#[derive(Clone, Debug)]
pub struct Received {
    pub method: String,
    /// Path and query, as on the request line.
    pub target: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// The whole head, byte for byte: for searching what must not be in it.
    pub head: String,
    gone: watch::Receiver<bool>,
}

impl Received {
    /// The first header of this name, whatever its case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// The body as JSON.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).expect("the request's body is JSON")
    }

    /// Returns once the client has left before its answer was complete.
    pub async fn hung_up(&self) {
        let mut gone = self.gone.clone();
        within("the client hangs up", gone.wait_for(|gone| *gone)).await.unwrap();
    }
}

/// Says what a request is answered with.
type Choice = Arc<dyn Fn(&Received) -> Reply + Send + Sync>;

#[derive(Default)]
struct Script {
    queue: VecDeque<Reply>,
    always: Option<Reply>,
    choice: Option<Choice>,
}

/// The fake provider. Dropping it closes its port and every connection.
pub struct Upstream {
    address: SocketAddr,
    script: Arc<Mutex<Script>>,
    received: watch::Receiver<Vec<Received>>,
    server: JoinHandle<()>,
}

impl Upstream {
    /// Listens on a free loopback port. Until told otherwise it answers 500 `not scripted`.
    pub async fn start() -> Upstream {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let script = Arc::new(Mutex::new(Script::default()));
        let (sender, received) = watch::channel(Vec::new());
        let server = tokio::spawn(serve(listener, script.clone(), Arc::new(sender)));
        Upstream { address, script, received, server }
    }

    /// An upstream that always answers so.
    pub async fn always(reply: Reply) -> Upstream {
        let upstream = Upstream::start().await;
        upstream.afterwards(reply);
        upstream
    }

    /// An upstream whose answer depends on the request. It remembers no request, so that it can answer for hours.
    pub async fn choosing(choice: impl Fn(&Received) -> Reply + Send + Sync + 'static) -> Upstream {
        let upstream = Upstream::start().await;
        upstream.script.lock().unwrap().choice = Some(Arc::new(choice));
        upstream
    }

    /// `http://127.0.0.1:PORT`
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The same port as if it spoke TLS, which it does not.
    pub fn tls_url(&self) -> String {
        format!("https://{}", self.address)
    }

    /// Scripts the next request that is not yet scripted.
    pub fn then(&self, reply: Reply) -> &Upstream {
        self.script.lock().unwrap().queue.push_back(reply);
        self
    }

    /// Scripts every request that finds the queue empty.
    pub fn afterwards(&self, reply: Reply) {
        self.script.lock().unwrap().always = Some(reply);
    }

    /// All requests so far, in order of arrival.
    pub fn received(&self) -> Vec<Received> {
        self.received.borrow().clone()
    }

    /// How many requests there were so far.
    pub fn count(&self) -> usize {
        self.received.borrow().len()
    }

    /// The only request so far.
    pub fn only(&self) -> Received {
        let all = self.received();
        assert_eq!(all.len(), 1, "one request was expected at {}", self.url());
        all[0].clone()
    }

    /// Returns request number `count` (from 1) once it has arrived.
    pub async fn request(&self, count: usize) -> Received {
        let mut received = self.received.clone();
        let all = within("the upstream is asked", received.wait_for(|all| all.len() >= count)).await.unwrap();
        all[count - 1].clone()
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// The first byte of a TLS record that begins a handshake: counted as a request, so that garbage can answer it.
const TLS_HANDSHAKE: u8 = 0x16;

type Log = Arc<watch::Sender<Vec<Received>>>;

async fn serve(listener: TcpListener, script: Arc<Mutex<Script>>, log: Log) {
    // A JoinSet, so that dropping the upstream ends its connections too.
    let mut connections = tokio::task::JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        connections.spawn(connection(stream, script.clone(), log.clone()));
    }
}

async fn connection(stream: TcpStream, script: Arc<Mutex<Script>>, log: Log) {
    // Single bytes are to arrive as single bytes.
    stream.set_nodelay(true).unwrap();
    let (read, mut write) = stream.into_split();
    let mut reader = Reader { read, buffer: Vec::new() };
    while let Some((mut request, gone)) = reader.request().await {
        request.gone = gone.subscribe();
        let choice = script.lock().unwrap().choice.clone();
        let reply = match choice {
            Some(choice) => Some(choice(&request)),
            None => {
                log.send_modify(|all| all.push(request));
                let mut script = script.lock().unwrap();
                script.queue.pop_front().or_else(|| script.always.clone())
            }
        };
        let reply = reply.unwrap_or_else(|| Reply::json(500, r#"{"error":{"message":"not scripted"}}"#));
        let finished = tokio::select! {
            finished = perform(&reply, &mut write) => finished,
            () = reader.closed() => { gone.send_replace(true); return }
        };
        match finished {
            After::KeepAlive => {}
            After::Close => return,
            After::Reset => {
                // Both halves are needed to have the stream back, and with it the option.
                if let Ok(stream) = reader.read.reunite(write) {
                    let _ = stream.set_zero_linger();
                }
                return;
            }
            After::HalfClosed => {
                let _ = write.shutdown().await;
                reader.closed().await;
                return;
            }
            After::ClientGone => {
                gone.send_replace(true);
                return;
            }
        }
    }
}

/// What becomes of the connection.
enum After {
    KeepAlive,
    Close,
    Reset,
    HalfClosed,
    ClientGone,
}

async fn perform(reply: &Reply, write: &mut OwnedWriteHalf) -> After {
    let head = reply.head();
    let chunked = reply.framing == Framing::Chunked && reply.status.is_some();
    let head_act = [Act::Raw(head)];
    for act in reply.before_head.iter().chain(&head_act).chain(&reply.acts) {
        let written = match act {
            Act::Raw(bytes) => write.write_all(bytes).await,
            Act::Write(bytes) => write.write_all(&framed(bytes, chunked)).await,
            Act::Drip(bytes) => drip(bytes, chunked, write).await,
            Act::Stall(gate) => {
                gate.pass().await;
                Ok(())
            }
            Act::Pause(time) => {
                tokio::time::sleep(*time).await;
                Ok(())
            }
            Act::Reset => return After::Reset,
            Act::Cut => return After::Close,
            Act::HalfClose => return After::HalfClosed,
        };
        if written.is_err() {
            return After::ClientGone;
        }
    }
    if chunked && write.write_all(b"0\r\n\r\n").await.is_err() {
        return After::ClientGone;
    }
    if reply.framing == Framing::Close { After::Close } else { After::KeepAlive }
}

async fn drip(bytes: &[u8], chunked: bool, write: &mut OwnedWriteHalf) -> std::io::Result<()> {
    for byte in bytes {
        write.write_all(&framed(&[*byte], chunked)).await?;
        tokio::task::yield_now().await;
    }
    Ok(())
}

fn framed(bytes: &[u8], chunked: bool) -> Vec<u8> {
    if !chunked || bytes.is_empty() {
        return bytes.to_vec();
    }
    let mut out = format!("{:x}\r\n", bytes.len()).into_bytes();
    out.extend_from_slice(bytes);
    out.extend_from_slice(b"\r\n");
    out
}

/// Reads requests off a connection.
struct Reader {
    read: OwnedReadHalf,
    buffer: Vec<u8>,
}

impl Reader {
    /// The next request, or `None` when the client has closed or sends what is no request.
    async fn request(&mut self) -> Option<(Received, watch::Sender<bool>)> {
        let end = loop {
            if self.buffer.first() == Some(&TLS_HANDSHAKE) {
                let (gone, seen) = watch::channel(false);
                let (method, target) = ("TLS".to_owned(), String::new());
                let body = std::mem::take(&mut self.buffer);
                let headers = Vec::new();
                return Some((
                    Received { method, target, headers, body, head: String::new(), gone: seen },
                    gone,
                ));
            }
            if let Some(at) = find(&self.buffer, b"\r\n\r\n") {
                break at + 4;
            }
            self.fill().await?;
        };
        let head = String::from_utf8_lossy(&self.buffer[..end]).into_owned();
        self.buffer.drain(..end);
        let mut lines = head.lines();
        let mut request_line = lines.next()?.split(' ');
        let (method, target) = (request_line.next()?.to_owned(), request_line.next()?.to_owned());
        let headers: Vec<(String, String)> = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned()))
            .collect();
        let value = |wanted: &str| {
            headers.iter().find(|(name, _)| name.eq_ignore_ascii_case(wanted)).map(|(_, value)| value.clone())
        };
        let body = if value("transfer-encoding").is_some_and(|coding| coding.contains("chunked")) {
            self.chunks().await?
        } else {
            self.take(value("content-length").and_then(|length| length.parse().ok()).unwrap_or(0)).await?
        };
        let (gone, seen) = watch::channel(false);
        Some((Received { method, target, headers, body, head, gone: seen }, gone))
    }

    async fn chunks(&mut self) -> Option<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let end = loop {
                if let Some(at) = find(&self.buffer, b"\r\n") {
                    break at;
                }
                self.fill().await?;
            };
            let size = usize::from_str_radix(String::from_utf8_lossy(&self.buffer[..end]).trim(), 16).ok()?;
            self.buffer.drain(..end + 2);
            body.extend(self.take(size).await?);
            self.take(2).await?;
            if size == 0 {
                return Some(body);
            }
        }
    }

    async fn take(&mut self, count: usize) -> Option<Vec<u8>> {
        while self.buffer.len() < count {
            self.fill().await?;
        }
        Some(self.buffer.drain(..count).collect())
    }

    async fn fill(&mut self) -> Option<()> {
        let mut chunk = [0; 16 * 1024];
        match self.read.read(&mut chunk).await {
            Ok(0) | Err(_) => None,
            Ok(count) => {
                self.buffer.extend_from_slice(&chunk[..count]);
                Some(())
            }
        }
    }

    /// Returns when the client closes; a further request that arrives meanwhile is kept.
    async fn closed(&mut self) {
        while self.fill().await.is_some() {}
    }
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}
