//! One attempt: dial, log in, introduce ourselves. Every step has a deadline.

use std::net::IpAddr;
use std::time::Duration;

use rport_protocol::to_server::NewConnection;
use rport_protocol::{Remote, Request, ServerUrl, texts};
use rport_runtime::Tasks;
use rport_transport::{CallError, Connection, DialOptions, Link, LinkOptions, Reply, connect, dial};
use tracing::{debug, info};

use super::error::{ConnectError, foreign};
use crate::config::AgentConfig;

/// A link that is logged in and does not know yet whether it is accepted. Dropping it closes the link.
pub(super) struct LoggedIn {
    pub(super) link: Link,
    pub(super) tasks: LinkTasks,
    pub(super) server: ServerUrl,
}

/// The tasks of one link: whatever serves it ends when this is dropped.
pub(super) struct LinkTasks(pub(super) Tasks);

impl Drop for LinkTasks {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Dials a server and logs in.
///
/// Dropping the future drops whatever it had built up.
pub(super) async fn log_in(
    server: &ServerUrl,
    config: &AgentConfig,
    tasks: &Tasks,
) -> Result<LoggedIn, ConnectError> {
    let tasks = LinkTasks(tasks.child());
    let options = dial_options(config)?;
    let socket = dial(server, &options).await?;
    debug!(server = %server, "connected, logging in");
    let client = &config.client;
    let options = LinkOptions {
        handshake_timeout: config.connection.timeouts.login,
        ..LinkOptions::default()
    };
    let link = connect(
        socket,
        &client.credentials,
        client.fingerprint.as_ref(),
        &options,
        &tasks.0,
    )
    .await?;
    if let Some(fingerprint) = &link.peer.fingerprint {
        info!("Server's full fingerprint {fingerprint}");
    }
    Ok(LoggedIn {
        link,
        tasks,
        server: server.clone(),
    })
}

/// Introduces this client and waits for the server's word.
pub(super) async fn admit(
    connection: &Connection,
    introduction: &NewConnection,
    limit: Duration,
) -> Result<Vec<Remote>, ConnectError> {
    let reply = connection
        .call(NewConnection::NAME, introduction.encode(), limit)
        .await
        .map_err(|error| match error {
            CallError::Timeout(limit) => ConnectError::Unanswered(limit),
            other => ConnectError::Broken(other.to_string()),
        })?;
    match reply {
        Reply::Success(payload) => Ok(NewConnection::decode_reply(&payload)
            .map_err(ConnectError::Reply)?
            .unwrap_or_default()),
        Reply::Failure(text) => {
            let text = foreign(&text);
            if text.contains(texts::ALREADY_CONNECTED_PREFIX) {
                Err(ConnectError::AlreadyConnected {
                    id: introduction.id.clone(),
                    text,
                })
            } else {
                Err(ConnectError::Refused(text))
            }
        }
    }
}

fn dial_options(config: &AgentConfig) -> Result<DialOptions, ConnectError> {
    let interface = config.client.bind_interface.as_str();
    let bind = if interface.is_empty() {
        None
    } else {
        Some(interface_address(interface)?)
    };
    Ok(DialOptions {
        proxy: config.client.proxy.clone(),
        headers: config.connection.http_headers.clone(),
        host_override: config.connection.host_override.clone(),
        bind,
        timeout: config.connection.timeouts.dial,
        tls: None,
        user_agent: config.connection.user_agent.clone(),
    })
}

/// The first address of an interface. Looked up at each attempt, because addresses come and go.
fn interface_address(name: &str) -> Result<IpAddr, ConnectError> {
    if_addrs::get_if_addrs()
        .unwrap_or_default()
        .into_iter()
        .filter(|interface| interface.name == name)
        .map(|interface| interface.ip())
        .find(|address| !address.is_unspecified())
        .ok_or_else(|| ConnectError::Interface(name.to_owned()))
}
