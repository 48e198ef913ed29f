//! `rportd db …`: the tables that the operator owns.

use std::{
    fs::OpenOptions,
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
};

use anyhow::{Context, bail};
use rport_runtime::Tasks;
use rport_server::{ClientAuthSource, ClientAuthTool, DatabaseOptions, UserSource, UserTool};

use crate::{cli::DatabaseCommand, config::Config, options};

/// Checks the configured tables, or creates those that are missing.
///
/// # Errors
/// What is wrong, for the person at the terminal; for a missing table with the SQL that makes it.
pub fn run(config: &Config, command: DatabaseCommand) -> anyhow::Result<()> {
    let client_auth = options::client_auth(config);
    let users = options::users(config).map(|users| users.source);
    if !matches!(client_auth, ClientAuthSource::Table { .. })
        && !matches!(users, Some(UserSource::Table { .. }))
    {
        bail!(
            "no table is configured: set 'auth_table' in [server] or 'auth_user_table' in [api], and 'db_type' in \
             [database]"
        );
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start threads")?;
    let tasks = Tasks::new();
    let create = command == DatabaseCommand::Create;
    if let ClientAuthSource::Table { database, table } = client_auth {
        if create {
            create_file(&database)?;
        }
        runtime.block_on(async {
            if create {
                ClientAuthTool::create_table(&database, &table, &tasks).await
            } else {
                ClientAuthTool::check_table(&database, &table, &tasks).await
            }
        })?;
        writeln!(io::stdout(), "auth_table {table}: fine")?;
    }
    if let Some(UserSource::Table { database, tables }) = users {
        if create {
            create_file(&database)?;
        }
        runtime.block_on(async {
            if create {
                UserTool::create_tables(&database, &tables, &tasks).await
            } else {
                UserTool::check_tables(&database, &tables, &tasks).await
            }
        })?;
        let mut out = io::stdout();
        writeln!(out, "auth_user_table {}: fine", tables.users)?;
        writeln!(out, "auth_group_table {}: fine", tables.groups)?;
        if let Some(details) = tables.details {
            writeln!(out, "auth_group_details_table {details}: fine")?;
        }
    }
    Ok(())
}

/// A SQLite database that is not there yet is made like its tables, readable for the owner only.
fn create_file(database: &DatabaseOptions) -> anyhow::Result<()> {
    let DatabaseOptions::Sqlite(path) = database else {
        return Ok(());
    };
    OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .open(path)
        .with_context(|| format!("cannot create the database {}", path.display()))?;
    Ok(())
}
