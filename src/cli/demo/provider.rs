//! A simulated provider of the demo: a loopback socket that gives the same canned answers to everybody.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use super::script::{Provider, Reply};
use crate::text::json::Doc;

/// Called with one line for each request that a simulated provider answered.
pub(super) type Tell = Arc<dyn Fn(&Provider, u16) + Send + Sync>;

/// Starts a simulated provider on a free loopback port. It lives as long as the process.
pub(super) fn start(provider: Provider, tell: Tell) -> std::io::Result<SocketAddr> {
    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    let address = listener.local_addr()?;
    let provider = Arc::new(provider);
    std::thread::spawn(move || {
        for connection in listener.incoming().map_while(Result::ok) {
            let (provider, tell) = (provider.clone(), tell.clone());
            // A client that leaves in the middle is no concern of a simulation.
            std::thread::spawn(move || answer_all(connection, &provider, &tell).unwrap_or_default());
        }
    });
    Ok(address)
}

/// Answers one request after the other until the client closes.
fn answer_all(connection: TcpStream, provider: &Provider, tell: &Tell) -> std::io::Result<()> {
    connection.set_nodelay(true)?;
    let mut write = connection.try_clone()?;
    let mut read = BufReader::new(connection);
    while let Some(body) = request(&mut read)? {
        let wants_stream = Doc::parse(body)
            .is_ok_and(|doc| doc.root().get("stream").and_then(|value| value.bool()).unwrap_or(false));
        match (&provider.stream, wants_stream) {
            (Some(stream), true) => {
                tell(provider, 200);
                write.write_all(
                    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n",
                )?;
                for event in &stream.events {
                    chunk(&mut write, format!("data: {event}\n\n").as_bytes())?;
                    std::thread::sleep(stream.pause);
                }
                write.write_all(b"0\r\n\r\n")?;
            }
            _ => {
                tell(provider, provider.reply.status);
                whole(&mut write, &provider.reply)?;
            }
        }
    }
    Ok(())
}

/// Reads one request and gives its body; `None` when the client has closed.
fn request(read: &mut BufReader<TcpStream>) -> std::io::Result<Option<Vec<u8>>> {
    let mut length = 0;
    let mut chunked = false;
    let mut lines = 0;
    loop {
        let mut line = String::new();
        if read.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        lines += 1;
        let line = line.trim().to_ascii_lowercase();
        if line.is_empty() && lines > 1 {
            break;
        }
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().map_err(std::io::Error::other)?;
        }
        chunked |= line.starts_with("transfer-encoding:") && line.contains("chunked");
    }
    if chunked {
        return chunks(read).map(Some);
    }
    let mut body = Vec::new();
    read.take(length).read_to_end(&mut body)?;
    Ok(Some(body))
}

fn chunks(read: &mut BufReader<TcpStream>) -> std::io::Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let mut line = String::new();
        read.read_line(&mut line)?;
        let size = u64::from_str_radix(line.trim(), 16).map_err(std::io::Error::other)?;
        read.by_ref().take(size).read_to_end(&mut body)?;
        read.read_line(&mut String::new())?;
        if size == 0 {
            return Ok(body);
        }
    }
}

fn whole(write: &mut TcpStream, reply: &Reply) -> std::io::Result<()> {
    let (status, length) = (reply.status, reply.body.len());
    let answer = format!(
        "HTTP/1.1 {status} Simulated\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{}",
        reply.body
    );
    write.write_all(answer.as_bytes())
}

fn chunk(write: &mut TcpStream, bytes: &[u8]) -> std::io::Result<()> {
    let mut framed = format!("{:x}\r\n", bytes.len()).into_bytes();
    framed.extend_from_slice(bytes);
    framed.extend_from_slice(b"\r\n");
    write.write_all(&framed)
}

/// How long a simulated provider waits between two events when its script does not say.
pub(super) const PAUSE: Duration = Duration::from_millis(50);
