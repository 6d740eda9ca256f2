//! Documents as they usually are: read here, in a fraction of the time that the library takes. Whatever is not said on
//! one line, and whatever is wrong, is the library's business: then nothing comes of it here.

use std::collections::HashMap;

use memchr::{memchr, memmem};

use super::build::Builder;
use super::{Kind, Node};
use crate::text::diagnostic::{FileId, Span};

mod words;

use words::{Written, ends_flow};

/// The document, as the library reads it.
pub(super) fn parse(file: FileId, text: &str) -> Option<Node> {
    let markers = ["---", "...", "\n---", "\n..."];
    let is_marked = |marker: &&str| {
        text.starts_with(*marker)
            || marker.starts_with('\n') && memmem::find(text.as_bytes(), marker.as_bytes()).is_some()
    };
    if !is_printable(text) || markers.iter().any(is_marked) {
        return None;
    }
    let builder = Builder::new(file, text);
    let mut reader =
        Reader { file, text, bytes: text.as_bytes(), at: 0, line: 0, anchors: HashMap::new(), builder };
    reader.skip();
    if reader.at_end() || reader.column() > 0 || matches!(reader.byte(), Some(b'[' | b'{' | b'&' | b'*')) {
        return None;
    }
    if reader.is_dash() {
        reader.list(None, 0)?;
    } else {
        reader.node(0, true, 0)?;
    }
    reader.at_end().then(|| reader.builder.finish())
}

/// Whether nothing but characters stand in the text that mean themselves everywhere. Tabs are not among them.
fn is_printable(text: &str) -> bool {
    let usual = |c: char| match c {
        '\u{2028}' | '\u{2029}' | '\u{FEFF}' => false,
        '\u{A0}'..='\u{FFFD}' | '\u{10000}'.. => true,
        _ => false,
    };
    let begins_usual = |at: usize| text.get(at..).and_then(|rest| rest.chars().next()).is_some_and(usual);
    text.bytes().all(|byte| matches!(byte, b'\n' | b' '..=b'~' | 0x80..))
        && text.bytes().enumerate().all(|(at, byte)| byte < 0xC0 || begins_usual(at))
}

struct Reader<'t> {
    file: FileId,
    text: &'t str,
    bytes: &'t [u8],
    /// How far it has read.
    at: usize,
    /// Where the line begins.
    line: usize,
    anchors: HashMap<&'t str, usize>,
    builder: Builder<'t>,
}

impl<'t> Reader<'t> {
    fn byte(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn at_end(&self) -> bool {
        self.at >= self.bytes.len()
    }

    /// Before blocks stand only spaces and `- `, so that bytes are characters.
    fn column(&self) -> usize {
        self.at - self.line
    }

    fn span(&self, start: usize, end: usize) -> Span {
        Span::new(self.file, start, end)
    }

    /// Whether a word would end at `at`: with a space, a line or the document.
    fn is_space(&self, at: usize) -> bool {
        matches!(self.bytes.get(at), None | Some(b' ' | b'\n'))
    }

    /// Goes on to what comes next; whether that is on a later line.
    fn skip(&mut self) -> bool {
        let before = self.line;
        while let Some(byte) = self.byte() {
            match byte {
                b' ' => self.at += 1,
                b'\n' => {
                    self.at += 1;
                    self.line = self.at;
                }
                b'#' if self.at == self.line || self.bytes.get(self.at - 1) == Some(&b' ') => {
                    let rest = self.bytes.get(self.at..).unwrap_or_default();
                    self.at += memchr(b'\n', rest).unwrap_or(rest.len());
                }
                _ => break,
            }
        }
        self.line > before
    }

    /// Where what stands on this line begins, or the line ends.
    fn rest_of_line(&self) -> usize {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let line = rest.get(..memchr(b'\n', rest).unwrap_or(rest.len())).unwrap_or_default();
        match line.iter().position(|byte| *byte != b' ') {
            Some(spaces) if spaces == 0 || line.get(spaces) != Some(&b'#') => self.at + spaces,
            _ => self.at + line.len(),
        }
    }

    /// Goes on to the next line that has something; `None` if there is something left on this one.
    fn end_line(&mut self) -> Option<()> {
        (self.skip() || self.at_end()).then_some(())
    }

    /// Whether an item of a list begins here.
    fn is_dash(&self) -> bool {
        self.byte() == Some(b'-') && self.is_space(self.at + 1)
    }

    /// What stands behind a key's colon or an item's dash. `indent`: the column of the key or dash.
    fn content(&mut self, indent: usize, of_item: bool) -> Option<()> {
        let after = if of_item { self.rest_of_line() } else { self.at - 1 };
        if !self.skip() && !self.at_end() {
            return self.node(indent, of_item, 0);
        }
        if self.below(indent, of_item) {
            return self.node(indent, true, 0);
        }
        let nothing = Node { span: self.span(after, after), kind: Kind::Null };
        self.builder.value(nothing, 0).ok()
    }

    /// Whether what comes next, on a later line, is the value of the key or item at `indent`. The items of a key's list may
    /// stand right below the key.
    fn below(&self, indent: usize, of_item: bool) -> bool {
        let column = self.column();
        !self.at_end() && (column > indent || !of_item && column == indent && self.is_dash())
    }

    /// A value. `open`: a list or mapping without brackets may begin here.
    fn node(&mut self, indent: usize, open: bool, anchor: usize) -> Option<()> {
        let column = self.column();
        match self.byte()? {
            b'-' if self.is_dash() => return if open { self.list(Some(indent), anchor) } else { None },
            b'[' | b'{' => self.flow(indent, anchor)?,
            b'*' if anchor == 0 => self.alias()?,
            b'&' if anchor == 0 => {
                let anchor = self.anchor()?;
                if !self.skip() && !self.at_end() {
                    return self.node(indent, false, anchor);
                }
                return if self.below(indent, true) { self.node(indent, true, anchor) } else { None };
            }
            _ => {
                let word = self.word(false)?;
                if self.colon(false) {
                    return if open { self.mapping(column, word, anchor) } else { None };
                }
                self.builder.value(word.value(), anchor).ok()?;
            }
        }
        self.end_line()
    }

    fn list(&mut self, indent: Option<usize>, anchor: usize) -> Option<()> {
        let (start, column) = (self.at, self.column());
        // Of a list no deeper than its key, the library says that it begins with its first item's value.
        self.at += 1;
        let start = if indent == Some(column) { self.rest_of_line() } else { start };
        self.at -= 1;
        self.builder.begin_list(self.span(start, start), false, anchor).ok()?;
        while !self.at_end() && self.column() == column && self.is_dash() {
            self.at += 1;
            self.content(column, true)?;
        }
        self.close(column)
    }

    fn mapping(&mut self, column: usize, first: Written<'t>, anchor: usize) -> Option<()> {
        self.builder.begin_map(first.span, false, anchor).ok()?;
        let mut key = first;
        loop {
            self.builder.key(key.key()).ok()?;
            self.at += 1;
            self.content(column, false)?;
            if self.at_end() || self.column() != column {
                return self.close(column);
            }
            key = self.word(false)?;
            if !self.colon(false) {
                return None;
            }
        }
    }

    /// Ends a collection without brackets: what comes next belongs to one further out.
    fn close(&mut self, column: usize) -> Option<()> {
        if !self.at_end() && self.column() > column {
            return None;
        }
        self.builder.end(self.span(self.at, self.at)).ok()
    }

    /// A list or mapping in brackets. `indent`: the column that its lines have to be behind.
    fn flow(&mut self, indent: usize, anchor: usize) -> Option<()> {
        let start = self.span(self.at, self.at + 1);
        let is_list = self.byte() == Some(b'[');
        let close = if is_list { b']' } else { b'}' };
        if is_list {
            self.builder.begin_list(start, true, anchor).ok()?;
        } else {
            self.builder.begin_map(start, true, anchor).ok()?;
        }
        self.at += 1;
        loop {
            self.skip_within(indent)?;
            if self.byte()? == close {
                break;
            }
            if !is_list {
                let key = self.word(true)?;
                if !self.colon(true) {
                    return None;
                }
                self.builder.key(key.key()).ok()?;
                self.at += 1;
                self.skip_within(indent)?;
            }
            self.value_within(indent)?;
            self.skip_within(indent)?;
            match self.byte()? {
                b',' => self.at += 1,
                byte if byte == close => break,
                _ => return None,
            }
        }
        self.at += 1;
        self.builder.end(self.span(self.at - 1, self.at)).ok()
    }

    fn skip_within(&mut self, indent: usize) -> Option<()> {
        (!self.skip() || self.column() > indent).then_some(())
    }

    fn value_within(&mut self, indent: usize) -> Option<()> {
        let mut anchor = 0;
        if self.byte()? == b'&' {
            anchor = self.anchor()?;
            if self.skip() {
                return None;
            }
        }
        match self.byte()? {
            b'[' | b'{' => self.flow(indent, anchor),
            b'*' if anchor == 0 => self.alias(),
            _ => {
                let word = self.word(true)?;
                self.builder.value(word.value(), anchor).ok()
            }
        }
    }

    /// Gives the value that follows a name, and the name's number.
    fn anchor(&mut self) -> Option<usize> {
        let name = self.name()?;
        let number = self.anchors.len() + 1;
        // The library takes the later of two; that is rare.
        self.anchors.insert(name, number).is_none().then_some(number)
    }

    fn alias(&mut self) -> Option<()> {
        let start = self.at;
        let name = self.name()?;
        let number = *self.anchors.get(name)?;
        self.builder.alias(number, self.span(start, self.at)).ok()
    }

    /// The name behind `&` or `*`.
    fn name(&mut self) -> Option<&'t str> {
        let rest = self.text.get(self.at + 1..)?;
        let length = rest.bytes().position(|byte| !(byte.is_ascii_alphanumeric() || b"_-".contains(&byte)));
        let name = rest.get(..length.unwrap_or(rest.len()))?;
        self.at += 1 + name.len();
        (!name.is_empty() && (self.is_space(self.at) || ends_flow(self.bytes.get(self.at)))).then_some(name)
    }
}
