//! The agent's way to the server: TCP, perhaps a proxy, perhaps TLS, then the WebSocket upgrade.

mod error;
mod http;
mod proxy;
mod tcp;
mod tls;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use ::http::HeaderMap;
use rport_protocol::ServerUrl;
use tokio::net::TcpStream;

pub use self::error::DialError;
pub use self::proxy::{BadProxy, ProxyUrl};
use crate::io::{WsStream, tune_socket};

/// How to reach the server.
#[derive(Debug, Clone)]
pub struct DialOptions {
    /// Proxy between agent and server.
    pub proxy: Option<ProxyUrl>,
    /// Headers of the upgrade request besides our own. Must not contain `Upgrade`, `Connection` or
    /// `Sec-Websocket-*`; a `User-Agent` or `Host` here replaces ours.
    pub headers: HeaderMap,
    /// `Host` header in place of the one from the address.
    pub host_override: Option<String>,
    /// Local address to connect from.
    pub bind: Option<IpAddr>,
    /// How long connecting, TLS and upgrade may take together.
    pub timeout: Duration,
    /// TLS settings for `wss`; `None` for the system's certificate authorities.
    pub tls: Option<Arc<rustls::ClientConfig>>,
    /// `User-Agent` header.
    pub user_agent: String,
}

impl Default for DialOptions {
    /// No proxy, no extra headers, 30 seconds.
    fn default() -> Self {
        Self {
            proxy: None,
            headers: HeaderMap::new(),
            host_override: None,
            bind: None,
            timeout: Duration::from_secs(30),
            tls: None,
            user_agent: "rport".to_owned(),
        }
    }
}

/// Connects to a server and upgrades to a WebSocket.
///
/// # Errors
/// See [`DialError`]; [`DialError::Timeout`] when the options' time is over, whatever was the last step.
pub async fn dial(url: &ServerUrl, options: &DialOptions) -> Result<WsStream, DialError> {
    let connecting = Box::pin(dial_unbounded(url, options));
    tokio::time::timeout(options.timeout, connecting)
        .await
        .unwrap_or(Err(DialError::Timeout(options.timeout)))
}

async fn dial_unbounded(url: &ServerUrl, options: &DialOptions) -> Result<WsStream, DialError> {
    let socket = reach(url, options).await?;
    if url.secure {
        let mut stream = tls::connect(socket, &url.host, options.tls.clone()).await?;
        let leftover = http::upgrade(&mut stream, url, options).await?;
        Ok(WsStream::client(stream, leftover))
    } else {
        let mut socket = socket;
        let leftover = http::upgrade(&mut socket, url, options).await?;
        Ok(WsStream::client_tcp(socket, leftover))
    }
}

/// A TCP stream whose other end is the server, directly or through the proxy.
async fn reach(url: &ServerUrl, options: &DialOptions) -> Result<TcpStream, DialError> {
    let Some(proxy) = &options.proxy else {
        let socket = tcp::connect(&url.host, url.port, options.bind).await?;
        tune_socket(&socket);
        return Ok(socket);
    };
    let socket = tcp::connect(proxy.host(), proxy.port(), options.bind).await?;
    tune_socket(&socket);
    proxy.tunnel(socket, &url.host, url.port).await
}

#[cfg(test)]
mod tests;
