//! The RPort agent: it keeps a machine behind a firewall reachable by holding a link to a server open.

pub mod attributes;
pub mod cli;
pub mod config;
pub mod sysinfo;

pub use config::AgentConfig;

/// Version of this agent, as reported to servers. It must parse as a dotted version: Go servers refuse a client they
/// know otherwise.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
