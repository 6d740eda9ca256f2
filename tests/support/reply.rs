//! What the fake upstream does with one request: a script of bytes, pauses and misbehaviour.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::coding::{Coded, flushed};

/// Holds a reply back until the test opens it, and tells the test when the reply has come this far.
#[derive(Clone)]
pub struct Gate {
    open: Arc<watch::Sender<bool>>,
    reached: Arc<watch::Sender<usize>>,
}

impl Gate {
    /// A closed gate.
    pub fn new() -> Gate {
        Gate { open: Arc::new(watch::channel(false).0), reached: Arc::new(watch::channel(0).0) }
    }

    /// Lets everybody through, now and later.
    pub fn open(&self) {
        self.open.send_replace(true);
    }

    /// Returns once a reply stands before this gate.
    pub async fn reached(&self) {
        let mut seen = self.reached.subscribe();
        super::within("a reply reaches the gate", seen.wait_for(|count| *count > 0)).await.unwrap();
    }

    /// Waits, on the upstream's side, until the gate opens.
    pub(super) async fn pass(&self) {
        self.reached.send_modify(|count| *count += 1);
        let mut open = self.open.subscribe();
        open.wait_for(|open| *open).await.unwrap();
    }
}

/// One thing done while answering.
#[derive(Clone)]
pub(super) enum Act {
    /// Body bytes, framed as the reply frames its body, written at once.
    Write(Vec<u8>),
    /// Body bytes, one write and one frame for each.
    Drip(Vec<u8>),
    /// Bytes that no framing touches, also where a head was due.
    Raw(Vec<u8>),
    /// Nothing until the test opens the gate.
    Stall(Gate),
    /// Nothing for so long: for load that lasts. Tests wait at a gate instead.
    Pause(Duration),
    /// The connection is reset (RST, not FIN).
    Reset,
    /// The connection is closed without an end of the body.
    Cut,
    /// The sending side is shut, the receiving side stays open until the client leaves.
    HalfClose,
}

/// How the end of a body is told.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Framing {
    /// By `content-length`, computed from the body's parts.
    Length,
    /// By chunks.
    Chunked,
    /// By closing the connection.
    Close,
}

/// A scripted reply. Built by chaining; the parts are carried out in order.
#[derive(Clone)]
pub struct Reply {
    /// `None` sends no head at all: what `acts` do is all the client sees.
    pub(super) status: Option<u16>,
    pub(super) headers: Vec<(String, String)>,
    /// Done before the head is written.
    pub(super) before_head: Vec<Act>,
    pub(super) acts: Vec<Act>,
    pub(super) framing: Framing,
    pub(super) declared_length: Option<usize>,
}

impl Reply {
    /// An empty answer with this status.
    pub fn status(status: u16) -> Reply {
        Reply {
            status: Some(status),
            headers: Vec::new(),
            before_head: Vec::new(),
            acts: Vec::new(),
            framing: Framing::Length,
            declared_length: None,
        }
    }

    /// A whole JSON body.
    pub fn json(status: u16, body: impl ToString) -> Reply {
        Reply::status(status).header("content-type", "application/json").body(body.to_string())
    }

    /// The start of an event stream; `data`, `event`, `drip` and the misbehaviours follow.
    pub fn stream() -> Reply {
        let mut reply = Reply::status(200).header("content-type", "text/event-stream");
        reply.framing = Framing::Chunked;
        reply
    }

    /// A whole stream of `data:` lines, ended properly.
    pub fn events<T: ToString>(events: impl IntoIterator<Item = T>) -> Reply {
        events.into_iter().fold(Reply::stream(), |reply, event| reply.data(event))
    }

    /// Closes the connection without a byte.
    pub fn closed() -> Reply {
        Reply::without_head(Act::Cut)
    }

    /// Resets the connection without a byte.
    pub fn reset_at_once() -> Reply {
        Reply::without_head(Act::Reset)
    }

    /// Writes these bytes instead of an HTTP answer, then closes.
    pub fn garbage(bytes: impl Into<Vec<u8>>) -> Reply {
        Reply::raw(bytes).cut()
    }

    /// Writes these bytes instead of an HTTP answer; a misbehaviour follows.
    pub fn raw(bytes: impl Into<Vec<u8>>) -> Reply {
        Reply::without_head(Act::Raw(bytes.into()))
    }

    fn without_head(act: Act) -> Reply {
        let mut reply = Reply::status(0);
        reply.status = None;
        reply.acts.push(act);
        reply
    }

    /// Holds back even the head until the gate opens.
    pub fn after(mut self, gate: &Gate) -> Reply {
        self.before_head.push(Act::Stall(gate.clone()));
        self
    }

    /// Adds a header. One that the reply already has is replaced, so that a content type can lie.
    pub fn header(mut self, name: &str, value: impl ToString) -> Reply {
        self.headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
        self.headers.push((name.to_owned(), value.to_string()));
        self
    }

    /// Adds one more line of a header.
    pub fn also(mut self, name: &str, value: impl ToString) -> Reply {
        self.headers.push((name.to_owned(), value.to_string()));
        self
    }

    /// Adds body bytes, written at once.
    pub fn body(mut self, bytes: impl Into<Vec<u8>>) -> Reply {
        self.acts.push(Act::Write(bytes.into()));
        self
    }

    /// The same reply, its body compressed so; what is written at once can be read at once.
    pub fn coded(mut self, (lines, kinds): Coded) -> Reply {
        let bodies = self.acts.iter_mut().filter_map(|act| match act {
            Act::Write(bytes) => Some(bytes),
            _ => None,
        });
        let bodies: Vec<&mut Vec<u8>> = bodies.collect();
        let parts = flushed(kinds, &bodies);
        bodies.into_iter().zip(parts).for_each(|(body, part)| *body = part);
        lines.iter().fold(self, |reply, line| reply.also("content-encoding", line))
    }

    /// Adds body bytes, written one by one.
    pub fn drip(mut self, bytes: impl Into<Vec<u8>>) -> Reply {
        self.framing = Framing::Chunked;
        self.acts.push(Act::Drip(bytes.into()));
        self
    }

    /// Adds bytes that no framing touches.
    pub fn then_raw(mut self, bytes: impl Into<Vec<u8>>) -> Reply {
        self.acts.push(Act::Raw(bytes.into()));
        self
    }

    /// Adds one server-sent event without a name.
    pub fn data(self, data: impl ToString) -> Reply {
        self.body(format!("data: {}\n\n", data.to_string()))
    }

    /// Adds one server-sent event with a name.
    pub fn event(self, name: &str, data: impl ToString) -> Reply {
        self.body(format!("event: {name}\ndata: {}\n\n", data.to_string()))
    }

    /// Sends nothing more until the gate opens.
    pub fn stall(mut self, gate: &Gate) -> Reply {
        self.acts.push(Act::Stall(gate.clone()));
        self
    }

    /// Sends nothing for so long.
    pub fn pause(mut self, time: Duration) -> Reply {
        self.acts.push(Act::Pause(time));
        self
    }

    /// Resets the connection here.
    pub fn reset(mut self) -> Reply {
        self.acts.push(Act::Reset);
        self
    }

    /// Closes the connection here, without the end of the body.
    pub fn cut(mut self) -> Reply {
        self.acts.push(Act::Cut);
        self
    }

    /// Shuts the sending side here and goes on listening.
    pub fn half_close(mut self) -> Reply {
        self.acts.push(Act::HalfClose);
        self
    }

    /// Ends the body by closing the connection, as old servers do.
    pub fn until_close(mut self) -> Reply {
        self.framing = Framing::Close;
        self
    }

    /// Lies about the length of the body.
    pub fn declared_length(mut self, bytes: usize) -> Reply {
        self.framing = Framing::Length;
        self.declared_length = Some(bytes);
        self
    }

    /// The head as it goes over the wire; empty where the script has none.
    pub(super) fn head(&self) -> Vec<u8> {
        let Some(status) = self.status else { return Vec::new() };
        let mut head = format!("HTTP/1.1 {status} Scripted\r\n");
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        match self.framing {
            Framing::Chunked => head.push_str("transfer-encoding: chunked\r\n"),
            Framing::Close => head.push_str("connection: close\r\n"),
            Framing::Length => {
                let written = self.acts.iter().map(Act::length).sum();
                let length: usize = self.declared_length.unwrap_or(written);
                head.push_str(&format!("content-length: {length}\r\n"));
            }
        }
        head.push_str("\r\n");
        head.into_bytes()
    }
}

impl Act {
    fn length(&self) -> usize {
        match self {
            Act::Write(bytes) | Act::Drip(bytes) => bytes.len(),
            _ => 0,
        }
    }
}
