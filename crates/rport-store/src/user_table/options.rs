//! Which tables, as the configuration names them.

/// What the tables of users are called and which of their columns are needed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserTableNames {
    /// Users (`auth_user_table`).
    pub users: String,
    /// Who is in which group (`auth_group_table`).
    pub groups: String,
    /// What groups grant (`auth_group_details_table`). Without it every user may do everything.
    pub details: Option<String>,
    /// Whether users need an address for codes: column `two_fa_send_to`.
    pub two_fa_send_to: bool,
    /// Whether users need an authenticator app: column `totp_secret`.
    pub totp_secret: bool,
}
