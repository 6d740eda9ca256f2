//! Providers for load: each answers in the protocol in which it is asked, says as many words as the request wants, and
//! misbehaves as often as it is told.

use std::sync::Mutex;
use std::time::Duration;

use serde_json::{Value, json};

use crate::second_door::Dice;
use crate::support::{Gate, Received, Reply, Upstream};

/// What can go wrong, each in so many of 1000 requests.
#[derive(Clone, Default)]
pub struct Faults(pub Vec<(u64, Fault)>);

/// One way to misbehave.
#[derive(Clone, Copy, Debug)]
pub enum Fault {
    /// The connection is closed without a byte.
    Closed,
    /// The connection is reset without a byte.
    Reset,
    /// An error with this status.
    Status(u16),
    /// Nothing is ever said.
    Silent,
    /// No HTTP at all.
    Garbage,
    /// A web page with status 200.
    WebPage,
    /// 100 KiB of nothing that makes sense, in the place of an answer.
    Junk,
    /// The answer ends in the middle, without an end of its framing.
    Cut,
    /// The answer is reset in the middle.
    ResetLate,
    /// The answer ends in the middle, well framed.
    Short,
    /// The answer stops in the middle and the connection stays.
    Stall,
    /// An error event in the middle of a stream.
    ErrorEvent,
    /// Half an event in the middle of a stream, then another one.
    JunkEvent,
}

impl Faults {
    /// A bit of everything.
    pub fn all() -> Faults {
        use Fault::*;
        Faults(vec![
            (20, Closed),
            (15, Reset),
            (40, Status(429)),
            (30, Status(500)),
            (15, Status(529)),
            (10, Status(503)),
            (5, Silent),
            (10, Garbage),
            (10, WebPage),
            (10, Junk),
            (15, Cut),
            (10, ResetLate),
            (10, Short),
            (5, Stall),
            (15, ErrorEvent),
            (5, JunkEvent),
        ])
    }

    fn draw(&self, dice: &mut Dice) -> Option<Fault> {
        let mut at = dice.below(1000);
        for (share, fault) in &self.0 {
            if at < *share {
                return Some(*fault);
            }
            at -= share;
        }
        None
    }
}

/// A provider that misbehaves so; its streams wait so long after each event.
pub async fn start(faults: Faults, seed: u64, pace: Duration) -> Upstream {
    let dice = Mutex::new(Dice::new(seed));
    Upstream::choosing(move |request| {
        let mut dice = dice.lock().unwrap();
        let fault = faults.draw(&mut dice);
        answer(request, fault, pace, &mut dice)
    })
    .await
}

/// What is wanted of a provider, in words that survive every translation.
pub fn wish(tag: &str, words: usize) -> String {
    format!("say {words} words with {tag}.")
}

/// What it then says.
pub fn words(tag: &str, count: usize) -> Vec<String> {
    (0..count).map(|number| format!("{tag}:{number} ")).collect()
}

fn wanted(body: &str) -> Option<(String, usize)> {
    let wish = &body[body.rfind("say ")? + 4..];
    let (count, rest) = wish.split_once(" words with ")?;
    Some((rest.split_once('.')?.0.to_owned(), count.parse().ok()?))
}

fn answer(request: &Received, fault: Option<Fault>, pace: Duration, dice: &mut Dice) -> Reply {
    let body = String::from_utf8_lossy(&request.body);
    let chat = request.target.ends_with("/chat/completions");
    let Some((tag, count)) = wanted(&body) else {
        return Reply::json(400, error("a request without a wish"));
    };
    let stream = serde_json::from_slice::<Value>(&request.body).is_ok_and(|body| body["stream"] == true);
    let words = words(&tag, count);
    match fault {
        Some(Fault::Closed) => return Reply::closed(),
        Some(Fault::Reset) => return Reply::reset_at_once(),
        Some(Fault::Status(429)) => return Reply::json(429, error("slow down")).header("retry-after", 1),
        Some(Fault::Status(status)) => return Reply::json(status, error("a bad day")),
        Some(Fault::Silent) => return Reply::closed().after(&Gate::new()),
        Some(Fault::Garbage) => return Reply::garbage("\u{0}\u{1}220 this is mail\r\n\r\n"),
        Some(Fault::WebPage) => {
            return Reply::status(200).header("content-type", "text/html").body("<html>welcome</html>");
        }
        Some(Fault::Junk) => {
            let reply = if stream { Reply::stream() } else { Reply::json(200, "") };
            return reply.body("junk \u{e9}".repeat(14_000));
        }
        _ => {}
    }
    if !stream {
        let text = if chat { completion(&words.concat()) } else { message(&words.concat()) };
        let (half, rest) = text.split_at(text.len() / 2);
        return match fault {
            Some(Fault::Cut | Fault::Short) => Reply::json(200, half).declared_length(text.len()).cut(),
            Some(Fault::ResetLate) => Reply::json(200, half).declared_length(text.len()).reset(),
            Some(Fault::Stall) => {
                Reply::json(200, half).declared_length(text.len()).stall(&Gate::new()).body(rest)
            }
            _ => Reply::json(200, text),
        };
    }
    let events = if chat { chunks(&words) } else { events(&words) };
    // In the middle: before, at or after the first content.
    let middle = fault.map_or(events.len(), |_| usize::try_from(dice.below(events.len() as u64)).unwrap());
    let mut reply = Reply::stream();
    for event in events.iter().take(middle) {
        reply = reply.body(event.as_str());
        if !pace.is_zero() {
            reply = reply.pause(pace);
        }
    }
    match fault {
        Some(Fault::Cut) => reply.cut(),
        Some(Fault::ResetLate) => reply.reset(),
        Some(Fault::Stall) => reply.stall(&Gate::new()),
        Some(Fault::ErrorEvent) => reply.event("error", error("sorry")),
        Some(Fault::JunkEvent) => reply.body("data: {\"half\": \n\n: \u{e9}\n\n").body("data: }\n\n"),
        _ => reply,
    }
}

fn error(message: &str) -> Value {
    json!({ "type": "error", "error": { "type": "api_error", "message": message } })
}

fn message(text: &str) -> String {
    json!({
        "id": "msg_01", "type": "message", "role": "assistant", "model": "m",
        "content": [{ "type": "text", "text": text }], "stop_reason": "end_turn", "stop_sequence": null,
        "usage": { "input_tokens": 3, "output_tokens": 5 }
    })
    .to_string()
}

fn completion(text: &str) -> String {
    json!({
        "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "m",
        "choices": [{ "index": 0, "message": { "role": "assistant", "content": text }, "finish_reason": "stop" }],
        "usage": { "prompt_tokens": 3, "completion_tokens": 5, "total_tokens": 8 }
    })
    .to_string()
}

fn events(words: &[String]) -> Vec<String> {
    let event = |data: Value| format!("event: {}\ndata: {data}\n\n", data["type"].as_str().unwrap());
    let start = json!({ "type": "message_start", "message": { "id": "msg_01", "type": "message", "role": "assistant",
        "model": "m", "content": [], "stop_reason": null, "stop_sequence": null,
        "usage": { "input_tokens": 3, "output_tokens": 1 } } });
    let block =
        json!({ "type": "content_block_start", "index": 0, "content_block": { "type": "text", "text": "" } });
    let mut all = vec![event(start), event(block)];
    all.extend(words.iter().map(|word| {
        event(json!({ "type": "content_block_delta", "index": 0, "delta": { "type": "text_delta", "text": word } }))
    }));
    all.push(event(json!({ "type": "content_block_stop", "index": 0 })));
    let delta = json!({ "stop_reason": "end_turn", "stop_sequence": null });
    all.push(event(json!({ "type": "message_delta", "delta": delta, "usage": { "output_tokens": 5 } })));
    all.push(event(json!({ "type": "message_stop" })));
    all
}

fn chunks(words: &[String]) -> Vec<String> {
    let chunk = |delta: Value, finish: Option<&str>| {
        let data = json!({ "id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m",
            "choices": [{ "index": 0, "delta": delta, "finish_reason": finish }] });
        format!("data: {data}\n\n")
    };
    let mut all = vec![chunk(json!({ "role": "assistant", "content": "" }), None)];
    all.extend(words.iter().map(|word| chunk(json!({ "content": word }), None)));
    all.push(chunk(json!({}), Some("stop")));
    all.push("data: [DONE]\n\n".to_owned());
    all
}
