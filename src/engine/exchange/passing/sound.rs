//! What of a stream that is passed on a client could not read: its SDK would give up. Such things are rare, so whole frames
//! are looked at as they come, and only where something is wrong taken apart.

use crate::engine::protocol::StreamShape;
use crate::text::json::Doc;
use std::fmt;

/// How many events of a stream the client was not given.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct LeftOutEvents {
    /// That never were events of the protocol: data that are no JSON, bytes that are no UTF-8.
    pub unreadable: u64,
    /// Without data: `retry`, `event` or `id` alone.
    pub empty: u64,
}

impl LeftOutEvents {
    /// All of them.
    pub fn count(self) -> u64 {
        self.unreadable.saturating_add(self.empty)
    }

    /// Adds what came later.
    pub fn add(&mut self, later: LeftOutEvents) {
        self.unreadable = self.unreadable.saturating_add(later.unreadable);
        self.empty = self.empty.saturating_add(later.empty);
    }
}

impl fmt::Display for LeftOutEvents {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} unreadable, {} without data", self.unreadable, self.empty)
    }
}

/// What an event's data are worth to a client.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Worth {
    /// It can be read.
    Sound,
    /// It never was an event of the protocol: nothing is lost without it.
    Noise,
    /// It was one, and cannot be read any more: what it brought is lost.
    Damaged,
}

impl Worth {
    /// Of an event's data. They have to be JSON, or the protocol's word for the end.
    pub fn of(shape: &StreamShape, data: &[u8]) -> Worth {
        if Doc::is_one(data) || shape.is_done(data) {
            Worth::Sound
        } else if matches!(data.trim_ascii_start().first(), Some(b'{' | b'[')) {
            Worth::Damaged
        } else {
            Worth::Noise
        }
    }
}

/// Writes whole frames without what cannot be read, up to the first damaged one. Of a frame that is no event only the
/// comments stay, without the blank line, after which some clients see an event all the same.
pub fn sound_part(shape: &StreamShape, whole: &[u8], output: &mut Vec<u8>) {
    let (mut frame, mut data, mut has_data) = (Vec::new(), Vec::new(), false);
    for line in lines(whole) {
        let text = line.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(line);
        let text = text.strip_suffix(b"\n").unwrap_or(text);
        let text = text.strip_suffix(b"\r").unwrap_or(text);
        if !matches!(line, b"\n" | b"\r" | b"\r\n") {
            if let Some(value) = value_of_data(text) {
                if has_data {
                    data.push(b'\n');
                }
                has_data = true;
                data.extend_from_slice(value);
            }
            frame.push(line);
            continue;
        }
        let worth = Worth::of(shape, &data);
        if worth == Worth::Damaged {
            return;
        }
        let is_event = worth == Worth::Sound;
        let stays = |line: &&&[u8]| (is_event || line.starts_with(b":")) && str::from_utf8(line).is_ok();
        frame.iter().filter(stays).for_each(|line| output.extend_from_slice(line));
        if is_event {
            output.extend_from_slice(line);
        }
        (has_data, frame, data) = (false, Vec::new(), Vec::new());
    }
}

fn value_of_data(line: &[u8]) -> Option<&[u8]> {
    let rest = line.strip_prefix(b"data")?;
    match rest.split_first() {
        None => Some(rest),
        Some((b':', value)) => Some(value.strip_prefix(b" ").unwrap_or(value)),
        Some(_) => None,
    }
}

/// The lines of a text, each with its ending.
fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let end = match memchr::memchr2(b'\n', b'\r', rest) {
            Some(end) if rest.get(end..).is_some_and(|ending| ending.starts_with(b"\r\n")) => end + 2,
            Some(end) => end + 1,
            None => rest.len(),
        };
        let (line, after) = rest.split_at(end);
        rest = after;
        (!line.is_empty()).then_some(line)
    })
}
