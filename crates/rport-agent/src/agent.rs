//! A running agent, as a value: started from a configuration, watched, stopped.

use std::sync::Arc;
use std::time::Duration;

use rport_protocol::Remote;
use rport_runtime::{Clock, Tasks};
use tokio::sync::{Notify, watch};
use tracing::info;
use uuid::Uuid;

use crate::attributes::AttributesStore;
use crate::config::AgentConfig;
use crate::connect::Connector;
use crate::exec::Jobs;
use crate::requests::Context;
use crate::sysinfo::SystemFiles;
use crate::watchdog::Watchdog;

/// What an agent is doing.
#[derive(Debug, Clone, PartialEq)]
pub enum AgentState {
    /// Nothing yet.
    Starting,
    /// Dialling, or waiting for the server to accept us.
    Connecting {
        /// The server.
        server: String,
    },
    /// Accepted.
    Connected {
        /// The server.
        server: String,
        /// The remotes the server started, with the ports it listens on.
        remotes: Vec<Remote>,
    },
    /// Waiting before the next attempt.
    Waiting {
        /// For how long.
        pause: Duration,
    },
    /// The configured number of attempts has failed; the agent is over.
    GaveUp,
    /// Stopped by whoever started it; the agent is over.
    Stopped,
}

impl AgentState {
    /// Returns whether the server knows us at the moment.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        matches!(self, Self::Connected { .. })
    }

    /// Returns whether the agent is over.
    #[must_use]
    pub fn is_final(&self) -> bool {
        matches!(self, Self::GaveUp | Self::Stopped)
    }
}

/// Starts agents.
#[derive(Debug)]
pub struct Agent;

impl Agent {
    /// Starts an agent. Must be called inside a tokio runtime.
    ///
    /// Reads the attributes file, and creates nothing but `state.json` when the watchdog is configured; files of jobs
    /// are made when the first job comes. Stopping `tasks`, or the returned handle, ends it, and the jobs with it.
    #[must_use]
    pub fn start(config: AgentConfig, tasks: &Tasks) -> AgentHandle {
        Self::start_at(config, tasks, Clock::system(), SystemFiles::default())
    }

    /// Starts an agent that takes the time and the facts about its machine from elsewhere.
    #[must_use]
    pub fn start_at(config: AgentConfig, tasks: &Tasks, clock: Clock, files: SystemFiles) -> AgentHandle {
        let tasks = tasks.child();
        let session_id = Uuid::new_v4().to_string();
        info!("new client instance with session id {session_id}");
        let watchdog = if config.connection.watchdog_integration {
            Watchdog::start(&config.client.data_dir, clock.clone(), &tasks)
        } else {
            Watchdog::default()
        };
        let attributes = AttributesStore::open(
            config.client.attributes_file.clone(),
            config.client.attributes.clone(),
        );
        let (state, watcher) = watch::channel(AgentState::Starting);
        let retry_now = Arc::new(Notify::new());
        let config = Arc::new(config);
        let connector = Connector {
            context: Context {
                config: config.clone(),
                attributes: Arc::new(attributes),
                jobs: Jobs::start(config, clock.clone(), &tasks),
                tasks: tasks.clone(),
            },
            session_id: session_id.clone(),
            clock,
            files,
            watchdog,
            retry_now: retry_now.clone(),
            state,
            tasks: tasks.clone(),
        };
        tasks.spawn("connect", connector.run());
        AgentHandle {
            session_id,
            state: watcher,
            retry_now,
            tasks,
        }
    }
}

/// A running agent. Dropping the handle leaves it running.
#[derive(Debug)]
pub struct AgentHandle {
    session_id: String,
    state: watch::Receiver<AgentState>,
    retry_now: Arc<Notify>,
    tasks: Tasks,
}

impl AgentHandle {
    /// The id by which a server recognises this process when it comes back.
    #[must_use]
    pub fn session_id(&self) -> &str {
        &self.session_id
    }

    /// A view of what the agent is doing.
    #[must_use]
    pub fn state(&self) -> watch::Receiver<AgentState> {
        self.state.clone()
    }

    /// Ends a pause between two attempts. Does nothing at any other moment.
    pub fn retry_now(&self) {
        self.retry_now.notify_waiters();
    }

    /// Waits until the agent is connected and returns the remotes; `None` if it ends before. Has no deadline.
    pub async fn connected(&self) -> Option<Vec<Remote>> {
        let mut state = self.state.clone();
        let state = state
            .wait_for(|state| state.is_connected() || state.is_final())
            .await;
        match state.as_deref() {
            Ok(AgentState::Connected { remotes, .. }) => Some(remotes.clone()),
            _ => None,
        }
    }

    /// Waits until the agent is over and says how. Has no deadline.
    pub async fn ended(&self) -> AgentState {
        let mut state = self.state.clone();
        let end = state.wait_for(AgentState::is_final).await;
        // The sender is gone without a word only when its task was aborted.
        end.map_or(AgentState::Stopped, |state| state.clone())
    }

    /// Stops the agent: its link is closed, and its tasks get `grace` to end. Returns how many had to be aborted.
    pub async fn stop(&self, grace: Duration) -> usize {
        self.tasks.shutdown(grace).await
    }
}
