//! `tokens`: API tokens, for scripts.

use serde_json::{Value, json};

use super::text;
use crate::{
    ask::Ask,
    cli::Session,
    client::{Api, Query, segment},
    failure::{Exit, Failure, Result},
    output::{Column, note, parse_expiry},
};

const COLUMNS: [Column; 5] = [
    Column::text("PREFIX", "prefix"),
    Column::text("NAME", "name"),
    Column::text("SCOPE", "scope"),
    Column::time("EXPIRES", "expires_at"),
    Column::time("MADE", "created_at"),
];
const MADE: [Column; 5] = [
    Column::text("TOKEN", "token"),
    Column::text("USER", "username"),
    Column::text("PREFIX", "prefix"),
    Column::text("SCOPE", "scope"),
    Column::time("EXPIRES", "expires_at"),
];

/// What can be done with API tokens.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// List your tokens, or those of a user
    List {
        /// Of this user; for administrators
        #[arg(long, value_name = "NAME")]
        user: Option<String>,
    },
    /// Make a token, which is shown once
    #[command(alias = "add")]
    Create {
        /// Its name
        name: String,
        /// What it may do: read, read+write or clients-auth
        #[arg(long, default_value = "read+write")]
        scope: String,
        /// When it ends: a duration (90d) or a time (2030-01-31); the server's year without
        #[arg(long, value_name = "WHEN", value_parser = parse_expiry)]
        expires: Option<String>,
    },
    /// Change name or expiry
    Change {
        /// Its prefix or name
        #[arg(value_name = "TOKEN")]
        wanted: String,
        /// Another name
        #[arg(long, value_name = "NAME")]
        rename: Option<String>,
        /// When it ends
        #[arg(long, value_name = "WHEN", value_parser = parse_expiry)]
        expires: Option<String>,
    },
    /// Delete a token, which then works no more
    Delete {
        /// Its prefix or name
        #[arg(value_name = "TOKEN")]
        wanted: String,
        /// Of this user; for administrators
        #[arg(long, value_name = "NAME")]
        user: Option<String>,
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
                let (tokens, _) = api.list(&path(user.as_deref()), &Query::new()).await?;
                out.list(&COLUMNS, &tokens)
            }
            Self::Create { name, scope, expires } => {
                let mut body = json!({ "name": name, "scope": scope });
                if let Some(expires) = expires.filter(|expires| !expires.is_empty()) {
                    body["expires_at"] = json!(expires);
                }
                let mut made = api.post("/me/tokens", &Query::new(), &body).await?;
                let me = api.get("/me", &Query::new()).await?;
                if let Some(made) = made.as_object_mut() {
                    made.insert("username".to_owned(), json!(text(&me, "username")));
                }
                out.record(&MADE, &made)?;
                note("The token is shown this once only. Use it with RPORT_API_USER and RPORT_API_TOKEN.");
                Ok(())
            }
            Self::Change {
                wanted,
                rename,
                expires,
            } => {
                let found = the_one(&api, &path(None), &wanted).await?;
                let mut body = json!({});
                if let Some(name) = rename {
                    body["name"] = json!(name);
                }
                if let Some(expires) = expires.filter(|expires| !expires.is_empty()) {
                    body["expires_at"] = json!(expires);
                }
                api.put(&below(None, &found), &Query::new(), &body).await?;
                out.done(&format!("Changed token {}.", text(&found, "prefix")))
            }
            Self::Delete { wanted, user, yes } => {
                let found = the_one(&api, &path(user.as_deref()), &wanted).await?;
                let (name, prefix) = (text(&found, "name"), text(&found, "prefix"));
                Ask::confirm(yes, &format!("Delete token {name} ({prefix})"))?;
                api.delete(&below(user.as_deref(), &found), &Query::new()).await?;
                out.done(&format!("Deleted token {name} ({prefix})."))
            }
        }
    }
}

fn path(user: Option<&str>) -> String {
    match user {
        Some(user) => format!("/users/{}/tokens", segment(user)),
        None => "/me/tokens".to_owned(),
    }
}

fn below(user: Option<&str>, token: &Value) -> String {
    format!("{}/{}", path(user), segment(text(token, "prefix")))
}

async fn the_one(api: &Api, path: &str, word: &str) -> Result<Value> {
    let (tokens, _) = api.list(path, &Query::new()).await?;
    let by = |key: &str| {
        tokens
            .iter()
            .filter(|token| text(token, key) == word)
            .collect::<Vec<_>>()
    };
    match (by("prefix").as_slice(), by("name").as_slice()) {
        ([token, ..], _) | ([], [token]) => Ok((*token).clone()),
        ([], []) => {
            Err(Failure::not_found(format!("there is no token '{word}'"))
                .hint("list them: rportcli tokens list"))
        }
        ([], several) => Err(Failure::new(
            Exit::Conflict,
            format!("{} tokens have the name '{word}'", several.len()),
        )
        .hint("use a prefix")),
    }
}
