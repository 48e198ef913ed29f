//! `[smtp]` and `[pushover]`: how codes and notifications reach a person.

use rport_runtime::{Secret, toml_config::Document};

use super::check;

/// `[smtp]` as written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SmtpSection {
    /// `host:port` of the mail server.
    pub server: String,
    /// Sender of mails.
    pub sender_email: String,
    /// User of the mail server.
    pub auth_username: String,
    /// Its password.
    pub auth_password: Secret,
    /// Whether TLS starts with the connection.
    pub secure: bool,
}

/// `[pushover]` as written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PushoverSection {
    /// Token of the application.
    pub api_token: Secret,
    /// Key of the account.
    pub user_key: Secret,
}

impl SmtpSection {
    pub(super) fn read(document: &Document) -> Self {
        let section = document.section("smtp");
        Self {
            server: section.string("server", ""),
            sender_email: section.string("sender_email", ""),
            auth_username: section.string("auth_username", ""),
            auth_password: section.secret("auth_password"),
            secure: section.boolean("secure", false),
        }
    }

    /// Checks the form only. Differs from RPort, which logged in to the mail server at every start and did not start
    /// when that failed.
    pub(super) fn check(&self, document: &Document) {
        if check::listen_address(&self.server).is_err() {
            document.error(
                "smtp.server",
                "API: smtp.server must be host:port when mails deliver 2FA codes",
            );
        }
        if !is_email(&self.sender_email) {
            document.error(
                "smtp.sender_email",
                "API: smtp.sender_email must be an e-mail address",
            );
        }
    }
}

impl PushoverSection {
    pub(super) fn read(document: &Document) -> Self {
        let section = document.section("pushover");
        Self {
            api_token: section.secret("api_token"),
            user_key: section.secret("user_key"),
        }
    }

    pub(super) fn check(&self, document: &Document) {
        for (key, value) in [("api_token", &self.api_token), ("user_key", &self.user_key)] {
            if value.is_empty() {
                let text = format!("API: pushover.{key} must be set when Pushover delivers 2FA codes");
                document.error(&format!("pushover.{key}"), text);
            }
        }
    }
}

fn is_email(text: &str) -> bool {
    let Some((user, host)) = text.split_once('@') else {
        return false;
    };
    let plain = |part: &str| {
        !part.is_empty() && !part.contains(|c: char| c.is_whitespace() || c.is_control() || c == '@')
    };
    plain(user) && plain(host)
}
