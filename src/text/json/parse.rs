//! The tape: one pass over the text, one entry per value (and per key), in the order they stand.

use super::traces::digest;
use super::{JsonError, JsonKind, Traces, number, strings};

/// How many arrays and objects may stand inside one another.
pub const MAX_DEPTH: usize = 128;

/// How many values, names among them, a document may have: each takes 20 bytes of the tape, more than most take of the
/// text. Two million are far beyond any request that is meant.
pub const MOST_VALUES: usize = 2 << 20;
/// What is wrong with a document that has more.
pub(super) const TOO_MANY: &str = "more than 2097152 values in one document";

/// Of a longer text, in bytes, the room for its values is counted.
const LONG: usize = 64 << 10;

/// One value on the tape. Children follow their parent; `next` is the entry after the whole subtree.
#[derive(Clone, Copy, Debug)]
pub(super) struct Node {
    /// Byte range of the value's text; a string's includes its quotes.
    pub start: u32,
    pub end: u32,
    pub next: u32,
    /// Items of an array, entries of an object. The lowest bit of a string's says whether it has escapes, and the
    /// others of a name's are those of its digest.
    pub len: u32,
    pub kind: JsonKind,
}

/// What [`Node::len`] is for a name without escapes.
#[inline]
pub(super) fn name_mark(digest: u32) -> u32 {
    digest & !1
}

impl Node {
    /// Whether a string has escapes.
    #[inline]
    pub fn is_escaped(self) -> bool {
        self.len & 1 != 0
    }

    /// Whether it is a member's name: the digest of hardly any is nothing.
    pub fn is_name(self) -> bool {
        self.kind == JsonKind::String && self.len > 1
    }

    pub const NULL: Node = Node { start: 0, end: 0, next: 1, len: 0, kind: JsonKind::Null };
}

/// A place and what is wrong there.
pub(super) struct Flaw(pub usize, pub &'static str);

/// The text is no JSON; [`Parser::flaw`] says why. (Of results with all that in them, each value would be a copy.)
struct Failed;

/// Checks `text`, lays out its tape in `nodes`, whatever was there, and gives what stands in it.
pub(super) fn tape(text: &str, mut nodes: Vec<Node>) -> Result<(Vec<Node>, Traces), JsonError> {
    let bytes = text.as_bytes();
    if u32::try_from(bytes.len()).is_err() {
        return Err(JsonError::new(bytes, 0, "the text is longer than 4 GiB"));
    }
    nodes.clear();
    nodes.reserve(room(bytes));
    let flaw = Flaw(0, "");
    let mut parser = Parser { bytes, at: 0, nodes, traces: Traces::default(), flaw };
    match parser.run() {
        Ok(()) => Ok((parser.nodes, parser.traces)),
        Err(Failed) => Err(JsonError::new(bytes, parser.flaw.0, parser.flaw.1)),
    }
}

/// Room for the values of a text. Short texts, which are many, have a value for every ten bytes or so and should not
/// need a second allocation. In long ones memory counts: all that can begin a value is counted, so that the tape never
/// grows, which would take up to three times its memory. What is not used of the room is never touched.
fn room(text: &[u8]) -> usize {
    let length = text.len();
    if length <= LONG {
        return (length / 24).max((length / 8).min(256)) + 4;
    }
    // In pieces whose count fits a byte: so it is done for many bytes at a time.
    let begins = |byte: &u8| u8::from(matches!(byte, b',' | b':' | b'[' | b'{'));
    let count = |piece: &[u8]| usize::from(piece.iter().map(begins).sum::<u8>());
    (text.chunks(255).map(count).sum::<usize>() + 1).min(MOST_VALUES + 2 * MAX_DEPTH)
}

/// An array or object whose end has not been seen. Until then its entry's `len` is how many values it had when
/// another one began inside it, and its `next` is the entry of the one that it stands in itself: so the tape is the
/// stack, and a short text costs no more than its length.
#[derive(Clone, Copy)]
struct Open {
    index: u32,
    len: u32,
    object: bool,
}

/// The end of the chain: nothing is open.
const NOTHING_OPEN: u32 = u32::MAX;

struct Parser<'a> {
    bytes: &'a [u8],
    at: usize,
    nodes: Vec<Node>,
    traces: Traces,
    flaw: Flaw,
}

impl Parser<'_> {
    /// A loop, so that depth costs no machine stack.
    fn run(&mut self) -> Result<(), Failed> {
        let mut depth = 0;
        let mut open = Open { index: NOTHING_OPEN, len: 0, object: false };
        if self.bytes.starts_with(b"\xEF\xBB\xBF") {
            self.at = 3;
        }
        loop {
            let first = self.peek();
            match first {
                Some(b'{' | b'[') => {
                    if depth == MAX_DEPTH {
                        return Err(self.fail(self.at, "nested more than 128 deep"));
                    }
                    depth += 1;
                    if let Some(outer) = self.nodes.get_mut(open.index as usize) {
                        outer.len = open.len;
                    }
                    let (start, outer) = (self.at as u32, open.index);
                    open = Open { index: self.nodes.len() as u32, len: 0, object: first == Some(b'{') };
                    let kind = if open.object { JsonKind::Object } else { JsonKind::Array };
                    self.nodes.push(Node { start, end: start, next: outer, len: 0, kind });
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
                        Some(_) => Err(self.fail(self.at, "unexpected text after the value")),
                    };
                }
                match self.peek() {
                    Some(b',') => {
                        if self.nodes.len() >= MOST_VALUES {
                            return Err(self.fail(self.at, TOO_MANY));
                        }
                        open.len += 1;
                        self.at += 1;
                        if open.object {
                            self.key("expected a key")?;
                        }
                        break;
                    }
                    Some(b'}') if open.object => {}
                    Some(b']') if !open.object => {}
                    None => return Err(self.fail(self.at, "the text ends too early")),
                    Some(_) if open.object => return Err(self.fail(self.at, "expected `,` or `}`")),
                    Some(_) => return Err(self.fail(self.at, "expected `,` or `]`")),
                }
                self.at += 1;
                let (end, next) = (self.at as u32, self.nodes.len() as u32);
                let mut outer = NOTHING_OPEN;
                if let Some(node) = self.nodes.get_mut(open.index as usize) {
                    outer = node.next;
                    (node.end, node.next, node.len) = (end, next, open.len);
                }
                depth -= 1;
                if let Some(node) = self.nodes.get(outer as usize) {
                    open = Open { index: outer, len: node.len, object: node.kind == JsonKind::Object };
                }
            }
        }
    }

    /// The next byte that is not white space, which `at` then points to.
    #[inline(always)]
    fn peek(&mut self) -> Option<u8> {
        loop {
            match self.bytes.get(self.at) {
                Some(b' ' | b'\n' | b'\r' | b'\t') => self.at += 1,
                other => return other.copied(),
            }
        }
    }

    /// A key and its colon.
    #[inline(always)]
    fn key(&mut self, expected: &'static str) -> Result<(), Failed> {
        match self.peek() {
            Some(b'"') => {
                let start = self.at + 1;
                let escaped = self.string()?;
                let raw = self.bytes.get(start..self.at - 1).unwrap_or_default();
                let digest = digest(raw);
                self.traces.saw_name(raw, digest, escaped);
                if let Some(name) = self.nodes.last_mut() {
                    name.len |= name_mark(digest);
                }
            }
            None => return Err(self.fail(self.at, "the text ends too early")),
            Some(_) => return Err(self.fail(self.at, expected)),
        }
        match self.peek() {
            Some(b':') => self.at += 1,
            None => return Err(self.fail(self.at, "the text ends too early")),
            Some(_) => return Err(self.fail(self.at, "expected `:`")),
        }
        Ok(())
    }

    #[inline(always)]
    fn scalar(&mut self, first: Option<u8>, in_object: bool) -> Result<(), Failed> {
        let start = self.at;
        match first {
            Some(b'"') => {
                let escaped = self.string()?;
                let raw = self.bytes.get(start + 1..self.at - 1).unwrap_or_default();
                self.traces.saw_text(raw, escaped);
                Ok(())
            }
            Some(b'-' | b'0'..=b'9') => {
                self.at = number::scan(self.bytes, start).map_err(|Flaw(at, what)| self.fail(at, what))?;
                self.push(JsonKind::Number, start, 0);
                Ok(())
            }
            Some(b't') => self.word(b"true", JsonKind::Bool),
            Some(b'f') => self.word(b"false", JsonKind::Bool),
            Some(b'n') => self.word(b"null", JsonKind::Null),
            None => Err(self.fail(start, "the text ends too early")),
            Some(b'}' | b']') if in_object => Err(self.fail(start, "expected a value after `:`")),
            Some(_) => Err(self.fail(start, "expected a value")),
        }
    }

    /// Inlined, as is all of the loop: so the parser stays in registers.
    #[inline(always)]
    fn fail(&mut self, at: usize, what: &'static str) -> Failed {
        self.flaw = Flaw(at, what);
        Failed
    }

    /// A string. Says whether it has escapes.
    #[inline(always)]
    fn string(&mut self) -> Result<bool, Failed> {
        let start = self.at;
        let (end, escaped) =
            strings::scan(self.bytes, start + 1).map_err(|Flaw(at, what)| self.fail(at, what))?;
        self.at = end;
        self.push(JsonKind::String, start, u32::from(escaped));
        Ok(escaped)
    }

    #[inline(always)]
    fn word(&mut self, word: &[u8], kind: JsonKind) -> Result<(), Failed> {
        let start = self.at;
        if !self.bytes.get(start..).is_some_and(|rest| rest.starts_with(word)) {
            return Err(self.fail(start, "expected a value"));
        }
        self.at += word.len();
        self.push(kind, start, 0);
        Ok(())
    }

    #[inline(always)]
    fn push(&mut self, kind: JsonKind, start: usize, len: u32) {
        let next = self.nodes.len() as u32 + 1;
        self.nodes.push(Node { start: start as u32, end: self.at as u32, next, len, kind });
    }
}
