//! The RPort agent: it keeps a machine behind a firewall reachable by holding a link to a server open.
//!
//! The agent dials out, says what it is (`new_connection`), and from then on serves: it answers the server's requests
//! and joins the channels the server opens to sockets on its side. It never listens on a port. It never trusts the
//! server further than its configuration says: where tunnels may lead and what may run is decided here.
//!
//! Where to start reading: [`Agent::start`], then `connect` (the loop around everything), `session` (serving a
//! link), `requests` (one file per request), `tunnels` and `exec` (commands and scripts). [`config`] turns `rport.conf`, flags and environment into
//! an [`AgentConfig`].
//!
//! ```no_run
//! # async fn example() -> Result<(), rport_agent::config::ConfigError> {
//! let config = rport_agent::config::from_toml("[client]\nserver = 'rport.example.com:8080'\nauth = 'id:password'")?;
//! let tasks = rport_runtime::Tasks::new();
//! let agent = rport_agent::Agent::start(config, &tasks);
//! agent.connected().await;
//! # Ok(())
//! # }
//! ```

mod agent;
pub mod attributes;
pub mod cli;
pub mod config;
mod connect;
mod exec;
mod identity;
mod keep_alive;
mod requests;
pub mod service;
mod session;
pub mod startup;
pub mod sysinfo;
mod tunnels;
mod watchdog;

pub use agent::{Agent, AgentHandle, AgentState};
pub use config::AgentConfig;

/// Version of this agent, as reported to servers. It must parse as a dotted version: Go servers refuse a client they
/// know otherwise.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
