//! The `rulegate` program: hands its arguments to `cli`.

use std::process::ExitCode;

fn main() -> ExitCode {
    rulegate::cli::main()
}
