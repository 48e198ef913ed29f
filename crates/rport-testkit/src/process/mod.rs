//! The real programs, started and stopped by a test.
//!
//! Each runs in a temporary directory of its own, as the user who runs the tests, with ports of its own. What it
//! writes goes to a file; a failing test prints the end of it.

mod agent;
mod binaries;
mod child;
mod server;

pub use agent::{AgentConfig, AgentProcess};
pub use binaries::{Binaries, binaries};
pub use child::Child;
pub use server::{ServerConfig, ServerProcess};

/// Whether the tests run as root, whom the programs refuse unless told otherwise.
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Raises the limit of open files of this process, and so of those it starts, as far as it may go.
///
/// Thousands of simulated agents need more sockets than a login shell allows by default.
pub fn raise_file_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    // Refused only where the limit is fixed, and then the sockets that do not fit are reported.
    let _ = setrlimit(
        Resource::Nofile,
        Rlimit {
            current: limit.maximum,
            maximum: limit.maximum,
        },
    );
}
