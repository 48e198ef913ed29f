//! How users prove who they are, and what happens when they cannot.

mod api_tokens;
mod bans;
mod by_header;
mod by_password;
mod by_token;
mod delivered_code;
mod manage_api_tokens;
mod manage_sessions;
mod manage_totp;
mod recovery_codes;
mod second_factor;
mod service;
mod sessions;
mod sso;
mod token;
mod totp;
mod user_waits;
mod waits;

pub(crate) use bans::{Bans, subscriber};
pub use by_header::HeaderLoginOptions;
pub use manage_api_tokens::{MadeApiToken, NewApiToken};
pub use manage_totp::TotpSecret;
pub use second_factor::{PendingFactor, SecondFactorOptions};
pub(crate) use service::LoginParts;
pub use service::{LoggedIn, Login, RequestOrigin, UserEvent};
pub use sso::{DeviceAnswer, DeviceLogin, DeviceStart, Sso, SsoMapping, SsoOptions, SsoProvider, SsoStart};
use user_waits::UserWaits;
pub(crate) use waits::Waits;
