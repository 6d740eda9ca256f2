//! A client for load: one request after the other, each answer held against what it should be.

use serde_json::{Value, json};

use super::provider::{wish, words};
use crate::support::{Answer, Client, Wire};

/// The client's protocol.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Door {
    Messages,
    Chat,
}

/// What a client wants.
#[derive(Clone, Debug)]
pub struct Wish {
    pub door: Door,
    pub stream: bool,
    /// How much it wants to be told.
    pub words: usize,
    /// How much it says itself, in bytes.
    pub says: usize,
    /// How many bytes of the answer it reads before it leaves.
    pub leaves: Option<usize>,
    /// What is the matter with it, if anything.
    pub wrong: Option<Wrong>,
}

/// A request that must be refused.
#[derive(Clone, Copy, Debug)]
pub enum Wrong {
    Key,
    Json,
    Path,
}

/// How a request ended.
#[derive(Debug, PartialEq)]
pub enum End {
    /// With the whole answer, word for word.
    Good,
    /// With an error in the client's protocol, before the answer began.
    Refused(String),
    /// With an error event in the client's protocol, and what came before was right.
    BrokenOff(String),
    /// The client left, as it wanted to.
    Left,
    /// No byte of an answer came, and the connection ended.
    NoAnswer,
    /// The answer began, and then the connection ended.
    HalfAnswer,
    /// Anything else: the client was told something that is not so.
    Wrong(String),
}

impl Wish {
    /// A stream of this many words.
    pub fn stream(door: Door, words: usize) -> Wish {
        Wish { door, stream: true, words, says: 0, leaves: None, wrong: None }
    }

    fn body(&self, tag: &str) -> String {
        if matches!(self.wrong, Some(Wrong::Json)) {
            return "{\"model\": \"m\", \"messages\": [".to_owned();
        }
        let text = format!("{}{}", "Long ago. ".repeat(self.says / 10), wish(tag, self.words));
        let messages = json!([{ "role": "user", "content": text }]);
        json!({ "model": "m", "max_tokens": 4096, "stream": self.stream, "messages": messages }).to_string()
    }

    fn path(&self) -> &'static str {
        match (self.wrong, self.door) {
            (Some(Wrong::Path), _) => "/v1/nothing",
            (_, Door::Messages) => "/v1/messages",
            (_, Door::Chat) => "/v1/chat/completions",
        }
    }
}

/// Sends one request, over `kept` if there is such a connection, and reads what comes of it. A connection that has
/// ended well is left in `kept`.
pub async fn call(client: &Client, kept: &mut Option<Wire>, wish: &Wish, tag: &str) -> End {
    let key = if matches!(wish.wrong, Some(Wrong::Key)) { "no-such-key" } else { super::mixed::KEY };
    let client = client.with("x-api-key", key);
    let request = client.request("POST", wish.path(), wish.body(tag).as_bytes());
    let wire = match kept.take() {
        Some(wire) => wire,
        None => match client.try_connect().await {
            Ok(wire) => wire,
            Err(_) => return End::NoAnswer,
        },
    };
    let mut wire = wire;
    wire.write(&request).await;
    let Some(mut stream) = wire.try_answer(false).await else { return End::NoAnswer };
    if let Some(bytes) = wish.leaves {
        stream.read(bytes).await;
        return End::Left;
    }
    let (answer, wire) = stream.keep().await;
    let end = judge(wish, tag, &answer);
    let stays = !answer.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"));
    if stays && answer.complete {
        *kept = Some(wire);
    }
    end
}

/// What became of a request.
fn judge(wish: &Wish, tag: &str, answer: &Answer) -> End {
    let wants = match wish.wrong {
        Some(Wrong::Key) => Some(401),
        Some(Wrong::Json) => Some(400),
        Some(Wrong::Path) => Some(404),
        None => None,
    };
    if answer.status != 200 {
        if !answer.complete {
            return End::HalfAnswer;
        }
        return match (protocol_error(wish.door, &answer.text()), wants) {
            (None, _) => {
                End::Wrong(format!("{} not in the client's protocol: {}", answer.status, cut(answer)))
            }
            (Some(_), Some(wants)) if wants == answer.status => End::Good,
            (Some(kind), None) => End::Refused(format!("{} {kind}", answer.status)),
            (Some(kind), Some(wants)) => End::Wrong(format!("{} {kind} instead of {wants}", answer.status)),
        };
    }
    if wants.is_some() {
        return End::Wrong(format!("{:?} was answered", wish.wrong));
    }
    let whole = words(tag, wish.words).concat();
    let (text, ended, broke) =
        if wish.stream { streamed(wish.door, answer) } else { at_once(wish.door, answer) };
    match (broke, ended && answer.complete) {
        (Some(kind), _) if answer.complete && whole.starts_with(&text) => End::BrokenOff(kind),
        (None, true) if text == whole => End::Good,
        (None, false) if !answer.complete => End::HalfAnswer,
        (None, false) => End::Wrong(format!("ended without an end: {}", cut(answer))),
        _ => End::Wrong(format!("not what was said: {}", cut(answer))),
    }
}

/// The text, whether it came to its good end, and the error that stands in its place.
fn at_once(door: Door, answer: &Answer) -> (String, bool, Option<String>) {
    let Ok(body) = serde_json::from_slice::<Value>(&answer.body) else { return (String::new(), false, None) };
    let text = match door {
        Door::Messages => &body["content"][0]["text"],
        Door::Chat => &body["choices"][0]["message"]["content"],
    };
    (text.as_str().unwrap_or_default().to_owned(), text.is_string(), None)
}

fn streamed(door: Door, answer: &Answer) -> (String, bool, Option<String>) {
    let (mut text, mut ended, mut broke) = (String::new(), false, None);
    for (name, data) in answer.events() {
        if data == "[DONE]" {
            ended = true;
            continue;
        }
        let event: Value = serde_json::from_str(&data).unwrap_or_default();
        text += match door {
            Door::Messages => event["delta"]["text"].as_str(),
            Door::Chat => event["choices"][0]["delta"]["content"].as_str(),
        }
        .unwrap_or_default();
        ended |= name == "message_stop";
        if let Some(error) = event.get("error") {
            broke = Some(error["type"].as_str().unwrap_or("without a type").to_owned());
        }
    }
    (text, ended, broke)
}

/// The kind of an error that is one in the client's protocol.
fn protocol_error(door: Door, text: &str) -> Option<String> {
    let body: Value = serde_json::from_str(text).ok()?;
    let error = &body["error"];
    let fits = error["message"].is_string() && (door == Door::Chat || body["type"] == "error");
    Some(error["type"].as_str().filter(|_| fits)?.to_owned())
}

/// The end of an answer, for people.
fn cut(answer: &Answer) -> String {
    let text = answer.text();
    let mut from = text.len().saturating_sub(300);
    while !text.is_char_boundary(from) {
        from += 1;
    }
    format!("{} bytes, ...{:?}", text.len(), &text[from..])
}
