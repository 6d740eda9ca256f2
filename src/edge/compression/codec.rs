//! The libraries behind the codings, under one method: take some bytes, give some.

use brotli_decompressor::{BrotliDecompressStream, BrotliResult, BrotliState, SliceWrapper, StandardAlloc};
use flate2::{Decompress, FlushDecompress, Status};
use zstd_safe::{DCtx, DParameter, InBuffer, OutBuffer, get_error_name};

use super::Coding;

/// The largest window of zstd, as a power of two: what RFC 9659 wants of whoever reads, and allows whoever writes.
const ZSTD_WINDOW: u32 = 23;
/// The largest window of gzip and deflate, likewise.
const DEFLATE_WINDOW: u8 = 15;

/// What libzstd says of bytes that do not begin like its frames.
pub(super) const NO_ZSTD: &str = "Unknown frame descriptor";

/// The state of one coding.
pub(super) enum Codec {
    Deflate(Decompress),
    Brotli(Box<BrotliState<StandardAlloc, StandardAlloc, StandardAlloc>>),
    Zstd(DCtx<'static>),
}

/// What a step came to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step {
    /// Bytes of the input that were used.
    pub took: usize,
    /// Bytes that were given.
    pub made: usize,
    /// Whether this was the last of them.
    pub ended: bool,
}

impl Codec {
    /// A coding at its beginning; `first` is the first byte of what comes.
    pub fn new(coding: Coding, first: u8) -> Result<Codec, &'static str> {
        Ok(match coding {
            Coding::Gzip => Codec::Deflate(Decompress::new_gzip(DEFLATE_WINDOW)),
            // Zlib's frame begins with the method, 8, and the size of its window; without a frame that would be a stored
            // block with bits in its padding. Some servers leave the frame out (RFC 9110, 8.4.1.2).
            Coding::Deflate => Codec::Deflate(Decompress::new(first & 0x0f == 8 && first >> 4 < 8)),
            // Strict: without the large windows of up to 1 GiB, which are no part of `br` (RFC 7932).
            Coding::Brotli => {
                let memory = StandardAlloc::default();
                Codec::Brotli(Box::new(BrotliState::new_strict(memory, memory, memory)))
            }
            Coding::Zstd => {
                let mut context = DCtx::try_create().ok_or("there is no memory for it")?;
                context.set_parameter(DParameter::WindowLogMax(ZSTD_WINDOW)).map_err(get_error_name)?;
                Codec::Zstd(context)
            }
        })
    }

    /// Whether more of the same may follow a coding's end.
    pub fn may_follow(coding: Coding) -> bool {
        matches!(coding, Coding::Gzip | Coding::Zstd)
    }

    /// How much memory it takes now, in bytes, as far as that depends on the body: its window above all.
    pub fn memory(&self) -> usize {
        match self {
            Codec::Deflate(_) => 2 << DEFLATE_WINDOW,
            Codec::Brotli(state) => state.ringbuffer.slice().len(),
            Codec::Zstd(context) => context.sizeof(),
        }
    }

    /// Goes as far as input and room allow.
    pub fn step(&mut self, input: &[u8], room: &mut [u8]) -> Result<Step, String> {
        match self {
            Codec::Deflate(state) => {
                let (took, made) = (state.total_in(), state.total_out());
                let status = state.decompress(input, room, FlushDecompress::Sync);
                let status = status.map_err(|error| error.message().unwrap_or_default().to_owned())?;
                let took = (state.total_in() - took) as usize;
                let made = (state.total_out() - made) as usize;
                Ok(Step { took, made, ended: status == Status::StreamEnd })
            }
            Codec::Brotli(state) => {
                let (mut took, mut made) = (0, 0);
                let result = BrotliDecompressStream(
                    &mut input.len(),
                    &mut took,
                    input,
                    &mut room.len(),
                    &mut made,
                    room,
                    &mut 0,
                    state,
                );
                match result {
                    BrotliResult::ResultFailure => Err(String::new()),
                    result => Ok(Step { took, made, ended: matches!(result, BrotliResult::ResultSuccess) }),
                }
            }
            Codec::Zstd(context) => {
                let (mut from, mut to) = (InBuffer::around(input), OutBuffer::around(room));
                let left = context.decompress_stream(&mut to, &mut from).map_err(get_error_name)?;
                Ok(Step { took: from.pos(), made: to.pos(), ended: left == 0 })
            }
        }
    }
}
