//! How users prove who they are, and what happens when they cannot.

mod bans;
mod service;
mod sessions;
mod token;
mod waits;

pub(crate) use bans::{Bans, subscriber};
pub use service::{LoggedIn, Login, RequestOrigin};
pub(crate) use waits::Waits;
