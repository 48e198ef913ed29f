//! The way to a connected agent.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rport_domain::{ClientId, ConnectionId, Error};
use rport_protocol::{Request, texts};
use rport_transport::{CallError, Connection, Reply};

/// A handle on the connection of one client: asks the agent typed questions and names the client in the errors.
/// Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct ClientLink {
    pub(crate) client: ClientId,
    pub(crate) id: ConnectionId,
    pub(crate) connection: Connection,
    questioned: Arc<AtomicBool>,
}

/// Says that a connection is being questioned, until it is dropped.
pub(crate) struct Question(Arc<AtomicBool>);

impl Drop for Question {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

/// Why a question has no answer.
#[derive(Debug)]
pub(crate) enum AskError {
    /// The agent said no, in its own words.
    Refused(String),
    /// The agent did not answer in time.
    Timeout,
    /// The connection has ended.
    Offline,
    /// The answer is not what was asked for.
    Garbled(String),
}

impl ClientLink {
    pub(crate) fn new(client: ClientId, id: ConnectionId, connection: Connection) -> Self {
        Self {
            client,
            id,
            connection,
            questioned: Arc::default(),
        }
    }

    /// Begins to doubt that the agent lives; `None` while somebody else does.
    pub(crate) fn start_question(&self) -> Option<Question> {
        let busy = self.questioned.swap(true, Ordering::AcqRel);
        (!busy).then(|| Question(self.questioned.clone()))
    }

    /// Asks the agent and waits for its answer.
    pub(crate) async fn ask<R: Request>(&self, request: &R, limit: Duration) -> Result<R::Reply, AskError> {
        match self.connection.call(R::NAME, request.encode(), limit).await {
            Ok(Reply::Success(payload)) => {
                R::decode_reply(&payload).map_err(|error| AskError::Garbled(error.to_string()))
            }
            Ok(Reply::Failure(text)) => Err(AskError::Refused(String::from_utf8_lossy(&text).into_owned())),
            Err(CallError::Timeout(_)) => Err(AskError::Timeout),
            Err(CallError::Closed) => Err(AskError::Offline),
            Err(error @ CallError::TooLarge(_)) => Err(AskError::Garbled(error.to_string())),
        }
    }

    /// Whether the agent gives a sign of life within `limit`. Any answer is one; agents before 0.8.2 do not know the
    /// question and say so.
    pub(crate) async fn answers_ping(&self, limit: Duration) -> bool {
        let ping = rport_protocol::to_client::Ping;
        self.connection
            .call(rport_protocol::to_client::Ping::NAME, ping.encode(), limit)
            .await
            .is_ok()
    }
}

impl AskError {
    /// Whether the agent does not know the request; the only text that is ever looked into (`texts`).
    pub(crate) fn is_unknown_request(&self) -> bool {
        matches!(self, Self::Refused(text) if text.contains(texts::UNKNOWN_REQUEST))
    }

    /// The error for a caller of the API. The agent's words go to the user.
    pub(crate) fn for_client(self, id: &ClientId) -> Error {
        match self {
            Self::Refused(text) => Error::client_refused(text),
            Self::Timeout => Error::client_timeout(format!("client with id {id} did not answer in time")),
            Self::Offline => offline(id),
            Self::Garbled(problem) => {
                Error::client_refused(format!("client with id {id} gave an unreadable answer"))
                    .detail(problem)
            }
        }
    }
}

impl std::fmt::Display for AskError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Refused(text) | Self::Garbled(text) => f.write_str(text),
            Self::Timeout => f.write_str("no answer in time"),
            Self::Offline => f.write_str("the connection is closed"),
        }
    }
}

/// The answer where a connected client is needed. The words are those of the Go server.
pub(crate) fn offline(id: &ClientId) -> Error {
    Error::client_offline(format!("client with id {id} not found"))
}
