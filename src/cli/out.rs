//! What commands say. A reader may go away before all is said, as `head` does: that is no reason to stop, nor an error. But
//! what cannot be written (a full disk) is missed by somebody: then the program says so and ends, as it is asked to by
//! nobody else.

use std::fmt::Arguments;
use std::io::{self, ErrorKind, Write};

use super::Outcome;

/// Says a line on standard output.
macro_rules! say {
    () => { $crate::cli::out::put(format_args!("\n")) };
    ($($what:tt)*) => { $crate::cli::out::put(format_args!("{}\n", format_args!($($what)*))) };
}

/// The same without an end of the line.
macro_rules! say_as_is {
    ($($what:tt)*) => { $crate::cli::out::put(format_args!($($what)*)) };
}

/// Says a line on standard error.
macro_rules! complain {
    ($($what:tt)*) => {{
        use std::io::Write as _;
        let _ = writeln!(std::io::stderr(), $($what)*);
    }};
}

/// Writes to standard output.
pub(super) fn put(what: Arguments<'_>) {
    is_read(io::stdout().write_fmt(what));
}

/// Writes what is still to be written.
pub(super) fn finish() {
    is_read(io::stdout().flush());
}

/// Whether somebody reads what was written so. Ends the program where it could not be written.
pub(super) fn is_read(written: io::Result<()>) -> bool {
    let Err(error) = written else { return true };
    if error.kind() == ErrorKind::BrokenPipe {
        return false;
    }
    complain!("rulegate: the standard output cannot be written: {error}");
    std::process::exit(i32::from(Outcome::Unusable.code()))
}
