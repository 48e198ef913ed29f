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
