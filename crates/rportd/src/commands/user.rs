//! `rportd user …`: the users of the API, wherever the configuration keeps them.
//!
//! What was asked for goes to standard output, so that it can be used by scripts; everything else is said on standard
//! error. Passwords come from the terminal or from standard input and never from the command line.

use std::io::{self, IsTerminal, Write};

use anyhow::{Context, bail};
use rport_domain::UserName;
use rport_runtime::{Secret, Tasks};
use rport_server::{NewUser, UserOptions, UserSource, UserTool, UserUpdate};

use super::prompt::{note, read_password};
use crate::{
    cli::{PasswordFrom, UserCommand},
    config::Config,
    options,
};

/// Does what the words behind `user` ask for.
///
/// # Errors
/// What is in the way, for the person at the terminal. Nothing was changed then.
pub fn run(config: &Config, command: UserCommand) -> anyhow::Result<()> {
    let Some(users) = options::users(config) else {
        bail!(
            "there is no API, so there are no users: set 'address' and 'auth_file' or 'auth_user_table' in [api]"
        );
    };
    if matches!(users.source, UserSource::Single { .. }) {
        bail!(
            "The single user authentication doesn't support this operation. The user is 'auth' in [api] of the \
             configuration and is changed there; set 'auth_file' or 'auth_user_table' to manage many"
        );
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start threads")?;
    runtime.block_on(act(users, command))
}

async fn act(users: UserOptions, command: UserCommand) -> anyhow::Result<()> {
    let in_file = matches!(users.source, UserSource::File(_));
    let tool = UserTool::new(users, &Tasks::new());
    match command {
        UserCommand::List => return list(&tool).await,
        UserCommand::Add {
            name,
            groups,
            two_fa_send_to,
            generate,
            expired,
        } => {
            let from = if generate {
                PasswordFrom::Generator
            } else {
                PasswordFrom::Input
            };
            let password = password(from)?;
            let new = NewUser {
                name: name.clone(),
                password: password.clone(),
                password_expired: expired,
                groups,
                two_fa_send_to,
                totp_secret: Secret::default(),
            };
            tool.add(new).await?;
            tell_generated(&name, from, &password)?;
            note("User added successfully.");
        }
        UserCommand::Change {
            name,
            rename,
            groups,
            two_fa_send_to,
            password: from,
            expired,
        } => {
            let new = from.map(password).transpose()?;
            let update = UserUpdate {
                name: rename.clone(),
                password: new.clone(),
                password_expired: expired,
                groups,
                two_fa_send_to,
                totp_secret: None,
            };
            tool.update(&UserName::new(name.as_str()), update).await?;
            if let (Some(from), Some(new)) = (from, &new) {
                tell_generated(rename.as_deref().unwrap_or(&name), from, new)?;
            }
            note("User changed successfully.");
            if new.is_some() || rename.is_some() || expired == Some(true) {
                note("Sessions of a running server go on; only changes through the API end them.");
            }
        }
        UserCommand::Delete { name } => {
            tool.delete(&UserName::new(name)).await?;
            note("User deleted successfully.");
        }
        UserCommand::TotpReset { name } => {
            let update = UserUpdate {
                totp_secret: Some(Secret::from(" ")),
                ..UserUpdate::default()
            };
            tool.update(&UserName::new(name), update).await?;
            note("The authenticator app was forgotten.");
        }
    }
    if in_file {
        note("If the server runs, reload it to make it take notice: systemctl reload rportd, or SIGHUP");
    }
    Ok(())
}

async fn list(tool: &UserTool) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    for user in tool.list().await? {
        // Names are foreign text; printed as they are they could steer the terminal.
        let groups = user.groups.join(",");
        let mut remarks = Vec::new();
        remarks.extend(user.password_expired.then_some("password expired"));
        remarks.extend(user.has_totp_secret.then_some("authenticator app"));
        writeln!(
            out,
            "{}\t{}\t{}",
            user.name.escape_debug(),
            groups.escape_debug(),
            remarks.join(", ")
        )?;
    }
    Ok(())
}

fn tell_generated(name: &str, from: PasswordFrom, password: &Secret) -> anyhow::Result<()> {
    if from == PasswordFrom::Generator {
        writeln!(io::stdout(), "{}:{}", name.escape_debug(), password.expose())?;
    }
    Ok(())
}

/// A new password; typed twice where a person does.
fn password(from: PasswordFrom) -> anyhow::Result<Secret> {
    if from == PasswordFrom::Generator {
        return Ok(UserTool::generate_password());
    }
    let password = read_password("Enter password: ")?;
    if io::stdin().is_terminal() {
        let again = read_password("Confirm password: ")?;
        if !password.matches(again.expose().as_bytes()) {
            bail!("passwords do not match");
        }
    }
    Ok(password)
}
