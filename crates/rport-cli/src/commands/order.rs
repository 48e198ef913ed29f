//! What is ordered, and of whom: shared by `run`, `script` and `schedule`.

use std::{collections::BTreeMap, time::Duration};

use serde_json::{Value, json};

use super::{
    clients::{ClientRef, PAGE},
    library::Half,
    pair, text,
};
use crate::{
    client::{Api, Query},
    failure::{Failure, Result},
    output::{PageArgs, parse_duration, parse_expiry},
};

/// Which clients.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct TargetArgs {
    /// Clients by id or name, with commas between or several times; a name may be a pattern such as web*
    #[arg(short, long = "client", value_name = "CLIENT,…", value_delimiter = ',')]
    clients: Vec<String>,
    /// Clients by client group, with commas between or several times
    #[arg(short, long = "group", value_name = "GROUP,…", value_delimiter = ',')]
    groups: Vec<String>,
    /// Clients that have any of these tags
    #[arg(long, value_name = "TAG,…", value_delimiter = ',', conflicts_with_all = ["clients", "groups", "all_tags"])]
    any_tag: Vec<String>,
    /// Clients that have all of these tags
    #[arg(long, value_name = "TAG,…", value_delimiter = ',', conflicts_with_all = ["clients", "groups"])]
    all_tags: Vec<String>,
}

/// How it runs there.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct OrderArgs {
    /// Value of a parameter %%NAME%% of the text
    #[arg(short, long = "param", value_name = "NAME=VALUE", value_parser = pair)]
    params: Vec<(String, String)>,
    /// Value of a parameter %%NAME%% from the vault; shown nowhere
    #[arg(long = "vault-param", value_name = "NAME=KEY", value_parser = pair)]
    vault_params: Vec<(String, String)>,
    /// What runs it: cmd or powershell for commands; bash, python3 or a path for scripts
    #[arg(long, value_name = "NAME")]
    interpreter: Option<String>,
    /// Run it as root, through sudo
    #[arg(long)]
    sudo: bool,
    /// Folder it runs in
    #[arg(long, value_name = "FOLDER")]
    cwd: Option<String>,
    /// How long it may run on each client, such as 90s or 10m
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    time_limit: Option<Duration>,
    /// All clients at the same time; the default
    #[arg(long, conflicts_with_all = ["max_concurrent", "serial"])]
    concurrent: bool,
    /// So many clients at the same time
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..), conflicts_with = "serial")]
    max_concurrent: Option<u32>,
    /// One client after another
    #[arg(long)]
    serial: bool,
    /// Go on with the other clients after a failure
    #[arg(short, long)]
    keep_going: bool,
    /// Let it wait for clients that are not connected
    #[arg(long)]
    queue: bool,
    /// Until when it waits for them: a time, or a duration such as 36h [default: 24h]
    #[arg(long, value_name = "WHEN", value_parser = parse_expiry, requires = "queue")]
    expires: Option<String>,
}

/// The text of an order.
#[derive(Debug)]
pub(crate) struct Content {
    /// Command or script.
    pub(crate) text: String,
    /// Whether it is a script.
    pub(crate) is_script: bool,
    /// The entry of the library it comes from.
    pub(crate) library: Option<Value>,
}

impl Content {
    /// An entry of the library.
    ///
    /// # Errors
    /// When there is none, and whatever the server or the way to it gives.
    pub(crate) async fn of_library(api: &Api, half: Half, name: &str) -> Result<Self> {
        let entry = half.find(api, name).await?;
        Ok(Self {
            text: text(&entry, half.member()).to_owned(),
            is_script: half == Half::Scripts,
            library: Some(entry),
        })
    }
}

impl TargetArgs {
    /// Whether nobody is named.
    pub(crate) fn is_empty(&self) -> bool {
        [&self.clients, &self.groups, &self.any_tag, &self.all_tags]
            .iter()
            .all(|list| list.is_empty())
    }

    /// Adds the targets to a body, with names turned into ids.
    ///
    /// # Errors
    /// When nobody is named, or a name fits no client or several.
    pub(crate) async fn add_to(&self, api: &Api, body: &mut Value) -> Result<()> {
        if self.is_empty() {
            return Err(Failure::usage("no client is named")
                .hint("name clients with -c, client groups with -g, or tags with --any-tag or --all-tags"));
        }
        let mut ids: Vec<String> = Vec::new();
        for word in self.clients.iter().filter(|word| !word.is_empty()) {
            let found = if word.contains('*') {
                by_pattern(api, word).await?
            } else {
                vec![ClientRef::any(word).find(api).await?.id]
            };
            for id in found {
                if !ids.contains(&id) {
                    ids.push(id);
                }
            }
        }
        if !ids.is_empty() {
            body["client_ids"] = json!(ids);
        }
        if !self.groups.is_empty() {
            body["group_ids"] = json!(self.groups);
        }
        for (tags, operator) in [(&self.any_tag, "OR"), (&self.all_tags, "AND")] {
            if !tags.is_empty() {
                body["tags"] = json!({ "tags": tags, "operator": operator });
            }
        }
        Ok(())
    }
}

async fn by_pattern(api: &Api, pattern: &str) -> Result<Vec<String>> {
    let query = Query::new()
        .with("filter[name]", pattern)
        .with("fields[clients]", "id,name");
    let page = PageArgs::everything()
        .fetch(api, "/clients", &query, PAGE)
        .await?;
    let ids: Vec<String> = page
        .items
        .iter()
        .map(|client| text(client, "id").to_owned())
        .collect();
    if ids.is_empty() {
        return Err(Failure::not_found(format!(
            "no client has a name like '{pattern}'"
        )));
    }
    Ok(ids)
}

impl OrderArgs {
    /// The body of an order, without targets. What was not said is left to the server.
    pub(crate) fn body(&self, content: &Content) -> Value {
        let mut body = json!({});
        // A script may be kept in base64 already, which is what the API wants; anything else is encoded here.
        let entry = content.library.as_ref();
        let of_entry = |key: &str| entry.and_then(|entry| entry.get(key)).cloned();
        if content.is_script {
            body["script"] = json!(encoded(&content.text));
        } else {
            body["command"] = json!(content.text);
        }
        let mut set = |key: &str, value: Option<Value>| {
            let blank = |value: &Value| {
                value.is_null() || *value == json!("") || *value == json!(false) || *value == json!(0)
            };
            if let Some(value) = value.filter(|value| !blank(value)) {
                body[key] = value;
            }
        };
        let own = |value: &Option<String>| value.as_deref().map(Value::from);
        set(
            "interpreter",
            own(&self.interpreter).or_else(|| of_entry("interpreter")),
        );
        set("cwd", own(&self.cwd).or_else(|| of_entry("cwd")));
        set(
            "is_sudo",
            self.sudo.then_some(json!(true)).or_else(|| of_entry("is_sudo")),
        );
        let limit = self.time_limit.map(|limit| json!(limit.as_secs()));
        set("timeout_sec", limit.or_else(|| of_entry("timeout_sec")));
        set("max_concurrent", self.max_concurrent.map(Value::from));
        set("queue_if_offline", Some(json!(self.queue)));
        set("expires", own(&self.expires));
        body["execute_concurrently"] = json!(!self.serial);
        body["abort_on_error"] = json!(!self.keep_going);
        let mut values: BTreeMap<&str, Value> = BTreeMap::new();
        values.extend(
            self.params
                .iter()
                .map(|(name, value)| (name.as_str(), json!(value))),
        );
        values.extend(
            self.vault_params
                .iter()
                .map(|(name, key)| (name.as_str(), json!({ "vault": key }))),
        );
        // Texts of the library have parameters whose defaults have to be filled in.
        if !values.is_empty() || entry.is_some() {
            body["parameters"] = json!(values);
        }
        body
    }
}

/// Standard base64 of a script. The library keeps scripts as they were given, encoded or not; nobody writes scripts
/// that are base64 of a text by chance.
fn encoded(script: &str) -> String {
    use base64::{Engine, engine::general_purpose::STANDARD};
    let decodes = STANDARD
        .decode(script.trim())
        .is_ok_and(|bytes| bytes.len() > 8 && std::str::from_utf8(&bytes).is_ok());
    if decodes {
        return script.trim().to_owned();
    }
    STANDARD.encode(script)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content(text: &str, is_script: bool, library: Option<Value>) -> Content {
        Content {
            text: text.to_owned(),
            is_script,
            library,
        }
    }

    #[test]
    fn what_was_not_said_is_left_out() {
        let body = OrderArgs::default().body(&content("uptime", false, None));
        assert_eq!(
            body,
            json!({ "command": "uptime", "execute_concurrently": true, "abort_on_error": true })
        );
    }

    #[test]
    fn what_was_said_goes_before_the_library() {
        let entry = json!({ "interpreter": "bash", "cwd": "/tmp", "is_sudo": true, "timeout_sec": 30 });
        let args = OrderArgs {
            cwd: Some("/srv".to_owned()),
            vault_params: vec![("PASS".to_owned(), "db".to_owned())],
            serial: true,
            keep_going: true,
            queue: true,
            ..OrderArgs::default()
        };
        assert_eq!(
            args.body(&content("echo %%PASS%%", true, Some(entry))),
            json!({
                "script": "ZWNobyAlJVBBU1MlJQ==", "interpreter": "bash", "cwd": "/srv", "is_sudo": true,
                "timeout_sec": 30, "queue_if_offline": true, "execute_concurrently": false, "abort_on_error": false,
                "parameters": { "PASS": { "vault": "db" } },
            })
        );
        assert_eq!(encoded("ZWNobyAlJVBBU1MlJQ==\n"), "ZWNobyAlJVBBU1MlJQ==");
        assert_eq!(encoded("true"), "dHJ1ZQ==");
    }
}
