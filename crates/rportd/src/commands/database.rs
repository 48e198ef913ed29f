//! `rportd db …`: the tables that the operator owns.

use std::io::{self, Write};

use anyhow::{Context, bail};
use rport_runtime::Tasks;
use rport_server::{ClientAuthSource, ClientAuthTool};

use crate::{cli::DatabaseCommand, config::Config, options};

/// Checks the configured tables, or creates those that are missing.
///
/// # Errors
/// What is wrong, for the person at the terminal; for a missing table with the SQL that makes it.
pub fn run(config: &Config, command: DatabaseCommand) -> anyhow::Result<()> {
    let ClientAuthSource::Table { database, table } = options::client_auth(config) else {
        bail!("no table is configured: set 'auth_table' in [server] and 'db_type' in [database]");
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start threads")?;
    let tasks = Tasks::new();
    runtime.block_on(async {
        match command {
            DatabaseCommand::Check => ClientAuthTool::check_table(&database, &table, &tasks).await,
            DatabaseCommand::Create => ClientAuthTool::create_table(&database, &table, &tasks).await,
        }
    })?;
    writeln!(io::stdout(), "auth_table {table}: fine")?;
    Ok(())
}
