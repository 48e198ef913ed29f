//! Running tunnels: opened for users and for agents, closed, changed, listed.

mod open;
mod service;
mod start;

pub(crate) use open::allowed_by_agent;
pub use service::{ClientTunnel, Tunnels};
pub(crate) use start::TunnelError;
