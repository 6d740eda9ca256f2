//! The command line: what `rulegate`, `rulegate check` and their sisters do.

use std::process::ExitCode;

/// Runs the program with the process's arguments.
pub fn main() -> ExitCode {
    ExitCode::SUCCESS
}
