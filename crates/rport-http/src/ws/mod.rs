//! WebSockets: who opens one, and what is told on it.

mod auth;
pub(crate) mod events;
pub(crate) mod jobs;
mod session;
