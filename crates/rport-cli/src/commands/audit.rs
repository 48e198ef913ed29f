//! `audit`: who did what.

use std::{fs::OpenOptions, io::Write, os::unix::fs::OpenOptionsExt, path::PathBuf};

use clap::ValueEnum;
use reqwest::Method;

use super::pair;
use crate::{
    cli::Session,
    client::Query,
    failure::{Failure, Result},
    output::{Column, PageArgs, parse_age},
};

/// How many the server sends at once.
const PAGE: usize = 100;
const COLUMNS: [Column; 10] = [
    Column::time("WHEN", "timestamp"),
    Column::text("USER", "username"),
    Column::text("WHAT", "application"),
    Column::text("ACTION", "action"),
    Column::text("ID", "affected_id"),
    Column::text("CLIENT", "client_hostname"),
    Column::text("ADDRESS", "remote_ip"),
    Column::text("CLIENT ID", "client_id").wide(),
    Column::text("REQUEST", "request").wide(),
    Column::text("RESPONSE", "response").wide(),
];

/// What can be done with the audit log.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// List entries, the latest first
    List {
        #[command(flatten)]
        which: Which,
        /// Sort by timestamp, username, application …; with - before it backwards
        #[arg(
            long,
            value_name = "COLUMN",
            default_value = "-timestamp",
            allow_hyphen_values = true
        )]
        sort: String,
        #[command(flatten)]
        page: PageArgs,
    },
    /// Write all entries, those of earlier log files too
    Export {
        #[command(flatten)]
        which: Which,
        /// How they are written
        #[arg(long, value_enum, default_value = "jsonl")]
        format: ExportFormat,
        /// Where to; standard output without
        #[arg(long, value_name = "FILE")]
        file: Option<PathBuf>,
    },
}

/// How an export is written.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum ExportFormat {
    /// One JSON document per line
    Jsonl,
    /// Comma-separated values
    Csv,
}

/// Which entries are wanted.
#[derive(Debug, clap::Args)]
pub(crate) struct Which {
    /// Only by this user
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// Only about this kind of thing, such as client.auth or auth.user
    #[arg(long, value_name = "APPLICATION")]
    application: Option<String>,
    /// Only this action, such as create, update or delete
    #[arg(long, value_name = "ACTION")]
    action: Option<String>,
    /// Only about this client, by id
    #[arg(short, long, value_name = "ID")]
    client: Option<String>,
    /// Only after this time, or as long ago (2h, 7d)
    #[arg(long, value_name = "WHEN", value_parser = parse_age)]
    since: Option<String>,
    /// Only until this time, or as long ago
    #[arg(long, value_name = "WHEN", value_parser = parse_age)]
    until: Option<String>,
    /// Only where a column has this value
    #[arg(short, long, value_name = "COLUMN=VALUE", value_parser = pair)]
    filter: Vec<(String, String)>,
}

impl Which {
    fn query(self) -> Query {
        let mut query = Query::new();
        query.add_some("filter[username]", self.user);
        query.add_some("filter[application]", self.application);
        query.add_some("filter[action]", self.action);
        query.add_some("filter[client_id]", self.client);
        // The Go server compares times as texts in this form (reference `rest-api.md`, section 4.1).
        let stored = |time: String| time.replace('T', " ").trim_end_matches('Z').to_owned();
        query.add_some("filter[timestamp][since]", self.since.map(stored));
        query.add_some("filter[timestamp][until]", self.until.map(stored));
        for (column, value) in self.filter {
            query.add(format!("filter[{column}]"), value);
        }
        query
    }
}

impl Command {
    /// Does it.
    ///
    /// # Errors
    /// Whatever the server or the way to it gives.
    pub(crate) async fn run(self, session: &Session) -> Result<()> {
        match self {
            Self::List { which, sort, page } => {
                let api = session.api()?;
                let query = which.query().with("sort", sort);
                let entries = page.fetch_and_tell(&api, "/auditlog", &query, PAGE).await?;
                session.out.list(&COLUMNS, &entries)
            }
            Self::Export { which, format, file } => export(session, which.query(), format, file).await,
        }
    }
}

/// Passes the export on while it comes: a year of it fits in no memory.
async fn export(session: &Session, query: Query, format: ExportFormat, file: Option<PathBuf>) -> Result<()> {
    let api = session.api()?;
    let format = match format {
        ExportFormat::Jsonl => "jsonl",
        ExportFormat::Csv => "csv",
    };
    let path = "/auditlog/export";
    let place = format!("GET {}", api.address(path));
    let response = api
        .respond(Method::GET, path, &query.with("format", format), None)
        .await?;
    let mut response = api.checked(response, &place).await?;
    let Some(path) = file else {
        while let Some(chunk) = api.next_chunk(&mut response).await? {
            session.out.bytes(&chunk)?;
        }
        return Ok(());
    };
    let wrong = |error: std::io::Error| Failure::error(format!("cannot write {}: {error}", path.display()));
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&path)
        .map_err(wrong)?;
    while let Some(chunk) = api.next_chunk(&mut response).await? {
        file.write_all(&chunk).map_err(wrong)?;
    }
    file.sync_all().map_err(wrong)?;
    session.out.done(&format!("Wrote {}.", path.display()))
}
