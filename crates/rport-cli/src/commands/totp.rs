//! `totp`: an authenticator app as second factor.

use serde_json::json;

use super::{
    login::{show_recovery_codes, show_secret},
    text,
};
use crate::{
    ask::Ask,
    cli::Session,
    client::{Query, segment},
    failure::Result,
    output::Column,
};

/// What can be done with the second factor.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Make a secret and show it for your authenticator app
    #[command(alias = "enrol", alias = "create")]
    Enroll,
    /// Show the secret that you have
    Show,
    /// Tell how many recovery codes you have left, or make new ones
    RecoveryCodes {
        /// Make new ones; earlier ones stop working
        #[arg(long)]
        renew: bool,
    },
    /// Remove your secret; the next login makes another
    Delete {
        /// Do not ask
        #[arg(short, long)]
        yes: bool,
    },
    /// Remove the secret of a user who lost their app; for administrators
    Reset {
        /// The user's name
        user: String,
        /// Do not ask
        #[arg(short, long)]
        yes: bool,
    },
}

impl Command {
    /// Does it.
    ///
    /// # Errors
    /// Whatever the server or the way to it gives.
    pub(crate) async fn run(self, session: &Session) -> Result<()> {
        let api = session.api()?;
        let out = &session.out;
        match self {
            Self::Enroll | Self::Show => {
                let secret = match self {
                    Self::Show => api.get("/me/totp-secret", &Query::new()).await?,
                    _ => api.post("/me/totp-secret", &Query::new(), &json!({})).await?,
                };
                if !out.for_people() {
                    return out.json(&secret);
                }
                let me = api.get("/me", &Query::new()).await?;
                show_secret(text(&secret, "secret"), text(&me, "username"));
                show_recovery_codes(&secret["recovery_codes"]);
                Ok(())
            }
            Self::RecoveryCodes { renew: false } => {
                let left = api.get("/me/recovery-codes", &Query::new()).await?;
                out.record(&[Column::text("LEFT", "left")], &left)
            }
            Self::RecoveryCodes { renew: true } => {
                let made = api.post("/me/recovery-codes", &Query::new(), &json!({})).await?;
                if !out.for_people() {
                    return out.json(&made);
                }
                show_recovery_codes(&made["codes"]);
                Ok(())
            }
            Self::Delete { yes } => {
                Ask::confirm(yes, "Remove your second factor")?;
                api.delete("/me/totp-secret", &Query::new()).await?;
                out.done("Removed your second factor.")
            }
            Self::Reset { user, yes } => {
                Ask::confirm(yes, &format!("Remove the second factor of {user}"))?;
                api.delete(&format!("/users/{}/totp-secret", segment(&user)), &Query::new())
                    .await?;
                out.done(&format!("Removed the second factor of {user}."))
            }
        }
    }
}
