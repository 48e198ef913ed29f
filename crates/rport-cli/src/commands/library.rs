//! `library`: commands and scripts that are kept for later.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::{text, texts};
use crate::{
    ask::Ask,
    cli::Session,
    client::{Api, Query, segment},
    failure::{Exit, Failure, Result},
    output::{Column, PageArgs, parse_duration},
};

/// How many the server sends at once.
const PAGE: usize = 100;

const COMMANDS: [Column; 8] = [
    Column::text("NAME", "name"),
    Column::text("COMMAND", "cmd"),
    Column::text("TAGS", "tags"),
    Column::text("PARAMETERS", "parameter_names"),
    Column::text("TIME LIMIT", "timeout_sec").wide(),
    Column::text("ID", "id").wide(),
    Column::text("CHANGED BY", "updated_by").wide(),
    Column::time("CHANGED", "updated_at"),
];
const SCRIPTS: [Column; 9] = [
    Column::text("NAME", "name"),
    Column::text("INTERPRETER", "interpreter"),
    Column::text("TAGS", "tags"),
    Column::text("PARAMETERS", "parameter_names"),
    Column::text("FOLDER", "cwd").wide(),
    Column::text("TIME LIMIT", "timeout_sec").wide(),
    Column::text("ID", "id").wide(),
    Column::text("CHANGED BY", "updated_by").wide(),
    Column::time("CHANGED", "updated_at"),
];
const DETAILS: [Column; 12] = [
    Column::text("NAME", "name"),
    Column::text("ID", "id"),
    Column::text("COMMAND", "cmd"),
    Column::text("INTERPRETER", "interpreter"),
    Column::text("FOLDER", "cwd"),
    Column::text("SUDO", "is_sudo"),
    Column::text("TIME LIMIT", "timeout_sec"),
    Column::text("TAGS", "tags"),
    Column::text("PARAMETERS", "parameter_names"),
    Column::text("MADE BY", "created_by"),
    Column::text("CHANGED BY", "updated_by"),
    Column::time("CHANGED", "updated_at"),
];

/// The two halves of the library.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Commands, for `rportcli run --library NAME`
    #[command(subcommand, alias = "command")]
    Commands(Action),
    /// Scripts, for `rportcli script --library NAME`
    #[command(subcommand, alias = "script")]
    Scripts(Action),
}

/// What can be done with commands and scripts.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Action {
    /// List them
    List {
        /// Those whose names fit a pattern, such as backup*
        #[arg(long, value_name = "PATTERN")]
        search: Option<String>,
        #[command(flatten)]
        page: PageArgs,
    },
    /// Show one with its text
    #[command(alias = "get")]
    Show {
        /// Its name or id
        name: String,
        /// Print the text only, as it is
        #[arg(long)]
        text: bool,
    },
    /// Add one
    #[command(alias = "create")]
    Add {
        /// Its name
        name: String,
        #[command(flatten)]
        about: About,
    },
    /// Change one
    #[command(alias = "update")]
    Change {
        /// Its name or id
        name: String,
        /// Another name
        #[arg(long, value_name = "NAME")]
        rename: Option<String>,
        #[command(flatten)]
        about: About,
    },
    /// Delete one
    Delete {
        /// Its name or id
        name: String,
        /// Do not ask
        #[arg(short, long)]
        yes: bool,
    },
}

/// What belongs to a command or script. `%%NAME%%` and `%%NAME=default%%` in its text are parameters.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct About {
    /// The text itself; %%NAME%% and %%NAME=default%% in it are parameters
    #[arg(long = "content", value_name = "TEXT", conflicts_with = "file")]
    content: Option<String>,
    /// Read the text from a file, - for standard input
    #[arg(short, long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Tags, with commas between
    #[arg(long, value_name = "TAG,…", value_delimiter = ',')]
    tags: Option<Vec<String>>,
    /// How long a run may take, such as 90s or 10m
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    time_limit: Option<std::time::Duration>,
    /// What runs a script, such as bash, python3 or a path
    #[arg(long, value_name = "NAME")]
    interpreter: Option<String>,
    /// Folder that a script runs in
    #[arg(long, value_name = "FOLDER")]
    cwd: Option<String>,
    /// Whether a script runs as root, through sudo
    #[arg(long, value_name = "true|false", num_args = 0..=1, default_missing_value = "true")]
    sudo: Option<bool>,
}

/// Which half of the library.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Half {
    Commands,
    Scripts,
}

impl Half {
    fn path(self) -> &'static str {
        match self {
            Self::Commands => "/library/commands",
            Self::Scripts => "/library/scripts",
        }
    }

    fn one(self) -> &'static str {
        match self {
            Self::Commands => "command",
            Self::Scripts => "script",
        }
    }

    /// The member with the text.
    pub(crate) fn member(self) -> &'static str {
        match self {
            Self::Commands => "cmd",
            Self::Scripts => "script",
        }
    }

    /// Finds an entry by name or id.
    ///
    /// # Errors
    /// When there is none, and whatever the server or the way to it gives.
    pub(crate) async fn find(self, api: &Api, name: &str) -> Result<Value> {
        // The filter cannot say `,` and takes `*` for anything, so it may let through more than the name.
        let query = Query::new().with("filter[name]", name.replace(',', "*"));
        let page = PageArgs::everything()
            .fetch(api, self.path(), &query, PAGE)
            .await?;
        let named = page.items.into_iter().find(|entry| text(entry, "name") == name);
        if let Some(entry) = named {
            return Ok(entry);
        }
        let by_id = api
            .get(&format!("{}/{}", self.path(), segment(name)), &Query::new())
            .await;
        by_id.map_err(|failure| {
            if failure.exit() != Exit::NotFound {
                return failure;
            }
            let (one, noun) = (self.one(), self.path().trim_start_matches("/library/"));
            Failure::not_found(format!("the library has no {one} '{name}'"))
                .hint(format!("list them with: rportcli library {noun} list"))
        })
    }
}

impl About {
    fn text(&self) -> Result<Option<String>> {
        match &self.file {
            Some(path) => read(path).map(Some),
            None => Ok(self.content.clone()),
        }
    }

    /// The API replaces the whole entry.
    fn apply(self, half: Half, name: &str, before: &Value) -> Result<Value> {
        if half == Half::Commands && (self.interpreter.is_some() || self.cwd.is_some() || self.sudo.is_some())
        {
            return Err(Failure::usage(
                "--interpreter, --cwd and --sudo are kept for scripts only",
            ));
        }
        let kept = |key: &str| before.get(key).cloned().unwrap_or_default();
        let body_text = match self.text()? {
            Some(text) => json!(text),
            None => kept(half.member()),
        };
        let tags = self.tags.map(|tags| {
            let tags: Vec<String> = tags.into_iter().filter(|tag| !tag.is_empty()).collect();
            json!(tags)
        });
        let mut body = json!({
            "name": name,
            half.member(): body_text,
            "tags": tags.unwrap_or_else(|| kept("tags")),
            "timeout_sec": self.time_limit.map_or_else(|| kept("timeout_sec"), |limit| json!(limit.as_secs())),
        });
        if half == Half::Scripts {
            body["interpreter"] = self.interpreter.map_or_else(|| kept("interpreter"), Value::from);
            body["cwd"] = self.cwd.map_or_else(|| kept("cwd"), Value::from);
            body["is_sudo"] = self.sudo.map_or_else(|| kept("is_sudo"), Value::from);
        }
        // What was never said is left out, and gets the server's default.
        if let Some(members) = body.as_object_mut() {
            members.retain(|_, value| !value.is_null());
        }
        Ok(body)
    }
}

/// Reads a text from a file or standard input.
///
/// # Errors
/// When it cannot be read or is no text.
pub(crate) fn read(path: &Path) -> Result<String> {
    let text = if path.as_os_str() == "-" {
        std::io::read_to_string(std::io::stdin())
    } else {
        std::fs::read_to_string(path)
    };
    text.map_err(|error| Failure::usage(format!("{}: {error}", path.display())))
}

impl Command {
    /// Does it.
    ///
    /// # Errors
    /// Whatever the server or the way to it gives.
    pub(crate) async fn run(self, session: &Session) -> Result<()> {
        match self {
            Self::Commands(action) => action.run(session, Half::Commands).await,
            Self::Scripts(action) => action.run(session, Half::Scripts).await,
        }
    }
}

impl Action {
    async fn run(self, session: &Session, half: Half) -> Result<()> {
        let api = session.api()?;
        let out = &session.out;
        let none = Query::new();
        let columns: &[Column] = match half {
            Half::Commands => &COMMANDS,
            Half::Scripts => &SCRIPTS,
        };
        match self {
            Self::List { search, page } => {
                let mut query = Query::new().with("sort", "name");
                query.add_some("filter[name]", search);
                let mut entries = page.fetch_and_tell(&api, half.path(), &query, PAGE).await?;
                if out.for_people() {
                    entries.iter_mut().for_each(name_parameters);
                }
                out.list(columns, &entries)
            }
            Self::Show { name, text: only } => {
                let mut entry = half.find(&api, &name).await?;
                if only {
                    return out.text(text(&entry, half.member()));
                }
                if !out.for_people() {
                    return out.record(&DETAILS, &entry);
                }
                name_parameters(&mut entry);
                out.record(&DETAILS, &entry)?;
                if half == Half::Scripts {
                    let script = crate::output::clean(text(&entry, "script"));
                    out.line(&format!("\n{}", script.trim_end_matches('\n')))?;
                }
                Ok(())
            }
            Self::Add { name, about } => {
                if about.content.is_none() && about.file.is_none() {
                    return Err(Failure::usage("there is no text to keep").hint("give --content or --file"));
                }
                let body = about.apply(half, &name, &Value::Null)?;
                let stored = api.post(half.path(), &none, &body).await?;
                if !out.for_people() {
                    return out.record(columns, &stored);
                }
                out.done(&format!("Added {} {name}.", half.one()))
            }
            Self::Change { name, rename, about } => {
                let before = half.find(&api, &name).await?;
                let body = about.apply(half, rename.as_deref().unwrap_or(text(&before, "name")), &before)?;
                let path = format!("{}/{}", half.path(), segment(text(&before, "id")));
                api.put(&path, &none, &body).await?;
                out.done(&format!("Changed {} {}.", half.one(), text(&body, "name")))
            }
            Self::Delete { name, yes } => {
                let entry = half.find(&api, &name).await?;
                let name = text(&entry, "name");
                Ask::confirm(yes, &format!("Delete {} {name} from the library", half.one()))?;
                api.delete(&format!("{}/{}", half.path(), segment(text(&entry, "id"))), &none)
                    .await?;
                out.done(&format!("Deleted {} {name}.", half.one()))
            }
        }
    }
}

/// Adds how parameters are shown: their names, with defaults where they have one.
fn name_parameters(entry: &mut Value) {
    let names: Vec<Value> = entry["parameters"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|parameter| match parameter["default"].as_str() {
            Some(default) => json!(format!("{}={default}", text(parameter, "name"))),
            None => parameter["name"].clone(),
        })
        .collect();
    entry["parameter_names"] = json!(texts(&Value::from(names)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_keeps_what_is_not_named() {
        let before =
            json!({ "name": "n", "script": "s", "cwd": "/", "tags": null, "timeout_sec": 5, "id": "1" });
        let about = About {
            content: Some("new".to_owned()),
            sudo: Some(true),
            ..About::default()
        };
        assert_eq!(
            about.apply(Half::Scripts, "n", &before).expect("sound"),
            json!({ "name": "n", "script": "new", "cwd": "/", "timeout_sec": 5, "is_sudo": true })
        );
        let about = About {
            cwd: Some("/".to_owned()),
            ..About::default()
        };
        assert!(about.apply(Half::Commands, "n", &before).is_err());
    }
}
