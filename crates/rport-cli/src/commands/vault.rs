//! `vault`: values that are kept encrypted on the server.

use std::{
    io::{IsTerminal, Read},
    path::PathBuf,
};

use rport_runtime::Secret;
use serde_json::{Value, json};

use super::text;
use crate::{
    ask::Ask,
    cli::Session,
    client::{Api, Query, segment},
    failure::{Exit, Failure, Result},
    output::Column,
};

const STATUS: [Column; 2] = [Column::text("VAULT", "init"), Column::text("STATE", "status")];
const LIST: [Column; 5] = [
    Column::text("ID", "id"),
    Column::text("KEY", "key"),
    Column::text("CLIENT", "client_id"),
    Column::text("MADE BY", "created_by"),
    Column::time("MADE", "created_at"),
];
const DETAILS: [Column; 10] = [
    Column::text("ID", "id"),
    Column::text("KEY", "key"),
    Column::text("CLIENT", "client_id"),
    Column::text("TYPE", "type"),
    Column::text("REQUIRED GROUP", "required_group"),
    Column::text("VALUE", "value"),
    Column::text("MADE BY", "created_by"),
    Column::time("MADE", "created_at"),
    Column::text("CHANGED BY", "updated_by"),
    Column::time("CHANGED", "updated_at"),
];

/// What can be done with the vault.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Show whether there is a vault and whether it is locked
    Status,
    /// Make the vault; its password cannot be changed later, nor found out
    Init(Password),
    /// Unlock the vault for everybody, until it is locked or the server stops
    Unlock(Password),
    /// Lock the vault for everybody
    Lock,
    /// List the keys you may use
    List,
    /// Show a value; the audit log notes that you read it
    #[command(alias = "get")]
    Show {
        #[command(flatten)]
        which: Which,
        /// Print the value only, as it is
        #[arg(long)]
        value: bool,
    },
    /// Store a value, which is asked for or read from a file or standard input
    #[command(alias = "create")]
    Add {
        /// Its name, unique among the values of a client
        key: String,
        #[command(flatten)]
        about: About,
        /// The client it belongs to, by its id; all clients without
        #[arg(short, long = "client", value_name = "ID")]
        client: Option<String>,
        #[command(flatten)]
        source: Source,
    },
    /// Change a value or what is known about it
    #[command(alias = "update")]
    Change {
        #[command(flatten)]
        which: Which,
        #[command(flatten)]
        about: About,
        /// Another name
        #[arg(long, value_name = "KEY")]
        rename: Option<String>,
        /// Ask for another value
        #[arg(long, conflicts_with = "file")]
        value: bool,
        #[command(flatten)]
        source: Source,
    },
    /// Forget a value
    Delete {
        #[command(flatten)]
        which: Which,
        /// Do not ask
        #[arg(short, long)]
        yes: bool,
    },
}

/// Where the vault's password comes from.
#[derive(Debug, clap::Args)]
pub(crate) struct Password {
    /// Read the password from standard input instead of asking
    #[arg(long, conflicts_with = "password_file")]
    password_stdin: bool,
    /// Read the password from the first line of a file
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
}

/// Which value is meant.
#[derive(Debug, clap::Args)]
pub(crate) struct Which {
    /// Its key, or its id
    #[arg(value_name = "KEY")]
    which: String,
    /// The client it belongs to, by its id; none without
    #[arg(short, long = "client", value_name = "ID")]
    client: Option<String>,
}

/// What is known about a value.
#[derive(Debug, clap::Args)]
pub(crate) struct About {
    /// What it is: text, secret, markdown or string [default: secret]
    #[arg(long = "type", value_name = "TYPE")]
    kind: Option<String>,
    /// The user group whose members alone may use it; empty for everybody
    #[arg(long, value_name = "GROUP")]
    required_group: Option<String>,
}

/// Where a value comes from.
#[derive(Debug, clap::Args)]
pub(crate) struct Source {
    /// Read the value from a file, - for standard input; one line break at its end is left out
    #[arg(short, long, value_name = "FILE")]
    file: Option<PathBuf>,
}

impl Password {
    fn take(&self, new: bool) -> Result<Secret> {
        const PROMPT: &str = "Password of the vault";
        if let Some(path) = &self.password_file {
            let text = read(path)?;
            let first = text.expose().lines().next().unwrap_or_default();
            if first.is_empty() {
                return Err(Failure::usage(format!(
                    "{}: there is no password in it",
                    path.display()
                )));
            }
            return Ok(Secret::new(first));
        }
        let ask = Ask::new(self.password_stdin);
        if new {
            ask.new_secret(PROMPT)
        } else {
            ask.secret(PROMPT)
        }
    }

    fn body(&self, new: bool) -> Result<Value> {
        Ok(json!({ "password": self.take(new)?.expose() }))
    }
}

impl Source {
    /// The value: from the file, from a pipe, or typed in without echo.
    fn take(&self) -> Result<Secret> {
        let value = match &self.file {
            Some(path) => read(path)?,
            None if !std::io::stdin().is_terminal() => read("-".as_ref())?,
            None => return Ask::new(false).secret("Value"),
        };
        let text = value.expose();
        let text = text.strip_suffix('\n').unwrap_or(text);
        Ok(Secret::new(text.strip_suffix('\r').unwrap_or(text)))
    }
}

/// Reads a file or standard input that holds a secret.
fn read(path: &std::path::Path) -> Result<Secret> {
    let mut text = String::new();
    let read = if path.as_os_str() == "-" {
        std::io::stdin().read_to_string(&mut text).map(drop)
    } else {
        std::fs::File::open(path).and_then(|mut file| file.read_to_string(&mut text).map(drop))
    };
    let text = Secret::new(text);
    read.map_err(|error| Failure::usage(format!("{}: {error}", path.display())))?;
    Ok(text)
}

impl Which {
    /// Finds the id.
    async fn find(&self, api: &Api) -> Result<String> {
        let (values, _) = api.list("/vault", &Query::new()).await?;
        self.among(&values)
    }

    fn among(&self, values: &[Value]) -> Result<String> {
        let client = self.client.as_deref().unwrap_or_default();
        let id = |value: &Value| value["id"].to_string();
        let named: Vec<&Value> = values
            .iter()
            .filter(|value| text(value, "key") == self.which)
            .collect();
        if let Some(own) = named.iter().find(|value| text(value, "client_id") == client) {
            return Ok(id(own));
        }
        match named.as_slice() {
            // Nobody else can be meant, unless a client was named.
            [only] if self.client.is_none() => Ok(id(only)),
            [] if self.client.is_none() && values.iter().any(|value| id(value) == self.which) => {
                Ok(self.which.clone())
            }
            [] => Err(
                Failure::not_found(format!("the vault has no key '{}' that you may use", self.which))
                    .hint("list them with: rportcli vault list"),
            ),
            _ if self.client.is_some() => Err(Failure::not_found(format!(
                "the vault has no key '{}' for client {client}",
                self.which
            ))),
            _ => Err(Failure::new(
                Exit::Conflict,
                format!("several clients have a key '{}'", self.which),
            )
            .hint("name the client with -c ID, or use the id of the value")),
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
        let none = Query::new();
        match self {
            Self::Status => out.record(&STATUS, &api.get("/vault-admin", &none).await?),
            Self::Init(password) => {
                api.post("/vault-admin/init", &none, &password.body(true)?)
                    .await?;
                out.done("The vault is made and unlocked. Keep its password: nobody can find it out.")
            }
            Self::Unlock(password) => {
                api.post("/vault-admin/sesame", &none, &password.body(false)?)
                    .await?;
                out.done("The vault is unlocked.")
            }
            Self::Lock => {
                api.delete("/vault-admin/sesame", &none).await?;
                out.done("The vault is locked.")
            }
            Self::List => {
                let (values, _) = api.list("/vault", &none).await?;
                out.list(&LIST, &values)
            }
            Self::Show { which, value } => {
                let found = api.get(&path(&which.find(&api).await?), &none).await?;
                if value {
                    return out.line(text(&found, "value"));
                }
                out.record(&DETAILS, &found)
            }
            Self::Add {
                key,
                about,
                client,
                source,
            } => {
                let secret = source.take()?;
                let body = json!({
                    "key": key, "value": secret.expose(), "type": about.kind.as_deref().unwrap_or("secret"),
                    "client_id": client.unwrap_or_default(),
                    "required_group": about.required_group.unwrap_or_default(),
                });
                let stored = api.post("/vault", &none, &body).await?;
                if !out.for_people() {
                    return out.record(&[Column::text("ID", "id")], &stored);
                }
                out.done(&format!("Stored {key} under the id {}.", stored["id"]))
            }
            Self::Change {
                which,
                about,
                rename,
                value,
                source,
            } => {
                let id = which.find(&api).await?;
                // The API replaces all of it, so what is kept has to be read.
                let mut body = api.get(&path(&id), &none).await?;
                if value || source.file.is_some() {
                    body["value"] = json!(source.take()?.expose());
                }
                for (member, new) in [
                    ("key", rename),
                    ("type", about.kind),
                    ("required_group", about.required_group),
                ] {
                    if let Some(new) = new {
                        body[member] = json!(new);
                    }
                }
                let kept = ["key", "value", "type", "client_id", "required_group"];
                let body: Value = kept
                    .iter()
                    .map(|member| (*member, body[*member].clone()))
                    .collect();
                api.put(&path(&id), &none, &body).await?;
                out.done(&format!("Changed {}.", text(&body, "key")))
            }
            Self::Delete { which, yes } => {
                let id = which.find(&api).await?;
                Ask::confirm(yes, &format!("Delete {} from the vault", which.which))?;
                api.delete(&path(&id), &none).await?;
                out.done(&format!("Deleted {}.", which.which))
            }
        }
    }
}

fn path(id: &str) -> String {
    format!("/vault/{}", segment(id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_come_before_ids_and_the_clients_own_before_any() {
        let values = [
            json!({ "id": 1, "key": "db", "client_id": "" }),
            json!({ "id": 2, "key": "db", "client_id": "web" }),
            json!({ "id": 3, "key": "only", "client_id": "web" }),
            json!({ "id": 4, "key": "two", "client_id": "a" }),
            json!({ "id": 5, "key": "two", "client_id": "b" }),
            json!({ "id": 6, "key": "1", "client_id": "" }),
        ];
        let find = |which: &str, client: Option<&str>| {
            let (which, client) = (which.to_owned(), client.map(str::to_owned));
            Which { which, client }
                .among(&values)
                .map_err(|failure| failure.number())
        };
        assert_eq!(find("db", None).as_deref(), Ok("1"));
        assert_eq!(find("db", Some("web")).as_deref(), Ok("2"));
        assert_eq!(find("only", None).as_deref(), Ok("3"));
        assert_eq!(find("1", None).as_deref(), Ok("6"));
        assert_eq!(find("4", None).as_deref(), Ok("4"));
        assert_eq!(find("two", None), Err(5));
        assert_eq!(find("db", Some("mail")), Err(4));
        assert_eq!(find("x", None), Err(4));
    }
}
