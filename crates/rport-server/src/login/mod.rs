//! How users prove who they are, and what happens when they cannot.

mod api_tokens;
mod bans;
mod by_password;
mod by_token;
mod manage_api_tokens;
mod manage_sessions;
mod service;
mod sessions;
mod token;
mod user_waits;
mod waits;

pub(crate) use bans::{Bans, subscriber};
pub use manage_api_tokens::{MadeApiToken, NewApiToken};
pub(crate) use service::LoginParts;
pub use service::{LoggedIn, Login, RequestOrigin, UserEvent};
use user_waits::UserWaits;
pub(crate) use waits::Waits;
