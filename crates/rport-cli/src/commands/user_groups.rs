//! `user-groups`: what users may do.

use serde_json::{Value, json};

use crate::{
    ask::Ask,
    cli::Session,
    client::{Query, segment},
    failure::Result,
    output::Column,
};

const COLUMNS: [Column; 4] = [
    Column::text("GROUP", "name"),
    Column::text("MAY USE", "permissions"),
    Column::text("TUNNELS RESTRICTED", "tunnels_restricted"),
    Column::text("COMMANDS RESTRICTED", "commands_restricted"),
];

/// What can be done with groups of users.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// List groups
    List,
    /// Show a group
    Get {
        /// Its name
        name: String,
    },
    /// Grant or revoke permissions: tunnels, scripts, commands, vault, scheduler, monitoring, uploads, auditlog
    #[command(alias = "change")]
    Set {
        /// The group's name; one that does not exist is made
        name: String,
        /// Permissions to grant, with commas between
        #[arg(long, value_name = "PERMISSION,…", value_delimiter = ',')]
        grant: Vec<String>,
        /// Permissions to revoke, with commas between
        #[arg(long, value_name = "PERMISSION,…", value_delimiter = ',')]
        revoke: Vec<String>,
    },
    /// Delete a group and its memberships
    Delete {
        /// Its name
        name: String,
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
            Self::List => {
                let (groups, _) = api.list("/user-groups", &Query::new()).await?;
                out.list(&COLUMNS, &groups)
            }
            Self::Get { name } => out.record(&COLUMNS, &api.get(&path(&name), &Query::new()).await?),
            Self::Set { name, grant, revoke } => {
                let before = api.get(&path(&name), &Query::new()).await?;
                let body = changed(&before, &grant, &revoke);
                let answer = api.put(&path(&name), &Query::new(), &body).await?;
                out.record(&COLUMNS, if answer.is_object() { &answer } else { &body })
            }
            Self::Delete { name, yes } => {
                Ask::confirm(yes, &format!("Delete user group {name}"))?;
                api.delete(&path(&name), &Query::new()).await?;
                out.done(&format!("Deleted {name}."))
            }
        }
    }
}

fn path(name: &str) -> String {
    format!("/user-groups/{}", segment(name))
}

/// The API replaces the whole group, so what is not spoken of comes along. Names that it does not know it refuses.
fn changed(before: &Value, grant: &[String], revoke: &[String]) -> Value {
    let mut permissions = before["permissions"].as_object().cloned().unwrap_or_default();
    for name in grant {
        permissions.insert(name.clone(), json!(true));
    }
    for name in revoke {
        permissions.insert(name.clone(), json!(false));
    }
    let mut body = json!({ "permissions": permissions });
    for key in ["tunnels_restricted", "commands_restricted"] {
        if let Some(restriction) = before.get(key).filter(|restriction| !restriction.is_null()) {
            body[key] = restriction.clone();
        }
    }
    body
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rest_of_the_group_stays() {
        let before = json!({ "name": "g", "permissions": { "tunnels": true, "vault": true }, "tunnels_restricted": { "a": 1 } });
        let after = changed(&before, &["uploads".to_owned()], &["vault".to_owned()]);
        assert_eq!(
            after,
            json!({ "permissions": { "tunnels": true, "vault": false, "uploads": true }, "tunnels_restricted": { "a": 1 } })
        );
    }
}
