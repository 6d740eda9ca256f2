//! Takes the compression off bodies as they come: answers and errors of providers, and requests.
//!
//! Nobody is asked to compress, but some do, and clients may. A decoder is given bytes and asked for what they hold, in
//! pieces of bounded size, so whoever reads counts what comes against its limits before there is more of it. All that
//! can be said of the bytes so far is given at once: an event of a stream waits for nothing behind it.
//!
//! What a small body may cost is bounded here: the window that a coding looks back at (32 KiB for gzip and deflate, 8 MiB
//! for zstd, 16 MiB for br), how many codings lie over one another, and what the inner ones may come to of which nothing
//! comes out.

use std::fmt;

use bytes::{Buf, Bytes};
use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING};
use http::{HeaderMap, HeaderValue, Response, StatusCode};

use self::codec::{Codec, Step};

mod codec;

/// The codings that can be taken off.
const SUPPORTED: &str = "gzip, deflate, br, zstd";
/// As many codings may lie over one another: each multiplies what the one over it holds.
const MOST_CODINGS: usize = 4;
/// One step gives no more than this, in bytes.
const PIECE: usize = 32 << 10;
/// And it takes no more than this.
const BITE: usize = 4 << 10;
/// After so much work others are to have their turn: that is about a millisecond. A byte that comes out counts one.
const TURN: usize = 256 << 10;
/// What a byte that goes in counts: those of tables are dear.
const TAKING: usize = 8;
/// What a step counts by itself: it may begin a new body.
const STEPPING: usize = 512;
/// What lies between two codings may be no longer than twice what came out of it all, and this, in bytes.
const BETWEEN: u64 = 1 << 20;
/// What every gzip begins with (RFC 1952, 2.3.1).
const GZIP_SIGN: [u8; 2] = [0x1f, 0x8b];
/// What is wrong with bytes after a whole body.
const FOLLOWED: &str = "more bytes follow its end";
/// As much of an unknown coding's name is shown, in characters.
const SHOWN: usize = 40;

/// How a body can be coded.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Coding {
    /// `gzip`, `x-gzip`.
    Gzip,
    /// `deflate`: with zlib's frame, as it should be, or without.
    Deflate,
    /// `br`.
    Brotli,
    /// `zstd`.
    Zstd,
}

/// Why a body cannot be decoded. Shown, it goes on from "the answer" or "the request's body".
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Undecodable {
    /// A coding of this name is not known.
    Unknown(String),
    /// There are too many codings.
    Many,
    /// It is not what its coding promises, or needs too large a window.
    Broken(Coding, String),
    /// It ends too early.
    Cut(Coding),
    /// Far more lies between two codings than comes out.
    Hollow,
}

impl fmt::Display for Undecodable {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(name) => {
                write!(out, "is encoded as {name:?}, which is not supported; supported are {SUPPORTED}")
            }
            Self::Many => write!(out, "has more than {MOST_CODINGS} content encodings"),
            Self::Broken(coding, why) if why.is_empty() => write!(out, "is not valid {coding}"),
            Self::Broken(coding, why) => write!(out, "is not valid {coding}: {why}"),
            Self::Cut(coding) => write!(out, "ends in the middle of its {coding} data"),
            Self::Hollow => {
                out.write_str("holds far more between its content encodings than comes out of them")
            }
        }
    }
}

impl fmt::Display for Coding {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Gzip => "gzip",
            Self::Deflate => "deflate",
            Self::Brotli => "br",
            Self::Zstd => "zstd",
        })
    }
}

/// Says in an answer of 415 what could be taken.
pub fn tell_supported<B>(answer: &mut Response<B>) {
    if answer.status() == StatusCode::UNSUPPORTED_MEDIA_TYPE {
        answer.headers_mut().insert(ACCEPT_ENCODING, HeaderValue::from_static(SUPPORTED));
    }
}

/// What a decoder has now.
#[derive(Debug, PartialEq, Eq)]
pub enum Next {
    /// Decoded bytes, at least one.
    Piece(Bytes),
    /// More, after others have had their turn.
    Later,
    /// Nothing without more bytes.
    Hungry,
}

/// Decodes one body.
pub struct Decoder {
    /// In the order in which they are taken off.
    layers: Vec<Layer>,
    unsupported: Option<Undecodable>,
    /// Whether a byte has come.
    is_fed: bool,
    /// How many bytes came out.
    made: u64,
    /// How much work this turn was.
    spent: usize,
    room: Box<[u8]>,
}

impl Decoder {
    /// What takes off the codings that these headers name; `None` if there are none.
    pub fn of(headers: &HeaderMap) -> Option<Decoder> {
        if !headers.contains_key(CONTENT_ENCODING) {
            return None;
        }
        let (mut layers, mut unsupported) = (Vec::new(), None);
        for line in headers.get_all(CONTENT_ENCODING) {
            let line = String::from_utf8_lossy(line.as_bytes());
            for name in line.split(',').map(str::trim).filter(|name| !name.is_empty()) {
                match name.to_ascii_lowercase().as_str() {
                    "identity" => {}
                    _ if layers.len() == MOST_CODINGS => unsupported = Some(Undecodable::Many),
                    "gzip" | "x-gzip" => layers.push(Layer::of(Coding::Gzip)),
                    "deflate" => layers.push(Layer::of(Coding::Deflate)),
                    "br" => layers.push(Layer::of(Coding::Brotli)),
                    "zstd" => layers.push(Layer::of(Coding::Zstd)),
                    _ => unsupported = Some(Undecodable::Unknown(name.chars().take(SHOWN).collect())),
                }
            }
        }
        // The one that was put on last comes off first.
        layers.reverse();
        let room = vec![0; PIECE].into();
        let is_coded = !layers.is_empty() || unsupported.is_some();
        is_coded.then_some(Decoder { layers, unsupported, is_fed: false, made: 0, spent: 0, room })
    }

    /// Why it can decode nothing, if so.
    pub fn unsupported(&self) -> Option<&Undecodable> {
        self.unsupported.as_ref()
    }

    /// Gives it more bytes; only when it is hungry.
    pub fn push(&mut self, bytes: Bytes) {
        self.is_fed |= !bytes.is_empty();
        if let Some(first) = self.layers.first_mut() {
            first.input = bytes;
        }
    }

    /// What the bytes so far hold.
    ///
    /// # Errors
    /// They cannot be decoded. There is nothing more to be had then.
    pub fn decode(&mut self) -> Result<Next, Undecodable> {
        if let Some(unsupported) = self.unsupported.as_ref().filter(|_| self.is_fed) {
            return Err(unsupported.clone());
        }
        let between = 2 * self.made + BETWEEN;
        match pull(&mut self.layers, &mut self.room, between, &mut self.spent)? {
            Pulled::Bytes(made) => {
                self.made += made as u64;
                Ok(Next::Piece(Bytes::copy_from_slice(self.room.get(..made).unwrap_or_default())))
            }
            Pulled::Nothing => Ok(Next::Hungry),
            Pulled::TurnOver => {
                self.spent = 0;
                Ok(Next::Later)
            }
        }
    }

    /// How much memory it takes now, in bytes.
    pub fn memory(&self) -> usize {
        let taken = |layer: &Layer| layer.codec.as_ref().map_or(0, Codec::memory) + layer.input.len();
        self.room.len() + self.layers.iter().map(taken).sum::<usize>()
    }

    /// No more bytes come; only when it is hungry.
    ///
    /// # Errors
    /// There should be more. A body of no bytes is good.
    pub fn finish(&self) -> Result<(), Undecodable> {
        let cut = self.layers.iter().find(|layer| layer.codec.is_some() && !layer.ended);
        cut.map_or(Ok(()), |layer| Err(Undecodable::Cut(layer.coding)))
    }
}

/// One coding.
struct Layer {
    coding: Coding,
    /// Made when the first byte comes.
    codec: Option<Codec>,
    input: Bytes,
    /// Whether the last step filled its room: there may be more without more input.
    is_full: bool,
    ended: bool,
    /// Whether an end has come, and how many bytes of what follows it: a further body of the same coding.
    further: Option<u8>,
    /// Whether zeros follow the end.
    is_padding: bool,
    /// How many bytes it has given.
    made: u64,
}

enum Pulled {
    Bytes(usize),
    Nothing,
    TurnOver,
}

impl Layer {
    fn of(coding: Coding) -> Layer {
        Layer {
            coding,
            codec: None,
            input: Bytes::new(),
            is_full: false,
            ended: false,
            further: None,
            is_padding: false,
            made: 0,
        }
    }

    fn is_hungry(&self) -> bool {
        self.input.is_empty() && (!self.is_full || self.ended)
    }

    fn step(&mut self, room: &mut [u8]) -> Result<Step, Undecodable> {
        let broken = |why: &str| Undecodable::Broken(self.coding, why.to_owned());
        let mut bite = self.input.get(..BITE.min(self.input.len())).unwrap_or_default();
        let first = bite.first().copied().unwrap_or_default();
        if self.ended && !Codec::may_follow(self.coding) {
            return Err(broken(FOLLOWED));
        }
        if let (Coding::Gzip, Some(seen)) = (self.coding, self.further)
            && let Some(sign) = GZIP_SIGN.get(usize::from(seen))
        {
            // Zeros fill a tape's last block, and nothing comes after them.
            self.is_padding |= seen == 0 && first == 0;
            let zeros = bite.iter().take_while(|byte| **byte == 0).count();
            if self.is_padding && zeros == bite.len() {
                self.input.advance(zeros);
                return Ok(Step { took: zeros, made: 0, ended: true });
            }
            if self.is_padding || first != *sign {
                return Err(broken(FOLLOWED));
            }
            self.further = Some(seen + 1);
            bite = bite.get(..1).unwrap_or_default();
        }
        let codec = match &mut self.codec {
            // What follows a whole gzip is another one, and both together are the body.
            Some(codec) if !self.ended || self.coding != Coding::Gzip => codec,
            codec => codec.insert(Codec::new(self.coding, first).map_err(broken)?),
        };
        let step = codec.step(bite, room).map_err(|why| match self.further {
            Some(_) if why == codec::NO_ZSTD => broken(FOLLOWED),
            _ => broken(&why),
        })?;
        if step.took + step.made == 0 && !self.input.is_empty() {
            return Err(broken(""));
        }
        self.input.advance(step.took);
        self.is_full = step.made == room.len();
        self.ended = step.ended;
        if step.ended {
            self.further = Some(0);
        }
        self.made += step.made as u64;
        Ok(step)
    }
}

/// The next bytes of the last of these codings, or as many as there is room for.
fn pull(
    layers: &mut [Layer],
    room: &mut [u8],
    between: u64,
    spent: &mut usize,
) -> Result<Pulled, Undecodable> {
    let Some((own, outer)) = layers.split_last_mut() else { return Ok(Pulled::Nothing) };
    loop {
        if own.is_hungry() {
            let mut held = vec![0; if outer.is_empty() { 0 } else { PIECE }];
            match pull(outer, &mut held, between, spent)? {
                Pulled::Bytes(made) => held.truncate(made),
                nothing => return Ok(nothing),
            }
            if outer.last().is_some_and(|layer| layer.made > between) {
                return Err(Undecodable::Hollow);
            }
            own.input = held.into();
        }
        if *spent >= TURN {
            return Ok(Pulled::TurnOver);
        }
        let step = own.step(room)?;
        *spent += STEPPING + TAKING * step.took + step.made;
        if step.made > 0 {
            return Ok(Pulled::Bytes(step.made));
        }
    }
}
