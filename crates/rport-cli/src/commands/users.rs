//! `users`: who may use the server.

use serde_json::{Value, json};

use super::text;
use crate::{
    ask::{Ask, PasswordArgs},
    cli::Session,
    client::{Query, segment},
    failure::{Failure, Result},
    output::{Column, Kind, note},
};

const COLUMNS: [Column; 5] = [
    Column::text("USER", "username"),
    Column::text("GROUPS", "groups"),
    Column::text("CODES GO TO", "two_fa_send_to"),
    Column::of("EXPIRED", "password_expired", Kind::Flag),
    Column::text("MAY USE", "effective_user_permissions").wide(),
];
const GENERATED: [Column; 2] = [
    Column::text("USER", "username"),
    Column::text("PASSWORD", "password"),
];

/// What can be done with users.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// List users
    List,
    /// Show a user
    Get {
        /// Their name
        name: String,
    },
    /// Add a user; the password is asked for unless --generate is given
    #[command(alias = "create")]
    Add {
        /// Their name
        name: String,
        #[command(flatten)]
        password: PasswordArgs,
        #[command(flatten)]
        about: About,
    },
    /// Change a user
    #[command(alias = "update")]
    Change {
        /// Their name
        name: String,
        /// Another name
        #[arg(long, value_name = "NAME")]
        rename: Option<String>,
        /// Ask for another password
        #[arg(long, conflicts_with_all = ["password_stdin", "generate"])]
        password: bool,
        #[command(flatten)]
        new_password: PasswordArgs,
        #[command(flatten)]
        about: About,
    },
    /// Change your own password
    Passwd {
        /// Read the old and the new password from standard input, a line each
        #[arg(long)]
        password_stdin: bool,
    },
    /// Delete a user with their tokens and logins
    Delete {
        /// Their name
        name: String,
        /// Do not ask
        #[arg(short, long)]
        yes: bool,
    },
}

/// What belongs to a user.
#[derive(Debug, clap::Args)]
pub(crate) struct About {
    /// Groups, with commas between; replaces those of a user that exists
    #[arg(long, value_name = "GROUP,…", value_delimiter = ',')]
    groups: Option<Vec<String>>,
    /// Where codes of the second factor go
    #[arg(long, value_name = "ADDRESS")]
    send_to: Option<String>,
    /// Whether the password has to be changed at the next login, which ends those that are alive
    #[arg(long, value_name = "true|false", num_args = 0..=1, default_missing_value = "true")]
    expired: Option<bool>,
}

impl About {
    fn add_to(self, body: &mut Value) {
        if let Some(groups) = self.groups {
            let groups: Vec<String> = groups.into_iter().filter(|group| !group.is_empty()).collect();
            body["groups"] = json!(groups);
        }
        if let Some(address) = self.send_to {
            body["two_fa_send_to"] = json!(address);
        }
        if let Some(expired) = self.expired {
            body["password_expired"] = json!(expired);
        }
    }
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
            Self::List => {
                let (mut users, _) = api.list("/users", &Query::new()).await?;
                users.sort_by(|a, b| text(a, "username").cmp(text(b, "username")));
                out.list(&COLUMNS, &users)
            }
            Self::Get { name } => {
                let (users, _) = api.list("/users", &Query::new()).await?;
                let found = users.iter().find(|user| text(user, "username") == name);
                let found = found.ok_or_else(|| Failure::not_found(format!("there is no user '{name}'")))?;
                out.record(&COLUMNS, found)
            }
            Self::Add {
                name,
                password,
                about,
            } => {
                let secret = password.take(&format!("Password of {name}"))?;
                let mut body = json!({ "username": name, "password": secret.expose() });
                about.add_to(&mut body);
                api.post("/users", &Query::new(), &body).await?;
                told(session, password, &body, &name, &format!("Added {name}."))
            }
            Self::Change {
                name,
                rename,
                password,
                new_password,
                about,
            } => {
                let mut body = json!({});
                if password || new_password.given() {
                    let secret = new_password.take(&format!("New password of {name}"))?;
                    body["password"] = json!(secret.expose());
                }
                if let Some(other) = &rename {
                    body["username"] = json!(other);
                }
                about.add_to(&mut body);
                api.put(&path(&name), &Query::new(), &body).await?;
                let name = rename.unwrap_or(name);
                told(session, new_password, &body, &name, &format!("Changed {name}."))
            }
            Self::Passwd { password_stdin } => {
                let ask = Ask::new(password_stdin);
                let old = ask.secret("Old password")?;
                let new = ask.new_secret("New password")?;
                let body = json!({ "password": new.expose(), "old_password": old.expose() });
                api.put("/me", &Query::new(), &body).await?;
                out.done("Your password is changed.")
            }
            Self::Delete { name, yes } => {
                Ask::confirm(yes, &format!("Delete user {name}"))?;
                api.delete(&path(&name), &Query::new()).await?;
                out.done(&format!("Deleted {name}."))
            }
        }
    }
}

fn path(name: &str) -> String {
    format!("/users/{}", segment(name))
}

/// Shows a password that was made here, once.
fn told(session: &Session, password: PasswordArgs, body: &Value, name: &str, done: &str) -> Result<()> {
    if !password.generate {
        return session.out.done(done);
    }
    let made = json!({ "username": name, "password": body["password"] });
    session.out.record(&GENERATED, &made)?;
    note("The password is shown this once only.");
    Ok(())
}
