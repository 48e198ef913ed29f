//! How MariaDB is set up, started and asked.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use super::{DatabaseKind, Programs, find, run};

const KIND: DatabaseKind = DatabaseKind::MariaDb;

pub(super) fn programs() -> Option<Programs> {
    Some(Programs {
        set_up: find("mariadb-install-db")?,
        server: find("mariadbd")?,
        client: find("mariadb")?,
    })
}

fn data(dir: &Path) -> PathBuf {
    dir.join("data")
}

pub(super) fn socket(dir: &Path) -> PathBuf {
    dir.join("mariadb.sock")
}

pub(super) fn set_up(programs: &Programs, dir: &Path) -> anyhow::Result<()> {
    let mut command = KIND.command(&programs.set_up);
    command
        .arg("--no-defaults")
        .arg(format!("--datadir={}", data(dir).display()))
        // The administrator comes through the socket of a directory that only this test has, without a password.
        .args([
            "--auth-root-authentication-method=normal",
            "--skip-test-db",
            "--skip-name-resolve",
        ])
        .arg("--innodb-log-file-size=8M");
    run(command)
}

pub(super) fn command(programs: &Programs, dir: &Path, port: u16) -> Command {
    let mut command = KIND.command(&programs.server);
    command
        .arg("--no-defaults")
        .arg(format!("--datadir={}", data(dir).display()))
        .arg(format!("--socket={}", socket(dir).display()))
        .arg(format!("--port={port}"))
        .arg(format!("--pid-file={}", dir.join("mariadbd.pid").display()))
        .args([
            "--bind-address=127.0.0.1",
            "--skip-name-resolve",
            "--max-connections=300",
        ])
        // Quick and small. It survives being killed; nobody pulls the plug.
        .args(["--innodb-flush-log-at-trx-commit=2", "--skip-log-bin"])
        .args([
            "--innodb-log-file-size=8M",
            "--innodb-buffer-pool-size=24M",
            "--performance-schema=OFF",
        ]);
    command
}

pub(super) fn client(programs: &Programs, dir: &Path, database: Option<&str>) -> Command {
    let mut command = Command::new(&programs.client);
    command
        .arg("--no-defaults")
        .arg(format!("--socket={}", socket(dir).display()))
        .args([
            "--user=root",
            "--default-character-set=utf8mb4",
            "--skip-column-names",
            "--batch",
            "--raw",
        ]);
    if let Some(database) = database {
        command.arg(format!("--database={database}"));
    }
    command.arg("-e");
    command
}

pub(super) fn create(name: &str, password: &str) -> Vec<String> {
    vec![
        // utf8mb4 is what MariaDB has been set up with for years; ids of any text need it.
        format!("CREATE DATABASE {name} CHARACTER SET utf8mb4"),
        format!("CREATE USER {name}@'%' IDENTIFIED BY '{password}'"),
        format!("CREATE USER {name}@localhost IDENTIFIED BY '{password}'"),
        format!("GRANT ALL ON {name}.* TO {name}@'%'"),
        format!("GRANT ALL ON {name}.* TO {name}@localhost"),
    ]
}
