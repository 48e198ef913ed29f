//! `rportd client-auth …`: the credentials of agents, wherever the configuration keeps them.
//!
//! What was asked for goes to standard output, so that it can be used by scripts; everything else is said on standard
//! error. Passwords come from standard input and never from the command line.

use std::{
    fs::{self, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use anyhow::{Context, bail};
use rport_domain::{ClientAuthId, Kind, StoredPassword};
use rport_runtime::{Secret, Tasks};
use rport_server::{ClientAuthSource, ClientAuthTool, PasswordHashing};

use super::prompt::{note, read_password};
use crate::{
    cli::{ClientAuthCommand, Existing},
    config::Config,
    options,
};

/// Others may write the same file at the same time; each of them makes us look again.
const ATTEMPTS: usize = 100;

/// A file of credentials beyond this size is some other file.
const MAX_IMPORT: u64 = 64 << 20;

/// Does what the words behind `client-auth` ask for.
///
/// # Errors
/// What is in the way, for the person at the terminal. Nothing was changed then.
pub fn run(config: &Config, command: &ClientAuthCommand) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start threads")?;
    let tool = Tool {
        source: options::client_auth(config),
        default_hash: config.server.auth_hash,
        tasks: Tasks::new(),
    };
    runtime.block_on(async {
        match command {
            ClientAuthCommand::List => tool.list().await,
            ClientAuthCommand::Add { id, generate, hash } => tool.add(id, *generate, *hash).await,
            ClientAuthCommand::Delete { id } => tool.delete(id).await,
            ClientAuthCommand::Import { file, hash, existing } => tool.import(file, *hash, *existing).await,
            ClientAuthCommand::Export { output, hash } => tool.export(output.as_deref(), *hash).await,
        }
    })
}

struct Tool {
    source: ClientAuthSource,
    default_hash: PasswordHashing,
    tasks: Tasks,
}

impl Tool {
    async fn open(&self) -> anyhow::Result<ClientAuthTool> {
        Ok(ClientAuthTool::open(&self.source, &self.tasks).await?)
    }

    async fn list(&self) -> anyhow::Result<()> {
        let mut out = io::stdout().lock();
        for (id, stored) in self.open().await?.list().await? {
            let kind = if stored.is_hashed() { "hashed" } else { "plain" };
            // An id is foreign text; printed as it is it could steer the terminal.
            writeln!(out, "{kind}\t{}", id.as_str().escape_debug())?;
        }
        Ok(())
    }

    async fn add(&self, id: &str, generate: bool, hash: Option<PasswordHashing>) -> anyhow::Result<()> {
        // Before somebody types a password in vain.
        self.refuse_single()?;
        let id = ClientAuthId::from(id);
        let password = if generate {
            ClientAuthTool::generate_password()
        } else {
            read_password("Password: ")?
        };
        ClientAuthTool::check_pair(&id, &password)?;
        let stored = StoredPassword::new(password.expose());
        let stored = self.stored(&self.open().await?, stored, hash).await?;
        self.change(async |tool| tool.add(vec![(id.clone(), stored.clone())], false).await)
            .await?;
        if generate {
            writeln!(io::stdout(), "{id}:{}", password.expose())?;
        }
        self.say(&format!("client auth {id:?} added"));
        Ok(())
    }

    async fn delete(&self, id: &str) -> anyhow::Result<()> {
        self.refuse_single()?;
        let id = ClientAuthId::from(id);
        self.change(async |tool| tool.delete(vec![id.clone()]).await)
            .await?;
        self.say(&format!(
            "client auth {id:?} deleted; agents that are connected with it stay until they connect again"
        ));
        Ok(())
    }

    async fn import(
        &self,
        file: &Path,
        hash: Option<PasswordHashing>,
        existing: Existing,
    ) -> anyhow::Result<()> {
        self.refuse_single()?;
        let tool = self.open().await?;
        let pairs = ClientAuthTool::parse(read_import(file)?.expose()).context(file.display().to_string())?;
        let mut wanted = Vec::with_capacity(pairs.len());
        for (id, stored) in pairs {
            if existing == Existing::Keep && tool.find(&id).await?.is_some() {
                continue;
            }
            check(&id, &stored).with_context(|| format!("client auth {id:?}"))?;
            wanted.push((id, self.stored(&tool, stored, hash).await?));
        }
        let count = wanted.len();
        let replace = existing == Existing::Replace;
        self.change(async |tool| tool.add(wanted.clone(), replace).await)
            .await?;
        self.say(&format!("{count} client auths imported"));
        Ok(())
    }

    async fn export(&self, output: Option<&Path>, hash: PasswordHashing) -> anyhow::Result<()> {
        let tool = self.open().await?;
        let mut pairs = Vec::new();
        for (id, stored) in tool.list().await? {
            pairs.push((id, self.stored(&tool, stored, Some(hash)).await?));
        }
        let count = pairs.len();
        let text = ClientAuthTool::render(pairs);
        let Some(path) = output else {
            io::stdout().write_all(&text)?;
            return Ok(());
        };
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)
            .with_context(|| format!("cannot write {}", path.display()))?;
        file.write_all(&text)
            .and_then(|()| file.sync_all())
            .with_context(|| format!("cannot write {}", path.display()))?;
        note(&format!(
            "{count} client auths written to {}; only you can read it",
            path.display()
        ));
        Ok(())
    }

    /// Makes a change. A file that somebody else changed since it was read is read again.
    async fn change(
        &self,
        change: impl AsyncFn(&ClientAuthTool) -> Result<(), rport_domain::Error>,
    ) -> anyhow::Result<()> {
        for _ in 1..ATTEMPTS {
            match change(&self.open().await?).await {
                Err(error) if error.kind == Kind::Conflict && error.code == CHANGED => {}
                outcome => return Ok(outcome?),
            }
        }
        Ok(change(&self.open().await?).await?)
    }

    /// Brings a password into the form it shall be kept in. Hashes stay what they are.
    async fn stored(
        &self,
        tool: &ClientAuthTool,
        stored: StoredPassword,
        hash: Option<PasswordHashing>,
    ) -> anyhow::Result<StoredPassword> {
        match hash.unwrap_or(self.default_hash) {
            PasswordHashing::Argon2id if !stored.is_hashed() => {
                Ok(tool.hash_password(&Secret::new(stored.expose())).await?)
            }
            _ => Ok(stored),
        }
    }

    fn refuse_single(&self) -> anyhow::Result<()> {
        if matches!(self.source, ClientAuthSource::Single { .. }) {
            bail!(
                "there is a single pair, 'auth' in [server] of the configuration, and it is changed there; set \
                 'auth_file' or 'auth_table' to manage many"
            );
        }
        Ok(())
    }

    fn say(&self, what: &str) {
        note(what);
        if matches!(self.source, ClientAuthSource::File(_)) {
            note("if the server runs, reload it to make it take notice: systemctl reload rportd, or SIGHUP");
        }
    }
}

/// The code of a file that was changed by somebody else.
const CHANGED: &str = "ERR_CODE_CLIENT_AUTH_CHANGED";

/// The API's rules, with which ids and passwords can be used by agents. A hash has rules of its own.
fn check(id: &ClientAuthId, stored: &StoredPassword) -> Result<(), rport_domain::Error> {
    if stored.is_hashed() {
        return rport_domain::client_auth::check_id(id.as_str());
    }
    ClientAuthTool::check_pair(id, &Secret::new(stored.expose()))
}

fn read_import(file: &Path) -> anyhow::Result<Secret> {
    let mut text = String::new();
    let read = if file.as_os_str() == "-" {
        io::stdin().lock().take(MAX_IMPORT + 1).read_to_string(&mut text)
    } else {
        fs::File::open(file).and_then(|open| open.take(MAX_IMPORT + 1).read_to_string(&mut text))
    };
    let length = read.with_context(|| format!("cannot read {}", file.display()))?;
    if length as u64 > MAX_IMPORT {
        bail!("{} has more than {MAX_IMPORT} bytes", file.display());
    }
    Ok(Secret::new(text))
}
