//! How a tunnel reaches its client.

use std::future::Future;
use std::pin::Pin;

use rport_protocol::channel::{ChannelTarget, KIND_RPORT};
use rport_transport::{Channel, Connection, OpenError};

/// The future returned by [`Dial::dial`].
pub type DialFuture<'a> = Pin<Box<dyn Future<Output = Result<Channel, OpenError>> + Send + 'a>>;

/// A way to open a channel to a target behind a client.
///
/// A trait, so that tests and later cluster nodes can stand in for the link of a connected client.
pub trait Dial: Send + Sync + 'static {
    /// Opens one channel to `target`.
    ///
    /// The caller sets the deadline by dropping the future. Go agents confirm the channel before they dial their
    /// service, so success says nothing about the service.
    ///
    /// # Errors
    /// The client refused, or the link is gone.
    fn dial<'a>(&'a self, target: &'a ChannelTarget) -> DialFuture<'a>;
}

impl Dial for Connection {
    fn dial<'a>(&'a self, target: &'a ChannelTarget) -> DialFuture<'a> {
        Box::pin(async move { self.open(KIND_RPORT, target.to_string().as_bytes()).await })
    }
}
