//! What administrators ask for, as plain data.

use std::time::Duration;

use chrono::{DateTime, Utc};
use rport_domain::ClientAuthId;
use rport_runtime::Secret;

/// Longest time the password before a rotation stays valid.
pub const MAX_GRACE: Duration = Duration::from_secs(90 * 24 * 3600);
/// Letters and digits of a generated password, some 190 bits.
pub(super) const GENERATED_LENGTH: usize = 32;

/// Where a new password comes from.
#[derive(Debug, Clone)]
pub enum NewPassword {
    /// The caller's choice.
    Given(Secret),
    /// The server makes a strong one and returns it once.
    Generated,
}

/// Credentials to add.
#[derive(Debug, Clone)]
pub struct NewClientAuth {
    /// The id, unchecked.
    pub id: ClientAuthId,
    /// The password, unchecked.
    pub password: NewPassword,
    /// What to note about them; may be empty.
    pub comment: String,
    /// From when on nobody can log in with them.
    pub expires_at: Option<DateTime<Utc>>,
}

/// What to change about credentials. What is `None` stays as it is.
#[derive(Debug, Clone, Default)]
pub struct ClientAuthChange {
    /// A new password.
    pub password: Option<NewPassword>,
    /// How long the old password stays valid besides a new one; at most [`MAX_GRACE`]. Without it the old one is
    /// worthless at once.
    pub grace: Option<Duration>,
    /// The comment; empty removes it.
    pub comment: Option<String>,
    /// The expiry; `Some(None)` removes it.
    pub expires_at: Option<Option<DateTime<Utc>>>,
    /// Switches logging in off or on.
    pub disabled: Option<bool>,
    /// Disconnects all agents that are logged in with these credentials after the change. Those that still may come
    /// back at once.
    pub force: bool,
}

/// What became of an addition or a change.
#[derive(Debug)]
pub struct ClientAuthOutcome {
    /// The generated password, if one was asked for. Shown once: the server may keep only a hash.
    pub generated: Option<Secret>,
    /// How many connections were closed.
    pub disconnected: usize,
}
