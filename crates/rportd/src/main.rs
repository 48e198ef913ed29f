//! The program `rportd`. Everything is in the library; here are only the allocator and the exit code.

use std::process::ExitCode;

/// Thousands of links allocate from many threads, which the system's allocator answers with memory that never shrinks.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    rportd::start::main(std::env::args_os())
}
