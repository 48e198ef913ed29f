//! Client groups: clients chosen by what they are. Source: rest-api.md 17.
//!
//! `membership.rs` says which groups a client belongs to, for lists and for access; `service.rs` is what users see and
//! change.

mod membership;
mod service;

pub(crate) use membership::{GroupSet, Membership, Memberships};
pub use service::ClientGroups;
