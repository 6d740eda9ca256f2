//! The words of a usual document: in quotes, or up to what ends them.

use std::borrow::Cow;

use memchr::{memchr2, memchr3};

use super::Reader;
use crate::text::diagnostic::Span;
use crate::text::yaml::build::Word;
use crate::text::yaml::{Kind, Node, scalar};

/// Longer keys are the library's business.
const KEY_BYTES: usize = 1000;

/// A word as it stands in the file.
pub(super) struct Written<'t> {
    text: Cow<'t, str>,
    pub(super) span: Span,
    plain: bool,
}

impl<'t> Written<'t> {
    pub(super) fn key(self) -> Word {
        Word { text: self.text.into_owned(), span: self.span, plain: self.plain }
    }

    pub(super) fn value(self) -> Node {
        let kind = if self.plain { scalar::plain(&self.text) } else { Kind::String(self.text.into_owned()) };
        Node { span: self.span, kind }
    }
}

impl<'t> Reader<'t> {
    /// Whether a word that has just been read is a key: goes on to its colon.
    pub(super) fn colon(&mut self, within: bool) -> bool {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let spaces = rest.iter().position(|byte| *byte != b' ').unwrap_or(rest.len());
        let colon = self.at + spaces;
        let is_key = self.bytes.get(colon) == Some(&b':') && (within || self.is_space(colon + 1));
        if is_key {
            self.at = colon;
        }
        is_key
    }

    /// A word: in quotes, or up to what ends it.
    pub(super) fn word(&mut self, within: bool) -> Option<Written<'t>> {
        let start = self.at;
        let text = match self.byte()? {
            b'"' => self.double_quoted()?,
            b'\'' => self.single_quoted()?,
            _ => return self.plain(within),
        };
        if text.len() > KEY_BYTES && self.byte() == Some(b':') {
            return None;
        }
        Some(Written { text, span: self.span(start, self.at), plain: false })
    }

    fn plain(&mut self, within: bool) -> Option<Written<'t>> {
        let start = self.at;
        match self.byte()? {
            b'?' | b':' | b',' | b'[' | b']' | b'{' | b'}' | b'#' | b'&' | b'*' | b'!' | b'|' | b'>'
            | b'%' | b'@' | b'`' => {
                return None;
            }
            b'-' if self.is_space(start + 1) || within && ends_flow(self.bytes.get(start + 1)) => {
                return None;
            }
            _ => {}
        }
        // Behind the last character that is no space.
        let mut end = start;
        let rest = self.bytes.get(start..)?;
        for (length, byte) in rest.iter().enumerate() {
            let at = start + length;
            match byte {
                b' ' => continue,
                b'\n' => break,
                b'#' if end < at => break,
                b':' if self.is_space(at + 1) || within && ends_flow(self.bytes.get(at + 1)) => {
                    if at - start > KEY_BYTES {
                        return None;
                    }
                    break;
                }
                b',' | b'[' | b']' | b'{' | b'}' if within => break,
                _ => end = at + 1,
            }
        }
        self.at = end;
        let text = self.text.get(start..end)?;
        Some(Written { text: text.into(), span: self.span(start, end), plain: true })
    }

    fn single_quoted(&mut self) -> Option<Cow<'t, str>> {
        let start = self.at + 1;
        let mut end = start;
        let mut doubled = false;
        loop {
            end += memchr2(b'\'', b'\n', self.bytes.get(end..)?)?;
            if self.bytes.get(end) == Some(&b'\n') {
                return None;
            }
            if self.bytes.get(end + 1) != Some(&b'\'') {
                break;
            }
            doubled = true;
            end += 2;
        }
        self.at = end + 1;
        let text = self.text.get(start..end)?;
        Some(if doubled { text.replace("''", "'").into() } else { text.into() })
    }

    fn double_quoted(&mut self) -> Option<Cow<'t, str>> {
        let mut start = self.at + 1;
        let mut before = String::new();
        loop {
            let end = start + memchr3(b'"', b'\\', b'\n', self.bytes.get(start..)?)?;
            let part = self.text.get(start..end)?;
            match self.bytes.get(end)? {
                b'"' => {
                    self.at = end + 1;
                    return Some(if before.is_empty() { part.into() } else { (before + part).into() });
                }
                b'\n' => return None,
                _ => {}
            }
            before.push_str(part);
            before.push(match self.bytes.get(end + 1)? {
                b'n' => '\n',
                b't' => '\t',
                b'r' => '\r',
                sign @ (b'"' | b'\\' | b'/') => char::from(*sign),
                b'u' => {
                    let digits = self.text.get(end + 2..end + 6)?;
                    start = end + 6;
                    let is_hex = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
                    before.push(char::from_u32(u32::from_str_radix(digits, 16).ok().filter(|_| is_hex)?)?);
                    continue;
                }
                _ => return None,
            });
            start = end + 2;
        }
    }
}

/// Whether a word in brackets ends before this.
pub(super) fn ends_flow(byte: Option<&u8>) -> bool {
    matches!(byte, Some(b',' | b'[' | b']' | b'{' | b'}'))
}
