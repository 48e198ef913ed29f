//! Running tunnels: opened for users and for agents, closed, changed, listed.

mod open;
mod service;
mod start;

pub use service::{ClientTunnel, Tunnels};
pub(crate) use open::allowed_by_agent;
pub(crate) use start::TunnelError;
