//! The machines behind the agents: who is known, who is connected, and the task of each connection.
//!
//! Start reading at `session.rs`, the life of one connection; `admission.rs` is its most delicate moment.

mod acl;
mod admission;
mod attributes;
mod cleanup;
mod inbound;
mod link;
mod liveness;
mod registry;
mod service;
mod session;
mod tags;
mod version;

pub(crate) use cleanup::purge;
pub(crate) use link::{AskError, ClientLink, offline};
pub(crate) use liveness::watch;
pub(crate) use registry::{Client, Registry};
pub use service::Clients;
pub(crate) use session::{Sessions, Shared};
