//! The `rulegate` program: hands its arguments to `cli`.

use std::process::ExitCode;

use mimalloc::MiMalloc;

/// What rules and mappings do is mostly making small texts and dropping them again.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    rulegate::cli::main()
}
