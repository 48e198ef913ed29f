//! `schedules`: commands and scripts that run by the clock.

use serde_json::{Value, json};

use super::{
    library::{Half, read},
    order::{Content, OrderArgs, TargetArgs},
    text,
};
use crate::{
    ask::Ask,
    cli::Session,
    client::{Api, Query, segment},
    failure::{Exit, Failure, Result},
    output::{Column, Kind, PageArgs, note, parse_duration},
};

/// How many the server sends at once.
const PAGE: usize = 100;
const LIST: [Column; 9] = [
    Column::text("NAME", "name"),
    Column::text("WHEN", "schedule"),
    Column::time("NEXT RUN", "/next_runs/0"),
    Column::time("LAST RUN", "/last_execution/started_at"),
    Column::of("PAUSED", "paused", Kind::Flag),
    Column::text("TYPE", "type"),
    Column::text("BY", "created_by"),
    Column::text("COMMAND", "command").wide(),
    Column::text("ID", "id"),
];
const DETAILS: [Column; 26] = [
    Column::text("NAME", "name"),
    Column::text("ID", "id"),
    Column::text("WHEN", "schedule"),
    Column::text("TIME ZONE", "time_zone"),
    Column::text("NEXT RUNS", "next_runs"),
    Column::of("PAUSED", "paused", Kind::Flag),
    Column::time("LAST RUN", "/last_execution/started_at"),
    Column::text("LAST RUN WELL", "/last_execution/success_count"),
    Column::text("LAST RUN CLIENTS", "/last_execution/client_count"),
    Column::text("TYPE", "type"),
    Column::text("COMMAND", "command"),
    Column::text("INTERPRETER", "interpreter"),
    Column::text("FOLDER", "cwd"),
    Column::of("SUDO", "is_sudo", Kind::Flag),
    Column::text("CLIENTS", "client_ids"),
    Column::text("GROUPS", "group_ids"),
    Column::text("TAGS", "tags"),
    Column::text("TIME LIMIT", "timeout_sec"),
    Column::of("AT ONCE", "execute_concurrently", Kind::Flag),
    Column::text("AT MOST", "max_concurrent"),
    Column::of("OVERLAPS", "overlaps", Kind::Flag),
    Column::text("MISSED RUNS", "missed"),
    Column::text("JITTER", "jitter_sec"),
    Column::of("QUEUE", "queue_if_offline", Kind::Flag),
    Column::text("BY", "created_by"),
    Column::time("MADE", "created_at"),
];
const HISTORY: [Column; 8] = [
    Column::time("DUE", "due_at"),
    Column::text("OUTCOME", "outcome"),
    Column::text("CLIENTS", "/counts/total"),
    Column::text("WELL", "/counts/successful"),
    Column::text("FAILED", "/counts/failed"),
    Column::text("REASON", "reason"),
    Column::text("ASKED BY", "requested_by").wide(),
    Column::text("JOB", "multi_job_id"),
];

/// What can be done with schedules.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// List schedules with their next runs
    List {
        #[command(flatten)]
        page: PageArgs,
    },
    /// Show a schedule
    #[command(alias = "get")]
    Show {
        /// Its name or id
        name: String,
    },
    /// Add a schedule
    #[command(alias = "create")]
    Add {
        /// Its name
        name: String,
        /// When: five fields of cron such as "30 4 * * mon", @hourly, @daily, or "@every 15m"
        when: String,
        #[command(flatten)]
        what: What,
        #[command(flatten)]
        targets: TargetArgs,
        #[command(flatten)]
        order: Box<OrderArgs>,
        #[command(flatten)]
        rules: Rules,
    },
    /// Change a schedule; what it runs is replaced by `delete` and `add`
    #[command(alias = "update")]
    Change {
        /// Its name or id
        name: String,
        /// Another name
        #[arg(long, value_name = "NAME")]
        rename: Option<String>,
        /// Another time
        #[arg(long, value_name = "CRON")]
        when: Option<String>,
        #[command(flatten)]
        targets: TargetArgs,
        #[command(flatten)]
        rules: Rules,
    },
    /// Keep a schedule from running
    Pause {
        /// Its name or id
        name: String,
    },
    /// Let a paused schedule run again
    Resume {
        /// Its name or id
        name: String,
    },
    /// Run a schedule now, besides its times
    Run {
        /// Its name or id
        name: String,
    },
    /// List what a schedule did
    History {
        /// Its name or id
        name: String,
        #[command(flatten)]
        page: PageArgs,
    },
    /// Delete a schedule with the records of its jobs
    Delete {
        /// Its name or id
        name: String,
        /// Do not ask
        #[arg(short, long)]
        yes: bool,
    },
}

/// What it runs.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
pub(crate) struct What {
    /// A command
    #[arg(long, value_name = "COMMAND")]
    command: Option<String>,
    /// A script, from a file; - for standard input
    #[arg(long, value_name = "FILE")]
    script: Option<std::path::PathBuf>,
    /// A command as the library has it now
    #[arg(long, value_name = "NAME")]
    library_command: Option<String>,
    /// A script as the library has it now
    #[arg(long, value_name = "NAME")]
    library_script: Option<String>,
}

/// Rules of its runs.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct Rules {
    /// Time zone, such as Europe/Berlin [default: the server's]
    #[arg(long, value_name = "ZONE")]
    time_zone: Option<String>,
    /// Start up to so much later, by chance, so that not everything starts at once
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    jitter: Option<std::time::Duration>,
    /// What to do about runs that the server missed: skip them, or run once
    #[arg(long, value_name = "skip|once", value_parser = ["skip", "once"])]
    missed: Option<String>,
    /// Whether a run starts although the one before has not ended
    #[arg(long, value_name = "true|false", num_args = 0..=1, default_missing_value = "true")]
    overlaps: Option<bool>,
}

impl Rules {
    fn add_to(self, body: &mut Value) {
        if let Some(zone) = self.time_zone {
            body["time_zone"] = json!(zone);
        }
        if let Some(jitter) = self.jitter {
            body["jitter_sec"] = json!(jitter.as_secs());
        }
        if let Some(missed) = self.missed {
            body["missed"] = json!(missed);
        }
        if let Some(overlaps) = self.overlaps {
            body["overlaps"] = json!(overlaps);
        }
    }
}

impl What {
    async fn content(&self, api: &Api) -> Result<Content> {
        if let Some(name) = &self.library_command {
            return Content::of_library(api, Half::Commands, name).await;
        }
        if let Some(name) = &self.library_script {
            return Content::of_library(api, Half::Scripts, name).await;
        }
        let (text, is_script) = match (&self.command, &self.script) {
            (Some(command), _) => (command.clone(), false),
            (None, Some(file)) => (read(file)?, true),
            (None, None) => return Err(Failure::usage("there is nothing to run")),
        };
        Ok(Content {
            text,
            is_script,
            library: None,
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
        let none = Query::new();
        match self {
            Self::List { page } => {
                let schedules = fetch(&api, &page).await?;
                out.list(&LIST, &schedules)
            }
            Self::Show { name } => out.record(&DETAILS, &find(&api, &name).await?),
            Self::Add {
                name,
                when,
                what,
                targets,
                order,
                rules,
            } => {
                let content = what.content(&api).await?;
                let mut body = order.body(&content);
                body["type"] = json!(if content.is_script { "script" } else { "command" });
                body["name"] = json!(name);
                body["schedule"] = json!(when);
                targets.add_to(&api, &mut body).await?;
                rules.add_to(&mut body);
                let stored = api.post("/schedules", &none, &body).await?;
                out.record(&DETAILS, &stored)
            }
            Self::Change {
                name,
                rename,
                when,
                targets,
                rules,
            } => {
                let mut body = find(&api, &name).await?;
                if let Some(rename) = rename {
                    body["name"] = json!(rename);
                }
                if let Some(when) = when {
                    body["schedule"] = json!(when);
                }
                if !targets.is_empty() {
                    for key in ["client_ids", "group_ids", "tags"] {
                        body[key] = Value::Null;
                    }
                    targets.add_to(&api, &mut body).await?;
                }
                rules.add_to(&mut body);
                let stored = replace(&api, body).await?;
                out.record(&DETAILS, &stored)
            }
            Self::Pause { name } => {
                let stored = pause(&api, &name, true).await?;
                out.done(&format!("{} is paused.", text(&stored, "name")))
            }
            Self::Resume { name } => {
                let stored = pause(&api, &name, false).await?;
                out.done(&format!("{} runs again.", text(&stored, "name")))
            }
            Self::Run { name } => {
                let schedule = find(&api, &name).await?;
                let path = format!("{}/run", path(&schedule));
                let started = api.post(&path, &none, &json!({})).await?;
                out.record(&[Column::text("JOB", "jid")], &started)?;
                if out.for_people() {
                    note(&format!(
                        "follow it with: rportcli jobs follow {}",
                        text(&started, "jid")
                    ));
                }
                Ok(())
            }
            Self::History { name, page } => {
                let schedule = find(&api, &name).await?;
                let path = format!("{}/executions", path(&schedule));
                let runs = page.fetch_and_tell(&api, &path, &none, PAGE).await?;
                out.list(&HISTORY, &runs)
            }
            Self::Delete { name, yes } => {
                let schedule = find(&api, &name).await?;
                let name = text(&schedule, "name");
                Ask::confirm(
                    yes,
                    &format!("Delete schedule {name} with the records of its jobs"),
                )?;
                api.delete(&path(&schedule), &none).await?;
                out.done(&format!("Deleted {name}."))
            }
        }
    }
}

fn path(schedule: &Value) -> String {
    format!("/schedules/{}", segment(text(schedule, "id")))
}

async fn fetch(api: &Api, page: &PageArgs) -> Result<Vec<Value>> {
    let query = Query::new().with("sort", "name");
    page.fetch_and_tell(api, "/schedules", &query, PAGE).await
}

async fn find(api: &Api, name: &str) -> Result<Value> {
    let by_id = api
        .get(&format!("/schedules/{}", segment(name)), &Query::new())
        .await;
    match by_id {
        Err(failure) if failure.exit() == Exit::NotFound => {}
        found => return found,
    }
    let named: Vec<Value> = fetch(api, &PageArgs::everything())
        .await?
        .into_iter()
        .filter(|schedule| text(schedule, "name") == name)
        .collect();
    match named.as_slice() {
        [one] => api.get(&path(one), &Query::new()).await,
        [] => Err(Failure::not_found(format!("there is no schedule '{name}'"))
            .hint("list them with: rportcli schedules list")),
        several => {
            let ids: Vec<&str> = several.iter().map(|schedule| text(schedule, "id")).collect();
            Err(Failure::new(
                Exit::Conflict,
                format!("several schedules have the name '{name}'"),
            )
            .hint(format!("use an id: {}", ids.join(", "))))
        }
    }
}

async fn pause(api: &Api, name: &str, paused: bool) -> Result<Value> {
    let mut body = find(api, name).await?;
    body["paused"] = json!(paused);
    replace(api, body).await
}

/// The API replaces the whole schedule; what only it may set is left out.
async fn replace(api: &Api, mut body: Value) -> Result<Value> {
    let path = path(&body);
    if let Some(members) = body.as_object_mut() {
        for key in ["id", "created_at", "created_by", "last_execution", "next_runs"] {
            members.remove(key);
        }
    }
    api.put(&path, &Query::new(), &body).await
}
