//! Stored tunnels: saved definitions that front ends read and apply. Source: rest-api.md 12.

mod service;

pub use service::StoredTunnels;
