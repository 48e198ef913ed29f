//! `rdp`: a machine's desktop through a tunnel of its own.

use std::path::{Path, PathBuf};

use rport_runtime::fsutil;
use tokio::process::Command;

use super::clients::ClientRef;
use crate::{
    cli::Session,
    failure::{Failure, Result},
    output::note,
    reach::{ReachArgs, Stop, Target, exit_number, find_program, run_in_front, with_tunnel},
};

/// Programs that show desktops, the preferred first.
const VIEWERS: [&str; 3] = ["xfreerdp3", "xfreerdp", "wlfreerdp"];

/// Arguments of `rdp`.
#[derive(Debug, clap::Args)]
pub(crate) struct Rdp {
    /// Port of the machine's remote desktop
    #[arg(long, value_name = "PORT", default_value_t = 3389)]
    port: u16,
    #[command(flatten)]
    reach: ReachArgs,
    #[command(flatten)]
    client: ClientRef,
    /// User to log in as
    #[arg(short, long, value_name = "NAME")]
    user: Option<String>,
    /// Width of the window
    #[arg(short, long, value_name = "PIXELS", default_value_t = 1024)]
    width: u16,
    /// Height of the window
    #[arg(short = 'i', long, value_name = "PIXELS", default_value_t = 768)]
    height: u16,
    /// Write a file for another program and keep the tunnel open until Ctrl-C
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
}

impl Rdp {
    /// Runs it.
    ///
    /// # Errors
    /// When the tunnel or the program cannot be had.
    pub(crate) async fn run(self, session: &Session) -> Result<u8> {
        let viewer = VIEWERS.into_iter().find_map(find_program);
        if viewer.is_none() && self.file.is_none() {
            return Err(
                Failure::error(format!("none of {} is installed", VIEWERS.join(", ")))
                    .hint("install one, or write a file for another program with --file NAME.rdp"),
            );
        }
        if self
            .user
            .as_deref()
            .is_some_and(|user| user.contains(['\r', '\n']))
        {
            return Err(Failure::usage("the user's name has a line break"));
        }
        let api = session.api()?;
        let mut stop = Stop::listen()?;
        let client = self.client.find(&api).await?;
        let target = Target {
            host: String::new(),
            port: self.port,
            protocol: "tcp",
            scheme: Some("rdp"),
            acl: self.reach.acl(&api).await?,
            idle_timeout: self.reach.idle_timeout,
            check_port: !self.reach.no_check_port,
        };
        with_tunnel(&api, &client, target, &mut stop, async |tunnel, stop| {
            let host = match tunnel.host() {
                host if host.contains(':') => format!("[{host}]"),
                host => host.to_owned(),
            };
            let address = format!("{host}:{}", tunnel.port());
            if let Some(file) = &self.file {
                self.write(file, &address)?;
                note(&format!(
                    "Open {} with a remote desktop program. Ctrl-C closes the tunnel.",
                    file.display()
                ));
                stop.wanted().await;
                return Ok(0);
            }
            let mut command = Command::new(viewer.unwrap_or_default());
            command.arg(format!("/v:{address}"));
            command.args(self.user.as_ref().map(|user| format!("/u:{user}")));
            command.arg(format!("/size:{}x{}", self.width, self.height));
            run_in_front(command, stop).await.map(exit_number)
        })
        .await
    }

    fn write(&self, path: &Path, address: &str) -> Result<()> {
        let mut text = format!(
            "full address:s:{address}\r\ndesktopwidth:i:{}\r\ndesktopheight:i:{}\r\nscreen mode id:i:1\r\n",
            self.width, self.height
        );
        if let Some(user) = &self.user {
            text.push_str(&format!("username:s:{user}\r\n"));
        }
        fsutil::atomic_write(path, text.as_bytes(), 0o600)
            .map_err(|error| Failure::error(format!("cannot write {}: {error}", path.display())))
    }
}
