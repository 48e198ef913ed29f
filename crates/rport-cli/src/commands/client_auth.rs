//! `client-auth`: the credentials that machines connect with.

use std::time::Duration;

use serde_json::{Value, json};

use super::{clients::PAGE, text};
use crate::{
    ask::{Ask, PasswordArgs},
    cli::Session,
    client::{Query, segment},
    failure::Result,
    output::{Column, Kind, PageArgs, note, parse_duration, parse_expiry},
};

const COLUMNS: [Column; 12] = [
    Column::text("ID", "id"),
    Column::of("OFF", "disabled", Kind::Flag),
    Column::text("CLIENTS", "num_clients"),
    Column::text("CONNECTED", "num_clients_connected"),
    Column::time("EXPIRES", "expires_at"),
    Column::time("LAST USED", "last_used_at"),
    Column::of("HASHED", "password_hashed", Kind::Flag),
    Column::text("COMMENT", "comment"),
    Column::time("ADDED", "created_at").wide(),
    Column::time("CHANGED", "updated_at").wide(),
    Column::time("OLD PASSWORD UNTIL", "previous_password_until"),
    Column::text("PASSWORD", "password"),
];
const GENERATED: [Column; 2] = [Column::text("ID", "id"), Column::text("PASSWORD", "password")];

/// What can be done with credentials.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// List credentials, without passwords
    List {
        /// Only ids that fit; * stands for anything
        #[arg(long, value_name = "PATTERN")]
        id: Option<String>,
        /// JSON and CSV with the passwords that the server knows
        #[arg(long)]
        show_passwords: bool,
        #[command(flatten)]
        page: PageArgs,
    },
    /// Show credentials
    Get {
        /// Their id
        id: String,
        /// With the password, where the server knows it
        #[arg(long)]
        show_password: bool,
    },
    /// Add credentials; the password is asked for unless --generate is given
    Add {
        /// Their id, at least 3 bytes
        id: String,
        #[command(flatten)]
        password: PasswordArgs,
        #[command(flatten)]
        about: About,
    },
    /// Give credentials another password
    Rotate {
        /// Their id
        id: String,
        #[command(flatten)]
        password: PasswordArgs,
        /// How long the old password is accepted, too
        #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
        grace: Option<Duration>,
        /// End the connections of clients that use them
        #[arg(short, long)]
        force: bool,
    },
    /// Change comment or expiry
    Change {
        /// Their id
        id: String,
        #[command(flatten)]
        about: About,
    },
    /// Let nobody log in with them until they are enabled
    Disable {
        /// Their id
        id: String,
        /// End the connections of clients that use them, too
        #[arg(short, long)]
        force: bool,
    },
    /// Let clients log in with them again
    Enable {
        /// Their id
        id: String,
    },
    /// Delete credentials
    Delete {
        /// Their id
        id: String,
        /// Forget the clients that use them, too
        #[arg(short, long)]
        force: bool,
        /// Do not ask
        #[arg(short, long)]
        yes: bool,
    },
}

/// What belongs to credentials.
#[derive(Debug, clap::Args)]
pub(crate) struct About {
    /// Note for people
    #[arg(long, value_name = "TEXT")]
    comment: Option<String>,
    /// When they end: a duration (90d), a time (2030-01-31), or `never`
    #[arg(long, value_name = "WHEN", value_parser = parse_expiry)]
    expires: Option<String>,
}

impl About {
    fn add_to(self, body: &mut Value) {
        if let Some(comment) = self.comment {
            body["comment"] = json!(comment);
        }
        if let Some(expires) = self.expires {
            body["expires_at"] = json!(expires);
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
            Self::List {
                id,
                show_passwords,
                page,
            } => {
                let mut query = Query::new();
                query.add_some("filter[id]", id);
                let mut items = page.fetch_and_tell(&api, "/clients-auth", &query, PAGE).await?;
                if !show_passwords {
                    items.iter_mut().for_each(hide);
                }
                out.list(&COLUMNS[..COLUMNS.len() - usize::from(!show_passwords)], &items)
            }
            Self::Get { id, show_password } => {
                let mut item = api.get(&path(&id), &Query::new()).await?;
                if !show_password {
                    hide(&mut item);
                }
                out.record(&COLUMNS, &item)
            }
            Self::Add { id, password, about } => {
                let mut body = json!({ "id": id });
                set_password(&mut body, password, &format!("Password of {id}"))?;
                about.add_to(&mut body);
                let made = api.post("/clients-auth", &Query::new(), &body).await?;
                shown_once(session, &made, &format!("Added {id}."))
            }
            Self::Rotate {
                id,
                password,
                grace,
                force,
            } => {
                let mut body = json!({ "force": force });
                set_password(&mut body, password, &format!("New password of {id}"))?;
                if let Some(grace) = grace {
                    body["grace_seconds"] = json!(grace.as_secs());
                }
                let made = api.put(&path(&id), &Query::new(), &body).await?;
                shown_once(session, &made, &format!("{id} has another password."))
            }
            Self::Change { id, about } => {
                let mut body = json!({});
                about.add_to(&mut body);
                api.put(&path(&id), &Query::new(), &body).await?;
                out.done(&format!("Changed {id}."))
            }
            Self::Disable { id, force } => {
                let body = json!({ "disabled": true, "force": force });
                api.put(&path(&id), &Query::new(), &body).await?;
                out.done(&format!("Nobody can log in with {id} now."))
            }
            Self::Enable { id } => {
                api.put(&path(&id), &Query::new(), &json!({ "disabled": false }))
                    .await?;
                out.done(&format!("Clients can log in with {id} again."))
            }
            Self::Delete { id, force, yes } => {
                let with = if force { " and forget their clients" } else { "" };
                Ask::confirm(yes, &format!("Delete the credentials {id}{with}"))?;
                let query = if force {
                    Query::new().with("force", "true")
                } else {
                    Query::new()
                };
                api.delete(&path(&id), &query).await?;
                out.done(&format!("Deleted {id}."))
            }
        }
    }
}

fn path(id: &str) -> String {
    format!("/clients-auth/{}", segment(id))
}

fn hide(item: &mut Value) {
    if let Some(members) = item.as_object_mut() {
        members.remove("password");
    }
}

/// The server generates, so that its rules hold.
fn set_password(body: &mut Value, password: PasswordArgs, prompt: &str) -> Result<()> {
    match password.ask(prompt)? {
        Some(password) => body["password"] = json!(password.expose()),
        None => body["generate"] = json!(true),
    }
    Ok(())
}

fn shown_once(session: &Session, made: &Value, done: &str) -> Result<()> {
    if text(made, "password").is_empty() {
        return session.out.done(done);
    }
    session.out.record(&GENERATED, made)?;
    note("The password is shown this once only.");
    Ok(())
}
