//! How a message reaches a person: mail, Pushover, a program, a web service.
//!
//! Every channel has a time limit, set by the caller. A failure says in one sentence what did not work; whether the
//! caller of the API reads it is decided where it is turned into an answer.

mod pushover;
mod script;
mod smtp;
mod url;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rport_runtime::Secret;

pub use pushover::PushoverOptions;
pub use smtp::{MailOptions, MailTls};

use self::pushover::Pushover;
use self::smtp::Mailer;

/// The channels codes of the second factor may take.
#[derive(Debug, Clone)]
pub enum CodeChannel {
    /// By mail.
    Mail(MailOptions),
    /// By Pushover; the users' addresses are their user keys.
    Pushover(PushoverOptions),
    /// By a program, which finds everything in its environment.
    Script(PathBuf),
    /// By a form sent to a web service.
    Url {
        /// The service.
        url: String,
        /// This API's address, which the service is told.
        base_url: String,
    },
}

/// A code on its way to somebody.
#[derive(Debug, Clone)]
pub(crate) struct CodeMessage {
    pub(crate) code: Secret,
    pub(crate) send_to: String,
    pub(crate) ttl: Duration,
    /// Of the login.
    pub(crate) user_agent: String,
    /// Of the login.
    pub(crate) remote_address: String,
}

/// Why a message did not get out.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DeliveryError {
    /// It took too long.
    #[error("sending took longer than {0:?}")]
    TooSlow(Duration),
    /// The vendor's service does not work.
    #[error("pushover service unavailable")]
    PushoverUnavailable(#[source] Option<reqwest::Error>),
    /// The receiver is nobody the channel knows.
    #[error("the address is not accepted: {0}")]
    Address(String),
    /// The program failed; the text is the beginning of its error output.
    #[error("the program for sending codes failed: {0}")]
    Script(String),
    /// Anything else.
    #[error("the message could not be sent: {0}")]
    Failed(String),
}

/// Sends codes. Cheap to clone.
#[derive(Clone)]
pub(crate) struct CodeSender {
    channel: Arc<Channel>,
    timeout: Duration,
}

enum Channel {
    Mail(Mailer),
    Pushover(Pushover),
    Script(PathBuf),
    Url(url::Service),
}

impl CodeSender {
    /// # Errors
    /// What in the options cannot work.
    pub(crate) fn new(channel: &CodeChannel, timeout: Duration) -> Result<Self, String> {
        let channel = match channel {
            CodeChannel::Mail(options) => Channel::Mail(Mailer::new(options, timeout)?),
            CodeChannel::Pushover(options) => Channel::Pushover(Pushover::new(options)?),
            CodeChannel::Script(path) => Channel::Script(path.clone()),
            CodeChannel::Url { url, base_url } => Channel::Url(url::Service::new(url, base_url)?),
        };
        Ok(Self {
            channel: Arc::new(channel),
            timeout,
        })
    }

    /// The word for this channel in the API.
    pub(crate) fn method(&self) -> &'static str {
        match *self.channel {
            Channel::Mail(_) => "email",
            Channel::Pushover(_) => "pushover",
            Channel::Script(_) => "script",
            Channel::Url(_) => "url",
        }
    }

    /// Sends a code; gives up after the configured time.
    pub(crate) async fn send(&self, message: &CodeMessage) -> Result<(), DeliveryError> {
        let sending = async {
            match &*self.channel {
                Channel::Mail(mailer) => {
                    let text = text(message);
                    mailer.send(&message.send_to, "RPort two-factor code", text).await
                }
                Channel::Pushover(pushover) => {
                    let text = text(message);
                    pushover
                        .send(&message.send_to, "RPort two-factor code", &text)
                        .await
                }
                Channel::Script(path) => script::send(path, message).await,
                Channel::Url(service) => service.send(message).await,
            }
        };
        tokio::time::timeout(self.timeout, sending)
            .await
            .unwrap_or(Err(DeliveryError::TooSlow(self.timeout)))
    }

    /// Asks the channel, where that is possible, whether it knows an address. The form has been checked before.
    pub(crate) async fn check_address(&self, send_to: &str) -> Result<(), DeliveryError> {
        let Channel::Pushover(pushover) = &*self.channel else {
            return Ok(());
        };
        tokio::time::timeout(self.timeout, pushover.check_address(send_to))
            .await
            .unwrap_or(Err(DeliveryError::PushoverUnavailable(None)))
    }
}

/// What people read. Nothing in it comes from the request but the address, which is one.
fn text(message: &CodeMessage) -> String {
    format!(
        "Your code is {}\n\nIt is valid for {} minutes and was asked for by a login from {}.\n\
         If that was not you, somebody knows your password: change it.\n",
        message.code.expose(),
        message.ttl.as_secs().div_ceil(60),
        message.remote_address
    )
}

/// An HTTP client that trusts what the machine trusts.
fn http_client() -> Result<reqwest::Client, String> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(roots)
        .with_no_client_auth();
    reqwest::Client::builder()
        .use_preconfigured_tls(tls)
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests;
