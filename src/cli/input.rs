//! Documents that commands are given: files, pipes, and the standard input as `-`.

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::Path;

use bytes::Bytes;

/// The most that is read, in bytes.
const LONGEST: u64 = 256 << 20;

/// The bytes of an input file, or of the standard input.
///
/// # Errors
/// What the system says, or that there is too much of it.
pub fn read(path: &Path) -> io::Result<Bytes> {
    if path == Path::new("-") { all(io::stdin()) } else { all(File::open(path)?) }
}

fn all(from: impl Read) -> io::Result<Bytes> {
    let mut bytes = Vec::new();
    from.take(LONGEST + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LONGEST {
        let text = format!("there is more than {} MiB of it, which is the most that is read", LONGEST >> 20);
        return Err(io::Error::new(ErrorKind::FileTooLarge, text));
    }
    Ok(bytes.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_never_ends_is_given_up() {
        assert_eq!(all(&b"{}"[..]).unwrap().as_ref(), b"{}");
        assert_eq!(all(io::repeat(b' ')).unwrap_err().kind(), ErrorKind::FileTooLarge);
    }
}
