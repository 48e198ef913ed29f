//! `sessions`: logins that are alive.

use crate::{
    ask::Ask,
    cli::Session,
    client::{Query, segment},
    failure::{Failure, Result},
    output::{Column, Kind},
};

const COLUMNS: [Column; 7] = [
    Column::text("ID", "session_id"),
    Column::text("USER", "username"),
    Column::of("THIS ONE", "current", Kind::Flag),
    Column::time("LAST USED", "last_access_at"),
    Column::time("ENDS", "expires_at"),
    Column::text("ADDRESS", "ip_address"),
    Column::text("PROGRAM", "user_agent"),
];

/// What can be done with logins.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// List your logins, or those of a user
    List {
        /// Of this user; for administrators
        #[arg(long, value_name = "NAME")]
        user: Option<String>,
    },
    /// End a login, which then works no more
    #[command(alias = "delete")]
    Kill {
        /// The login's id
        #[arg(required_unless_present = "all")]
        id: Option<i64>,
        /// Of this user; for administrators
        #[arg(long, value_name = "NAME")]
        user: Option<String>,
        /// All logins of the user
        #[arg(long, requires = "user", conflicts_with = "id")]
        all: bool,
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
            Self::List { user } => {
                let (sessions, _) = api.list(&path(user.as_deref()), &Query::new()).await?;
                out.list(&COLUMNS, &sessions)
            }
            Self::Kill {
                id: Some(id),
                user,
                yes,
                ..
            } => {
                Ask::confirm(yes, &format!("End login {id}"))?;
                api.delete(&format!("{}/{id}", path(user.as_deref())), &Query::new())
                    .await?;
                out.done(&format!("Ended login {id}."))
            }
            Self::Kill {
                user: Some(user),
                yes,
                ..
            } => {
                Ask::confirm(yes, &format!("End all logins of {user}"))?;
                api.delete(&path(Some(&user)), &Query::new()).await?;
                out.done(&format!("Ended all logins of {user}."))
            }
            Self::Kill { .. } => {
                Err(Failure::usage("which login?").hint("list them: rportcli sessions list"))
            }
        }
    }
}

fn path(user: Option<&str>) -> String {
    match user {
        Some(user) => format!("/users/{}/sessions", segment(user)),
        None => "/me/sessions".to_owned(),
    }
}
