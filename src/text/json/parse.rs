//! The tape: one pass over the text, one entry per value (and per key), in the order they stand.

use super::{JsonError, JsonKind, number, strings};

/// How many arrays and objects may stand inside one another.
pub const MAX_DEPTH: usize = 128;

/// One value on the tape. Children follow their parent; `next` is the entry after the whole subtree.
#[derive(Clone, Copy, Debug)]
pub(super) struct Node {
    /// Byte range of the value's text; a string's includes its quotes.
    pub start: u32,
    pub end: u32,
    pub next: u32,
    /// Items of an array, entries of an object; for a string, 1 when it has escapes.
    pub len: u32,
    pub kind: JsonKind,
}

impl Node {
    pub const NULL: Node = Node { start: 0, end: 0, next: 1, len: 0, kind: JsonKind::Null };
}

/// A place and what is wrong there.
pub(super) struct Flaw(pub usize, pub &'static str);

/// Checks `text` and lays out its tape.
pub(super) fn tape(text: &str) -> Result<Vec<Node>, JsonError> {
    let bytes = text.as_bytes();
    if u32::try_from(bytes.len()).is_err() {
        return Err(JsonError::new(bytes, 0, "the text is longer than 4 GiB"));
    }
    let mut parser = Parser { bytes, at: 0, nodes: Vec::with_capacity(room(bytes.len())) };
    match parser.run() {
        Ok(()) => Ok(parser.nodes),
        Err(Flaw(offset, message)) => Err(JsonError::new(bytes, offset, message)),
    }
}

/// Room for the values of a text of that length. Short texts, which are many, have a value for every ten bytes or so
/// and should not need a second allocation; in long ones strings are long, and memory counts.
fn room(length: usize) -> usize {
    (length / 24).max((length / 8).min(256)) + 4
}

/// An array or object whose end has not been seen.
#[derive(Clone, Copy)]
struct Open {
    index: usize,
    len: u32,
    object: bool,
}

struct Parser<'a> {
    bytes: &'a [u8],
    at: usize,
    nodes: Vec<Node>,
}

impl Parser<'_> {
    /// A loop over a stack of its own, so that depth costs no machine stack.
    fn run(&mut self) -> Result<(), Flaw> {
        const NONE: Open = Open { index: 0, len: 0, object: false };
        let mut stack = [NONE; MAX_DEPTH];
        let mut depth = 0;
        let mut open = NONE;
        if self.bytes.starts_with(b"\xEF\xBB\xBF") {
            self.at = 3;
        }
        loop {
            let first = self.peek();
            match first {
                Some(b'{' | b'[') => {
                    let Some(slot) = stack.get_mut(depth) else {
                        return Err(Flaw(self.at, "nested more than 128 deep"));
                    };
                    *slot = open;
                    depth += 1;
                    open = Open { index: self.nodes.len(), len: 0, object: first == Some(b'{') };
                    let kind = if open.object { JsonKind::Object } else { JsonKind::Array };
                    self.push(kind, self.at, 0);
                    self.at += 1;
                    let closing = if open.object { b'}' } else { b']' };
                    if self.peek() != Some(closing) {
                        open.len = 1;
                        if open.object {
                            self.key("expected a key or `}`")?;
                        }
                        continue;
                    }
                }
                _ => self.scalar(first, open.object)?,
            }
            // A value is complete, or `open` is empty and stands before its closing bracket.
            loop {
                if depth == 0 {
                    return match self.peek() {
                        None => Ok(()),
                        Some(_) => Err(Flaw(self.at, "unexpected text after the value")),
                    };
                }
                match self.peek() {
                    Some(b',') => {
                        open.len += 1;
                        self.at += 1;
                        if open.object {
                            self.key("expected a key")?;
                        }
                        break;
                    }
                    Some(b'}') if open.object => {}
                    Some(b']') if !open.object => {}
                    None => return Err(Flaw(self.at, "the text ends too early")),
                    Some(_) if open.object => return Err(Flaw(self.at, "expected `,` or `}`")),
                    Some(_) => return Err(Flaw(self.at, "expected `,` or `]`")),
                }
                self.at += 1;
                let (end, next) = (self.at as u32, self.nodes.len() as u32);
                if let Some(node) = self.nodes.get_mut(open.index) {
                    node.end = end;
                    node.next = next;
                    node.len = open.len;
                }
                depth -= 1;
                open = stack.get(depth).copied().unwrap_or(NONE);
            }
        }
    }

    /// The next byte that is not white space, which `at` then points to.
    #[inline]
    fn peek(&mut self) -> Option<u8> {
        loop {
            match self.bytes.get(self.at) {
                Some(b' ' | b'\n' | b'\r' | b'\t') => self.at += 1,
                other => return other.copied(),
            }
        }
    }

    /// A key and its colon.
    #[inline]
    fn key(&mut self, expected: &'static str) -> Result<(), Flaw> {
        match self.peek() {
            Some(b'"') => self.string()?,
            None => return Err(Flaw(self.at, "the text ends too early")),
            Some(_) => return Err(Flaw(self.at, expected)),
        }
        match self.peek() {
            Some(b':') => self.at += 1,
            None => return Err(Flaw(self.at, "the text ends too early")),
            Some(_) => return Err(Flaw(self.at, "expected `:`")),
        }
        Ok(())
    }

    #[inline]
    fn scalar(&mut self, first: Option<u8>, in_object: bool) -> Result<(), Flaw> {
        let start = self.at;
        match first {
            Some(b'"') => self.string(),
            Some(b'-' | b'0'..=b'9') => {
                self.at = number::scan(self.bytes, start)?;
                self.push(JsonKind::Number, start, 0);
                Ok(())
            }
            Some(b't') => self.word(b"true", JsonKind::Bool),
            Some(b'f') => self.word(b"false", JsonKind::Bool),
            Some(b'n') => self.word(b"null", JsonKind::Null),
            None => Err(Flaw(start, "the text ends too early")),
            Some(b'}' | b']') if in_object => Err(Flaw(start, "expected a value after `:`")),
            Some(_) => Err(Flaw(start, "expected a value")),
        }
    }

    fn string(&mut self) -> Result<(), Flaw> {
        let start = self.at;
        let (end, escaped) = strings::scan(self.bytes, start + 1)?;
        self.at = end;
        self.push(JsonKind::String, start, u32::from(escaped));
        Ok(())
    }

    fn word(&mut self, word: &[u8], kind: JsonKind) -> Result<(), Flaw> {
        let start = self.at;
        if !self.bytes.get(start..).is_some_and(|rest| rest.starts_with(word)) {
            return Err(Flaw(start, "expected a value"));
        }
        self.at += word.len();
        self.push(kind, start, 0);
        Ok(())
    }

    #[inline]
    fn push(&mut self, kind: JsonKind, start: usize, len: u32) {
        let next = self.nodes.len() as u32 + 1;
        self.nodes.push(Node { start: start as u32, end: self.at as u32, next, len, kind });
    }
}
