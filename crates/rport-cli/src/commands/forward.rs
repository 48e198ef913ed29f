//! `forward`: ports of a machine on this one.

use std::sync::Arc;

use rport_runtime::Tasks;
use tokio::sync::RwLock;

use super::clients::ClientRef;
use crate::{
    cli::Session,
    failure::{Exit, Failure, Result},
    output::warn,
    reach::{Listener, PrivateTunnel, ReachArgs, Spec, Stop, Target, until_stopped, well_known_scheme},
};

/// Arguments of `forward`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
LOCALADDR is 127.0.0.1 unless named, HOST the machine itself, LOCALPORT 0 or nothing a free one. Addresses with colons go \
in brackets. Runs until Ctrl-C, then closes the tunnels.\n\nExamples:\n  rportcli forward web 8080:80\n  \
rportcli forward web 5432:db.internal:5432 :3389")]
pub(crate) struct Forward {
    /// Forward datagrams (UDP) instead of connections
    #[arg(long)]
    udp: bool,
    #[command(flatten)]
    reach: ReachArgs,
    /// The client, by id or name
    client: String,
    /// What to forward: [LOCALADDR:]LOCALPORT:[HOST:]REMOTEPORT
    #[arg(required = true, value_name = "FORWARD")]
    specs: Vec<Spec>,
}

impl Forward {
    /// Forwards until the operator stops it.
    ///
    /// # Errors
    /// When a port or a tunnel cannot be had.
    pub(crate) async fn run(self, session: &Session) -> Result<u8> {
        let api = session.api()?;
        let mut stop = Stop::listen()?;
        let client = ClientRef::any(&self.client).find(&api).await?;
        let mut listeners = Vec::new();
        for spec in &self.specs {
            if !spec.address.is_loopback() {
                warn(&format!(
                    "others can use the forward to {spec} as well: it listens on {}",
                    spec.address
                ));
            }
            listeners.push(Listener::bind(spec, self.udp).await?);
        }
        let acl = self.reach.acl(&api).await?;
        let (tasks, mut tunnels) = (Tasks::new(), Vec::new());
        let mut result = Ok(());
        for (spec, listener) in self.specs.iter().zip(listeners) {
            let target = Target {
                host: spec.host.clone(),
                port: spec.remote_port,
                protocol: if self.udp { "udp" } else { "tcp" },
                scheme: well_known_scheme(spec.remote_port).filter(|_| !self.udp),
                acl: acl.clone(),
                idle_timeout: self.reach.idle_timeout,
                check_port: !self.reach.no_check_port && !self.udp,
            };
            let at = listener.address()?;
            match until_stopped(&mut stop, 1, PrivateTunnel::open(&api, &client, target)).await {
                Ok((tunnel, stopped)) => {
                    let tunnel = Arc::new(RwLock::new(tunnel));
                    tunnels.push(tunnel.clone());
                    if stopped {
                        result = Err(Failure::interrupted());
                        break;
                    }
                    listener.start(&tasks, tunnel);
                    result = session.out.line(&format!("{at} leads to {spec} of {client}"));
                }
                Err(failure) => result = Err(failure),
            }
            if result.is_err() {
                break;
            }
        }
        if result.is_ok() {
            stop.wanted().await;
        }
        // Connections first: the server keeps a tunnel that is in use.
        tasks.abort();
        tasks.wait().await;
        for tunnel in tunnels {
            let tunnel = tunnel.read().await;
            until_stopped(&mut stop, 1, tunnel.close()).await?;
        }
        // The only way out is to be stopped, and there is nothing to say about it.
        result.map(|()| Exit::Interrupted as u8)
    }
}
