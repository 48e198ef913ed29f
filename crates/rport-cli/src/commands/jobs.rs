//! `jobs`: what was run on machines, by `run`, `script`, schedules and other front ends.

use serde_json::{Value, json};

use super::{clients::ClientRef, text};
use crate::{
    cli::Session,
    client::{Api, Query, segment},
    failure::{Exit, Failure, Result},
    live::{self, COLUMNS, EXPLAINED, Follow, Followed, Printer, Style, told},
    output::{Column, Kind, PageArgs},
};

/// How many the server sends at once.
const PAGE: usize = 1000;
const MULTI: [Column; 11] = [
    Column::text("JOB", "jid"),
    Column::time("ORDERED", "started_at"),
    Column::text("BY", "created_by"),
    Column::text("WHAT", "what"),
    Column::text("CLIENTS", "/counts/total"),
    Column::text("WELL", "/counts/successful"),
    Column::text("FAILED", "/counts/failed"),
    Column::text("OPEN", "open"),
    Column::text("UNKNOWN", "/counts/unknown").wide(),
    Column::text("SCHEDULE", "schedule_id").wide(),
    Column::text("TARGETS", "targets").wide(),
];
const SINGLE: [Column; 9] = [
    Column::text("JOB", "jid"),
    Column::text("STATUS", "status"),
    Column::time("ENDED", "finished_at"),
    Column::text("BY", "created_by"),
    Column::text("WHAT", "what"),
    Column::text("ERROR", "error"),
    Column::time("STARTED", "started_at").wide(),
    Column::text("ORDER", "multi_job_id").wide(),
    Column::of("SCRIPT", "is_script", Kind::Flag).wide(),
];
const DETAILS: [Column; 14] = [
    Column::text("JOB", "jid"),
    Column::text("STATUS", "status"),
    Column::text("CLIENT", "client_name"),
    Column::text("COMMAND", "command"),
    Column::text("INTERPRETER", "interpreter"),
    Column::text("FOLDER", "cwd"),
    Column::of("SUDO", "is_sudo", Kind::Flag),
    Column::text("BY", "created_by"),
    Column::time("STARTED", "started_at"),
    Column::time("ENDED", "finished_at"),
    Column::text("TIME LIMIT", "timeout_sec"),
    Column::text("ERROR", "error"),
    Column::text("ORDER", "multi_job_id"),
    Column::text("SCHEDULE", "schedule_id"),
];

/// What can be done with jobs.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// List orders to many clients, the newest first; with -c the jobs of a client
    List {
        /// The jobs of this client, by id or name
        #[arg(short, long = "client", value_name = "CLIENT")]
        client: Option<String>,
        /// Those a schedule ordered, by its id
        #[arg(long, value_name = "ID")]
        schedule: Option<String>,
        /// Those in this state, with -c: waiting, running, successful, failed or unknown
        #[arg(long, value_name = "STATUS", requires = "client")]
        status: Option<String>,
        #[command(flatten)]
        page: PageArgs,
    },
    /// Show a job with its output
    #[command(alias = "get")]
    Show {
        #[command(flatten)]
        job: JobRef,
        #[command(flatten)]
        style: Style,
    },
    /// Follow a job to its end; the exit code is that of run
    #[command(alias = "attach", after_help = EXPLAINED)]
    Follow {
        #[command(flatten)]
        job: JobRef,
        #[command(flatten)]
        style: Style,
    },
    /// End a job on all its clients
    Cancel {
        #[command(flatten)]
        job: JobRef,
    },
}

/// Which job.
#[derive(Debug, clap::Args)]
pub(crate) struct JobRef {
    /// Its id
    #[arg(value_name = "JOB")]
    id: String,
    /// The client, by id or name, for the job of one client only
    #[arg(short, long = "client", value_name = "CLIENT")]
    client: Option<String>,
}

impl JobRef {
    async fn find(&self, api: &Api) -> Result<Followed> {
        match &self.client {
            None => Ok(Followed::Multi(self.id.clone())),
            Some(client) => {
                let found = ClientRef::any(client).find(api).await?;
                Ok(Followed::Single(self.id.clone(), found.id))
            }
        }
    }

    /// Somebody who names the job of one client without the client is told how.
    fn explain(&self, failure: Failure) -> Failure {
        if self.client.is_none() && failure.exit() == Exit::NotFound {
            return failure.hint("for the job of a single client, name the client with -c");
        }
        failure
    }
}

impl Command {
    /// Does it; returns the exit code.
    ///
    /// # Errors
    /// Whatever the server or the way to it gives.
    pub(crate) async fn run(self, session: &Session) -> Result<u8> {
        let api = session.api()?;
        let out = &session.out;
        match self {
            Self::List {
                client: None,
                schedule,
                page,
                ..
            } => {
                let mut query = Query::new();
                query.add_some("filter[schedule_id]", schedule);
                let mut jobs = page.fetch_and_tell(&api, "/commands", &query, PAGE).await?;
                if out.for_people() {
                    jobs.iter_mut().for_each(describe);
                }
                out.list(&MULTI, &jobs)?;
            }
            Self::List {
                client: Some(client),
                schedule,
                status,
                page,
            } => {
                let found = ClientRef::any(&client).find(&api).await?;
                let mut query = Query::new().with("sort", "-started_at").with(
                    "fields[jobs]",
                    "jid,status,started_at,finished_at,created_by,command,is_script,error,multi_job_id",
                );
                query.add_some("filter[schedule_id]", schedule);
                query.add_some("filter[status]", status);
                let mut jobs = page
                    .fetch_and_tell(&api, &found.path("/commands"), &query, PAGE)
                    .await?;
                if out.for_people() {
                    jobs.iter_mut().for_each(describe);
                }
                out.list(&SINGLE, &jobs)?;
            }
            Self::Show { job, style } => {
                let shown = match job.find(&api).await? {
                    Followed::Single(id, client) => show_single(session, &api, &id, &client, style).await,
                    Followed::Multi(id) => show_multi(session, &api, &id, style).await,
                };
                shown.map_err(|failure| job.explain(failure))?;
            }
            Self::Follow { job, style } => {
                let followed = job.find(&api).await?;
                let followed = Follow::new(session, &api, style).again(followed).await;
                return followed.map_err(|failure| job.explain(failure));
            }
            Self::Cancel { job } => {
                let answer = job.find(&api).await?.cancel(&api).await;
                let counts = answer.map_err(|failure| job.explain(failure))?;
                if counts.is_null() {
                    out.done("The client is asked to end it.")?;
                } else if out.for_people() {
                    let running = counts["running"].as_u64().unwrap_or_default();
                    out.done(&format!(
                        "Nothing more is started; {running} clients are asked to end it."
                    ))?;
                } else {
                    out.json(&counts)?;
                }
            }
        }
        Ok(0)
    }
}

/// Adds what tables show besides the members.
fn describe(job: &mut Value) {
    let first = text(job, "command").lines().find(|line| !line.trim().is_empty());
    let first = first.unwrap_or_default().to_owned();
    job["what"] = match job["is_script"].as_bool() {
        Some(true) => json!(format!("script: {first}")),
        _ => json!(first),
    };
    let counts = &job["counts"];
    let open = ["waiting", "running"].map(|key| counts[key].as_u64().unwrap_or_default());
    if counts.is_object() {
        job["open"] = json!(open[0] + open[1]);
    }
    let mut targets = Vec::new();
    for key in ["client_ids", "group_ids"] {
        targets.extend(super::texts(&job[key]));
    }
    targets.extend(
        super::texts(&job["tags"]["tags"])
            .iter()
            .map(|tag| format!("#{tag}")),
    );
    job["targets"] = json!(targets);
}

async fn show_single(session: &Session, api: &Api, id: &str, client: &str, style: Style) -> Result<()> {
    let path = format!("/clients/{}/commands/{}", segment(client), segment(id));
    let job = api.get(&path, &Query::new()).await?;
    session.out.record(&DETAILS, &job)?;
    if session.out.for_people() && job["result"].is_object() {
        session.out.line("")?;
        Printer::new(style, true).finished(&job)?;
    }
    Ok(())
}

async fn show_multi(session: &Session, api: &Api, id: &str, style: Style) -> Result<()> {
    let out = &session.out;
    let path = format!("/commands/{}", segment(id));
    let mut order = api.get(&path, &Query::new()).await?;
    let jobs = live::children(api, &path).await?;
    if !out.for_people() {
        // The server sends 100 of them with the order.
        order["jobs"] = json!(jobs);
        return out.record(&MULTI, &order);
    }
    describe(&mut order);
    out.record(&MULTI, &order)?;
    out.line("")?;
    let mut printer = Printer::new(style, true);
    for job in jobs.iter().filter(|job| job["result"].is_object()) {
        printer.finished(job)?;
    }
    let rows: Vec<Value> = jobs.iter().map(told).collect();
    out.line("")?;
    out.list(&COLUMNS, &rows)
}
