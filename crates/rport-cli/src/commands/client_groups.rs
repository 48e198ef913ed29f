//! `client-groups`: machines that belong together.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{clients::PAGE, pair};
use crate::{
    ask::Ask,
    cli::Session,
    client::{Query, segment},
    failure::Result,
    output::{Column, PageArgs},
};

const COLUMNS: [Column; 7] = [
    Column::text("ID", "id"),
    Column::text("DESCRIPTION", "description"),
    Column::text("CLIENTS", "num_clients"),
    Column::text("CONNECTED", "num_clients_connected"),
    Column::text("USER GROUPS", "allowed_user_groups"),
    Column::text("PARAMETERS", "params").wide(),
    Column::text("MEMBERS", "client_ids").wide(),
];
/// All of a group; the list has less unless asked.
const FIELDS: &str = "id,description,params,allowed_user_groups,client_ids,num_clients,num_clients_connected";

/// What can be done with groups of clients.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// List groups
    List {
        #[command(flatten)]
        page: PageArgs,
    },
    /// Show a group with its members
    Get {
        /// Its id
        id: String,
    },
    /// Make a group
    #[command(alias = "create")]
    Add {
        /// Its id: up to 30 letters, digits, _ - *
        id: String,
        #[command(flatten)]
        about: About,
    },
    /// Change a group; parameters that are named replace all there were
    #[command(alias = "update")]
    Change {
        /// Its id
        id: String,
        #[command(flatten)]
        about: About,
    },
    /// Delete a group; its members stay
    Delete {
        /// Its id
        id: String,
        /// Do not ask
        #[arg(short, long)]
        yes: bool,
    },
}

/// What belongs to a group.
#[derive(Debug, clap::Args)]
pub(crate) struct About {
    /// What it is for
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// Who belongs to it, such as name=web*, os_family=debian or client_id=ID; all kinds named must fit, of each kind one
    #[arg(short, long = "param", value_name = "KIND=PATTERN", value_parser = pair)]
    params: Vec<(String, String)>,
    /// Who belongs to it, by tags with commas between, any of which will do
    #[arg(
        long,
        value_name = "TAG,…",
        value_delimiter = ',',
        conflicts_with = "all_tags"
    )]
    any_tag: Vec<String>,
    /// Who belongs to it, by tags with commas between, all of which must be there
    #[arg(long, value_name = "TAG,…", value_delimiter = ',')]
    all_tags: Vec<String>,
    /// User groups that may see its members, with commas between
    #[arg(long, value_name = "GROUP,…", value_delimiter = ',')]
    user_groups: Option<Vec<String>>,
}

impl About {
    fn params(&self) -> Option<Value> {
        let mut params: BTreeMap<&str, Value> = BTreeMap::new();
        for (kind, pattern) in &self.params {
            let patterns = params.entry(kind).or_insert_with(|| json!([]));
            if let Some(patterns) = patterns.as_array_mut() {
                patterns.push(json!(pattern));
            }
        }
        if !self.any_tag.is_empty() {
            params.insert("tag", json!({ "or": self.any_tag }));
        }
        if !self.all_tags.is_empty() {
            params.insert("tag", json!({ "and": self.all_tags }));
        }
        (!params.is_empty()).then(|| json!(params))
    }

    /// The API replaces the whole group.
    fn apply(self, id: &str, before: &Value) -> Value {
        let kept = |key: &str| before.get(key).cloned().unwrap_or_default();
        let groups = self.user_groups.as_ref().map(|groups| {
            json!(
                groups
                    .iter()
                    .filter(|group| !group.is_empty())
                    .collect::<Vec<_>>()
            )
        });
        let params = self.params().unwrap_or_else(|| kept("params"));
        json!({
            "id": id,
            "description": self.description.clone().map_or_else(|| kept("description"), Value::from),
            "params": if params.is_null() { json!({}) } else { params },
            "allowed_user_groups": groups.unwrap_or_else(|| kept("allowed_user_groups")),
        })
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
            Self::List { page } => {
                let query = Query::new().with("fields[client_groups]", FIELDS);
                let groups = page.fetch_and_tell(&api, "/client-groups", &query, PAGE).await?;
                out.list(&COLUMNS, &groups)
            }
            Self::Get { id } => out.record(&COLUMNS, &api.get(&path(&id), &Query::new()).await?),
            Self::Add { id, about } => {
                let body = about.apply(&id, &json!({ "description": "" }));
                api.post("/client-groups", &Query::new(), &body).await?;
                out.done(&format!("Made group {id}."))
            }
            Self::Change { id, about } => {
                let before = api.get(&path(&id), &Query::new()).await?;
                let body = about.apply(&id, &before);
                api.put(&path(&id), &Query::new(), &body).await?;
                out.done(&format!("Changed group {id}."))
            }
            Self::Delete { id, yes } => {
                Ask::confirm(yes, &format!("Delete client group {id}"))?;
                api.delete(&path(&id), &Query::new()).await?;
                out.done(&format!("Deleted group {id}."))
            }
        }
    }
}

fn path(id: &str) -> String {
    format!("/client-groups/{}", segment(id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_keeps_what_is_not_named() {
        let about = About {
            description: None,
            params: vec![
                pair("name=web*").expect("a pair"),
                pair("name=db*").expect("a pair"),
            ],
            any_tag: Vec::new(),
            all_tags: vec!["prod".to_owned()],
            user_groups: None,
        };
        let before = json!({ "description": "kept", "params": { "os": ["x"] }, "allowed_user_groups": ["g"], "client_ids": ["c"] });
        assert_eq!(
            about.apply("id", &before),
            json!({
                "id": "id", "description": "kept", "allowed_user_groups": ["g"],
                "params": { "name": ["web*", "db*"], "tag": { "and": ["prod"] } },
            })
        );
    }
}
