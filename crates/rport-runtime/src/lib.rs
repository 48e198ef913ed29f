//! What every RPort program needs around its actual work: tracked tasks, an injected clock, back-off, randomness,
//! secrets, safe file writes, the configuration loader, log lines, signals and service installation.
//!
//! Nothing here knows the nouns of RPort (clients, tunnels, users). Start reading at [`Tasks`]: every task of the
//! server and of the agent is started there, so that a shutdown can wait for all of them.

mod backoff;
mod clock;
pub mod fsutil;
pub mod net;
pub mod rng;
mod secret;
pub mod service;
pub mod signals;
pub mod systemd;
mod tasks;
pub mod telemetry;
pub mod toml_config;

pub use backoff::Backoff;
pub use clock::Clock;
pub use secret::Secret;
pub use tasks::Tasks;
