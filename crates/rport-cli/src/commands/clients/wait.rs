//! `clients wait`: for scripts that restart a machine.

use std::time::{Duration, Instant};

use super::{super::text, ClientRef};
use crate::{
    cli::Session,
    client::Query,
    failure::{Exit, Failure, Result},
    output::parse_duration,
};

/// Pause between looks.
const PAUSE: Duration = Duration::from_secs(1);

/// Arguments of `clients wait`.
#[derive(Debug, clap::Args)]
pub(crate) struct Wait {
    #[command(flatten)]
    client: ClientRef,
    /// Wait until it is connected; it need not be known yet
    #[arg(long, required_unless_present = "offline", conflicts_with = "offline")]
    online: bool,
    /// Wait until it is not connected
    #[arg(long)]
    offline: bool,
    /// Give up after this time
    #[arg(long = "for", value_name = "DURATION", value_parser = parse_duration, default_value = "5m")]
    patience: Duration,
}

impl Wait {
    /// Waits.
    ///
    /// # Errors
    /// With the exit code of a timeout when it takes too long, and whatever the server gives.
    pub(super) async fn run(self, session: &Session) -> Result<()> {
        let api = session.api()?;
        let wanted = if self.online { "connected" } else { "disconnected" };
        let start = Instant::now();
        let query = Query::new().with("fields[clients]", "id,name,connection_state");
        loop {
            let state = match self.client.find(&api).await {
                Ok(found) => api
                    .get(&found.path(""), &query)
                    .await
                    .map(|client| (found, client)),
                Err(failure) => Err(failure),
            };
            match state {
                Ok((found, client)) if text(&client, "connection_state") == wanted => {
                    return session.out.done(&format!("Client {found} is {wanted}."));
                }
                // A machine that is being set up, or one that was just deleted, is unknown for a while.
                Ok(_) => {}
                Err(failure) if self.online && failure.exit() == Exit::NotFound => {}
                // The server may be restarting, too.
                Err(failure) if failure.exit() == Exit::Unreachable => {}
                Err(failure) => return Err(failure),
            }
            if start.elapsed() + PAUSE > self.patience {
                let seconds = self.patience.as_secs();
                return Err(Failure::new(
                    Exit::Unreachable,
                    format!("the client is still not {wanted} after {seconds} s"),
                ));
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}
