//! Which client is meant: by id, or by a name that only one has.

use std::fmt;

use serde_json::Value;

use super::{super::text, path_of};
use crate::{
    client::{Api, Query},
    failure::{Exit, Failure, Result},
    output::PageArgs,
};

/// A client as the operator names it.
#[derive(Debug, Clone, clap::Args)]
#[group(required = true, multiple = false, id = "client-ref")]
pub(crate) struct ClientRef {
    /// The client: its id, or its name if no other has it
    #[arg(value_name = "CLIENT")]
    any: Option<String>,
    /// The client's id, whatever the names of others
    #[arg(short = 'c', long = "client", value_name = "ID")]
    id: Option<String>,
    /// The client's name
    #[arg(short = 'n', long = "name", value_name = "NAME")]
    name: Option<String>,
}

/// A client that is there.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    /// Its id.
    pub(crate) id: String,
    /// Its name.
    pub(crate) name: String,
}

impl Found {
    /// The path of the client's resource.
    pub(crate) fn path(&self, below: &str) -> String {
        path_of(&self.id, below)
    }
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name.as_str() {
            name if name.is_empty() || name == self.id => f.write_str(&self.id),
            name => write!(f, "{name} ({})", self.id),
        }
    }
}

impl ClientRef {
    /// A client named by a word that may be an id or a name.
    pub(crate) fn any(word: &str) -> Self {
        Self {
            any: Some(word.to_owned()),
            id: None,
            name: None,
        }
    }

    /// A client named by the old flags, if one was.
    pub(crate) fn of_flags(id: Option<String>, name: Option<String>) -> Option<Self> {
        (id.is_some() || name.is_some()).then_some(Self { any: None, id, name })
    }

    /// The name, when it is a pattern for several.
    pub(crate) fn pattern(&self) -> Option<&str> {
        self.name.as_deref().filter(|name| name.contains('*'))
    }

    /// Finds it.
    ///
    /// # Errors
    /// When there is none, when several have the name, and whatever the server or the way to it gives.
    pub(crate) async fn find(&self, api: &Api) -> Result<Found> {
        if let Some(name) = &self.name {
            return by_name(api, name).await;
        }
        let word = self.id.as_ref().or(self.any.as_ref());
        let word = word.ok_or_else(|| Failure::usage("no client is named"))?;
        match by_id(api, word).await {
            Err(failure) if failure.exit() == Exit::NotFound && self.id.is_none() => by_name(api, word).await,
            found => found,
        }
    }
}

async fn by_id(api: &Api, id: &str) -> Result<Found> {
    if id.is_empty() {
        return Err(Failure::usage("the id of a client is not empty"));
    }
    let query = Query::new().with("fields[clients]", "id,name");
    api.get(&path_of(id, ""), &query)
        .await
        .map(|client| found(&client))
}

/// The filter cannot say `,` and takes `*` for anything, so it may let through more than the name.
async fn by_name(api: &Api, name: &str) -> Result<Found> {
    let query = Query::new()
        .with("filter[name]", name.replace(',', "*"))
        .with("fields[clients]", "id,name");
    let page = PageArgs::everything()
        .fetch(api, "/clients", &query, super::PAGE)
        .await?;
    one_of(name, &page.items)
}

fn one_of(name: &str, clients: &[Value]) -> Result<Found> {
    let exactly = |client: &&Value| text(client, "name") == name;
    let nearly = |client: &&Value| text(client, "name").to_lowercase() == name.to_lowercase();
    let mut fitting: Vec<&Value> = clients.iter().filter(exactly).collect();
    if fitting.is_empty() {
        fitting = clients.iter().filter(nearly).collect();
    }
    match fitting.as_slice() {
        [] => Err(
            Failure::not_found(format!("there is no client '{name}', neither by id nor by name"))
                .hint("list clients with: rportcli clients list --search NAME"),
        ),
        [client] => Ok(found(client)),
        several => {
            let ids: Vec<&str> = several.iter().take(10).map(|client| text(client, "id")).collect();
            let what = format!("{} clients have the name '{name}'", several.len());
            Err(Failure::new(Exit::Conflict, what).hint(format!("use an id: {}", ids.join(", "))))
        }
    }
}

fn found(client: &Value) -> Found {
    Found {
        id: text(client, "id").to_owned(),
        name: text(client, "name").to_owned(),
    }
}

/// Takes a client and further words apart, where the client may be given by an old flag instead of the first word.
///
/// # Errors
/// When there are too few or too many words.
pub(crate) fn found_of_words(
    flags: Option<ClientRef>,
    mut words: Vec<String>,
    more: usize,
    usage: &str,
) -> Result<(ClientRef, Vec<String>)> {
    let client = match flags {
        Some(client) => client,
        None if !words.is_empty() => ClientRef::any(&words.remove(0)),
        None => return Err(Failure::usage(format!("no client is named; usage: {usage}"))),
    };
    if words.len() > more {
        return Err(Failure::usage(format!("too many words; usage: {usage}")));
    }
    Ok((client, words))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn names_must_be_unique() {
        let clients = [
            json!({ "id": "1", "name": "web" }),
            json!({ "id": "2", "name": "WEB" }),
            json!({ "id": "3", "name": "db,1" }),
            json!({ "id": "4", "name": "db-x-1" }),
            json!({ "id": "5", "name": "Mail" }),
            json!({ "id": "6", "name": "mail" }),
        ];
        let find = |name: &str| one_of(name, &clients).map(|found| found.id);
        assert_eq!(find("web").expect("exact"), "1");
        assert_eq!(find("db,1").expect("exact"), "3");
        let ambiguous = find("MAIL").expect_err("two");
        assert_eq!(ambiguous.number(), 5);
        assert!(ambiguous.to_string().contains("5, 6"));
        assert_eq!(find("nobody").expect_err("none").number(), 4);
    }

    #[test]
    fn a_client_comes_first_or_by_flag() {
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        let (client, rest) = found_of_words(None, words(&["web", "7"]), 1, "x").expect("sound");
        assert_eq!(
            (client.any.as_deref(), rest.as_slice()),
            (Some("web"), &["7".to_owned()][..])
        );
        let flags = ClientRef::of_flags(Some("web".to_owned()), None);
        let (client, rest) = found_of_words(flags, words(&["7"]), 1, "x").expect("sound");
        assert_eq!((client.id.as_deref(), rest.len()), (Some("web"), 1));
        assert!(found_of_words(None, words(&[]), 1, "x").is_err());
        assert!(found_of_words(None, words(&["a", "b", "c"]), 1, "x").is_err());
    }
}
