//! Compressed bodies, as servers and clients send them: whole, or flushed after each part.

use std::io::Write;
use std::sync::{Arc, Mutex};

use flate2::Compression;

/// A way to compress.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Gzip,
    /// `deflate` as it should be.
    Zlib,
    /// `deflate` as some servers send it.
    Raw,
    Brotli,
    Zstd,
}

pub const KINDS: [Kind; 5] = [Kind::Gzip, Kind::Zlib, Kind::Raw, Kind::Brotli, Kind::Zstd];

/// What a header says, line by line, and what the body is then: first compressed by the first.
pub type Coded = (&'static [&'static str], &'static [Kind]);

/// Every coding, its other names, several over one another, and none.
pub const CODED: [Coded; 10] = [
    (&["gzip"], &[Kind::Gzip]),
    (&["X-GZip"], &[Kind::Gzip]),
    (&["deflate"], &[Kind::Zlib]),
    (&["Deflate"], &[Kind::Raw]),
    (&["br"], &[Kind::Brotli]),
    (&["zstd"], &[Kind::Zstd]),
    (&["gzip, br"], &[Kind::Gzip, Kind::Brotli]),
    (&["identity,,ZSTD , identity", "deflate", "gzip"], &[Kind::Zstd, Kind::Zlib, Kind::Gzip]),
    (&["br", "gzip", "deflate", "zstd"], &[Kind::Brotli, Kind::Gzip, Kind::Raw, Kind::Zstd]),
    (&["identity"], &[]),
];

/// What was written and not yet taken.
#[derive(Clone, Default)]
struct Sink(Arc<Mutex<Vec<u8>>>);

impl Sink {
    fn take(&self) -> Vec<u8> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// A compressor. Dropping it writes the end.
fn encoder(kind: Kind, sink: Sink) -> Box<dyn Write> {
    match kind {
        Kind::Gzip => Box::new(flate2::write::GzEncoder::new(sink, Compression::fast())),
        Kind::Zlib => Box::new(flate2::write::ZlibEncoder::new(sink, Compression::fast())),
        Kind::Raw => Box::new(flate2::write::DeflateEncoder::new(sink, Compression::fast())),
        Kind::Brotli => Box::new(brotli::CompressorWriter::new(sink, 4096, 5, 22)),
        Kind::Zstd => Box::new(zstd::stream::write::Encoder::new(sink, 3).unwrap().auto_finish()),
    }
}

/// The parts compressed, so that each can be read as soon as it has come; the last one has the end, too.
pub fn flushed(kinds: &[Kind], parts: &[impl AsRef<[u8]>]) -> Vec<Vec<u8>> {
    let mut parts: Vec<Vec<u8>> = parts.iter().map(|part| part.as_ref().to_vec()).collect();
    for kind in kinds {
        let sink = Sink::default();
        let mut encoder = encoder(*kind, sink.clone());
        for part in &mut parts {
            encoder.write_all(part).unwrap();
            encoder.flush().unwrap();
            *part = sink.take();
        }
        drop(encoder);
        parts.last_mut().unwrap().extend(sink.take());
    }
    parts
}

/// A body compressed.
pub fn packed(kinds: &[Kind], body: impl AsRef<[u8]>) -> Vec<u8> {
    flushed(kinds, &[body]).concat()
}

/// So many MiB of one byte, compressed.
pub fn bomb(kind: Kind, mib: usize) -> Vec<u8> {
    let sink = Sink::default();
    let mut encoder = encoder(kind, sink.clone());
    let piece = vec![b' '; 1 << 20];
    for _ in 0..mib {
        encoder.write_all(&piece).unwrap();
    }
    drop(encoder);
    sink.take()
}

/// Zstd that holds nothing but says that whoever reads it must keep 16 MiB: twice what is allowed.
pub const WIDE_ZSTD: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x70, 0x01, 0x00, 0x00];

/// The same in a dialect of br, whose first bytes mean that windows may have 1 GiB.
pub const WIDE_BROTLI: &[u8] = &[0x11, 0x1e, 0x03];
