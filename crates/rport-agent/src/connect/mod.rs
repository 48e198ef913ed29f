//! The life of the agent: connect, serve, lose, pause, connect again.
//!
//! ```text
//!        ┌──────────── pause (retry) ◀───────────┐
//!        ▼                                       │ failed or lost
//!   log in at the main server, else at a         │
//!   fallback server, in order (attempt)          │
//!        │                                       │
//!        ▼                                       │
//!   serve: introduce, probe (keep_alive), ───────┘
//!   answer (session)
//!        │ on a fallback server: the main one answers again
//!        └──▶ serve the link to the main server
//! ```
//!
//! Nothing here waits without a deadline, and every way out of a step but one leads to a pause and the next attempt;
//! the one is that the configured number of attempts is used up.

mod attempt;
mod error;
mod retry;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use rport_protocol::{Remote, ServerUrl};
use rport_runtime::{Clock, Tasks};
use rport_transport::Connection;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep, timeout};
use tracing::{debug, error, info, warn};

use attempt::LoggedIn;
use error::ConnectError;
use retry::RetryPolicy;

use crate::agent::AgentState;
use crate::identity;
use crate::keep_alive;
use crate::requests::Context;
use crate::session;
use crate::sysinfo::SystemFiles;
use crate::watchdog::{Watchdog, WatchdogState};

/// How long a link may take to send what is queued when we close it.
const GOODBYE: Duration = Duration::from_secs(1);

/// Most remotes named in the log; a server may send thousands.
const MAX_LOGGED_REMOTES: usize = 100;

/// How often the watchdog hears of us during a pause.
const WATCHDOG_INTERVAL: Duration = Duration::from_secs(60);

/// Everything the loop needs.
pub(crate) struct Connector {
    pub(crate) context: Context,
    pub(crate) session_id: String,
    pub(crate) clock: Clock,
    pub(crate) files: SystemFiles,
    pub(crate) watchdog: Watchdog,
    pub(crate) retry_now: Arc<Notify>,
    pub(crate) state: watch::Sender<AgentState>,
    pub(crate) tasks: Tasks,
}

/// How serving a link ended.
enum Ended {
    /// Before the server accepted us.
    Failed(ConnectError),
    /// After the server had accepted us.
    Lost { reason: String, lifetime: Duration },
    /// The main server is back, and this is the link to it.
    SwitchedBack(Box<LoggedIn>),
}

impl Connector {
    /// Runs until stopped, or until the configured number of attempts has failed.
    pub(crate) async fn run(self) {
        let soft = self.tasks.soft();
        let end = match soft.run_until_cancelled(self.connect_for_ever()).await {
            Some(GivenUp) => AgentState::GaveUp,
            None => AgentState::Stopped,
        };
        self.state.send_replace(end);
    }

    async fn connect_for_ever(&self) -> GivenUp {
        let connection = &self.context.config.connection;
        let mut policy = RetryPolicy::new(connection.max_retry_interval, connection.max_retry_count);
        let mut prepared = None;
        loop {
            let logged_in = match prepared.take() {
                Some(logged_in) => Ok(logged_in),
                None => self.log_in_somewhere().await,
            };
            let ended = match logged_in {
                Ok(logged_in) => self.serve(logged_in, &mut policy).await,
                Err(error) => Ended::Failed(error),
            };
            let pause = match ended {
                Ended::SwitchedBack(logged_in) => {
                    prepared = Some(*logged_in);
                    continue;
                }
                Ended::Lost { reason, lifetime } => {
                    error!("Connection error: {reason}");
                    policy.lost(lifetime)
                }
                Ended::Failed(failure) => {
                    error!("Connection error: {failure}{}", policy.describe());
                    match policy.failed() {
                        Some(pause) => pause,
                        None => {
                            error!("Connection error: max retries exceeded");
                            return GivenUp;
                        }
                    }
                }
            };
            self.pause(pause).await;
        }
    }

    /// Tries the main server, then the others.
    async fn log_in_somewhere(&self) -> Result<LoggedIn, ConnectError> {
        let client = &self.context.config.client;
        let mut result = self.log_in(&client.server).await;
        for server in &client.fallback_servers {
            match result {
                Ok(_) => break,
                Err(error) => warn!("server failed, trying the next one: {error}"),
            }
            result = self.log_in(server).await;
        }
        result
    }

    async fn log_in(&self, server: &ServerUrl) -> Result<LoggedIn, ConnectError> {
        match &self.context.config.client.proxy {
            Some(proxy) => info!("Trying to connect to {server} via {proxy} ..."),
            None => info!("Trying to connect to {server} ..."),
        }
        self.state.send_replace(AgentState::Connecting {
            server: server.to_string(),
        });
        attempt::log_in(server, &self.context.config, &self.tasks).await
    }

    /// Serves a link from the login to its end.
    async fn serve(&self, logged_in: LoggedIn, policy: &mut RetryPolicy) -> Ended {
        let LoggedIn { link, tasks, server } = logged_in;
        let connection = link.connection;
        // However this function is left, also by being dropped, `tasks` ends what serves the link.
        let session = session::serve(
            link.incoming,
            connection.clone(),
            self.context.clone(),
            tasks.0.clone(),
        );
        tasks.0.spawn("session", session);

        let started = Instant::now();
        let remotes = match self.introduce(&connection).await {
            Ok(remotes) => remotes,
            Err(error) => return Ended::Failed(error),
        };
        policy.accepted();
        self.accepted(&server, &remotes, started.elapsed());

        let _results = self.context.jobs.use_link(&connection);
        let accepted_at = Instant::now();
        tokio::select! {
            biased;
            reason = connection.closed() => {
                Ended::Lost { reason: reason.to_string(), lifetime: accepted_at.elapsed() }
            }
            () = self.keep_alive(&connection, &server) => Ended::Lost {
                reason: "the server does not answer any more (keep-alive)".to_owned(),
                lifetime: accepted_at.elapsed(),
            },
            logged_in = self.main_server_back(&server) => {
                info!("Connected to main server, switching back.");
                connection.flush_and_close(GOODBYE).await;
                Ended::SwitchedBack(Box::new(logged_in))
            }
        }
    }

    async fn introduce(&self, connection: &Connection) -> Result<Vec<Remote>, ConnectError> {
        let context = self.context.clone();
        let (session_id, files, clock) = (self.session_id.clone(), self.files.clone(), self.clock.clone());
        let limit = self.context.config.connection.timeouts.admission;
        let describing = self.tasks.spawn_blocking("describe the machine", move || {
            let attributes = context.attributes.current();
            identity::introduce(&context.config, attributes, &session_id, &files, &clock)
        });
        // Reading the machine's files takes a millisecond, unless a disk hangs.
        let introduction = match timeout(limit, describing).await {
            Ok(Ok(introduction)) => introduction?,
            Ok(Err(error)) => return Err(ConnectError::Broken(error.to_string())),
            Err(_) => {
                return Err(ConnectError::Broken(
                    "describing this machine takes too long".to_owned(),
                ));
            }
        };
        debug!(client.id = %introduction.id, "Sending connection request.");
        tokio::select! {
            // The answer first: a refusal is followed by the end of the link, and says more than it.
            biased;
            answer = attempt::admit(connection, &introduction, limit) => answer,
            reason = connection.closed() => Err(ConnectError::Broken(reason.to_string())),
        }
    }

    fn accepted(&self, server: &ServerUrl, remotes: &[Remote], took: Duration) {
        let message = format!("Connected to {server} within {} ms", took.as_millis());
        info!("{message}");
        for remote in remotes.iter().take(MAX_LOGGED_REMOTES) {
            let address = rport_protocol::join_host_port(&remote.lhost, &remote.lport);
            let scheme = if remote.http_proxy { "https://" } else { "" };
            info!(
                "Local port {} has become available on {scheme}{address}",
                remote.target()
            );
        }
        if let Some(more) = remotes
            .len()
            .checked_sub(MAX_LOGGED_REMOTES)
            .filter(|more| *more > 0)
        {
            info!("{more} more ports have become available");
        }
        self.watchdog.report(WatchdogState::Connected, message);
        self.state.send_replace(AgentState::Connected {
            server: server.to_string(),
            remotes: remotes.to_vec(),
        });
    }

    /// Returns when the server stays silent; never, when probing is switched off.
    async fn keep_alive(&self, connection: &Connection, server: &ServerUrl) {
        let options = &self.context.config.connection;
        let Some(interval) = options.keep_alive else {
            return std::future::pending().await;
        };
        keep_alive::watch(connection, interval, options.keep_alive_timeout, |took| {
            let message = format!("ping to {server} succeeded within {} ms", took.as_millis());
            debug!("{message}");
            self.watchdog.report(WatchdogState::Connected, message);
        })
        .await;
    }

    /// While on a fallback server, returns a link to the main one as soon as there is one.
    async fn main_server_back(&self, current: &ServerUrl) -> LoggedIn {
        let client = &self.context.config.client;
        if *current == client.server {
            return std::future::pending().await;
        }
        loop {
            sleep(client.server_switchback_interval.max(Duration::from_secs(1))).await;
            match attempt::log_in(&client.server, &self.context.config, &self.tasks).await {
                Ok(logged_in) => return logged_in,
                Err(error) => info!("Switchback failed: {error}"),
            }
        }
    }

    /// Waits, unless somebody says that now is the time.
    async fn pause(&self, pause: Duration) {
        let message = format!("Retrying in {:.1}s...", pause.as_secs_f64());
        info!("{message}");
        self.state.send_replace(AgentState::Waiting { pause });
        self.watchdog.report(WatchdogState::Reconnecting, message.clone());
        let alive = async {
            loop {
                sleep(WATCHDOG_INTERVAL).await;
                self.watchdog.report(WatchdogState::Reconnecting, message.clone());
            }
        };
        tokio::select! {
            () = sleep(pause) => {}
            () = self.retry_now.notified() => info!("pause ended by signal"),
            () = alive, if self.watchdog.is_active() => {}
        }
    }
}

/// The number of attempts is used up.
struct GivenUp;
