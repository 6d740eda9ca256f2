//! A small HTTP/1.1 client that shows each chunk as it comes and can leave at any moment.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::within;

/// Says where to send requests, and with which headers.
#[derive(Clone)]
pub struct Client {
    address: SocketAddr,
    headers: Vec<(String, String)>,
}

/// A whole answer.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// Whether the body came to its announced end.
    pub complete: bool,
}

/// An answer whose body is still coming.
pub struct Stream {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    wire: Wire,
    framing: Framing,
    body: Vec<u8>,
    ended: Option<bool>,
}

enum Framing {
    /// So many bytes are still due.
    Length(usize),
    Chunked,
    UntilClose,
}

impl Client {
    pub fn new(address: SocketAddr) -> Client {
        Client { address, headers: Vec::new() }
    }

    /// The same client with one more header on every request.
    pub fn with(&self, name: &str, value: &str) -> Client {
        let mut client = self.clone();
        client.headers.push((name.to_owned(), value.to_owned()));
        client
    }

    pub async fn get(&self, target: &str) -> Answer {
        self.send("GET", target, b"").await
    }

    pub async fn post(&self, target: &str, body: impl ToString) -> Answer {
        self.send("POST", target, body.to_string().as_bytes()).await
    }

    /// Sends a request and reads its whole answer.
    pub async fn send(&self, method: &str, target: &str, body: &[u8]) -> Answer {
        self.open(method, target, body).await.finish().await
    }

    /// Sends a request and returns when the head of its answer is there.
    pub async fn open(&self, method: &str, target: &str, body: &[u8]) -> Stream {
        self.raw(&self.request(method, target, body), method).await
    }

    /// The bytes of a request.
    pub fn request(&self, method: &str, target: &str, body: &[u8]) -> Vec<u8> {
        let mut head = format!("{method} {target} HTTP/1.1\r\n");
        if !self.has("host") {
            head.push_str(&format!("host: {}\r\n", self.address));
        }
        if !body.is_empty() || method == "POST" {
            head.push_str(&format!("content-length: {}\r\n", body.len()));
            if !self.has("content-type") {
                head.push_str("content-type: application/json\r\n");
            }
        }
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str("\r\n");
        let mut bytes = head.into_bytes();
        bytes.extend_from_slice(body);
        bytes
    }

    /// Opens a streaming `POST`.
    pub async fn stream(&self, target: &str, body: impl ToString) -> Stream {
        self.open("POST", target, body.to_string().as_bytes()).await
    }

    /// Sends bytes as they are and reads the head of what comes back.
    pub async fn raw(&self, bytes: &[u8], method: &str) -> Stream {
        let mut wire = self.connect().await;
        wire.write(bytes).await;
        wire.answer(method == "HEAD").await
    }

    /// A bare connection, for what no proper client would send.
    pub async fn connect(&self) -> Wire {
        self.try_connect().await.unwrap()
    }

    /// A connection, where the router may be gone.
    pub async fn try_connect(&self) -> std::io::Result<Wire> {
        let stream = within("the router accepts a connection", TcpStream::connect(self.address)).await?;
        Ok(Wire { stream, buffer: Vec::new() })
    }

    fn has(&self, name: &str) -> bool {
        self.headers.iter().any(|(known, _)| known.eq_ignore_ascii_case(name))
    }
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        find(&self.headers, name)
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn json(&self) -> serde_json::Value {
        match serde_json::from_slice(&self.body) {
            Ok(value) => value,
            Err(error) => panic!("the answer is not JSON ({error}): {} {}", self.status, self.text()),
        }
    }

    /// The events of a stream: name (`""` where there is none) and data.
    pub fn events(&self) -> Vec<(String, String)> {
        self.text().split("\n\n").filter_map(event).collect()
    }
}

fn event(block: &str) -> Option<(String, String)> {
    let value = |field: &str| {
        block
            .lines()
            .find_map(|line| line.strip_prefix(field)?.strip_prefix(':'))
            .map(|text| text.trim().to_owned())
    };
    Some((value("event").unwrap_or_default(), value("data")?))
}

impl Stream {
    pub fn header(&self, name: &str) -> Option<&str> {
        find(&self.headers, name)
    }

    /// Reads until the body so far contains this text; panics if it ends before.
    pub async fn until(&mut self, text: &str) -> String {
        loop {
            let so_far = String::from_utf8_lossy(&self.body).into_owned();
            if so_far.contains(text) {
                return so_far;
            }
            let more = within(&format!("the answer says {text:?}"), self.more()).await;
            assert!(more, "the answer ended before {text:?}: {so_far}");
        }
    }

    /// Reads until there are so many bytes, or the end.
    pub async fn read(&mut self, bytes: usize) {
        while self.body.len() < bytes && within("the answer goes on", self.more()).await {}
    }

    /// Reads the rest.
    pub async fn finish(mut self) -> Answer {
        while within("the answer ends", self.more()).await {}
        let complete = self.ended == Some(true);
        Answer { status: self.status, headers: self.headers, body: self.body, complete }
    }

    /// Reads the rest and gives the connection back for the next request.
    pub async fn keep(mut self) -> (Answer, Wire) {
        while within("the answer ends", self.more()).await {}
        let complete = self.ended == Some(true);
        (Answer { status: self.status, headers: self.headers, body: self.body, complete }, self.wire)
    }

    /// One more piece of the body; false when there is none.
    async fn more(&mut self) -> bool {
        if self.ended.is_some() {
            return false;
        }
        match self.framing {
            Framing::Length(0) => self.ended = Some(true),
            Framing::Length(due) => {
                let piece = self.wire.some().await;
                if piece.is_empty() {
                    self.ended = Some(false);
                }
                self.framing = Framing::Length(due - piece.len());
                self.body.extend(piece);
            }
            Framing::UntilClose => {
                let piece = self.wire.some().await;
                if piece.is_empty() {
                    self.ended = Some(true);
                }
                self.body.extend(piece);
            }
            Framing::Chunked => match self.wire.chunk().await {
                None => self.ended = Some(false),
                Some(chunk) if chunk.is_empty() => self.ended = Some(true),
                Some(chunk) => self.body.extend(chunk),
            },
        }
        self.ended.is_none()
    }
}

/// One connection to the router.
pub struct Wire {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Wire {
    pub async fn write(&mut self, bytes: &[u8]) {
        // A router that has already refused the request may have closed; its answer is still to be read.
        let _ = within("the router reads", self.stream.write_all(bytes)).await;
    }

    /// The next line, without its end; `None` when the connection ends first.
    pub async fn line(&mut self) -> Option<String> {
        loop {
            if let Some(at) = self.buffer.windows(2).position(|pair| pair == b"\r\n") {
                let line: Vec<u8> = self.buffer.drain(..at + 2).collect();
                return Some(String::from_utf8_lossy(&line[..at]).into_owned());
            }
            self.fill().await?;
        }
    }

    /// Reads the head of an answer. An answer to `HEAD` has no body.
    pub async fn answer(self, bodiless: bool) -> Stream {
        self.try_answer(bodiless).await.expect("the router closed without an answer")
    }

    /// The same, where the router may be gone; `None` when the connection ends within the head.
    pub async fn try_answer(mut self, bodiless: bool) -> Option<Stream> {
        let status = within("an answer begins", self.line()).await?;
        let status: u16 = status.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status line");
        let mut headers = Vec::new();
        loop {
            let line = within("the head ends", self.line()).await?;
            if line.is_empty() {
                break;
            }
            let (name, value) = line.split_once(':').expect("a header");
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        let framing = if bodiless || status == 204 || status < 200 {
            Framing::Length(0)
        } else if find(&headers, "transfer-encoding").is_some() {
            Framing::Chunked
        } else if let Some(length) = find(&headers, "content-length") {
            Framing::Length(length.parse().expect("a length"))
        } else {
            Framing::UntilClose
        };
        Some(Stream { status, headers, wire: self, framing, body: Vec::new(), ended: None })
    }

    /// Whether the other side has closed.
    pub async fn closed(&mut self) -> bool {
        within("the router closes", self.fill()).await.is_none()
    }

    async fn some(&mut self) -> Vec<u8> {
        if self.buffer.is_empty() {
            self.fill().await;
        }
        std::mem::take(&mut self.buffer)
    }

    /// One chunk; an empty one is the last; `None` is a cut.
    async fn chunk(&mut self) -> Option<Vec<u8>> {
        let size = usize::from_str_radix(self.line().await?.trim(), 16).expect("a chunk's size");
        while self.buffer.len() < size + 2 {
            self.fill().await?;
        }
        let chunk = self.buffer.drain(..size).collect();
        self.buffer.drain(..2);
        Some(chunk)
    }

    async fn fill(&mut self) -> Option<()> {
        // Not in place: each of a test's many futures would hold it.
        let mut piece = vec![0; 16 * 1024];
        match self.stream.read(&mut piece).await {
            Ok(0) | Err(_) => None,
            Ok(count) => {
                self.buffer.extend_from_slice(&piece[..count]);
                Some(())
            }
        }
    }
}

fn find<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
}
