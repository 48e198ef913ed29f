//! How PostgreSQL is set up, started and asked.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use super::{DatabaseKind, Programs, find, run};

const KIND: DatabaseKind = DatabaseKind::Postgres;
const ADMINISTRATOR: &str = "postgres";

pub(super) fn programs() -> Option<Programs> {
    let bin = bin_dir()?;
    Some(Programs {
        set_up: bin.join("initdb"),
        server: bin.join("postgres"),
        client: bin.join("psql"),
    })
}

/// Debian keeps each major version in a directory of its own; the newest one is used.
fn bin_dir() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").ok();
    let newest = versions.into_iter().flatten().flatten().filter_map(|entry| {
        let version: u32 = entry.file_name().to_str()?.parse().ok()?;
        let bin = entry.path().join("bin");
        bin.join("initdb").is_file().then_some((version, bin))
    });
    newest
        .max()
        .map(|(_, bin)| bin)
        .or_else(|| find("initdb").and_then(|file| file.parent().map(Path::to_owned)))
}

fn data(dir: &Path) -> PathBuf {
    dir.join("data")
}

pub(super) fn set_up(programs: &Programs, dir: &Path, port: u16) -> anyhow::Result<()> {
    let mut command = KIND.command(&programs.set_up);
    command.current_dir(dir).arg("-D").arg(data(dir)).args([
        "-U",
        ADMINISTRATOR,
        "--encoding=UTF8",
        "--no-locale",
        "--no-sync",
        "--auth=trust",
    ]);
    run(command)?;
    // The administrator comes through the socket of a directory that only this test has; everyone else has a password.
    let rules = format!(
        "local all {ADMINISTRATOR} trust\nlocal all all scram-sha-256\nhost all all 127.0.0.1/32 scram-sha-256\n"
    );
    std::fs::write(data(dir).join("pg_hba.conf"), rules)?;
    // Programs that are told the directory only look for the socket of the default port.
    std::os::unix::fs::symlink(format!(".s.PGSQL.{port}"), dir.join(".s.PGSQL.5432"))?;
    Ok(())
}

pub(super) fn command(programs: &Programs, dir: &Path, port: u16) -> Command {
    let mut command = KIND.command(&programs.server);
    command
        .arg("-D")
        .arg(data(dir))
        .arg("-k")
        .arg(dir)
        .arg("-p")
        .arg(port.to_string());
    for setting in [
        "listen_addresses=127.0.0.1",
        "max_connections=300",
        // Quick and small. It survives being killed; nobody pulls the plug.
        "fsync=off",
        "shared_buffers=16MB",
        "autovacuum=off",
        "log_min_messages=fatal",
    ] {
        command.arg("-c").arg(setting);
    }
    command
}

pub(super) fn client(programs: &Programs, dir: &Path, port: u16, database: Option<&str>) -> Command {
    let mut command = Command::new(&programs.client);
    if let Some(database) = database {
        // What the administrator creates in somebody's database shall belong to that user.
        command.env("PGOPTIONS", format!("-c role={database}"));
    }
    command
        .arg("-h")
        .arg(dir)
        .arg("-p")
        .arg(port.to_string())
        .args(["-U", ADMINISTRATOR, "-d", database.unwrap_or(ADMINISTRATOR)])
        .args([
            "--no-psqlrc",
            "--quiet",
            "--no-align",
            "--tuples-only",
            "-v",
            "ON_ERROR_STOP=1",
            "-c",
        ]);
    command
}

pub(super) fn create(name: &str, password: &str) -> Vec<String> {
    vec![
        format!("CREATE ROLE {name} LOGIN PASSWORD '{password}'"),
        format!("CREATE DATABASE {name} OWNER {name}"),
    ]
}
