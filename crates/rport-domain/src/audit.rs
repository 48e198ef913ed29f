//! What the audit log speaks of. Source: API notes, section 21.1, and storage notes, section 4.5.

use chrono::{DateTime, FixedOffset};

use crate::list::{FilterSpec, ListSpec, Operator};

/// Makes an enum whose variants have a word each.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident => $word:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)*
        }

        impl $name {
            /// Every variant.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// Returns the word in the log.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)*
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

words! {
    /// What kind of thing an entry is about. The words are those of the Go server, except where said.
    AuditApplication {
        /// A login, or a try. Ours; the Go server keeps no record of them.
        AuthLogin => "auth.login",
        /// A user. The Go server writes `user` for deletions.
        AuthUser => "auth.user",
        /// The deletion of a user.
        User => "user",
        /// The caller's own account.
        AuthUserMe => "auth.user.me",
        /// The caller's API tokens.
        AuthUserMeToken => "auth.user.me.token",
        /// A secret of the second factor.
        AuthUserTotp => "auth.user.totp",
        /// Codes that stand in for a lost second factor. Ours.
        AuthUserRecoveryCodes => "auth.user.recovery-codes",
        /// A user group.
        AuthUserGroup => "auth.user.group",
        /// One login of a user.
        AuthApiSession => "auth.api.session",
        /// All logins of a user.
        AuthApiSessions => "auth.api.sessions",
        /// A client.
        Client => "client",
        /// Which user groups may access a client.
        ClientAcl => "client.acl",
        /// Tags and labels. Ours.
        ClientAttributes => "client.attributes",
        /// Credentials of agents.
        ClientAuth => "client.auth",
        /// A client group.
        ClientGroup => "client.group",
        /// A tunnel.
        ClientTunnel => "client.tunnel",
        /// A saved tunnel. Ours.
        ClientStoredTunnel => "client.stored-tunnel",
        /// A command.
        ClientCommand => "client.command",
        /// A script.
        ClientScript => "client.script",
        /// A saved command.
        LibraryCommand => "library.command",
        /// A saved script.
        LibraryScript => "library.script",
        /// The vault or a value in it.
        Vault => "vault",
        /// A schedule.
        Schedule => "schedule",
        /// A file pushed to clients.
        Uploads => "uploads",
    }
}

words! {
    /// What happened. The words are those of the Go server, except where said.
    AuditAction {
        /// Something new.
        Create => "create",
        /// A change.
        Update => "update",
        /// The end of something.
        Delete => "delete",
        /// A command or script was sent.
        ExecuteStart => "execute.start",
        /// A command or script ended.
        ExecuteDone => "execute.done",
        /// A command or script was ended by a user. Ours.
        ExecuteCancel => "execute.cancel",
        /// It worked.
        Success => "success",
        /// It did not.
        Failed => "failed",
        /// A login ended by its user. Ours.
        Logout => "logout",
        /// The vault got its password.
        Init => "init",
        /// The vault was locked.
        Lock => "lock",
        /// The vault was unlocked.
        Unlock => "unlock",
        /// A secret was shown or used. Ours; the Go server keeps no record of reading.
        Read => "read",
    }
}

/// One line of the audit log. Texts that do not apply are empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEntry {
    /// When it happened.
    pub timestamp: DateTime<FixedOffset>,
    /// What kind of thing was touched, such as `client.auth`.
    pub application: String,
    /// What happened to it, such as `create`.
    pub action: String,
    /// Who did it.
    pub username: String,
    /// From where.
    pub remote_ip: String,
    /// The id of the thing.
    pub affected_id: String,
    /// The client concerned.
    pub client_id: String,
    /// Its host name.
    pub client_hostname: String,
    /// What was asked for, as JSON. Never holds secrets.
    pub request: String,
    /// What came of it, as JSON. Never holds secrets.
    pub response: String,
}

/// The column that says whose entry it is.
pub const AUDIT_USERNAME: &str = "username";

/// What lists of audit entries allow. Source: API notes, section 4.2.
pub static AUDIT_LIST: ListSpec = ListSpec {
    default_limit: 10,
    max_limit: 100,
    sorts: &[
        "timestamp",
        AUDIT_USERNAME,
        "remote_ip",
        "application",
        "action",
        "affected_id",
        "client_id",
        "client_hostname",
    ],
    default_sort: &[],
    single_sort: None,
    filters: &[
        FilterSpec {
            name: "timestamp",
            operators: &[Operator::Gt, Operator::Lt, Operator::Since, Operator::Until],
        },
        FilterSpec::matching(AUDIT_USERNAME),
        FilterSpec::matching("remote_ip"),
        FilterSpec::matching("application"),
        FilterSpec::matching("action"),
        FilterSpec::matching("affected_id"),
        FilterSpec::matching("client_id"),
        FilterSpec::matching("client_hostname"),
    ],
    fields: None,
};

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_word_is_used_twice() {
        let applications: HashSet<_> = AuditApplication::ALL.iter().map(|one| one.as_str()).collect();
        assert_eq!(applications.len(), AuditApplication::ALL.len());
        let actions: HashSet<_> = AuditAction::ALL.iter().map(|one| one.as_str()).collect();
        assert_eq!(actions.len(), AuditAction::ALL.len());
    }
}
