//! The agent.
pub mod sysinfo;
