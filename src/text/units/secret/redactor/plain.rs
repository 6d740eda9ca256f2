//! The plain form of a text: encodings undone, in small letters, without white space, hidden signs and whatever is not ASCII.
//!
//! Encodings may lie over one another, and a key may itself hold what looks like one. So each is undone where its last sign
//! comes, in what is plain already, and what that gives may complete another: a text comes to the same plain form however
//! often it was encoded, and a key to that of all its encodings. Each undoing makes the form shorter, so the time is linear.
//!
//! Undone are percent-encoding (`%41`, `%u0041`), escapes of programs (`\\x41`, `\\u0041`, `\\u{41}`, `\\101`, `\\"`), of
//! HTML (`&#65;`, `&#x41;`, `&amp;`). Quoted-printable is not: `key=41...` is what stands in most addresses.

/// The longest reference of HTML that is looked at, `&` and `;` included.
const LONGEST_REFERENCE: usize = 10;
/// References of HTML by name, for the signs that keys may have.
const REFERENCES: [(&[u8], u8); 13] = [
    (b"amp", b'&'),
    (b"lt", b'<'),
    (b"gt", b'>'),
    (b"quot", b'"'),
    (b"apos", b'\''),
    (b"plus", b'+'),
    (b"sol", b'/'),
    (b"equals", b'='),
    (b"lowbar", b'_'),
    (b"hyphen", b'-'),
    (b"period", b'.'),
    (b"percnt", b'%'),
    (b"bsol", b'\\'),
];

/// A text in its plain form.
#[derive(Default)]
pub(super) struct Plain {
    /// The form.
    pub bytes: Vec<u8>,
    /// Where in the text each byte begins and ends; empty unless it is wanted.
    places: Vec<(u32, u32)>,
    with_places: bool,
    /// Nothing is undone across this place: white space stood here.
    barrier: usize,
}

impl Plain {
    /// The plain form of `text`; `with_places`: and where in the text its bytes come from.
    pub fn of(text: &[u8], with_places: bool) -> Plain {
        let mut plain = Plain { bytes: Vec::with_capacity(text.len()), with_places, ..Plain::default() };
        if with_places {
            plain.places.reserve(text.len());
        }
        for (at, byte) in text.iter().enumerate() {
            plain.take(*byte, (place(at), place(at + 1)));
        }
        plain
    }

    /// Where in the text the byte at `at` begins.
    pub fn start(&self, at: usize) -> usize {
        self.places.get(at).map_or(usize::MAX, |(start, _)| *start as usize)
    }

    /// Where in the text what stands before `at` ends.
    pub fn end(&self, at: usize) -> usize {
        at.checked_sub(1).and_then(|last| self.places.get(last)).map_or(0, |(_, end)| *end as usize)
    }

    fn take(&mut self, byte: u8, at: (u32, u32)) {
        if !byte.is_ascii_graphic() {
            if byte.is_ascii_whitespace() {
                self.barrier = self.bytes.len();
            }
            return;
        }
        let (mut byte, mut start) = (byte, at.0);
        loop {
            // Backslashes in front of backslashes are one, however often the text was escaped.
            if byte == b'\\' && self.tail(1) == b"\\" {
                start = self.cut(1).unwrap_or(start);
            }
            self.bytes.push(match byte {
                // The two alphabets of base64.
                b'-' => b'+',
                b'_' => b'/',
                _ => byte.to_ascii_lowercase(),
            });
            if self.with_places {
                self.places.push((start, at.1));
            }
            let Some((stands_for, length)) = self.encoded() else { return };
            start = self.cut(length).unwrap_or(start);
            if !stands_for.is_ascii_graphic() {
                return;
            }
            byte = stands_for;
        }
    }

    /// What the last bytes stand for, and how many they are; 0 for what is no ASCII.
    fn encoded(&self) -> Option<(u8, usize)> {
        match self.tail(1).first()? {
            b'0'..=b'9' | b'a'..=b'f' => self.by_digits(),
            b';' => self.referred(),
            b'}' => self.in_braces(),
            sign @ (b'"' | b'/') if self.tail(2).first() == Some(&b'\\') => Some((*sign, 2)),
            b'n' | b'r' | b't' if self.tail(2).first() == Some(&b'\\') => Some((0, 2)),
            _ => None,
        }
    }

    fn by_digits(&self) -> Option<(u8, usize)> {
        if let [b'%', digits @ ..] = self.tail(3) {
            return Some((hex(digits)?, 3));
        }
        match self.tail(4) {
            [b'\\', b'x', digits @ ..] => return Some((hex(digits)?, 4)),
            [b'\\', digits @ ..] => {
                let octal = |value: u16, digit: &u8| {
                    matches!(digit, b'0'..=b'7').then(|| value * 8 + u16::from(digit - b'0'))
                };
                return Some((u8::try_from(digits.iter().try_fold(0, octal)?).ok()?, 4));
            }
            _ => {}
        }
        let [b'\\' | b'%', b'u', digits @ ..] = self.tail(6) else { return None };
        let (high, low) = (hex(digits.get(..2)?)?, hex(digits.get(2..)?)?);
        Some((if high == 0 { low } else { 0 }, 6))
    }

    /// A reference of HTML.
    fn referred(&self) -> Option<(u8, usize)> {
        let (length, name) = self.after_last(b'&')?;
        let name = name.strip_suffix(b";")?;
        let value = match name {
            [b'#', b'x', digits @ ..] => number(digits, 16)?,
            [b'#', digits @ ..] => number(digits, 10)?,
            _ => REFERENCES.iter().find(|(known, _)| *known == name)?.1,
        };
        Some((value, length))
    }

    /// `\u{41}`.
    fn in_braces(&self) -> Option<(u8, usize)> {
        let (length, rest) = self.after_last(b'\\')?;
        let digits = rest.strip_prefix(b"u{")?.strip_suffix(b"}")?;
        Some((number(digits, 16)?, length))
    }

    /// What follows the last such sign, and how much it is with the sign.
    fn after_last(&self, sign: u8) -> Option<(usize, &[u8])> {
        let end = self.bytes.get(self.barrier.max(self.bytes.len().saturating_sub(LONGEST_REFERENCE))..)?;
        let at = end.iter().rposition(|byte| *byte == sign)?;
        Some((end.len() - at, end.get(at + 1..)?))
    }

    /// The last so many bytes; none if there are fewer that belong together.
    fn tail(&self, length: usize) -> &[u8] {
        let from = self.bytes.len().checked_sub(length).filter(|from| *from >= self.barrier);
        from.and_then(|from| self.bytes.get(from..)).unwrap_or_default()
    }

    /// Takes the last so many bytes away; where in the text they began, if that is wanted.
    fn cut(&mut self, length: usize) -> Option<u32> {
        let left = self.bytes.len().saturating_sub(length);
        self.bytes.truncate(left);
        let start = self.places.get(left).map(|place| place.0);
        self.places.truncate(left);
        start
    }
}

fn place(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

/// The byte of two hexadecimal digits.
fn hex(digits: &[u8]) -> Option<u8> {
    let [high, low] = digits else { return None };
    let digit = |byte: u8| char::from(byte).to_digit(16);
    u8::try_from(digit(*high)? * 16 + digit(*low)?).ok()
}

/// The byte of a number; 0 for what is no ASCII.
fn number(digits: &[u8], radix: u32) -> Option<u8> {
    let digit =
        |value: u32, byte: &u8| Some(value.saturating_mul(radix) + char::from(*byte).to_digit(radix)?);
    let value = digits.iter().try_fold(0u32, digit).filter(|_| !digits.is_empty())?;
    Some(u8::try_from(value).unwrap_or_default())
}
