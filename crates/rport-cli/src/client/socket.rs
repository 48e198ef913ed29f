//! WebSockets of the API. They are opened by the same HTTP client as every call, so that TLS, proxies and credentials
//! are the same.

use futures_util::{SinkExt, StreamExt};
use reqwest::{Method, StatusCode, Upgraded, header};
use serde_json::Value;
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Message,
        handshake::{client::generate_key, derive_accept_key},
        protocol::{Role, WebSocketConfig},
    },
};

use super::{Api, answer};
use crate::failure::{Exit, Failure, Result};

/// Longest frame that is taken: the end of a job carries all of its output.
const LONGEST_FRAME: usize = 128 * 1024 * 1024;

/// An open WebSocket.
pub(crate) struct Socket {
    stream: WebSocketStream<Upgraded>,
}

impl Api {
    /// Opens a WebSocket.
    ///
    /// # Errors
    /// Whatever the server or the way to it gives.
    pub(crate) async fn socket(&self, path: &str) -> Result<Socket> {
        let address = self.address(path);
        let place = format!("WebSocket {address}");
        let key = generate_key();
        let request = self
            .http
            .request(Method::GET, &address)
            .header(header::CONNECTION, "Upgrade")
            .header(header::UPGRADE, "websocket")
            .header(header::SEC_WEBSOCKET_VERSION, "13")
            .header(header::SEC_WEBSOCKET_KEY, &key);
        let opening = async {
            let response = self
                .identified(request)
                .send()
                .await
                .map_err(|error| answer::unreachable(&error, self.server()).at(&place))?;
            if response.status() != StatusCode::SWITCHING_PROTOCOLS {
                self.checked(response, &place).await?;
                return Err(Failure::error("the server does not speak WebSocket there").at(&place));
            }
            let accepted = response.headers().get(header::SEC_WEBSOCKET_ACCEPT);
            let expected = derive_accept_key(key.as_bytes());
            if accepted.is_none_or(|accepted| accepted.as_bytes() != expected.as_bytes()) {
                return Err(Failure::error("whoever answers does not speak WebSocket").at(&place));
            }
            response
                .upgrade()
                .await
                .map_err(|error| answer::unreachable(&error, self.server()).at(&place))
        };
        let upgraded = tokio::time::timeout(self.reach.timeout, opening)
            .await
            .unwrap_or_else(|_| Err(self.late().at(&place)))?;
        let config = WebSocketConfig::default()
            .max_message_size(Some(LONGEST_FRAME))
            .max_frame_size(Some(LONGEST_FRAME));
        let stream = WebSocketStream::from_raw_socket(upgraded, Role::Client, Some(config)).await;
        Ok(Socket { stream })
    }
}

impl Socket {
    /// Sends a JSON document.
    ///
    /// # Errors
    /// When the connection is lost.
    pub(crate) async fn send(&mut self, body: &Value) -> Result<()> {
        let sent = self.stream.send(Message::text(body.to_string())).await;
        sent.map_err(|error| Failure::new(Exit::Unreachable, format!("the connection was lost: {error}")))
    }

    /// The next document; nothing when the connection has ended, well or not. Cancel-safe.
    ///
    /// # Errors
    /// When the server refuses in our form of errors, or sends what is no JSON.
    pub(crate) async fn next(&mut self) -> Result<Option<Value>> {
        loop {
            match self.stream.next().await {
                Some(Ok(Message::Text(text))) => {
                    let value: Value = serde_json::from_str(&text)
                        .map_err(|_| Failure::error("the server sent what is no JSON"))?;
                    return match answer::refusal(&value) {
                        Some(failure) => Err(failure),
                        None => Ok(Some(value)),
                    };
                }
                Some(Ok(Message::Close(_)) | Err(_)) | None => return Ok(None),
                Some(Ok(_)) => {}
            }
        }
    }
}
