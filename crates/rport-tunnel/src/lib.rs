//! The listeners of one tunnel: a TCP port, a UDP port or both, whose traffic goes to a client.
//!
//! A tunnel is started with [`spawn`] from a [`TunnelSpec`], a [`BoundPort`] leased from the node's [`PortPool`],
//! and a way to reach the client ([`Dial`]). The returned [`Tunnel`] is its owner: dropping it closes the listeners,
//! cuts the visitors and returns the port.
//!
//! This crate never knows which client a tunnel belongs to, who may open one, or where tunnels are stored. It carries
//! bytes and counts them.
//!
//! Start reading at `tunnel.rs`; `tcp.rs` and `udp.rs` are the two halves, `proxy/` is the HTTPS front a
//! tunnel may have, `ports.rs` hands out public ports.

mod accept_backoff;
mod activity;
mod dial;
mod listen;
mod metrics_names;
mod ports;
mod proxy;
mod state;
mod tcp;
mod tunnel;
mod udp;
mod visitors;

pub use dial::{Dial, DialFuture};
pub use metrics_names::describe_metrics;
pub use ports::{BoundPort, PortError, PortPool};
pub use proxy::{Front, ProxyLogin, ProxySpec};
pub use state::TunnelStats;
pub use tunnel::{EndReason, StillActive, Tunnel, TunnelSpec, spawn};

#[cfg(test)]
mod tests;
